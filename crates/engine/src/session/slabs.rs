//! Buffers that sockets are read into, used again once the blocks that lay in them are on the disk.
//!
//! A block is never copied between the socket and the disk, so its buffer is in use until it is
//! written; asking the system for a new one each time would cost more than hashing a quarter of it.
//! Invariant: a buffer that is handed out has the room that was asked for, none of it in use.

use bytes::BytesMut;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Bytes of a buffer while there are few connections: a dozen blocks. Fewer, larger reads wake fewer threads.
const LARGE: usize = 256 * 1024;
/// The same once there are more than [`FEW`]: a single block that waits for the disk keeps all of its buffer.
const SMALL: usize = 64 * 1024;
const FEW: usize = 8;
/// Room left behind a read, so that the rest of a block fits. The few messages that are longer get a buffer of
/// their own.
const MESSAGE_MAX: usize = 16 * 1024 + 64;
/// Buffers that wait to be used again: 8 MiB.
const KEPT_MAX: usize = 32;
/// Buffers that are looked at for one whose blocks are written. The oldest come first.
const LOOKED_AT_MAX: usize = 4;
/// A buffer that was in use so often when looked at is dropped: it is too small, or held by a queue.
const LOOKS_MAX: u32 = 1_000;

/// The buffers of a session.
#[derive(Debug, Default)]
pub(crate) struct Slabs {
    /// With how often they were looked at in vain.
    used: Mutex<VecDeque<(BytesMut, u32)>>,
    connections: AtomicUsize,
}

/// A connection that is counted until it ends.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a Slabs);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slabs {
    /// Counts one connection more.
    pub(crate) fn count(&self) -> Counted<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    fn size(&self) -> usize {
        if self.connections.load(Ordering::Relaxed) > FEW { SMALL } else { LARGE }
    }

    /// Makes room in `buffer`, which holds the beginning of a message or nothing, and says for how many
    /// bytes of a read.
    pub(crate) fn make_room(&self, buffer: &mut BytesMut) -> u32 {
        let size = self.size();
        if buffer.len() > MESSAGE_MAX && room(buffer) < size / 4 {
            // A long message is coming, such as the pieces of a peer among a million.
            buffer.reserve(size);
        } else if room(buffer) < size / 4 {
            let mut slab = self.take(size);
            slab.extend_from_slice(buffer);
            self.give_back(std::mem::replace(buffer, slab));
        }
        u32::try_from(room(buffer).min(size - MESSAGE_MAX)).unwrap_or(u32::MAX)
    }

    /// Takes the buffer of a connection on which nothing comes, unless blocks in it are on their way.
    pub(crate) fn rest(&self, buffer: &mut BytesMut) {
        let whole = if buffer.capacity() > SMALL { LARGE } else { SMALL };
        if buffer.is_empty() && buffer.try_reclaim(whole) {
            self.give_back(std::mem::take(buffer));
        }
    }

    /// Takes a buffer in that is not read into any more. Blocks may still lie in it.
    pub(crate) fn give_back(&self, mut buffer: BytesMut) {
        let mut used = self.lock();
        if buffer.capacity() > 0 && used.len() < KEPT_MAX {
            buffer.clear();
            used.push_back((buffer, 0));
        }
    }

    fn take(&self, size: usize) -> BytesMut {
        let mut used = self.lock();
        for _ in 0..LOOKED_AT_MAX {
            let Some((mut slab, looks)) = used.pop_front() else { break };
            if slab.try_reclaim(size) {
                // Larger ones are from when there were few connections.
                if slab.capacity() < 2 * size {
                    return slab;
                }
            } else if looks < LOOKS_MAX {
                used.push_back((slab, looks + 1));
            }
        }
        drop(used);
        BytesMut::with_capacity(size)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(BytesMut, u32)>> {
        // A queue of buffers is never half changed.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much may be read into the buffer so that the rest of any message still fits behind it.
fn room(buffer: &BytesMut) -> usize {
    (buffer.capacity() - buffer.len()).saturating_sub(MESSAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: usize = LARGE - MESSAGE_MAX;

    #[test]
    fn a_buffer_is_used_again_only_when_all_that_lay_in_it_is_gone() {
        let slabs = Slabs::default();
        let mut buffer = BytesMut::new();
        assert_eq!(slabs.make_room(&mut buffer) as usize, READ);
        buffer.resize(READ, 7);
        let place = buffer.as_ptr();
        let block = buffer.split_to(READ - 10).freeze();
        slabs.make_room(&mut buffer);
        assert_eq!(&buffer[..], [7; 10], "the beginning of a message moves along");
        assert_ne!(buffer.as_ptr(), place, "a block lies in the first buffer");
        assert!(block.iter().all(|byte| *byte == 7));
        drop(block);
        buffer.resize(READ, 7);
        buffer.clear();
        let mut other = BytesMut::new();
        slabs.make_room(&mut other);
        assert_eq!(other.as_ptr(), place, "the block is gone");
    }

    #[test]
    fn a_connection_on_which_nothing_comes_holds_no_buffer() {
        let slabs = Slabs::default();
        let mut buffer = BytesMut::new();
        slabs.make_room(&mut buffer);
        buffer.extend_from_slice(&[1; 9]);
        let message = buffer.split_to(9).freeze();
        slabs.rest(&mut buffer);
        assert!(buffer.capacity() > 0, "the message is on its way");
        drop(message);
        slabs.rest(&mut buffer);
        assert_eq!((buffer.capacity(), slabs.lock().len()), (0, 1));
    }

    #[test]
    fn no_more_buffers_are_kept_than_allowed() {
        let slabs = Slabs::default();
        (0..2 * KEPT_MAX).for_each(|_| slabs.give_back(BytesMut::with_capacity(LARGE)));
        assert_eq!(slabs.lock().len(), KEPT_MAX);
    }

    #[test]
    fn a_message_longer_than_a_buffer_has_room_to_come() {
        let slabs = Slabs::default();
        let counted: Vec<Counted<'_>> = (0..=FEW).map(|_| slabs.count()).collect();
        let mut buffer = BytesMut::new();
        while buffer.len() < 3 * LARGE {
            let read = slabs.make_room(&mut buffer) as usize;
            assert!(read > 0, "after {} bytes", buffer.len());
            buffer.resize(buffer.len() + read, 5);
        }
        assert!(buffer.iter().all(|byte| *byte == 5));
        drop(counted);
    }

    #[test]
    fn many_connections_have_small_buffers_each() {
        let slabs = Slabs::default();
        slabs.give_back(BytesMut::with_capacity(LARGE));
        let counted: Vec<Counted<'_>> = (0..=FEW).map(|_| slabs.count()).collect();
        let mut buffer = BytesMut::new();
        assert_eq!(slabs.make_room(&mut buffer) as usize, SMALL - MESSAGE_MAX);
        assert!(buffer.capacity() < LARGE && slabs.lock().is_empty(), "the large one is not kept for them");
        drop(counted);
        assert_eq!(slabs.size(), LARGE);
    }
}
