//! What one end of a connection has to send: the writer's orders, the socket's buffer and TCP's window.
//!
//! TCP here is: blocks are sent while fewer bytes are under way than a window that doubles each round trip until the
//! first loss, then grows by a packet a round trip and is halved by a loss, at most once a round trip. Messages smaller
//! than a packet do not wait for the window. The writer works as the engine's: it takes all blocks that wait, hands
//! them to the socket as its buffer takes them, and looks at its orders again only when all of them are in.

use std::collections::VecDeque;
use std::time::Duration;

use swarm::Time;
use swarm::wire::Message;

/// Payload of a full packet.
pub(crate) const PACKET: u64 = 1448;
const WINDOW_FIRST: u64 = 10 * PACKET;
const WINDOW_MIN: u64 = 2 * PACKET;
/// Bounds what a line without loss lets a window grow to.
const WINDOW_MAX: u64 = 4 * 1024 * 1024;
/// What a socket takes at least, as Linux' do; more as the window grows.
const SOCKET_MIN: u64 = 64 * 1024;

/// Which bytes of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRange {
    pub(crate) piece: u32,
    pub(crate) begin: u32,
    pub(crate) length: u32,
}

#[derive(Debug)]
pub(crate) enum Unit {
    Message(Message),
    Block(BlockRange),
}

#[derive(Debug)]
pub(crate) struct Flow {
    messages: VecDeque<Message>,
    waiting: VecDeque<BlockRange>,
    batch: VecDeque<BlockRange>,
    batch_sent: Vec<BlockRange>,
    socket: VecDeque<Unit>,
    socket_bytes: u64,
    window: u64,
    slow_start: bool,
    recovers_until: Time,
    under_way: u64,
    acknowledgements: VecDeque<(Time, u64)>,
    /// It waits for its turn on the line.
    pub(crate) is_ready: bool,
    /// It waits for an acknowledgement.
    pub(crate) is_blocked: bool,
    /// The acknowledgement it waits for is on its way.
    pub(crate) is_waking: bool,
    /// Nothing overtakes: when its last message arrives at the other end.
    pub(crate) arrives_last: Time,
    /// When it last sent a small message: others of the same moment share its headers.
    pub(crate) small_at: Option<Time>,
}

impl Flow {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            messages: VecDeque::new(),
            waiting: VecDeque::new(),
            batch: VecDeque::new(),
            batch_sent: Vec::new(),
            socket: VecDeque::new(),
            socket_bytes: 0,
            window: WINDOW_FIRST,
            slow_start: true,
            recovers_until: Time::ZERO,
            under_way: 0,
            acknowledgements: VecDeque::new(),
            is_ready: false,
            is_blocked: false,
            is_waking: false,
            arrives_last: now,
            small_at: None,
        }
    }

    /// Nothing waits here: a small message may go at once.
    pub(crate) fn is_idle(&self) -> bool {
        self.socket.is_empty() && self.batch.is_empty() && self.messages.is_empty()
    }

    pub(crate) fn push_message(&mut self, message: Message) {
        self.messages.push_back(message);
    }

    pub(crate) fn push_block(&mut self, block: BlockRange) {
        self.waiting.push_back(block);
    }

    /// Takes a block back that the writer did not look at yet.
    pub(crate) fn cancel(&mut self, block: BlockRange) -> bool {
        let at = self.waiting.iter().position(|waiting| *waiting == block);
        at.is_some_and(|at| self.waiting.remove(at).is_some())
    }

    /// Lets the writer work; the blocks whose batch is in the socket now.
    pub(crate) fn write(&mut self) -> Vec<BlockRange> {
        let mut sent = Vec::new();
        let room = SOCKET_MIN.max(self.window * 2);
        loop {
            while let Some(block) = self.batch.front().copied() {
                if self.socket_bytes > 0 && self.socket_bytes + u64::from(block.length) > room {
                    return sent;
                }
                self.batch.pop_front();
                self.batch_sent.push(block);
                self.socket_bytes += u64::from(block.length);
                self.socket.push_back(Unit::Block(block));
            }
            sent.append(&mut self.batch_sent);
            self.socket.extend(self.messages.drain(..).map(Unit::Message));
            if self.waiting.is_empty() {
                return sent;
            }
            self.batch.append(&mut self.waiting);
        }
    }

    /// The next thing for the line, if the window lets it.
    pub(crate) fn take(&mut self, now: Time) -> Option<Unit> {
        self.heed_acknowledgements(now);
        if let Some(Unit::Block(block)) = self.socket.front() {
            let length = u64::from(block.length);
            if self.under_way > 0 && self.under_way + length > self.window {
                self.is_blocked = true;
                return None;
            }
            self.under_way += length;
            self.socket_bytes -= length;
        }
        self.socket.pop_front()
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.socket.is_empty()
    }

    /// When the next acknowledgement comes, as far as is known.
    pub(crate) fn next_acknowledgement(&self) -> Option<Time> {
        self.acknowledgements.front().map(|(at, _)| *at)
    }

    pub(crate) fn acknowledged(&mut self, at: Time, bytes: u64) {
        let at = self.acknowledgements.back().map_or(at, |(last, _)| at.max(*last));
        self.acknowledgements.push_back((at, bytes));
    }

    /// A packet was lost: the window is halved.
    pub(crate) fn lost(&mut self, now: Time, round_trip: Duration) {
        if now >= self.recovers_until {
            self.slow_start = false;
            self.window = (self.window / 2).max(WINDOW_MIN);
            self.recovers_until = now + round_trip;
        }
    }

    fn heed_acknowledgements(&mut self, now: Time) {
        while let Some((_, bytes)) = self.acknowledgements.pop_front_if(|(at, _)| *at <= now) {
            self.under_way = self.under_way.saturating_sub(bytes);
            let grown = if self.slow_start { bytes } else { (PACKET * bytes / self.window).max(1) };
            self.window = (self.window + grown).min(WINDOW_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn block(piece: u32) -> BlockRange {
        BlockRange { piece, begin: 0, length: 16 * 1024 }
    }

    #[test]
    fn a_batch_is_told_of_when_all_of_it_is_in_the_socket() {
        let mut flow = Flow::new(Time::ZERO);
        (0..8).for_each(|piece| flow.push_block(block(piece)));
        assert!(flow.write().is_empty());
        assert!(!flow.cancel(block(7)), "the writer has it already");
        let mut sent = Vec::new();
        for at in 0..8 {
            let Some(Unit::Block(taken)) = flow.take(Time::from_secs(at)) else { panic!("nothing to send") };
            assert_eq!(taken, block(at as u32));
            flow.acknowledged(Time::from_secs(at), 16 * 1024);
            sent.extend(flow.write());
        }
        assert_eq!(sent.len(), 8);
    }

    #[test]
    fn the_window_stops_a_flow_until_it_is_acknowledged_and_a_loss_halves_it() {
        let mut flow = Flow::new(Time::ZERO);
        (0..3).for_each(|piece| flow.push_block(block(piece)));
        flow.write();
        assert!(flow.take(Time::ZERO).is_some());
        assert!(flow.take(Time::ZERO).is_none() && flow.is_blocked);
        flow.acknowledged(Time::from_millis(20), 16 * 1024);
        assert!(flow.take(Time::from_millis(20)).is_some());
        let before = flow.window;
        flow.lost(Time::from_millis(30), Duration::from_millis(20));
        flow.lost(Time::from_millis(31), Duration::from_millis(20));
        assert_eq!(flow.window, before / 2);
    }
}
