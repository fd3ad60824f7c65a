//! Time under a test's hand: every wait is told, and ends when the test says so.

use super::*;
use std::sync::Mutex;
use tokio::sync::{Semaphore, mpsc};

pub(super) struct Time {
    told: Mutex<mpsc::UnboundedSender<Duration>>,
    waits: mpsc::UnboundedReceiver<Duration>,
    passes: Arc<Semaphore>,
}

impl Time {
    /// Every wait lasts until [`Time::pass`].
    pub(super) fn stopped() -> Self {
        Self::with(0)
    }

    /// No wait lasts.
    pub(super) fn flying() -> Self {
        Self::with(Semaphore::MAX_PERMITS)
    }

    fn with(permits: usize) -> Self {
        let (told, waits) = mpsc::unbounded_channel();
        Self { told: Mutex::new(told), waits, passes: Arc::new(Semaphore::new(permits)) }
    }

    pub(super) fn pause(&self) -> Pause {
        let (told, passes) = (self.told.lock().unwrap().clone(), Arc::clone(&self.passes));
        Arc::new(move |time| {
            // The test may have ended.
            let _heard = told.send(time);
            let passes = Arc::clone(&passes);
            Box::pin(async move { passes.acquire().await.unwrap().forget() })
        })
    }

    /// How long the next wait is.
    pub(super) async fn asked(&mut self) -> Duration {
        self.waits.recv().await.unwrap()
    }

    /// Ends the wait there is.
    pub(super) fn pass(&self) {
        self.passes.add_permits(1);
    }
}
