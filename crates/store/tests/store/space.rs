//! What a plan says it needs is there at its worst moment, and is not much more than that.

use crate::{cut::CutFs, world::*};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use store::{GameFolder, Staging, apply::apply, place::Places, prepare::outlook};

/// Bytes that the file system has given to everything below `dir`.
fn taken(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => taken(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

/// From `old`, of which nothing may stand, to `new`; so many bytes of each content are staged before.
fn check(what: &str, old: Option<&Release>, new: &Release, staged: usize) {
    let world = World::new();
    let (dir, peak) = (world.dir.clone(), Arc::new(AtomicU64::new(0)));
    let (look_at, highest, calls) = (dir.clone(), Arc::clone(&peak), AtomicU64::new(0));
    // Looking at many files takes long; then it is done now and then.
    let every = new.manifest.files.len() as u64 / 20 + 1;
    let fs = CutFs::new(0, move || {
        if calls.fetch_add(1, Ordering::Relaxed) % every == 0 {
            highest.fetch_max(taken(&look_at), Ordering::Relaxed);
        }
    });
    let mut folder = GameFolder::create(Arc::new(fs), &dir, &Places::default(), &state()).unwrap();
    if let Some(old) = old {
        install(&mut folder, old).unwrap();
    }
    if staged > 0 {
        let staging = Staging::open(&folder, &new.manifest).unwrap();
        for (root, bytes) in &new.contents {
            fetch(&staging, root, &bytes[..bytes.len().min(staged) / PIECE as usize * PIECE as usize])
                .unwrap();
        }
        staging.flush().unwrap();
    }
    let need = outlook(&folder, &new.manifest).unwrap().need_bytes;
    let before = taken(&dir);
    peak.store(before, Ordering::Relaxed);
    let (staging, _) = stage(&mut folder, new).unwrap();
    apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).unwrap();
    let took = peak.load(Ordering::Relaxed) - before;
    println!("{what}: {need} needed, {took} taken");
    assert!(need >= took, "{what}: {need} are said to be needed, and {took} were taken");
    // A tenth, and what is kept free whatever the size.
    assert!(need <= took + took / 10 + (1 << 20), "{what}: {need} for {took}");
}

#[test]
fn what_a_plan_needs_covers_its_worst_moment_and_little_more() {
    let rng = &mut fastrand::Rng::with_seed(fastrand::u64(..));
    println!("seed {}", rng.get_seed());
    let big = |seed: u8, rng: &mut fastrand::Rng| -> Vec<F> {
        (0..6_u8)
            .map(|number| f(&format!("pack/{number}"), noise(seed + number, rng.usize(1..1_500_000))))
            .collect()
    };
    let old = release("1.0", &big(1, rng), &[]);
    let other = release("1.1", &big(40, rng), &[]);
    // A byte in each, so that most pieces are salvaged.
    let mut files = old.files.clone();
    files.iter_mut().for_each(|file| file.bytes[0] ^= 1);
    let near = release("1.1", &files, &[]);
    // All moved, and doubled.
    let moved: Vec<F> =
        old.files.iter().map(|file| f(&format!("new/{}", file.path), file.bytes.clone())).collect();
    let twice: Vec<F> = moved
        .iter()
        .flat_map(|file| [file.clone(), f(&format!("twice/{}", file.path), file.bytes.clone())])
        .collect();
    check("fresh", None, &old, 0);
    check("fresh, half staged", None, &old, 700_000);
    check("update", Some(&old), &other, 0);
    check("update, half staged", Some(&old), &other, 700_000);
    check("update, most salvaged", Some(&old), &near, 0);
    check("doubled", Some(&old), &release("1.1", &twice, &[]), 0);
    check("doubled and fresh", None, &release("1.1", &twice, &[]), 0);
}

/// Clusters, journal, records and manifest weigh more than the content here.
#[test]
fn thousands_of_small_files_need_more_than_their_bytes() {
    let small = |seed: u8| -> Vec<F> {
        (0..600_u32)
            .map(|number| {
                f(
                    &format!("a/folder/with/a/name/{number:06}"),
                    [&[seed][..], &number.to_le_bytes(), &[7; 200]].concat(),
                )
            })
            .collect()
    };
    check("small, fresh", None, &release("1.0", &small(1), &[]), 0);
}
