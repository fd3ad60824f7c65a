//! The root that a repository's trust begins with, and where it is remembered: once per repository in
//! the user's state folder.

use super::{GameLink, TrustedRoot, error::GameError};
use crate::transport::HttpTransport;
use release::hash::{Hash32, sha256};
use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};
use store::{
    StoreError,
    fs::{Fs, RealFs},
};
use trust::{FetchError, Transport};
use url::{Host, Url};

const PINNED: &str = "pinned-root.json";
/// The first root of a repository, which later ones must be signed by.
const FIRST_ROOT: &str = "metadata/1.root.json";
const ROOT_BYTES_MAX: u64 = 64 * 1024;

/// The folder of one repository's trust state.
pub(crate) fn trust_dir(state_dir: &Path, repository: &Url) -> PathBuf {
    let key = sha256(repository.as_str().as_bytes()).to_string();
    state_dir.join("trust").join(&key[..32])
}

/// The root to trust: the one given, the one pinned, or on first use the one found; and whether it was
/// pinned on first use just now.
pub(crate) async fn trusted(
    trust_dir: &Path,
    transport: &HttpTransport,
    link: &GameLink,
) -> Result<(Vec<u8>, bool), GameError> {
    if let Some(root) = link.root.given() {
        if pinned(trust_dir)?.as_deref() != Some(root) {
            pin(trust_dir, root)?;
        }
        return Ok((root.to_vec(), false));
    }
    let known = pinned(trust_dir)?;
    match (&link.root, known) {
        (TrustedRoot::Pinned(expected), Some(root)) if sha256(&root) == *expected => Ok((root, false)),
        (TrustedRoot::Pinned(expected), _) => {
            let root = fetch_first(transport).await?;
            check(&root, *expected)?;
            pin(trust_dir, &root)?;
            Ok((root, false))
        }
        (_, Some(root)) => Ok((root, false)),
        (_, None) => {
            if !secure(&link.repository) {
                return Err(GameError::InsecureFirstUse { url: link.repository.to_string() });
            }
            let root = fetch_first(transport).await?;
            tracing::info!(sha256 = %sha256(&root), "root pinned on first use");
            pin(trust_dir, &root)?;
            Ok((root, true))
        }
    }
}

fn check(root: &[u8], expected: Hash32) -> Result<(), GameError> {
    if sha256(root) == expected { Ok(()) } else { Err(GameError::RootChanged) }
}

async fn fetch_first(transport: &HttpTransport) -> Result<Vec<u8>, GameError> {
    let what = || FIRST_ROOT.to_owned();
    let root = transport.fetch(FIRST_ROOT, ROOT_BYTES_MAX).await.map_err(|error| match error {
        FetchError::NotFound => trust::Error::NotFound { what: what() },
        FetchError::TooLarge { limit } => trust::Error::Size { what: what(), limit },
        FetchError::Html => trust::Error::Html { what: what() },
        FetchError::Network { source } => trust::Error::Network { what: what(), reason: source.to_string() },
    })?;
    Ok(root.to_vec())
}

/// https, or a literal loopback address: `localhost` may be anybody's by name.
fn secure(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    url.scheme() == "https" || loopback
}

/// The pinned root, if there is one.
pub(crate) fn pinned(trust_dir: &Path) -> Result<Option<Vec<u8>>, GameError> {
    let path = trust_dir.join(PINNED);
    let file = match RealFs.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { path, source }.into()),
    };
    let mut root = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while (root.len() as u64) < ROOT_BYTES_MAX {
        let read = file.read_at(&mut buffer, root.len() as u64);
        match read.map_err(|source| StoreError::Io { path: path.clone(), source })? {
            0 => return Ok(Some(root)),
            read => root.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(Some(root))
}

fn pin(trust_dir: &Path, root: &[u8]) -> Result<(), GameError> {
    let write = || -> io::Result<()> {
        for folder in trust_dir.ancestors().collect::<Vec<_>>().into_iter().rev() {
            match RealFs.create_dir(folder) {
                Err(error) if RealFs.lstat(folder).is_err() => return Err(error),
                _ => {}
            }
        }
        let temporary = trust_dir.join("pinned-root.new");
        let file = RealFs.open_write(&temporary)?;
        file.set_len(0)?;
        file.write_at(root, 0)?;
        file.sync()?;
        RealFs.rename(&temporary, &trust_dir.join(PINNED))?;
        RealFs.sync_dir(trust_dir)
    };
    write().map_err(|source| StoreError::Io { path: trust_dir.to_owned(), source }.into())
}
