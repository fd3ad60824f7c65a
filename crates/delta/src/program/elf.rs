//! ELF: headers, and the tables that name addresses.
//!
//! 64-bit, little-endian, x86-64 and AArch64. What the section headers do not show (a stripped table of sections) is
//! not found; then code, found through the segments, is all there is.

use super::bytes::{position, u8_at, u16_at, u32_at, u64_at};
use super::layout::{Area, Container, Layout, Machine, Target, without_overlap};
use super::marks::{Kind, Marks};
use super::unwind;

/// One section header, as far as it matters here.
pub(super) struct Section {
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) link: u32,
    entry: u64,
    pub(super) area: Area,
    /// Its name, type and flags as one number, to know it again.
    pub(super) name: u64,
}

/// An image whose headers were read.
pub(super) struct Elf {
    pub(super) layout: Layout,
    pub(super) sections: Vec<Section>,
    /// File ranges that hold code.
    pub(super) code: Vec<Area>,
    unwind_header: Option<Area>,
}

/// Reads the headers; `None` if this is no ELF image of a kind that is known.
pub(super) fn parse(image: &[u8]) -> Option<Elf> {
    if image.get(..6)? != [0x7f, b'E', b'L', b'F', 2, 1] {
        return None;
    }
    let machine = match u16_at(image, 18)? {
        62 => Machine::X86,
        183 => Machine::Arm,
        _ => return None,
    };
    let mut layout = Layout {
        target: Target { container: Container::Elf, machine },
        base: 0,
        segments: Vec::new(),
        sections: Vec::new(),
        table: u64_at(image, 40)?,
        fixups: Vec::new(),
    };
    let mut unwind_header = None;
    let mut loaded_code = Vec::new();
    for (kind, flags, area) in segments(image) {
        match kind {
            PT_LOAD => {
                layout.segments.push(area);
                if flags & 1 != 0 {
                    loaded_code.push(area);
                }
            }
            PT_GNU_EH_FRAME => unwind_header = Some(area),
            _ => {}
        }
    }
    layout.segments.sort_by_key(|area| (area.address, area.offset));
    let mut sections = sections(image, layout.table);
    name(image, &mut sections);
    layout.sections = sections.iter().map(|section| section.area).collect();
    let named: Vec<Area> = sections
        .iter()
        .filter(|section| section.kind == SHT_PROGBITS && section.flags & SHF_EXEC != 0)
        .map(|section| section.area)
        .collect();
    let code = if named.is_empty() { loaded_code } else { named };
    let code = without_overlap(code, image.len());
    (!layout.segments.is_empty()).then_some(Elf { layout, sections, code, unwind_header })
}

/// Marks everything but code.
pub(super) fn mark(image: &[u8], elf: &Elf, marks: &mut Marks) {
    headers(image, elf, marks);
    // Sections of a real program do not overlap; those of a hostile one may all lie over the same bytes.
    let mut room = image.len() as u64;
    for (index, section) in elf.sections.iter().enumerate() {
        let Some(rest) = room.checked_sub(section.area.size) else { continue };
        room = rest;
        match section.kind {
            SHT_SYMTAB | SHT_DYNSYM => symbols(image, section, marks),
            SHT_RELA => relocations(image, elf, section, marks),
            SHT_RELR => packed_relocations(image, elf, section, marks),
            SHT_DYNAMIC => dynamic(image, elf, index, marks),
            SHT_GNU_HASH => hash_table(image, section, marks).unwrap_or(()),
            SHT_PROGBITS if section.flags & SHF_EXEC != 0 => stubs(image, elf, section, marks),
            _ => {}
        }
    }
    if let Some(header) = elf.unwind_header {
        unwind::mark(image, &elf.layout, header, marks);
    }
}

fn segments(image: &[u8]) -> impl Iterator<Item = (u32, u32, Area)> + '_ {
    let table = u64_at(image, 32).unwrap_or(0);
    let count = u16_at(image, 56).unwrap_or(0).min(HEADERS_MAX);
    (0..u64::from(count)).map_while(move |index| {
        let at = position(image, table.checked_add(index * SEGMENT_SIZE as u64)?)?;
        let area = Area {
            offset: u64_at(image, at + 8)?,
            address: u64_at(image, at + 16)?,
            size: u64_at(image, at + 32)?,
            memory: u64_at(image, at + 40)?,
        };
        Some((u32_at(image, at)?, u32_at(image, at + 4)?, area))
    })
}

