//! A repository over HTTP, as `repo check` reads it: each file once, bounded.

use async_trait::async_trait;
use bytes::Bytes;
use engine::http::{self, HttpError};
use reqwest::Client;
use trust::{FetchError, Transport};
use url::Url;

/// Fetches below one repository's URL, which ends in `/`.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    base: Url,
}

impl Http {
    pub(crate) fn new(client: Client, base: Url) -> Self {
        Self { client, base }
    }
}

#[async_trait]
impl Transport for Http {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        match http::fetch(&self.client, url, limit).await {
            Ok((body, _)) => Ok(body),
            Err(HttpError::Status { status: 403 | 404 | 410, .. }) => Err(FetchError::NotFound),
            Err(HttpError::TooLarge { limit, .. }) => Err(FetchError::TooLarge { limit }),
            Err(HttpError::Html { .. }) => Err(FetchError::Html),
            Err(error) => Err(FetchError::Network { source: Box::new(error) }),
        }
    }
}

/// A URL whose path ends in `/`, so that names are appended to it and not put in place of its last part.
pub(crate) fn as_folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}
