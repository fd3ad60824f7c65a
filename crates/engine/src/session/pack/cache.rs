//! Frames that were packed for one peer and may be asked for by the next.

use bytes::Bytes;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes that are kept; those kept longest go first.
const KEPT_MAX: usize = 16 * 1024 * 1024;

/// Which blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The torrent, by the number its content was given.
    pub(super) content: u64,
    pub(super) piece: u32,
    /// The first of them.
    pub(super) block: u32,
}

/// See the module. A frame stays right for as long as its torrent lives: content is verified, and known by its hash.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    frames: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Cache {
    pub(super) fn find(&self, key: Key) -> Option<Bytes> {
        self.lock().frames.get(&key).cloned()
    }

    pub(super) fn keep(&self, key: Key, data: &[u8]) {
        let mut kept = self.lock();
        if data.len() > KEPT_MAX || kept.frames.insert(key, Bytes::copy_from_slice(data)).is_some() {
            return;
        }
        kept.order.push_back(key);
        kept.bytes += data.len();
        while kept.bytes > KEPT_MAX {
            let Some(oldest) = kept.order.pop_front() else { return };
            let gone = kept.frames.remove(&oldest).map_or(0, |data| data.len());
            kept.bytes -= gone;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // At worst a frame is counted that is not there, and the cache holds less than it may.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_longest_goes_when_there_is_too_much() {
        let cache = Cache::default();
        let key = |piece| Key { content: 1, piece, block: 0 };
        let frame = vec![7; 1 << 20];
        (0..17).for_each(|piece| cache.keep(key(piece), &frame));
        assert!(
            cache.find(key(0)).is_none() && cache.find(key(1)).is_some() && cache.find(key(16)).is_some()
        );
        // The same once more, packed twice at the same time, counts once.
        cache.keep(key(16), &frame);
        assert_eq!(cache.lock().bytes, 16 << 20);
        assert!(cache.find(Key { content: 2, piece: 5, block: 0 }).is_none());
    }
}
