//! How `trust` reaches a repository: over our HTTP client, bounded, with a few tries.

use crate::http::{self, HttpError};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
    said: Mutex<Said>,
}

/// What the server said last beside its answers.
#[derive(Debug, Default)]
struct Said {
    /// Its own time, and when it came.
    date: Option<(DateTime<Utc>, Instant)>,
    /// How long it wants to be left alone.
    retry_after: Option<Duration>,
}

impl HttpTransport {
    /// For the repository at `base`, which ends in `/`.
    pub(crate) fn new(client: Client, base: Url) -> Self {
        Self { client, base, bytes: AtomicU64::new(0), said: Mutex::default() }
    }

    /// The server's time now, if it ever told it (`Date`, RFC 9110 §6.6.1).
    pub(crate) fn server_now(&self) -> Option<DateTime<Utc>> {
        let (date, came) = self.said().date?;
        date.checked_add_signed(TimeDelta::from_std(came.elapsed()).ok()?)
    }

    /// How long the server wants to be left alone, as it said in its last answer.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.said().retry_after
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Nothing that holds the lock leaves it half changed.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
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
            let (answer, date) = http::fetch_dated(&self.client, url.clone(), limit).await;
            if let Some(date) = date {
                self.said().date = Some((date, Instant::now()));
            }
            match &answer {
                Ok(_) => self.said().retry_after = None,
                Err(error) => self.said().retry_after = error.retry_after(),
            }
            match answer {
                Ok(body) => {
                    self.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(HttpError::Status { status: 403 | 404 | 410, .. }) => return Err(FetchError::NotFound),
                Err(HttpError::TooLarge { limit, .. }) => return Err(FetchError::TooLarge { limit }),
                Err(HttpError::Html { .. }) => return Err(FetchError::Html),
                Err(error) if tried == TRIES || error.retry_after().is_some() => {
                    return Err(network(Box::new(error)));
                }
                Err(_) => tokio::time::sleep(RETRY_DELAY * tried).await,
            }
        }
    }
}
