//! Payloads that lie: no panic, no other length, bounded time.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "the test reads its own program")]

use delta::{Effort, Method, decode, encode};
use proptest::prelude::*;

const METHODS: [Method; 5] = [Method::Copy, Method::Plain, Method::Reference, Method::Delta, Method::Program];

fn noise(mut state: u64, length: usize) -> Vec<u8> {
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

/// This test's own program: an ELF image, whatever else it is.
fn program() -> Vec<u8> {
    let path = std::env::current_exe().unwrap();
    let mut image = std::fs::read(path).unwrap();
    image.truncate(400_000);
    image
}

fn check(method: Method, old: &[u8], payload: &[u8], new_len: usize, seed: u64) {
    if let Ok(new) = decode(method, old, payload, new_len) {
        assert_eq!(new.len(), new_len, "{method:?}, seed {seed}");
    }
}

#[test]
fn damaged_payloads_never_panic_and_never_give_another_length() {
    let texts = (0..3000).map(|line| format!("line {line}: {}\n", line * line % 97)).collect::<String>();
    let old = texts.into_bytes();
    let mut new = [&old[..9000], b"something else", &old[10_000..], &old[3000..5000]].concat();
    (0..new.len()).step_by(997).for_each(|at| new[at] ^= 3);
    for method in [Method::Plain, Method::Reference, Method::Delta] {
        let payload = encode(method, &old, &new, Effort::Full).unwrap();
        for seed in 0..300u64 {
            let dice = noise(seed, 16);
            let mut damaged = payload.clone();
            for pair in dice[..6].chunks_exact(2) {
                let at = (usize::from(pair[0]) * 256 + usize::from(pair[1])) % damaged.len();
                damaged[at] ^= dice[7] | 1;
            }
            damaged.truncate(if dice[8] < 64 { usize::from(dice[9]) % damaged.len() } else { damaged.len() });
            check(method, &old, &damaged, new.len(), seed);
            check(method, &old[..old.len() / 2], &damaged, new.len() / 3, seed);
            check(method, &[], &damaged, 1 + usize::from(dice[10]), seed);
        }
    }
}

#[test]
fn noise_as_payload_never_panics() {
    let program = program();
    for seed in 0..400u64 {
        let payload = noise(seed, 1 + seed as usize % 90);
        for method in METHODS {
            let old: &[u8] = if method == Method::Program { &program } else { &program[..5000] };
            check(method, old, &payload, 3000, seed);
        }
    }
}

#[test]
fn a_payload_that_goes_on_after_its_end_is_malformed() {
    let old = noise(1, 5000);
    let new = [&old[100..3000], b"and more", &old[..500]].concat();
    let mut payload = encode(Method::Delta, &old, &new, Effort::Full).unwrap();
    payload.extend([1; 16]);
    assert_eq!(decode(Method::Delta, &old, &payload, new.len()).unwrap_err().code(), "delta-malformed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Edits of all kinds come back byte for byte, by every method.
    #[test]
    fn edited_images_come_back(seed in any::<u64>(), length in 0usize..6000, edits in prop::collection::vec((any::<u16>(), any::<u16>(), 0u8..5, any::<u8>()), 0..12)) {
        let old: Vec<u8> = noise(seed, length).iter().map(|byte| byte & 15).collect();
        let mut new = old.clone();
        for (from, size, kind, byte) in edits {
            let from = usize::from(from) % (new.len() + 1);
            let to = (from + usize::from(size) % 200).min(new.len());
            match kind {
                0 => drop(new.drain(from..to)),
                1 => new[from..to].fill(byte),
                2 => { new.splice(from..from, noise(u64::from(byte), to - from)); }
                3 => { let copy = new[from..to].to_vec(); new.extend(copy); }
                _ => { let copy = new[from..to].to_vec(); new.splice(0..0, copy); }
            }
        }
        for method in METHODS {
            if let Ok(payload) = encode(method, &old, &new, Effort::Full) {
                prop_assert_eq!(&decode(method, &old, &payload, new.len()).unwrap(), &new);
            }
        }
        let (method, payload) = delta::best(&old, &new, Effort::Full, u64::MAX).unwrap();
        prop_assert_eq!(&decode(method, &old, &payload, new.len()).unwrap(), &new);
    }
}
