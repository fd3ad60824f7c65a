//! The repository's own seed: it serves every release to peers, out of the repository, and fetches nothing.

use crate::{
    catalog::Release,
    content::{Content, PieceCache},
    metrics::Page,
};
use engine::session::{
    Exchange, OriginUse, Session, SessionConfig, SessionError, Torrent, TorrentHandle, is_tracker,
};
use release::hash::Hash32;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use url::Url;

/// Decompressed pieces kept in memory, in bytes.
const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Seed {
    session: Session,
    repo: PathBuf,
    cache: Arc<PieceCache>,
    torrents: BTreeMap<Hash32, (Arc<Release>, TorrentHandle)>,
    figures: SeedFigures,
}

/// What the seed does, readable from anywhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeedFigures(Arc<Mutex<Vec<(String, TorrentHandle)>>>);

impl Seed {
    /// Listens at `listen`; any address and any port means both families.
    pub(crate) fn start(repo: &Path, listen: SocketAddr) -> Result<Self, SessionError> {
        let anywhere = listen.ip().is_unspecified() && listen.port() == 0;
        let listen = (!anywhere).then_some(listen);
        // A server is found by the tracker; to people on its own network it is no player.
        let session = Session::start(&SessionConfig { listen, lan: false, ..SessionConfig::default() })?;
        let cache = Arc::new(PieceCache::new(CACHE_BYTES_MAX));
        Ok(Self {
            session,
            repo: repo.to_owned(),
            cache,
            torrents: BTreeMap::new(),
            figures: SeedFigures::default(),
        })
    }

    /// Its figures, which stay up to date.
    pub(crate) fn figures(&self) -> SeedFigures {
        self.figures.clone()
    }

    /// Where peers reach it.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.session.local_addr()
    }

    /// Serves exactly these releases. `own` is announced to by no one: the tracker knows this seed anyway.
    pub(crate) async fn set_releases(&mut self, releases: &[Arc<Release>], own: &Url) {
        let gone: Vec<Hash32> = self
            .torrents
            .keys()
            .filter(|infohash| !releases.iter().any(|release| release.infohash == **infohash))
            .copied()
            .collect();
        for infohash in gone {
            if let Some((release, handle)) = self.torrents.remove(&infohash) {
                tracing::info!(release = release.name, "no longer seeded");
                handle.stop().await;
            }
        }
        for release in releases {
            if !self.torrents.contains_key(&release.infohash) {
                self.add(release, own).await;
            }
        }
        let rows = self.torrents.values().map(|(release, handle)| (release.name.clone(), handle.clone()));
        self.figures.set(rows.collect());
    }

    async fn add(&mut self, release: &Arc<Release>, own: &Url) {
        let content = Arc::new(Content::new(&self.repo, Arc::clone(release), Arc::clone(&self.cache)));
        let looking = {
            let content = Arc::clone(&content);
            tokio::task::spawn_blocking(move || content.have()).await
        };
        // Only a panic in there or the end of the program can keep it from an answer.
        let Ok(have) = looking else { return };
        let others = |tier: &Vec<String>| -> Vec<Url> {
            let urls = tier.iter().filter_map(|text| Url::parse(text).ok());
            urls.filter(|url| is_tracker(url) && url != own).collect()
        };
        let trackers = release.trackers.iter().map(others).filter(|tier| !tier.is_empty()).collect();
        let torrent = Torrent {
            infohash: release.infohash,
            layout: Arc::clone(&release.layout),
            layers: release.layers.clone(),
            have,
            excluded: Vec::new(),
            store: content,
            trackers,
            origins: Vec::new(),
            origin_use: OriginUse::default(),
            peers: Vec::new(),
            exchange: Exchange::Everybody,
            upload: true,
        };
        let (handle, _) = self.session.add(torrent);
        tracing::info!(release = release.name, infohash = %release.infohash, "seeding");
        self.torrents.insert(release.infohash, (Arc::clone(release), handle));
    }

    /// Ends every connection.
    pub(crate) async fn close(&self) {
        self.session.close().await;
    }
}

impl SeedFigures {
    fn set(&self, rows: Vec<(String, TorrentHandle)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// Writes them.
    pub(crate) fn render(&self, page: &mut Page) {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        page.family(
            "muster_seed_uploaded_bytes_total",
            "counter",
            "Payload bytes that the own seed sent to peers.",
        );
        for (name, handle) in &rows {
            let uploaded = handle.status().borrow().stats.uploaded.total();
            page.sample("muster_seed_uploaded_bytes_total", &[("torrent", name)], uploaded);
        }
        page.family("muster_seed_peers", "gauge", "Peers connected to the own seed.");
        for (name, handle) in &rows {
            let peers = handle.status().borrow().stats.peers.len() as u64;
            page.sample("muster_seed_peers", &[("torrent", name)], peers);
        }
    }
}
