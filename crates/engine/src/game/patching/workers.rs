//! The threads that apply segments: as few as there are processors, and the same ones to the end.
//!
//! A thread that allocates keeps some of what it frees for itself. Segments take much memory for a moment, so they all
//! go to these threads instead of whichever the runtime has idle: what they keep then has a bound.

use crate::game::error::GameError;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc,
};
use store::patch::{Attempt, Made, Patching};
use tokio::{sync::mpsc as results, task::JoinSet};

/// What came of a segment.
pub(super) type Applied = (usize, store::error::Result<Attempt<Made>>);

/// See the module. Whoever is done with them calls [`Workers::end`].
pub(super) struct Workers {
    segments: Option<mpsc::Sender<usize>>,
    applied: results::UnboundedReceiver<Applied>,
    threads: JoinSet<()>,
    /// Raised when the rest is not to be made any more.
    stop: Arc<AtomicBool>,
    running: usize,
}

impl Workers {
    pub(super) fn start(patching: &Arc<Patching>, count: usize) -> Self {
        let (segments, waiting) = mpsc::channel();
        let (done, applied) = results::unbounded_channel();
        let (waiting, stop) = (Arc::new(Mutex::new(waiting)), Arc::new(AtomicBool::new(false)));
        let mut threads = JoinSet::new();
        for _ in 0..count.max(1) {
            let (patching, waiting, done, stop) =
                (Arc::clone(patching), Arc::clone(&waiting), done.clone(), Arc::clone(&stop));
            threads.spawn_blocking(move || {
                while let Some(segment) = next(&waiting) {
                    // Nobody listens any more: the job ended.
                    if done.send((segment, patching.apply(segment, &stop))).is_err() {
                        return;
                    }
                }
            });
        }
        Self { segments: Some(segments), applied, threads, stop, running: 0 }
    }

    /// Segments given and not yet come back.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Applies the segment as soon as a thread is free.
    pub(super) fn give(&mut self, segment: usize) {
        let given = self.segments.as_ref().is_some_and(|segments| segments.send(segment).is_ok());
        self.running += usize::from(given);
    }

    /// The next that is done; never, while none runs.
    pub(super) async fn next(&mut self) -> Result<Applied, GameError> {
        tokio::select! {
            biased;
            Some(applied) = self.applied.recv() => {
                self.running -= 1;
                Ok(applied)
            }
            // They only end before they are told to if something is badly wrong.
            Some(ended) = self.threads.join_next() => {
                let error = ended.err().map_or_else(|| "a thread ended".to_owned(), |error| error.to_string());
                Err(GameError::Internal(error))
            }
        }
    }

    /// Nothing runs any more when this returns; what was begun is cut short.
    pub(super) async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.segments = None;
        while self.threads.join_next().await.is_some() {}
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The next segment; `None` when no more will come.
fn next(waiting: &Mutex<mpsc::Receiver<usize>>) -> Option<usize> {
    // A receiver is whole whoever panicked while waiting for it.
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
