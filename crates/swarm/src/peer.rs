//! What the core knows of one connected peer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::early::Early;
use crate::packs::Packs;
use crate::policy;
use crate::rate::Rate;
use crate::requests::choose::Barren;
use crate::wire::{self, BLOCK_LENGTH, HashRange, Message};
use crate::{Bitfield, Class, Config, PeerStats, Time, Via};
use crate::{PeerKey, io::Input};

/// A range somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) piece: u32,
    pub(crate) begin: u32,
    pub(crate) length: u32,
}

/// Requests assumed to be kept by a peer that does not say (`reqq`), as libtorrent assumes.
const REQQ_DEFAULT: u32 = 250;
/// A peer that rejects keeps at least this many requests, or it is of no use.
const REQQ_MIN: u32 = 4;
/// A piece that a serving peer rejected so often is not there.
const REJECTS_OF_PIECE_MAX: u32 = 3;
/// Pieces whose rejects are counted; above this they are counted anew.
const REJECTED_REMEMBERED_MAX: usize = 256;
/// A peer that refused or failed hash requests so often is not asked again.
pub(crate) const HASH_REJECTS_MAX: u32 = 8;
/// Blocks that may be at the driver for a peer, however slow it is.
const SENDING_MIN: usize = 2;
/// The longest way that is believed: what takes longer stood in a line from the first request on.
const QUICKEST_MAX: Duration = Duration::from_secs(1);
/// Blocks that are taken from a peer none of whose blocks was judged yet, at least; of larger pieces two pieces' worth.
const UNJUDGED_MIN: usize = 64;
const UNJUDGED_PIECES: usize = 2;
/// After so long without another block it is asked for as much again: the rest of its pieces may be for others to give.
const UNJUDGED_FOR: Duration = Duration::from_secs(10);
/// Fewer outstanding requests than this starve a connection with any delay.
const WINDOW_MIN: usize = 2;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// Where it can be reached; known of incoming peers once they say their port.
    pub(crate) listens: Option<SocketAddr>,
    pub(crate) outgoing: bool,
    pub(crate) via: Via,
    pub(crate) class: Class,
    pub(crate) peer_id: [u8; 20],
    pub(crate) fast: bool,
    pub(crate) extensions: bool,
    pub(crate) client: Option<String>,
    pub(crate) ut_pex: Option<u8>,
    pub(crate) lt_donthave: Option<u8>,
    pub(crate) mu_blocks: Option<u8>,
    pub(crate) mu_zstd: Option<u8>,
    pub(crate) packs: Packs,
    pub(crate) reqq: u32,
    pub(crate) upload_only: bool,

    pub(crate) pieces: Bitfield,
    pub(crate) pieces_told: bool,
    /// Counted as a seed in the picker, not piece by piece.
    pub(crate) counted_as_seed: bool,
    /// Pieces it has and we lack.
    pub(crate) interesting: u32,

    pub(crate) choked: bool,
    pub(crate) chokes_us: bool,
    pub(crate) interested: bool,
    pub(crate) interests_us: bool,

    /// Blocks asked of it, and when.
    pub(crate) out: BTreeMap<(u32, u32), Time>,
    /// Blocks asked of it since it last owed none.
    pub(crate) stint: usize,
    /// Blocks asked of it that were given to others since, but may still come.
    pub(crate) late: BTreeSet<(u32, u32)>,
    pub(crate) unsolicited: u32,
    pub(crate) last_block_at: Time,
    pub(crate) snubbed: bool,
    /// It gave something that was proved to be right.
    pub(crate) proven: bool,
    /// Blocks that it gave before that.
    pub(crate) unjudged: usize,
    pub(crate) current_piece: Option<u32>,
    /// Single blocks it offers of pieces that neither it nor we have whole.
    pub(crate) early: Early,
    /// Pieces it would like to give us (BEP 6).
    pub(crate) suggested: VecDeque<u32>,
    /// Pieces we would like to give it and it did not ask for yet.
    pub(crate) suggested_to: Vec<u32>,
    /// The state of the picker in which nothing was found for it.
    pub(crate) dry_at: Option<u64>,
    /// Set once it had no untouched piece.
    pub(crate) barren: Option<Barren>,
    connected_at: Time,
    gave_at: Time,
    /// When a block went to it.
    pub(crate) took_at: Time,
    window: usize,
    slow_start: bool,
    /// The shortest time in which it answered a request: its distance, without the line.
    quickest: Duration,
    slow_start_rate: u64,
    slow_start_checked: Time,
    /// Of blocks as they are, which is what requests are for.
    pub(crate) down: Rate,
    /// The same as they travelled.
    pub(crate) down_wire: Rate,
    pub(crate) downloaded: u64,

    pub(crate) queue: VecDeque<Request>,
    pub(crate) sending: Vec<Request>,
    pub(crate) up: Rate,
    pub(crate) up_wire: Rate,
    pub(crate) uploaded: u64,
    pub(crate) slot_since: Time,
    pub(crate) slot_ended: Option<Time>,
    pub(crate) passed_at: Option<Time>,
    /// Pieces that it is to be told of, and since when.
    pub(crate) untold: Vec<u32>,
    untold_since: Time,

    pub(crate) hashes_out: BTreeMap<HashRange, Time>,
    /// It refuses hash requests.
    pub(crate) hash_rejects: u32,
    /// How often it rejected requests for a piece although it serves us.
    rejected: BTreeMap<u32, u32>,
    pub(crate) heard_at: Time,
    pub(crate) said_at: Time,
    /// When it was last told of others, or that could not be.
    pub(crate) pex_at: Option<Time>,
    pub(crate) pex_told: BTreeSet<SocketAddr>,
    /// When it last told of others.
    pub(crate) pex_heard_at: Option<Time>,
}

