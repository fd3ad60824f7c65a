//! What the core asked for and no request carries yet, and how neighbours become one request.

use release::{layout::Layout, merkle::BLOCK};
use std::{collections::BTreeMap, ops::Range};

/// Longest range of one request, in bytes of the file.
pub(super) const RUN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes between two pieces that are read over rather than asked around.
const GAP_MAX: u64 = 2 * BLOCK as u64;

/// Blocks of a piece that the core wants under one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) fetch: u64,
    pub(crate) piece: u32,
    pub(crate) blocks: Range<u32>,
}

/// A fetch as a range of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) fetch: u64,
    pub(super) piece: u32,
    pub(super) file: usize,
    /// Offsets in the file.
    pub(super) range: Range<u64>,
    /// Where the piece begins in the file.
    pub(super) piece_start: u64,
}

impl Part {
    /// `None` for blocks that the piece does not have.
    pub(super) fn new(layout: &Layout, fetch: &Fetch) -> Option<Self> {
        let piece = layout.piece(fetch.piece);
        let at = |block: u32| u64::from(piece.length).min(u64::from(block) * u64::from(BLOCK));
        let range = piece.offset + at(fetch.blocks.start)..piece.offset + at(fetch.blocks.end);
        (!range.is_empty()).then_some(Self {
            fetch: fetch.fetch,
            piece: fetch.piece,
            file: piece.file,
            range,
            piece_start: piece.offset,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By place in the release.
    parts: BTreeMap<(usize, u64, u64), Part>,
    /// Places by age; the oldest is the most urgent.
    order: BTreeMap<u64, (usize, u64, u64)>,
    bytes: u64,
}

impl Queue {
    pub(super) fn push(&mut self, part: Part) {
        let key = (part.file, part.range.start, part.fetch);
        self.bytes += part.bytes();
        self.order.insert(part.fetch, key);
        self.parts.insert(key, part);
    }

    pub(super) fn remove(&mut self, fetch: u64) -> Option<Part> {
        let part = self.parts.remove(&self.order.remove(&fetch)?)?;
        self.bytes -= part.bytes();
        Some(part)
    }

    /// Fetches, the oldest first.
    pub(super) fn by_age(&self) -> Vec<u64> {
        self.order.keys().copied().collect()
    }

    pub(super) fn get(&self, fetch: u64) -> Option<&Part> {
        self.parts.get(self.order.get(&fetch)?)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `fetch` and those beside it in its file that `may` come along, at most `limit` bytes unless it alone has
    /// more; in the order of the file.
    pub(super) fn take_run(&mut self, fetch: u64, limit: u64, may: impl Fn(&Part) -> bool) -> Vec<Part> {
        let Some(first) = self.remove(fetch) else { return Vec::new() };
        let limit = limit.min(RUN_BYTES_MAX);
        let (file, mut range) = (first.file, first.range.clone());
        let mut run = std::collections::VecDeque::from([first]);
        let fits = |range: &Range<u64>| range.end - range.start <= limit;
        while let Some(after) =
            self.parts.range((file, range.end, 0)..=(file, range.end + GAP_MAX, u64::MAX)).next()
        {
            let longer = range.start..after.1.range.end;
            if !fits(&longer) || !may(after.1) {
                break;
            }
            let fetch = after.1.fetch;
            range = longer;
            run.extend(self.remove(fetch));
        }
        while let Some(before) = self.parts.range((file, 0, 0)..(file, range.start, 0)).next_back() {
            let longer = before.1.range.start..range.end;
            let near = before.1.range.end <= range.start && range.start - before.1.range.end <= GAP_MAX;
            if !near || !fits(&longer) || !may(before.1) {
                break;
            }
            let fetch = before.1.fetch;
            range = longer;
            if let Some(part) = self.remove(fetch) {
                run.push_front(part);
            }
        }
        run.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = 64 * 1024;

    fn queue(pieces: &[u64]) -> Queue {
        let mut queue = Queue::default();
        for (age, piece) in pieces.iter().enumerate() {
            queue.push(Part {
                fetch: age as u64,
                piece: *piece as u32,
                file: (*piece / 100) as usize,
                range: piece * PIECE..(piece + 1) * PIECE,
                piece_start: piece * PIECE,
            });
        }
        queue
    }

    fn check(pieces: &[u64], fetch: u64, limit: u64, expected: &[u32]) {
        let mut queue = queue(pieces);
        let run: Vec<u32> = queue.take_run(fetch, limit, |_| true).iter().map(|part| part.piece).collect();
        assert_eq!(run, expected, "{pieces:?} from {fetch}");
        let left = (pieces.len() - expected.len()) as u64;
        assert_eq!((queue.bytes(), queue.by_age().len() as u64), (left * PIECE, left));
    }

    #[test]
    fn neighbours_of_one_file_travel_together_within_bounds() {
        check(&[5, 7, 6, 9], 0, u64::MAX, &[5, 6, 7]);
        check(&[6, 5, 7, 4], 0, u64::MAX, &[4, 5, 6, 7]);
        check(&[6, 5, 7, 4], 0, 2 * PIECE, &[6, 7]);
        check(&[6, 5, 7], 0, 1, &[6]);
        check(&[99, 100], 0, u64::MAX, &[99]);
        check(&[5, 8], 0, u64::MAX, &[5]);
        let long: Vec<u64> = (0..90).collect();
        check(&long, 0, u64::MAX, &(0..90).collect::<Vec<u32>>());
        assert_eq!(RUN_BYTES_MAX / PIECE, 256);
        // A fetch that is not there any more takes nobody along.
        check(&[5, 6], 9, u64::MAX, &[]);
    }

    #[test]
    fn a_small_gap_is_read_over_and_a_large_one_is_not() {
        for (gap, together) in [(GAP_MAX, 2), (GAP_MAX + 1, 1)] {
            let mut queue = queue(&[0]);
            queue.push(Part {
                fetch: 1,
                piece: 1,
                file: 0,
                range: PIECE + gap..2 * PIECE,
                piece_start: PIECE,
            });
            assert_eq!(queue.take_run(0, u64::MAX, |_| true).len(), together);
            let mut queue = self::queue(&[]);
            queue.push(Part { fetch: 0, piece: 0, file: 0, range: 0..10, piece_start: 0 });
            queue.push(Part { fetch: 1, piece: 1, file: 0, range: 10 + gap..PIECE, piece_start: 10 + gap });
            assert_eq!(queue.take_run(1, u64::MAX, |_| true).len(), together);
        }
    }

    #[test]
    fn who_may_not_come_along_stays() {
        let mut queue = queue(&[5, 6, 7]);
        assert_eq!(queue.take_run(0, u64::MAX, |part| part.piece != 6).len(), 1);
        assert_eq!(queue.by_age(), [1, 2]);
    }
}
