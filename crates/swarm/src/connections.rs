//! Whom to connect to, whom to let in, whom never again.
//!
//! What a peer says of itself (its id, its port) keeps nobody else out: who is refused, replaced or banned is decided by
//! the address it was met at and by what it gives. Addresses stand in `book`, who tells whom of peers in `exchange`, two
//! connections to one peer in `doubles`. Players of other releases, met under another infohash, have books of their own.

mod book;
mod doubles;
mod exchange;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::book::{Book, Teller};
use crate::address::{Reach, household, neighbourhood, reach};
use crate::partial::Source;
use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::Message;
use crate::{CloseReason, Event, Input, Output, PeerKey, PeerSource, Stats, Time, Via};

/// A connection that gave and took nothing for so long gives its place to a newcomer.
const USELESS_AFTER: Duration = Duration::from_secs(30);
/// The same for one that has nothing and wants nothing.
const MUTE_FOR: Duration = Duration::from_secs(10);
/// Peers that left and whose blocks are not judged yet.
const DEPARTED_MAX: usize = 4_096;
/// For so long after a peer gave something its word for its port is good enough not to try that port ourselves.
const CLAIM_BELIEVED: Duration = Duration::from_secs(30);
/// No more than one such port is tried in this time.
const CLAIM_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// A peer that says nothing at all for so long is gone; a keep-alive is due every two minutes (BEP 3).
const SILENCE_MAX: Duration = Duration::from_secs(150);
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(100);

#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Those to be met under our infohash.
    book: Book,
    /// Those to be met under the infohash of another release.
    elsewhere: BTreeMap<Via, Book>,
    connecting: BTreeMap<SocketAddr, Via>,
    departed: BTreeMap<PeerKey, Identity>,
    banned: BTreeSet<Ban>,
    banned_keys: BTreeSet<PeerKey>,
    banned_count: usize,
    /// When an address that a peer claims for itself was last tried all the same.
    claim_checked_at: Option<Time>,
}

/// By what a banned peer is known again. An address of the internet is one household (in IPv6 its /64); on loopback and in private
/// networks many peers share one, so there the port counts too. What a peer only claims, its id and its port, is nobody's
/// mark: a liar would claim those of the best seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ban {
    Household(IpAddr),
    Addr(SocketAddr),
}

impl Ban {
    fn of(addr: SocketAddr) -> Self {
        match reach(addr.ip()) {
            Reach::Global => Self::Household(household(addr.ip())),
            _ => Self::Addr(addr),
        }
    }
}

/// A group of addresses that has had its share of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crowd {
    Household(IpAddr),
    Neighbourhood(IpAddr),
}

impl Crowd {
    fn has(self, peer: &Peer) -> bool {
        match self {
            Self::Household(of) => household(peer.addr.ip()) == of,
            Self::Neighbourhood(of) => neighbourhood(peer.addr.ip()) == of,
        }
    }
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
        Ban::of(self.addr)
    }
}

impl Connections {
    pub(crate) fn is_empty(&self) -> bool {
        self.book.len() == 0 && self.elsewhere.values().all(|book| book.len() == 0)
    }

    /// Addresses that may be players of our release.
    pub(crate) fn known_players(&self) -> usize {
        self.book.len()
    }

    pub(crate) fn connecting(&self) -> usize {
        self.connecting.len()
    }

    /// An attempt failed: the next one waits longer.
    pub(crate) fn failed(&mut self, addr: SocketAddr, now: Time) {
        let via = self.connecting.remove(&addr).unwrap_or_default();
        self.book_of(via).failed(addr, now);
    }

    pub(crate) fn is_seed(&mut self, addr: Option<SocketAddr>, via: Via) {
        if let Some(addr) = addr {
            self.book_of(via).is_seed(addr);
        }
    }

    fn book_of(&mut self, via: Via) -> &mut Book {
        if via == Via::OWN { &mut self.book } else { self.elsewhere.entry(via).or_default() }
    }

    /// Whether anybody lied to us so far.
    pub(crate) fn banned_any(&self) -> bool {
        self.banned_count > 0
    }

    pub(crate) fn is_banned_key(&self, key: PeerKey) -> bool {
        self.banned_keys.contains(&key)
    }

    pub(crate) fn report(&self, stats: &mut Stats) {
        stats.peers_known = self.book.len() + self.elsewhere.values().map(Book::len).sum::<usize>();
        stats.peers_connecting = self.connecting.len();
        stats.peers_banned = self.banned_count;
    }

