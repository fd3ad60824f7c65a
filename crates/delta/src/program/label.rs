//! Images made comparable: references replaced by what they refer to, not where.
//!
//! A label is a hash of the target's name or, where it has none, of the bytes there with their own references cleared.
//! Two builds of one function then read the same wherever they lie, and two functions of the same shape that call
//! different things do not. Only the encoder needs this: nothing here has to be the same in another version.

use super::arm;
use super::bytes::{i32_at, position, u32_at, u64_at};
use super::layout::Layout;
use super::marks::{Kind, Mark, Marks};
use super::{aim, elf};

/// Names of places, found in tables of symbols and relocations.
#[derive(Default)]
pub(super) struct Names {
    /// Labels of addresses, sorted by address.
    places: Vec<(u64, u32)>,
    /// Labels of words that the loader fills, by their offset in the file.
    words: Vec<(usize, Word)>,
    /// Which table of strings each section's entries name themselves in.
    links: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Named(u32),
    Address(u64),
}

impl Names {
    /// Reads the tables of an ELF image.
    pub(super) fn of_elf(image: &[u8], elf: &elf::Elf) -> Self {
        let links = elf.sections.iter().map(|section| section.link).collect();
        let mut names = Self { links, ..Self::default() };
        for section in &elf.sections {
            match section.kind {
                elf::SHT_SYMTAB | elf::SHT_DYNSYM => names.symbols(image, elf, section),
                elf::SHT_RELA => names.relocations(image, elf, section),
                _ => {}
            }
        }
        names.places.sort_unstable();
        names.places.dedup_by_key(|place| place.0);
        names
    }

    fn symbols(&mut self, image: &[u8], elf: &elf::Elf, section: &elf::Section) {
        for at in elf::entries(image, section.area, elf::SYMBOL_SIZE) {
            let Some(address) = u64_at(image, at + 8).filter(|address| *address != 0) else { continue };
            if elf.layout.is_mapped(address)
                && let Some(label) = string(image, &elf.layout, section.link as usize, u32_at(image, at))
            {
                self.places.push((address, label));
            }
        }
    }

    fn relocations(&mut self, image: &[u8], elf: &elf::Elf, section: &elf::Section) {
        for at in elf::entries(image, section.area, elf::RELA_SIZE) {
            let Some((place, info, addend)) = elf::relocation(image, at) else { return };
            let Some(word) = elf.layout.offset_of(place) else { continue };
            if elf::is_relative(info as u32) {
                self.words.push((word, Word::Address(addend)));
            } else if let Some(label) = symbol(image, &elf.layout, self, section.link as usize, info >> 32) {
                self.words.push((word, Word::Named(label ^ addend as u32)));
            }
        }
    }
}

/// The label of a symbol's name.
fn symbol(image: &[u8], layout: &Layout, names: &Names, section: usize, index: u64) -> Option<u32> {
    let table = layout.sections.get(section)?.offset;
    let at = table.checked_add(index.checked_mul(elf::SYMBOL_SIZE as u64)?)?;
    let strings = *names.links.get(section)? as usize;
    string(image, layout, strings, u32_at(image, position(image, at)?))
}

/// The label of a string in a table of strings.
fn string(image: &[u8], layout: &Layout, table: usize, index: Option<u32>) -> Option<u32> {
    let index = u64::from(index.filter(|index| *index != 0)?);
    let at = position(image, layout.sections.get(table)?.offset.checked_add(index)?)?;
    let letters = image.get(at..)?;
    let letters = &letters[..letters.len().min(NAME_MAX)];
    let end = letters.iter().position(|byte| *byte == 0).unwrap_or(letters.len());
    Some(hash(lasting(&letters[..end])))
}

/// A name without the hash that a Rust compiler puts to its end and changes with every version of anything.
fn lasting(name: &[u8]) -> &[u8] {
    let core = name.windows(6).rposition(|part| part == b".llvm.").map_or(name, |end| &name[..end]);
    let hash = core.len().checked_sub(RUST_HASH).and_then(|start| core[start..].strip_prefix(b"17h"));
    if hash.is_some_and(|hash| hash.ends_with(b"E")) { &core[..core.len() - RUST_HASH] } else { core }
}

