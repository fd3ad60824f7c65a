//! The publisher's web server: one uplink shared by everybody who fetches, a block each in turn.

use super::*;

#[derive(Debug)]
pub(super) struct HttpOrigin {
    up: Link,
    pub(super) delay: Duration,
    /// Fetches and the blocks that are still to be sent.
    turns: VecDeque<(NodeId, u64, u32, std::ops::Range<u32>)>,
    pub(super) is_serving: bool,
    stopped: bool,
}

impl HttpOrigin {
    pub(super) fn new(up: u64, delay: Duration) -> Self {
        Self { up: Link::new(up), delay, turns: VecDeque::new(), is_serving: false, stopped: false }
    }

    pub(super) fn sent(&self) -> u64 {
        self.up.bytes
    }

    /// Takes a request; false if the origin is gone.
    pub(super) fn ask(&mut self, node: NodeId, fetch: u64, piece: u32, blocks: std::ops::Range<u32>) -> bool {
        if !self.stopped {
            self.turns.push_back((node, fetch, piece, blocks));
        }
        !self.stopped
    }

    pub(super) fn cancel(&mut self, node: NodeId, fetch: u64) {
        self.turns.retain(|(by, number, _, _)| (*by, *number) != (node, fetch));
    }

    pub(super) fn stop(&mut self) -> Vec<(NodeId, u64)> {
        self.stopped = true;
        self.turns.drain(..).map(|(node, fetch, _, _)| (node, fetch)).collect()
    }

    /// The next block: for whom, and when it has left.
    pub(super) fn serve(
        &mut self,
        now: Time,
        layout: &release::layout::Layout,
    ) -> Option<(NodeId, u64, u32, u32, Time)> {
        let (node, fetch, piece, mut blocks) = self.turns.pop_front()?;
        let block = blocks.next()?;
        let length = layout.block_length(piece, block);
        let left_at = self.up.pass(now, u64::from(length));
        if !blocks.is_empty() {
            self.turns.push_back((node, fetch, piece, blocks));
        }
        Some((node, fetch, piece, block, left_at))
    }
}
