//! How long it takes from the key to the release that stands: a sealed bundle of the given size (in MB, 1000 unless said
//! otherwise) is opened, verified, staged and applied below the given folder.
//!
//! `cargo run --release -p store --example unlock_speed -- FOLDER [MB]`
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement, not a part of the store"
)]

use release::{
    layout::PieceLayers,
    manifest::{Kind, Manifest, ManifestFile},
    merkle::FileHasher,
    patch::Payload,
    sealed::{BundleCipher, Head, ReleaseKey, Run, SEGMENT_BYTES},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};
use store::{
    GameFolder, Job, Staging,
    apply::apply,
    fs::RealFs,
    patch::cache::Cache,
    place::Places,
    preload::{Bundle, Sealed},
    prepare::prepare,
    state::FolderState,
};

const PIECE: u32 = 1 << 20;
const FILES: usize = 4;
const MB: usize = 1_000_000;

fn main() {
    let mut words = std::env::args().skip(1);
    let dir = std::path::PathBuf::from(words.next().expect("name a folder")).join("unlock-speed");
    let size = words.next().map_or(1000, |mb| mb.parse().expect("a number of MB")) * MB / FILES;
    let key = ReleaseKey::new("game".parse().expect("an id"), "1.0".parse().expect("a version"), [7; 32]);
    let state = FolderState::new(
        "https://example.org/".into(),
        Default::default(),
        "game".parse().expect("an id"),
        "live".parse().expect("a name"),
    );
    let mut folder =
        GameFolder::create(Arc::new(RealFs), &dir, &Places::default(), &state).expect("a folder");

    let (manifest, layers, plain) = bundle(size);
    let began = Instant::now();
    let sealed = seal(&plain, &key);
    let sealing = began.elapsed().as_secs_f64();
    drop(plain);
    let kept = keep(&folder, &sealed);
    let sealed_mb = sealed.len() as f64 / MB as f64;
    drop(sealed);

    let job = Job::unwatched();
    let began = Instant::now();
    let bundle = Bundle::open(&key, kept).expect("the disk").expect("it opens");
    let staging = Staging::open(&folder, &manifest).expect("staging");
    prepare(&mut folder, &manifest, &layers, &staging, &job).expect("room");
    let opened = bundle.stage(&manifest, &layers, &staging, &job).expect("the disk");
    let staged = began.elapsed().as_secs_f64();
    assert!(opened.unopened.is_none() && opened.good_bytes == (size * FILES) as u64, "{opened:?}");
    apply(&mut folder, &staging, &manifest, &layers, SystemTime::now(), &job).expect("applied");
    let all = began.elapsed().as_secs_f64();
    let gb = (size * FILES) as f64 / 1e9;
    println!(
        "{gb:.2} GB ({sealed_mb:.0} MB sealed at {:.2} GB/s): opened and staged in {staged:.1} s, stands after {all:.1} s: \
         {:.1} s per GB",
        sealed_mb / 1000.0 / sealing,
        all / gb,
    );
    std::fs::remove_dir_all(&dir).expect("removed");
}

/// A release of half noise, half zeros, and its plain bundle.
fn bundle(size: usize) -> (Manifest, PieceLayers, Vec<u8>) {
    let (mut files, mut runs, mut body, mut hashed) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    for number in 0..FILES {
        let (mut hasher, start) = (FileHasher::new(PIECE), body.len());
        let mut state = number as u64 + 1;
        for offset in (0..size).step_by(PIECE as usize) {
            let piece: Vec<u8> = (0..(size - offset).min(PIECE as usize))
                .map(|at| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if at % 8192 < 4096 { (state >> 56) as u8 } else { 0 }
                })
                .collect();
            hasher.update(&piece);
            body.extend(zstd::bulk::compress(&piece, 1).expect("compresses"));
        }
        let hashes = hasher.finish();
        let root = hashes.pieces_root.expect("not empty");
        hashed.insert(number, hashes.layer);
        runs.push(Run { root, offset: 0, length: size as u64, stored: (body.len() - start) as u64 });
        files.push(ManifestFile {
            path: format!("pack-{number}").parse().expect("a path"),
            size: size as u64,
            executable: false,
            pieces_root: Some(root),
            kind: Kind::Content,
            set: Default::default(),
        });
    }
    let manifest = Manifest {
        format: 1,
        game: "game".parse().expect("an id"),
        version: "1.0".parse().expect("a version"),
        title: "Game".into(),
        piece_length: PIECE,
        files,
        empty_dirs: Vec::new(),
        launch: BTreeMap::new(),
        notes: String::new(),
    };
    let (layout, mut layers) = (manifest.layout().expect("a layout"), PieceLayers::default());
    for (file, layer) in hashed {
        layers.insert(&layout, file, layer).expect("its layer");
    }
    let head = Head { runs, manifest_bytes: 1, ..Head::default() };
    let mut plain = head.encode().expect("a head");
    plain.append(&mut body);
    (manifest, layers, plain)
}

fn seal(plain: &[u8], key: &ReleaseKey) -> Vec<u8> {
    let cipher = BundleCipher::new(key, None, plain.len() as u64);
    let mut sealed = Vec::with_capacity(plain.len() + plain.len() / 1000);
    for (segment, part) in (0..).zip(plain.chunks(SEGMENT_BYTES as usize)) {
        let mut part = part.to_vec();
        cipher.seal(segment, &mut part).expect("seals");
        sealed.append(&mut part);
    }
    sealed
}

fn keep(folder: &GameFolder, sealed: &[u8]) -> Sealed {
    let payload = Payload::of(sealed);
    let torrent = payload.metainfo("game-1.0.sealed", vec![], vec![]).expect("a torrent");
    let staging = Arc::new(Cache::preloads(folder).open(&torrent).expect("opens"));
    staging.write_at(&payload.root, 0, sealed).expect("written");
    staging.verified(&payload.root, 0, payload.size);
    staging.flush().expect("synced");
    Sealed { staging, root: payload.root, bytes: payload.size, from: None }
}
