//! HTTP as this crate uses it: bounded, never redirected to another host, web pages told from content.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::{Client, ClientBuilder, Response, StatusCode, header, redirect};
use std::{net::IpAddr, time::Duration};
use url::Url;

/// Time to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two bytes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Redirects followed, all within one host.
const REDIRECTS_MAX: usize = 5;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection, time-out or broken transfer.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The innermost cause in words.
        reason: String,
    },
    /// A status that is no success.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// `Retry-After`, where it was sent in seconds.
        retry_after: Option<Duration>,
    },
    /// A web page where content was expected: a captive portal or a proxy's own error.
    #[error("{url} answered with a web page")]
    Html {
        /// What was asked for.
        url: String,
    },
    /// More bytes than allowed.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The bound.
        limit: u64,
    },
    /// Fewer bytes than promised, or others than asked for.
    #[error("{url} answered another range than asked for")]
    Range {
        /// What was asked for.
        url: String,
    },
}

impl HttpError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Status { .. } => "NETWORK",
            Self::Html { .. } => "ORIGIN_HTML",
            Self::TooLarge { .. } => "ORIGIN_TOO_LARGE",
            Self::Range { .. } => "ORIGIN_RANGE",
        }
    }

    pub(crate) fn from_reqwest(url: &Url, error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self::Unreachable { url: url.to_string(), reason: cause.to_string() }
    }
}

/// The one client of an engine: its pool of connections is shared by everything it fetches.
///
/// # Errors
/// When the system's certificates cannot be read.
pub fn client() -> Result<Client, reqwest::Error> {
    builder().build()
}

/// A client that goes out from `local` alone, and so over its family alone.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(crate) fn client_of(local: IpAddr) -> Result<Client, reqwest::Error> {
    builder().local_address(local).build()
}

fn builder() -> ClientBuilder {
    let same_host = redirect::Policy::custom(|attempt| {
        let first = attempt.previous().first();
        let same = first.is_some_and(|first| {
            first.host() == attempt.url().host()
                && first.port_or_known_default() == attempt.url().port_or_known_default()
        });
        if same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
    });
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT)
        .redirect(same_host)
        .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
}

/// Fetches a whole document of at most `limit` bytes and says where it came from.
///
/// # Errors
/// [`HttpError`].
pub async fn fetch(client: &Client, url: Url, limit: u64) -> Result<(Bytes, Option<IpAddr>), HttpError> {
    let response = client.get(url.clone()).send().await.map_err(|e| HttpError::from_reqwest(&url, &e))?;
    let source = response.remote_addr().map(|addr| addr.ip());
    let response = checked(&url, response)?;
    let body = collect(&url, response, limit).await?;
    Ok((body, source))
}

/// Refuses what is no success and what is a web page.
pub(crate) fn checked(url: &Url, response: Response) -> Result<Response, HttpError> {
    let status = response.status();
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        let header = response.headers().get(header::RETRY_AFTER);
        let seconds = header.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        return Err(HttpError::Status {
            url: url.to_string(),
            status: status.as_u16(),
            retry_after: seconds.map(Duration::from_secs),
        });
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html")) {
        return Err(HttpError::Html { url: url.to_string() });
    }
    Ok(response)
}

async fn collect(url: &Url, response: Response, limit: u64) -> Result<Bytes, HttpError> {
    let too_large = || HttpError::TooLarge { url: url.to_string(), limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    let mut stream = response.bytes_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|e| HttpError::from_reqwest(url, &e))?;
        if (body.len() + part.len()) as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}
