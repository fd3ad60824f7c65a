//! The proxy through which web servers are asked: the system's, none, or one that the player names.
//!
//! Invariant: what is asked over HTTP goes through it or not at all; nothing goes around it. Peers, UDP trackers and the local network
//! are no web servers: they are spoken to directly, and people are told so.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::ClientBuilder;
use std::fmt;
use url::{Host, Url};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// The system's, as reqwest finds it: the environment's, on Windows and macOS the user's.
    #[default]
    System,
    /// None, whatever the system says.
    None,
    /// This one.
    Address(ProxyAddress),
}

/// The address of a proxy: HTTP, HTTPS or SOCKS5, with nothing secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAddress(Url);

/// Why an address is none of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// No host and port of a kind that is known.
    #[error("this is no address of a proxy: http, https or socks5, a host and a port")]
    Address,
    /// A name and a password would lie open in a file.
    #[error("a proxy with name and password is not supported")]
    Password,
}

impl ProxyAddress {
    /// `host:port`, which is HTTP, or a URL of scheme `http`, `https` or `socks5`.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        // Names are looked up by the proxy: asking for them ourselves would be a way around it.
        let text = match text.split_once("://") {
            Some(("socks5", rest)) => format!("socks5h://{rest}"),
            _ => text,
        };
        let url = Url::parse(&text).map_err(|_| ProxyError::Address)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ProxyError::Password);
        }
        let known = matches!(url.scheme(), "http" | "https" | "socks5h");
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = matches!(url.host(), Some(Host::Domain(name)) if !name.is_empty())
            || matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
        // Where the port is the scheme's usual one, it is left out.
        let port = url.port_or_known_default().is_some_and(|port| port != 0);
        if known && bare && host && port { Ok(Self(url)) } else { Err(ProxyError::Address) }
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Proxy {
    /// A client's builder that keeps to it.
    ///
    /// # Errors
    /// When the address cannot be used after all.
    pub fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, reqwest::Error> {
        Ok(match self {
            Self::System => builder,
            Self::None => builder.no_proxy(),
            Self::Address(ProxyAddress(url)) => builder.no_proxy().proxy(reqwest::Proxy::all(url.clone())?),
        })
    }

    /// Where requests for `server` go, if a proxy makes the connection, so that nothing can be said of where that leads.
    pub(crate) fn before(&self, server: &Url) -> Option<String> {
        match self {
            Self::System => {
                let used = Matcher::from_system().intercept(&server.as_str().parse().ok()?)?;
                Some(used.uri().to_string())
            }
            Self::None => None,
            Self::Address(address) => Some(address.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address_of_a_proxy() {
        let parsed = |text: &str| ProxyAddress::parse(text).map(|address| address.to_string());
        for (text, is) in [
            ("proxy.example:3128", "http://proxy.example:3128/"),
            (" 10.0.0.1:8080 ", "http://10.0.0.1:8080/"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("https://proxy.example", "https://proxy.example/"),
            ("socks5://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(is), "{text}");
        }
        for text in [
            "",
            "http://",
            "ftp://proxy:21",
            "proxy:port",
            "proxy:0",
            "http://p:1/path",
            "http://p:1/?q",
            "socks5://p",
            "file:///x",
        ] {
            assert_eq!(parsed(text), Err(ProxyError::Address), "{text}");
        }
        assert_eq!(parsed("http://ann:secret@proxy:3128"), Err(ProxyError::Password));
    }
}
