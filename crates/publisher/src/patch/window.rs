//! Files that are too large to be made at once: cut in windows, each with the ranges that it needs.
//!
//! Which ranges those are follows from a map of the whole file, made here where there is memory for it, so that the
//! player's machine needs little and nothing is lost by the cut. Beside its own old version, a window may be made of
//! other large files: of their old versions, and of what they became, if they are made before it.

mod kin;
mod map;

use std::ops::Range;

use release::patch::Span;

use super::images::Images;
use super::job::{Job, fits};
use super::origins::Changed;
use crate::PublishError;

use kin::Image;
use map::Mapped;

/// New bytes of a window at most, the first that leaves room for [`SOURCES_PER_TARGET`] old ones in a player's memory.
const WINDOW_BYTES: [u64; 4] = [16 << 20, 8 << 20, 4 << 20, 2 << 20];
/// Old bytes that a window should have for each new one: what it needs is seldom all in one place.
const SOURCES_PER_TARGET: u64 = 2;
/// New bytes of a window of a file that was found nowhere.
const PLAIN_WINDOW_BYTES: u64 = 32 << 20;
/// Ranges are chosen in units of so many bytes.
const UNIT: u64 = 64 << 10;
/// Most old bytes of a window.
const SOURCE_BYTES_MAX: u64 = 44 << 20;

/// The windows of large files, in rounds: what one of a later round is made of, earlier rounds make.
pub(super) fn rounds(large: &[Changed], images: &Images<'_>) -> Result<Vec<Vec<Job>>, PublishError> {
    let (mut rounds, mut round_of) = (Vec::<Vec<Job>>::new(), Vec::<usize>::new());
    for (index, one) in large.iter().enumerate() {
        let mapped = kin::map(large, index, images)?;
        let jobs = jobs(one, &mapped, images);
        let taken = jobs.iter().flat_map(|job| &job.made).map(|span| span.file as usize);
        let of_file = |file| large[..index].iter().position(|earlier| earlier.file == file);
        let round = taken.filter_map(of_file).map(|earlier| round_of[earlier] + 1).max().unwrap_or(0);
        rounds.resize_with(rounds.len().max(round + 1), Vec::new);
        rounds[round].extend(jobs);
        round_of.push(round);
    }
    Ok(rounds)
}

fn jobs(one: &Changed, mapped: &[Mapped], images: &Images<'_>) -> Vec<Job> {
    let piece_length = u64::from(images.new.manifest.piece_length);
    let job = |window: &Range<u64>| Job {
        sources: Vec::new(),
        made: Vec::new(),
        targets: vec![span(one.file, window)],
        piece_length,
    };
    if mapped.is_empty() {
        let step = whole_pieces(PLAIN_WINDOW_BYTES, piece_length);
        return windows(one.size, step).map(|window| job(&window)).collect();
    }
    let step = even(one.size, shape(piece_length).0, piece_length);
    let room = room(step);
    let chosen = windows(one.size, step).map(|window| {
        let mut job = job(&window);
        for (at, ranges) in map::choose(mapped, &window, room) {
            match mapped[at].image {
                Image::Old(file, _) => job.sources.extend(ranges.iter().map(|range| span(file, range))),
                Image::New(file, _) => job.made.extend(ranges.iter().map(|range| span(file, range))),
            }
        }
        job
    });
    chosen.collect()
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

/// The step that cuts a file in as many windows as `step` does, of about one length.
fn even(size: u64, step: u64, piece_length: u64) -> u64 {
    size.div_ceil(size.div_ceil(step).max(1)).next_multiple_of(piece_length).clamp(piece_length, step)
}

/// New bytes of a window, and how many old ones it may have.
fn shape(piece_length: u64) -> (u64, u64) {
    let steps = WINDOW_BYTES.map(|bytes| whole_pieces(bytes, piece_length));
    let shapes = steps.map(|step| (step, room(step)));
    let roomy = shapes.iter().find(|(step, room)| *room >= SOURCES_PER_TARGET * step);
    *roomy.unwrap_or(&shapes[shapes.len() - 1])
}

/// Old bytes that a window of so many new ones may have. Windows are no programs: those need their beginning.
fn room(new_bytes: u64) -> u64 {
    let units = (1..=SOURCE_BYTES_MAX / UNIT).rev().find(|units| fits(units * UNIT, new_bytes, false));
    units.unwrap_or(1) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_file_once() {
        assert_eq!(windows(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(windows(8, 4).count(), 2);
        for piece_length in [16 << 10, 512 << 10, 4 << 20] {
            let (step, room) = shape(piece_length);
            assert!(step % piece_length == 0 && fits(room, step, false), "{step} {room}");
            assert!(room >= SOURCES_PER_TARGET * step, "{step} {room}");
            for size in [step + 1, 3 * step, 5 * step / 2] {
                let even = even(size, step, piece_length);
                assert!(even.is_multiple_of(piece_length) && even <= step);
                assert_eq!(windows(size, even).count(), windows(size, step).count(), "{size}");
            }
        }
    }
}
