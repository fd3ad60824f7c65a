//! The addresses that may be players, by who told of them.
//!
//! Every teller has a list of its own, so that nobody's flood displaces what another said: a full list loses its oldest.
//! Attempts go round: a person's, the local network's, the tracker's and the peers' addresses in turn, and among the
//! peers one of each in turn. So a teller costs its share of the attempts at most, however much it tells and however
//! many it says. What fails is forgotten, soon if only peers told of it. Invariant: an address is known exactly as long
//! as it is on a list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;

use crate::{PeerKey, PeerSource, Time};

/// Addresses of a person, of the local networks and of the trackers that are remembered, each.
const LIST_MAX: usize = 500;
/// Addresses that are remembered of one peer (BEP 11), and of all that are gone together.
const TOLD_MAX: usize = 50;
/// With more than a hundred tellers each has a smaller list, down to this.
const TOLD_MIN: usize = 8;
/// Addresses that peers told us of, about.
const ALL_TOLD_MAX: usize = 5_000;
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// The retry delay of an address a person gave is doubled no further.
const RETRY_MANUAL_MAX: Duration = Duration::from_secs(30);
/// An address that failed so often is forgotten, unless a person gave it.
const FAILURES_MAX: u32 = 6;
/// The same for one that only peers told of.
const FAILURES_TOLD_MAX: u32 = 2;

/// Who told of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Teller {
    Manual,
    Lan,
    Tracker,
    /// Peers that are gone, and nobody in particular.
    Gone,
    Peer(PeerKey),
}

/// Whose turn it is comes before which of the peers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Manual,
    Lan,
    Tracker,
    Peers,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    known: BTreeMap<SocketAddr, Known>,
    lists: BTreeMap<Teller, List>,
    /// Rises with every attempt.
    turn: u64,
    /// The last turn of each kind.
    turns: BTreeMap<Kind, u64>,
}

#[derive(Debug, Default)]
struct List {
    /// Oldest first.
    addrs: VecDeque<SocketAddr>,
    /// When it had its last turn.
    turn: u64,
}

#[derive(Debug)]
struct Known {
    tellers: BTreeSet<Teller>,
    failures: u32,
    not_before: Time,
    is_ourselves: bool,
    is_seed: bool,
}

impl From<PeerSource> for Teller {
    fn from(source: PeerSource) -> Self {
        match source {
            PeerSource::Manual => Self::Manual,
            PeerSource::Lan => Self::Lan,
            PeerSource::Tracker => Self::Tracker,
            PeerSource::Pex => Self::Gone,
        }
    }
}

impl Teller {
    fn kind(self) -> Kind {
        match self {
            Self::Manual => Kind::Manual,
            Self::Lan => Kind::Lan,
            Self::Tracker => Kind::Tracker,
            Self::Gone | Self::Peer(_) => Kind::Peers,
        }
    }
}

impl Known {
    fn failures_max(&self) -> Option<u32> {
        match self.tellers.first()?.kind() {
            Kind::Manual => None,
            Kind::Lan | Kind::Tracker => Some(FAILURES_MAX),
            Kind::Peers => Some(FAILURES_TOLD_MAX),
        }
    }
}

impl Book {
    /// Somebody told of an address.
    pub(super) fn tell(&mut self, teller: Teller, addr: SocketAddr, now: Time) {
        let fresh = || Known {
            tellers: BTreeSet::new(),
            failures: 0,
            not_before: now,
            is_ourselves: false,
            is_seed: false,
        };
        let most = self.list_max(teller);
        let list = self.lists.entry(teller).or_default();
        // What a person said is not displaced by more of the same.
        let full = list.addrs.len() >= most && teller == Teller::Manual;
        if full || !self.known.entry(addr).or_insert_with(fresh).tellers.insert(teller) {
            return;
        }
        list.addrs.push_back(addr);
        let excess = list.addrs.len().saturating_sub(most);
        let oldest: Vec<SocketAddr> = list.addrs.drain(..excess).collect();
        oldest.into_iter().for_each(|addr| self.unlist(addr, teller));
    }

