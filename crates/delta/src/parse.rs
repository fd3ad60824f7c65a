//! Chooses the runs: which stretches of the new image follow which of the old one, with what little differs between.
//!
//! A search over diagonals (old − new): an agreeing byte gains, a differing one costs, a new run costs more. Several
//! diagonals live side by side, so a run that breaks is only left if what follows pays for it. Exact matches from the
//! suffix array open diagonals; both ends of each run are then moved to where they gain most.

use crate::Run;
use crate::coarse::forwards;
use crate::suffix::{Found, Longest};

/// What things gain and cost, in 1/16 bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    /// A literal byte that agreement saves.
    pub(crate) agree: i32,
    /// A differing byte, over a literal.
    pub(crate) differ: i32,
    /// A run that begins near where the one before ended.
    pub(crate) near: i32,
    /// A run anywhere.
    pub(crate) far: i32,
    /// Whether it pays to look for each broken run's continuation nearby.
    pub(crate) probe: bool,
}

impl Prices {
    /// Bytes that say little by themselves: programs, packs, sound.
    pub(crate) const DENSE: Self = Self { agree: 84, differ: 90, near: 480, far: 480, probe: false };
    /// Bytes that their neighbours nearly foretell: texts.
    pub(crate) const SPARSE: Self = Self { agree: 16, differ: 110, near: 720, far: 800, probe: true };
}

/// Diagonals that live at one time.
const LIVE_MAX: usize = 10;
/// A jump this short costs less than one anywhere, and so far from a broken diagonal is looked.
const NEAR: u64 = 128;
const PROBED: i64 = 96;
/// How far back the start of a run is moved at most.
const BACK_MAX: u32 = 1 << 16;

/// The runs, in order of `new`, not overlapping there. Where `old` lies behind the old image, the source is the new one,
/// so far behind its start, and ends before the run begins.
pub(crate) fn runs(old: &[u8], new: &[u8], longest: &Longest, prices: Prices) -> Vec<Run> {
    let mut search = Search::new(old, new, prices);
    let mut at = 0;
    while at < new.len() {
        let found = longest.old(at);
        search.open(at, found);
        let echo = longest.echo(at);
        let apart = echo.len.min(at as u32 - echo.at.min(at as u32));
        if apart > found.len {
            search.open(at, Found { at: old.len() as u32 + echo.at, len: apart });
        }
        if prices.probe && search.broken {
            search.probe(at);
        }
        let skip = search.certain(at, found.len.max(apart));
        if skip > 0 {
            search.agree_all(at, skip);
            at += skip;
            continue;
        }
        search.step(at);
        at += 1;
    }
    let mut runs = search.trace();
    extend(old, new, &mut runs, prices);
    runs.retain(|run| run.len > 0);
    merge(runs, old.len() as u32)
}

/// A diagonal that lives.
#[derive(Clone, Copy)]
struct Live {
    shift: i64,
    score: i64,
    node: u32,
    /// Where its source ends.
    limit: usize,
}

/// A run on the way to some end; what lies before it is its parent's.
#[derive(Clone, Copy)]
struct Node {
    start: u32,
    shift: i64,
    parent: u32,
    /// Where the parent's run ends.
    parent_end: u32,
}

const NONE: u32 = u32::MAX;

/// The best that ends in a literal: its score, and the run before that literal.
#[derive(Clone, Copy)]
struct Best {
    score: i64,
    node: u32,
    end: u32,
}

/// The old image and the new one, one address after the other.
#[derive(Clone, Copy)]
struct Images<'a> {
    old: &'a [u8],
    new: &'a [u8],
}

impl<'a> Images<'a> {
    /// From `place` on, before `limit`; nothing where that is in neither image or in both.
    #[inline]
    fn upto(&self, place: usize, limit: usize) -> &'a [u8] {
        let length = self.old.len();
        let ahead = if limit <= length {
            self.old.get(place..limit)
        } else {
            place.checked_sub(length).and_then(|place| self.new.get(place..limit - length))
        };
        ahead.unwrap_or_default()
    }
}

