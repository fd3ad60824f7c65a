//! What waits to be said to one peer: a peer that asks much and reads nothing is not listened to until it does.
//!
//! Every answer costs memory until it is sent, so questions are the peer's to hold back: while too much waits, nothing
//! is read from it, and its own line fills instead of our memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use swarm::wire::Message;
use tokio::sync::Notify;

/// Bytes that may wait before no more is read: some thousand answers, or as many hashes as are asked at once.
const WAITING_MAX: usize = 1024 * 1024;
/// What a message costs besides its payload, in memory while it waits.
const COST: usize = 128;

/// Counts what waits.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    less: Notify,
}

impl Backlog {
    /// A message waits from now on.
    pub(crate) fn add(&self, message: &Message) {
        self.bytes.fetch_add(cost(message), Ordering::Relaxed);
    }

    /// So much was sent, or will not be.
    pub(super) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.less.notify_one();
    }

    /// Waits until there is room for more answers.
    pub(super) async fn room(&self) {
        while self.bytes.load(Ordering::Relaxed) > WAITING_MAX {
            self.less.notified().await;
        }
    }
}

/// What a message costs while it waits, bytes.
pub(super) fn cost(message: &Message) -> usize {
    let payload = match message {
        Message::Bitfield(bytes) => bytes.len(),
        Message::Extended { payload, .. } => payload.len(),
        Message::Hashes { hashes, .. } => 32 * hashes.len(),
        _ => 0,
    };
    COST + payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn nothing_is_read_while_too_much_waits() {
        let backlog = Backlog::default();
        let message = Message::Extended { id: 1, payload: vec![0; WAITING_MAX].into() };
        backlog.add(&message);
        assert!(backlog.room().now_or_never().is_none());
        backlog.remove(cost(&message));
        assert!(backlog.room().now_or_never().is_some());
    }
}
