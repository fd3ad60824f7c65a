//! How fast local fill reads, for a machine at hand: `cargo run --release -p store --example fill_speed FOLDER`. Makes
//! `FOLDER/fill-speed` with half a gigabyte in it and removes it again.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement, not a part of the store"
)]

use release::{
    hash::Hash32,
    layout::PieceLayers,
    leaves::{FileLeaves, Leaf},
    manifest::Manifest,
    merkle::{BLOCK, FileHasher},
};
use std::{fs, path::PathBuf, sync::Arc, time::Instant};
use store::{
    GameFolder, Job, Staging,
    fill::{Sources, fill},
    fs::RealFs,
    place::Places,
    prepare::prepare,
    state::FolderState,
};

const BYTES: usize = 512 << 20;

fn main() {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap()).join("fill-speed");
    let (game, channel) = ("game".parse().unwrap(), "live".parse().unwrap());
    let state = FolderState::new("https://example.org/".into(), Hash32([1; 32]), game, channel);
    let mut folder = GameFolder::create(Arc::new(RealFs), &dir, &Places::default(), &state).unwrap();
    let wanted = noise(1);
    fs::write(dir.join("strange"), noise(2)).unwrap();
    measure("nothing of it is there", &mut folder, &wanted);
    fs::write(dir.join("strange"), [&[0; 1000][..], &wanted].concat()).unwrap();
    measure("all of it is there, shifted", &mut folder, &wanted);
    fs::remove_dir_all(dir).unwrap();
}

fn measure(what: &str, folder: &mut GameFolder, wanted: &[u8]) {
    let mut hasher = FileHasher::new(1 << 20);
    hasher.update(wanted);
    let hashes = hasher.finish();
    let pieces_root = hashes.pieces_root.unwrap();
    let text = format!(
        r#"{{"format":1,"game":"game","version":"1","title":"G","piece_length":1048576,"files":[{{"path":"a","size":{},"pieces_root":"{pieces_root}"}}]}}"#,
        wanted.len()
    );
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let leaves = wanted.chunks(BLOCK as usize).map(Leaf::of).collect();
    let leaves = vec![FileLeaves { pieces_root, size: wanted.len() as u64, leaves }];
    let staging = Staging::open(folder, &manifest).unwrap();
    let job = Job { threads: 1, ..Job::unwatched() };
    let prepared = prepare(folder, &manifest, &PieceLayers::default(), &staging, &job).unwrap();
    let sources = Sources::of(folder).unwrap();
    let started = Instant::now();
    let filled = fill(&sources, &manifest, &prepared.plan, leaves, &staging, &job).unwrap();
    let rate = sources.bytes() as f64 / started.elapsed().as_secs_f64() / 1e6;
    println!("{what}: {rate:.0} MB/s, {filled:?}");
}

fn noise(mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    while bytes.len() < BYTES {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes
}
