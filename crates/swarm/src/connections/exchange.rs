//! Who tells whom of peers (BEP 11).
//!
//! We tell only of peers we could connect to, and of none that reaches less far than who is told. What we are told goes
//! to the teller's own list in the book. Who is met under one infohash would be dialled in vain under another: peers are
//! told only of those who are met under the same one as they.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::book::Teller;
use crate::address::may_name;
use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::{MAX_PEX_PEERS, Message, Pex};
use crate::{PeerKey, Time, Via};

/// BEP 11: no more than one peer exchange message a minute.
const PEX_INTERVAL: Duration = Duration::from_secs(60);
/// What comes sooner after a message that told of somebody is not listened to.
const PEX_HEARD_INTERVAL: Duration = Duration::from_secs(30);
/// A peer that could not be told of anybody is thought of again after this.
const PEX_RETRY: Duration = Duration::from_secs(1);
/// Peers told of others in one tick, so that no tick takes long.
const PEX_AT_ONCE: usize = 16;

impl Swarm {
    /// A peer tells of others.
    pub(crate) fn on_pex(&mut self, key: PeerKey, payload: &[u8]) {
        let (Ok(pex), Some(peer)) = (Pex::parse(payload), self.peers.get_mut(&key)) else { return };
        let too_soon = peer.pex_heard_at.is_some_and(|at| self.now.since(at) < PEX_HEARD_INTERVAL);
        if pex.added.is_empty() || too_soon {
            return;
        }
        peer.pex_heard_at = Some(self.now);
        // An address nearer than the sender may be somebody else's machine.
        let (ip, via) = (peer.addr.ip(), peer.via);
        let addrs: Vec<_> = pex.added.into_iter().filter(|addr| may_name(ip, *addr)).collect();
        self.told_of(&addrs, Teller::Peer(key), via);
    }

    /// Tells peers of peers (BEP 11): a few in one go, those who wait longest first.
    pub(crate) fn exchange_peers(&mut self) {
        let now = self.now;
        let wait = |peer: &Peer| if peer.pex_told.is_empty() { PEX_RETRY } else { PEX_INTERVAL };
        let due = |peer: &Peer| peer.pex_at.is_none_or(|at| now.since(at) >= wait(peer));
        let able = self.peers.iter().filter(|(_, peer)| peer.ut_pex.is_some() && due(peer));
        let mut line: Vec<(Option<Time>, PeerKey)> = able.map(|(key, peer)| (peer.pex_at, *key)).collect();
        if line.is_empty() {
            return;
        }
        line.sort_unstable();
        let mut reachable: BTreeMap<Via, BTreeSet<SocketAddr>> = BTreeMap::new();
        for peer in self.peers.values() {
            reachable.entry(peer.via).or_default().extend(peer.listens);
        }
        for (_, key) in line.into_iter().take(PEX_AT_ONCE) {
            self.exchange_with(key, &reachable);
        }
    }

    fn exchange_with(&mut self, key: PeerKey, reachable: &BTreeMap<Via, BTreeSet<SocketAddr>>) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let (Some(id), Some(reachable)) = (peer.ut_pex, reachable.get(&peer.via)) else { return };
        peer.pex_at = Some(now);
        let (own, listens) = (peer.addr, peer.listens);
        let fits = |addr: &SocketAddr| may_name(own.ip(), *addr) && *addr != own && Some(*addr) != listens;
        let new = reachable.difference(&peer.pex_told).filter(|addr| fits(addr));
        let added: Vec<_> = new.take(MAX_PEX_PEERS).copied().collect();
        let gone = peer.pex_told.iter().filter(|addr| !reachable.contains(addr) || !fits(addr));
        let dropped: Vec<_> = gone.take(MAX_PEX_PEERS).copied().collect();
        if added.is_empty() && dropped.is_empty() {
            return;
        }
        peer.pex_told.extend(&added);
        dropped.iter().for_each(|addr| {
            peer.pex_told.remove(addr);
        });
        let payload = Pex { added, dropped }.encode();
        self.send(key, Message::Extended { id, payload });
    }
}