/// The image with labels in place of references.
pub(super) fn mask(image: &[u8], layout: &Layout, marks: &Marks, names: &Names) -> Vec<u8> {
    let mut mask = image.to_vec();
    for mark in marks.within(0, image.len()) {
        put(image, &mut mask, mark, 0);
    }
    for _ in 0..ROUNDS {
        let bare = mask.clone();
        for mark in marks.within(0, image.len()) {
            let label = match aim::target(image, layout, mark) {
                Some(aim::Thing::Address(address)) if mark.kind == Kind::Fixup => {
                    word_label(layout, &bare, address)
                }
                Some(aim::Thing::Address(address)) if mark.kind != Kind::Place => {
                    of_address(layout, names, &bare, address)
                }
                Some(aim::Thing::Entry { section, size: 1, index }) => {
                    string(image, layout, section, u32::try_from(index).ok()).unwrap_or(0)
                }
                Some(aim::Thing::Entry { section, index, .. }) if mark.kind == Kind::Symbol => {
                    symbol(image, layout, names, section, index).unwrap_or(0)
                }
                _ => continue,
            };
            put(image, &mut mask, mark, label);
        }
        for (at, word) in &names.words {
            let label = match word {
                Word::Named(label) => *label,
                Word::Address(address) => of_address(layout, names, &bare, *address),
            };
            put_bytes(&mut mask, *at, 8, label);
        }
    }
    mask
}

/// Puts a label in place of a reference, unless its own bytes are as good a label.
fn put(image: &[u8], mask: &mut [u8], mark: Mark, label: u32) {
    match mark.kind {
        // A distance within a function changes only where the function itself does.
        Kind::Short | Kind::Branch19 | Kind::Branch14 | Kind::Extent | Kind::OwnExtent => {}
        Kind::Near if is_local_jump(image, mark.at) => {}
        kind if kind.is_instruction() => arm::put_label(&mut mask[mark.at..], kind, label),
        kind => put_bytes(mask, mark.at, kind.width(), label),
    }
}

fn put_bytes(mask: &mut [u8], at: usize, width: usize, label: u32) {
    if let Some(place) = mask.get_mut(at..at + width) {
        place.fill(0);
        let kept = LABEL_BYTES.min(width);
        place[..kept].copy_from_slice(&label.to_le_bytes()[..kept]);
    }
}

/// Whether an x86 operand is a jump's (no call's) to somewhere near.
fn is_local_jump(image: &[u8], at: usize) -> bool {
    let call = at > 0 && image[at - 1] == 0xe8;
    let distance = i32_at(image, at).unwrap_or(0) as i64;
    !call && distance.abs() < LOCAL
}

/// The label of what a word that the loader moves refers to.
fn word_label(layout: &Layout, bare: &[u8], address: u64) -> u32 {
    layout.offset_of(address).and_then(|at| u32_at(bare, at)).unwrap_or(0)
}

/// A label never is zero: that is what stands where nothing is known.
fn of_address(layout: &Layout, names: &Names, bare: &[u8], address: u64) -> u32 {
    if let Ok(index) = names.places.binary_search_by_key(&address, |place| place.0) {
        return names.places[index].1;
    }
    let Some(at) = layout.offset_of(address) else { return 0 };
    let there = &bare[at.min(bare.len())..];
    let there = &there[..there.len().min(WINDOW)];
    let text = there.iter().take_while(|byte| (0x09..0x7f).contains(*byte)).count();
    if text > 0 && there.get(text) == Some(&0) {
        return hash(&there[..text]);
    }
    hash(there)
}

fn hash(bytes: &[u8]) -> u32 {
    let mut sum = 0x9e37_79b9_7f4a_7c15_u64 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        sum ^= sum >> 32;
    }
    (sum >> 16) as u32 | 1
}

/// Bytes of a label in place of an operand: more tell more apart, but cost more where a target was rewritten.
const LABEL_BYTES: usize = 2;
/// Jumps nearer than this stay within a function, nearly always.
const LOCAL: i64 = 0x1000;
/// Letters of the hash at the end of a Rust name.
const RUST_HASH: usize = 20;
/// How far a target's bytes, and how far a name, are looked at.
const WINDOW: usize = 32;
const NAME_MAX: usize = 256;
/// The first labels what stands for itself, the second what is told apart only by its own references.
const ROUNDS: usize = 2;
