//! The bandwidth tree with waiting: every payload byte, both ways and from every source, passes here.
//!
//! Waiters of one node and direction are served in the order they came, a small quantum each, so no
//! connection starves another. Caps change at any time and hold for whoever waits already.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use swarm::{
    Time,
    bandwidth::{Direction, Node, Tree},
};
use tokio::sync::Notify;

/// Most bytes granted at once: one block and its header, so that turns stay short.
const QUANTUM_MAX: u32 = 17 * 1024;

/// Caps of the whole program, bytes per second; `None` is unlimited, zero is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// Upload.
    pub up: Option<u64>,
    /// Download, the origin included.
    pub down: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Limiter {
    tree: Mutex<Tree>,
    start: Instant,
    capped: [AtomicBool; 2],
    changed: Notify,
    turns: [[tokio::sync::Mutex<()>; 4]; 2],
}

impl Limiter {
    pub(crate) fn new(caps: Caps) -> Self {
        let limiter = Self {
            tree: Mutex::new(Tree::new()),
            start: Instant::now(),
            capped: Default::default(),
            changed: Notify::new(),
            turns: Default::default(),
        };
        limiter.set_caps(caps);
        limiter
    }

    /// Time since this program's swarm began; the one clock of every core.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// When `time` is, for timers.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.start + Duration::from_micros(time.as_micros())).into()
    }

    pub(crate) fn set_caps(&self, caps: Caps) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        for (direction, cap) in [(Direction::Up, caps.up), (Direction::Down, caps.down)] {
            tree.set_cap(Node::Root, direction, cap);
            self.capped[direction as usize].store(cap.is_some(), Ordering::Relaxed);
        }
        drop(tree);
        self.changed.notify_waiters();
    }

    /// Whether a cap of the whole program is in force.
    pub(crate) fn is_capped(&self, direction: Direction) -> bool {
        self.capped[direction as usize].load(Ordering::Relaxed)
    }

    /// Waits until some of `want` bytes may pass and says how many, at least one.
    pub(crate) async fn acquire(&self, node: Node, direction: Direction, want: u32) -> u32 {
        if !self.is_capped(direction) {
            return want;
        }
        let want = want.min(QUANTUM_MAX);
        let _turn = self.turns[direction as usize][node as usize].lock().await;
        loop {
            let changed = self.changed.notified();
            let grant = {
                let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
                tree.take(self.now(), node, direction, want)
            };
            if grant.bytes > 0 {
                return grant.bytes;
            }
            match grant.retry_at {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(self.instant(at)) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Gives back what was granted and then not moved.
    pub(crate) fn give_back(&self, node: Node, direction: Direction, bytes: u32) {
        if bytes > 0 && self.is_capped(direction) {
            let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
            tree.give_back(node, direction, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_cap_set_later_holds_for_those_who_wait() {
        let limiter = Arc::new(Limiter::new(Caps { up: Some(0), down: None }));
        assert_eq!(limiter.acquire(Node::Internet, Direction::Down, 1 << 20).await, 1 << 20);
        let waiting = {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { limiter.acquire(Node::Internet, Direction::Up, 1000).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "nothing passes a cap of zero");
        limiter.set_caps(Caps { up: Some(1_000_000), down: None });
        assert!(waiting.await.is_ok_and(|bytes| bytes > 0));
    }
}
