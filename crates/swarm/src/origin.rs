//! When the publisher's web server helps: only the starving, and only as much as they starve.
//!
//! A player starves if nobody gives or everybody together gives too little. Without any peer that has something for
//! us the origin is asked at once and at full speed; with peers, after a delay, one piece at a time more. Of a crowd a
//! few go first, by lot, and fetch the pieces that hardly any peer has, so that the crowd gets its first copy at the
//! origin's speed. The last pieces never wait long for a slow peer. The rules stand in `policy`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use crate::partial::{Only, Partial, Source};
use crate::policy::{self, Fetching, Need, Supply};
use crate::swarm::Swarm;
use crate::{Event, Output, Time, Via};

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_DOUBLINGS_MAX: u32 = 6;
/// Fetches at first, before it is known how fast the origin is.
const WINDOW_FIRST: usize = 2;
/// An origin that says so often in a row that it does not have a piece has none.
const REFUSALS_MAX: u32 = 8;
/// A piece that came false is asked of the origin so often again, in the hope of another of its servers.
const FALSE_AGAIN_MAX: u32 = 8;

#[derive(Debug, Default)]
pub(crate) struct Origin {
    available: bool,
    fetches: BTreeMap<u64, Fetch>,
    last_fetch: u64,
    last_piece: Option<u32>,
    failures: u32,
    refusals: u32,
    not_before: Time,
    /// Pieces the origin does not have or has wrong.
    refused: BTreeSet<u32>,
    /// Pieces the origin once had wrong, and how often it was asked again.
    false_once: BTreeMap<u32, u32>,
    starving_since: Option<Time>,
    /// How many are fetching, if a tracker told.
    pub(crate) crowd: u32,
    /// Drawn once: who draws low goes to the origin for a crowd.
    lot: u32,
    /// Fetches that keep the origin's pipe full without a long queue, felt out by how long a fetch takes.
    window: usize,
}

#[derive(Debug)]
struct Fetch {
    piece: u32,
    began_at: Time,
    left: BTreeSet<u32>,
    bytes: u64,
    heard_at: Time,
}

impl Origin {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self { lot: rng.u32(..), ..Self::default() }
    }

    pub(crate) fn fetch_count(&self) -> usize {
        self.fetches.len()
    }

    /// Blocks awaited from the origin for at least `age`.
    pub(crate) fn waiting(&self, now: Time, age: Duration) -> impl Iterator<Item = (Time, u32, u32)> + '_ {
        let old = self.fetches.values().filter(move |fetch| now.since(fetch.heard_at) >= age);
        old.flat_map(|fetch| fetch.left.iter().map(|block| (fetch.heard_at, fetch.piece, *block)))
    }

    fn bytes(&self) -> u64 {
        self.fetches.values().map(|fetch| fetch.bytes).sum()
    }

    fn fetches_piece(&self, piece: u32) -> bool {
        self.fetches.values().any(|fetch| fetch.piece == piece)
    }
}

impl Swarm {
    pub(crate) fn set_origin(&mut self, available: bool) {
        self.origin.available = available;
        if available {
            (self.origin.failures, self.origin.refusals, self.origin.not_before) = (0, 0, self.now);
            self.origin.window = WINDOW_FIRST;
            self.drive_origin();
        } else {
            self.cancel_origin();
            self.refill_others();
        }
    }

    /// Starts as many fetches as are needed.
    pub(crate) fn drive_origin(&mut self) {
        self.check_origin_stalls();
        let usable = self.origin.available && self.download && !self.is_complete();
        if !usable || self.now < self.origin.not_before {
            self.origin.starving_since = None;
            return;
        }
        self.picker.refresh(&mut self.rng);
        let need = self.need();
        while self.origin_has_room(need) {
            let Some(piece) = self.choose_for_origin(need) else { break };
            self.fetch_from_origin(piece);
        }
        self.rescue_last_pieces();
    }

    fn need(&mut self) -> Need {
        // Who has not told yet what it has may have something.
        let promising =
            |peer: &crate::peer::Peer| peer.interesting > 0 || !peer.early.is_empty() || !peer.pieces_told;
        let rarest = self.picker.rarest_by_rank(|piece| !self.origin.refused.contains(&piece));
        let supply = Supply {
            promising: self.peers.values().any(promising),
            connecting: self.connections.connecting(),
            served: self.peers.values().any(|peer| !peer.out.is_empty() && !peer.snubbed),
            own_cap: self.own_cap(),
            rate_from_peers: self.totals.rate_from_peers(self.now),
            rarest: rarest.map(|piece| self.picker.availability(piece)),
            players: self.crowd(),
            lot: self.origin.lot,
            has_nothing: self.have.is_empty(),
            starving_since: self.origin.starving_since,
        };
        let (need, starving_since) = policy::need(&supply, self.now, &self.config);
        self.origin.starving_since = starving_since;
        need
    }

