//! Where a file's bytes are found, and which ranges of that a window gets.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::kin::Image;
use super::{Changed, Images, UNIT, span, windows};
use crate::PublishError;

/// New bytes that are mapped at once.
const STRIP_BYTES: u64 = 256 << 20;
/// Old bytes before and behind the same place that are searched for a strip of a file larger than [`SEARCH_BYTES`].
const AROUND_BYTES: u64 = 256 << 20;
/// An old file of at most this size is searched whole.
const SEARCH_BYTES: u64 = 1 << 30;
/// Bytes of a cell of [`Covered`].
const CELL: u64 = 64;

/// A stretch of the new file that was found in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) new: u64,
    pub(super) old: u64,
    pub(super) length: u64,
}

impl Found {
    /// A run between parts of two images that begin so far behind their starts.
    pub(super) fn of(run: &delta::Run, new: u64, old: u64) -> Self {
        let length = u64::from(run.len);
        Self { new: new + u64::from(run.new), old: old + u64::from(run.old), length }
    }
}

/// An image, and what of the new file was found there, in the new file's order.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) image: Image,
    pub(super) found: Vec<Found>,
}

/// Which bytes of a range were found already, to 64 of them.
pub(super) struct Covered {
    start: u64,
    cells: Vec<bool>,
}

impl Covered {
    pub(super) fn new(size: u64) -> Self {
        Self::within(&(0..size))
    }

    fn within(window: &Range<u64>) -> Self {
        let cells = (window.end - window.start).div_ceil(CELL) as usize;
        Self { start: window.start, cells: vec![false; cells] }
    }

    fn cells(&self, found: &Found) -> Range<usize> {
        let at = |place: u64| ((place.saturating_sub(self.start) / CELL) as usize).min(self.cells.len());
        at(found.new)..at(found.new + found.length)
    }

    /// Bytes of it that were not found before.
    pub(super) fn fresh(&self, found: &Found) -> u64 {
        self.cells[self.cells(found)].iter().filter(|cell| !**cell).count() as u64 * CELL
    }

    /// They count as found from now on.
    pub(super) fn add(&mut self, found: &Found) {
        let cells = self.cells(found);
        self.cells[cells].fill(true);
    }
}

/// Where the new file's bytes are found in its old version, strip by strip.
pub(super) fn strips(
    one: &Changed,
    (file, old_size): (usize, u64),
    images: &Images<'_>,
) -> Result<Vec<Found>, PublishError> {
    let mut all = Vec::new();
    for strip in windows(one.size, STRIP_BYTES) {
        let new = images.read_new(&[span(one.file, &strip)])?;
        let same = strip.start.min(old_size)..strip.end.min(old_size);
        if same.start < same.end && images.read_old(&[span(file, &same)])? == new {
            all.push(Found { new: strip.start, old: strip.start, length: strip.end - strip.start });
            continue;
        }
        let search = if old_size <= SEARCH_BYTES {
            0..old_size
        } else {
            let start = strip.start.saturating_sub(AROUND_BYTES).min(old_size);
            start..strip.end.saturating_add(AROUND_BYTES).min(old_size)
        };
        if search.is_empty() {
            continue;
        }
        let old = images.read_old(&[span(file, &search)])?;
        let runs = delta::matches(&old, &new);
        all.extend(runs.iter().map(|run| Found::of(run, strip.start, search.start)));
    }
    Ok(all)
}

/// What a unit of an image is worth to a window, by image and unit.
type Worth = BTreeMap<(usize, u64), u64>;

/// The ranges for a window, in order of the images, at most `room` bytes together.
pub(super) fn choose(mapped: &[Mapped], window: &Range<u64>, room: u64) -> Vec<(usize, Vec<Range<u64>>)> {
    let mut covered = Covered::within(window);
    let mut worth = Worth::new();
    for (at, image) in mapped.iter().enumerate() {
        let first = image.found.partition_point(|run| run.new + run.length <= window.start);
        let inside = image.found[first..].iter().take_while(|run| run.new < window.end).map(|run| {
            let (start, end) = (run.new.max(window.start), (run.new + run.length).min(window.end));
            Found { new: start, old: run.old + (start - run.new), length: end - start }
        });
        let inside: Vec<Found> = inside.collect();
        // Found in one go: exactly that, which a copy may be all there is to.
        if let [only] = inside.as_slice()
            && at == 0
            && only.length == window.end - window.start
        {
            return vec![(0, std::iter::once(only.old..only.old + only.length).collect())];
        }
        let last = (image.image.size() - 1) / UNIT;
        if at == 0 {
            // What stands at the same place is good for what was not found; so is all the rest, where there is room.
            let everything = if image.image.size() <= room { 0..last + 1 } else { 0..0 };
            everything.for_each(|unit| *worth.entry((at, unit)).or_default() += 1);
            let same = window.start / UNIT..(window.end.div_ceil(UNIT)).min(last + 1);
            same.for_each(|unit| *worth.entry((at, unit)).or_default() += 1);
        }
        inside.iter().for_each(|run| count(run, (at, last), &mut covered, &mut worth));
    }
    most_worth(mapped, worth, room)
}

