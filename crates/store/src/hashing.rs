//! Hashing files on the disk, in a few threads, with progress and a way to stop.
//!
//! Memory is bounded: one chunk and one piece's leaves a thread, and the piece layer of each file
//! in work.

use crate::{
    disk::{CHUNK, read_full},
    error::{At, Result, StoreError},
    fs::File,
};
use release::{
    hash::Hash32,
    merkle::{BLOCK, leaf, pieces_root_of_layer, root},
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// Threads that hash unless the caller says otherwise: more would starve a playing game.
pub const THREADS: usize = 2;

/// How far a long piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes dealt with.
    pub bytes_done: u64,
    /// Bytes to deal with.
    pub bytes_total: u64,
    /// Files dealt with.
    pub files_done: u64,
    /// Files to deal with.
    pub files_total: u64,
}

/// How the caller watches and stops long work.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Called from the working threads, at most once a chunk (256 KiB) or file.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Raised by the caller: the work ends with [`StoreError::Cancelled`] within a chunk.
    pub cancel: &'a AtomicBool,
    /// Threads to hash with; 0 counts as 1.
    pub threads: usize,
}

static NEVER: AtomicBool = AtomicBool::new(false);

impl Job<'static> {
    /// Work that nobody watches.
    #[must_use]
    pub fn unwatched() -> Self {
        Self { progress: &|_| (), cancel: &NEVER, threads: THREADS }
    }
}

/// Counts for a [`Job`].
pub(crate) struct Meter<'a> {
    job: &'a Job<'a>,
    bytes: AtomicU64,
    files: AtomicU64,
    total: (u64, u64),
}

impl<'a> Meter<'a> {
    pub(crate) fn new(job: &'a Job<'a>, bytes_total: u64, files_total: u64) -> Self {
        let meter = Self {
            job,
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            total: (bytes_total, files_total),
        };
        meter.tell();
        meter
    }

    pub(crate) fn bytes(&self, bytes: u64) -> Result<()> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
        self.check()
    }

    pub(crate) fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.job.cancel.load(Ordering::Relaxed) { Err(StoreError::Cancelled) } else { Ok(()) }
    }

    fn tell(&self) {
        (self.job.progress)(Progress {
            // A file that grew while it was read must not show more than all.
            bytes_done: self.bytes.load(Ordering::Relaxed).min(self.total.0),
            bytes_total: self.total.0,
            files_done: self.files.load(Ordering::Relaxed).min(self.total.1),
            files_total: self.total.1,
        });
    }

    /// Runs `work` on every item in the job's threads; results in the items' order, or the first
    /// error by time.
    pub(crate) fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let run = || -> Result<Vec<(usize, R)>> {
            let mut done = Vec::new();
            while !failed.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                let result = self.check().and_then(|()| work(item));
                done.push((index, result.inspect_err(|_| failed.store(true, Ordering::Relaxed))?));
                self.file();
            }
            Ok(done)
        };
        let threads = self.job.threads.clamp(1, items.len().max(1));
        let parts: Vec<Result<Vec<(usize, R)>>> = if threads == 1 {
            vec![run()]
        } else {
            std::thread::scope(|scope| {
                let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
                handles
                    .into_iter()
                    .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect()
            })
        };
        let mut all: Vec<(usize, R)> = Vec::with_capacity(items.len());
        for part in parts {
            all.extend(part?);
        }
        all.sort_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, result)| result).collect())
    }
}

/// The shape that a file should have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes of a piece.
    pub(crate) piece_length: u32,
}

impl Shape {
    /// Offset and length of each piece.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (u64, u32)> {
        let length = u64::from(self.piece_length);
        // The length of a piece fits u32: it is at most `piece_length`.
        (0..self.size.div_ceil(length))
            .map(move |piece| (piece * length, (self.size - piece * length).min(length) as u32))
    }

    /// Leaves under the node that stands for a piece of `length` bytes (BEP 52).
    fn leaf_width(self, length: u32) -> usize {
        if self.size > u64::from(self.piece_length) {
            (self.piece_length / BLOCK) as usize
        } else {
            (length.div_ceil(BLOCK) as usize).next_power_of_two()
        }
    }

    /// Hash of the piece whose bytes are given.
    pub(crate) fn piece_hash(self, bytes: &[u8]) -> Hash32 {
        let leaves: Vec<Hash32> = bytes.chunks(BLOCK as usize).map(leaf).collect();
        root(&leaves, self.leaf_width(bytes.len() as u32))
    }

    /// Pieces root of a file from the hashes of all its pieces; `None` when it is empty.
    pub(crate) fn pieces_root(self, pieces: &[Hash32]) -> Option<Hash32> {
        match pieces {
            [] => None,
            [only] => Some(*only),
            layer => Some(pieces_root_of_layer(layer, self.piece_length)),
        }
    }
}

/// Hashes of the pieces of an open file of that shape; `None` where it ends too early.
pub(crate) fn hash_pieces(
    file: &dyn File,
    path: &Path,
    shape: Shape,
    meter: &Meter<'_>,
) -> Result<Vec<Option<Hash32>>> {
    let mut chunk = vec![0; CHUNK.min(usize::try_from(shape.size).unwrap_or(CHUNK))];
    let mut hashes = Vec::new();
    for (offset, length) in shape.pieces() {
        hashes.push(hash_piece(file, path, shape, (offset, length), &mut chunk, meter)?);
    }
    Ok(hashes)
}

fn hash_piece(
    file: &dyn File,
    path: &Path,
    shape: Shape,
    (offset, length): (u64, u32),
    chunk: &mut [u8],
    meter: &Meter<'_>,
) -> Result<Option<Hash32>> {
    let mut leaves = Vec::with_capacity(length.div_ceil(BLOCK) as usize);
    let mut done = 0;
    while done < length {
        let want = chunk.len().min((length - done) as usize);
        let read = read_full(file, &mut chunk[..want], offset + u64::from(done)).at(path)?;
        meter.bytes(want as u64)?;
        if read < want {
            return Ok(None);
        }
        leaves.extend(chunk[..want].chunks(BLOCK as usize).map(leaf));
        done += want as u32;
    }
    Ok(Some(root(&leaves, shape.leaf_width(length))))
}
