//! The leaves that are missing: how they are found, and which pieces they make whole.

use crate::{error::Result, staging::Staging};
use release::{
    hash::Hash32,
    leaves::{FileLeaves, Leaf},
    merkle::BLOCK,
    rolling::Finder,
};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Bytes written into staging between two flushes. They came from the disk: to find them again costs no network.
const FLUSH_BYTES: u64 = 64 * 1024 * 1024;

/// See the module. Leaves are numbered through, content after content.
pub(super) struct Wanted<'a> {
    staging: &'a Staging,
    piece_length: u64,
    contents: Vec<Content>,
    finder: Finder,
    /// Numbers of the leaves that were missing at the beginning, by hash.
    by_hash: Vec<u32>,
    missing: AtomicU64,
    unflushed: AtomicU64,
    written: AtomicU64,
    filled: AtomicU64,
}

/// A content of which something is missing.
struct Content {
    root: Hash32,
    size: u64,
    /// Number of its first leaf.
    first: u32,
    leaves: Vec<Leaf>,
    per_piece: usize,
    /// Per leaf: it is staged.
    here: Vec<AtomicBool>,
    /// Per piece: how many of its leaves are not staged; none where it was whole at the beginning.
    lacking: Vec<AtomicU32>,
    /// Per piece: it was missing at the beginning.
    wanted: Vec<bool>,
}

/// A leaf by its content's and its own index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    content: usize,
    index: usize,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(files: Vec<FileLeaves>, piece_length: u32, staging: &'a Staging) -> Self {
        let (mut contents, mut first) = (Vec::with_capacity(files.len()), 0_u32);
        for file in files {
            // A side file has fewer leaves than its bound in bytes.
            let count = file.leaves.len() as u32;
            contents.push(Content::new(file, first, piece_length, staging));
            first += count;
        }
        let mut by_hash = Vec::new();
        let mut known = Vec::new();
        for content in &contents {
            let missing = (0..content.leaves.len()).filter(|index| content.is_wanted(*index));
            by_hash.extend(missing.map(|index| content.first + index as u32));
            known.extend(content.to_find());
        }
        let mut this = Self {
            staging,
            piece_length: u64::from(piece_length),
            contents,
            finder: Finder::new([]),
            missing: AtomicU64::new(by_hash.len() as u64),
            by_hash: Vec::new(),
            unflushed: AtomicU64::new(0),
            written: AtomicU64::new(0),
            filled: AtomicU64::new(0),
        };
        by_hash.sort_unstable_by_key(|number| this.leaf(this.spot(*number)).hash);
        // Of equal leaves one is enough: all of them are filled when it is found.
        known.sort_unstable_by_key(|number| (this.leaf(this.spot(*number)).hash, *number));
        known.dedup_by_key(|number| this.leaf(this.spot(*number)).hash);
        this.finder = Finder::new(known.iter().map(|number| (this.leaf(this.spot(*number)).weak, *number)));
        this.by_hash = by_hash;
        this
    }

    pub(super) fn finder(&self) -> &Finder {
        &self.finder
    }

    /// Nothing is missing any more.
    pub(super) fn is_done(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    /// Bytes written, and bytes in pieces that became whole.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.written.load(Ordering::Relaxed), self.filled.load(Ordering::Relaxed))
    }

    /// The leaf with this number.
    pub(super) fn spot(&self, number: u32) -> Spot {
        let content = self.contents.partition_point(|content| content.first <= number) - 1;
        Spot { content, index: (number - self.contents[content].first) as usize }
    }

    pub(super) fn leaf(&self, spot: Spot) -> &Leaf {
        &self.contents[spot.content].leaves[spot.index]
    }

    pub(super) fn length(&self, spot: Spot) -> usize {
        self.contents[spot.content].length(spot.index)
    }

    /// The leaf behind, if its content has one that was missing at the beginning.
    pub(super) fn next(&self, spot: Spot) -> Option<Spot> {
        let next = Spot { index: spot.index + 1, ..spot };
        let content = &self.contents[spot.content];
        (next.index < content.leaves.len() && content.is_wanted(next.index)).then_some(next)
    }

    /// The leaf before, if it is still missing and can only be found as a neighbour.
    pub(super) fn before(&self, spot: Spot) -> Option<Spot> {
        let before = Spot { index: spot.index.checked_sub(1)?, ..spot };
        let content = &self.contents[spot.content];
        let lost = !content.is_findable(before.index) && content.is_wanted(before.index);
        (lost && !content.here[before.index].load(Ordering::Relaxed)).then_some(before)
    }

    /// Writes a leaf, whose hash this is, to every place that lacks it.
    pub(super) fn take(&self, hash: &Hash32, bytes: &[u8]) -> Result<()> {
        let hash_of = |number: &u32| &self.leaf(self.spot(*number)).hash;
        let start = self.by_hash.partition_point(|number| hash_of(number) < hash);
        let same = self.by_hash[start..].partition_point(|number| hash_of(number) == hash);
        let equal = &self.by_hash[start..start + same];
        // All of them were filled with the first, which may be another thread's work of this moment.
        if equal.last().is_none_or(|last| self.is_here(self.spot(*last))) {
            return Ok(());
        }
        equal.iter().try_for_each(|number| self.put(self.spot(*number), bytes))
    }

    fn is_here(&self, spot: Spot) -> bool {
        self.contents[spot.content].here[spot.index].load(Ordering::Relaxed)
    }

    fn put(&self, spot: Spot, bytes: &[u8]) -> Result<()> {
        if self.is_here(spot) {
            return Ok(());
        }
        let content = &self.contents[spot.content];
        let offset = spot.index as u64 * u64::from(BLOCK);
        self.staging.write_at(&content.root, offset, bytes)?;
        // Two threads may have written the same bytes; one of them counts.
        if content.here[spot.index].swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.missing.fetch_sub(1, Ordering::Relaxed);
        let piece = offset / self.piece_length;
        // Whoever brings the last leaf sees that all others were written before.
        if content.lacking[piece as usize].fetch_sub(1, Ordering::AcqRel) == 1 {
            let start = piece * self.piece_length;
            let length = self.piece_length.min(content.size - start);
            self.staging.verified(&content.root, start, length);
            self.filled.fetch_add(length, Ordering::Relaxed);
        }
        let bytes = bytes.len() as u64;
        if self.unflushed.fetch_add(bytes, Ordering::Relaxed) + bytes >= FLUSH_BYTES {
            self.unflushed.store(0, Ordering::Relaxed);
            self.staging.flush()?;
        }
        Ok(())
    }
}