    fn is_banned(&self, identity: &Identity) -> bool {
        self.banned.contains(&identity.ban())
    }

    fn may_connect(&self, addr: SocketAddr) -> bool {
        !self.banned.contains(&Ban::of(addr))
    }

    fn departed(&mut self, key: PeerKey, peer: &Peer, is_double: bool, now: Time) {
        let book = self.book_of(peer.via);
        book.gone(key, now);
        if peer.outgoing {
            let of_use = peer.downloaded + peer.uploaded > 0;
            book.ended(peer.addr, of_use, is_double, now);
        }
        if peer.downloaded > 0 {
            self.departed.insert(key, Identity::of(peer));
        }
        if self.departed.len() > DEPARTED_MAX {
            self.departed.pop_first();
        }
    }
}

impl Swarm {
    pub(crate) fn on_peers_found(&mut self, addrs: &[SocketAddr], source: PeerSource, via: Via) {
        self.told_of(addrs, source.into(), via);
    }

    fn told_of(&mut self, addrs: &[SocketAddr], teller: Teller, via: Via) {
        for &addr in addrs {
            let somewhere = reach(addr.ip()) != Reach::None && addr.port() != 0;
            if somewhere && self.connections.may_connect(addr) {
                self.connections.book_of(via).tell(teller, addr, self.now);
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
            if reason == CloseReason::Own {
                self.connections.book_of(peer.via).is_ourselves(peer.addr);
            }
            return self.put(Output::Close { peer: key, reason });
        }
        let full = self.is_full().then(|| self.most_useless(|_| true));
        let crowded = self.crowd_of(&peer).map(|crowd| self.most_useless(|other| crowd.has(other)));
        if let Some(useless) = crowded.or(full).flatten() {
            self.close(useless, CloseReason::Limit);
        }
        self.peers.insert(key, peer);
        self.greet(key);
        self.settle_double(key);
        self.settle_ways(key);
    }

    fn is_full(&self) -> bool {
        self.peers.len() >= self.config.connections_max
    }

    /// The peer's group of addresses, if as many as may come from one are here already.
    fn crowd_of(&self, peer: &Peer) -> Option<Crowd> {
        let ip = peer.addr.ip();
        if peer.class != crate::Class::Internet || reach(ip) != Reach::Global {
            return None;
        }
        let crowds = [
            (Crowd::Household(household(ip)), self.config.connections_per_ip),
            (Crowd::Neighbourhood(neighbourhood(ip)), self.config.connections_per_prefix),
        ];
        let here = |crowd: Crowd| self.peers.values().filter(|other| crowd.has(other)).count();
        crowds.into_iter().find(|(crowd, most)| here(*crowd) >= *most).map(|(crowd, _)| crowd)
    }

    /// The connection among these that was of no use for longest, if any was for long.
    fn most_useless(&self, among: impl Fn(&Peer) -> bool) -> Option<PeerKey> {
        let idle = self.peers.iter().filter(|(_, peer)| among(peer) && self.is_useless(peer));
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
        let no_room = || self.is_full() && self.most_useless(|_| true).is_none();
        let crowd = || self.crowd_of(peer);
        let no_room_there =
            || crowd().is_some_and(|crowd| self.most_useless(|other| crowd.has(other)).is_none());
        if peer.peer_id == self.config.peer_id {
            Some(CloseReason::Own)
        } else if self.connections.is_banned(&Identity::of(peer)) {
            Some(CloseReason::Banned)
        } else if no_room() || no_room_there() {
            Some(CloseReason::Limit)
        } else {
            None
        }
    }

    /// Opens connections while we want more.
    pub(crate) fn drive_connections(&mut self) {
        let wanted = self.config.connections_wanted.min(self.config.connections_max);
        let used = || self.peers.values().filter(|peer| !self.is_useless(peer));
        // Players of other releases never have all that we want: half of the places are not theirs.
        let elsewhere_max = wanted / 2;
        let elsewhere = used().filter(|peer| peer.via != Via::OWN).count();
        let useful = used().count() - elsewhere.saturating_sub(elsewhere_max);
        let places = self.config.connections_max.saturating_sub(self.peers.len());
        let missing = wanted.saturating_sub(useful + self.connections.connecting.len()).min(places);
        let room = missing.min(self.config.connecting_max.saturating_sub(self.connections.connecting.len()));
        let done = self.is_complete();
        let idle = !done && !self.download;
        if room == 0 || idle || (done && !self.upload) {
            return;
        }
        let taken = self.addresses_taken(|_| true);
        let mut tried = (0..room).take_while(|_| self.try_next(&taken, Via::OWN)).count();
        let others: Vec<Via> = self.connections.elsewhere.keys().copied().collect();
        let room = (room - tried).min(elsewhere_max.saturating_sub(self.met_elsewhere()));
        tried += (0..room).take_while(|_| others.iter().any(|via| self.try_next(&taken, *via))).count();
        if tried == 0 && self.connections.connecting.is_empty() && !done {
            self.check_a_claim();
        }
    }

    /// A peer may say that it listens where somebody else does. If it does not give us anything, that port is tried: one
    /// now and then.
    fn check_a_claim(&mut self) {
        let now = self.now;
        if self.connections.claim_checked_at.is_some_and(|at| now.since(at) < CLAIM_CHECK_INTERVAL) {
            return;
        }
        let believed = |peer: &Peer| {
            let mute = peer.pieces.is_empty() && !peer.interested;
            now.since(peer.gave_at()) < if mute { MUTE_FOR } else { CLAIM_BELIEVED }
        };
        let taken = self.addresses_taken(believed);
        if self.try_next(&taken, Via::OWN) {
            self.connections.claim_checked_at = Some(now);
        }
    }

    /// Players of other releases that are met, or are about to be.
    fn met_elsewhere(&self) -> usize {
        let met = self.peers.values().map(|peer| peer.via);
        met.chain(self.connections.connecting.values().copied()).filter(|via| *via != Via::OWN).count()
    }

    /// Addresses of our peers: those we met them at, and those they claim if they are `believed`; and the best infohash
    /// under which we met them.
    fn addresses_taken(&self, believed: impl Fn(&Peer) -> bool) -> BTreeMap<SocketAddr, Via> {
        let mut taken = BTreeMap::new();
        for peer in self.peers.values() {
            for addr in [Some(peer.addr), peer.listens.filter(|_| believed(peer))].into_iter().flatten() {
                let best: &mut Via = taken.entry(addr).or_insert(peer.via);
                *best = peer.via.min(*best);
            }
        }
        taken
    }

    /// Tries the next address that is due under this infohash, if there is any.
    fn try_next(&mut self, taken: &BTreeMap<SocketAddr, Via>, via: Via) -> bool {
        let (now, done) = (self.now, self.is_complete());
        let Connections { book, elsewhere, connecting, banned, .. } = &mut self.connections;
        let book = if via == Via::OWN { Some(book) } else { elsewhere.get_mut(&via) };
        let fits = |addr: &SocketAddr, is_seed: bool| {
            let of_no_use = banned.contains(&Ban::of(*addr)) || (done && is_seed);
            // Who is met under one infohash is tried under a better one, and only then.
            let free = taken.get(addr).is_none_or(|met| via < *met) && !connecting.contains_key(addr);
            !of_no_use && free
        };
        let next = book.and_then(|book| book.take_next(now, &mut self.rng, fits));
        let Some(addr) = next else { return false };
        connecting.insert(addr, via);
        self.put(Output::Connect { addr, via });
        true
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
        let is_double = self.peers.values().any(|other| other.listens == Some(peer.addr));
        self.connections.departed(key, &peer, is_double, self.now);
        self.forget_pieces(&peer);
        self.forget_hash_questions(key);
        for (piece, block) in peer.out.keys() {
            self.unask(Source::Peer(key), *piece, *block);
        }
        self.release_pieces_of(key);
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
        self.connections.book.forget(identity.addr);
        self.connections.elsewhere.values_mut().for_each(|book| book.forget(identity.addr));
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
        self.ask_for_all_leaves();
    }

    pub(crate) fn check_silence(&mut self) {
        let silent = |peer: &Peer| self.now.since(peer.heard_at) >= SILENCE_MAX;
        let gone: Vec<PeerKey> = self.peers.iter().filter(|(_, p)| silent(p)).map(|(key, _)| *key).collect();
        gone.into_iter().for_each(|key| self.close(key, CloseReason::Silent));
        let quiet = |peer: &Peer| self.now.since(peer.said_at) >= KEEP_ALIVE_AFTER;
        let due: Vec<PeerKey> = self.peers.iter().filter(|(_, p)| quiet(p)).map(|(key, _)| *key).collect();
        due.into_iter().for_each(|key| self.send(key, Message::KeepAlive));
    }
}
