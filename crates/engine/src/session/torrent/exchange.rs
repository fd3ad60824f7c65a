//! Whom the torrent meets: everybody, the local network, or nobody. Changes while it runs.

use super::Actor;
use crate::session::{Exchange, announcer};
use std::{net::IpAddr, sync::Arc};
use swarm::{Class, Input, PeerKey};

impl Actor {
    /// Whether a peer at this address may be connected to, or stay that connected to us.
    pub(super) fn may_meet(&self, ip: IpAddr) -> bool {
        match self.exchange {
            Exchange::Everybody => true,
            Exchange::Lan => self.session.class_of(ip) == Class::Lan,
            Exchange::Nobody => false,
        }
    }

    /// Begins with `exchange`, or changes to it: who may not be met any more is left at once.
    pub(super) fn set_exchange(&mut self, exchange: Exchange) {
        self.exchange = exchange;
        self.session.take_part_on_lan(&self.infohash, exchange != Exchange::Nobody);
        match (exchange, self.announcer.take()) {
            (Exchange::Everybody, None) => self.announce(),
            (Exchange::Everybody, running) => self.announcer = running,
            (_, None) => {}
            (_, Some(announcer)) => {
                self.trackers.clear();
                tokio::spawn(announcer.stop());
            }
        }
        let unwanted = |class: Class| match exchange {
            Exchange::Everybody => false,
            Exchange::Lan => class != Class::Lan,
            Exchange::Nobody => true,
        };
        let leave = self.peers.iter().filter(|(_, tasks)| unwanted(tasks.class)).map(|(peer, _)| *peer);
        let leave: Vec<PeerKey> = leave.collect();
        for peer in leave {
            self.forget(peer);
            self.next.push_back(Input::PeerClosed { peer });
        }
    }

    fn announce(&mut self) {
        let (handle, trackers) = announcer::start(announcer::Task {
            trackers: Arc::clone(self.session.trackers()),
            tiers: self.tiers.clone(),
            infohash: self.infohash,
            peer_id: self.session.peer_id(),
            key: self.session.key(),
            port: self.session.port(),
            status: self.status.subscribe(),
            done: self.done.clone(),
        });
        (self.announcer, self.trackers) = (Some(handle), trackers);
    }
}
