//! Small programs made by hand, in two builds: what moved is foretold, whatever refers to it.

mod hostile;
mod made;

use super::Program;
use crate::Run;
use made::{Made, arm_elf, pe, x86_elf};

/// Every reference of `old` must become the one of `new`, and differ from it before.
fn check(build: fn(u64) -> Made) {
    let (old, new) = (build(0), build(made::SHIFT));
    let runs = made::runs(new.bytes.len());
    let before = Program::parse(&old.bytes).expect("a program");
    let after = Program::parse(&new.bytes).expect("a program");
    let hints = before.hints(&after, &runs).expect("one machine");
    let image = before.predict(new.bytes.len(), &runs, &hints).expect("own hints");
    assert!(!old.references.is_empty());
    for ((name, was), (_, is)) in old.references.iter().zip(&new.references) {
        assert_ne!(old.bytes[was.clone()], new.bytes[is.clone()], "{name}: nothing to foretell");
        assert_eq!(image[is.clone()], new.bytes[is.clone()], "{name}");
    }
    assert_eq!(masked(&before, &old), masked(&after, &new), "two builds read the same when masked");
}

/// The masked bytes of the references, less those that stand for themselves: lengths and what stays in a function.
fn masked(program: &Program<'_>, made: &Made) -> Vec<(&'static str, Vec<u8>)> {
    let mask = program.mask();
    let read = |(name, range): &(&'static str, std::ops::Range<usize>)| (*name, mask[range.clone()].to_vec());
    made.references
        .iter()
        .filter(|(name, _)| !name.starts_with("length") && !name.starts_with("local"))
        .map(read)
        .collect()
}

#[test]
fn references_of_an_x86_elf_image_are_aimed_anew() {
    check(x86_elf);
}

#[test]
fn references_of_an_arm_elf_image_are_aimed_anew() {
    check(arm_elf);
}

#[test]
fn references_of_a_pe_image_are_aimed_anew() {
    check(pe);
}

#[test]
fn what_is_no_program_is_said_to_be_none() {
    for bytes in [&b""[..], b"MZ", b"\x7fELF", b"a text of some length, longer than any header that there is"]
    {
        assert!(Program::parse(bytes).is_none());
    }
}

#[test]
fn an_image_that_did_not_change_is_foretold_as_it_is() {
    for build in [x86_elf, arm_elf, pe] {
        let made = build(0);
        let program = Program::parse(&made.bytes).expect("a program");
        let length = made.bytes.len();
        let runs = [Run { new: 0, old: 0, len: length as u32 }];
        let hints = program.hints(&program, &runs).expect("one machine");
        assert_eq!(program.predict(length, &runs, &hints).expect("own hints"), made.bytes);
        assert!(hints.len() < 4, "{} bytes to say that nothing moved", hints.len());
    }
}

#[test]
fn a_place_without_bytes_is_corrected_once_for_all_that_refer_to_it() {
    let (old, new) = (x86_elf(0), x86_elf(made::SHIFT));
    let runs = made::runs(new.bytes.len());
    let (before, after) =
        (Program::parse(&old.bytes).expect("one"), Program::parse(&new.bytes).expect("one"));
    let hints = before.hints(&after, &runs).expect("one machine");
    let bare = before.hints(&after, &[]).expect("one machine");
    assert!(hints.len() > bare.len(), "the variable moved within its section, which no layout tells");
    let image = before.predict(new.bytes.len(), &runs, &hints).expect("own hints");
    let uncorrected = before.predict(new.bytes.len(), &runs, &bare).expect("own hints");
    assert_ne!(image, uncorrected);
}
