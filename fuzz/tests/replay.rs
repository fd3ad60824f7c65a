//! The corpus and every input that once broke something, through the targets, without libFuzzer: a crash stays a named case on
//! every machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// An input that takes longer is a hang: none takes a tenth of a second on an idle machine.
const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
fn every_target_stands_up_to_its_corpus_and_to_what_once_broke_it() {
    for target in &fuzz::TARGETS {
        let (seeds, broken) = (inputs("corpus", target.name), inputs("regressions", target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for path in seeds.iter().chain(&broken) {
            let data = fs::read(path).unwrap();
            assert!(
                data.len() <= target.bytes_max,
                "{} is longer than {} takes",
                path.display(),
                target.name
            );
            let began = Instant::now();
            // The thread bears the file's name, and with it the panic's message.
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
            let run = thread::Builder::new().name(name.clone()).spawn(move || (target.run)(&data)).unwrap();
            assert!(run.join().is_ok(), "{name} broke {}", target.what);
            assert!(began.elapsed() < TIME_MAX, "{name} takes {:?}", began.elapsed());
        }
    }
}

#[test]
fn every_folder_is_a_targets() {
    for kind in ["corpus", "regressions"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
        for entry in fs::read_dir(&dir).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(fuzz::target(&name).is_some(), "{kind}/{name} is no target's");
        }
    }
}

#[test]
fn the_corpus_stays_small() {
    let bytes: u64 = fuzz::TARGETS
        .iter()
        .flat_map(|target| inputs("corpus", target.name))
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(bytes <= 200_000, "{bytes} bytes of seeds; `cargo xtask fuzz TARGET` says how to minimise them");
}

/// Files of a target, sorted; none where it has no folder.
fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
