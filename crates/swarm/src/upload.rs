//! Serving: bounded queues of requests, few blocks at the driver at a time, rejects for what will not be served.

use std::collections::VecDeque;

use crate::peer::Request;
use crate::swarm::Swarm;
use crate::wire::{BLOCK_LENGTH, Message};
use crate::{CloseReason, Output, PeerKey};

impl Swarm {
    pub(crate) fn on_request(&mut self, key: PeerKey, piece: u32, begin: u32, length: u32) {
        // A file's last block may be asked for as if the file were padded to whole blocks, as older libtorrents do; the
        // driver sends zeros for what is not there.
        let padded = |piece| self.layout.block_count(piece).saturating_mul(BLOCK_LENGTH);
        let fits = piece < self.have.len()
            && (1..=BLOCK_LENGTH).contains(&length)
            && begin < self.layout.piece_bytes(piece)
            && begin.checked_add(length).is_some_and(|end| end <= padded(piece));
        let held = fits && (self.have.get(piece) || self.has_early(piece, begin, length));
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !fits {
            return self.close(key, CloseReason::Protocol);
        }
        let request = Request { piece, begin, length };
        // What is at the driver does not count: it may be with the peer already, which then asked anew.
        let full = peer.queue.len() >= self.config.requests_kept_max;
        if peer.choked || !held || full {
            return self.reject(key, request);
        }
        if !peer.queue.contains(&request) && !peer.sending.contains(&request) {
            peer.queue.push_back(request);
            self.serve(key);
            self.suggestion_taken(key, piece);
        }
    }

    /// Gives the driver blocks to send, as many as may be on their way.
    fn serve(&mut self, peer: PeerKey) {
        if self.peers.get(&peer).is_some_and(|known| known.takes_packed(&self.config)) {
            return self.serve_packed(peer);
        }
        let (now, config) = (self.now, &self.config);
        let window = self.peers.get(&peer).map_or(0, |peer| peer.sending_window(now, config));
        while let Some(known) = self.peers.get_mut(&peer) {
            if known.sending.len() >= window {
                return;
            }
            let Some(request) = known.queue.pop_front() else { return };
            known.sending.push(request);
            self.flush_early(peer);
            let Request { piece, begin, length } = request;
            self.put(Output::SendBlock { peer, piece, begin, length });
        }
    }

    /// A block went out.
    pub(crate) fn on_sent(&mut self, key: PeerKey, request: Request, wire: u32) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !take(&mut peer.sending, request) {
            return;
        }
        (peer.said_at, peer.took_at) = (now, now);
        peer.uploaded += u64::from(wire);
        peer.up.add(now, u64::from(request.length));
        peer.up_wire.add(now, u64::from(wire));
        self.totals.went(now, peer.class, u64::from(wire), u64::from(request.length));
        let idle = peer.queue.is_empty() && peer.sending.is_empty();
        self.serve(key);
        if idle {
            self.widen_if_idle();
        }
    }

    /// A block could not or need not be sent.
    pub(crate) fn on_unsent(&mut self, key: PeerKey, piece: u32, begin: u32, length: u32) {
        let request = Request { piece, begin, length };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if take(&mut peer.sending, request) {
            self.reject(key, request);
            self.serve(key);
        }
    }

    /// BEP 6: a cancel is answered too, by the block or by a reject.
    pub(crate) fn on_cancel(&mut self, peer: PeerKey, piece: u32, begin: u32, length: u32) {
        let request = Request { piece, begin, length };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if let Some(at) = known.queue.iter().position(|queued| *queued == request) {
            known.queue.remove(at);
            self.reject(peer, request);
        } else if known.sending.contains(&request) {
            self.put(Output::CancelBlock { peer, piece, begin, length });
        }
    }

    /// Rejects what waits and fits; what is at the driver goes out.
    pub(crate) fn reject_queued(&mut self, key: PeerKey, fits: impl Fn(&Request) -> bool) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let (gone, kept) = std::mem::take(&mut peer.queue).into_iter().partition(fits);
        peer.queue = kept;
        let gone: VecDeque<Request> = gone;
        gone.into_iter().for_each(|request| self.reject(key, request));
    }

    /// Peers without BEP 6 learn of it by silence.
    fn reject(&mut self, key: PeerKey, request: Request) {
        if self.peers.get(&key).is_some_and(|peer| peer.fast) {
            let Request { piece: index, begin, length } = request;
            self.send(key, Message::Reject { index, begin, length });
        }
    }
}

fn take(requests: &mut Vec<Request>, request: Request) -> bool {
    let at = requests.iter().position(|r| *r == request);
    if let Some(at) = at {
        requests.remove(at);
    }
    at.is_some()
}
