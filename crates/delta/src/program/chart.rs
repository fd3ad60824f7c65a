//! Old places to new places: the runs turned round, and what lies between them.

use super::layout::Layout;
use crate::Run;

/// A stretch of the old image and where it went.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: u32,
    to: u32,
    /// New offset less old offset, wrapping.
    shift: u32,
}

/// Maps offsets and addresses of the old image to those of the new one.
pub(super) struct Chart<'a> {
    old: &'a Layout,
    new: &'a Layout,
    /// New section of each old one.
    twins: Vec<Option<usize>>,
    /// By place, not overlapping.
    stretches: Vec<Stretch>,
    /// For each 256 bytes of the old image, the first stretch that ends after their start.
    index: Vec<u32>,
    /// Addresses that the runs do not tell, by old address: first, last, new less old.
    corrections: Vec<(u64, u64, u64)>,
}

impl<'a> Chart<'a> {
    pub(super) fn new(old: &'a Layout, new: &'a Layout, old_len: usize, runs: &[Run]) -> Self {
        let stretches = stretches(runs, old_len);
        let mut index = Vec::with_capacity(old_len / GRAIN + 1);
        let mut next = 0;
        for start in (0..=old_len).step_by(GRAIN) {
            while stretches.get(next).is_some_and(|stretch: &Stretch| stretch.to as usize <= start) {
                next += 1;
            }
            index.push(next as u32);
        }
        let twins =
            (0..old.sections.len()).map(|index| (index < new.sections.len()).then_some(index)).collect();
        Self { old, new, twins, stretches, index, corrections: Vec::new() }
    }

    /// Sets which new section each old one became.
    pub(super) fn with_twins(mut self, twins: Vec<Option<usize>>) -> Self {
        self.twins = twins;
        self
    }

    /// Sets the addresses that the runs do not tell: first, last, shift; by address, not overlapping.
    pub(super) fn with_corrections(mut self, corrections: Vec<(u64, u64, u64)>) -> Self {
        self.corrections = corrections;
        self
    }

    /// The new offset of an old one: its run's, or the nearest run's shift.
    pub(super) fn offset(&self, offset: u64) -> u64 {
        let Ok(place) = u32::try_from(offset) else { return offset };
        let from =
            self.index.get(place as usize / GRAIN).map_or(self.stretches.len(), |first| *first as usize);
        let mut next = from;
        while self.stretches.get(next).is_some_and(|stretch| stretch.to <= place) {
            next += 1;
        }
        let after = self.stretches.get(next);
        if let Some(after) = after.filter(|stretch| stretch.from <= place) {
            return u64::from(place.wrapping_add(after.shift));
        }
        let before = next.checked_sub(1).and_then(|index| self.stretches.get(index));
        let home = self.old.home(offset);
        let before = before.filter(|stretch| self.old.home(u64::from(stretch.to) - 1) == home);
        let after = after.filter(|stretch| self.old.home(u64::from(stretch.from)) == home);
        let nearest = match (before, after) {
            (Some(before), Some(after)) if place - before.to < after.from - place => before,
            (_, Some(after)) => after,
            (Some(before), None) => before,
            (None, None) => return self.by_section(home, offset),
        };
        u64::from(place.wrapping_add(nearest.shift))
    }

    fn by_section(&self, home: Option<usize>, offset: u64) -> u64 {
        home.and_then(|home| {
            let twin = self.new.sections.get(self.twin(home)?)?;
            Some(offset.wrapping_sub(self.old.sections[home].offset).wrapping_add(twin.offset))
        })
        .unwrap_or(offset)
    }

    /// The new address of what was at an old one.
    pub(super) fn address(&self, address: u64) -> u64 {
        self.corrected(address).unwrap_or_else(|| self.uncorrected(address))
    }

    /// The new offset of an entry of a table that is not loaded; its corrections count from [`UNLOADED`].
    pub(super) fn entry(&self, offset: u64) -> u64 {
        let corrected = self.corrected(offset | UNLOADED).map(|offset| offset & !UNLOADED);
        corrected.unwrap_or_else(|| self.offset(offset))
    }

    /// As [`Chart::address`] or, above [`UNLOADED`], [`Chart::entry`]: by the runs and the layouts alone.
    pub(super) fn told(&self, place: u64) -> u64 {
        if place & UNLOADED != 0 {
            self.offset(place & !UNLOADED) | UNLOADED
        } else {
            self.uncorrected(place)
        }
    }

    fn corrected(&self, address: u64) -> Option<u64> {
        let next = self.corrections.partition_point(|(first, ..)| *first <= address);
        let (_, last, shift) = self.corrections[next.checked_sub(1)?];
        (address <= last).then(|| address.wrapping_add(shift))
    }

    /// As [`Chart::address`], by the runs and the layouts alone.
    pub(super) fn uncorrected(&self, address: u64) -> u64 {
        let offset = self.old.offset_of(address);
        if let Some(new) = offset.and_then(|offset| self.new.address_of(self.offset(offset as u64))) {
            return new;
        }
        let home = self.old.sections.iter().position(|area| area.within_memory(address).is_some());
        let home = home.or_else(|| self.old.sections.iter().position(|area| ends_at(area, address)));
        let moved = home.and_then(|home| {
            let twin = self.new.sections.get(self.twin(home)?)?;
            Some(address.wrapping_sub(self.old.sections[home].address).wrapping_add(twin.address))
        });
        moved.unwrap_or(address)
    }

    /// The new section of an old one.
    pub(super) fn twin(&self, section: usize) -> Option<usize> {
        self.twins.get(section).copied().flatten()
    }

    pub(super) fn old(&self) -> &Layout {
        self.old
    }

    pub(super) fn new_layout(&self) -> &Layout {
        self.new
    }
}

fn ends_at(area: &super::layout::Area, address: u64) -> bool {
    area.memory > 0 && area.address.wrapping_add(area.memory) == address
}

/// Turns runs round; where several carry the same old byte, the longest speaks for it.
fn stretches(runs: &[Run], old_len: usize) -> Vec<Stretch> {
    let limit = u32::try_from(old_len).unwrap_or(u32::MAX);
    let mut sorted: Vec<&Run> = runs.iter().filter(|run| run.len > 0 && run.old < limit).collect();
    sorted.sort_unstable_by_key(|run| (run.old, u32::MAX - run.len, run.new));
    let mut out: Vec<Stretch> = Vec::with_capacity(sorted.len());
    for run in sorted {
        let to = run.old.saturating_add(run.len).min(limit);
        let shift = run.new.wrapping_sub(run.old);
        let mut from = run.old;
        if let Some(last) = out.last_mut().filter(|last| last.to > from) {
            if to - from > last.to - last.from {
                last.to = from;
            } else {
                from = last.to;
            }
        }
        if from < to {
            if out.last().is_some_and(|last| last.from >= last.to) {
                out.pop();
            }
            out.push(Stretch { from, to, shift });
        }
    }
    out
}

/// Where corrections of offsets begin, above those of addresses.
pub(super) const UNLOADED: u64 = 1 << 62;
/// Bytes of the old image for each entry of the index.
const GRAIN: usize = 256;