    /// A peer is gone: what it told joins what others did who are gone.
    pub(super) fn gone(&mut self, peer: PeerKey, now: Time) {
        let Some(list) = self.lists.remove(&Teller::Peer(peer)) else { return };
        for addr in list.addrs {
            self.tell(Teller::Gone, addr, now);
            self.unlist(addr, Teller::Peer(peer));
        }
    }

    /// Takes the next address to be tried: one that is due and that `fits`.
    pub(super) fn take_next(
        &mut self,
        now: Time,
        rng: &mut Rng,
        fits: impl Fn(&SocketAddr, bool) -> bool,
    ) -> Option<SocketAddr> {
        let is_due = |addr: &SocketAddr| {
            let known = self.known.get(addr)?;
            let due = !known.is_ourselves && known.not_before <= now && fits(addr, known.is_seed);
            due.then_some(known.failures)
        };
        let order = |teller: Teller, list: &List| {
            (self.turns.get(&teller.kind()).copied().unwrap_or_default(), teller.kind(), list.turn)
        };
        let mut tellers: Vec<_> =
            self.lists.iter().map(|(teller, list)| (order(*teller, list), *teller)).collect();
        tellers.sort_unstable();
        let (teller, addr) = tellers.into_iter().find_map(|(_, teller)| {
            let due = self.lists[&teller].addrs.iter().filter_map(|addr| Some((is_due(addr)?, addr)));
            let best = due.min_by_key(|(failures, _)| (*failures, rng.u32(..)));
            best.map(|(_, addr)| (teller, *addr))
        })?;
        self.turn += 1;
        self.turns.insert(teller.kind(), self.turn);
        if let Some(list) = self.lists.get_mut(&teller) {
            list.turn = self.turn;
        }
        Some(addr)
    }

    /// An attempt came to nothing: the next one waits longer.
    pub(super) fn failed(&mut self, addr: SocketAddr, now: Time) {
        let Some(known) = self.known.get_mut(&addr) else { return };
        known.failures += 1;
        let most = known.failures_max();
        let longest = if most.is_none() { RETRY_MANUAL_MAX } else { RETRY_MAX };
        known.not_before = now + retry_delay(known.failures).min(longest);
        if most.is_some_and(|most| known.failures >= most) {
            self.forget(addr);
        }
    }

    /// A connection to it ended, after it was of use, beside another that claims to be the same, or neither.
    pub(super) fn ended(&mut self, addr: SocketAddr, of_use: bool, is_double: bool, now: Time) {
        let Some(known) = self.known.get_mut(&addr) else { return };
        if of_use {
            known.failures = 0;
            known.not_before = now + RETRY_MIN;
        } else if is_double {
            known.failures += 1;
            known.not_before = now + retry_delay(known.failures).min(RETRY_MAX);
        } else {
            self.failed(addr, now);
        }
    }

    pub(super) fn is_ourselves(&mut self, addr: SocketAddr) {
        if let Some(known) = self.known.get_mut(&addr) {
            known.is_ourselves = true;
        }
    }

    pub(super) fn is_seed(&mut self, addr: SocketAddr) {
        if let Some(known) = self.known.get_mut(&addr) {
            known.is_seed = true;
        }
    }

