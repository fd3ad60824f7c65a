//! Our transport in the shape the library wants: bounds by the kind of document, one more attempt for a root, and a note
//! when a newer root could not be asked for, which the library passes over in silence.

use std::sync::{Arc, Mutex, PoisonError};

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
    root_failure: Arc<Mutex<Option<FetchError>>>,
}

impl Adapter {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, root_failure: Arc::default() }
    }

    /// Why the next root could not be asked for, if it could not.
    pub(super) fn root_failure(&self) -> Option<FetchError> {
        self.root_failure.lock().unwrap_or_else(PoisonError::into_inner).take()
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

    fn note_root_failure(&self, error: FetchError) {
        *self.root_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

#[async_trait]
impl tough::Transport for Adapter {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let path = url.path().trim_start_matches('/');
        if path.ends_with("root.json") {
            return match self.root(path).await {
                Err(error @ (FetchError::Network { .. } | FetchError::Html)) => {
                    self.note_root_failure(error);
                    Err(TransportError::new(TransportErrorKind::Other, url))
                }
                // A root that is too large is an attack or a broken origin. As a failing stream it ends the load; as a
                // failing fetch it would only end the walk.
                Err(error @ FetchError::TooLarge { .. }) => Ok(stream(Err(failure(&url, error)))),
                Err(error @ FetchError::NotFound) => Err(failure(&url, error)),
                Ok(bytes) => Ok(stream(Ok(bytes))),
            };
        }
        let bytes = self.attempt(path, bound(path)).await;
        bytes.map(|bytes| stream(Ok(bytes))).map_err(|error| failure(&url, error))
    }
}

fn bound(path: &str) -> u64 {
    if path.ends_with("timestamp.json") {
        limits::TIMESTAMP_BYTES_MAX
    } else if path.ends_with("snapshot.json") {
        limits::SNAPSHOT_BYTES_MAX
    } else {
        limits::TARGETS_BYTES_MAX
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
