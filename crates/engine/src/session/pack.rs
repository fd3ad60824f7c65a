//! Runs of blocks become zstd frames on their way to a peer of ours.
//!
//! For a few peers each has a stream of its own, in which later blocks refer to what went before; where many want the
//! same, frames stand alone and what was packed for one is kept for the next. What does not get smaller is found out
//! from a sample, remembered by file, and sent plain. Levels follow the time that packing takes beside everything else
//! ([`pace`]). Invariant: streams and kept frames together stay within [`STREAMS_MAX`] and [`cache`]'s bound.

mod cache;
mod pace;

use cache::{Cache, Key};
pub(super) use pace::{Pace, Step};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use swarm::wire::{PACKED_WINDOW_LOG, Packing};
use tokio::sync::Semaphore;
use zstd::zstd_safe::{
    CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, compress_bound, zstd_sys::ZSTD_EndDirective,
};

/// Streams to peers at once: about 14 MiB each at the highest level.
const STREAMS_MAX: usize = 4;
/// What a frame may be of its content and still be worth it: 31 of 32.
const WORTH: (usize, usize) = (31, 32);
/// The smallest window of a stream, as a power of two.
const WINDOW_LOG_MIN: u32 = 17;
/// Of so many bytes of one file a sample is taken first.
const SAMPLED_FROM: usize = 32 * 1024;
const SAMPLE: usize = 8 * 1024;
const SAMPLE_LEVEL: i32 = 1;
/// After so many vain samples in a row the next are 2, 4, 8 … runs apart, and this many at most.
const VAIN_SKIP_MAX: u32 = 6;

/// What all connections of a session share.
#[derive(Debug)]
pub(crate) struct Packs {
    /// No more pack at once than leaves a core for everything else.
    turns: Arc<Semaphore>,
    streams: AtomicUsize,
    cache: Cache,
    next_content: AtomicU64,
}

impl Default for Packs {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Arc::new(Semaphore::new((cores - 1).max(1))),
            streams: AtomicUsize::new(0),
            cache: Cache::default(),
            next_content: AtomicU64::new(0),
        }
    }
}

/// What is known of one torrent's content.
#[derive(Debug)]
pub(crate) struct Content {
    number: u64,
    /// Of streams, as a power of two: no larger than all there is.
    window_log: u32,
    files: Mutex<HashMap<usize, Samples>>,
}

impl Content {
    /// Of a torrent that was not seen yet, with so many bytes.
    pub(crate) fn new(packs: &Packs, bytes: u64) -> Arc<Self> {
        let number = packs.next_content.fetch_add(1, Ordering::Relaxed);
        let window_log = bytes.max(1).ilog2().saturating_add(1).clamp(WINDOW_LOG_MIN, PACKED_WINDOW_LOG);
        Arc::new(Self { number, window_log, files: Mutex::default() })
    }

    fn files(&self) -> MutexGuard<'_, HashMap<usize, Samples>> {
        // Entries are replaced as a whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How samples of a file went.
#[derive(Debug, Default, Clone, Copy)]
struct Samples {
    /// In vain, in a row.
    vain: u32,
    /// Runs until the next.
    skip: u32,
}

impl Samples {
    fn in_vain(&mut self) {
        self.vain = (self.vain + 1).min(VAIN_SKIP_MAX);
        self.skip = (1 << self.vain) - 1;
    }
}

/// One connection's packing.
#[derive(Debug)]
pub(super) struct Packer {
    packs: Arc<Packs>,
    content: Arc<Content>,
    stream: Option<Stream>,
    /// How hard, until somebody says otherwise.
    pub(super) step: Step,
}

struct Stream {
    context: CCtx<'static>,
    step: Step,
    begun: bool,
    _place: StreamPlace,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("step", &self.step).field("begun", &self.begun).finish_non_exhaustive()
    }
}

/// One of the places for streams, free again when dropped.
#[derive(Debug)]
struct StreamPlace(Arc<Packs>);

impl StreamPlace {
    fn take(packs: &Arc<Packs>) -> Option<Self> {
        let more = |taken: usize| (taken < STREAMS_MAX).then_some(taken + 1);
        let taken = packs.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Self(Arc::clone(packs)))
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Blocks to be packed together.
pub(super) struct Group<'a> {
    /// Their bytes, in order.
    pub(super) parts: Vec<&'a [u8]>,
    /// Piece and first block, if it is all of what is packed together for everybody.
    pub(super) shared: Option<(u32, u32)>,
    /// They may continue the stream.
    pub(super) solid: bool,
}

