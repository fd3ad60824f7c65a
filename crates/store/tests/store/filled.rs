//! Local fill: what strange files hold is found wherever it lies, and nothing false is ever staged.

use crate::world::*;
use release::{
    hash::Hash32,
    leaves::{self, FileLeaves, Leaf},
    merkle::BLOCK,
};
use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use store::{
    GameFolder, Job, Result, Staging, StoreError,
    apply::apply,
    fill::{Filled, Sources, fill},
    prepare::{missing_bytes, prepare},
};

const LEAF: usize = BLOCK as usize;
/// More than two windows of the search.
const BIG: usize = 212 * LEAF + 777;

/// A big file that begins with zeros and has some in its midst, and one that shares leaves with it.
fn wanted() -> Release {
    let mut big = noise(1, BIG);
    big[..3 * LEAF].fill(0);
    big[100 * LEAF..108 * LEAF].fill(0);
    let part = big[9 * LEAF..20 * LEAF].to_vec();
    release("1.0", &[f("big.pak", big), f("part.pak", part), f("tiny", noise(3, 99))], &[])
}

fn root_of(release: &Release, path: &str) -> Hash32 {
    let file = release.manifest.file(&path.parse().unwrap()).unwrap();
    file.pieces_root.unwrap()
}

fn side_file(release: &Release) -> Vec<u8> {
    let files = leaves::contents(&release.manifest).map(|(pieces_root, size)| {
        let bytes = &release.contents[&pieces_root];
        FileLeaves { pieces_root, size, leaves: bytes.chunks(LEAF).map(Leaf::of).collect() }
    });
    leaves::encode(&files.collect::<Vec<_>>())
}

/// Fills from what stands in the folder; the bytes that are missing afterwards.
fn filled(folder: &mut GameFolder, release: &Release, job: &Job<'_>) -> Result<(Staging, Filled, u64)> {
    let staging = Staging::open(folder, &release.manifest)?;
    let prepared = prepare(folder, &release.manifest, &release.layers, &staging, &Job::unwatched())?;
    let leaves = leaves::parse(&side_file(release), &release.manifest).unwrap();
    let done = fill(&Sources::of(folder)?, &release.manifest, &prepared.plan, leaves, &staging, job)?;
    let missing = missing_bytes(&release.manifest, &prepared.plan, &staging.have());
    Ok((staging, done, missing))
}

/// Every piece that is staged is the release's; their bytes.
fn staged_and_true(staging: &Staging, release: &Release) -> u64 {
    let mut staged = 0;
    for (root, bytes) in &release.contents {
        for (piece, bytes) in (0_u64..).zip(bytes.chunks(PIECE as usize)) {
            let (offset, length) = (piece * u64::from(PIECE), bytes.len() as u32);
            if staging.has(root, offset, u64::from(length)) {
                assert!(staging.read_at(root, offset, length).unwrap() == bytes, "false bytes at {offset}");
                staged += u64::from(length);
            }
        }
    }
    staged
}

#[test]
fn shifted_content_in_a_foreign_file_is_found_and_fills_every_place() {
    let (world, release) = (World::new(), wanted());
    let mut folder = world.create();
    let big = &release.contents[&root_of(&release, "big.pak")];
    world.write("mods/other name", &[&noise(50, 12_345), &big[..], &noise(51, 100)].concat());
    let before = world.look();
    let (staging, done, missing) = filled(&mut folder, &release, &job()).unwrap();
    assert_eq!(missing, 99, "what is shorter than a leaf");
    assert_eq!(done.filled_bytes, (BIG + 11 * LEAF) as u64, "both files, the short last leaf and zeros too");
    assert!(done.read_bytes >= BIG as u64, "{done:?}");
    assert_eq!(staged_and_true(&staging, &release), done.filled_bytes);
    assert_eq!(world.look(), before, "sources are only read");
    let (root, bytes) = (root_of(&release, "tiny"), noise(3, 99));
    fetch(&staging, &root, &bytes).unwrap();
    apply(&mut folder, &staging, &release.manifest, &release.layers, now(), &job()).unwrap();
    let mut expected = tree_of(&release);
    expected.extend(before);
    assert_eq!(world.look(), expected);
}

