//! Two connections to one peer, of which one is enough.
//!
//! Both ends must keep the same one, so only the end with the greater peer id lets go of one, and it keeps the one that it
//! opened, as libtorrent does. A peer's id and port are claims: a connection that we opened to an address never ends for
//! one that came in, so whoever claims a seed's name, its port or both keeps nobody out. Where the port does not tell
//! (a router maps it, the other family's address), both stay until one of them was of use and the other of less.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::{CloseReason, PeerKey, Via};

/// For so long two connections under one name have the chance to show their use.
const TRIAL: Duration = Duration::from_secs(10);

impl Swarm {
    /// Lets go of the connection from a peer that we have opened one to.
    pub(crate) fn settle_double(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key).filter(|peer| self.decides_for(peer)) else { return };
        let crosses = |other: &Peer| {
            let (ours, theirs) = if peer.outgoing { (peer, other) } else { (other, peer) };
            ours.outgoing
                && !theirs.outgoing
                && theirs.via == ours.via
                && theirs.listens == Some(ours.addr)
                && peer.peer_id == other.peer_id
        };
        let other = self.peers.iter().find(|(_, other)| crosses(other)).map(|(other, _)| *other);
        if let Some(other) = other {
            let incoming = if peer.outgoing { other } else { key };
            self.close(incoming, CloseReason::Duplicate);
        }
    }

    /// Lets go of those connections of one peer that were of less use than another of it that is of use now.
    pub(crate) fn settle_doubles(&mut self) {
        let mut names: BTreeMap<([u8; 20], Via), Vec<PeerKey>> = BTreeMap::new();
        for (key, peer) in self.peers.iter().filter(|(_, peer)| self.decides_for(peer)) {
            names.entry((peer.peer_id, peer.via)).or_default().push(*key);
        }
        let lesser: Vec<PeerKey> = names
            .values()
            .filter(|keys| keys.len() > 1)
            .flat_map(|keys| {
                keys.iter().filter(|key| keys.iter().any(|other| self.is_outdone(**key, *other)))
            })
            .copied()
            .collect();
        lesser.into_iter().for_each(|key| self.close(key, CloseReason::Duplicate));
    }

    /// Lets go of those connections of the peer at an address that we just connected to under a better infohash. It may
    /// have a torrent for each, so nobody but who dialled knows that the worse way is not needed.
    pub(super) fn settle_ways(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key).filter(|peer| peer.outgoing) else { return };
        let worse = |other: &Peer| {
            other.via > peer.via && other.peer_id == peer.peer_id && other.listens == Some(peer.addr)
        };
        let worse: Vec<PeerKey> =
            self.peers.iter().filter(|(_, other)| worse(other)).map(|(key, _)| *key).collect();
        worse.into_iter().for_each(|key| self.close(key, CloseReason::Duplicate));
    }

    /// Whether this very peer is met under a better infohash too, so that nothing is wanted of it here.
    pub(crate) fn is_met_better(&self, key: PeerKey) -> bool {
        let Some(peer) = self.peers.get(&key) else { return false };
        let better = |other: &Peer| {
            other.via < peer.via && other.peer_id == peer.peer_id && other.addr.ip() == peer.addr.ip()
        };
        self.peers.values().any(better)
    }

    fn decides_for(&self, peer: &Peer) -> bool {
        self.config.peer_id > peer.peer_id
    }

    /// Whether a connection may be to the same peer as `other` and was of less use.
    fn is_outdone(&self, key: PeerKey, other: PeerKey) -> bool {
        let (Some(peer), Some(by)) = (self.peers.get(&key), self.peers.get(&other)) else { return false };
        // The same name at another address of one family is somebody else.
        let alike = peer.addr.ip() == by.addr.ip() || peer.addr.is_ipv4() != by.addr.is_ipv4();
        let tried = [peer, by].iter().all(|peer| self.now.since(peer.connected_at()) >= TRIAL);
        let done = self.is_complete();
        let use_of = |peer: &Peer| if done { peer.uploaded } else { peer.downloaded };
        let useful_at = if done { by.took_at } else { by.gave_at() };
        alike && tried && use_of(by) > use_of(peer) && self.now.since(useful_at) < TRIAL
    }
}