    /// How many fetch this torrent, ourselves included, as far as we know.
    fn crowd(&self) -> u32 {
        let met = self.peers.values().filter(|peer| peer.via == Via::OWN).count();
        let known = self.connections.known_players().max(met) as u32;
        self.origin.crowd.max(known.saturating_add(1))
    }

    fn origin_has_room(&self, need: Need) -> bool {
        let fetching = Fetching {
            fetches: self.origin.fetches.len(),
            bytes: self.origin.bytes(),
            window: self.origin.window,
            first_of_a_crowd: self.have.is_empty() && self.crowd() > 1,
        };
        policy::origin_has_room(need, &fetching, &self.config)
    }

    /// What is wanted in order comes first, then rank by rank pieces begun and left, then that after the last one fetched if
    /// none is rarer, so that neighbours travel as one range; then the rarest.
    fn choose_for_origin(&mut self, need: Need) -> Option<u32> {
        let rare = if need == Need::Unseen { self.config.origin_spread } else { u32::MAX };
        let first = self.first_for_origin(|swarm, piece| {
            !swarm.origin.refused.contains(&piece) && swarm.picker.availability(piece) <= rare
        });
        if first.is_some() {
            return first;
        }
        let picker = &self.picker;
        let offered = |piece: u32| !self.origin.refused.contains(&piece);
        let rarest = picker.rarest_by_rank(offered);
        if need != Need::Unseen {
            let admits = |p: &Partial| p.admits(Source::Origin) && !p.anything_asked();
            let left = |piece: &u32| self.partials.get(piece).is_some_and(admits) && offered(*piece);
            if let Some(piece) = self.left_for_origin(left, rarest) {
                return Some(piece);
            }
        }
        let rarest = rarest?;
        let least = picker.availability(rarest);
        if least > rare {
            return None;
        }
        let next = self.origin.last_piece.map(|last| last.saturating_add(1)).filter(|next| {
            picker.is_untouched(*next)
                && offered(*next)
                && picker.availability(*next) <= least
                && picker.rank_of(*next) <= picker.rank_of(rarest)
        });
        Some(next.unwrap_or(rarest))
    }

    fn fetch_from_origin(&mut self, piece: u32) {
        self.origin.last_piece = Some(piece);
        self.touch(piece);
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if partial.only == Only::One {
            partial.only = Only::This(Source::Origin);
        }
        let blocks: Range<u32> = partial.wanted();
        let left: BTreeSet<u32> = blocks.clone().filter(|block| partial.wants(*block)).collect();
        for block in &left {
            partial.ask(*block, Source::Origin, self.now);
        }
        let bytes = left.iter().map(|block| u64::from(self.layout.block_length(piece, *block))).sum();
        self.origin.last_fetch += 1;
        let fetch = self.origin.last_fetch;
        self.origin
            .fetches
            .insert(fetch, Fetch { piece, began_at: self.now, left, bytes, heard_at: self.now });
        if let Some(again) = self.origin.false_once.get_mut(&piece) {
            *again += 1;
            if *again >= FALSE_AGAIN_MAX {
                self.origin.refused.insert(piece);
            }
        }
        self.settle(piece);
        self.put(Output::FetchOrigin { fetch, piece, blocks });
    }

    /// Once everything is asked for, pieces that peers make wait are asked of the origin too.
    fn rescue_last_pieces(&mut self) {
        if !self.picker.reachable_is_empty() || self.origin.fetches.len() >= self.config.origin_fetches {
            return;
        }
        let patience = self.config.last_piece_patience;
        let waits = |piece: &u32, partial: &Partial| {
            !partial.wanted().is_empty()
                && partial.admits(Source::Origin)
                && self.now.since(partial.progress_at) >= patience
                && !self.origin.fetches_piece(*piece)
                && !self.origin.refused.contains(piece)
        };
        let waiting = self.partials.iter().filter(|(piece, partial)| waits(piece, partial));
        let room = self.config.origin_fetches - self.origin.fetches.len();
        let pieces: Vec<u32> = waiting.map(|(piece, _)| *piece).take(room).collect();
        pieces.into_iter().for_each(|piece| self.fetch_from_origin(piece));
    }

