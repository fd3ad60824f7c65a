//! How much may be asked for at all peers together, where our own cap decides how fast blocks come.
//!
//! What was asked for is pushed into the system's buffers as far as they take it, and has crossed the wire before the
//! cap lets us read it. So few blocks are owed at a time, however many peers there are, and the peers owe them in turn.
//! Without a bound, each peer's own window decides alone.

use std::time::Duration;

use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::BLOCK_LENGTH;
use crate::{Class, PeerKey};

/// Blocks that may be owed however low the cap is: one that comes and one that is on its way.
const BLOCKS_MIN: usize = 2;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Blocks that may be owed, by class of peer; `None`: as many as the windows take.
    blocks: [Option<usize>; 2],
    /// Who is asked next.
    next: PeerKey,
}

impl Swarm {
    /// Bounds what peers of a class may owe together, in bytes.
    pub(crate) fn set_ahead(&mut self, class: Class, bytes: Option<u64>) {
        let blocks =
            bytes.map(|bytes| usize::try_from(bytes / u64::from(BLOCK_LENGTH)).unwrap_or(usize::MAX));
        self.ahead.blocks[class as usize] = blocks.map(|blocks| blocks.max(BLOCKS_MIN));
        self.fill_all();
    }

    /// How many requests more peers of this class may be sent together.
    pub(super) fn ahead_left(&self, class: Class) -> usize {
        let Some(most) = self.ahead.blocks[class as usize] else { return usize::MAX };
        most.saturating_sub(self.owed(class))
    }

    /// How long blocks wait because of our cap: as long as all that are owed take at the rate at which they come. Zero
    /// where nothing bounds them.
    pub(super) fn own_delay(&self, class: Class) -> Duration {
        if self.ahead.blocks[class as usize].is_none() {
            return Duration::ZERO;
        }
        let bytes = self.owed(class) as u64 * u64::from(BLOCK_LENGTH);
        let rate = self.totals.rate_of(class, self.now).max(1);
        Duration::from_millis(bytes.saturating_mul(1_000) / rate)
    }

    /// A block came from a peer: it is asked for more, or, under a bound, those whose turn it is are.
    pub(super) fn fill_after(&mut self, key: PeerKey) {
        let bound = |peer: &Peer| self.ahead.blocks[peer.class as usize].is_some();
        if !self.peers.get(&key).is_some_and(bound) {
            return self.fill(key);
        }
        for key in self.in_turn() {
            let Some(class) = self.peers.get(&key).map(|peer| peer.class) else { continue };
            let before = self.ahead_left(class);
            if before > 0 {
                self.fill(key);
            }
            if self.ahead_left(class) < before {
                self.ahead.next = PeerKey(key.0.saturating_add(1));
                return;
            }
        }
    }

    /// All peers, from the one whose turn it is.
    pub(super) fn in_turn(&self) -> Vec<PeerKey> {
        let next = self.ahead.next;
        let (later, sooner) = (self.peers.range(next..), self.peers.range(..next));
        later.chain(sooner).map(|(key, _)| *key).collect()
    }

    fn owed(&self, class: Class) -> usize {
        let of_class = self.peers.values().filter(|peer| peer.class == class);
        of_class.map(|peer| peer.out.len()).sum()
    }
}
