//! What peers say, and the state that follows from it: who has what, who wants what, who serves whom.

use bytes::Bytes;

use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::{self, ExtendedHandshake, Message};
use crate::{Bitfield, CloseReason, PeerKey};

impl Swarm {
    pub(crate) fn on_message(&mut self, key: PeerKey, message: Message) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.heard_at = now;
        match message {
            Message::Choke => self.on_choke(key),
            Message::Unchoke => {
                peer.chokes_us = false;
                peer.last_block_at = now;
                self.fill(key);
            }
            Message::Interested => self.on_interest(key, true),
            Message::NotInterested => self.on_interest(key, false),
            Message::Have { piece } => self.on_have(key, piece),
            Message::Bitfield(bytes) => match Bitfield::from_bytes(&bytes, self.have.len()) {
                Some(pieces) => self.on_bitfield(key, pieces),
                None => self.close(key, CloseReason::Protocol),
            },
            Message::HaveAll => self.on_bitfield(key, Bitfield::full(self.have.len())),
            Message::HaveNone => self.on_bitfield(key, Bitfield::empty(self.have.len())),
            Message::Request { index, begin, length } => self.on_request(key, index, begin, length),
            Message::Piece { index, begin, data } => self.on_block(key, index, begin, data),
            Message::Cancel { index, begin, length } => self.on_cancel(key, index, begin, length),
            Message::Reject { index, begin, .. } => self.on_reject(key, index, begin),
            Message::Extended { id, payload } => self.on_extended(key, id, &payload),
            Message::Suggest { piece } => self.on_suggest(key, piece),
            Message::HashRequest(range) => self.on_hash_request(key, range),
            Message::Hashes { range, hashes } => self.on_hashes(key, range, &hashes),
            Message::HashReject(range) => self.on_hash_reject(key, range),
            Message::KeepAlive | Message::Port(_) | Message::AllowedFast { .. } | Message::Unknown { .. } => {
            }
        }
    }

    /// The first words after the handshakes: what we have (BEP 3, 6), then what we speak (BEP 10).
    pub(crate) fn greet(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else { return };
        let (fast, extensions, yourip) = (peer.fast, peer.extensions, peer.addr.ip());
        if fast && self.have.is_full() {
            self.send(key, Message::HaveAll);
        } else if fast && self.have.is_empty() {
            self.send(key, Message::HaveNone);
        } else if !self.have.is_empty() {
            self.send(key, Message::Bitfield(Bytes::copy_from_slice(self.have.as_bytes())));
        }
        if extensions {
            let ours = self.extended_handshake();
            let upload_only = ours.upload_only || self.is_met_better(key);
            let payload = ExtendedHandshake { yourip: Some(yourip), upload_only, ..ours }.encode();
            self.send(key, Message::Extended { id: 0, payload });
        }
    }

    /// Tells those who understand it that we want nothing more (BEP 21).
    pub(crate) fn announce_upload_only(&mut self) {
        let payload = self.extended_handshake().encode();
        let keys: Vec<PeerKey> =
            self.peers.iter().filter(|(_, peer)| peer.extensions).map(|(key, _)| *key).collect();
        for key in keys {
            self.send(key, Message::Extended { id: 0, payload: payload.clone() });
        }
    }

    fn extended_handshake(&self) -> ExtendedHandshake {
        ExtendedHandshake {
            ut_pex: Some(wire::UT_PEX),
            lt_donthave: Some(wire::LT_DONTHAVE),
            mu_blocks: Some(wire::MU_BLOCKS),
            mu_zstd: self.config.compression.then_some(wire::MU_ZSTD),
            reqq: u32::try_from(self.config.requests_kept_max).ok(),
            version: Some(self.config.client.clone()),
            upload_only: self.is_complete(),
            port: self.config.listen_port,
            yourip: None,
        }
    }

    fn on_bitfield(&mut self, key: PeerKey, pieces: Bitfield) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.pieces_told {
            return self.close(key, CloseReason::Protocol);
        }
        peer.pieces_told = true;
        peer.counted_as_seed = pieces.is_full();
        peer.interesting = pieces.count_lacked(&self.have, &self.unwanted);
        if peer.counted_as_seed {
            self.picker.add_seed();
        } else {
            self.picker.raise_all(&pieces, &mut self.rng);
        }
        peer.pieces = pieces;
        peer.barren = None;
        peer.dry_at = None;
        self.after_news(key);
    }

    fn on_have(&mut self, key: PeerKey, piece: u32) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if piece >= self.have.len() {
            return self.close(key, CloseReason::Protocol);
        }
        // A peer without pieces need not send a bitfield (BEP 3).
        peer.pieces_told = true;
        if !peer.pieces.set(piece) {
            return;
        }
        peer.early.forget(piece);
        self.picker.raise(piece, &mut self.rng);
        if self.have.get(piece) || self.unwanted.get(piece) {
            return self.close_if_both_done(key);
        }
        peer.interesting += 1;
        if self.picker.is_untouched(piece) {
            peer.has_news(piece);
            peer.dry_at = None;
        } else if self.open.contains(&piece) {
            peer.dry_at = None;
        }
        self.after_news(key);
    }

    fn after_news(&mut self, key: PeerKey) {
        self.update_interest(key);
        self.fill(key);
        self.close_if_both_done(key);
    }

    /// The peer has a piece no more (BEP 54, or it rejected a request while it served us).
    pub(crate) fn on_peer_lost(&mut self, key: PeerKey, piece: u32) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.pieces.clear(piece) {
            return;
        }
        if peer.counted_as_seed {
            peer.counted_as_seed = false;
            self.picker.remove_seed();
            self.picker.raise_all(&peer.pieces, &mut self.rng);
        } else {
            self.picker.lower(piece, &mut self.rng);
        }
        if !self.have.get(piece) && !self.unwanted.get(piece) {
            peer.interesting = peer.interesting.saturating_sub(1);
        }
        self.update_interest(key);
    }

    /// Forgets what a leaving peer had.
    pub(crate) fn forget_pieces(&mut self, peer: &Peer) {
        if peer.counted_as_seed {
            self.picker.remove_seed();
        } else {
            self.picker.lower_all(&peer.pieces, &mut self.rng);
        }
    }

    pub(crate) fn update_interest(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if let Some(message) = peer.interest_changed(self.download) {
            self.send(key, message);
        }
    }

    /// Two that want nothing of each other have nothing to say.
    pub(crate) fn close_if_both_done(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else { return };
        if !self.is_complete() || !peer.pieces_told {
            return;
        }
        let lacks_nothing = || peer.pieces.count() >= self.have.count() && self.have.is_within(&peer.pieces);
        if peer.upload_only || lacks_nothing() {
            self.connections.is_seed(peer.listens, peer.via);
            self.close(key, CloseReason::BothSeeds);
        }
    }

    fn on_extended(&mut self, key: PeerKey, id: u8, payload: &Bytes) {
        match id {
            0 => self.on_extended_handshake(key, payload),
            wire::UT_PEX => self.on_pex(key, payload),
            wire::LT_DONTHAVE => match wire::lost_piece(payload) {
                Some(piece) => self.on_peer_lost(key, piece),
                None => self.close(key, CloseReason::Protocol),
            },
            wire::MU_BLOCKS => self.on_early(key, payload),
            wire::MU_ZSTD => self.on_packed(key, payload),
            _ => {}
        }
    }

    fn on_extended_handshake(&mut self, key: PeerKey, payload: &[u8]) {
        // A dictionary we cannot read costs the peer its extensions, not its connection.
        let (Ok(said), Some(peer)) = (ExtendedHandshake::parse(payload), self.peers.get_mut(&key)) else {
            return;
        };
        peer.ut_pex = said.ut_pex;
        peer.lt_donthave = said.lt_donthave;
        peer.mu_blocks = said.mu_blocks;
        peer.mu_zstd = said.mu_zstd;
        peer.reqq = said.reqq.unwrap_or(peer.reqq).max(1);
        peer.client = said.version.or(peer.client.take());
        peer.upload_only = said.upload_only;
        if let (None, Some(port)) = (peer.listens, said.port) {
            peer.listens = Some((peer.addr.ip(), port).into());
        }
        let served = !peer.choked;
        if served {
            self.tell_all_early(key);
        }
        self.settle_double(key);
        self.close_if_both_done(key);
    }
}
