//! How `trust` reaches a repository: over our HTTP client, bounded, with a few tries.

use crate::http::{self, HttpError};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Client;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use trust::{FetchError, Transport};
use url::Url;

/// Tries of one file; only failures of the network are tried again.
const TRIES: u32 = 3;
/// Wait before the second try, doubled for the third.
const RETRY_DELAY: Duration = Duration::from_millis(400);

/// Fetches below one repository's URL and counts what came.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    client: Client,
    base: Url,
    bytes: AtomicU64,
}

impl HttpTransport {
    /// For the repository at `base`, which ends in `/`.
    pub(crate) fn new(client: Client, base: Url) -> Self {
        Self { client, base, bytes: AtomicU64::new(0) }
    }

    /// Bytes that came so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        let network = |source: Box<dyn std::error::Error + Send + Sync>| FetchError::Network { source };
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| network("the repository's URL cannot have paths".into()))?
            .pop_if_empty()
            .extend(path.split('/'));
        let mut tried = 0;
        loop {
            tried += 1;
            match http::fetch(&self.client, url.clone(), limit).await {
                Ok((body, _)) => {
                    self.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(HttpError::Status { status: 403 | 404 | 410, .. }) => return Err(FetchError::NotFound),
                Err(HttpError::TooLarge { limit, .. }) => return Err(FetchError::TooLarge { limit }),
                Err(HttpError::Html { .. }) => return Err(FetchError::Html),
                Err(error) if tried == TRIES => return Err(network(Box::new(error))),
                Err(_) => tokio::time::sleep(RETRY_DELAY * tried).await,
            }
        }
    }
}
