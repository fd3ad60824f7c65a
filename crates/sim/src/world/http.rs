//! The publisher's web server: one uplink shared by everybody who fetches, a block each in turn.

use super::*;

#[derive(Debug)]
pub(super) struct HttpOrigin {
    pub(super) up: Link,
    pub(super) delay: Duration,
    /// Fetches and the blocks that are still to be sent.
    turns: VecDeque<(NodeId, u64, u32, std::ops::Range<u32>)>,
    pub(super) is_serving: bool,
    pub(super) stopped: bool,
}

impl HttpOrigin {
    pub(super) fn new(up: u64, delay: Duration) -> Self {
        let up = Link::new(up, Duration::ZERO);
        Self { up, delay, turns: VecDeque::new(), is_serving: false, stopped: false }
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

    /// A node is gone: nothing of what it asked for is sent.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.turns.retain(|(by, _, _, _)| *by != node);
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

impl World {
    pub(super) fn origin_is(&mut self, up: bool) {
        if !up {
            return self.stop_origin();
        }
        if let Some(origin) = &mut self.origin {
            origin.stopped = false;
        }
    }
}
