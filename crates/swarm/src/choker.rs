//! Whom do we serve? A swarm of players is no barter: nobody earns a slot by giving.
//!
//! Few slots, dealt in turn: a peer keeps its slot for a while, then goes to the end of the line if others wait. Those
//! who have nothing yet come first, because what they get they can pass on, then those who have least. A slot is added
//! as soon as the upload stands idle. The line's order stands in `policy`.

use crate::peer::Peer;
use crate::policy::{self, Applicant, SlotPlace, SlotUse};
use crate::swarm::Swarm;
use crate::wire::Message;
use crate::{Config, PeerKey, Time};

#[derive(Debug)]
pub(crate) struct Choker {
    next_deal: Time,
    slots: usize,
    ticks: u32,
    /// Ticks in which no peer with a slot had anything waiting here.
    idle_ticks: u32,
}

impl Choker {
    pub(crate) fn new(config: &Config) -> Self {
        Self { next_deal: Time::ZERO, slots: config.upload_slots_min, ticks: 0, idle_ticks: 0 }
    }
}

impl Swarm {
    pub(crate) fn on_interest(&mut self, key: PeerKey, interested: bool) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.interested != interested {
            peer.interested = interested;
            self.deal();
        }
    }

    pub(crate) fn set_upload(&mut self, enabled: bool) {
        self.upload = enabled;
        self.deal();
    }

    pub(crate) fn check_choker(&mut self) {
        let waiting = |peer: &Peer| peer.queue.len() + peer.sending.len();
        let busy = |peer: &Peer| !peer.choked && waiting(peer) > 0;
        let idle = !self.peers.values().any(busy);
        self.choker.ticks += 1;
        self.choker.idle_ticks += u32::from(idle);
        if idle {
            self.widen_if_idle();
        }
        if self.now < self.choker.next_deal {
            return;
        }
        self.choker.next_deal = self.now + self.config.rechoke_interval;
        let waits = self.peers.values().any(|peer| peer.choked && peer.interested);
        let used = SlotUse {
            slots: self.choker.slots,
            ticks: std::mem::take(&mut self.choker.ticks),
            idle_ticks: std::mem::take(&mut self.choker.idle_ticks),
            somebody_waits: waits,
        };
        self.choker.slots = policy::slots(used, &self.config);
        self.deal();
    }

    /// The upload stands idle: one more of those who wait is served at once, or one instead of who asks for nothing.
    pub(crate) fn widen_if_idle(&mut self) {
        if !self.upload {
            return;
        }
        let (mut somebody_waits, mut somebody_idles) = (false, false);
        for peer in self.peers.values() {
            if !peer.choked && peer.queue.len() + peer.sending.len() > 0 {
                return;
            }
            somebody_waits |= peer.choked && peer.interested;
            somebody_idles |= peer.slot_is_idle(self.now, &self.config);
        }
        let widened = policy::slots_when_idle(self.choker.slots, somebody_idles, &self.config);
        if let Some(slots) = widened.filter(|_| somebody_waits) {
            self.choker.slots = slots;
            self.deal();
        }
    }

    /// Deals the slots anew.
    pub(crate) fn deal(&mut self) {
        let slots = if self.upload { self.choker.slots } else { 0 };
        let mut line: Vec<(SlotPlace, PeerKey)> = Vec::new();
        let near = |peer: &Peer| policy::nearly_done(peer.pieces.count(), self.have.len());
        let interested = self.peers.iter().filter(|(_, peer)| peer.interested && near(peer));
        let nearest = interested.max_by_key(|(_, peer)| peer.pieces.count()).map(|(key, _)| *key);
        for (key, peer) in &self.peers {
            if peer.interested || !peer.choked {
                let applicant = Applicant {
                    choked: peer.choked,
                    interested: peer.interested,
                    pieces: peer.pieces.count(),
                    nearest: nearest == Some(*key),
                    slot_since: peer.slot_since,
                    slot_ended: peer.slot_ended,
                    idle_since: peer.slot_idle_since(),
                    passed_at: peer.passed_at,
                };
                let lot = self.rng.u32(..);
                let place = policy::slot_place(&applicant, self.now, &self.config, lot);
                line.push((place, *key));
            }
        }
        line.sort_unstable();
        let (served, rest) = line.split_at(slots.min(line.len()));
        rest.iter().for_each(|(_, key)| self.choke(*key));
        served.iter().for_each(|(_, key)| self.unchoke(*key));
    }

    fn choke(&mut self, key: PeerKey) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.choked {
            if peer.slot_is_idle(now, &self.config) {
                peer.passed_at = Some(now);
            }
            peer.choked = true;
            peer.slot_ended = Some(now);
            self.suggest.withdraw(peer);
            self.send(key, Message::Choke);
            self.reject_queued(key, |_| true);
        }
    }

    fn unchoke(&mut self, key: PeerKey) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.choked {
            peer.choked = false;
            peer.slot_since = now;
            self.send(key, Message::Unchoke);
            self.tell_haves();
            self.suggest_to(key);
            self.tell_all_early(key);
        }
    }
}