/// Pieces that a peer hears of together at most, and how long it waits for that.
const UNTOLD_MAX: usize = 32;
const UNTOLD_FOR: Duration = Duration::from_secs(1);

impl Peer {
    /// Whether it hears of a piece together with others, a moment later: it wants something of us anyway and waits for a
    /// slot, so that it cannot ask before.
    pub(crate) fn hears_later(&mut self, piece: u32, now: Time) -> bool {
        let later = self.choked && self.interested && self.untold.len() < UNTOLD_MAX;
        if later {
            if self.untold.is_empty() {
                self.untold_since = now;
            }
            self.untold.push(piece);
        }
        later
    }

    /// The pieces it is to be told of now: at once if it has a slot, and nothing waits for long.
    pub(crate) fn due_haves(&mut self, now: Time) -> Vec<u32> {
        let due = !self.choked || !self.interested || now.since(self.untold_since) >= UNTOLD_FOR;
        if due { std::mem::take(&mut self.untold) } else { Vec::new() }
    }

    pub(crate) fn slot_is_idle(&self, now: Time, config: &Config) -> bool {
        policy::slot_is_idle(self.slot_idle_since(), now, config)
    }

    /// Since when a peer with a slot has had nothing waiting here.
    pub(crate) fn slot_idle_since(&self) -> Option<Time> {
        let idle = !self.choked && self.queue.is_empty() && self.sending.is_empty();
        idle.then(|| self.slot_since.max(self.took_at))
    }

    /// Takes note that the peer, which serves us, rejected a request. Says whether the piece is to be taken for gone.
    pub(crate) fn rejects(&mut self, piece: u32) -> bool {
        self.reqq = self.reqq.min(u32::try_from(self.out.len()).unwrap_or(u32::MAX)).max(REQQ_MIN);
        if self.rejected.len() >= REJECTED_REMEMBERED_MAX {
            self.rejected.clear();
        }
        let times = self.rejected.entry(piece).or_default();
        *times += 1;
        self.out.is_empty() || *times >= REJECTS_OF_PIECE_MAX
    }

    /// A peer from [`Input::PeerConnected`]; `None` for any other input.
    pub(crate) fn connected(input: &Input, pieces: u32, now: Time, config: &Config) -> Option<Self> {
        let Input::PeerConnected { addr, via, outgoing, class, peer_id, reserved, .. } = *input else {
            return None;
        };
        Some(Self {
            addr,
            listens: outgoing.then_some(addr),
            outgoing,
            via,
            class,
            peer_id,
            fast: wire::speaks_fast(&reserved),
            extensions: wire::speaks_extensions(&reserved),
            client: None,
            ut_pex: None,
            lt_donthave: None,
            mu_blocks: None,
            mu_zstd: None,
            packs: Packs::default(),
            reqq: REQQ_DEFAULT,
            upload_only: false,
            pieces: Bitfield::empty(pieces),
            pieces_told: false,
            counted_as_seed: false,
            interesting: 0,
            choked: true,
            chokes_us: true,
            interested: false,
            interests_us: false,
            out: BTreeMap::new(),
            stint: 0,
            late: BTreeSet::new(),
            unsolicited: 0,
            last_block_at: now,
            snubbed: false,
            proven: false,
            unjudged: 0,
            current_piece: None,
            early: Early::default(),
            suggested: VecDeque::new(),
            suggested_to: Vec::new(),
            dry_at: None,
            barren: None,
            connected_at: now,
            gave_at: now,
            took_at: now,
            window: config.requests_unproven_max,
            slow_start: true,
            quickest: Duration::MAX,
            slow_start_rate: 0,
            slow_start_checked: now,
            down: Rate::default(),
            down_wire: Rate::default(),
            downloaded: 0,
            queue: VecDeque::new(),
            sending: Vec::new(),
            up: Rate::default(),
            up_wire: Rate::default(),
            uploaded: 0,
            slot_since: now,
            slot_ended: None,
            passed_at: None,
            untold: Vec::new(),
            untold_since: now,
            hashes_out: BTreeMap::new(),
            hash_rejects: 0,
            rejected: BTreeMap::new(),
            heard_at: now,
            said_at: now,
            pex_at: None,
            pex_told: BTreeSet::new(),
            pex_heard_at: None,
        })
    }

