//! One torrent's swarm: takes an input, decides, and leaves outputs to be drained.
//!
//! The decisions stand in modules of their own (`requests`, `verify`, `hashes`, `upload`, `choker`, `origin`,
//! `connections`); this one holds the state, sends inputs where they belong and keeps time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use release::layout::{Layout, PieceLayers};

use crate::choker::Choker;
use crate::connections::Connections;
use crate::first::First;
use crate::hashes::Hashes;
use crate::origin::Origin;
use crate::partial::Partial;
use crate::peer::{Peer, Request};
use crate::picker::Picker;
use crate::requests::ahead::Ahead;
use crate::suggest::Suggest;
use crate::totals::Totals;
use crate::wire::Message;
use crate::{Bitfield, Config, Event, Input, Output, PeerKey, Stats, Time};

/// How often timeouts, windows and the origin's gate are looked at.
const TICK: Duration = Duration::from_millis(250);
/// The same for a swarm in which nothing can change by time alone but connections.
const TICK_IDLE: Duration = Duration::from_secs(5);

/// The swarm of one torrent.
///
/// Call [`Swarm::handle`] with an input, then [`Swarm::poll`] until it returns `None`, then wait for the next input or
/// for [`Swarm::deadline`], at which [`Input::Tick`] is due.
#[derive(Debug)]
pub struct Swarm {
    pub(crate) config: Config,
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    pub(crate) have: Bitfield,
    pub(crate) unwanted: Bitfield,
    /// Wanted pieces that are not had.
    pub(crate) missing: u32,
    pub(crate) bytes_have: u64,
    pub(crate) rng: Rng,
    pub(crate) now: Time,
    next_tick: Time,
    pub(crate) peers: BTreeMap<PeerKey, Peer>,
    pub(crate) picker: Picker,
    pub(crate) partials: BTreeMap<u32, Partial>,
    /// Partials with a block that nobody was asked for.
    pub(crate) open: BTreeSet<u32>,
    pub(crate) first: First,
    /// Pieces of which somebody was heard to hand on single blocks.
    pub(crate) spreading: Bitfield,
    /// Rises whenever a block may have become free: peers for whom nothing was found look again.
    pub(crate) generation: u64,
    /// Peers with room for which nothing was found, and where to go on among them.
    pub(crate) dry: BTreeSet<PeerKey>,
    pub(crate) dry_from: PeerKey,
    pub(crate) ahead: Ahead,
    pub(crate) choker: Choker,
    pub(crate) origin: Origin,
    pub(crate) connections: Connections,
    pub(crate) hashes: Hashes,
    pub(crate) suggest: Suggest,
    pub(crate) totals: Totals,
    pub(crate) download: bool,
    pub(crate) upload: bool,
    pub(crate) outputs: VecDeque<Output>,
}

