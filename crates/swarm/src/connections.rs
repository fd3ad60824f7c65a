//! Whom to connect to, whom to let in, whom never again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::address::{Reach, may_name, reach};
use crate::partial::Source;
use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::{MAX_PEX_PEERS, Message, Pex};
use crate::{CloseReason, Event, Input, Output, PeerKey, PeerSource, Stats, Time};

/// Addresses that are remembered.
const KNOWN_MAX: usize = 2_000;
/// Of these, addresses that peers told us of (BEP 11).
const KNOWN_FROM_PEERS_MAX: usize = 500;
/// A connection that gave and took nothing for so long gives its place to a newcomer.
const USELESS_AFTER: Duration = Duration::from_secs(30);
/// The same for one that has nothing and wants nothing.
const MUTE_FOR: Duration = Duration::from_secs(10);
/// Peers that left and whose blocks are not judged yet.
const DEPARTED_MAX: usize = 4_096;
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// The retry delay of an address a person gave is doubled no further.
const RETRY_MANUAL_MAX: Duration = Duration::from_secs(30);
/// An address that failed so often is forgotten, unless a person gave it.
const FAILURES_MAX: u32 = 6;
/// A peer that says nothing at all for so long is gone; a keep-alive is due every two minutes (BEP 3).
const SILENCE_MAX: Duration = Duration::from_secs(150);
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(100);
/// BEP 11: no more than one peer exchange message a minute.
const PEX_INTERVAL: Duration = Duration::from_secs(60);
/// A peer that could not be told of anybody is thought of again after this.
const PEX_RETRY: Duration = Duration::from_secs(1);
/// Peers told of others in one tick, so that no tick takes long.
const PEX_AT_ONCE: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Connections {
    known: BTreeMap<SocketAddr, Known>,
    connecting: BTreeSet<SocketAddr>,
    departed: BTreeMap<PeerKey, Identity>,
    banned: BTreeSet<Ban>,
    banned_keys: BTreeSet<PeerKey>,
    banned_count: usize,
}

#[derive(Debug)]
struct Known {
    source: PeerSource,
    failures: u32,
    not_before: Time,
    is_ourselves: bool,
    is_seed: bool,
}

/// By what a banned peer is known again. An address of the internet is one household; on loopback and in private
/// networks many peers share one, so there the port counts too. What a peer only claims, its id and its port, is nobody's
/// mark: a liar would claim those of the best seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ban {
    Ip(IpAddr),
    Addr(SocketAddr),
}

#[derive(Debug, Clone, Copy)]
struct Identity {
    addr: SocketAddr,
}

impl Identity {
    fn of(peer: &Peer) -> Self {
        Self { addr: peer.addr }
    }

    fn ban(&self) -> Ban {
        match reach(self.addr.ip()) {
            Reach::Global => Ban::Ip(self.addr.ip()),
            _ => Ban::Addr(self.addr),
        }
    }
}

impl Connections {
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Addresses that may be players.
    pub(crate) fn known_players(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn connecting(&self) -> usize {
        self.connecting.len()
    }

    /// An attempt failed: the next one waits longer.
    pub(crate) fn failed(&mut self, addr: SocketAddr, now: Time) {
        self.connecting.remove(&addr);
        let Some(known) = self.known.get_mut(&addr) else { return };
        known.failures += 1;
        let manual = known.source == PeerSource::Manual;
        let longest = if manual { RETRY_MANUAL_MAX } else { RETRY_MAX };
        let delay = RETRY_MIN * 2_u32.pow(known.failures.min(8) - 1);
        known.not_before = now + delay.min(longest);
        if known.failures >= FAILURES_MAX && !manual {
            self.known.remove(&addr);
        }
    }

    pub(crate) fn is_seed(&mut self, addr: Option<SocketAddr>) {
        if let Some(known) = addr.and_then(|addr| self.known.get_mut(&addr)) {
            known.is_seed = true;
        }
    }

    pub(crate) fn is_banned_key(&self, key: PeerKey) -> bool {
        self.banned_keys.contains(&key)
    }

    pub(crate) fn report(&self, stats: &mut Stats) {
        stats.peers_known = self.known.len();
        stats.peers_connecting = self.connecting.len();
        stats.peers_banned = self.banned_count;
    }

    fn is_banned(&self, identity: &Identity) -> bool {
        self.banned.contains(&identity.ban())
    }

    /// Whether one more address from this source is remembered. What peers tell takes up a part only, and gives way
    /// to what a tracker or a person tells.
    fn make_room(&mut self, source: PeerSource) -> bool {
        if source == PeerSource::Pex {
            let from_peers = self.known.values().filter(|known| known.source == PeerSource::Pex).count();
            return from_peers < KNOWN_FROM_PEERS_MAX && self.known.len() < KNOWN_MAX;
        }
        if self.known.len() >= KNOWN_MAX {
            let least = self.known.iter().max_by_key(|(_, known)| (rank(known.source), known.failures));
            match least.filter(|(_, known)| rank(known.source) > rank(source)).map(|(addr, _)| *addr) {
                Some(addr) => drop(self.known.remove(&addr)),
                None => return false,
            }
        }
        true
    }

    fn may_connect(&self, addr: SocketAddr) -> bool {
        !self.banned.contains(&Ban::Addr(addr)) && !self.banned.contains(&Ban::Ip(addr.ip()))
    }

    fn departed(&mut self, key: PeerKey, peer: &Peer, now: Time) {
        if peer.downloaded > 0 {
            self.departed.insert(key, Identity::of(peer));
        }
        if self.departed.len() > DEPARTED_MAX {
            self.departed.pop_first();
        }
        if let Some(known) = peer.listens.and_then(|addr| self.known.get_mut(&addr)) {
            known.failures = 0;
            known.not_before = now + RETRY_MIN;
        }
    }
}

impl Swarm {
    pub(crate) fn on_peers_found(&mut self, addrs: &[SocketAddr], source: PeerSource) {
        for &addr in addrs {
            let somewhere = reach(addr.ip()) != Reach::None && addr.port() != 0;
            if somewhere && self.connections.may_connect(addr) && self.connections.make_room(source) {
                let known =
                    Known { source, failures: 0, not_before: self.now, is_ourselves: false, is_seed: false };
                self.connections.known.entry(addr).or_insert(known);
            }
        }
        self.drive_connections();
    }

