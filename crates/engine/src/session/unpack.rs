//! What a peer sent packed becomes blocks again, which then go the way of all blocks: hashed, written, judged.
//!
//! Messages of one connection are unpacked in their order, on the disk threads, as exactly the bytes that their blocks
//! have: one byte more or less is a lie and ends what can be made of the stream. Its window is bounded by the format,
//! and so are the windows that all connections together keep: who comes too late for a place is told that we are lost,
//! and sends frames of their own.

use super::{
    disk::{Block, Pool, Writes},
    happening::Happening,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use swarm::{
    PackedBlock, PeerKey,
    wire::{PACKED_WINDOW_LOG, Packing},
};
use tokio::sync::mpsc;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

/// Streams that are kept at once, 4.3 MiB each.
const STREAMS_MAX: usize = 6;
/// A stream on which nothing came for so long makes room for another.
const REST: Duration = Duration::from_secs(10);

/// A message of packed blocks.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) packing: Packing,
    pub(crate) blocks: Vec<PackedBlock>,
    pub(crate) data: Bytes,
}

impl Message {
    /// Those that somebody waits for.
    pub(crate) fn wanted(&self) -> Vec<(u32, u32)> {
        let wanted = self.blocks.iter().filter(|block| block.wanted);
        wanted.map(|block| (block.piece, block.block)).collect()
    }

    fn length(&self) -> usize {
        self.blocks.iter().map(|block| block.length as usize).sum()
    }
}

/// The places for streams of one session.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Those that have one, with when something came last.
    taken: Mutex<Vec<(Weak<Unpacker>, Instant)>>,
}

impl Places {
    /// Whether there is a place for this one, who may have it already.
    fn take(&self, who: &Arc<Unpacker>, now: Instant) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|(other, _)| other.strong_count() > 0);
        if let Some((_, at)) = taken.iter_mut().find(|(other, _)| other.as_ptr() == Arc::as_ptr(who)) {
            *at = now;
            return true;
        }
        if taken.len() >= STREAMS_MAX {
            let oldest = taken.iter().enumerate().min_by_key(|(_, (_, at))| *at);
            let Some((oldest, (other, at))) = oldest else { return false };
            if now.duration_since(*at) < REST || !other.upgrade().is_none_or(|other| other.forget()) {
                return false;
            }
            taken.swap_remove(oldest);
        }
        taken.push((Arc::downgrade(who), now));
        true
    }
}

/// One connection's unpacking.
#[derive(Debug)]
pub(crate) struct Unpacker {
    peer: PeerKey,
    pool: Pool,
    writes: Writes,
    places: Arc<Places>,
    done: mpsc::UnboundedSender<Happening>,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    /// A thread is at them.
    busy: bool,
    /// While no thread is.
    stream: Option<DCtx<'static>>,
    /// It sent what cannot be: nothing more of it is looked at.
    false_from: bool,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("messages", &self.messages.len()).field("busy", &self.busy).finish()
    }
}

/// Why a message gave no blocks.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    /// It is not the bytes of its blocks.
    False,
    /// It goes on from what was not kept.
    Lost,
}

impl Unpacker {
    pub(crate) fn new(
        peer: PeerKey,
        pool: Pool,
        writes: Writes,
        places: Arc<Places>,
        done: mpsc::UnboundedSender<Happening>,
    ) -> Arc<Self> {
        Arc::new(Self { peer, pool, writes, places, done, inbox: Mutex::default() })
    }

    /// Takes a message; each wanted block of it will be answered for.
    pub(crate) fn push(self: &Arc<Self>, message: Message) {
        let mut inbox = self.lock();
        inbox.messages.push_back(message);
        if !std::mem::replace(&mut inbox.busy, true) {
            drop(inbox);
            let this = Arc::clone(self);
            self.pool.run(move || this.work());
        }
    }

