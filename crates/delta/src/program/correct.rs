//! What the runs tell wrongly about addresses, found by the encoder and told to the decoder.
//!
//! Variables without bytes in the file, functions of which nothing was matched, one of two equal stretches taken for
//! the other: each reference to such a place would be foretold wrongly. One correction serves all that refer there.

use super::aim::{self, Thing};
use super::chart::{Chart, UNLOADED};
use super::layout::Layout;
use super::marks::Marks;
use crate::Run;

/// An image with its arrangement and its references.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) image: &'a [u8],
    pub(super) layout: &'a Layout,
    pub(super) marks: &'a Marks,
}

/// Ranges of old addresses and their true shift, where enough references would be foretold wrongly.
pub(super) fn corrections(old: Side<'_>, new: Side<'_>, chart: &Chart, runs: &[Run]) -> Vec<(u64, u64, u64)> {
    let mut votes = votes(old, new, runs);
    votes.sort_unstable();
    let mut out = Vec::new();
    let mut open: Option<Range> = None;
    for place in votes.chunk_by(|one, other| one.0 == other.0) {
        let address = place[0].0;
        let told = chart.told(address).wrapping_sub(address);
        let (shift, gain) = verdict(place, told);
        if let Some(range) = open.as_mut().filter(|range| range.shift == shift) {
            range.last = address;
            range.gain += gain;
            continue;
        }
        close(&mut out, open.take());
        if shift != told {
            open = Some(Range { first: address, last: address, shift, gain });
        }
    }
    close(&mut out, open);
    out
}

struct Range {
    first: u64,
    last: u64,
    shift: u64,
    gain: usize,
}

fn close(out: &mut Vec<(u64, u64, u64)>, range: Option<Range>) {
    out.extend(range.filter(|range| range.gain >= GAIN).map(|range| (range.first, range.last, range.shift)));
}

/// Every reference that both images have in one place of a run: its old target, and the shift to its new one.
fn votes(old: Side<'_>, new: Side<'_>, runs: &[Run]) -> Vec<(u64, u64)> {
    let mut votes = Vec::new();
    for run in runs {
        let Some((from, to, length)) = aim::bounds(run, old.image.len(), new.image.len()) else { continue };
        for mark in old.marks.within(from, from + length) {
            let Some(twin) = new.marks.at(mark.at - from + to).filter(|twin| twin.kind == mark.kind) else {
                continue;
            };
            let was = aim::target(old.image, old.layout, mark).and_then(|thing| place(old.layout, thing));
            let is = aim::target(new.image, new.layout, twin).and_then(|thing| place(new.layout, thing));
            if let (Some(was), Some(is)) = (was, is) {
                votes.push((was, is.wrapping_sub(was)));
            }
        }
    }
    votes
}

/// One number for a place: its address or, for what is not loaded, its offset in the file.
fn place(layout: &Layout, thing: Thing) -> Option<u64> {
    match thing {
        Thing::Address(address) => Some(address),
        Thing::Entry { section, size, index } => {
            Some(UNLOADED | layout.sections.get(section)?.offset.wrapping_add(index.wrapping_mul(size)))
        }
        _ => None,
    }
}

/// The shift that most of a place's references took, and how many more that are than those told right.
fn verdict(votes: &[(u64, u64)], told: u64) -> (u64, usize) {
    let mut right = 0;
    let mut best = (told, 0);
    for same in votes.chunk_by(|one, other| one.1 == other.1) {
        if same[0].1 == told {
            right = same.len();
        } else if same.len() > best.1 {
            best = (same[0].1, same.len());
        }
    }
    if best.1 > right { (best.0, best.1 - right) } else { (told, 0) }
}

/// A correction costs about as much as this many references foretold wrongly.
const GAIN: usize = 2;
