//! Small, bounded fetches: a feed, a picture, an identity provider's answers.
//!
//! Invariant: a body never grows past its limit, a fetch never outlives its time-out, and no redirect leaves the rule of
//! [`links::allowed`]. Game content does not come this way; the engine fetches that, under its caps.

use crate::links;
use engine::proxy::Proxy;
use reqwest::{Client, Response, redirect::Policy};
use std::time::Duration;
use url::Url;

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address is not https, nor http on the loopback.
    #[error("{0} is not an address the launcher fetches from")]
    Address(Url),
    /// No connection, a broken one, or too slow.
    #[error("no usable answer: {0}")]
    Network(#[from] reqwest::Error),
    /// The server answered with an error.
    #[error("the server answered {0}")]
    Status(u16),
    /// The body is longer than it may be.
    #[error("the answer is over {0} bytes")]
    TooBig(usize),
    /// The request or the answer cannot be expressed.
    #[error("malformed message: {0}")]
    Malformed(#[from] tauri::http::Error),
}

/// Time to a connection; a server that does not take one in this time is down for us.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Redirects followed before it is taken for a loop.
const REDIRECTS_MAX: usize = 5;

/// A client whose every fetch ends after `timeout`. With `redirects`, it follows a few, within the address rule, and never from
/// another machine to this one.
pub(crate) fn client(timeout: Duration, redirects: bool, proxy: &Proxy) -> Result<Client, HttpError> {
    let policy = if redirects {
        Policy::custom(|attempt| {
            let from_here = attempt.previous().first().is_some_and(links::is_loopback);
            let allowed = links::allowed(attempt.url()) && (from_here || !links::is_loopback(attempt.url()));
            if allowed && attempt.previous().len() <= REDIRECTS_MAX {
                attempt.follow()
            } else {
                attempt.stop()
            }
        })
    } else {
        Policy::none()
    };
    let builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(policy)
        .user_agent(concat!("muster-launcher/", env!("CARGO_PKG_VERSION")));
    Ok(proxy.apply(builder)?.build()?)
}

/// The body of `response`, given up as soon as it passes `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, HttpError> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(HttpError::TooBig(limit));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(HttpError::TooBig(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
