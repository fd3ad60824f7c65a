//! Files that are too large to be made at once: cut in windows, each with the old ranges that it needs.
//!
//! Which ranges those are follows from a map of the whole file, made here where there is memory for it, so that the
//! player's machine needs little and nothing is lost by the cut.

use std::collections::BTreeMap;
use std::ops::Range;

use release::patch::Span;

use super::images::Images;
use super::job::{Job, fits};
use super::origins::Changed;
use crate::PublishError;

/// New bytes of a window, the first that leaves room for [`SOURCES_PER_TARGET`] old ones in a player's memory.
const WINDOW_BYTES: [u64; 4] = [16 << 20, 8 << 20, 4 << 20, 2 << 20];
/// Old bytes that a window should have for each new one: what it needs is seldom all in one place.
const SOURCES_PER_TARGET: u64 = 2;
/// New bytes of a window of a file that has no old version.
const PLAIN_WINDOW_BYTES: u64 = 32 << 20;
/// Old ranges are chosen in units of so many bytes.
const UNIT: u64 = 64 << 10;
/// New bytes that are mapped at once.
const STRIP_BYTES: u64 = 256 << 20;
/// Old bytes before and behind the same place that are searched for a strip of a file larger than [`SEARCH_BYTES`].
const AROUND_BYTES: u64 = 256 << 20;
/// An old file of at most this size is searched whole.
const SEARCH_BYTES: u64 = 1 << 30;
/// Most old bytes of a window.
const SOURCE_BYTES_MAX: u64 = 44 << 20;

/// A stretch of the new file that was found in the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    new: u64,
    old: u64,
    length: u64,
}

/// The windows of one file.
pub(super) fn jobs(one: &Changed, images: &Images<'_>) -> Result<Vec<Job>, PublishError> {
    let piece_length = u64::from(images.new.manifest.piece_length);
    let job =
        |window: Range<u64>, sources| Job { sources, targets: vec![span(one.file, &window)], piece_length };
    let Some((file, old_size)) = one.origin else {
        let step = whole_pieces(PLAIN_WINDOW_BYTES, piece_length);
        return Ok(windows(one.size, step).map(|window| job(window, Vec::new())).collect());
    };
    let (step, room) = shape(piece_length);
    if old_size <= room {
        return Ok(windows(one.size, step)
            .map(|window| job(window, vec![span(file, &(0..old_size))]))
            .collect());
    }
    let found = map(one, (file, old_size), images)?;
    let chosen = windows(one.size, step).map(|window| {
        let sources = choose(&found, &window, old_size, room).iter().map(|range| span(file, range)).collect();
        job(window, sources)
    });
    Ok(chosen.collect())
}

fn windows(size: u64, step: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size.div_ceil(step)).map(move |window| window * step..size.min((window + 1) * step))
}

fn span(file: usize, range: &Range<u64>) -> Span {
    Span { file: file as u32, offset: range.start, length: range.end - range.start }
}

fn whole_pieces(bytes: u64, piece_length: u64) -> u64 {
    (bytes / piece_length * piece_length).max(piece_length)
}

/// New bytes of a window, and how many old ones it may have.
fn shape(piece_length: u64) -> (u64, u64) {
    let steps = WINDOW_BYTES.map(|bytes| whole_pieces(bytes, piece_length));
    let shapes = steps.map(|step| (step, room(step)));
    let roomy = shapes.iter().find(|(step, room)| *room >= SOURCES_PER_TARGET * step);
    *roomy.unwrap_or(&shapes[shapes.len() - 1])
}

/// Old bytes that a window of so many new ones may have.
fn room(new_bytes: u64) -> u64 {
    let units = (1..=SOURCE_BYTES_MAX / UNIT).rev().find(|units| fits(units * UNIT, new_bytes));
    units.unwrap_or(1) * UNIT
}

