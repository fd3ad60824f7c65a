//! The transfer of one job: a torrent over a release's store, until every piece is there.

use super::{
    control::{Control, Scale},
    error::GameError,
    offer::Sources,
    older::Older,
    release_store::ReleaseStore,
};
use crate::session::{Exchange, OriginUse, Session, Torrent, TorrentEvent, TorrentHandle};
use release::{hash::Hash32, layout::Layout, layout::PieceLayers, manifest::Manifest};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

/// What is to be fetched.
pub(crate) struct Wanted {
    pub(crate) infohash: Hash32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    pub(crate) store: ReleaseStore,
    /// Pieces that are not to be fetched: files that stay as the player has them.
    pub(crate) excluded: Vec<u32>,
    pub(crate) sources: Sources,
    /// Where its bytes lie on the bar.
    pub(crate) scale: Scale,
    /// Nobody waits for it.
    pub(crate) background: bool,
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
    let mut joined = false;
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
            () = control.cancelled.cancelled() => break Err(GameError::Cancelled),
        }
        steer(&handle, pause.borrow().is_none(), *upload.borrow());
    };
    handle.stop().await;
    control.fetched();
    outcome
}

/// Held means held: nothing is fetched and nothing passed on.
fn steer(handle: &TorrentHandle, running: bool, upload: bool) {
    handle.set_download(running);
    handle.set_upload(running && upload);
}
