//! The peers of one torrent: bounded, expiring, sampled at random.
//!
//! Invariant: `index` names every peer of `all` by its address, and nothing else.

use super::{
    Refusal,
    announce::{Announce, Event},
};
use engine::session::may_name;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Peers remembered of one torrent (about 100 bytes each). Those past it are answered but not remembered.
const PEERS_MAX: usize = 20_000;
/// Peers remembered at one address: a LAN café behind one router fits, a flood does not.
const PEERS_PER_ADDRESS_MAX: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Peer {
    addr: SocketAddr,
    peer_id: [u8; 20],
    complete: bool,
    expires: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: Vec<Peer>,
    index: BTreeMap<SocketAddr, usize>,
    complete: u32,
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
    ) -> Result<(), Refusal> {
        let known = self.index.contains_key(&addr);
        if !known && self.at_address(addr.ip()) >= PEERS_PER_ADDRESS_MAX {
            return Err(Refusal::TooManyAtAddress);
        }
        self.remove(addr);
        if say.event == Event::Completed {
            self.completed = self.completed.saturating_add(1);
        }
        if self.all.len() < PEERS_MAX {
            self.index.insert(addr, self.all.len());
            self.all.push(Peer { addr, peer_id: say.peer_id, complete: say.complete(), expires });
            self.complete += u32::from(say.complete());
        }
        Ok(())
    }

    /// Forgets a peer.
    pub(super) fn remove(&mut self, addr: SocketAddr) {
        let Some(at) = self.index.remove(&addr) else { return };
        let gone = self.all.swap_remove(at);
        self.complete -= u32::from(gone.complete);
        if let Some(moved) = self.all.get(at) {
            self.index.insert(moved.addr, at);
        }
    }

    /// Forgets who stayed away too long. The whole list is gone through only every eighth of an interval.
    pub(super) fn expire(&mut self, now: Duration, interval: Duration) {
        if now < self.swept + interval / 8 {
            return;
        }
        self.swept = now;
        let late: Vec<SocketAddr> =
            self.all.iter().filter(|peer| peer.expires <= now).map(|peer| peer.addr).collect();
        late.into_iter().for_each(|addr| self.remove(addr));
    }

    /// Up to `want` others at random, of those that are of use to the one who asks.
    pub(super) fn sample(
        &self,
        asker: SocketAddr,
        say: &Announce,
        want: usize,
        random: &mut fastrand::Rng,
    ) -> Vec<SocketAddr> {
        let useful = self.all.iter().filter(|peer| {
            peer.addr != asker
                && peer.peer_id != say.peer_id
                && !(peer.complete && say.complete())
                && may_name(asker.ip(), peer.addr)
        });
        let mut chosen: Vec<SocketAddr> = random.choose_multiple(useful.map(|peer| peer.addr), want);
        random.shuffle(&mut chosen);
        chosen
    }

    /// Complete and incomplete peers.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.complete, self.all.len() as u32 - self.complete)
    }

    /// How many have announced that they became complete.
    pub(super) fn completed(&self) -> u32 {
        self.completed
    }

    fn at_address(&self, ip: IpAddr) -> usize {
        let range = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        self.index.range(range).take(PEERS_PER_ADDRESS_MAX).count()
    }
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
                } else if peers.note(addr, &say, now + Duration::from_secs(200)).is_ok() {
                    let told = peers.sample(addr, &say, 50, &mut random);
                    assert!(told.len() <= 50 && !told.contains(&addr), "seed {seed}");
                }
                assert_eq!(peers.index.len(), peers.all.len(), "seed {seed}");
                assert!(peers.index.iter().all(|(addr, at)| peers.all[*at].addr == *addr), "seed {seed}");
                let complete = peers.all.iter().filter(|peer| peer.complete).count() as u32;
                assert_eq!(peers.counts(), (complete, peers.all.len() as u32 - complete), "seed {seed}");
                assert!(peers.at_address(ip) <= PEERS_PER_ADDRESS_MAX, "seed {seed}");
            }
        }
    }
}
