//! Which addresses a launcher fetches from or opens.

use url::{Host, Url};

/// https anywhere, plain http on this machine's loopback only, and neither user nor password inside. Everything else, `file:`,
/// `javascript:`, a custom scheme, is refused before it reaches a browser or a socket.
#[must_use]
pub fn allowed(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" => bare && url.host().is_some(),
        "http" => bare && is_loopback(url),
        _ => false,
    }
}

/// Whether the address names this machine by its loopback, as a literal or as `localhost`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
