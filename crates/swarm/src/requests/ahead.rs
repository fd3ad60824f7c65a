//! How much may be asked for at all peers together, where our own cap decides how fast blocks come.
//!
//! What was asked for is pushed into the system's buffers as far as they take it, and has crossed the wire before the
//! cap lets us read it. So few blocks are owed at a time, however many peers there are, and the peers owe them in turn.
//! Without a bound, each peer's own window decides alone.

use std::time::Duration;

use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::BLOCK_LENGTH;
use crate::{Class, PeerKey, Time};

/// Blocks that may be owed however low the cap is: one that comes and one that is on its way.
const BLOCKS_MIN: usize = 2;
/// Blocks that a peer is asked for in one go before it is another's turn.
const STINT: usize = 8;
/// So many blocks are asked of one peer before the next is.
const OWED_AT_ONCE: usize = 4;
/// A longer time between two blocks was a pause.
const GAP_MAX: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Blocks that may be owed, by class of peer; `None`: as many as the windows take.
    blocks: [Option<usize>; 2],
    /// Our own caps, bytes per second, by class of peer.
    caps: [Option<u64>; 2],
    /// How far the line has come, by class of peer.
    reached: [Reached; 2],
    /// Who is asked next.
    next: PeerKey,
}

/// When the newest request was made that was answered, when a block came last, and how long it is from one to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    asked: Time,
    at: Time,
    gap: Duration,
}

impl Ahead {
    /// A block came that was asked for at this time.
    pub(super) fn reach(&mut self, class: Class, asked: Time, now: Time) {
        let reached = &mut self.reached[class as usize];
        let gap = if reached.at == Time::ZERO { Duration::ZERO } else { now.since(reached.at).min(GAP_MAX) };
        let gap = (reached.gap * 3 + gap) / 4;
        *reached = Reached { asked: reached.asked.max(asked), at: now, gap };
    }
}

impl Swarm {
    /// Bounds what peers of a class may owe together, in bytes.
    pub(crate) fn set_ahead(&mut self, class: Class, bytes: Option<u64>, cap: Option<u64>) {
        self.ahead.caps[class as usize] = cap;
        let blocks =
            bytes.map(|bytes| usize::try_from(bytes / u64::from(BLOCK_LENGTH)).unwrap_or(usize::MAX));
        self.ahead.blocks[class as usize] = blocks.map(|blocks| blocks.max(BLOCKS_MIN));
        self.fill_all();
    }

    /// What we let peers from the internet give together, bytes per second; `None`: as much as they can.
    pub(crate) fn own_cap(&self) -> Option<u64> {
        self.ahead.caps[Class::Internet as usize]
    }

    /// How many requests more peers of this class may be sent together.
    pub(super) fn ahead_left(&self, class: Class) -> usize {
        let Some(most) = self.ahead.blocks[class as usize] else { return usize::MAX };
        most.saturating_sub(self.owed(class))
    }

    /// How long a block asked of a peer of this class at this time made us wait, without what our own cap explains: that
    /// everybody's blocks come late, and that those who read in turn read each as late as a turn.
    pub(super) fn waited(&self, class: Class, asked: Time) -> Duration {
        if self.ahead.blocks[class as usize].is_none() {
            return self.now.since(asked);
        }
        let Reached { asked: reached, at, gap } = self.ahead.reached[class as usize];
        let turn = gap * u32::try_from(self.owed(class)).unwrap_or(u32::MAX);
        (reached + self.now.since(at)).since(asked).saturating_sub(turn)
    }

    /// A block came from a peer: it is asked for more, or, under a bound and once it gave its share or has no more, the
    /// next in turn.
    pub(crate) fn fill_after(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let (class, stint) = (peer.class, peer.stint);
        if peer.out.is_empty() {
            peer.stint = 0;
        }
        let Some(most) = self.ahead.blocks[class as usize] else { return self.fill(key) };
        let left = self.ahead_left(class);
        // Who begins fills its window at once: of a very low cap that alone is a good part of a second.
        if stint < STINT || most < OWED_AT_ONCE {
            self.fill(key);
        }
        if self.ahead_left(class) == left && !self.fill_next(class) {
            self.fill(key);
        }
    }

    /// Asks whose turn it is; false if nobody takes anything.
    fn fill_next(&mut self, class: Class) -> bool {
        let left = self.ahead_left(class);
        for key in self.in_turn() {
            let fresh = |peer: &&Peer| peer.class == class && peer.stint < STINT;
            if left == 0 || self.peers.get(&key).filter(fresh).is_none() {
                continue;
            }
            self.fill(key);
            if self.ahead_left(class) < left {
                // Few who owe much cross the line more evenly than many who owe a block each.
                let owes = self.peers.get(&key).map_or(0, |peer| peer.out.len());
                self.ahead.next = PeerKey(key.0.saturating_add(u64::from(owes >= OWED_AT_ONCE)));
                return true;
            }
        }
        false
    }

    /// All peers, from the one whose turn it is.
    pub(super) fn in_turn(&self) -> Vec<PeerKey> {
        let next = self.ahead.next;
        let (later, sooner) = (self.peers.range(next..), self.peers.range(..next));
        later.chain(sooner).map(|(key, _)| *key).collect()
    }

    fn owed(&self, class: Class) -> usize {
        let of_class = self.peers.values().filter(|peer| peer.class == class);
        of_class.map(|peer| peer.packs.travelling(peer.out.len())).sum()
    }
}
