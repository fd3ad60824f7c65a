//! Where an image's references stand, one byte for each byte of the image.
//!
//! The first byte of a reference holds its kind, those after it an argument of seven bits each with the top bit set,
//! so that every byte of a reference is taken and a second reference never lies across it: who marks first wins.

/// What a reference's bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// x86: one byte, from the next instruction.
    Short = 1,
    /// x86: four bytes at the instruction's end, from there; code.
    Near,
    /// x86: four bytes, from their end and 0, 1, 2 or 4 bytes more; data beside the code.
    Beside0,
    Beside1,
    Beside2,
    Beside4,
    /// Eight bytes: an address.
    Address,
    /// Eight bytes: likewise, of a word that a relocation fills.
    Place,
    /// Four bytes: an address less the image's base.
    Relative,
    /// Four bytes: likewise, of the byte after a range.
    RelativeEnd,
    /// Four bytes: from their own first byte.
    Own,
    /// Four bytes: backwards from their own first byte.
    Back,
    /// Four bytes: from a base that lies 4 × the argument before them.
    Table,
    /// Four bytes: into the section (a table of strings) that the argument counts.
    Name,
    /// Four bytes: an entry of 24 bytes of the section (a table of symbols) that the argument counts.
    Symbol,
    /// Four bytes: likewise, of a table of relocations.
    Slot,
    /// Eight bytes: an offset in the file.
    Offset,
    /// Eight bytes: how long the thing is whose address is the eight bytes before.
    Extent,
    /// Four bytes: how long the thing is that the four bytes before ([`Kind::Own`]) refer to.
    OwnExtent,
    /// Eight bytes: the size of the section that the argument counts.
    SectionSize,
    /// Eight bytes: likewise its address, its offset in the file.
    SectionAddress,
    SectionOffset,
    /// Four bytes: likewise in PE, its address as RVA.
    ShortSectionSize,
    ShortSectionAddress,
    ShortSectionOffset,
    /// Four bytes: the RVA of a page, and a block of fixups behind it.
    FixupPage,
    /// Two bytes, of which twelve bits say where in its block's page a word lies that the loader moves.
    Fixup,
    /// Arm: B and BL; B.cond, CBZ and literals; TBZ.
    Branch26,
    Branch19,
    Branch14,
    /// Arm: ADR.
    Near21,
    /// Arm: ADRP, whose first user comes as many instructions after it as the argument says (0: none).
    Page21,
    /// Arm: the low twelve bits, to a page formed as many instructions before as the argument says.
    Low12,
}

const KINDS: [Kind; 33] = [
    Kind::Short,
    Kind::Near,
    Kind::Beside0,
    Kind::Beside1,
    Kind::Beside2,
    Kind::Beside4,
    Kind::Address,
    Kind::Place,
    Kind::Relative,
    Kind::RelativeEnd,
    Kind::Own,
    Kind::Back,
    Kind::Table,
    Kind::Name,
    Kind::Symbol,
    Kind::Slot,
    Kind::Offset,
    Kind::Extent,
    Kind::OwnExtent,
    Kind::SectionSize,
    Kind::SectionAddress,
    Kind::SectionOffset,
    Kind::ShortSectionSize,
    Kind::ShortSectionAddress,
    Kind::ShortSectionOffset,
    Kind::FixupPage,
    Kind::Fixup,
    Kind::Branch26,
    Kind::Branch19,
    Kind::Branch14,
    Kind::Near21,
    Kind::Page21,
    Kind::Low12,
];

impl Kind {
    /// Bytes of the reference.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Short => 1,
            Self::Fixup => 2,
            Self::Address | Self::Place | Self::Offset | Self::Extent | Self::SectionSize => 8,
            Self::SectionAddress | Self::SectionOffset => 8,
            _ => 4,
        }
    }
}

impl Kind {
    /// Whether the reference is a part of an Arm instruction, whose other bits say what it does.
    pub(super) fn is_instruction(self) -> bool {
        matches!(
            self,
            Self::Branch26 | Self::Branch19 | Self::Branch14 | Self::Near21 | Self::Page21 | Self::Low12
        )
    }
}

/// A reference found by a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// First byte in the image.
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) argument: u32,
}

/// The references of one image.
pub(super) struct Marks {
    bytes: Vec<u8>,
}

impl Marks {
    pub(super) fn new(length: usize) -> Self {
        Self { bytes: vec![0; length] }
    }

    /// Marks a reference unless its bytes are taken, lie outside or the argument is too large; says whether it did.
    pub(super) fn set(&mut self, at: usize, kind: Kind, argument: u32) -> bool {
        let end = at.saturating_add(kind.width());
        let Some(place) = self.bytes.get_mut(at..end) else { return false };
        if argument > ARGUMENT_MAX || place.iter().any(|byte| *byte != 0) {
            return false;
        }
        let mut rest = argument;
        for byte in place.iter_mut().skip(1) {
            *byte = TAKEN | (rest & 0x7f) as u8;
            rest >>= 7;
        }
        place[0] = kind as u8;
        true
    }

    /// Changes the argument of a reference that is marked already.
    pub(super) fn rewrite(&mut self, at: usize, kind: Kind, argument: u32) {
        if let Some(place) = self.bytes.get_mut(at..at + kind.width())
            && place[0] == kind as u8
        {
            place.fill(0);
            self.set(at, kind, argument);
        }
    }

    /// The reference that begins at a byte.
    pub(super) fn at(&self, at: usize) -> Option<Mark> {
        let number = *self.bytes.get(at)?;
        let kind = *KINDS.get(usize::from(number.checked_sub(1)?))?;
        let argument = self.bytes[at + 1..(at + kind.width()).min(at + 4)]
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 7 | u32::from(byte & 0x7f));
        Some(Mark { at, kind, argument })
    }

    /// The first reference that begins at `from` or later, before `to`.
    pub(super) fn next(&self, from: usize, to: usize) -> Option<Mark> {
        let bytes = self.bytes.get(from..to.min(self.bytes.len()))?;
        let skipped = bytes.iter().position(|byte| *byte != 0 && *byte < TAKEN)?;
        self.at(from + skipped)
    }

    /// The references that begin in a range.
    pub(super) fn within(&self, from: usize, to: usize) -> impl Iterator<Item = Mark> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            let mark = self.next(at, to)?;
            at = mark.at + mark.kind.width();
            Some(mark)
        })
    }
}

const TAKEN: u8 = 0x80;
const ARGUMENT_MAX: u32 = 0x1f_ffff;
