//! Which addresses from outside the launcher may follow or open.
//!
//! Invariant: https anywhere, plain http on the loopback only (a demo, a test), no user name or password inside. Everything else,
//! `file:`, `javascript:`, a custom scheme, is refused before it reaches a browser or a socket.

use std::io;
use url::{Host, Url};

/// Why a link was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// Not https, nor http on the loopback.
    #[error("only web addresses are opened, not {0}: addresses")]
    Refused(String),
    /// The system has no browser, or it did not start.
    #[error("no browser could be started: {0}")]
    Browser(#[from] io::Error),
}

/// Whether the launcher may fetch or open this address.
pub(crate) fn allowed(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" => bare && url.host().is_some(),
        "http" => bare && is_loopback(url),
        _ => false,
    }
}

/// Whether the address names this machine by its loopback, as a literal or as `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Opens an allowed address in the system's browser, which then lives its own life.
pub(crate) fn open_in_browser(url: &Url) -> Result<(), LinkError> {
    if !allowed(url) {
        return Err(LinkError::Refused(url.scheme().to_owned()));
    }
    if open_as_asked(url) {
        return Ok(());
    }
    Ok(open::that_detached(url.as_str())?)
}

/// `BROWSER` names the programs a person wants on a Unix desktop, with colons between them; `xdg-open` looks at it only when no desktop
/// has an opinion. Entries with a place for the address in them are left to it.
#[cfg(all(unix, not(target_os = "macos")))]
fn open_as_asked(url: &Url) -> bool {
    let asked = std::env::var("BROWSER").unwrap_or_default();
    let programs = asked.split(':').filter(|program| !program.is_empty() && !program.contains('%'));
    programs.into_iter().any(|program| open::with_detached(url.as_str(), program).is_ok())
}

/// Other systems ask their settings.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn open_as_asked(_url: &Url) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_addresses() {
        let cases = [
            ("https://studio.example/news", true),
            ("http://127.0.0.1:8000/feed.json", true),
            ("http://[::1]:8000/feed.json", true),
            ("http://localhost/feed", true),
            ("http://studio.example/news", false),
            ("https://user:secret@studio.example/", false),
            ("http://localhost.studio.example/", false),
            ("http://10.0.0.1/", false),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("data:text/html,hello", false),
            ("muster://news/1", false),
            ("mailto:someone@studio.example", false),
        ];
        for (text, expected) in cases {
            assert_eq!(allowed(&Url::parse(text).unwrap()), expected, "{text}");
        }
        let refused = open_in_browser(&Url::parse("file:///etc/passwd").unwrap());
        assert!(matches!(refused, Err(LinkError::Refused(scheme)) if scheme == "file"));
    }
}
