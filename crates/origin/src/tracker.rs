//! The tracker: who takes part in which of the repository's torrents, kept in memory.
//!
//! It knows only torrents it was told of ([`Tracker::set_torrents`]), so nobody can run a swarm of something else on it.
//! A peer's address is that of its connection; what it says about its address is not read. It has no clock and no
//! sockets: time comes in by argument, counted from any fixed point.

pub(crate) mod announce;
mod peers;
pub(crate) mod udp;

use announce::{Announce, Event};
use peers::Peers;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Peers handed out at once at most, and where a request names no number.
pub(crate) const NUMWANT_MAX: usize = 50;

/// Who lacks peers may ask again after this: at 5,000 announces a second there is room for 25,000 of them.
const INTERVAL_MIN: Duration = Duration::from_secs(5);

/// Why an announce is refused; the words go to the peer's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0} is missing or malformed")]
    Malformed(&'static str),
    #[error("this tracker serves the releases of its repository only")]
    UnknownTorrent,
    #[error("too many peers at your address")]
    TooManyAtAddress,
}

/// What a peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) interval: Duration,
    pub(crate) interval_min: Duration,
    pub(crate) complete: u32,
    pub(crate) incomplete: u32,
    pub(crate) completed: u32,
    pub(crate) peers: Vec<SocketAddr>,
}

/// Figures of one torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TorrentFigures {
    pub(crate) name: String,
    pub(crate) complete: u32,
    pub(crate) incomplete: u32,
    pub(crate) completed: u32,
}

#[derive(Debug)]
struct Tracked {
    name: String,
    peers: Peers,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tracker {
    interval: Duration,
    random: fastrand::Rng,
    torrents: BTreeMap<[u8; 20], Tracked>,
}

impl Tracker {
    /// Peers are asked to come back after `interval` and forgotten after twice that.
    pub(crate) fn new(interval: Duration, seed: u64) -> Self {
        Self { interval, random: fastrand::Rng::with_seed(seed), torrents: BTreeMap::new() }
    }

    /// The torrents there are now, by truncated infohash, with their names. Peers of those that stay are kept.
    pub(crate) fn set_torrents(&mut self, torrents: &BTreeMap<[u8; 20], String>) {
        self.torrents.retain(|infohash, _| torrents.contains_key(infohash));
        for (infohash, name) in torrents {
            let tracked = || Tracked { name: name.clone(), peers: Peers::default() };
            self.torrents.entry(*infohash).or_insert_with(tracked);
        }
    }

    /// Takes note of a peer and tells it others. `own_seed` is the address of the repository's own seed as this peer
    /// reaches it.
    pub(crate) fn announce(
        &mut self,
        now: Duration,
        say: &Announce,
        from: IpAddr,
        own_seed: Option<SocketAddr>,
    ) -> Result<Answer, Refusal> {
        let tracked = self.torrents.get_mut(&say.infohash).ok_or(Refusal::UnknownTorrent)?;
        let peers = &mut tracked.peers;
        peers.expire(now, self.interval);
        let addr = SocketAddr::new(from, say.port);
        let mut told = Vec::new();
        if say.event == Event::Stopped {
            peers.remove(addr);
        } else {
            peers.note(addr, say, now + 2 * self.interval, &mut self.random)?;
            let seed = own_seed.filter(|seed| !say.complete() && *seed != addr);
            told.extend(seed.filter(|_| say.numwant > 0));
            let want = say.numwant.min(NUMWANT_MAX) - told.len();
            told.extend(
                peers
                    .sample(addr, say, want, &mut self.random)
                    .into_iter()
                    .filter(|peer| Some(*peer) != seed),
            );
        }
        let (complete, incomplete) = peers.counts();
        Ok(Answer {
            interval: self.interval,
            interval_min: INTERVAL_MIN.min(self.interval),
            complete: complete + u32::from(own_seed.is_some()),
            incomplete,
            completed: peers.completed(),
            peers: told,
        })
    }

    /// Figures of every torrent, by name.
    pub(crate) fn figures(&mut self, now: Duration) -> Vec<TorrentFigures> {
        let interval = self.interval;
        let mut figures: Vec<TorrentFigures> = self
            .torrents
            .values_mut()
            .map(|tracked| {
                tracked.peers.expire(now, interval);
                let (complete, incomplete) = tracked.peers.counts();
                TorrentFigures {
                    name: tracked.name.clone(),
                    complete,
                    incomplete,
                    completed: tracked.peers.completed(),
                }
            })
            .collect();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(120);
    const HASH: [u8; 20] = [7; 20];

    fn tracker() -> Tracker {
        let mut tracker = Tracker::new(INTERVAL, 1);
        tracker.set_torrents(&BTreeMap::from([(HASH, "game-1.0".to_owned())]));
        tracker
    }

    fn say(id: u8, left: u64, event: Event) -> Announce {
        Announce { infohash: HASH, peer_id: [id; 20], port: 6000 + u16::from(id), left, event, numwant: 50 }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, last])
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn peers_find_each_other_and_never_themselves() {
        let mut tracker = tracker();
        let first = tracker.announce(at(0), &say(1, 9, Event::Started), ip(1), None).expect("known torrent");
        assert_eq!((first.peers.as_slice(), first.incomplete, first.complete), (&[][..], 1, 0));
        let second = tracker.announce(at(1), &say(2, 9, Event::Started), ip(2), None).expect("known torrent");
        assert_eq!(second.peers, [SocketAddr::new(ip(1), 6001)]);
        // The same program over another address is still itself.
        let moved = tracker.announce(at(2), &say(1, 9, Event::None), ip(3), None).expect("known torrent");
        assert_eq!(moved.peers, [SocketAddr::new(ip(2), 6002)]);
    }