/// Adds what the units of a run are worth: what was not found before, and a little for those around it.
fn count(run: &Found, (at, last): (usize, u64), covered: &mut Covered, worth: &mut Worth) {
    let mut counted: Option<(u64, u64)> = None;
    for unit in run.old / UNIT..=(run.old + run.length - 1) / UNIT {
        let (start, end) = ((unit * UNIT).max(run.old), ((unit + 1) * UNIT).min(run.old + run.length));
        let part = Found { new: run.new + (start - run.old), old: start, length: end - start };
        // What is shorter than a cell counts as it stands.
        let fresh = if part.length < 2 * CELL { part.length } else { covered.fresh(&part) };
        covered.add(&part);
        if at == 0 || fresh > 0 {
            *worth.entry((at, unit)).or_default() += fresh;
            counted = Some((counted.map_or(unit, |(first, _)| first), unit));
        }
    }
    if let Some((first, end)) = counted {
        for unit in [first.saturating_sub(1), (end + 1).min(last)] {
            *worth.entry((at, unit)).or_default() += 2;
        }
    }
}

/// The units that are worth most, as ranges.
fn most_worth(mapped: &[Mapped], worth: Worth, room: u64) -> Vec<(usize, Vec<Range<u64>>)> {
    let mut units: Vec<(u64, (usize, u64))> = worth.into_iter().map(|(unit, worth)| (worth, unit)).collect();
    units.sort_by_key(|(worth, unit)| (Reverse(*worth), *unit));
    units.truncate((room / UNIT) as usize);
    units.sort_by_key(|(_, unit)| *unit);
    let mut chosen: Vec<(usize, Vec<Range<u64>>)> = Vec::new();
    for (_, (at, unit)) in units {
        let range = unit * UNIT..((unit + 1) * UNIT).min(mapped[at].image.size());
        match chosen.last_mut().filter(|(image, _)| *image == at) {
            None => chosen.push((at, std::iter::once(range).collect())),
            Some((_, ranges)) => match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            },
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(range: Range<u64>) -> Vec<(usize, Vec<Range<u64>>)> {
        vec![(0, std::iter::once(range).collect())]
    }

    fn mapped(size: u64, found: Vec<Found>) -> Mapped {
        Mapped { image: Image::Old(0, size), found }
    }

    #[test]
    fn a_window_that_moved_whole_has_exactly_its_old_place_as_source() {
        let found = vec![Found { new: 0, old: 1000, length: 100 << 20 }];
        let window = 16 << 20..32 << 20;
        let chosen = choose(&[mapped(200 << 20, found)], &window, 40 << 20);
        assert_eq!(chosen, only((16 << 20) + 1000..(32 << 20) + 1000));
    }

    #[test]
    fn sources_are_what_was_found_first_and_never_more_than_the_room() {
        let old_size = (300 << 20) + 5;
        let window = 0..16 << 20;
        let found: Vec<Found> =
            (0..16_u64).map(|n| Found { new: n << 20, old: (299 - 10 * n) << 20, length: 1 << 19 }).collect();
        let chosen = choose(&[mapped(old_size, found.clone())], &window, 12 << 20);
        let [(0, ranges)] = chosen.as_slice() else { panic!("{chosen:?}") };
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        assert!(bytes <= 12 << 20 && bytes > 11 << 20, "{bytes}");
        assert!(ranges.windows(2).all(|two| two[0].end < two[1].start));
        for run in &found {
            let covered =
                ranges.iter().any(|range| range.start <= run.old && range.end >= run.old + run.length);
            assert!(covered, "{run:?}");
        }
        // Nothing found: the same place, as far as the old file goes.
        let chosen = choose(&[mapped(old_size, vec![])], &(296 << 20..312 << 20), 40 << 20);
        assert_eq!(chosen, only(296 << 20..old_size));
    }

    #[test]
    fn what_the_old_version_has_is_not_taken_from_another_file() {
        let run =
            |new: u64, old: u64, length: u64| Found { new: new << 20, old: old << 20, length: length << 20 };
        let own = mapped(100 << 20, vec![run(0, 50, 4)]);
        let other = Mapped { image: Image::New(7, 100 << 20), found: vec![run(0, 20, 6)] };
        let chosen = choose(&[own, other], &(0..8 << 20), 20 << 20);
        let [(0, own), (1, other)] = chosen.as_slice() else { panic!("{chosen:?}") };
        assert!(own.iter().any(|range| range.start <= 50 << 20 && range.end >= 54 << 20));
        assert!(other.iter().all(|range| range.start + UNIT >= 24 << 20), "{other:?}");
        assert!(other.iter().any(|range| range.start <= 24 << 20 && range.end >= 26 << 20));
    }
}
