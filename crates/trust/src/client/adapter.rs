//! Our transport in the shape the library wants: bounds by the kind of document, one more attempt for a root, no documents
//! but the four kinds, and a note when a newer root could not be asked for, which the library passes over in silence.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tough::{TransportError, TransportErrorKind, TransportStream};
use url::Url;

use crate::limits;
use crate::transport::{FetchError, Transport, looks_like_html};

/// The library wants URLs; only their paths mean anything. The name cannot resolve.
pub(super) const BASE: &str = "https://repository.invalid/";

/// How often a root is asked for. Waiting in between is the transport's business.
const ROOT_ATTEMPTS: u32 = 2;

#[derive(Debug, Clone)]
pub(super) struct Adapter {
    transport: Arc<dyn Transport>,
    notes: Arc<Mutex<Notes>>,
}

/// What happened during one load that the library does not say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Why the next root could not be asked for, if it could not.
    pub(super) root_failure: Option<FetchError>,
    /// The roots that came, by the version of their names; not all need have been found good.
    pub(super) roots: Vec<(u64, bytes::Bytes)>,
    /// A document that no repository of ours has: the targets delegate.
    pub(super) foreign: Option<String>,
}

impl Adapter {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, notes: Arc::default() }
    }

    /// What was noted so far; the notes begin anew.
    pub(super) fn notes(&self) -> Notes {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, path: &str, limit: u64) -> Result<bytes::Bytes, FetchError> {
        let bytes = self.transport.fetch(path, limit).await?;
        if bytes.len() as u64 > limit {
            return Err(FetchError::TooLarge { limit });
        }
        if looks_like_html(&bytes) {
            return Err(FetchError::Html);
        }
        Ok(bytes)
    }

    async fn root(&self, path: &str) -> Result<bytes::Bytes, FetchError> {
        let mut tried = 1;
        loop {
            match self.attempt(path, limits::ROOT_BYTES_MAX).await {
                Err(FetchError::Network { source }) if tried < ROOT_ATTEMPTS => {
                    tracing::debug!(%source, path, "asking for the root again");
                    tried += 1;
                }
                other => return other,
            }
        }
    }
}

/// The documents of a repository of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    /// With the version in its name.
    Root(u64),
    Timestamp,
    Snapshot,
    Targets,
}

impl Document {
    fn of(path: &str) -> Option<Self> {
        let file = path.strip_prefix("metadata/")?;
        if file == "timestamp.json" {
            return Some(Self::Timestamp);
        }
        let (version, name) = file.split_once('.')?;
        let version = version.parse().ok()?;
        match name {
            "root.json" => Some(Self::Root(version)),
            "snapshot.json" => Some(Self::Snapshot),
            "targets.json" => Some(Self::Targets),
            _ => None,
        }
    }

    fn bytes_max(self) -> u64 {
        match self {
            Self::Root(_) => limits::ROOT_BYTES_MAX,
            Self::Timestamp => limits::TIMESTAMP_BYTES_MAX,
            Self::Snapshot => limits::SNAPSHOT_BYTES_MAX,
            Self::Targets => limits::TARGETS_BYTES_MAX,
        }
    }
}

#[async_trait]
impl tough::Transport for Adapter {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let path = url.path().trim_start_matches('/');
        let Some(document) = Document::of(path) else {
            // Whoever signs targets could otherwise send us from delegation to delegation without an end.
            self.lock().foreign = Some(path.to_owned());
            return Err(TransportError::new(TransportErrorKind::Other, url));
        };
        if let Document::Root(version) = document {
            return match self.root(path).await {
                Err(error @ (FetchError::Network { .. } | FetchError::Html)) => {
                    self.lock().root_failure = Some(error);
                    Err(TransportError::new(TransportErrorKind::Other, url))
                }
                // A root that is too large is an attack or a broken origin. As a failing stream it ends the load; as a
                // failing fetch it would only end the walk.
                Err(error @ FetchError::TooLarge { .. }) => Ok(stream(Err(failure(&url, error)))),
                Err(error @ FetchError::NotFound) => Err(failure(&url, error)),
                Ok(bytes) => {
                    self.lock().roots.push((version, bytes.clone()));
                    Ok(stream(Ok(bytes)))
                }
            };
        }
        let bytes = self.attempt(path, document.bytes_max()).await;
        bytes.map(|bytes| stream(Ok(bytes))).map_err(|error| failure(&url, error))
    }
}

fn stream(item: Result<bytes::Bytes, TransportError>) -> TransportStream {
    Box::pin(futures_util::stream::iter([item]))
}

fn failure(url: &Url, error: FetchError) -> TransportError {
    let kind = match error {
        FetchError::NotFound => TransportErrorKind::FileNotFound,
        _ => TransportErrorKind::Other,
    };
    TransportError::new_with_cause(kind, url, error)
}
