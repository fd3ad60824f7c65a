//! What is packed is what was read, and what cannot be packed costs little.

use super::*;
use swarm::wire::PACKED_CONTENT_MAX;

fn packer() -> Packer {
    let packs = Arc::new(Packs::default());
    let content = Content::new(&packs, 1 << 30);
    Packer::new(&packs, &content)
}

fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let words = ["level", "texture", "sound", "monster", "door", "=", "\n", "true"];
    let mut text = Vec::new();
    while text.len() < length {
        text.extend_from_slice(words[random.usize(..words.len())].as_bytes());
    }
    text.truncate(length);
    text
}

fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(9);
    (0..length).map(|_| random.u8(..)).collect()
}

fn group(part: &[u8], solid: bool) -> Group<'_> {
    Group { parts: part.chunks(16 * 1024).collect(), shared: (!solid).then_some((3, 0)), solid }
}

#[test]
fn a_stream_grows_smaller_by_what_went_before_and_a_frame_of_its_own_does_not() {
    let part = text(1, PACKED_CONTENT_MAX as usize);
    let mut packer = packer();
    let mut sizes = Vec::new();
    for packing in [Packing::Begin, Packing::Next, Packing::Next] {
        let packed = packer.pack(&group(&part, true)).expect("is worth it");
        assert_eq!(packed.packing, packing);
        sizes.push(packed.data.len());
    }
    assert!(sizes[1] * 10 < sizes[0] && sizes[2] * 10 < sizes[0], "{sizes:?}");
    let alone = packer.pack(&group(&part, false)).expect("is worth it");
    assert_eq!(alone.packing, Packing::Alone);
    assert_eq!(zstd::bulk::decompress(&alone.data, part.len()).ok(), Some(part));
}

#[test]
fn what_was_packed_for_one_is_not_packed_again_for_the_next() {
    let packs = Arc::new(Packs::default());
    let content = Content::new(&packs, 1 << 30);
    let (mut one, mut other) = (Packer::new(&packs, &content), Packer::new(&packs, &content));
    let part = text(2, PACKED_CONTENT_MAX as usize);
    let packed = one.pack(&group(&part, false)).expect("is worth it");
    // Only the kept frame can say what these bytes are not.
    let again = other.pack(&group(&text(3, part.len()), false)).expect("is kept");
    assert_eq!(packed.data, again.data);
    let mut elsewhere = Packer::new(&packs, &Content::new(&packs, 1 << 30));
    let theirs = elsewhere.pack(&group(&text(3, part.len()), false)).expect("is worth it");
    assert_ne!(packed.data, theirs.data, "another torrent's piece");
}

#[test]
fn what_does_not_get_smaller_is_sampled_less_and_less_and_known_by_its_file() {
    let packer = packer();
    let (noise, text) = (noise(64 * 1024), text(4, 64 * 1024));
    let mut sampled = 0;
    for _ in 0..1_000 {
        let before = packer.content.files().get(&1).map_or(0, |samples| samples.skip);
        assert!(!packer.is_worth(1, &noise));
        sampled += u32::from(before == 0);
    }
    assert!(sampled < 25, "{sampled} samples");
    assert!(
        packer.is_worth(2, &text)
            && !packer.is_worth(1, &noise[..5_000])
            && packer.is_worth(2, &noise[..5_000])
    );
    // A file that changes its nature is noticed.
    let until = (0..100).find(|_| packer.is_worth(1, &text));
    assert!(until.is_some());
}

#[test]
fn a_frame_of_its_own_that_is_no_smaller_is_not_sent() {
    assert!(packer().pack(&group(&noise(64 * 1024), false)).is_none());
}

#[test]
fn there_are_so_many_streams_and_one_that_rests_makes_room() {
    let packs = Arc::new(Packs::default());
    let content = Content::new(&packs, 1 << 30);
    let part = text(5, 64 * 1024);
    let mut packers: Vec<Packer> = (0..=STREAMS_MAX).map(|_| Packer::new(&packs, &content)).collect();
    let packings: Vec<Packing> = packers
        .iter_mut()
        .map(|packer| packer.pack(&group(&part, true)).expect("is worth it").packing)
        .collect();
    assert_eq!(packings[..STREAMS_MAX], [Packing::Begin; STREAMS_MAX]);
    assert_eq!(packings[STREAMS_MAX], Packing::Alone);
    packers[0].rest();
    let last = packers.last_mut().and_then(|packer| packer.pack(&group(&part, true)));
    assert_eq!(last.map(|packed| packed.packing), Some(Packing::Begin));
}