impl Group<'_> {
    fn length(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

/// What was made of a group.
pub(super) struct Packed {
    pub(super) packing: Packing,
    pub(super) data: Vec<u8>,
}

impl Packer {
    pub(super) fn new(packs: &Arc<Packs>, content: &Arc<Content>) -> Self {
        Self {
            packs: Arc::clone(packs),
            content: Arc::clone(content),
            stream: None,
            step: Pace::default().step(),
        }
    }

    /// Whether these bytes of a file are worth packing.
    pub(super) fn is_worth(&self, file: usize, bytes: &[u8]) -> bool {
        if bytes.len() < SAMPLED_FROM {
            return self.content.files().get(&file).is_none_or(|samples| samples.vain == 0);
        }
        let mut samples = self.content.files().get(&file).copied().unwrap_or_default();
        let worth = if samples.skip > 0 {
            samples.skip -= 1;
            false
        } else {
            let at = (bytes.len() - SAMPLE) / 2;
            let sample = zstd::bulk::compress(&bytes[at..at + SAMPLE], SAMPLE_LEVEL);
            let worth = sample.is_ok_and(|packed| is_less(packed.len(), SAMPLE));
            if worth {
                samples = Samples::default()
            } else {
                samples.in_vain()
            }
            worth
        };
        self.content.files().insert(file, samples);
        worth
    }

    /// Packs a group; `None`: it is to be sent plain.
    pub(super) fn pack(&mut self, group: &Group<'_>) -> Option<Packed> {
        let step = self.step;
        step.level()?;
        if group.solid
            && let Some(packed) = self.continue_stream(group, step)
        {
            return Some(packed);
        }
        let key = group.shared.map(|(piece, block)| Key { content: self.content.number, piece, block });
        if let Some(data) = key.and_then(|key| self.packs.cache.find(key)) {
            return Some(Packed { packing: Packing::Alone, data: data.to_vec() });
        }
        let data = alone(group, step).filter(|data| is_less(data.len(), group.length()))?;
        if let Some(key) = key {
            self.packs.cache.keep(key, &data);
        }
        Some(Packed { packing: Packing::Alone, data })
    }

    /// The next part of the stream, which is begun if there is none or its level is another; `None` if there is no place.
    fn continue_stream(&mut self, group: &Group<'_>, step: Step) -> Option<Packed> {
        if self.stream.as_ref().is_some_and(|stream| stream.step != step) {
            self.stream = None;
        }
        if self.stream.is_none() {
            let place = StreamPlace::take(&self.packs)?;
            let context = step.context(Some(self.content.window_log))?;
            self.stream = Some(Stream { context, step, begun: false, _place: place });
        }
        let stream = self.stream.as_mut()?;
        let packing = if std::mem::replace(&mut stream.begun, true) { Packing::Next } else { Packing::Begin };
        let data = run(&mut stream.context, group, ZSTD_EndDirective::ZSTD_e_flush);
        if data.is_none() {
            // What it remembers the peer will not hear: the next begins anew.
            self.stream = None;
        }
        Some(Packed { packing, data: data? })
    }

    /// Nothing goes to the peer for now: its stream makes room for another's.
    pub(super) fn rest(&mut self) {
        self.stream = None;
    }

    /// Whose turn it is to pack.
    pub(super) fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.packs.turns)
    }

    pub(super) fn has_stream(&self) -> bool {
        self.stream.is_some()
    }
}

fn is_less(packed: usize, content: usize) -> bool {
    packed * WORTH.1 < content * WORTH.0
}

fn alone(group: &Group<'_>, step: Step) -> Option<Vec<u8>> {
    let mut context = step.context(None)?;
    context.set_pledged_src_size(Some(group.length() as u64)).ok()?;
    run(&mut context, group, ZSTD_EndDirective::ZSTD_e_end)
}

/// Packs all of a group and flushes or ends the frame; `None` if zstd cannot.
fn run(context: &mut CCtx<'_>, group: &Group<'_>, end: ZSTD_EndDirective) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(compress_bound(group.length()) + 64);
    for (at, part) in group.parts.iter().enumerate() {
        let last = at + 1 == group.parts.len();
        let directive = if last { end } else { ZSTD_EndDirective::ZSTD_e_continue };
        let mut input = InBuffer::around(part);
        loop {
            let at = data.len();
            let mut output = OutBuffer::around_pos(&mut data, at);
            let left = context.compress_stream2(&mut output, &mut input, directive).ok()?;
            let done = input.pos() == part.len() && (!last || left == 0);
            if done {
                break;
            }
            if data.len() == data.capacity() {
                data.reserve(compress_bound(group.length()));
            }
        }
    }
    Some(data)
}

impl Step {
    /// A context at this level; for a stream with the window that the receiver is to keep.
    fn context(self, stream_window_log: Option<u32>) -> Option<CCtx<'static>> {
        let level = self.level()?;
        let mut context = CCtx::try_create()?;
        context.reset(ResetDirective::SessionAndParameters).ok()?;
        let mut set = |parameter| context.set_parameter(parameter).ok().map(drop);
        set(CParameter::CompressionLevel(level))?;
        if let Some(window_log) = stream_window_log {
            set(CParameter::WindowLog(window_log))?;
            if level >= TABLES_FROM {
                set(CParameter::HashLog(TABLE_LOG))?;
                set(CParameter::ChainLog(TABLE_LOG))?;
            }
        }
        Some(context)
    }
}

/// From this level on zstd's own tables are larger than we want, in entries of four bytes as a power of two.
const TABLES_FROM: i32 = 6;
const TABLE_LOG: u32 = 20;

#[cfg(test)]
mod tests;