impl Content {
    fn new(file: FileLeaves, first: u32, piece_length: u32, staging: &Staging) -> Self {
        let FileLeaves { pieces_root: root, size, leaves } = file;
        let length = u64::from(piece_length);
        let mut lacking = Vec::new();
        for piece in 0..size.div_ceil(length) {
            let bytes = length.min(size - piece * length);
            let whole = staging.has(&root, piece * length, bytes);
            lacking.push(if whole { 0 } else { bytes.div_ceil(u64::from(BLOCK)) as u32 });
        }
        let wanted: Vec<bool> = lacking.iter().map(|lacking| *lacking > 0).collect();
        let per_piece = (piece_length / BLOCK) as usize;
        let here = (0..leaves.len()).map(|index| AtomicBool::new(!wanted[index / per_piece])).collect();
        let lacking = lacking.into_iter().map(AtomicU32::new).collect();
        Self { root, size, first, leaves, per_piece, here, lacking, wanted }
    }

    fn is_wanted(&self, index: usize) -> bool {
        self.wanted[index / self.per_piece]
    }

    fn length(&self, index: usize) -> usize {
        let offset = index as u64 * u64::from(BLOCK);
        (self.size - offset).min(u64::from(BLOCK)) as usize
    }

    /// Whole, and known by its weak hash.
    fn is_findable(&self, index: usize) -> bool {
        self.leaves[index].weak != 0 && self.length(index) == BLOCK as usize
    }

    /// Leaves to look for: those that are missing, and the neighbours of missing ones that cannot be looked for.
    fn to_find(&self) -> impl Iterator<Item = u32> {
        let lost =
            |index: usize| index < self.leaves.len() && self.is_wanted(index) && !self.is_findable(index);
        let worth = move |index: &usize| {
            let beside = lost(index + 1) || index.checked_sub(1).is_some_and(lost);
            self.is_findable(*index) && (self.is_wanted(*index) || beside)
        };
        (0..self.leaves.len()).filter(worth).map(|index| self.first + index as u32)
    }
}