    pub(crate) fn on_connected(&mut self, key: PeerKey, input: &Input) {
        let Some(peer) = Peer::connected(input, self.have.len(), self.now, &self.config) else { return };
        if peer.outgoing {
            self.connections.connecting.remove(&peer.addr);
        }
        if let Some(reason) = self.objection(&peer) {
            if let (CloseReason::Own, Some(known)) = (reason, self.connections.known.get_mut(&peer.addr)) {
                known.is_ourselves = true;
            }
            return self.put(Output::Close { peer: key, reason });
        }
        // An id alone is a claim: the same one at another address is somebody else, unless it is of the other family,
        // by which we know the same machine too.
        let same = |other: &Peer| {
            let alike = other.addr.ip() == peer.addr.ip() || other.addr.is_ipv4() != peer.addr.is_ipv4();
            alike && other.peer_id == peer.peer_id
        };
        let double = self.peers.iter().find(|(_, other)| same(other));
        if let Some((old, other)) = double.map(|(old, other)| (*old, other.outgoing)) {
            // Both ends must keep the same connection: the one that the smaller peer id opened.
            let we_are_smaller = self.config.peer_id < peer.peer_id;
            if other == peer.outgoing || peer.outgoing != we_are_smaller {
                return self.put(Output::Close { peer: key, reason: CloseReason::Duplicate });
            }
            self.close(old, CloseReason::Duplicate);
        }
        if self.peers.len() >= self.config.connections_max
            && let Some(useless) = self.most_useless()
        {
            self.close(useless, CloseReason::Limit);
        }
        self.peers.insert(key, peer);
        self.greet(key);
    }

    /// The connection that was of no use for longest, if any was for long.
    fn most_useless(&self) -> Option<PeerKey> {
        let idle = self.peers.iter().filter(|(_, peer)| self.is_useless(peer));
        idle.min_by_key(|(_, peer)| peer.useful_at()).map(|(key, _)| *key)
    }

    /// Whether a connection gave nothing, took nothing, and has nothing for us.
    fn is_useless(&self, peer: &Peer) -> bool {
        let says_nothing = peer.pieces.is_empty() && !peer.interested;
        let patience = if says_nothing { MUTE_FOR } else { USELESS_AFTER };
        let serves = peer.interesting > 0 && !peer.chokes_us && !peer.snubbed;
        !serves && peer.sending.is_empty() && self.now.since(peer.useful_at()) >= patience
    }

    fn objection(&self, peer: &Peer) -> Option<CloseReason> {
        let same_ip = |other: &&Peer| other.addr.ip() == peer.addr.ip();
        let counted = peer.class == crate::Class::Internet && reach(peer.addr.ip()) == Reach::Global;
        if peer.peer_id == self.config.peer_id {
            Some(CloseReason::Own)
        } else if self.connections.is_banned(&Identity::of(peer)) {
            Some(CloseReason::Banned)
        } else if (self.peers.len() >= self.config.connections_max && self.most_useless().is_none())
            || (counted && self.peers.values().filter(same_ip).count() >= self.config.connections_per_ip)
        {
            Some(CloseReason::Limit)
        } else {
            None
        }
    }

