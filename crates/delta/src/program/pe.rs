//! PE: headers, and the directories that name addresses.
//!
//! 64-bit, x86-64 and AArch64.

use super::bytes::{position, u8_at, u16_at, u32_at, u64_at};
use super::layout::{Area, Container, Layout, Machine, Target, without_overlap};
use super::marks::{Kind, Marks};
use super::pe_unwind;

/// An image whose headers were read.
pub(super) struct Pe {
    pub(super) layout: Layout,
    /// File ranges that hold code.
    pub(super) code: Vec<Area>,
    /// What each section is called.
    pub(super) names: Vec<u64>,
    optional: usize,
    directories: Vec<(u64, u64)>,
}

/// Reads the headers; `None` if this is no PE image of a kind that is known.
pub(super) fn parse(image: &[u8]) -> Option<Pe> {
    if image.get(..2)? != b"MZ" {
        return None;
    }
    let header = u32_at(image, 0x3c)? as usize;
    let optional = header.checked_add(24)?;
    if image.get(header..)?.get(..4)? != b"PE\0\0" || u16_at(image, optional)? != OPTIONAL_64 {
        return None;
    }
    let machine = match u16_at(image, header + 4)? {
        0x8664 => Machine::X86,
        0xaa64 => Machine::Arm,
        _ => return None,
    };
    let base = u64_at(image, optional + 24)?;
    let table = optional + usize::from(u16_at(image, header + 20)?);
    let count = usize::from(u16_at(image, header + 6)?.min(SECTIONS_MAX));
    let mut pe = Pe {
        layout: Layout {
            target: Target { container: Container::Pe, machine },
            base,
            segments: Vec::new(),
            sections: Vec::new(),
            table: table as u64,
            fixups: Vec::new(),
        },
        code: Vec::new(),
        names: Vec::new(),
        optional,
        directories: Vec::new(),
    };
    for at in (0..count).map(|index| table + index * SECTION_SIZE) {
        pe.section(image, at)?;
    }
    let head = u64::from(u32_at(image, optional + 60)?);
    pe.code = without_overlap(pe.code, image.len());
    pe.layout.segments = pe.layout.sections.clone();
    pe.layout.segments.push(Area { offset: 0, size: head, address: base, memory: head });
    pe.layout.segments.sort_by_key(|area| (area.address, area.offset));
    let directories = u32_at(image, optional + 108)?.min(DIRECTORIES_MAX);
    for at in (0..directories as usize).map(|index| optional + 112 + index * 8) {
        let place = u64::from(u32_at(image, at)?);
        pe.directories.push((base.wrapping_add(place), u64::from(u32_at(image, at + 4)?)));
    }
    Some(pe)
}

impl Pe {
    fn section(&mut self, image: &[u8], at: usize) -> Option<()> {
        let (size, place) = (u32_at(image, at + 16)?, u32_at(image, at + 12)?);
        let area = Area {
            offset: u64::from(u32_at(image, at + 20)?),
            size: u64::from(size),
            address: self.layout.base.wrapping_add(u64::from(place)),
            memory: u64::from(u32_at(image, at + 8)?.max(size)),
        };
        if u32_at(image, at + 36)? & EXECUTABLE != 0 {
            self.code.push(area);
        }
        self.layout.sections.push(area);
        self.names.push(u64_at(image, at)?);
        Some(())
    }

    /// The file's first byte of a directory, and its size.
    fn directory(&self, index: usize) -> Option<(usize, usize)> {
        let (address, size) = *self.directories.get(index)?;
        Some((self.layout.offset_of(address)?, usize::try_from(size).ok()?))
    }

    /// The file's byte that a word holding an RVA refers to.
    pub(super) fn follow(&self, image: &[u8], at: usize) -> Option<usize> {
        let place = u32_at(image, at).filter(|place| *place != 0)?;
        self.layout.offset_of(self.layout.base.wrapping_add(u64::from(place)))
    }
}

/// Marks everything but code; tells where functions begin in the file, in order.
pub(super) fn mark(image: &[u8], pe: &mut Pe, marks: &mut Marks) -> Vec<u32> {
    headers(image, pe, marks);
    fixups(image, pe, marks);
    exports(image, pe, marks);
    imports(image, pe, marks);
    if let Some((at, size)) = pe.directory(EXCEPTIONS) {
        pe_unwind::mark(image, pe, (at, size), marks)
    } else {
        Vec::new()
    }
}

