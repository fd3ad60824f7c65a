//! Players of other releases: met under the infohash of theirs, spoken to in the piece numbers of theirs.
//!
//! Everything they and we say goes through a translator, so that the core knows our release alone. Whoever answers for
//! the infohash in this session is told by the registry; while somebody else does, nobody is met under it.

use super::{Actor, PeerTasks};
use crate::session::{Exchange, OtherRelease, announcer, handle::TorrentHandle};
use release::hash::Hash32;
use std::{sync::Arc, time::Duration};
use swarm::{
    Input, PeerKey, Via,
    alias::{Alias, Heard, Translator},
    wire::Message,
};
use tokio::time::Instant;

/// Other releases that one torrent meets; its owner names the newest few.
const OTHERS_MAX: usize = 8;
/// When so long nothing of what we said had a meaning in the other release, the peer hears that we are alive (BEP 3).
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// A release whose swarm is met besides ours.
#[derive(Debug)]
pub(super) struct Other {
    infohash: Hash32,
    alias: Arc<Alias>,
    /// No other torrent of the session answers for it.
    answers: bool,
    announcer: Option<announcer::Handle>,
}

/// The language of one peer of another release.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) via: Via,
    translator: Translator,
    said_at: Instant,
}

impl Language {
    /// What we say in the peer's words, if it means anything to it.
    pub(super) fn said(&mut self, message: Message) -> Option<Message> {
        let said = self.translator.said(message);
        let said =
            said.or_else(|| (self.said_at.elapsed() >= KEEP_ALIVE_AFTER).then_some(Message::KeepAlive));
        if said.is_some() {
            self.said_at = Instant::now();
        }
        said
    }
}

impl Actor {
    /// Meets the players of another release from now on.
    pub(super) fn add_other(&mut self, other: OtherRelease, handle: TorrentHandle) {
        let OtherRelease { infohash, alias } = other;
        let known = |known: &Other| known.infohash == infohash;
        if alias.ours_count() != self.layout.piece_count() || infohash == self.infohash {
            return tracing::warn!(%infohash, "this is no other release of this torrent");
        }
        if self.others.len() >= OTHERS_MAX || self.others.iter().any(known) {
            return;
        }
        let answers = self.session.answers_for_other(&self.infohash, &infohash, handle);
        tracing::info!(%infohash, shared = alias.shared(), answers, "players of another release are met too");
        self.others.push(Other { infohash, alias, answers, announcer: None });
        self.discover_others();
    }

    /// This torrent answers for another release's infohash from now on, or somebody else does.
    pub(super) fn answer_for(&mut self, infohash: [u8; 20], answers: bool) {
        let Some(at) = self.others.iter().position(|other| other.infohash.truncated() == infohash) else {
            return;
        };
        self.others[at].answers = answers;
        if !answers {
            // It goes without a goodbye: at the tracker we are the same as whoever answers now.
            self.others[at].announcer = None;
            let via = via_of(at);
            self.leave(|tasks| tasks.via() == via);
        }
        self.discover_others();
    }

    /// Brings the search for players of other releases in line with whom we may meet.
    pub(super) fn discover_others(&mut self) {
        for at in 0..self.others.len() {
            let (infohash, alias) = (self.others[at].infohash, Arc::clone(&self.others[at].alias));
            let looks = self.others[at].answers && self.exchange == Exchange::Everybody;
            self.session.take_part_on_lan(&infohash, &self.infohash, self.exchange != Exchange::Nobody);
            let announcer = match (looks, self.others[at].announcer.take()) {
                (true, None) => Some(announcer::start(self.announces(infohash, Some((via_of(at), alias)))).0),
                (true, running) => running,
                (false, running) => {
                    running.map(|announcer| tokio::spawn(announcer.stop()));
                    None
                }
            };
            self.others[at].announcer = announcer;
        }
    }

    /// Says goodbye to the trackers of other releases.
    pub(super) fn leave_others(&mut self) -> impl Future<Output = ()> + use<> {
        let announcers: Vec<_> = self.others.iter_mut().filter_map(|other| other.announcer.take()).collect();
        async move {
            futures_util::future::join_all(announcers.into_iter().map(announcer::Handle::stop)).await;
        }
    }

    /// Under which infohash somebody met us; `None` if under none of ours.
    pub(super) fn via(&self, infohash: &[u8; 20]) -> Option<Via> {
        if self.infohash.truncated() == *infohash {
            return Some(Via::OWN);
        }
        let at = self.others.iter().position(|other| other.infohash.truncated() == *infohash)?;
        self.others[at].answers.then(|| via_of(at))
    }

    /// The infohash under which somebody is to be dialled; `None` if nobody is now.
    pub(super) fn infohash_of(&self, via: Via) -> Option<Hash32> {
        match self.other(via) {
            None => Some(self.infohash),
            Some(other) => other.answers.then_some(other.infohash),
        }
    }

    /// What is spoken with a peer met under this infohash; `None`: our own piece numbers.
    pub(super) fn language(&self, via: Via, reserved: &[u8; 8]) -> Option<Language> {
        let translator = Translator::new(Arc::clone(&self.other(via)?.alias), reserved);
        Some(Language { via, translator, said_at: Instant::now() })
    }

    /// The map between our pieces and those of whom we meet under this infohash.
    pub(super) fn alias(&self, via: Via) -> Option<Arc<Alias>> {
        self.other(via).map(|other| Arc::clone(&other.alias))
    }

    fn other(&self, via: Via) -> Option<&Other> {
        self.others.get(usize::from(via.0).checked_sub(1)?)
    }

    /// What a peer of another release says, for the core.
    pub(super) fn heard(&mut self, peer: PeerKey, message: Message) -> Option<Message> {
        let language = self.peers.get_mut(&peer)?.language.as_mut()?;
        match language.translator.heard(message) {
            Ok(Heard::Pass(message)) => Some(message),
            // That it said something is all the core can make of it.
            Ok(Heard::Nothing) => Some(Message::KeepAlive),
            Ok(Heard::Answer(answer)) => {
                self.tell(peer, answer);
                Some(Message::KeepAlive)
            }
            Err(error) => {
                tracing::debug!(peer = peer.0, %error, "closing");
                self.forget(peer);
                self.input(Input::PeerClosed { peer });
                None
            }
        }
    }
}

impl PeerTasks {
    /// Under which infohash the peer is met.
    pub(super) fn via(&self) -> Via {
        self.language.as_ref().map_or(Via::OWN, |language| language.via)
    }
}

/// The number under which the core knows the release at this place.
fn via_of(at: usize) -> Via {
    // There are at most OTHERS_MAX.
    Via(at as u8 + 1)
}