fn sections(image: &[u8], table: u64) -> Vec<Section> {
    let count = u16_at(image, 60).unwrap_or(0).min(HEADERS_MAX);
    let each = |index: u64| {
        let at = position(image, table.checked_add(index * SECTION_SIZE as u64)?)?;
        let (kind, flags) = (u32_at(image, at + 4)?, u64_at(image, at + 8)?);
        let (offset, size) = (u64_at(image, at + 24)?, u64_at(image, at + 32)?);
        let loaded = flags & SHF_ALLOC != 0;
        let area = Area {
            offset,
            size: if kind == SHT_NOBITS { 0 } else { size },
            address: if loaded { u64_at(image, at + 16)? } else { 0 },
            memory: if loaded { size } else { 0 },
        };
        Some(Section {
            kind,
            flags,
            entry: u64_at(image, at + 56)?,
            link: u32_at(image, at + 40)?,
            area,
            name: u64::from(u32_at(image, at)?),
        })
    };
    (0..u64::from(count)).map_while(each).collect()
}

/// Replaces offsets of names by the names' own hashes.
fn name(image: &[u8], sections: &mut [Section]) {
    let names = sections.get(usize::from(u16_at(image, 62).unwrap_or(0))).map(|section| section.area);
    for section in sections {
        let at = names.and_then(|names| position(image, names.offset.checked_add(section.name)?));
        let letters = at.and_then(|at| image.get(at..)).unwrap_or_default();
        let letters = letters.iter().take(NAME_MAX).take_while(|byte| **byte != 0);
        let seed = u64::from(section.kind) << 32 ^ section.flags;
        section.name =
            letters.fold(seed, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }
}

fn headers(image: &[u8], elf: &Elf, marks: &mut Marks) {
    marks.set(24, Kind::Address, 0);
    marks.set(32, Kind::Offset, 0);
    marks.set(40, Kind::Offset, 0);
    let table = u64_at(image, 32).and_then(|at| position(image, at)).unwrap_or(image.len());
    for index in 0..segments(image).count() {
        let at = table + index * SEGMENT_SIZE;
        marks.set(at + 8, Kind::Offset, 0);
        marks.set(at + 16, Kind::Address, 0);
        marks.set(at + 24, Kind::Address, 0);
    }
    let table = position(image, elf.layout.table).unwrap_or(image.len());
    for (index, section) in elf.sections.iter().enumerate() {
        let at = table + index * SECTION_SIZE;
        if section.flags & SHF_ALLOC != 0 {
            marks.set(at + 16, Kind::SectionAddress, index as u32);
        }
        marks.set(at + 24, Kind::SectionOffset, index as u32);
        marks.set(at + 32, Kind::SectionSize, index as u32);
    }
}

/// The entries of a table, as offsets of their first bytes in the file.
pub(super) fn entries(image: &[u8], area: Area, size: usize) -> impl Iterator<Item = usize> + use<> {
    let first = usize::try_from(area.offset).unwrap_or(usize::MAX).min(image.len());
    let last = first.saturating_add(usize::try_from(area.size).unwrap_or(usize::MAX)).min(image.len());
    (first..last.saturating_sub(size - 1)).step_by(size)
}

fn symbols(image: &[u8], section: &Section, marks: &mut Marks) {
    for at in entries(image, section.area, SYMBOL_SIZE) {
        marks.set(at, Kind::Name, section.link);
        let kind = u8_at(image, at + 4).unwrap_or(0) & 0xf;
        let home = u16_at(image, at + 6).unwrap_or(0);
        if home != 0 && home < 0xff00 && kind != STT_TLS {
            marks.set(at + 8, Kind::Address, 0);
            marks.set(at + 16, Kind::Extent, 0);
        }
    }
}

fn relocations(image: &[u8], elf: &Elf, section: &Section, marks: &mut Marks) {
    for at in entries(image, section.area, RELA_SIZE) {
        let Some((place, info, addend)) = relocation(image, at) else { return };
        marks.set(at, Kind::Place, 0);
        if info >> 32 != 0 {
            marks.set(at + 12, Kind::Symbol, section.link);
        }
        let word = elf.layout.offset_of(place);
        match info as u32 {
            kind if is_relative(kind) => {
                marks.set(at + 16, Kind::Address, 0);
                if let Some(word) = word.filter(|word| u64_at(image, *word) == Some(addend)) {
                    marks.set(word, Kind::Address, 0);
                }
            }
            R_X86_64_JUMP_SLOT | R_AARCH64_JUMP_SLOT => {
                if let Some(word) = word {
                    marks.set(word, Kind::Address, 0);
                }
            }
            _ => {}
        }
    }
}

/// Whether a relocation's addend is the address itself.
pub(super) fn is_relative(kind: u32) -> bool {
    matches!(kind, R_X86_64_RELATIVE | R_X86_64_IRELATIVE | R_AARCH64_RELATIVE | R_AARCH64_IRELATIVE)
}

/// A relocation's place, information and addend.
pub(super) fn relocation(image: &[u8], at: usize) -> Option<(u64, u64, u64)> {
    Some((u64_at(image, at)?, u64_at(image, at + 8)?, u64_at(image, at + 16)?))
}

fn packed_relocations(image: &[u8], elf: &Elf, section: &Section, marks: &mut Marks) {
    let mut next = 0_u64;
    for at in entries(image, section.area, 8) {
        let Some(entry) = u64_at(image, at) else { return };
        if entry & 1 == 0 {
            marks.set(at, Kind::Address, 0);
            word(elf, entry, marks);
            next = entry.wrapping_add(8);
            continue;
        }
        for bit in (0..63).filter(|bit| entry >> (bit + 1) & 1 != 0) {
            word(elf, next.wrapping_add(bit * 8), marks);
        }
        next = next.wrapping_add(63 * 8);
    }
}

fn word(elf: &Elf, address: u64, marks: &mut Marks) {
    if let Some(at) = elf.layout.offset_of(address) {
        marks.set(at, Kind::Address, 0);
    }
}

/// The buckets of a hash table count symbols; what follows them are hashes of names, the same everywhere.
fn hash_table(image: &[u8], section: &Section, marks: &mut Marks) -> Option<()> {
    let at = position(image, section.area.offset)?;
    let buckets = u32_at(image, at)? as usize;
    let words = u32_at(image, at + 8)? as usize;
    let first = at + 16 + words * 8;
    let last = first + buckets * 4;
    for bucket in (first..last.min(image.len())).step_by(4) {
        if u32_at(image, bucket)? != 0 {
            marks.set(bucket, Kind::Symbol, section.link);
        }
    }
    Some(())
}

/// The stubs of late binding push the number of their relocation.
fn stubs(image: &[u8], elf: &Elf, section: &Section, marks: &mut Marks) {
    let slots = elf.sections.iter().position(|other| other.kind == SHT_RELA && other.flags & SHF_INFO != 0);
    let Some(slots) = slots.filter(|_| elf.layout.target.machine == Machine::X86) else { return };
    let count = elf.sections[slots].area.size / RELA_SIZE as u64;
    if section.entry != STUB_SIZE as u64 {
        return;
    }
    for at in entries(image, section.area, STUB_SIZE) {
        let (jump, push) = (u16_at(image, at), u8_at(image, at + 6));
        let known = u32_at(image, at + 7).is_some_and(|number| u64::from(number) < count);
        if jump == Some(JUMP_BY_SLOT) && push == Some(PUSH) && known {
            marks.set(at + 7, Kind::Slot, slots as u32);
        }
    }
}

fn dynamic(image: &[u8], elf: &Elf, index: usize, marks: &mut Marks) {
    let section = &elf.sections[index];
    for at in entries(image, section.area, 16) {
        let (Some(tag), Some(value)) = (u64_at(image, at), u64_at(image, at + 8)) else { return };
        match tag {
            1 | 14 | 15 | 29 => {
                marks.set(at + 8, Kind::Name, section.link);
            }
            3..=7
            | 12
            | 13
            | 17
            | 23
            | 25
            | 26
            | 32
            | 36
            | 0x6fff_fef5
            | 0x6fff_fff0
            | 0x6fff_fffc
            | 0x6fff_fffe => {
                marks.set(at + 8, Kind::Address, 0);
            }
            2 | 8 | 10 | 18 | 27 | 28 | 33 | 35 => {
                let sized = |section: &Section| section.area.size == value && section.area.memory == value;
                if let Some(index) = elf.sections.iter().position(sized) {
                    marks.set(at + 8, Kind::SectionSize, index as u32);
                }
            }
            _ => {}
        }
    }
}

/// More headers than any linker writes.
const HEADERS_MAX: u16 = 256;
/// Names are compared as far as this.
const NAME_MAX: usize = 64;
const SEGMENT_SIZE: usize = 56;
const SECTION_SIZE: usize = 64;
pub(super) const SYMBOL_SIZE: usize = 24;
pub(super) const RELA_SIZE: usize = 24;

const PT_LOAD: u32 = 1;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const SHT_PROGBITS: u32 = 1;
pub(super) const SHT_SYMTAB: u32 = 2;
pub(super) const SHT_RELA: u32 = 4;
const SHT_DYNAMIC: u32 = 6;
const SHT_NOBITS: u32 = 8;
pub(super) const SHT_DYNSYM: u32 = 11;
const SHT_GNU_HASH: u32 = 0x6fff_fff6;
const SHT_RELR: u32 = 19;
const SHF_ALLOC: u64 = 2;
const SHF_EXEC: u64 = 4;
const SHF_INFO: u64 = 0x40;
/// `jmp [rip + …]` and `push …`, the first two instructions of a stub.
const JUMP_BY_SLOT: u16 = 0x25ff;
const PUSH: u8 = 0x68;
const STUB_SIZE: usize = 16;
const STT_TLS: u8 = 6;
const R_X86_64_JUMP_SLOT: u32 = 7;
const R_X86_64_RELATIVE: u32 = 8;
const R_X86_64_IRELATIVE: u32 = 37;
const R_AARCH64_JUMP_SLOT: u32 = 1026;
const R_AARCH64_RELATIVE: u32 = 1027;
const R_AARCH64_IRELATIVE: u32 = 1032;