/// Where the new file's bytes are found in the old one, strip by strip.
fn map(
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
        all.extend(runs.iter().map(|run| Found {
            new: strip.start + u64::from(run.new),
            old: search.start + u64::from(run.old),
            length: u64::from(run.len),
        }));
    }
    Ok(all)
}

/// The old ranges for a window, at most `room` bytes, in order.
fn choose(found: &[Found], window: &Range<u64>, old_size: u64, room: u64) -> Vec<Range<u64>> {
    let first = found.partition_point(|run| run.new + run.length <= window.start);
    let inside = found[first..].iter().take_while(|run| run.new < window.end).map(|run| {
        let (start, end) = (run.new.max(window.start), (run.new + run.length).min(window.end));
        run.old + (start - run.new)..run.old + (end - run.new)
    });
    let inside: Vec<Range<u64>> = inside.collect();
    // Found in one go: exactly that, which a copy may be all there is to.
    if let [only] = inside.as_slice()
        && only.end - only.start == window.end - window.start
    {
        return vec![only.clone()];
    }
    let mut worth: BTreeMap<u64, u64> = BTreeMap::new();
    let last = (old_size - 1) / UNIT;
    // What lies around a place that was found, and what stands at the same place, is good for what was not found.
    let same = window.start / UNIT..(window.end.div_ceil(UNIT)).min(last + 1);
    same.for_each(|unit| *worth.entry(unit).or_default() += 1);
    for range in &inside {
        let units = range.start / UNIT..=(range.end - 1) / UNIT;
        for unit in [units.start().saturating_sub(1), (units.end() + 1).min(last)] {
            *worth.entry(unit).or_default() += 2;
        }
        for unit in units {
            let bytes = range.end.min((unit + 1) * UNIT) - range.start.max(unit * UNIT);
            *worth.entry(unit).or_default() += bytes;
        }
    }
    let mut units: Vec<(u64, u64)> = worth.into_iter().map(|(unit, worth)| (worth, unit)).collect();
    units.sort_by_key(|(worth, unit)| (std::cmp::Reverse(*worth), *unit));
    units.truncate((room / UNIT) as usize);
    units.sort_by_key(|(_, unit)| *unit);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (_, unit) in units {
        let range = unit * UNIT..((unit + 1) * UNIT).min(old_size);
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(range: Range<u64>) -> Vec<Range<u64>> {
        std::iter::once(range).collect()
    }

    #[test]
    fn a_window_that_moved_whole_has_exactly_its_old_place_as_source() {
        let found = [Found { new: 0, old: 1000, length: 100 << 20 }];
        let window = 16 << 20..32 << 20;
        assert_eq!(choose(&found, &window, 200 << 20, 40 << 20), only((16 << 20) + 1000..(32 << 20) + 1000));
    }

    #[test]
    fn sources_are_what_was_found_first_and_never_more_than_the_room() {
        let old_size = (300 << 20) + 5;
        let window = 0..16 << 20;
        let found: Vec<Found> =
            (0..16_u64).map(|n| Found { new: n << 20, old: (299 - 10 * n) << 20, length: 1 << 19 }).collect();
        let ranges = choose(&found, &window, old_size, 12 << 20);
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        assert!(bytes <= 12 << 20 && bytes > 11 << 20, "{bytes}");
        assert!(ranges.windows(2).all(|two| two[0].end < two[1].start));
        for run in &found {
            let covered =
                ranges.iter().any(|range| range.start <= run.old && range.end >= run.old + run.length);
            assert!(covered, "{run:?}");
        }
        // Nothing found: the same place, as far as the old file goes.
        assert_eq!(choose(&[], &(296 << 20..312 << 20), old_size, 40 << 20), only(296 << 20..old_size));
    }

    #[test]
    fn windows_cover_the_file_once() {
        assert_eq!(windows(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(windows(8, 4).count(), 2);
        for piece_length in [16 << 10, 512 << 10, 4 << 20] {
            let (step, room) = shape(piece_length);
            assert!(step % piece_length == 0 && room >= 2 * step && fits(room, step), "{step} {room}");
        }
    }
}
