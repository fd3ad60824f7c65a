//! The peers of one torrent: bounded, expiring, sampled at random.
//!
//! Invariant: `index` names every peer of both lists by its address, and nothing else.

use super::{
    Refusal,
    announce::{Announce, Event},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use swarm::address::reaches_as_far;

/// Peers remembered of one torrent (about 100 bytes each). Past it a newcomer takes the place of somebody at random: a
/// flood can push people out, but not keep them out.
pub(super) const PEERS_MAX: usize = 20_000;
/// Peers remembered at one address, of IPv6 in one network of 64 bits: a LAN café behind one router fits, a flood does
/// not.
pub(super) const PEERS_PER_ADDRESS_MAX: usize = 256;
/// Peers looked at for one answer at most, when few of them are of use to who asks.
const LOOKED_AT_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy)]
struct Peer {
    addr: SocketAddr,
    peer_id: [u8; 20],
    expires: Duration,
}

/// Where a peer stands: among the complete, and at which place.
type Place = (bool, usize);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Peers {
    incomplete: Vec<Peer>,
    complete: Vec<Peer>,
    index: BTreeMap<SocketAddr, Place>,
    completed: u32,
    swept: Duration,
}

impl Peers {
    /// Takes note of an announce.
    pub(super) fn note(
        &mut self,
        addr: SocketAddr,
        say: &Announce,
        expires: Duration,
        random: &mut fastrand::Rng,
    ) -> Result<(), Refusal> {
        let known = self.index.contains_key(&addr);
        if !known && self.at_address(addr.ip()) >= PEERS_PER_ADDRESS_MAX {
            return Err(Refusal::TooManyAtAddress);
        }
        self.remove(addr);
        if say.event == Event::Completed {
            self.completed = self.completed.saturating_add(1);
        }
        if self.len() >= PEERS_MAX {
            let out = self.nth(random.usize(..self.len())).addr;
            self.remove(out);
        }
        let list = self.list(say.complete());
        list.push(Peer { addr, peer_id: say.peer_id, expires });
        let place = (say.complete(), list.len() - 1);
        self.index.insert(addr, place);
        Ok(())
    }

    /// Forgets a peer.
    pub(super) fn remove(&mut self, addr: SocketAddr) {
        let Some((complete, at)) = self.index.remove(&addr) else { return };
        let list = self.list(complete);
        list.swap_remove(at);
        if let Some(moved) = list.get(at).map(|peer| peer.addr) {
            self.index.insert(moved, (complete, at));
        }
    }

    /// Forgets who stayed away too long. The whole list is gone through only every eighth of an interval.
    pub(super) fn expire(&mut self, now: Duration, interval: Duration) {
        if now < self.swept + interval / 8 {
            return;
        }
        self.swept = now;
        let all = self.incomplete.iter().chain(&self.complete);
        let late: Vec<SocketAddr> = all.filter(|peer| peer.expires <= now).map(|peer| peer.addr).collect();
        late.into_iter().for_each(|addr| self.remove(addr));
    }

    /// Up to `want` others at random, of those that are of use to the one who asks. Looks at a bounded number of peers,
    /// however many there are.
    pub(super) fn sample(
        &self,
        asker: SocketAddr,
        say: &Announce,
        want: usize,
        random: &mut fastrand::Rng,
    ) -> Vec<SocketAddr> {
        // A seed is of no use to a seed.
        let among = if say.complete() { self.incomplete.len() } else { self.len() };
        let is_useful = |peer: &Peer| {
            peer.addr != asker && peer.peer_id != say.peer_id && reaches_as_far(asker.ip(), peer.addr.ip())
        };
        let mut chosen: Vec<SocketAddr> = Vec::with_capacity(want);
        // Mostly all are of use, and then these few suffice; one more, because the asker may be among them.
        for place in distinct(among, want + 1, random) {
            let peer = self.nth(place);
            if chosen.len() < want && is_useful(peer) {
                chosen.push(peer.addr);
            }
        }
        if chosen.len() < want && among > want + 1 {
            let first = random.usize(..among);
            for step in 0..among.min(LOOKED_AT_MAX) {
                let peer = self.nth((first + step) % among);
                if chosen.len() < want && is_useful(peer) && !chosen.contains(&peer.addr) {
                    chosen.push(peer.addr);
                }
            }
        }
        random.shuffle(&mut chosen);
        chosen
    }

    /// Complete and incomplete peers.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.complete.len() as u32, self.incomplete.len() as u32)
    }

    /// How many have announced that they became complete.
    pub(super) fn completed(&self) -> u32 {
        self.completed
    }

    fn len(&self) -> usize {
        self.incomplete.len() + self.complete.len()
    }

    /// The incomplete first.
    fn nth(&self, place: usize) -> &Peer {
        let incomplete = self.incomplete.len();
        if place < incomplete { &self.incomplete[place] } else { &self.complete[place - incomplete] }
    }

    fn list(&mut self, complete: bool) -> &mut Vec<Peer> {
        if complete { &mut self.complete } else { &mut self.incomplete }
    }

    fn at_address(&self, ip: IpAddr) -> usize {
        let (first, last) = match ip {
            IpAddr::V4(_) => (ip, ip),
            IpAddr::V6(ip) => {
                let network = ip.to_bits() & !u128::from(u64::MAX);
                let last = network | u128::from(u64::MAX);
                (Ipv6Addr::from_bits(network).into(), Ipv6Addr::from_bits(last).into())
            }
        };
        let range = SocketAddr::new(first, 0)..=SocketAddr::new(last, u16::MAX);
        self.index.range(range).take(PEERS_PER_ADDRESS_MAX).count()
    }
}

