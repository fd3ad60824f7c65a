//! Who may move how many bytes now: a tree of token buckets, one for each direction (both caps apply to every byte).
//!
//! Root caps everything; beneath it stand the internet's peers, the LAN's peers and the origin, each with its own cap
//! or none. Bytes pass only if the leaf **and** the root have them. Bursts are small: at most [`BURST`] of the rate
//! (or one [`QUANTUM`], whichever is more) can pass at once, so that a home uplink does not feel us.
//!
//! Pure: the caller says what time it is, waits until `retry_at`, and serves its waiters first in, first out.

use std::time::Duration;

use crate::Time;

/// The longest burst, in time at the cap's rate.
pub const BURST: Duration = Duration::from_millis(50);
/// The largest burst at very low caps, in bytes.
pub const QUANTUM: u32 = 4 * 1024;
/// Grants are not cut finer than this much time at the cap's rate: fewer, larger writes.
const GRAIN: Duration = Duration::from_millis(5);
const MICROS: u128 = 1_000_000;

/// A place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Everything.
    Root,
    /// Peers on the internet.
    Internet,
    /// Peers on a local link.
    Lan,
    /// The publisher's web server.
    Origin,
}

/// Which way the bytes go, seen from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From us.
    Up,
    /// To us.
    Down,
}

/// An answer to [`Tree::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Bytes that may pass now; they are taken.
    pub bytes: u32,
    /// If `bytes` is zero: when to ask again. `None` with zero bytes means a cap of zero: only a new cap helps.
    pub retry_at: Option<Time>,
}

/// The tree of caps.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    up: [Bucket; 4],
    down: [Bucket; 4],
}

impl Tree {
    /// A tree without caps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a node's cap in bytes per second; `None` lifts it, zero stops the flow. Takes effect with the next
    /// [`Tree::take`]; a waiter whose `retry_at` lies far off should ask again at once.
    pub fn set_cap(&mut self, node: Node, direction: Direction, cap_bytes_per_second: Option<u64>) {
        let bucket = &mut self.side(direction)[node as usize];
        bucket.cap = cap_bytes_per_second;
        bucket.level = bucket.level.min(bucket.capacity());
    }

    /// A node's cap in bytes per second, if it has one.
    #[must_use]
    pub fn cap(&self, node: Node, direction: Direction) -> Option<u64> {
        let side = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        side[node as usize].cap
    }

    /// Takes up to `want` bytes for a node. Grants all of it, a part, or nothing and the time to ask again.
    pub fn take(&mut self, now: Time, node: Node, direction: Direction, want: u32) -> Grant {
        let side = self.side(direction);
        let path: &[usize] = match node {
            Node::Root => &[Node::Root as usize],
            leaf => &[leaf as usize, Node::Root as usize],
        };
        let mut bytes = want;
        let mut retry_at = Some(now);
        for &at in path {
            match side[at].offer(now, want) {
                Offer::Bytes(offered) => bytes = bytes.min(offered),
                Offer::At(time) => {
                    bytes = 0;
                    retry_at = retry_at.map(|t| t.max(time));
                }
                Offer::Never => return Grant { bytes: 0, retry_at: None },
            }
        }
        if bytes == 0 && want > 0 {
            return Grant { bytes: 0, retry_at };
        }
        for &at in path {
            side[at].level = side[at].level.saturating_sub(u128::from(bytes) * MICROS);
        }
        Grant { bytes, retry_at: None }
    }

    /// Gives back what was granted and then not moved.
    pub fn give_back(&mut self, node: Node, direction: Direction, bytes: u32) {
        let side = self.side(direction);
        for at in [node as usize, Node::Root as usize] {
            let bucket = &mut side[at];
            bucket.level = (bucket.level + u128::from(bytes) * MICROS).min(bucket.capacity());
            if node == Node::Root {
                break;
            }
        }
    }

    fn side(&mut self, direction: Direction) -> &mut [Bucket; 4] {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

enum Offer {
    Bytes(u32),
    At(Time),
    Never,
}

/// One bucket; levels are in millionths of a byte so that no fraction is lost between calls.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    cap: Option<u64>,
    level: u128,
    filled_at: Time,
}

impl Bucket {
    fn capacity(&self) -> u128 {
        let burst = u128::from(self.cap.unwrap_or(0)) * BURST.as_micros();
        burst.max(u128::from(QUANTUM) * MICROS)
    }

