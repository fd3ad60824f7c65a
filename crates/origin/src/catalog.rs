//! Which torrents the repository has: read from its signed list, never from the folder's listing.
//!
//! A torrent file that somebody laid into the folder unsigned is nobody's torrent here.

use chrono::Utc;
use release::{
    hash::Hash32,
    layout::{Layout, PieceLayers},
    limits::METAINFO_BYTES_MAX,
    metainfo::Metainfo,
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};
use trust::{Client, FolderTransport, LoadRequest};

/// Largest root that is read.
const ROOT_BYTES_MAX: u64 = 1024 * 1024;

/// A torrent of the repository.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) name: String,
    pub(crate) infohash: Hash32,
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    /// In tiers.
    pub(crate) trackers: Vec<Vec<String>>,
}

/// Why the list could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Trust(#[from] trust::Error),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Catalog {
    repo: PathBuf,
    root: Vec<u8>,
    /// Where the verifying client keeps what it has seen, so that a repository that goes back is noticed.
    state: tempfile::TempDir,
    known: BTreeMap<[u8; 32], Arc<Release>>,
}

impl Catalog {
    pub(crate) fn open(repo: &Path) -> Result<Self, CatalogError> {
        let path = repo.join("metadata/1.root.json");
        let io = |source| CatalogError::Io { path: path.clone(), source };
        if path.metadata().map_err(io)?.len() > ROOT_BYTES_MAX {
            return Err(io(io::ErrorKind::FileTooLarge.into()));
        }
        let root = std::fs::read(&path).map_err(io)?;
        let state = tempfile::tempdir().map_err(io)?;
        Ok(Self { repo: repo.to_owned(), root, state, known: BTreeMap::new() })
    }

    /// Changes exactly when a commit to the repository has become visible.
    pub(crate) fn stamp(&self) -> Option<(SystemTime, u64)> {
        let meta = self.repo.join("metadata/timestamp.json").metadata().ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    /// Verifies the repository and reads the torrents of its list. What was read before is not read again.
    pub(crate) async fn read(&mut self) -> Result<Vec<Arc<Release>>, CatalogError> {
        let request = LoadRequest {
            trusted_root: &self.root,
            state_dir: self.state.path(),
            now: Utc::now(),
            built_at: None,
            installed: false,
        };
        let client = Client::load(Arc::new(FolderTransport::new(&self.repo)), request).await?;
        let mut found = BTreeMap::new();
        for name in client.target_names().filter(|name| name.ends_with(".torrent")) {
            let Some(entry) = client.entry(name) else { continue };
            let release = match self.known.get(&entry.sha256) {
                Some(known) => Some(Arc::clone(known)),
                None => parse(name, &client.target(name, METAINFO_BYTES_MAX as u64).await?).map(Arc::new),
            };
            if let Some(release) = release {
                found.insert(entry.sha256, release);
            }
        }
        self.known = found;
        Ok(self.known.values().cloned().collect())
    }
}

fn parse(target: &str, bytes: &[u8]) -> Option<Release> {
    match Metainfo::parse(bytes) {
        Ok(metainfo) => Some(Release {
            trackers: metainfo.announce.clone(),
            name: metainfo.name,
            infohash: metainfo.infohash,
            layout: Arc::new(metainfo.layout),
            layers: metainfo.layers,
        }),
        Err(error) => {
            tracing::error!(%error, target, "a signed torrent cannot be read and is not tracked");
            None
        }
    }
}
