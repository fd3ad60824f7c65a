//! Torrents: libtorrent and we agree, on ours and on its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use release::{
    layout::{FileEntry, Layout, PieceLayers},
    merkle::FileHasher,
    metainfo::{Metainfo, MetainfoError},
};
use serde_json::Value;
use std::{fs, path::Path};
use tests::{
    libtorrent::{self, Flavour},
    tree::{self, Entry},
};

#[test]
fn torrents_of_random_trees_are_the_same_byte_for_byte() {
    for (seed, piece_length) in [(1, 16_384), (2, 32_768), (3, 65_536), (4, 262_144)] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tree");
        tree::grow(&folder, seed, piece_length);
        let (ours_file, theirs_file) = (dir.path().join("ours"), dir.path().join("theirs"));

        let ours = build(&folder, piece_length as u32);
        fs::write(&ours_file, ours.encode()).unwrap();
        let theirs = libtorrent::make(&folder, &theirs_file, piece_length, Flavour::V2);

        check("what libtorrent made", &ours, &theirs);
        check("what libtorrent reads in ours", &ours, &libtorrent::describe(&ours_file));
        let read = Metainfo::parse(&fs::read(&theirs_file).unwrap()).unwrap();
        assert_eq!(read.info_bytes, ours.info_bytes, "seed {seed}");
        assert_eq!(read.layers, ours.layers, "seed {seed}");
        assert!(read.layers.complete(&read.layout));
    }
}

#[test]
fn a_single_file_named_like_its_torrent_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("alone.bin");
    tree::write(&file, 100_000, &mut fastrand::Rng::with_seed(5));
    let torrent = dir.path().join("torrent");
    libtorrent::make(&file, &torrent, 16_384, Flavour::V2);
    let read = Metainfo::parse(&fs::read(&torrent).unwrap()).unwrap();
    assert!(read.is_single_file());
    assert_eq!((read.name.as_str(), read.layout.total()), ("alone.bin", 100_000));
}

#[test]
fn older_and_hybrid_torrents_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("tree"), dir.path().join("torrent"));
    tree::grow(&folder, 6, 16_384);
    for (flavour, word) in [(Flavour::V1, "version 1"), (Flavour::Hybrid, "hybrid")] {
        libtorrent::make(&folder, &out, 16_384, flavour);
        let refusal = Metainfo::parse(&fs::read(&out).unwrap()).unwrap_err();
        assert!(matches!(refusal, MetainfoError::Version(_)), "{refusal}");
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
}

/// The values that libtorrent 2.1.1 gave for this tree, kept here so that both sides cannot drift
/// together: `a` of one byte 0x61, `b` of 40,000 bytes 0x62, `c` empty, pieces of 16 KiB.
#[test]
fn fixed_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("vector");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a"), b"a").unwrap();
    fs::write(folder.join("b"), vec![b'b'; 40_000]).unwrap();
    fs::write(folder.join("c"), b"").unwrap();
    let ours = build(&folder, 16_384);
    let roots: Vec<String> =
        ours.layout.files().iter().map(|file| file.pieces_root.unwrap_or_default().to_string()).collect();
    assert_eq!(ours.infohash.to_string(), VECTOR_INFOHASH);
    assert_eq!(roots, VECTOR_ROOTS);
    let second = ours.layout.files()[1].pieces_root.unwrap();
    let layer: String = ours.layers.layer(&second).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(layer, VECTOR_LAYER);
}

fn build(folder: &Path, piece_length: u32) -> Metainfo {
    let mut files = Vec::new();
    for (path, entry) in tree::read(folder) {
        let Entry::File { bytes, executable } = entry else { continue };
        let mut hasher = FileHasher::new(piece_length);
        hasher.update(&bytes);
        let hashes = hasher.finish();
        let entry = FileEntry {
            path: path.to_str().unwrap().parse().unwrap(),
            length: hashes.length,
            pieces_root: hashes.pieces_root,
            executable,
        };
        files.push((entry, hashes.layer));
    }
    files.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    let (entries, rows): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let layout = Layout::new(piece_length, entries).unwrap();
    let mut layers = PieceLayers::default();
    for (file, row) in rows.into_iter().enumerate().filter(|(_, row)| !row.is_empty()) {
        layers.insert(&layout, file, row).unwrap();
    }
    let name = folder.file_name().unwrap().to_str().unwrap();
    Metainfo::build(name, layout, layers, vec![], vec![]).unwrap()
}

fn check(what: &str, ours: &Metainfo, theirs: &Value) {
    assert_eq!(theirs["infohash"], ours.infohash.to_string(), "{what}");
    assert_eq!(theirs["name"], ours.name, "{what}");
    let files = theirs["files"].as_array().unwrap();
    assert_eq!(files.len(), ours.layout.files().len(), "{what}");
    for (theirs, ours_file) in files.iter().zip(ours.layout.files()) {
        let root = ours_file.pieces_root.unwrap_or_default();
        let layer: String =
            ours.layers.layer(&root).unwrap_or_default().iter().map(ToString::to_string).collect();
        assert_eq!(theirs["path"], ours_file.path.as_str(), "{what}");
        assert_eq!(theirs["size"], ours_file.length, "{what}: {}", ours_file.path);
        assert_eq!(theirs["executable"], ours_file.executable, "{what}: {}", ours_file.path);
        assert_eq!(theirs["root"], root.to_string(), "{what}: {}", ours_file.path);
        assert_eq!(theirs["layer"], layer, "{what}: {}", ours_file.path);
    }
}

const VECTOR_INFOHASH: &str = "6490700532e09b85291da7dd1f2954a819bc7ccebb70172b676aa28a2202c0ff";
const VECTOR_ROOTS: [&str; 3] = [
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "6851afb52fe54a87f4f0d5b5f85120eef36a043cf6bca51d384fbd7f206881dc",
    "0000000000000000000000000000000000000000000000000000000000000000",
];
const VECTOR_LAYER: &str = concat!(
    "e33f24140499430b048f6600af4f41f3ccb0cb766d9f7661124cf8ba4b827523",
    "e33f24140499430b048f6600af4f41f3ccb0cb766d9f7661124cf8ba4b827523",
    "e19c7912b38a0948c9f2d2d90d54af29c90b59cd845655dc8fed17743f9f3034",
);