/// `want` different numbers below `among`, or all of them (Floyd's way: no list of all is made).
fn distinct(among: usize, want: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let want = want.min(among);
    let mut chosen: Vec<usize> = Vec::with_capacity(want);
    for last in among - want..among {
        let number = random.usize(..=last);
        chosen.push(if chosen.contains(&number) { last } else { number });
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any order of announces keeps the index, the counts and the bounds right.
    #[test]
    fn the_index_names_everyone_whatever_happens() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut peers = Peers::default();
            let mut now = Duration::ZERO;
            for _ in 0..2_000 {
                now += Duration::from_secs(random.u64(..5));
                let ip = IpAddr::from([10, 0, 0, random.u8(..4)]);
                let addr = SocketAddr::new(ip, random.u16(1..400));
                let event =
                    *random.choice(&[Event::None, Event::Started, Event::Completed]).expect("not empty");
                let (peer_id, left) = ([random.u8(..50); 20], random.u64(..2));
                let say =
                    Announce { infohash: [0; 20], peer_id, port: addr.port(), left, event, numwant: 50 };
                peers.expire(now, Duration::from_secs(100));
                if random.u8(..4) == 0 {
                    peers.remove(addr);
                } else if peers.note(addr, &say, now + Duration::from_secs(200), &mut random).is_ok() {
                    let told = peers.sample(addr, &say, 50, &mut random);
                    assert!(told.len() <= 50 && !told.contains(&addr), "seed {seed}");
                }
                assert_eq!(peers.index.len(), peers.len(), "seed {seed}");
                let stands = |(addr, (complete, at)): (&SocketAddr, &Place)| {
                    let list = if *complete { &peers.complete } else { &peers.incomplete };
                    list[*at].addr == *addr
                };
                assert!(peers.index.iter().all(stands), "seed {seed}");
                assert!(peers.at_address(ip) <= PEERS_PER_ADDRESS_MAX, "seed {seed}");
            }
        }
    }

    fn crowd(count: u32, complete: impl Fn(u32) -> bool) -> (Peers, fastrand::Rng) {
        let (mut peers, mut random) = (Peers::default(), fastrand::Rng::with_seed(3));
        for n in 0..count {
            let addr = SocketAddr::from(((0x0800_0000 + n).to_be_bytes(), 6881));
            let say = Announce { left: u64::from(!complete(n)), ..say(n) };
            peers.note(addr, &say, Duration::from_secs(100), &mut random).expect("an address each");
        }
        (peers, random)
    }

    fn say(id: u32) -> Announce {
        let mut peer_id = [0; 20];
        peer_id[..4].copy_from_slice(&id.to_be_bytes());
        Announce { infohash: [0; 20], peer_id, port: 6881, left: 1, event: Event::Started, numwant: 50 }
    }

    #[test]
    fn a_million_fake_peers_are_bounded_and_keep_nobody_out() {
        let (mut peers, mut random) = crowd(1_000_000, |_| false);
        assert_eq!((peers.len(), peers.index.len()), (PEERS_MAX, PEERS_MAX));
        let honest: SocketAddr = "203.0.113.9:6881".parse().expect("an address");
        peers.note(honest, &say(u32::MAX), Duration::from_secs(200), &mut random).expect("room is made");
        assert!(peers.index.contains_key(&honest));
        peers.expire(Duration::from_secs(150), Duration::from_secs(60));
        assert_eq!(peers.len(), 1, "who does not come back is forgotten");
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let (mut peers, mut random) = (Peers::default(), fastrand::Rng::with_seed(4));
        let mut taken = 0;
        for n in 0..10_000_u32 {
            let addr = SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n as u16).into(), 6881);
            taken += usize::from(peers.note(addr, &say(n), Duration::from_secs(9), &mut random).is_ok());
        }
        assert_eq!((taken, peers.len()), (PEERS_PER_ADDRESS_MAX, PEERS_PER_ADDRESS_MAX));
        let other: SocketAddr = "[2001:db8:0:2::1]:6881".parse().expect("an address");
        assert!(peers.note(other, &say(1), Duration::from_secs(9), &mut random).is_ok());
    }

    #[test]
    fn a_seed_finds_the_few_who_lack_something_and_everybody_is_told_now_and_then() {
        let (peers, mut random) = crowd(5_000, |n| n % 100 != 0);
        let asker: SocketAddr = "203.0.113.9:6881".parse().expect("an address");
        let seed = Announce { left: 0, ..say(u32::MAX) };
        let told = peers.sample(asker, &seed, 50, &mut random);
        assert_eq!(told.len(), 50, "all of the fifty that lack something");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let told = peers.sample(asker, &say(u32::MAX), 50, &mut random);
            let different: std::collections::BTreeSet<&SocketAddr> = told.iter().collect();
            assert_eq!(different.len(), 50);
            seen.extend(told);
        }
        assert!(seen.len() > 4_900, "{} of 5000", seen.len());
    }
}
