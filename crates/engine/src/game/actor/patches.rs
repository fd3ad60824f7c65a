//! Payloads of patches that are kept, passed on beside the installed release.
//!
//! They are read and hashed in the background before anybody gets them. Whoever stops this waits until nothing of it runs
//! or holds a file, so that a job may go on with the same payloads.

use crate::{
    game::{jobs, release_store::ReleaseStore},
    session::{Exchange, OriginUse, Session, Torrent, TorrentHandle},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::patch::cache::{Cache, Cached};
use tokio::task::JoinHandle;
use url::Url;

/// Payloads passed on at once: each is a torrent with its announces, and the newest are what others want.
const SEEDED_MAX: usize = 4;

/// What it takes to pass payloads on.
pub(super) struct Ground {
    pub(super) session: Session,
    /// Patches, and what is preloaded of a sealed release.
    pub(super) caches: Vec<Cache>,
    /// Torrents that the repository still has.
    pub(super) names: Arc<BTreeSet<String>>,
    pub(super) trackers: Vec<Vec<Url>>,
}

/// See the module.
pub(super) struct PatchSeeds {
    shared: Arc<Mutex<Shared>>,
    loading: JoinHandle<()>,
}

struct Shared {
    handles: Vec<TorrentHandle>,
    exchange: Exchange,
    upload: bool,
    stopped: bool,
}

impl PatchSeeds {
    pub(super) fn start(ground: Ground, exchange: Exchange, upload: bool) -> Self {
        let shared = Arc::new(Mutex::new(Shared { handles: Vec::new(), exchange, upload, stopped: false }));
        let loading = tokio::spawn(load(ground, Arc::clone(&shared)));
        Self { shared, loading }
    }

    /// Brings them in line with what may be passed on to whom.
    pub(super) fn set(&self, exchange: Exchange, upload: bool) {
        let mut shared = lock(&self.shared);
        (shared.exchange, shared.upload) = (exchange, upload);
        for handle in &shared.handles {
            handle.set_exchange(exchange);
            handle.set_upload(upload);
        }
    }

    /// Bytes passed on.
    pub(super) fn uploaded(&self) -> u64 {
        lock(&self.shared).handles.iter().map(|handle| handle.status().borrow().stats.uploaded.total()).sum()
    }

    /// Ends it; the bytes passed on.
    pub(super) async fn stop(self) -> u64 {
        lock(&self.shared).stopped = true;
        if let Err(error) = self.loading.await {
            tracing::warn!(%error, "kept patches were not looked at to the end");
        }
        let handles = std::mem::take(&mut lock(&self.shared).handles);
        futures_util::future::join_all(handles.iter().map(TorrentHandle::stop)).await;
        handles.iter().map(|handle| handle.status().borrow().stats.uploaded.total()).sum()
    }
}

async fn load(ground: Ground, shared: Arc<Mutex<Shared>>) {
    for cache in &ground.caches {
        load_from(cache, &ground, &shared).await;
    }
}

async fn load_from(from: &Cache, ground: &Ground, shared: &Mutex<Shared>) {
    let cache = from.clone();
    let roots = match jobs::blocking(move || cache.roots()).await {
        Ok(Ok(roots)) => roots,
        other => return tracing::warn!(?other, "kept patches cannot be looked at"),
    };
    for root in roots.into_iter().take(SEEDED_MAX) {
        if lock(shared).stopped {
            return;
        }
        let cache = from.clone();
        match jobs::blocking(move || cache.load(&root)).await {
            Ok(Ok(Some(kept))) if ground.names.contains(&kept.torrent.name) => add(ground, kept, shared),
            Ok(Ok(_)) => {}
            other => tracing::warn!(?other, "a kept patch cannot be passed on"),
        }
    }
}

fn add(ground: &Ground, kept: Cached, shared: &Mutex<Shared>) {
    let mut shared = lock(shared);
    let layout = Arc::new(kept.torrent.layout);
    let store = ReleaseStore::fetching(Arc::clone(&layout), None, Arc::new(kept.staging));
    let have = store.have();
    if shared.stopped || have.count() == 0 {
        return;
    }
    let excluded = (0..layout.piece_count()).filter(|piece| !have.get(*piece)).collect();
    let (handle, _) = ground.session.add(Torrent {
        infohash: kept.torrent.infohash,
        layout,
        layers: kept.torrent.layers,
        have,
        excluded,
        store: Arc::new(store),
        trackers: ground.trackers.clone(),
        origins: Vec::new(),
        origin_use: OriginUse::default(),
        peers: Vec::new(),
        exchange: shared.exchange,
        upload: shared.upload,
    });
    handle.set_background(true);
    // What an update left out is nobody's wish any more.
    handle.set_download(false);
    shared.handles.push(handle);
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Nothing that holds the lock leaves it half changed.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