    fn offer(&mut self, now: Time, want: u32) -> Offer {
        let Some(cap) = self.cap else { return Offer::Bytes(want) };
        if cap == 0 {
            return Offer::Never;
        }
        let elapsed = now.since(self.filled_at).as_micros();
        self.filled_at = self.filled_at.max(now);
        self.level = (self.level + u128::from(cap) * elapsed).min(self.capacity());

        let grain = (u128::from(cap) * GRAIN.as_micros()).max(1_000 * MICROS).min(self.capacity());
        let least = grain.min(u128::from(want) * MICROS);
        if self.level >= least {
            return Offer::Bytes(u32::try_from(self.level / MICROS).unwrap_or(u32::MAX));
        }
        let micros = (least - self.level).div_ceil(u128::from(cap));
        Offer::At(now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    /// Takes as fast as it is allowed until `end` and returns when how much passed.
    fn drain(tree: &mut Tree, node: Node, from: Time, end: Time, want: u32) -> Vec<(Time, u64)> {
        let (mut now, mut passed) = (from, Vec::new());
        while now < end {
            let grant = tree.take(now, node, Direction::Up, want);
            if grant.bytes > 0 {
                passed.push((now, u64::from(grant.bytes)));
                continue;
            }
            match grant.retry_at {
                Some(at) => now = at.max(now + Duration::from_micros(1)),
                None => break,
            }
        }
        passed
    }

    fn worst_window(passed: &[(Time, u64)], window: Duration) -> u64 {
        let (mut worst, mut sum, mut first) = (0, 0, 0);
        for &(at, bytes) in passed {
            sum += bytes;
            while at.since(passed[first].0) > window {
                sum -= passed[first].1;
                first += 1;
            }
            worst = worst.max(sum);
        }
        worst
    }

    #[test]
    fn without_caps_everything_passes_at_once() {
        let grant = Tree::new().take(Time::ZERO, Node::Lan, Direction::Down, 1 << 30);
        assert_eq!(grant, Grant { bytes: 1 << 30, retry_at: None });
    }

    #[test]
    fn a_cap_is_reached_and_not_passed_and_bursts_are_small() {
        for cap in [20_000, 512_000, 10_000_000] {
            let mut tree = Tree::new();
            tree.set_cap(Node::Root, Direction::Up, Some(cap));
            let passed = drain(&mut tree, Node::Internet, Time::from_secs(3), Time::from_secs(23), 16 * 1024);
            let total: u64 = passed.iter().map(|(_, b)| b).sum();
            assert!(total >= cap * 20 * 99 / 100, "{total} of {}", cap * 20);
            assert!(worst_window(&passed, WINDOW) <= cap * 5 * 105 / 100 + u64::from(QUANTUM));
            let tenth = worst_window(&passed, Duration::from_millis(100));
            assert!(tenth <= cap * 16 / 100 + u64::from(QUANTUM), "{tenth} in 100 ms at {cap}");
        }
    }

    #[test]
    fn directions_are_apart_and_children_share_the_root() {
        let mut tree = Tree::new();
        tree.set_cap(Node::Root, Direction::Up, Some(100_000));
        tree.set_cap(Node::Lan, Direction::Up, Some(0));
        let now = Time::from_secs(1);
        assert_eq!(tree.take(now, Node::Lan, Direction::Up, 1), Grant { bytes: 0, retry_at: None });
        assert_eq!(tree.take(now, Node::Lan, Direction::Down, 1 << 20).bytes, 1 << 20);
        let first = tree.take(now, Node::Internet, Direction::Up, 1 << 20);
        assert_eq!(first.bytes, 5_000);
        let second = tree.take(now, Node::Origin, Direction::Up, 1 << 20);
        assert!(second.bytes == 0 && second.retry_at > Some(now));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut tree = Tree::new();
        tree.set_cap(Node::Root, Direction::Down, Some(100_000));
        let now = Time::from_secs(1);
        assert_eq!(tree.take(now, Node::Origin, Direction::Down, 4_000).bytes, 4_000);
        tree.give_back(Node::Origin, Direction::Down, 3_000);
        assert_eq!(tree.take(now, Node::Origin, Direction::Down, 4_000).bytes, 4_000);
    }

    #[test]
    fn lifting_a_cap_opens_at_once() {
        let mut tree = Tree::new();
        tree.set_cap(Node::Internet, Direction::Up, Some(1));
        drain(&mut tree, Node::Internet, Time::ZERO, Time::from_millis(1), 1 << 14);
        assert_eq!(tree.take(Time::from_millis(2), Node::Internet, Direction::Up, 1 << 20).bytes, 0);
        tree.set_cap(Node::Internet, Direction::Up, None);
        assert_eq!(tree.take(Time::from_millis(2), Node::Internet, Direction::Up, 1 << 20).bytes, 1 << 20);
    }

    proptest! {
        #[test]
        fn no_five_seconds_pass_the_cap(
            root in 1_000u64..5_000_000, leaf in 1_000u64..5_000_000, want in 1u32..200_000,
        ) {
            let mut tree = Tree::new();
            tree.set_cap(Node::Root, Direction::Up, Some(root));
            tree.set_cap(Node::Internet, Direction::Up, Some(leaf));
            let passed = drain(&mut tree, Node::Internet, Time::ZERO, Time::from_secs(12), want);
            let cap = root.min(leaf);
            prop_assert!(worst_window(&passed, WINDOW) <= cap * 5 * 105 / 100 + u64::from(QUANTUM));
        }

        #[test]
        fn caps_that_change_hold_from_then_on(caps in proptest::collection::vec(1_000u64..2_000_000, 2..6)) {
            let mut tree = Tree::new();
            for (i, cap) in caps.iter().enumerate() {
                tree.set_cap(Node::Root, Direction::Up, Some(*cap));
                let from = Time::from_secs(10 * i as u64);
                let passed = drain(&mut tree, Node::Lan, from, from + Duration::from_secs(10), 16 * 1024);
                prop_assert!(worst_window(&passed, WINDOW) <= cap * 5 * 105 / 100 + u64::from(QUANTUM));
            }
        }
    }
}