    pub(crate) fn on_origin_block(&mut self, fetch: u64, block: u32, data: Bytes) {
        let bytes = data.len() as u64;
        self.totals.came_from_origin(self.now, bytes);
        let Some(known) = self.origin.fetches.get_mut(&fetch) else {
            self.totals.wasted_bytes += bytes;
            return;
        };
        let piece = known.piece;
        if bytes == 0 || bytes != u64::from(self.layout.block_length(piece, block)) {
            self.put(Output::CancelOrigin { fetch });
            return self.on_origin_failed(fetch, None, true);
        }
        known.heard_at = self.now;
        known.left.remove(&block);
        let done = known.left.is_empty();
        if done {
            let took = self.now.since(known.began_at);
            self.origin.window = policy::origin_window(self.origin.window, took, &self.config);
            self.origin.fetches.remove(&fetch);
            (self.origin.failures, self.origin.refusals) = (0, 0);
        }
        self.welcome(Source::Origin, piece, block, bytes, Some(data));
        if done {
            self.drive_origin();
        }
    }

    pub(crate) fn on_origin_failed(&mut self, fetch: u64, retry_after: Option<Duration>, permanent: bool) {
        let Some(piece) = self.end_fetch(fetch) else { return };
        if permanent {
            self.origin.refused.insert(piece);
            self.origin.refusals += 1;
            self.origin.available &= self.origin.refusals < REFUSALS_MAX;
        } else {
            let backoff = BACKOFF_MIN * 2_u32.pow(self.origin.failures.min(BACKOFF_DOUBLINGS_MAX));
            self.origin.failures += 1;
            let until = self.now + retry_after.unwrap_or(backoff);
            self.origin.not_before = self.origin.not_before.max(until);
        }
        self.refill_others();
        self.drive_origin();
    }

    /// The origin gave false bytes for a piece.
    pub(crate) fn origin_was_false(&mut self, piece: u32, block: Option<u32>) {
        self.origin.false_once.entry(piece).or_default();
        self.event(Event::OriginFalse { piece, block });
    }

    /// A peer was faster with a block; a fetch that brings nothing else is not needed.
    pub(crate) fn origin_need_not(&mut self, piece: u32, block: u32) {
        let Some((id, fetch)) = self.origin.fetches.iter_mut().find(|(_, fetch)| fetch.piece == piece) else {
            return;
        };
        let id = *id;
        fetch.left.remove(&block);
        if fetch.left.is_empty() {
            self.cancel_fetch(id);
        }
    }

    pub(crate) fn cancel_origin(&mut self) {
        let fetches: Vec<u64> = self.origin.fetches.keys().copied().collect();
        fetches.into_iter().for_each(|fetch| self.cancel_fetch(fetch));
    }

    pub(crate) fn cancel_origin_of(&mut self, piece: u32) {
        let of_piece = |(_, fetch): &(&u64, &Fetch)| fetch.piece == piece;
        let fetches: Vec<u64> = self.origin.fetches.iter().filter(of_piece).map(|(id, _)| *id).collect();
        fetches.into_iter().for_each(|fetch| self.cancel_fetch(fetch));
    }

    fn cancel_fetch(&mut self, fetch: u64) {
        if self.end_fetch(fetch).is_some() {
            self.put(Output::CancelOrigin { fetch });
        }
    }

    /// Gives a fetch's blocks back; its piece.
    fn end_fetch(&mut self, fetch: u64) -> Option<u32> {
        let Fetch { piece, left, .. } = self.origin.fetches.remove(&fetch)?;
        left.into_iter().for_each(|block| self.unask(Source::Origin, piece, block));
        Some(piece)
    }

    fn check_origin_stalls(&mut self) {
        let (now, stall) = (self.now, self.config.origin_stall);
        let stalled = |(_, fetch): &(&u64, &Fetch)| now.since(fetch.heard_at) >= stall;
        let fetches: Vec<u64> = self.origin.fetches.iter().filter(stalled).map(|(id, _)| *id).collect();
        for fetch in fetches {
            self.put(Output::CancelOrigin { fetch });
            self.on_origin_failed(fetch, None, false);
        }
    }
}
