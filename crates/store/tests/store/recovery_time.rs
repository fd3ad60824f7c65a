//! An update of a game of 10 GB that was killed is finished at the next start within two seconds: only what the journal
//! names is looked at, nothing is hashed again.

use crate::{cut::CutFs, world::*};
use release::{
    hash::Hash32,
    manifest::{Kind, ManifestFile},
    merkle::{FileHasher, pieces_root_of_layer},
};
use std::{fs, sync::Arc, time::Instant};
use store::{GameFolder, Staging, apply::apply, fs::RealFs, prepare::prepare};

const MIB: u64 = 1 << 20;
const BIG: u64 = 140;
const SMALL: u32 = 1860;

/// A file of so many MiB of zeros; nobody reads it here.
fn zeros(path: &str, mib: u64) -> ManifestFile {
    let mut hasher = FileHasher::new(PIECE);
    hasher.update(&vec![0; 2 * PIECE as usize]);
    let piece = hasher.finish().layer[0];
    let layer: Vec<Hash32> = vec![piece; (mib * MIB / u64::from(PIECE)) as usize];
    ManifestFile {
        path: path.parse().unwrap(),
        size: mib * MIB,
        executable: false,
        pieces_root: Some(pieces_root_of_layer(&layer, PIECE)),
        kind: Kind::Content,
        set: Default::default(),
    }
}

/// 140 files of 1 to 140 MiB, some elsewhere in `new`, and many small ones, of which some change.
fn big_release(version: &str, new: bool) -> Release {
    let change = |number: u32| if new && number.is_multiple_of(9) { 2 } else { 1 };
    let small: Vec<F> = (0..SMALL)
        .map(|number| {
            f(
                &format!("small/{}/{number}", number % 40),
                [&[change(number)][..], &number.to_le_bytes()].concat(),
            )
        })
        .collect();
    let mut release = release(version, &small, &[]);
    for mib in 1..=BIG {
        let moves = new && mib % 3 == 0;
        let path = if moves { format!("moved/{mib}.pak") } else { format!("data/{mib}.pak") };
        release.manifest.files.push(zeros(&path, mib));
    }
    release.manifest.files.sort_by(|left, right| left.path.cmp(&right.path));
    release.manifest.check().unwrap();
    release
}

#[test]
fn a_killed_update_of_ten_gigabytes_is_finished_within_two_seconds() {
    let (old, new) = (big_release("1.0", false), big_release("1.1", true));
    assert!(old.manifest.total_bytes() > 9_600 * MIB);
    // Beside the program, so that syncs cost what they cost.
    let home = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
    let dir = home.path().join("game");
    drop(GameFolder::create(Arc::new(RealFs), &dir, &store::place::Places::default(), &state()).unwrap());
    for file in &old.manifest.files {
        let at = dir.join(file.path.as_str());
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let bytes = old.contents.get(&file.pieces_root.unwrap());
        bytes
            .map_or_else(|| fs::File::create(&at).unwrap().set_len(file.size), |bytes| fs::write(&at, bytes))
            .unwrap();
    }
    // As a finished install leaves it.
    fs::write(dir.join(".muster/installed.manifest"), old.manifest.encode()).unwrap();
    fs::write(dir.join(".muster/verified.json"), records(&dir, &old)).unwrap();

    let killed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let update = |fs: Arc<dyn store::fs::Fs>| -> store::Result<()> {
        let mut folder = GameFolder::open(fs, &dir)?;
        let staging = Staging::open(&folder, &new.manifest)?;
        prepare(&mut folder, &new.manifest, &new.layers, &staging, &job())?;
        for (root, bytes) in &new.contents {
            fetch(&staging, root, bytes)?;
        }
        apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).map(|_| ())
    };
    let (journal, flag) = (dir.join(".muster/journal.json"), Arc::clone(&killed));
    // Cut right after the commit: everything is still to be done.
    let fs = CutFs::new(0, move || {
        if !flag.load(std::sync::atomic::Ordering::Relaxed) && journal.exists() {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
            std::panic::resume_unwind(Box::new("killed"));
        }
    });
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| update(Arc::new(fs))));
    assert!(died.is_err() && dir.join(".muster/journal.json").exists(), "{died:?}");
    let begun = Instant::now();
    let folder = GameFolder::open(Arc::new(RealFs), &dir).unwrap();
    let took = begun.elapsed();
    let done = folder.recovered().unwrap();
    println!("recovered in {took:?}: {} files put in place, {} taken out", done.placed, done.removed);
    assert!(done.placed > 200 && done.removed > 40);
    assert_eq!(folder.installed(), Some(&new.manifest));
    assert!(store::verify::check_quick(&folder, &new.manifest).unwrap().is_clean(), "every record is good");
    assert!(took.as_secs_f64() < 2.0, "{took:?}");
}

/// Records of files that stand as they should.
fn records(dir: &std::path::Path, release: &Release) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let one = |file: &ManifestFile| {
        let meta = fs::metadata(dir.join(file.path.as_str())).unwrap();
        format!(
            r#""{}":{{"pieces_root":"{}","size":{},"modified_seconds":{},"modified_nanos":{},"inode":{}}}"#,
            file.path,
            file.pieces_root.unwrap(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ino()
        )
    };
    let files: Vec<String> = release.manifest.files.iter().map(one).collect();
    format!(r#"{{"format":1,"files":{{{}}}}}"#, files.join(",")).into_bytes()
}
