//! Whom the torrent meets: everybody, the local network, or nobody. Changes while it runs.

use super::Actor;
use crate::session::{Exchange, announcer};
use release::hash::Hash32;
use std::{net::IpAddr, sync::Arc};
use swarm::{Class, Via, alias::Alias};

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
        self.session.take_part_on_lan(&self.infohash, &self.infohash, exchange != Exchange::Nobody);
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
        self.leave(|tasks| unwanted(tasks.class));
        self.discover_others();
    }

    fn announce(&mut self) {
        let (handle, trackers) = announcer::start(self.announces(self.infohash, None));
        (self.announcer, self.trackers) = (Some(handle), trackers);
    }

    /// What an announcer of ours, or of a release whose players we meet besides, has to know.
    pub(super) fn announces(&self, infohash: Hash32, other: Option<(Via, Arc<Alias>)>) -> announcer::Task {
        let of = match other {
            None => announcer::Of::Ours,
            Some((via, alias)) => announcer::Of::Other { via, alias, layout: Arc::clone(&self.layout) },
        };
        announcer::Task {
            trackers: Arc::clone(self.session.trackers()),
            tiers: self.tiers.clone(),
            infohash,
            of,
            peer_id: self.session.peer_id(),
            key: self.session.key(),
            port: self.session.port(),
            status: self.status.subscribe(),
            done: self.done.clone(),
        }
    }
}