#[test]
fn a_half_broken_file_gives_its_whole_leaves() {
    let (world, release) = (World::new(), wanted());
    let mut folder = world.create();
    let mut big = release.contents[&root_of(&release, "big.pak")].clone();
    // Cut off, and damaged in two leaves, one of them zeros, of which there are enough elsewhere.
    big[11 * LEAF + 5] ^= 1;
    big[104 * LEAF] ^= 1;
    big.truncate(200 * LEAF + 7);
    world.write("half", &[&[7; 3][..], &big].concat());
    let (staging, done, missing) = filled(&mut folder, &release, &job()).unwrap();
    let lost = |leaves: usize| (leaves * LEAF) as u64;
    // A piece of the big file and its end; one piece of the part, where the same leaf is damaged.
    assert_eq!(missing, lost(2) + lost(12) + 777 + lost(2) + 99, "{done:?}");
    assert_eq!(staged_and_true(&staging, &release), done.filled_bytes);
    assert!(done.written_bytes > done.filled_bytes, "leaves beside damaged ones: {done:?}");
}

#[test]
fn what_is_filled_outlives_a_restart() {
    let (world, release) = (World::new(), wanted());
    let mut folder = world.create();
    world.write("copy", &[&[1][..], &release.contents[&root_of(&release, "big.pak")]].concat());
    let (staging, done, _) = filled(&mut folder, &release, &job()).unwrap();
    drop((staging, folder));
    let staging = Staging::open(&world.open().unwrap(), &release.manifest).unwrap();
    assert_eq!(staged_and_true(&staging, &release), done.filled_bytes);
}

#[test]
fn a_source_that_changes_while_it_is_read_stages_nothing_false() {
    let (world, release) = (World::new(), wanted());
    let mut folder = world.create();
    let source = [&noise(50, 777), &release.contents[&root_of(&release, "big.pak")][..]].concat();
    world.write("copy", &source);
    let (path, count) = (world.dir.join("copy"), AtomicU64::new(0));
    // At every look it is whole or has a false byte in every leaf, in turn.
    let change = |_| {
        let mut bytes = source.clone();
        if count.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
            bytes.iter_mut().step_by(LEAF).for_each(|byte| *byte ^= 1);
        }
        fs::write(&path, bytes).unwrap();
    };
    let job = Job { progress: &change, cancel: &AtomicBool::new(false), threads: 1 };
    let (staging, done, missing) = filled(&mut folder, &release, &job).unwrap();
    assert_eq!(staged_and_true(&staging, &release), done.filled_bytes);
    assert!(
        done.filled_bytes > 0 && missing > 99 && count.load(Ordering::Relaxed) > 2,
        "it did change: {done:?}"
    );
}

#[test]
fn links_and_our_own_folder_are_no_sources_and_cancel_ends_it() {
    let (world, release) = (World::new(), wanted());
    let mut folder = world.create();
    let outside = world.dir.with_file_name("outside");
    fs::create_dir(&outside).unwrap();
    let big = &release.contents[&root_of(&release, "big.pak")];
    fs::write(outside.join("copy"), big).unwrap();
    world.write(".muster/copy", big);
    symlink(&outside, world.dir.join("folder")).unwrap();
    symlink(outside.join("copy"), world.dir.join("file")).unwrap();
    assert_eq!(Sources::of(&folder).unwrap().bytes(), 0);
    world.write("copy", big);
    let stop = AtomicBool::new(false);
    let job = Job { progress: &|_| stop.store(true, Ordering::Relaxed), cancel: &stop, threads: 1 };
    assert!(matches!(filled(&mut folder, &release, &job), Err(StoreError::Cancelled)));
}