    /// Opens connections while we want more.
    pub(crate) fn drive_connections(&mut self) {
        let wanted = self.config.connections_wanted.min(self.config.connections_max);
        let useful = self.peers.values().filter(|peer| !self.is_useless(peer)).count();
        let places = self.config.connections_max.saturating_sub(self.peers.len());
        let missing = wanted.saturating_sub(useful + self.connections.connecting.len()).min(places);
        let room = missing.min(self.config.connecting_max.saturating_sub(self.connections.connecting.len()));
        let done = self.is_complete();
        let idle = !done && !self.download;
        if room == 0 || idle || (done && !self.upload) {
            return;
        }
        let connected: BTreeSet<SocketAddr> =
            self.peers.values().flat_map(|peer| [Some(peer.addr), peer.listens]).flatten().collect();
        let mut due: Vec<((u32, u8, u32), SocketAddr)> = Vec::new();
        for (addr, known) in &self.connections.known {
            let of_no_use = known.is_ourselves || (done && known.is_seed);
            let useful = !of_no_use && known.not_before <= self.now;
            let free = !connected.contains(addr) && !self.connections.connecting.contains(addr);
            if useful && free && self.connections.may_connect(*addr) {
                due.push(((known.failures, rank(known.source), self.rng.u32(..)), *addr));
            }
        }
        due.sort_unstable();
        for (_, addr) in due.into_iter().take(room) {
            self.connections.connecting.insert(addr);
            self.put(Output::Connect { addr });
        }
    }

    pub(crate) fn close(&mut self, peer: PeerKey, reason: CloseReason) {
        if self.peers.contains_key(&peer) {
            self.put(Output::Close { peer, reason });
            self.drop_peer(peer);
        }
    }

    /// Forgets a peer that is gone and gives its blocks to others.
    pub(crate) fn drop_peer(&mut self, key: PeerKey) {
        let Some(mut peer) = self.peers.remove(&key) else { return };
        self.dry.remove(&key);
        self.suggest.withdraw(&mut peer);
        self.connections.departed(key, &peer, self.now);
        self.forget_pieces(&peer);
        self.forget_hash_questions(key);
        for (piece, block) in peer.out.keys() {
            self.unask(Source::Peer(key), *piece, *block);
        }
        for range in peer.hashes_out.into_keys() {
            self.hash_request_ended(key, range);
        }
        if !peer.choked {
            self.deal();
        }
        self.refill_others();
        self.drive_origin();
    }

    /// A peer lied: it goes, all it gave goes, and it is not let in again.
    pub(crate) fn ban(&mut self, key: PeerKey) {
        let peer = self.peers.get(&key).map(Identity::of);
        let Some(identity) = peer.or_else(|| self.connections.departed.get(&key).copied()) else { return };
        if !self.connections.banned_keys.insert(key) {
            return;
        }
        self.connections.banned.insert(identity.ban());
        self.connections.banned_count += 1;
        self.connections.known.remove(&identity.addr);
        self.event(Event::PeerBanned { addr: identity.addr });
        self.close(key, CloseReason::Banned);
        let alike: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| self.connections.is_banned(&Identity::of(peer)))
            .map(|(key, _)| *key)
            .collect();
        alike.into_iter().for_each(|key| self.close(key, CloseReason::Banned));
        self.discard_all_from(key);
    }

    pub(crate) fn check_silence(&mut self) {
        let silent = |peer: &Peer| self.now.since(peer.heard_at) >= SILENCE_MAX;
        let gone: Vec<PeerKey> = self.peers.iter().filter(|(_, p)| silent(p)).map(|(key, _)| *key).collect();
        gone.into_iter().for_each(|key| self.close(key, CloseReason::Silent));
        let quiet = |peer: &Peer| self.now.since(peer.said_at) >= KEEP_ALIVE_AFTER;
        let due: Vec<PeerKey> = self.peers.iter().filter(|(_, p)| quiet(p)).map(|(key, _)| *key).collect();
        due.into_iter().for_each(|key| self.send(key, Message::KeepAlive));
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
        let reachable: BTreeSet<SocketAddr> = self.peers.values().filter_map(|peer| peer.listens).collect();
        for (_, key) in line.into_iter().take(PEX_AT_ONCE) {
            self.exchange_with(key, &reachable);
        }
    }

    fn exchange_with(&mut self, key: PeerKey, reachable: &BTreeSet<SocketAddr>) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(id) = peer.ut_pex else { return };
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

fn rank(source: PeerSource) -> u8 {
    match source {
        PeerSource::Lan => 0,
        PeerSource::Manual => 1,
        PeerSource::Tracker => 2,
        PeerSource::Pex => 3,
    }
}
