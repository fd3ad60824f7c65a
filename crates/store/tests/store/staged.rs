//! Staging: only verified bytes are read, only synced ones believed after a kill.

use crate::world::*;
use release::hash::Hash32;
use std::{
    fs,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use store::{Staging, fs::fault::Fault};

fn content(release: &Release, path: &str) -> Hash32 {
    release.manifest.file(&path.parse().unwrap()).unwrap().pieces_root.unwrap()
}

#[test]
fn unverified_bytes_are_not_read_and_foreign_ones_not_written() {
    let (old, _) = two_releases();
    let world = World::new();
    let folder = world.create();
    let staging = Staging::open(&folder, &old.manifest).unwrap();
    let root = content(&old, "data/pack");
    staging.write_at(&root, 0, &[1; 100]).unwrap();
    assert_eq!(staging.read_at(&root, 0, 100).unwrap_err().code(), "NOT_VERIFIED");
    staging.verified(&root, 0, 100);
    assert_eq!(staging.read_at(&root, 0, 100).unwrap(), [1; 100]);
    assert_eq!(staging.read_at(&root, 50, 100).unwrap_err().code(), "NOT_VERIFIED");
    assert!(staging.write_at(&root, 99_999, &[1; 2]).is_err());
    assert!(staging.write_at(&Hash32([0; 32]), 0, &[1]).is_err());
    staging.lost(&root, 20, 10);
    assert!(!staging.has(&root, 0, 100) && staging.has(&root, 0, 20) && staging.has(&root, 30, 70));
}

#[test]
fn after_a_power_cut_only_synced_pieces_are_believed() {
    let (old, _) = two_releases();
    let root = content(&old, "data/pack");
    let bytes = &old.contents[&root];
    let piece = |index: usize| &bytes[index * PIECE as usize..(index + 1) * PIECE as usize];
    let at = |index: u64| index * u64::from(PIECE);
    let mut survived = 0;
    for names in [false, true] {
        // Every call of the second flush and of the writes before it.
        for cut in 1..40 {
            let world = World::new();
            let folder = world.create();
            let staging = Staging::open(&folder, &old.manifest).unwrap();
            staging.write_at(&root, 0, piece(0)).unwrap();
            staging.verified(&root, 0, at(1));
            staging.flush().unwrap();
            world.fs.arm(cut, Fault::PowerCut { names });
            let second = || {
                staging.write_at(&root, at(1), piece(1))?;
                staging.verified(&root, at(1), at(1));
                staging.flush()
            };
            let outcome = second();
            if outcome.is_ok() {
                break;
            }
            drop((staging, folder));
            world.fs.revive();
            let folder = world.open().unwrap();
            let staging = Staging::open(&folder, &old.manifest).unwrap();
            assert_eq!(
                staging.read_at(&root, 0, PIECE).unwrap(),
                piece(0),
                "flushed bytes survive cut {cut}"
            );
            if staging.has(&root, at(1), at(1)) {
                assert_eq!(staging.read_at(&root, at(1), PIECE).unwrap(), piece(1), "cut {cut}");
            }
            survived += 1;
        }
    }
    assert!(survived > 6);
    proof::count(proof::Line::PowerCuts, survived, survived);
}

#[test]
fn unflushed_pieces_are_forgotten_and_a_torn_log_is_cut() {
    let (old, new) = two_releases();
    let world = World::new();
    let folder = world.create();
    let (pack, same) = (content(&old, "data/pack"), content(&old, "same"));
    let staging = Staging::open(&folder, &old.manifest).unwrap();
    fetch(&staging, &same, &old.contents[&same]).unwrap();
    staging.flush().unwrap();
    fetch(&staging, &pack, &old.contents[&pack]).unwrap();
    let layout = old.manifest.layout().unwrap();
    assert_eq!(staging.pieces(&layout).len(), 2 + 4);
    drop((staging, folder));
    let log = world.dir.join(".muster/staging/have.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend_from_slice(&[7; 56]);
    fs::write(&log, bytes).unwrap();

    let folder = world.open().unwrap();
    let staging = Staging::open(&folder, &old.manifest).unwrap();
    assert!(staging.is_complete(&same) && !staging.has(&pack, 0, 1));
    assert_eq!((staging.staged_bytes(), staging.pieces(&layout).len()), (33_000, 2));
    drop(staging);
    // Another release keeps what it shares and drops the rest; a cut file is not believed.
    let staging = Staging::open(&folder, &new.manifest).unwrap();
    assert!(staging.is_complete(&same) && !staging.knows(&pack));
    assert!(!world.dir.join(format!(".muster/staging/{pack}")).exists());
    drop(staging);
    fs::OpenOptions::new()
        .write(true)
        .open(world.dir.join(format!(".muster/staging/{same}")))
        .unwrap()
        .set_len(100)
        .unwrap();
    let staging = Staging::open(&folder, &new.manifest).unwrap();
    assert!(staging.has(&same, 0, 100) && !staging.has(&same, 0, 101));
}

#[test]
fn a_failed_sync_is_not_believed() {
    let (old, _) = two_releases();
    let root = content(&old, "same");
    let world = World::new();
    let folder = world.create();
    let staging = Staging::open(&folder, &old.manifest).unwrap();
    fetch(&staging, &root, &old.contents[&root]).unwrap();
    world.fs.arm(1, Fault::Error(std::io::ErrorKind::Other));
    assert_eq!(staging.flush().unwrap_err().code(), "DISK_ERROR");
    assert!(!staging.has(&root, 0, 1), "bytes whose sync failed must be fetched again");
    fetch(&staging, &root, &old.contents[&root]).unwrap();
    staging.flush().unwrap();
    assert!(staging.is_complete(&root));
}

/// A disk that takes long to sync stops neither writers nor readers, and what they do meanwhile is the next flush's.
#[test]
fn others_write_and_read_while_the_disk_syncs_and_only_what_was_verified_before_is_written_down() {
    let (old, _) = two_releases();
    let root = content(&old, "data/pack");
    let (piece, length) = (noise(3, PIECE as usize), u64::from(PIECE));
    let world = World::new();
    let folder = world.create();
    let staging = Arc::new(Staging::open(&folder, &old.manifest).unwrap());
    for index in 0..2 {
        staging.write_at(&root, index * length, &piece).unwrap();
        staging.verified(&root, index * length, length);
    }
    let (syncing, syncs) = mpsc::channel();
    let (done, met) = mpsc::channel();
    let met = Mutex::new(met);
    world.fs.at_sync(move || {
        syncing.send(()).unwrap();
        met.lock().unwrap().recv_timeout(Duration::from_secs(10)).expect("somebody waits for the sync");
    });
    let other = {
        let (staging, piece) = (Arc::clone(&staging), piece.clone());
        std::thread::spawn(move || {
            syncs.recv().unwrap();
            staging.write_at(&root, 2 * length, &piece).unwrap();
            staging.verified(&root, 2 * length, length);
            assert_eq!(staging.read_at(&root, 0, PIECE).unwrap(), piece);
            staging.lost(&root, length, length);
            done.send(()).unwrap();
            // The log's own sync.
            syncs.recv().unwrap();
            done.send(()).unwrap();
        })
    };
    staging.flush().unwrap();
    other.join().unwrap();
    let had = |staging: &Staging| [0, 1, 2].map(|index| staging.has(&root, index * length, length));
    assert_eq!(had(&staging), [true, false, true]);
    drop((staging, folder));
    world.fs.at_sync(|| ());
    let folder = world.open().unwrap();
    let staging = Staging::open(&folder, &old.manifest).unwrap();
    assert_eq!(had(&staging), [true, false, false], "what was lost or came while the disk synced");
}

/// What a flush that failed had not come to is made durable by the next.
#[test]
fn a_flush_goes_on_where_the_last_one_failed() {
    let (old, _) = two_releases();
    let (first, second) = (content(&old, "same"), content(&old, "data/pack"));
    for broken in 1..12 {
        let world = World::new();
        let folder = world.create();
        let staging = Staging::open(&folder, &old.manifest).unwrap();
        for root in [first, second] {
            fetch(&staging, &root, &old.contents[&root]).unwrap();
        }
        world.fs.arm(broken, Fault::Error(std::io::ErrorKind::Other));
        let failed = staging.flush().is_err();
        staging.flush().unwrap();
        let had = [first, second].map(|root| staging.is_complete(&root));
        assert!(failed || had == [true, true], "call {broken}");
        drop((staging, folder));
        world.fs.revive();
        let folder = world.open().unwrap();
        let staging = Staging::open(&folder, &old.manifest).unwrap();
        assert_eq!([first, second].map(|root| staging.is_complete(&root)), had, "call {broken}");
        if !failed {
            assert!(broken > 4, "nothing was broken");
            return;
        }
    }
    panic!("a flush makes more calls than were broken");
}

#[test]
fn many_contents_need_few_open_files() {
    let files: Vec<F> = (0..200).map(|i| f(&format!("f{i}"), format!("content {i}"))).collect();
    let many = release("1.0", &files, &[]);
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &many).unwrap();
    assert_eq!(world.look(), tree_of(&many));
}