/// Marks an RVA, unless it is none.
pub(super) fn relative(image: &[u8], pe: &Pe, at: usize, marks: &mut Marks) -> bool {
    let there = u32_at(image, at).filter(|place| *place != 0);
    there.is_some_and(|place| pe.layout.is_mapped(pe.layout.base.wrapping_add(u64::from(place))))
        && marks.set(at, Kind::Relative, 0)
}

fn headers(image: &[u8], pe: &Pe, marks: &mut Marks) {
    relative(image, pe, pe.optional + 16, marks);
    for index in (0..pe.directories.len()).filter(|index| *index != CERTIFICATES) {
        relative(image, pe, pe.optional + 112 + index * 8, marks);
    }
    let table = position(image, pe.layout.table).unwrap_or(image.len());
    for index in 0..pe.names.len() {
        let at = table + index * SECTION_SIZE;
        marks.set(at + 12, Kind::ShortSectionAddress, index as u32);
        marks.set(at + 16, Kind::ShortSectionSize, index as u32);
        marks.set(at + 20, Kind::ShortSectionOffset, index as u32);
    }
}

/// The words that the loader moves, block by block, and the blocks themselves.
fn fixups(image: &[u8], pe: &mut Pe, marks: &mut Marks) -> Option<()> {
    let (first, size) = pe.directory(FIXUPS)?;
    let last = first.saturating_add(size).min(image.len());
    let mut at = first;
    while at + 8 <= last {
        let page = pe.layout.base.wrapping_add(u64::from(u32_at(image, at)?));
        let length = u32_at(image, at + 4)? as usize;
        if length < 8 || length > last - at {
            return None;
        }
        if pe.layout.fixups.len() > image.len() / BLOCK_SPACING {
            return None;
        }
        pe.layout.fixups.push((at as u32, page));
        if marks.set(at, Kind::FixupPage, 0) {
            for entry in (at + 8..at + length - 1).step_by(2) {
                let word = u16_at(image, entry)?;
                let place = pe.layout.offset_of(page.wrapping_add(u64::from(word & 0xfff)));
                if word >> 12 == FIXUP_64
                    && let Some(place) = place
                {
                    marks.set(place, Kind::Address, 0);
                    marks.set(entry, Kind::Fixup, 0);
                }
            }
        }
        at += length;
    }
    Some(())
}

fn exports(image: &[u8], pe: &Pe, marks: &mut Marks) -> Option<()> {
    let (at, _) = pe.directory(EXPORTS)?;
    for field in [12, 28, 32, 36] {
        relative(image, pe, at + field, marks);
    }
    let functions = u32_at(image, at + 20)? as usize;
    let names = u32_at(image, at + 24)? as usize;
    for (field, count) in [(28, functions), (32, names)] {
        let Some(first) = pe.follow(image, at + field) else { continue };
        for index in 0..count.min(image.len() / 4) {
            relative(image, pe, first + index * 4, marks);
        }
    }
    Some(())
}

fn imports(image: &[u8], pe: &Pe, marks: &mut Marks) -> Option<()> {
    let (first, _) = pe.directory(IMPORTS)?;
    let mut room = image.len() / 8;
    for at in (first..image.len()).step_by(20).take(LIBRARIES_MAX) {
        u32_at(image, at + 12).filter(|name| *name != 0)?;
        for field in [0, 12, 16] {
            relative(image, pe, at + field, marks);
        }
        for thunks in [pe.follow(image, at), pe.follow(image, at + 16)].into_iter().flatten() {
            let words = (thunks..image.len()).step_by(8);
            let named = words.take_while(|word| u64_at(image, *word).is_some_and(|word| word != 0));
            for word in named {
                // Functions named by number are no references: a table of them could be walked again and again.
                room = room.checked_sub(1)?;
                let ordinal = u8_at(image, word + 7).is_some_and(|byte| byte & 0x80 != 0);
                if !ordinal && !relative(image, pe, word, marks) {
                    break;
                }
            }
        }
    }
    Some(())
}

const OPTIONAL_64: u16 = 0x20b;
const SECTION_SIZE: usize = 40;
const EXECUTABLE: u32 = 0x2000_0000;
const FIXUP_64: u16 = 10;
/// More than any linker writes.
const SECTIONS_MAX: u16 = 96;
const DIRECTORIES_MAX: u32 = 16;
/// Blocks of fixups lie a page apart, in a program that is loaded.
const BLOCK_SPACING: usize = 256;
const LIBRARIES_MAX: usize = 4096;

const EXPORTS: usize = 0;
const IMPORTS: usize = 1;
const EXCEPTIONS: usize = 3;
const CERTIFICATES: usize = 4;
const FIXUPS: usize = 5;
