//! HTTP as this crate uses it: bounded, never redirected to another host, web pages told from content.
//!
//! Content, which is believed by its hash, may come from elsewhere: `session::origin::redirect`.

use crate::proxy::Proxy;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use reqwest::{Client, ClientBuilder, Response, StatusCode, dns::Resolve, header, redirect};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::time::Instant;
use url::Url;

/// Time to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two bytes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A document that comes slower than this is given up, once it had some time: a server that sends a byte now and then, which
/// no time between bytes tells from a slow line, would keep us from asking another, or from saying that there is none.
const DOCUMENT_RATE_MIN: u64 = 1024;
/// The time that every document has.
const DOCUMENT_GRACE: Duration = Duration::from_secs(60);
/// Redirects followed, all within one host.
const REDIRECTS_MAX: usize = 5;
/// A server that wants to be left alone for longer is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

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
        /// `Retry-After`, from now, at most an hour.
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

    /// How long the server wants to be left alone, if it said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
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

/// A client that goes the system's way.
///
/// # Errors
/// When the system's certificates cannot be read.
pub fn client() -> Result<Client, reqwest::Error> {
    client_through(&Proxy::System)
}

/// The one client of an engine: its pool of connections is shared by everything it fetches.
///
/// # Errors
/// When the system's certificates cannot be read, or the proxy's address cannot be used.
pub(crate) fn client_through(proxy: &Proxy) -> Result<Client, reqwest::Error> {
    proxy.apply(builder())?.build()
}

/// A client that goes out from `local` alone, and so over its family alone; for those whom no proxy stands between.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(crate) fn client_of(local: IpAddr) -> Result<Client, reqwest::Error> {
    builder().no_proxy().local_address(local).build()
}

/// A client that follows no redirect by itself and knows only the addresses that `resolver` finds; through a proxy it would not look
/// anything up.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(crate) fn client_that_looks_up<R: Resolve + 'static>(resolver: Arc<R>) -> Result<Client, reqwest::Error> {
    builder().no_proxy().redirect(redirect::Policy::none()).dns_resolver(resolver).build()
}

fn builder() -> ClientBuilder {
    let same_host = redirect::Policy::custom(|attempt| {
        let may = attempt.previous().len() <= REDIRECTS_MAX
            && attempt.previous().last().is_some_and(|from| may_redirect(from, attempt.url()));
        if may { attempt.follow() } else { attempt.stop() }
    });
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT)
        .redirect(same_host)
        .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
}

/// A redirect stays with its host and port, or goes from http to https where both are the usual ports; never back.
pub(crate) fn may_redirect(from: &Url, to: &Url) -> bool {
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let upgrade = from.scheme() == "http" && to.scheme() == "https" && ports == (Some(80), Some(443));
    from.host() == to.host() && (upgrade || (from.scheme() == to.scheme() && ports.0 == ports.1))
}

/// What `Retry-After` (RFC 9110 §10.2.3) asks for: seconds, or a date, which is taken against the server's own clock.
pub(crate) fn retry_after(headers: &header::HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc));
    let wanted = text(header::RETRY_AFTER)?;
    let wait = match wanted.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => {
            let theirs = text(header::DATE).and_then(date).unwrap_or(now);
            // A date that is over asks for nothing.
            (date(wanted)? - theirs).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
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

/// As [`fetch`], with the server's own time, which it tells also where it refuses.
pub(crate) async fn fetch_dated(
    client: &Client,
    url: Url,
    limit: u64,
) -> (Result<Bytes, HttpError>, Option<DateTime<Utc>>) {
    let response = match client.get(url.clone()).send().await {
        Ok(response) => response,
        Err(error) => return (Err(HttpError::from_reqwest(&url, &error)), None),
    };
    let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
    let date =
        date.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|date| date.with_timezone(&Utc));
    let body = match checked(&url, response) {
        Ok(response) => collect(&url, response, limit).await,
        Err(error) => Err(error),
    };
    (body, date)
}

/// Refuses what is no success and what is a web page.
pub(crate) fn checked(url: &Url, response: Response) -> Result<Response, HttpError> {
    let status = response.status();
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(HttpError::Status {
            url: url.to_string(),
            status: status.as_u16(),
            retry_after: retry_after(response.headers(), Utc::now()),
        });
    }
    if is_html(response.headers()) {
        return Err(HttpError::Html { url: url.to_string() });
    }
    Ok(response)
}

