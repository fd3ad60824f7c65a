//! Documents that are small for what they unfold into: what reading them takes of memory is bounded, whatever they say.
//!
//! Each is as large as a document may be. The memory of this process is looked at, so each test needs a process of its own,
//! as nextest gives it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use release::{
    limits::{MANIFEST_BYTES_MAX, METAINFO_BYTES_MAX},
    manifest::Manifest,
    metainfo::Metainfo,
    patch,
};

const MIB: u64 = 1 << 20;
/// What the largest document that is honest takes to be read, with room to spare: a release of 200,000 files.
const MEMORY_MAX: u64 = 128 * MIB;
const FRONT: &str = r#"{"format":1,"game":"g","version":"1","title":"G","piece_length":16384,"files":["#;
/// Names the bomb for the child, in hexadecimal digits.
const BOMB: &str = "MUSTER_TEST_BOMB";

/// A field of this process's status, in bytes.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Reads something hostile, which must fail and take no more memory than this.
fn bounded<T>(what: &str, most: u64, read: impl FnOnce() -> Result<T, String>) {
    let in_use = status("VmRSS");
    let answer = read();
    let taken = status("VmHWM") - in_use;
    eprintln!("{what}: {} MiB at most, {:?}", taken / MIB, answer.as_ref().err());
    assert!(answer.is_err(), "{what} is accepted");
    assert!(taken <= most, "{what} takes {} MiB", taken / MIB);
    proof::count(proof::Line::TorrentsRefused, 1, 1);
}

fn metainfo(bytes: &[u8]) -> Result<(), String> {
    Metainfo::parse(bytes).map(drop).map_err(|error| error.to_string())
}

fn manifest(bytes: &[u8]) -> Result<(), String> {
    Manifest::parse(bytes).map(drop).map_err(|error| error.to_string())
}

/// Text, `unit` over and over up to the size a document may have, and more text.
fn filled(front: &str, unit: &str, back: &str, size: usize) -> Vec<u8> {
    let units = (size - front.len() - back.len()) / unit.len();
    let mut text = Vec::with_capacity(size);
    text.extend_from_slice(front.as_bytes());
    (0..units).for_each(|_| text.extend_from_slice(unit.as_bytes()));
    text.extend_from_slice(back.as_bytes());
    text
}

#[test]
fn a_torrent_of_very_many_tiny_values() {
    for unit in ["0:", "de"] {
        let bytes = filled("d4:infol", unit, "ee", METAINFO_BYTES_MAX);
        bounded(unit, MEMORY_MAX, || metainfo(&bytes));
    }
}

#[test]
fn a_manifest_of_very_many_empty_folders() {
    let bytes = filled(&format!(r#"{FRONT}],"empty_dirs":["a""#), r#","a""#, "]}", MANIFEST_BYTES_MAX);
    bounded("folders", MEMORY_MAX, || manifest(&bytes));
}

#[test]
fn a_manifest_of_very_many_files() {
    let one = r#"{"path":"a","size":0}"#;
    let bytes = filled(&format!("{FRONT}{one}"), &format!(",{one}"), "]}", MANIFEST_BYTES_MAX);
    bounded("files", MEMORY_MAX, || manifest(&bytes));
}

/// Every file lies in forty-six folders of its own; the last path comes twice.
#[test]
fn a_manifest_of_very_deep_paths() {
    let folders = "/a".repeat(46);
    let mut text = String::with_capacity(MANIFEST_BYTES_MAX);
    text.push_str(FRONT);
    for number in 0..50_000 {
        let comma = if number == 0 { "" } else { "," };
        text.push_str(&format!(r#"{comma}{{"path":"{:06}{folders}","size":0}}"#, number.min(49_998)));
    }
    text.push_str("]}");
    assert!(text.len() < MANIFEST_BYTES_MAX);
    bounded("deep paths", MEMORY_MAX, || manifest(text.as_bytes()));
}

/// Making the bomb takes more than refusing it may, so that is done by a process that made none.
#[test]
fn a_manifest_in_a_patch_stops_at_its_signed_size() {
    let old = format!("{FRONT}]}}");
    if let Ok(bomb) = std::env::var(BOMB) {
        let byte = |at: usize| u8::from_str_radix(&bomb[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..bomb.len()).step_by(2).map(byte).collect();
        return bounded("a manifest in a patch", 8 * MIB, || {
            patch::manifest(&bytes, old.as_bytes(), 10_000).map(drop).map_err(|error| error.to_string())
        });
    }
    let from = Manifest::parse(old.as_bytes()).unwrap();
    let file = format!(r#"{{"path":"a","size":10,"pieces_root":"{}"}}]"#, "ab".repeat(32));
    let to = old.replace(r#""version":"1""#, r#""version":"2""#).replace(']', &file);
    let to = Manifest::parse(to.as_bytes()).unwrap();
    let delta = patch::manifest_delta(old.as_bytes(), &vec![b' '; 16 << 20]).unwrap();
    let segment = patch::Segment {
        method: 0,
        sources: vec![],
        made: vec![],
        targets: vec![patch::Span { file: 0, offset: 0, length: 10 }],
        payload_offset: 0,
        payload_length: 10,
        memory_bytes: 1_000,
    };
    let (payload, layers) = (patch::Payload::of(&[7; 10]), release::layout::PieceLayers::default());
    let bytes = patch::Patch { payload, segments: vec![segment], layers }.encode(&from, &to, &delta).unwrap();
    assert!(bytes.len() < 64 * 1024, "{} bytes are no bomb", bytes.len());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["a_manifest_in_a_patch_stops_at_its_signed_size", "--exact", "--nocapture"])
        .env(BOMB, hex)
        .status()
        .unwrap();
    assert!(child.success());
}
