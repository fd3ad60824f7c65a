//! Where a program's bytes lie in the file and in memory.
//!
//! Addresses are those the file names (ELF: virtual addresses; PE: image base + RVA). Nothing here is trusted: ranges
//! may overlap, wrap or lie outside of the file, and a lookup then just finds nothing or the first that fits.

/// The container and the processor of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) container: Container,
    pub(super) machine: Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Elf,
    Pe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    X86,
    Arm,
}

/// One range of the file, as a segment or a section names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Area {
    /// First byte in the file.
    pub(super) offset: u64,
    /// Bytes in the file (zero where the loader makes the bytes).
    pub(super) size: u64,
    /// First byte in memory; 0 where the range is not loaded.
    pub(super) address: u64,
    /// Bytes in memory; 0 where the range is not loaded.
    pub(super) memory: u64,
}

impl Area {
    /// How far into the area an address lies, bytes in memory only included.
    pub(super) fn within_memory(&self, address: u64) -> Option<u64> {
        let distance = address.wrapping_sub(self.address);
        (distance < self.memory).then_some(distance)
    }

    fn within_loaded(&self, address: u64) -> Option<u64> {
        self.within_memory(address).filter(|distance| *distance < self.size)
    }

    fn within_file(&self, offset: u64) -> Option<u64> {
        let distance = offset.wrapping_sub(self.offset);
        (distance < self.size).then_some(distance)
    }
}

/// What is known of an image's arrangement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) target: Target,
    /// What RVAs count from; zero for ELF.
    pub(super) base: u64,
    /// What the loader maps, by address.
    pub(super) segments: Vec<Area>,
    /// The linker's sections in the order of the file's own table.
    pub(super) sections: Vec<Area>,
    /// Where the table of sections itself lies in the file.
    pub(super) table: u64,
    /// PE: where each block of fixups lies in the file, and the address of its page.
    pub(super) fixups: Vec<(u32, u64)>,
}

impl Layout {
    /// The file's byte at an address.
    pub(super) fn offset_of(&self, address: u64) -> Option<usize> {
        let from = self.segments.partition_point(|area| area.address <= address);
        let near = self.segments[..from].iter().rev().take(NEIGHBOURS);
        near.filter_map(|area| Some(area.offset.wrapping_add(area.within_loaded(address)?)))
            .next()
            .and_then(|offset| u32::try_from(offset).ok())
            .map(|offset| offset as usize)
    }

    /// The address at which a byte of the file is loaded.
    pub(super) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|area| Some(area.address.wrapping_add(area.within_file(offset)?)))
    }

    /// The page of the block of fixups that a byte of the file lies in.
    pub(super) fn fixup_page(&self, at: usize) -> Option<u64> {
        let next = self.fixups.partition_point(|block| block.0 as usize <= at);
        next.checked_sub(1).map(|index| self.fixups[index].1)
    }

    /// The section that a byte of the file lies in.
    pub(super) fn home(&self, offset: u64) -> Option<usize> {
        self.sections.iter().position(|area| area.within_file(offset).is_some())
    }

    /// Whether the loader maps something there, bytes without a file included.
    pub(super) fn is_mapped(&self, address: u64) -> bool {
        let from = self.segments.partition_point(|area| area.address <= address);
        self.segments[..from].iter().rev().take(NEIGHBOURS).any(|area| area.within_memory(address).is_some())
    }
}

/// Segments of a real program do not overlap; two steps back are enough for one that is cut oddly.
const NEIGHBOURS: usize = 2;

/// Ranges of the file that do not overlap, few enough to be looked through one by one.
pub(super) fn without_overlap(mut areas: Vec<Area>, image_len: usize) -> Vec<Area> {
    areas.sort_by_key(|area| (area.offset, area.size));
    let mut end = 0;
    areas.retain(|area| {
        let last = area.offset.saturating_add(area.size);
        let fits = area.offset >= end && last <= image_len as u64;
        end = if fits { last } else { end };
        fits
    });
    areas.truncate(AREAS_MAX);
    areas
}

/// Ranges of code that are swept.
const AREAS_MAX: usize = 32;
