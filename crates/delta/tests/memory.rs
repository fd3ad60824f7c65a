//! What decoding takes of memory stays below what is announced for it.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed; its pairs come from files"
)]

use std::path::{Path, PathBuf};

use delta::{Effort, Method, decode, decode_memory, encode};

/// Names the folder of a case for the child, which does nothing but decode.
const CASE: &str = "DELTA_MEMORY_CASE";
/// What the test itself and the allocator take.
const SLACK: u64 = 2 << 20;

/// A field of this process's status, in bytes.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The child: nothing but decoding happens between the two looks at its memory.
fn decode_case(folder: &Path, method: Method) {
    let (old, payload) =
        (std::fs::read(folder.join("old")).unwrap(), std::fs::read(folder.join("payload")).unwrap());
    let new_len = std::fs::metadata(folder.join("new")).unwrap().len();
    let before = status("VmRSS");
    let new = decode(method, &old, &payload, new_len as usize).unwrap();
    let taken = status("VmHWM") - before + (old.len() + payload.len()) as u64;
    let announced = decode_memory(method, old.len() as u64, new_len, payload.len() as u64);
    assert!(taken <= announced + SLACK, "{method:?} takes {taken}, announced were {announced}");
    assert!(taken >= old.len() as u64 + new_len, "nothing was measured: {taken}");
    assert!(new == std::fs::read(folder.join("new")).unwrap());
}

fn check(name: &str, method: Method, damage: fn(&mut [u8])) {
    if let Some(folder) = std::env::var_os(CASE) {
        return decode_case(Path::new(&folder), method);
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut old = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    old.truncate(8 << 20);
    let mut new = old.clone();
    damage(&mut new);
    let payload = encode(method, &old, &new, Effort::Full).unwrap();
    for (file, bytes) in [("old", &old), ("new", &new), ("payload", &payload)] {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CASE, &folder)
        .status()
        .unwrap();
    assert!(child.success());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Noise in pieces, and words that changed between.
fn worn(image: &mut [u8]) {
    let mut state = 1u64;
    for (index, chunk) in image[0x1000..].chunks_mut(4096).enumerate() {
        for at in 0..if index % 16 == 0 { chunk.len() } else { chunk.len() / 64 } {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk[at * 7 % 4096 % chunk.len()] ^= (state >> 56) as u8;
        }
    }
}

#[test]
fn a_delta_takes_no_more_than_announced() {
    check("a_delta_takes_no_more_than_announced", Method::Delta, worn);
}

#[test]
fn a_program_takes_no_more_than_announced() {
    check("a_program_takes_no_more_than_announced", Method::Program, worn);
}

/// Two windows of 16 MiB and a payload that is not small are within what a player's segment may take.
#[test]
fn a_window_fits_a_players_budget() {
    for method in [Method::Plain, Method::Reference, Method::Delta, Method::Program] {
        assert!(decode_memory(method, 16 << 20, 16 << 20, 8 << 20) <= 80_000_000, "{method:?}");
    }
}
