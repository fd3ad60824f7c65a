//! The transfer of one job: a torrent over a release's store, until every piece is there.

use super::{
    control::{Control, Scale},
    error::GameError,
    offer::Sources,
    older::Older,
    release_store::ReleaseStore,
};
use crate::session::{
    Exchange, OriginStatus, OriginUse, Session, Torrent, TorrentEvent, TorrentHandle, TorrentStatus,
};
use release::{hash::Hash32, layout::Layout, layout::PieceLayers, manifest::Manifest};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use swarm::Bitfield;
use tokio::time::MissedTickBehavior;

/// How often a transfer that there is another way for is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// After so many looks in a row at which nobody gave anything, the other way is gone.
const FUTILE_LOOKS: u32 = 15;

/// What is to be fetched.
pub(crate) struct Wanted {
    pub(crate) infohash: Hash32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    pub(crate) store: ReleaseStore,
    /// Pieces that are not to be fetched: files that stay as the player has them.
    pub(crate) excluded: Vec<u32>,
    pub(crate) sources: Sources,
    /// Pieces that go before the others, rank by rank.
    pub(crate) ranks: Vec<Bitfield>,
    /// Where its bytes lie on the bar.
    pub(crate) scale: Scale,
    /// Nobody waits for it.
    pub(crate) background: bool,
    /// There is another way: it ends with [`GameError::PatchNotGiven`] where the servers answer but do not give it.
    pub(crate) replaceable: bool,
    /// The release itself, and those before it, whose players may have much of it.
    pub(crate) older: Option<(Arc<Manifest>, Older)>,
}

/// Fetches until all is there. A held transfer waits here.
pub(crate) async fn fetch(session: &Session, control: &Control, wanted: Wanted) -> Result<(), GameError> {
    let have = wanted.store.have();
    let left_out = wanted.excluded.iter().filter(|piece| !have.get(**piece)).count();
    if have.count() as usize + left_out == have.len() as usize {
        return Ok(());
    }
    let upload = *control.upload.borrow();
    let torrent = Torrent {
        infohash: wanted.infohash,
        layout: wanted.layout,
        layers: wanted.layers,
        have,
        excluded: wanted.excluded,
        store: Arc::new(wanted.store),
        trackers: wanted.sources.trackers,
        origins: wanted.sources.origins,
        origin_use: OriginUse { settings: wanted.sources.origin, background: wanted.background },
        peers: Vec::new(),
        exchange: *control.exchange.borrow(),
        upload,
    };
    let (handle, mut events) = session.add(torrent);
    handle.set_background(wanted.background);
    if !wanted.ranks.is_empty() {
        handle.set_ranks(wanted.ranks);
    }
    control.fetching(handle.clone(), wanted.scale);
    let (mut pause, mut upload) = (control.pause.subscribe(), control.upload.subscribe());
    let mut exchange = control.exchange.subscribe();
    handle.set_exchange(*exchange.borrow_and_update());
    steer(&handle, pause.borrow_and_update().is_none(), *upload.borrow_and_update());
    // What only helps begins with the transfer and never holds it up.
    let count = |bytes| {
        control.metadata_bytes.fetch_add(bytes, Ordering::Relaxed);
    };
    let mut joining = pin!(async {
        if let Some((manifest, older)) = &wanted.older {
            older.join(manifest, &handle, count).await;
        }
    });
    let (mut joined, mut futile) = (false, Futile::default());
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            () = &mut joining, if !joined && *exchange.borrow() != Exchange::Nobody => joined = true,
            event = events.recv() => match event {
                Some(TorrentEvent::Complete) => break Ok(()),
                Some(TorrentEvent::StoreFailed { code, message }) => {
                    break Err(GameError::Transfer { code, message });
                }
                None => break Err(GameError::Internal("the transfer ended by itself".into())),
            },
            Ok(()) = pause.changed() => {}
            Ok(()) = upload.changed() => {}
            Ok(()) = exchange.changed() => handle.set_exchange(*exchange.borrow_and_update()),
            _ = look.tick(), if wanted.replaceable => {
                if futile.look(&handle.status().borrow(), pause.borrow().is_some()) {
                    break Err(GameError::PatchNotGiven);
                }
            }
            () = control.cancelled.cancelled() => break Err(GameError::Cancelled),
        }
        steer(&handle, pause.borrow().is_none(), *upload.borrow());
    };
    handle.stop().await;
    control.fetched();
    outcome
}

/// For how long nothing came while every server said that it has nothing to give.
#[derive(Debug, Default)]
struct Futile {
    come: u64,
    looks: u32,
}

impl Futile {
    /// Whether it is time to go another way. A network that is away is no reason: nothing else would come over it either.
    fn look(&mut self, status: &TorrentStatus, held: bool) -> bool {
        let come = status.stats.downloaded.total() + status.origin_wire_bytes;
        let refused = |origin: &OriginStatus| !origin.ok && origin.rests.is_none();
        let refused = !status.origins.is_empty() && status.origins.iter().all(refused);
        let none_came = std::mem::replace(&mut self.come, come) == come;
        self.looks = if refused && none_came && !held { self.looks + 1 } else { 0 };
        self.looks >= FUTILE_LOOKS
    }
}

/// Held means held: nothing is fetched and nothing passed on.
fn steer(handle: &TorrentHandle, running: bool, upload: bool) {
    handle.set_download(running);
    handle.set_upload(running && upload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_answer_and_do_not_give_are_given_up_and_a_network_that_is_away_is_not() {
        let origin = |ok, rests: Option<u64>| OriginStatus {
            ok,
            rests: rests.map(Duration::from_secs),
            ..OriginStatus::default()
        };
        let looks = |origins: Vec<OriginStatus>, held, come_at: Option<u32>| {
            let mut futile = Futile::default();
            let mut status = TorrentStatus { origins, ..TorrentStatus::default() };
            (0..60).find(|look| {
                status.origin_wire_bytes += u64::from(come_at == Some(*look));
                futile.look(&status, held)
            })
        };
        let lacks = || origin(false, None);
        assert_eq!(looks(vec![lacks()], false, None), Some(FUTILE_LOOKS - 1));
        assert_eq!(looks(vec![lacks()], false, Some(5)), Some(FUTILE_LOOKS + 5));
        assert_eq!(looks(vec![lacks(), lacks()], true, None), None, "held");
        assert_eq!(looks(vec![lacks(), origin(false, Some(30))], false, None), None, "one cannot be reached");
        assert_eq!(looks(vec![lacks(), origin(true, None)], false, None), None);
        assert_eq!(looks(vec![], false, None), None, "players alone");
    }
}
