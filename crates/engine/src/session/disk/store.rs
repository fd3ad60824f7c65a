//! Blocks of one torrent on their way to the disk: written, hashed, and told of a few at a time.

use super::Pool;
use crate::{
    piece_store::{PieceStore, PieceStoreError},
    session::happening::Happening,
};
use bytes::Bytes;
use release::{
    hash::Hash32,
    merkle::{BLOCK, leaf},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// Blocks written before what came of them is told: 512 KiB.
const AT_ONCE: usize = 32;
/// So many waiting blocks are worth another thread: 1 MiB.
const PER_THREAD: usize = 64;
/// Threads that write one torrent's blocks at most.
const THREADS_MAX: usize = 4;

/// A block that is not verified yet.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) piece: u32,
    pub(crate) block: u32,
    pub(crate) data: Bytes,
}

/// What came of a block: the hash of what was written.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) piece: u32,
    pub(crate) block: u32,
    pub(crate) outcome: Result<Hash32, PieceStoreError>,
}

/// See the module. Cheap to clone. Invariant: a block that waits has a thread that will come to it.
#[derive(Debug, Clone)]
pub(crate) struct Writes {
    pool: Pool,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn PieceStore>,
    done: mpsc::UnboundedSender<Happening>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    blocks: VecDeque<Block>,
    threads: usize,
}

impl Writes {
    pub(crate) fn new(
        pool: Pool,
        store: Arc<dyn PieceStore>,
        done: mpsc::UnboundedSender<Happening>,
    ) -> Self {
        Self { pool, shared: Arc::new(Shared { store, done, queue: Mutex::default() }) }
    }

    /// Takes the blocks; each is answered in a [`Happening::Stored`].
    pub(crate) fn push(&self, blocks: &mut Vec<Block>) {
        let mut queue = self.shared.lock();
        queue.blocks.extend(blocks.drain(..));
        let wanted = queue.blocks.len().div_ceil(PER_THREAD).min(THREADS_MAX);
        let more = wanted.saturating_sub(queue.threads);
        queue.threads += more;
        drop(queue);
        for _ in 0..more {
            let shared = Arc::clone(&self.shared);
            self.pool.run(move || shared.work());
        }
    }
}

impl Shared {
    /// Writes until nothing waits.
    fn work(&self) {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while self.take(&mut batch) {
            let outcomes = batch.drain(..).map(|block| self.write(&block)).collect();
            // An actor that has ended needs no answer.
            let _ = self.done.send(Happening::Stored(outcomes));
        }
    }

    /// The next blocks; false once there are none, and then this thread is not counted any more.
    fn take(&self, batch: &mut Vec<Block>) -> bool {
        let mut queue = self.lock();
        let count = queue.blocks.len().min(AT_ONCE);
        batch.extend(queue.blocks.drain(..count));
        if batch.is_empty() {
            queue.threads -= 1;
        }
        !batch.is_empty()
    }

    fn write(&self, block: &Block) -> Stored {
        let Block { piece, block, data } = block;
        let written = self.store.write(*piece, block * BLOCK, data);
        Stored { piece: *piece, block: *block, outcome: written.map(|()| leaf(data)) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing is written under the lock, so it is never left half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, time::Duration};

    /// A store on which one piece cannot be written.
    #[derive(Debug)]
    struct Memory {
        written: Mutex<BTreeSet<(u32, u32)>>,
        broken: u32,
    }

    impl PieceStore for Memory {
        fn read(&self, _: u32, _: u32, _: u32) -> Result<Vec<u8>, PieceStoreError> {
            Err(PieceStoreError::Absent)
        }

        fn write(&self, piece: u32, begin: u32, _: &[u8]) -> Result<(), PieceStoreError> {
            if piece == self.broken {
                return Err(PieceStoreError::Full { path: "disk".to_owned() });
            }
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert((piece, begin));
            Ok(())
        }

        fn verified(&self, _: u32) {}

        fn flush(&self) -> Result<(), PieceStoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn every_block_is_written_and_answered_once_with_its_hash_or_its_failure() {
        let store = Arc::new(Memory { written: Mutex::default(), broken: 3 });
        let (done, mut told) = mpsc::unbounded_channel();
        let writes = Writes::new(Pool::new(), Arc::<Memory>::clone(&store), done);
        for piece in 0..100 {
            let block = |block| Block { piece, block, data: Bytes::from(vec![piece as u8; 1000]) };
            writes.push(&mut (0..16).map(block).collect());
        }
        let mut answered = BTreeSet::new();
        while answered.len() < 1600 {
            let happening = tokio::time::timeout(Duration::from_secs(10), told.recv()).await;
            let Ok(Some(Happening::Stored(outcomes))) = happening else { panic!("{happening:?}") };
            for Stored { piece, block, outcome } in outcomes {
                assert!(answered.insert((piece, block)), "{piece}/{block} twice");
                assert_eq!(outcome.ok(), (piece != 3).then(|| leaf(&vec![piece as u8; 1000])));
            }
        }
        let written = store.written.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(written.len(), 1600 - 16);
        assert!(writes.shared.lock().threads <= THREADS_MAX);
    }
}