struct Search<'a> {
    images: Images<'a>,
    new: &'a [u8],
    prices: Prices,
    live: Vec<Live>,
    nodes: Vec<Node>,
    best: Best,
    /// The last byte was not as the best run foretold.
    broken: bool,
}

impl<'a> Search<'a> {
    fn new(old: &'a [u8], new: &'a [u8], prices: Prices) -> Self {
        let best = Best { score: 0, node: NONE, end: 0 };
        Self {
            images: Images { old, new },
            new,
            prices,
            live: Vec::with_capacity(LIVE_MAX),
            nodes: Vec::new(),
            best,
            broken: true,
        }
    }

    /// The match that begins here becomes a diagonal if it may pay for itself.
    fn open(&mut self, at: usize, found: Found) {
        let shift = i64::from(found.at) - at as i64;
        let price = self.price(shift);
        if i64::from(found.len) * i64::from(self.prices.agree) <= price {
            return;
        }
        let score = self.best.score - price;
        if let Some(live) = self.live.iter().find(|live| live.shift == shift) {
            if live.score >= score {
                return;
            }
        }
        self.live.retain(|live| live.shift != shift);
        if self.live.len() == LIVE_MAX {
            let Some(worst) = (0..LIVE_MAX).min_by_key(|index| self.live[*index].score) else { return };
            self.live.swap_remove(worst);
        }
        self.nodes.push(Node { start: at as u32, shift, parent: self.best.node, parent_end: self.best.end });
        let old_len = self.images.old.len();
        let limit = if (found.at as usize) < old_len { old_len } else { old_len + at };
        self.live.push(Live { shift, score, node: self.nodes.len() as u32 - 1, limit });
    }

    /// What a run on this diagonal costs after the best so far.
    fn price(&self, shift: i64) -> i64 {
        let last = self.nodes.get(self.best.node as usize).map_or(0, |node| node.shift);
        i64::from(if shift.abs_diff(last) < NEAR { self.prices.near } else { self.prices.far })
    }

    /// Looks for matches on diagonals near the one that broke: the longest match may be a far one.
    fn probe(&mut self, at: usize) {
        self.broken = false;
        let last = self.nodes.get(self.best.node as usize).map_or(0, |node| node.shift);
        let needed = (self.prices.near / self.prices.agree) as usize + 1;
        for step in 1..=PROBED {
            for shift in [last + step, last - step] {
                let Ok(source) = usize::try_from(at as i64 + shift) else { continue };
                let Some(ahead) = self.images.old.get(source..) else { continue };
                let len = forwards(ahead, &self.new[at..]);
                if len >= needed {
                    self.open(at, Found { at: source as u32, len: len as u32 });
                }
            }
        }
    }

    /// How many bytes no other diagonal can do better than the only one alive.
    fn certain(&self, at: usize, longest: u32) -> usize {
        let [live] = self.live[..] else { return 0 };
        let source = usize::try_from(at as i64 + live.shift).unwrap_or(usize::MAX);
        let agreeing = forwards(self.images.upto(source, live.limit), &self.new[at..]);
        if agreeing >= longest as usize && agreeing > 4 { agreeing } else { 0 }
    }

    fn agree_all(&mut self, at: usize, count: usize) {
        if let Some(live) = self.live.first_mut() {
            live.score += count as i64 * i64::from(self.prices.agree);
            if live.score > self.best.score {
                self.best = Best { score: live.score, node: live.node, end: (at + count) as u32 };
            }
        }
    }

    fn step(&mut self, at: usize) {
        let byte = self.new[at];
        self.broken = self.best.end as usize <= at;
        for live in &mut self.live {
            let source = usize::try_from(at as i64 + live.shift).unwrap_or(usize::MAX);
            if self.images.upto(source, live.limit).first() == Some(&byte) {
                live.score += i64::from(self.prices.agree);
                if live.score > self.best.score {
                    self.best = Best { score: live.score, node: live.node, end: at as u32 + 1 };
                }
            } else {
                live.score -= i64::from(self.prices.differ);
            }
        }
        // Whoever is worse off than one who begins anew is dropped: a match that pays brings it back.
        let floor = self.best.score - i64::from(self.prices.far);
        self.live.retain(|live| live.score > floor);
    }

