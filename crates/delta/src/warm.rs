//! Which old bytes the literal models learn from before the first literal: those around the places where runs end.

use crate::Run;

/// So many bytes are learned from in any case, and so large a share of the new image: the player's time is bounded.
const BYTES: usize = 160 * 1024;
const SHARE: usize = 32;
/// The widest and the narrowest reach to both sides of a place.
const REACH_MAX: usize = 4096;
const REACH_MIN: usize = 32;

/// Ranges of the old image, in the order of the runs; the widest that the bound allows.
pub(crate) fn ranges(runs: &[Run], old_len: usize, new_len: usize) -> Vec<(usize, usize)> {
    let bound = BYTES.max(new_len / SHARE);
    let mut reach = REACH_MAX;
    while reach >= REACH_MIN {
        let ranges = around(runs, old_len, reach);
        if ranges.iter().map(|range| range.1 - range.0).sum::<usize>() <= bound {
            return ranges;
        }
        reach /= 2;
    }
    Vec::new()
}

fn around(runs: &[Run], old_len: usize, reach: usize) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut last = 0;
    for pair in runs.windows(2) {
        let place = (pair[0].old + pair[0].len) as usize;
        let gap = pair[0].new + pair[0].len < pair[1].new;
        if !gap || place > old_len {
            continue;
        }
        let from = place.saturating_sub(reach);
        // What was learned right before is not learned twice.
        let from = if place >= last { from.max(last) } else { from };
        let to = (place + reach).min(old_len);
        if from < to {
            ranges.push((from, to));
            last = to;
        }
    }
    ranges
}