    /// Unpacks until nothing waits.
    fn work(self: Arc<Self>) {
        let mut stream = self.lock().stream.take();
        loop {
            let mut inbox = self.lock();
            let Some(message) = inbox.messages.pop_front() else {
                (inbox.busy, inbox.stream) = (false, stream);
                return;
            };
            let refused = inbox.false_from;
            drop(inbox);
            let unpacked = if refused { Err(Failed::False) } else { self.unpack(&mut stream, &message) };
            match unpacked {
                Ok(data) => self.write(&message, &data),
                Err(failed) => self.tell_failed(&failed, &message),
            }
        }
    }

    fn unpack(
        self: &Arc<Self>,
        stream: &mut Option<DCtx<'static>>,
        message: &Message,
    ) -> Result<Bytes, Failed> {
        match message.packing {
            Packing::Alone => return alone(&message.data, message.length()),
            Packing::Begin => {
                *stream = None;
                *stream = self.places.take(self, Instant::now()).then(begin).flatten();
            }
            Packing::Next => {
                if stream.is_some() {
                    self.places.take(self, Instant::now());
                }
            }
        }
        let context = stream.as_mut().ok_or(Failed::Lost)?;
        next(context, &message.data, message.length())
    }

    fn write(&self, message: &Message, data: &Bytes) {
        let mut at = 0;
        let mut blocks = Vec::with_capacity(message.blocks.len());
        for PackedBlock { piece, block, length, wanted } in &message.blocks {
            let end = at + *length as usize;
            if *wanted {
                blocks.push(Block { piece: *piece, block: *block, data: data.slice(at..end) });
            }
            at = end;
        }
        self.writes.push(&mut blocks);
    }

    fn tell_failed(&self, failed: &Failed, message: &Message) {
        let (peer, blocks) = (self.peer, message.wanted());
        let happening = match failed {
            Failed::False => {
                self.lock().false_from = true;
                Happening::PackedFalse { peer, blocks }
            }
            Failed::Lost => Happening::PackedLost { peer, blocks },
        };
        // An actor that has ended needs no answer.
        let _ = self.done.send(happening);
    }

    /// Gives the stream up, unless it is in use.
    fn forget(&self) -> bool {
        let mut inbox = self.lock();
        let idle = !inbox.busy;
        if idle {
            inbox.stream = None;
        }
        idle
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing is unpacked under the lock, so it is never left half changed.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame of its own, of so many bytes.
fn alone(data: &[u8], length: usize) -> Result<Bytes, Failed> {
    let mut out = vec![0; length];
    match zstd::bulk::decompress_to_buffer(data, &mut out) {
        Ok(there) if there == length => Ok(out.into()),
        _ => Err(Failed::False),
    }
}

/// A context for a stream, with the largest window there may be.
fn begin() -> Option<DCtx<'static>> {
    let mut context = DCtx::try_create()?;
    context.set_parameter(DParameter::WindowLogMax(PACKED_WINDOW_LOG)).ok()?;
    Some(context)
}

/// The next so many bytes of a stream, which must be all that there are in `data`.
fn next(context: &mut DCtx<'static>, data: &[u8], length: usize) -> Result<Bytes, Failed> {
    let mut out = vec![0; length];
    let mut input = InBuffer::around(data);
    let mut there = 0;
    while there < length || input.pos() < data.len() {
        let before = (there, input.pos());
        let mut output = OutBuffer::around(&mut out[there..]);
        context.decompress_stream(&mut output, &mut input).map_err(|_| Failed::False)?;
        there += output.pos();
        if (there, input.pos()) == before {
            return Err(Failed::False);
        }
    }
    // What did not fit would still wait inside.
    let mut more = [0; 1];
    let mut output = OutBuffer::around(&mut more[..]);
    context.decompress_stream(&mut output, &mut InBuffer::around(&[])).map_err(|_| Failed::False)?;
    if output.pos() > 0 { Err(Failed::False) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests;
