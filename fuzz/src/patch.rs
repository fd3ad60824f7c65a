//! F7: patches: their description, the payloads of every method, and what else is packed: seek tables, sealed bundles' heads.
//!
//! Promised: exactly the announced length comes out or an error; an honest payload gives back what it was made of.

use crate::{goods, input::Input, releases};
use delta::{Effort, Method};
use release::{
    limits::{PATCH_MEMORY_MAX, PIECE_LENGTH_MAX},
    patch::{self, Patch},
    sealed::{Head, PREFIX_BYTES, Prefix, ReleaseKey},
    seektable::SeekTable,
};

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let what = input.byte();
    match what % 10 {
        method @ 0..5 => segment(method, &mut input),
        5 => tampered(&mut input),
        6 => description(input.rest()),
        7 => manifest(&mut input),
        8 => sealed(&mut input),
        _ => seek_table(&mut input),
    }
}

/// Old bytes and a payload, both a stranger's: the old ones are what a player had, the payload is a peer's until hashed.
fn segment(method: u8, input: &mut Input<'_>) {
    let Ok(method) = Method::try_from(method) else { return };
    let length = input.word() as usize % (1 << 15);
    let repeats = usize::from(input.byte() % 16) + 1;
    let old = input.stretch().repeat(repeats);
    let payload = input.rest();
    let memory = delta::decode_memory(method, old.len() as u64, length as u64, payload.len() as u64);
    if memory > PATCH_MEMORY_MAX {
        return;
    }
    if let Ok(new) = delta::decode(method, &old, payload, length) {
        assert_eq!(new.len(), length, "{method:?}");
    }
}

/// A payload as a publisher makes it, and then with some of its bytes changed.
fn tampered(input: &mut Input<'_>) {
    let Ok(method) = Method::try_from(input.byte() % 5) else { return };
    let (changes, cut) = (input.byte() % 8, input.byte());
    let damage: Vec<(u32, u8)> = (0..changes).map(|_| (input.word(), input.byte())).collect();
    let old = input.stretch();
    let new = input.bytes(1 << 14);
    let Ok(mut payload) = delta::encode(method, old, new, Effort::Quick) else { return };
    assert_eq!(delta::decode(method, old, &payload, new.len()).as_deref(), Ok(new), "{method:?}");
    for (at, byte) in damage {
        if let Some(length) = u32::try_from(payload.len()).ok().filter(|length| *length > 0) {
            payload[(at % length) as usize] ^= byte;
        }
    }
    payload.truncate(payload.len() - payload.len() * usize::from(cut / 128) / 3);
    if let Ok(read) = delta::decode(method, old, &payload, new.len()) {
        assert_eq!(read.len(), new.len(), "{method:?}");
    }
}

fn description(bytes: &[u8]) {
    let [from, to] = &*releases::TWO;
    let Ok(patch) = Patch::parse(bytes, from, to) else { return };
    patch.check(from, to).expect("what was read is in order");
    let mut covered = 0_u64;
    for segment in &patch.segments {
        assert!(segment.memory_bytes <= PATCH_MEMORY_MAX);
        covered += segment.new_bytes();
        assert!(segment.payload_offset + segment.payload_length <= patch.payload.size);
        for target in &segment.targets {
            assert!(target.end() <= to.files[target.file as usize].size);
        }
        for source in &segment.sources {
            assert!(source.end() <= from.files[source.file as usize].size);
        }
    }
    assert!(covered <= to.total_bytes(), "no byte is made twice");
    assert!(patch.payload.metainfo("a.patch", Vec::new(), Vec::new()).is_ok());
}

fn manifest(input: &mut Input<'_>) {
    let length = u64::from(input.word() % (1 << 22));
    let from = releases::TWO[0].encode();
    if let Ok(made) = patch::manifest(input.rest(), &from, length) {
        assert_eq!(made.len() as u64, length);
    }
}

fn sealed(input: &mut Input<'_>) {
    let [release, _] = &*releases::TWO;
    if input.byte() & 1 == 0 {
        if let Ok(key) = ReleaseKey::parse(input.rest(), &release.game, &release.version) {
            assert_eq!((key.game(), key.version()), (&release.game, &release.version));
        }
        return;
    }
    let total = input.long() % (1 << 40);
    let Ok(prefix) = Prefix::parse(&input.array::<PREFIX_BYTES>(), total) else { return };
    // As whoever preloads does: a head is read whole, within its bound.
    if prefix.unpacked > 1 << 24 {
        return;
    }
    if let Ok(head) = Head::parse(input.rest(), prefix, total) {
        let stored: u64 = head.runs.iter().map(|run| run.stored).sum();
        assert!(prefix.body_start() + stored <= total, "the runs lie within the bundle");
    }
}

fn seek_table(input: &mut Input<'_>) {
    let (offset, length) = (input.long() % (1 << 30), u64::from(input.word()) % u64::from(4 * goods::PIECE));
    let Ok(table) = SeekTable::parse_tail(input.rest()) else { return };
    let Some(covering) = table.covering(offset, length) else { return };
    let plain: u64 = covering.frames.iter().map(|frame| u64::from(frame.decompressed)).sum();
    assert!(covering.skip + length <= plain, "the frames hold the range");
    assert!(covering.skip <= u64::from(PIECE_LENGTH_MAX));
    let again = SeekTable::new(table.frames().to_vec()).encode();
    assert_eq!(SeekTable::parse_tail(&again).as_ref(), Ok(&table));
}
