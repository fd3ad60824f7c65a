//! Threads that wait for disks and hash, so that nobody else does.
//!
//! One pool for all torrents of a session: threads start when there is work and end when there was
//! none for a while. The queue is bounded by those who fill it: an actor lets only so many blocks be on
//! their way ([`super::torrent`]), and a connection has one order at a time. Invariant: blocks of one
//! torrent are written by one thread, unless they come faster than it writes: several writers of one
//! file mostly wait for each other, and a thread that is awake already need not be woken.

mod store;

pub(crate) use store::{Block, Stored, Writes};

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Threads at most: a disk answers several readers better than one, more of them only queue.
const THREADS_MAX: usize = 8;
/// A thread without work ends after this.
const IDLE_MAX: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// See the module. Cheap to clone; its threads end with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    owner: Arc<Owner>,
}

/// Ends the threads; they themselves hold only what they share.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self { owner: Arc::new(Owner { shared: Arc::default() }) }
    }

    /// Runs `job` on one of the threads, in the order of the calls.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let shared = &self.owner.shared;
        let mut state = shared.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() <= state.idle || state.threads >= THREADS_MAX {
            drop(state);
            return shared.work.notify_one();
        }
        state.threads += 1;
        let first = state.threads == 1;
        drop(state);
        let theirs = Arc::clone(shared);
        let started = std::thread::Builder::new().name("disk".to_owned()).spawn(move || theirs.serve());
        if let Err(error) = started {
            shared.lock().threads -= 1;
            tracing::warn!(%error, "no further thread for the disk");
            if first {
                // Nobody else would do it.
                shared.serve_once();
            }
        }
    }

    /// Runs `job` on one of the threads, from now on; the future says what came of it, `None` where it
    /// panicked.
    pub(crate) fn ask<T, F>(&self, job: F) -> impl Future<Output = Option<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.run(move || {
            // Whoever asked may be gone.
            let _ = answer.send(job());
        });
        async move { answered.await.ok() }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    /// A thread's life.
    fn serve(&self) {
        loop {
            self.serve_once();
            let state = self.lock();
            let waited = self
                .work
                .wait_timeout_while(idle(state), IDLE_MAX, |state| state.jobs.is_empty() && !state.closed);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            if state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Does what there is to do.
    fn serve_once(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("work on the disk ended by a panic");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        self.lock().jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so nothing is ever half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn idle(mut state: MutexGuard<'_, State>) -> MutexGuard<'_, State> {
    state.idle += 1;
    state
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("jobs", &self.jobs.len()).field("threads", &self.threads).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    #[tokio::test]
    async fn every_job_is_done_and_no_more_threads_than_allowed_do_it() {
        let pool = Pool::new();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..200).map(|number| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.ask(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
                number
            })
        });
        let done = futures_util::future::join_all(jobs).await;
        assert!(done.into_iter().enumerate().all(|(number, said)| said == Some(number)));
        assert!((2..=THREADS_MAX).contains(&most.load(Ordering::SeqCst)), "{most:?} threads");
    }

    #[tokio::test]
    async fn two_jobs_that_wait_for_each_other_both_run() {
        let pool = Pool::new();
        let barrier = Arc::new(Barrier::new(2));
        let meet = |barrier: Arc<Barrier>| move || barrier.wait().is_leader();
        let (one, other) =
            tokio::join!(pool.ask(meet(Arc::clone(&barrier))), pool.ask(meet(Arc::clone(&barrier))));
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn a_panic_costs_one_job_and_not_the_thread() {
        let pool = Pool::new();
        assert_eq!(pool.ask(|| -> u8 { panic!("as a broken disk driver would") }).await, None);
        assert_eq!(pool.ask(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let pool = Pool::new();
        pool.ask(|| ()).await;
        let shared = Arc::clone(&pool.owner.shared);
        drop(pool);
        let ended = async {
            while shared.lock().threads > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(5), ended).await.is_ok());
    }
}