    /// Forgets an address, whoever told of it.
    pub(super) fn forget(&mut self, addr: SocketAddr) {
        let Some(known) = self.known.remove(&addr) else { return };
        for teller in known.tellers {
            if let Some(list) = self.lists.get_mut(&teller) {
                list.addrs.retain(|listed| *listed != addr);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    fn list_max(&self, teller: Teller) -> usize {
        match teller {
            Teller::Peer(_) => (ALL_TOLD_MAX / self.lists.len().max(1)).clamp(TOLD_MIN, TOLD_MAX),
            Teller::Gone => TOLD_MAX,
            Teller::Manual | Teller::Lan | Teller::Tracker => LIST_MAX,
        }
    }

    /// An address is on one list less.
    fn unlist(&mut self, addr: SocketAddr, teller: Teller) {
        if let Some(known) = self.known.get_mut(&addr) {
            known.tellers.remove(&teller);
            if known.tellers.is_empty() {
                self.known.remove(&addr);
            }
        }
    }
}

fn retry_delay(failures: u32) -> Duration {
    RETRY_MIN * 2_u32.pow(failures.clamp(1, 8) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(number: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from(0x0a00_0000 + number), 6881).into()
    }

    fn liar(number: u64) -> Teller {
        Teller::Peer(PeerKey(number))
    }

    /// The next attempts, all of which fail at once.
    fn attempts(book: &mut Book, count: usize) -> Vec<SocketAddr> {
        let mut rng = Rng::with_seed(7);
        let mut tried = Vec::new();
        while tried.len() < count
            && let Some(addr) = book.take_next(Time::ZERO, &mut rng, |_, _| true)
        {
            book.failed(addr, Time::ZERO);
            tried.push(addr);
        }
        tried
    }

    /// Whoever says how much before and after: an address that somebody else tells is tried in the next round.
    #[test]
    fn a_flood_of_one_teller_does_not_hide_what_another_tells() {
        let mut book = Book::default();
        let flood = |book: &mut Book, liars: u64, base: u32| {
            for number in 0..200_000 {
                book.tell(liar(number % liars), addr(base + number as u32), Time::ZERO);
            }
        };
        for (liars, within) in [(1, 2), (5, 6), (30, 31)] {
            flood(&mut book, liars, 1_000);
            book.tell(liar(1_000), addr(1), Time::ZERO);
            flood(&mut book, liars, 2_000_000);
            assert!(book.len() <= 50 * liars as usize + 1, "{} addresses of {liars} liars", book.len());
            assert!(attempts(&mut book, within).contains(&addr(1)), "{liars} liars");
            book.forget(addr(1));
        }
    }

    #[test]
    fn trackers_and_people_come_first_and_take_turns_with_all_peers_together() {
        let mut book = Book::default();
        for number in 0..100 {
            book.tell(liar(u64::from(number) % 20), addr(1_000 + number), Time::ZERO);
            book.tell(Teller::Tracker, addr(2_000 + number), Time::ZERO);
        }
        book.tell(Teller::Manual, addr(1), Time::ZERO);
        let tried = attempts(&mut book, 101);
        assert_eq!(tried[0], addr(1), "a person's first");
        let of_tracker = |tried: &[SocketAddr]| tried.iter().filter(|tried| **tried >= addr(2_000)).count();
        assert!(tried[1] >= addr(2_000), "then the tracker's");
        assert_eq!(of_tracker(&tried[1..]), 50);
    }

    #[test]
    fn what_several_tell_is_known_until_the_last_forgets_it() {
        let mut book = Book::default();
        let shared = addr(1);
        book.tell(liar(1), shared, Time::ZERO);
        book.tell(liar(2), shared, Time::ZERO);
        (2..60).for_each(|number| book.tell(liar(1), addr(number), Time::ZERO));
        assert_eq!(book.len(), 51, "the first liar lost it, the second did not");
        book.gone(PeerKey(2), Time::ZERO);
        assert_eq!(book.len(), 51);
        (100..160).for_each(|number| book.tell(Teller::Gone, addr(number), Time::ZERO));
        assert_eq!(book.len(), 100);
    }

    #[test]
    fn hearsay_is_forgotten_after_two_failures_and_a_persons_word_never() {
        let mut book = Book::default();
        let mut rng = Rng::with_seed(1);
        book.tell(liar(1), addr(1), Time::ZERO);
        book.tell(Teller::Tracker, addr(2), Time::ZERO);
        book.tell(Teller::Manual, addr(3), Time::ZERO);
        let mut tried = BTreeMap::<SocketAddr, u32>::new();
        for second in 0..3_600 {
            while let Some(addr) = book.take_next(Time::from_secs(second), &mut rng, |_, _| true) {
                book.failed(addr, Time::from_secs(second));
                *tried.entry(addr).or_default() += 1;
            }
        }
        assert_eq!((tried[&addr(1)], tried[&addr(2)]), (2, 6));
        assert!(tried[&addr(3)] > 100, "{tried:?}");
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn a_list_of_a_crowd_of_tellers_is_bounded_as_a_whole() {
        let mut book = Book::default();
        for round in 0..60 {
            (0..2_000).for_each(|number| {
                book.tell(liar(u64::from(number)), addr(number * 100 + round), Time::ZERO);
            });
        }
        assert!(book.len() <= 2_000 * TOLD_MIN, "{}", book.len());
    }
}
