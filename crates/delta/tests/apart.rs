//! Images so new that the literals travel apart from the runs: both sides must know the same bytes at every step.

use delta::{Effort, Method, decode, encode};

fn noise(mut state: u64, length: usize) -> Vec<u8> {
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

/// Stretches of the old image with a few bytes changed, the last ones too, between stretches that are new.
fn edited(old: &[u8], seed: u64) -> Vec<u8> {
    let mut new = Vec::new();
    for (index, stretch) in old.chunks(50_000).enumerate() {
        let mut stretch = stretch.to_vec();
        let end = stretch.len();
        for place in [end / 3, end / 2, end - 9, end - 3, end - 2] {
            stretch[place] = stretch[place].wrapping_add(seed as u8 | 1);
        }
        new.extend(stretch);
        new.extend(noise(seed << 8 | index as u64, 30_000));
    }
    new
}

#[test]
fn an_image_with_many_new_bytes_comes_back() {
    for seed in 1..6 {
        let old = noise(seed, 500_000);
        let new = edited(&old, seed);
        let payload = encode(Method::Delta, &old, &new, Effort::Quick).expect("encodes");
        assert!(payload.len() < 330_000, "seed {seed}: {} bytes", payload.len());
        let back = decode(Method::Delta, &old, &payload, new.len());
        assert!(back.is_ok_and(|back| back == new), "seed {seed}");
    }
}