    /// A block came: the window of outstanding requests grows while the connection is being felt out.
    /// A block that waited for long stood in a line: more requests would only make it longer.
    pub(crate) fn block_came(&mut self, now: Time, bytes: u64, waited: Option<Duration>, config: &Config) {
        self.down.add(now, bytes);
        self.unjudged += usize::from(!self.proven);
        (self.last_block_at, self.gave_at) = (now, now);
        self.snubbed = false;
        if let Some(waited) = waited {
            self.quickest = self.quickest.min(waited);
            self.slow_start &= waited < self.quickest.min(QUICKEST_MAX) + config.request_queue;
        }
        if self.slow_start {
            self.window += 1;
        }
    }

    /// Sizes the window by rate; ends the slow start once the rate stops rising.
    pub(crate) fn size_window(&mut self, now: Time, config: &Config) {
        if now.since(self.last_block_at) >= UNJUDGED_FOR {
            self.unjudged = 0;
        }
        let rate = self.down.per_second(now);
        if self.slow_start && !self.out.is_empty() && now.since(self.slow_start_checked).as_secs() >= 1 {
            self.slow_start = rate == 0 || rate > self.slow_start_rate + self.slow_start_rate / 20;
            self.slow_start_rate = rate;
            self.slow_start_checked = now;
        }
        if !self.slow_start {
            let queue = self.quickest.min(QUICKEST_MAX) + config.request_queue;
            let bytes = u128::from(rate) * queue.as_micros() / 1_000_000;
            self.window = usize::try_from(bytes / u128::from(BLOCK_LENGTH)).unwrap_or(usize::MAX);
        }
        self.window = self.window.clamp(WINDOW_MIN, config.requests_out_max);
    }

    /// How many more requests it may be sent. Who has proved nothing yet, in pieces of so many blocks, may owe us and
    /// have given us a bounded number of blocks: that is what a liar costs, however fast its line is.
    pub(crate) fn room(&self, blocks_of_piece: usize, config: &Config) -> usize {
        let window = match (self.snubbed, self.proven) {
            (true, _) => 1,
            (false, false) => self.window.min(config.requests_unproven_max),
            (false, true) => self.window,
        };
        let unjudged = if self.proven { 0 } else { self.unjudged };
        let judged_by_then = UNJUDGED_MIN.max(blocks_of_piece * UNJUDGED_PIECES).saturating_sub(unjudged);
        let most = if self.proven { usize::MAX } else { judged_by_then };
        let window = window.min(config.requests_out_max).min(self.reqq as usize).min(most);
        window.saturating_sub(self.out.len())
    }

    /// It gave a block that is right.
    pub(crate) fn proves_itself(&mut self) {
        (self.proven, self.unjudged) = (true, 0);
    }

    pub(crate) fn has(&self, piece: u32) -> bool {
        self.pieces.get(piece)
    }

    /// Whether it has any of a piece.
    pub(crate) fn offers_piece(&self, piece: u32) -> bool {
        self.pieces.get(piece) || self.early.offers_piece(piece)
    }

    /// When it last gave or took a block, or came.
    pub(crate) fn useful_at(&self) -> Time {
        self.connected_at.max(self.gave_at).max(self.took_at)
    }

    pub(crate) fn connected_at(&self) -> Time {
        self.connected_at
    }

    /// When it last gave a block, or came.
    pub(crate) fn gave_at(&self) -> Time {
        self.gave_at
    }

    /// How many blocks for it may be at the driver.
    pub(crate) fn sending_window(&self, now: Time, config: &Config) -> usize {
        let bytes = u128::from(self.up.per_second(now)) * config.sending_queue.as_micros() / 1_000_000;
        let blocks = usize::try_from(bytes / u128::from(BLOCK_LENGTH)).unwrap_or(usize::MAX);
        blocks.clamp(SENDING_MIN.min(config.sending_max), config.sending_max)
    }

    /// Whether it can give a block now.
    pub(crate) fn has_block(&self, piece: u32, block: u32) -> bool {
        self.pieces.get(piece) || self.early.has(piece, block)
    }

    /// What it is to be told if whether we want something of it has changed.
    pub(crate) fn interest_changed(&mut self, download: bool) -> Option<Message> {
        let wanted = download && (self.interesting > 0 || !self.early.is_empty());
        let changed = wanted != std::mem::replace(&mut self.interests_us, wanted);
        changed.then_some(if wanted { Message::Interested } else { Message::NotInterested })
    }

    /// Whether it did not refuse hash requests too often.
    pub(crate) fn may_be_asked_for_hashes(&self) -> bool {
        self.hash_rejects < HASH_REJECTS_MAX
    }

    pub(crate) fn stats(&self, peer: PeerKey, now: Time) -> PeerStats {
        PeerStats {
            peer,
            addr: self.addr,
            class: self.class,
            outgoing: self.outgoing,
            client: self.client.clone(),
            pieces: self.pieces.count(),
            downloaded: self.downloaded,
            uploaded: self.uploaded,
            download_rate: self.down_wire.per_second(now),
            upload_rate: self.up_wire.per_second(now),
            requests_out: self.out.len(),
            requests_in: self.queue.len() + self.sending.len(),
            unchokes_us: !self.chokes_us,
            interests_us: self.interests_us,
            unchoked: !self.choked,
            interested: self.interested,
            snubbed: self.snubbed,
        }
    }
}