impl Swarm {
    /// A swarm that has the pieces of `have`, serves and fetches, and knows no peer and no origin.
    ///
    /// `have` must be as long as the layout has pieces; a shorter or longer one counts as empty. The same seed and
    /// inputs give the same outputs; two machines should not share a seed, or they want the same pieces first.
    #[must_use]
    pub fn new(config: Config, layout: Arc<Layout>, layers: PieceLayers, have: Bitfield, seed: u64) -> Self {
        let pieces = layout.piece_count();
        let have = if have.len() == pieces { have } else { Bitfield::empty(pieces) };
        let mut rng = Rng::with_seed(seed);
        let missing = (0..pieces).filter(|piece| !have.get(*piece));
        let picker = Picker::new(pieces, missing, &mut rng);
        let bytes_have = have.iter().map(|piece| u64::from(layout.piece_bytes(piece))).sum();
        Self {
            choker: Choker::new(&config),
            hashes: Hashes::new(&layout, &layers),
            suggest: Suggest::default(),
            origin: Origin::new(&mut rng),
            config,
            layout,
            layers,
            unwanted: Bitfield::empty(pieces),
            missing: pieces - have.count(),
            have,
            bytes_have,
            rng,
            now: Time::ZERO,
            next_tick: Time::ZERO,
            peers: BTreeMap::new(),
            picker,
            partials: BTreeMap::new(),
            open: BTreeSet::new(),
            first: First::default(),
            spreading: Bitfield::empty(pieces),
            generation: 0,
            dry: BTreeSet::new(),
            dry_from: PeerKey(0),
            ahead: Ahead::default(),
            connections: Connections::default(),
            totals: Totals::default(),
            download: true,
            upload: true,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`, which must not go backwards (if it does, the latest time counts).
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.dispatch(input);
        if self.now >= self.next_tick {
            self.next_tick = self.now + if self.is_idle() { TICK_IDLE } else { TICK };
            self.tick();
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let asleep = self.is_idle() && self.connections.is_empty();
        (!asleep).then_some(self.next_tick)
    }

    /// What was done and is being done.
    #[must_use]
    pub fn stats(&self, now: Time) -> Stats {
        let now = self.now.max(now);
        let nobody_has = |piece: &&u32| self.picker.availability(**piece) == 0;
        let unavailable_partials = self.partials.keys().filter(nobody_has).count();
        let (pieces_unwanted, bytes_unwanted) = self.left_out();
        let mut stats = Stats {
            pieces_have: self.have.count(),
            pieces_total: self.have.len() - pieces_unwanted,
            pieces_unwanted,
            bytes_have: self.bytes_have,
            bytes_total: self.layout.total() - bytes_unwanted,
            availability_min: self.picker.availability_min(),
            pieces_unavailable: self.picker.unavailable() + unavailable_partials as u32,
            origin_fetches: self.origin.fetch_count(),
            peers: self.peers.iter().map(|(key, peer)| peer.stats(*key, now)).collect(),
            ..Stats::default()
        };
        self.totals.report(now, &mut stats);
        self.connections.report(&mut stats);
        stats
    }

    /// The pieces that are verified.
    #[must_use]
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// The piece layers, those fetched from peers included.
    #[must_use]
    pub fn layers(&self) -> &PieceLayers {
        &self.layers
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::PeerConnected { peer, .. } => self.on_connected(peer, &input),
            Input::Received { peer, message } => self.on_message(peer, message),
            Input::PeerClosed { peer } => self.drop_peer(peer),
            Input::ConnectFailed { addr } => self.connections.failed(addr, self.now),
            Input::BlockStored { piece, block, leaf } => self.on_stored(piece, block, leaf),
            Input::StoreFailed { piece, block } => self.on_store_failed(piece, block),
            Input::BlockSent { peer, piece, begin, length, wire } => {
                self.on_sent(peer, Request { piece, begin, length }, wire);
            }
            Input::BlockUnreadable { peer, piece, begin, length } => {
                self.on_unsent(peer, piece, begin, length);
                self.lose_piece(piece);
            }
            Input::BlockDropped { peer, piece, begin, length } => self.on_unsent(peer, piece, begin, length),
            Input::PackedFalse { peer, blocks } => self.on_packed_false(peer, &blocks),
            Input::PackedLost { peer, blocks } => self.on_packed_lost(peer, &blocks),
            Input::OriginBlock { fetch, block, data } => self.on_origin_block(fetch, block, data),
            Input::OriginFailed { fetch, retry_after, permanent } => {
                self.on_origin_failed(fetch, retry_after, permanent);
            }
            Input::Crowd { players } => self.origin.crowd = players,
            Input::PeersFound { addrs, source, via } => self.on_peers_found(&addrs, source, via),
            Input::PiecesLost { pieces } => pieces.into_iter().for_each(|piece| self.lose_piece(piece)),
            Input::PieceAvailable { piece } => self.on_piece_available(piece),
            Input::PieceLeaves { piece, leaves } => self.on_leaves(piece, leaves),
            Input::SetOrigin { available } => self.set_origin(available),
            Input::SetUpload { enabled } => self.set_upload(enabled),
            Input::SetDownload { enabled } => self.set_download(enabled),
            Input::SetAhead { class, bytes, cap } => self.set_ahead(class, bytes, cap),
            Input::SetUnwanted { unwanted } => self.set_unwanted(unwanted),
            Input::SetFirst { order } => self.set_first(order),
            Input::SetRanks { ranks } => self.set_ranks(ranks),
            Input::Tick => {}
        }
    }

    fn tick(&mut self) {
        self.check_silence();
        self.settle_doubles();
        self.check_requests();
        self.check_hash_requests();
        self.check_choker();
        self.tell_haves();
        self.flush_all_early();
        self.fill_all();
        self.endgame();
        self.drive_origin();
        self.drive_connections();
        self.exchange_peers();
    }

    fn is_idle(&self) -> bool {
        self.peers.is_empty() && (self.is_complete() || !self.download)
    }

    fn set_download(&mut self, enabled: bool) {
        self.download = enabled;
        if !enabled {
            self.cancel_origin();
            self.cancel_all_requests();
        }
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.update_interest(key);
            self.fill(key);
        }
        self.drive_origin();
    }

    pub(crate) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.put(Output::Event(event));
    }

    pub(crate) fn send(&mut self, peer: PeerKey, message: Message) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.said_at = self.now;
            self.put(Output::Send { peer, message });
        }
    }
}