/// Whether the answer calls itself a web page.
pub(crate) fn is_html(headers: &header::HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

async fn collect(url: &Url, response: Response, limit: u64) -> Result<Bytes, HttpError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(HttpError::TooLarge { url: url.to_string(), limit });
    }
    let stream = response.bytes_stream().map(|part| part.map_err(|e| HttpError::from_reqwest(url, &e)));
    gather(url, std::pin::pin!(stream), limit).await
}

/// Whether a document comes too slowly to be waited for.
fn drips(bytes: u64, took: Duration) -> bool {
    took > DOCUMENT_GRACE && bytes < took.as_secs() * DOCUMENT_RATE_MIN
}

/// Puts the parts of a body together while they are few enough and come fast enough.
async fn gather(
    url: &Url,
    mut parts: impl Stream<Item = Result<Bytes, HttpError>> + Unpin,
    limit: u64,
) -> Result<Bytes, HttpError> {
    let started = Instant::now();
    let mut body = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part?;
        if (body.len() + part.len()) as u64 > limit {
            return Err(HttpError::TooLarge { url: url.to_string(), limit });
        }
        body.extend_from_slice(&part);
        let took = started.elapsed();
        if drips(body.len() as u64, took) {
            let reason = format!("only {} bytes came in {} seconds", body.len(), took.as_secs());
            return Err(HttpError::Unreachable { url: url.to_string(), reason });
        }
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_with_their_host_and_never_leave_https() {
        for (from, to, may) in [
            ("http://a/x", "http://a/y", true),
            ("http://a/x", "https://a/x", true),
            ("https://a/x", "http://a/x", false),
            ("http://a:8080/x", "https://a/x", false),
            ("http://a/x", "http://a:81/x", false),
            ("https://a/x", "https://b/x", false),
            ("http://a/x", "http://127.0.0.1/x", false),
        ] {
            let url = |text: &str| Url::parse(text).expect("a URL");
            assert_eq!(may_redirect(&url(from), &url(to)), may, "{from} -> {to}");
        }
    }

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").expect("a date").with_timezone(&Utc);
        let check = |headers: &[(header::HeaderName, &str)], seconds: Option<u64>| {
            let headers = headers.iter().map(|(name, text)| (name.clone(), text.parse().expect("a value")));
            let wait = retry_after(&headers.collect(), now);
            assert_eq!(wait, seconds.map(Duration::from_secs));
        };
        check(&[(header::RETRY_AFTER, "7")], Some(7));
        check(&[(header::RETRY_AFTER, "99999999")], Some(3600));
        check(&[(header::RETRY_AFTER, "Fri, 02 Jan 2026 03:04:35 GMT")], Some(30));
        check(&[(header::RETRY_AFTER, "Fri, 02 Jan 2026 03:00:00 GMT")], Some(0));
        // Their clock is a year ahead of ours; the difference is what they mean.
        let theirs = [
            (header::RETRY_AFTER, "Sat, 02 Jan 2027 03:04:15 GMT"),
            (header::DATE, "Sat, 02 Jan 2027 03:04:05 GMT"),
        ];
        check(&theirs, Some(10));
        check(&[(header::RETRY_AFTER, "soon")], None);
        check(&[(header::RETRY_AFTER, "-1")], None);
        check(&[], None);
    }

    /// A server that sends a byte now and then is told from a slow line.
    #[test]
    fn a_document_that_drips_is_given_up_and_one_over_a_slow_line_is_not() {
        for (bytes, seconds, given_up) in [
            (0, 60, false),
            (3, 61, true),
            (20, 600, true),
            (61 * 1024, 61, false),
            (2_000_000, 1_800, false),
            (1_000_000, 1_800, true),
        ] {
            assert_eq!(drips(bytes, Duration::from_secs(seconds)), given_up, "{bytes} in {seconds} s");
        }
    }

    #[tokio::test]
    async fn a_document_without_end_stops_at_its_bound() {
        let url = Url::parse("http://origin.example/timestamp.json").expect("a URL");
        let part = || Ok(Bytes::from_static(&[b' '; 65_536]));
        let endless = futures_util::stream::iter(std::iter::repeat_with(part));
        let gathered = gather(&url, endless, 1 << 20).await;
        assert!(matches!(gathered, Err(HttpError::TooLarge { .. })), "{gathered:?}");
    }
}
