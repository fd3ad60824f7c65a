//! Images, runs and hints that lie: no panic, and an end in time.

use proptest::prelude::*;

use super::made::{self, arm_elf, pe, x86_elf};
use crate::Run;
use crate::program::Program;

/// Whatever comes out, it comes out: nothing of it is asked for but its length.
fn survive(old: &[u8], new: &[u8], runs: &[Run], hints: &[u8]) {
    let Some(before) = Program::parse(old) else { return };
    assert_eq!(before.mask().len(), old.len());
    if let Some(image) = before.predict(new.len(), runs, hints) {
        assert_eq!(image.len(), new.len());
    }
    if let Some(after) = Program::parse(new)
        && let Some(hints) = before.hints(&after, runs)
    {
        let image = before.predict(new.len(), runs, &hints).expect("own hints are understood");
        assert_eq!(image.len(), new.len());
    }
}

fn builds() -> impl Strategy<Value = Vec<u8>> {
    (0..3_usize, prop::bool::ANY)
        .prop_map(|(which, moved)| [x86_elf, arm_elf, pe][which](if moved { made::SHIFT } else { 0 }).bytes)
}

/// A build with words overwritten where headers and tables stand, and cut.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let place = prop_oneof![0..0x200_usize, 0x3000..0x3c00_usize, 0x6000..0x6300_usize, 0..0x6800_usize];
    let edge = prop_oneof![
        Just(0_u64),
        Just(u64::MAX),
        Just(u64::MAX - 7),
        Just(1 << 63),
        Just(0x7fff_ffff),
        Just(0xffff_ffff),
        0..0x8000_u64,
        any::<u64>(),
    ];
    let writes = prop::collection::vec((place, edge, 1..=8_usize), 1..24);
    (builds(), writes, prop::option::of(0..0x6800_usize)).prop_map(|(mut bytes, writes, cut)| {
        for (at, value, width) in writes {
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        bytes
    })
}

fn wild_runs() -> impl Strategy<Value = Vec<Run>> {
    let number = || prop_oneof![0..0x8000_u32, Just(u32::MAX), any::<u32>()];
    let run = (number(), number(), number()).prop_map(|(new, old, len)| Run { new, old, len });
    prop::collection::vec(run, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_images_end_nowhere_bad(old in damaged(), new in damaged()) {
        survive(&old, &new, &made::runs(new.len()), &[]);
    }

    #[test]
    fn wild_runs_end_nowhere_bad(old in builds(), new in builds(), runs in wild_runs()) {
        survive(&old, &new, &runs, &[]);
    }

    #[test]
    fn wild_hints_end_nowhere_bad(
        old in builds(),
        hints in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0..100_usize,
        flips in prop::collection::vec((0..100_usize, any::<u8>()), 0..4),
    ) {
        let runs = made::runs(old.len());
        survive(&old, &old, &runs, &hints);
        let program = Program::parse(&old).expect("a program");
        let mut own = program.hints(&program, &runs).expect("one machine");
        for (at, byte) in flips {
            let last = own.len() - 1;
            own[at.min(last)] = byte;
        }
        own.truncate(cut);
        survive(&old, &old, &runs, &own);
    }

    #[test]
    fn code_of_random_bytes_is_swept(code in prop::collection::vec(any::<u8>(), 0x800), arm in any::<bool>()) {
        let mut old = if arm { arm_elf(0).bytes } else { x86_elf(0).bytes };
        old[0x1000..0x1800].copy_from_slice(&code);
        survive(&old, &old, &made::runs(old.len()), &[]);
    }
}

/// Sections that all lie over the same megabyte are read once, not two hundred times: this test ends.
#[test]
fn sections_over_each_other_are_read_once() {
    let length = 1 << 20;
    for kind in [1_u32, 2, 4, 6, 11, 19] {
        let mut bytes = x86_elf(0).bytes;
        bytes.resize(length, 0xff);
        bytes[60..62].copy_from_slice(&255_u16.to_le_bytes());
        bytes[40..48].copy_from_slice(&0x7000_u64.to_le_bytes());
        bytes[64 + 32..64 + 40].copy_from_slice(&(length as u64).to_le_bytes());
        for header in (0..255).map(|index| 0x7000 + 64 * index) {
            bytes[header + 4..header + 8].copy_from_slice(&kind.to_le_bytes());
            for (field, value) in [(8, 6_u64), (16, 0), (24, 0x8000), (32, length as u64 - 0x8000)] {
                bytes[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        survive(&bytes, &bytes, &made::runs(length), &[]);
    }
}