    #[test]
    fn a_seed_is_not_sent_to_seeds_and_the_own_seed_comes_first() {
        let mut tracker = tracker();
        let own: SocketAddr = "198.51.100.200:7000".parse().expect("an address");
        tracker.announce(at(0), &say(1, 0, Event::Completed), ip(1), Some(own)).expect("known torrent");
        let seed =
            tracker.announce(at(0), &say(2, 0, Event::Started), ip(2), Some(own)).expect("known torrent");
        assert!(seed.peers.is_empty(), "{seed:?}");
        let player =
            tracker.announce(at(0), &say(3, 5, Event::Started), ip(3), Some(own)).expect("known torrent");
        assert_eq!(player.peers[0], own);
        assert_eq!((player.peers.len(), player.complete, player.incomplete, player.completed), (3, 3, 1, 1));
    }

    #[test]
    fn who_says_goodbye_or_stays_away_is_forgotten() {
        let mut tracker = tracker();
        tracker.announce(at(0), &say(1, 9, Event::Started), ip(1), None).expect("known torrent");
        tracker.announce(at(0), &say(2, 9, Event::Started), ip(2), None).expect("known torrent");
        let gone = tracker.announce(at(1), &say(2, 9, Event::Stopped), ip(2), None).expect("known torrent");
        assert!(gone.peers.is_empty() && gone.incomplete == 1);
        let late = tracker.announce(at(260), &say(3, 9, Event::Started), ip(3), None).expect("known torrent");
        assert!(late.peers.is_empty(), "expired after twice the interval");
    }

    #[test]
    fn unknown_torrents_and_crowds_at_one_address_are_refused() {
        let mut tracker = tracker();
        let unknown = Announce { infohash: [8; 20], ..say(1, 9, Event::Started) };
        assert_eq!(tracker.announce(at(0), &unknown, ip(1), None), Err(Refusal::UnknownTorrent));
        let mut outcome = Ok(());
        for port in 1..=1000_u16 {
            let many = Announce { port, ..say(1, 9, Event::Started) };
            outcome = outcome.and(tracker.announce(at(0), &many, ip(1), None).map(drop));
        }
        assert_eq!(outcome, Err(Refusal::TooManyAtAddress));
        assert!(tracker.announce(at(0), &say(2, 9, Event::Started), ip(2), None).is_ok());
    }

    #[test]
    fn answers_are_bounded_and_differ() {
        let mut tracker = tracker();
        for id in 1..=200 {
            tracker.announce(at(0), &say(id, 9, Event::Started), ip(id), None).expect("known torrent");
        }
        let ask = |tracker: &mut Tracker, numwant| {
            let say = Announce { numwant, ..say(201, 9, Event::None) };
            tracker.announce(at(1), &say, ip(201), None).expect("known torrent").peers
        };
        let (one, two) = (ask(&mut tracker, 10_000), ask(&mut tracker, 10_000));
        assert_eq!((one.len(), two.len(), ask(&mut tracker, 3).len()), (50, 50, 3));
        assert_ne!(one, two);
        assert!(ask(&mut tracker, 0).is_empty());
    }

    #[test]
    fn near_addresses_are_not_sent_far_away() {
        let mut tracker = tracker();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        tracker.announce(at(0), &say(1, 9, Event::Started), loopback, None).expect("known torrent");
        tracker
            .announce(at(0), &say(2, 9, Event::Started), IpAddr::from([10, 0, 0, 1]), None)
            .expect("known");
        let far = tracker.announce(at(0), &say(3, 9, Event::Started), ip(3), None).expect("known torrent");
        assert!(far.peers.is_empty());
        let near =
            tracker.announce(at(0), &say(4, 9, Event::Started), loopback, None).expect("known torrent");
        assert_eq!(near.peers.len(), 3);
    }

    /// What the whole costs, without sockets: the floor is a tenth of what a slow machine does.
    #[test]
    fn five_thousand_announces_a_second_with_full_lists_are_little() {
        let mut tracker = tracker();
        let started = std::time::Instant::now();
        let (count, mut told) = (50_000_u32, 0);
        for n in 0..count {
            let from = IpAddr::from((0x0800_0000 + n).to_be_bytes());
            let mut say = say(1, u64::from(n % 3), Event::None);
            say.peer_id[..4].copy_from_slice(&n.to_be_bytes());
            told += tracker.announce(at(0), &say, from, None).expect("known torrent").peers.len();
        }
        let per_second = f64::from(count) / started.elapsed().as_secs_f64();
        assert!(told > 49 * count as usize, "{told} addresses told");
        assert!(per_second > 10_000.0, "{per_second:.0} announces a second");
    }
}