    fn trace(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let (mut node, mut end) = (self.best.node, self.best.end);
        while node != NONE {
            let this = self.nodes[node as usize];
            let old = (i64::from(this.start) + this.shift) as u32;
            runs.push(Run { new: this.start, old, len: end - this.start });
            (node, end) = (this.parent, this.parent_end);
        }
        runs.reverse();
        runs
    }
}

/// Moves each run's start back as far as that gains, over literals and over the end of the run before.
fn extend(old: &[u8], new: &[u8], runs: &mut [Run], prices: Prices) {
    let images = Images { old, new };
    for index in 0..runs.len() {
        let run = runs[index];
        let before = index.checked_sub(1).map(|before| runs[before]);
        let floor = before.map_or(0, |before| before.new + 1);
        let echo = run.old as usize >= old.len();
        let value = |run: &Run, at: u32| {
            let source = i64::from(run.old) + i64::from(at) - i64::from(run.new);
            let limit = if run.old as usize >= old.len() { old.len() + new.len() } else { old.len() };
            let same = usize::try_from(source)
                .is_ok_and(|source| images.upto(source, limit).first() == Some(&new[at as usize]));
            i64::from(if same { prices.agree } else { -prices.differ })
        };
        let (mut gain, mut most, mut start) = (0i64, 0i64, run.new);
        let lowest = floor.max(run.new.saturating_sub(run.old.min(BACK_MAX)));
        // The source of an echo lies behind the old image, and ends before the run begins.
        let lowest = if echo {
            let first = run.new - (run.old - old.len() as u32).min(run.new);
            lowest.max(first).max(run.old + run.len - old.len() as u32)
        } else {
            lowest
        };
        for at in (lowest..run.new).rev() {
            gain += value(&run, at);
            if let Some(before) = before.filter(|before| at < before.new + before.len) {
                gain -= value(&before, at);
            }
            if gain > most {
                (most, start) = (gain, at);
            }
            if gain < most - i64::from(prices.near) {
                break;
            }
        }
        let back = run.new - start;
        runs[index] = Run { new: start, old: run.old - back, len: run.len + back };
        if let Some(before) = index.checked_sub(1).and_then(|before| runs.get_mut(before)) {
            before.len = before.len.min(start - before.new);
        }
    }
}

/// Runs of the old image that continue each other become one; echoes may not, for their source must lie before them.
fn merge(runs: Vec<Run>, old_len: u32) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        let continued = merged.last_mut().filter(|last| {
            let end = last.old + last.len;
            last.new + last.len == run.new && end == run.old && end + run.len <= old_len
        });
        match continued {
            Some(last) => last.len += run.len,
            None => merged.push(run),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u32, length: usize) -> Vec<u8> {
        let mut state = seed;
        let step = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(step).take(length).collect()
    }

    #[test]
    fn a_run_goes_on_over_bytes_that_differ() {
        let old = noise(1, 4000);
        let mut new = [noise(2, 100), old.clone()].concat();
        for at in (300..4000).step_by(97) {
            new[at] ^= 0x55;
        }
        let longest = Longest::of(&old, &new).unwrap();
        assert_eq!(runs(&old, &new, &longest, Prices::DENSE), [Run { new: 100, old: 0, len: 4000 }]);
    }

    #[test]
    fn a_moved_block_is_a_run_of_its_own() {
        let old = noise(1, 4000);
        let new = [&old[2000..3000], &old[..2000], &old[3000..]].concat();
        let longest = Longest::of(&old, &new).unwrap();
        let expected = [
            Run { new: 0, old: 2000, len: 1000 },
            Run { new: 1000, old: 0, len: 2000 },
            Run { new: 3000, old: 3000, len: 1000 },
        ];
        assert_eq!(runs(&old, &new, &longest, Prices::DENSE), expected);
    }
}
