//! A source that sends us elsewhere for content: a publisher's address before a content network.
//!
//! Content is believed by its hash, so another host may give it. But a source must not make us ask services of our own
//! network or machine: a redirect leads only to addresses that reach as far as the source's own or further, looked up
//! here and then connected to, never back from https, and to no odd port of another host. Documents are not redirected
//! to other hosts at all (`http`).

use super::error::OriginError;
use crate::http::{self, HttpError};
use crate::proxy::Proxy;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};
use swarm::address::{Reach, reach};
use tokio::net::lookup_host;
use url::{Host, Url};

/// Redirects followed to other hosts.
const REDIRECTS_MAX: usize = 5;

/// Clients that go where redirects lead, made when the first one comes: one for sources of the internet, one for those
/// of a private network. Whoever is redirected by this very machine goes with the client of all.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    /// Where it stands between, somebody else looks names up: an answer may send us to no other host then.
    proxy: Proxy,
    of_public: OnceLock<Client>,
    of_private: OnceLock<Client>,
}

impl Redirects {
    /// Of clients that go through `proxy`.
    pub(super) fn new(proxy: Proxy) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Sends a request for `url`, made by `ask`, and follows where it leads; the last answer, whatever it is.
    pub(super) async fn send(
        &self,
        client: &Client,
        url: &Url,
        ask: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<Response, OriginError> {
        let failed = |error: reqwest::Error| OriginError::from(HttpError::from_reqwest(url, &error));
        let mut response = ask(client, url.clone()).send().await.map_err(failed)?;
        for _ in 0..REDIRECTS_MAX {
            let Some(to) = leads_to(&response) else { break };
            // Through a proxy nobody knows where the source is: it may name only what is near to nobody.
            let source = response.remote_addr().map_or(Reach::Global, |server| reach(server.ip()));
            let proxied = self.proxy.before(response.url()).is_some() || self.proxy.before(&to).is_some();
            if proxied && response.url().host() != to.host() {
                break;
            }
            if !may_lead(response.url(), &to) || !may_name_host(source, &to) {
                break;
            }
            let client =
                if proxied { client.clone() } else { self.client(client, source).map_err(failed)? };
            response = ask(&client, to).send().await.map_err(failed)?;
        }
        Ok(response)
    }

    fn client(&self, own: &Client, source: Reach) -> Result<Client, reqwest::Error> {
        let kept = match source {
            Reach::Loopback => return Ok(own.clone()),
            Reach::Private => &self.of_private,
            Reach::Global | Reach::None => &self.of_public,
        };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let client = http::client_that_looks_up(Arc::new(Guard { source }))?;
        Ok(kept.get_or_init(|| client).clone())
    }
}

/// Where an answer sends us.
fn leads_to(response: &Response) -> Option<Url> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(header::LOCATION).filter(|_| moved)?;
    response.url().join(location.to_str().ok()?).ok()
}

/// The same scheme, or https; another host at the port that is usual or the same.
fn may_lead(from: &Url, to: &Url) -> bool {
    let bare = to.username().is_empty() && to.password().is_none();
    let scheme = to.scheme() == "https" || (from.scheme() == "http" && to.scheme() == "http");
    let usual = to.port().is_none() || to.port_or_known_default() == from.port_or_known_default();
    let elsewhere = from.host() != to.host() && scheme && usual;
    bare && (elsewhere || http::may_redirect(from, to))
}

/// Whether a source may name this host; a name is looked up only later, by [`Guard`].
fn may_name_host(source: Reach, to: &Url) -> bool {
    match to.host() {
        Some(Host::Ipv4(ip)) => admits(source, ip.into()),
        Some(Host::Ipv6(ip)) => admits(source, ip.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

fn admits(source: Reach, ip: IpAddr) -> bool {
    let reaches = reach(ip);
    reaches != Reach::None && reaches >= source
}

/// Looks names up, and knows only the addresses that a source may name.
#[derive(Debug)]
struct Guard {
    source: Reach,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let source = self.source;
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> = found.filter(|addr| admits(source, addr.ip())).collect();
            if admitted.is_empty() {
                return Err(format!("a redirect may not lead to {}", name.as_str()).into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_other_hosts_but_never_from_https_nor_to_odd_ports() {
        for (from, to, may) in [
            ("https://a/x", "https://cdn.b/x", true),
            ("http://a/x", "http://cdn.b/x", true),
            ("http://a/x", "https://cdn.b/x", true),
            ("https://a/x", "http://cdn.b/x", false),
            ("https://a/x", "https://cdn.b:8443/x", false),
            ("https://a:8443/x", "https://cdn.b:8443/x", true),
            ("https://a:8443/x", "https://cdn.b/x", true),
            ("http://a/x", "http://cdn.b:22/x", false),
            ("http://a:8080/x", "http://a:8081/x", false),
            ("http://a/x", "https://me:secret@cdn.b/x", false),
            ("http://a/x", "ftp://cdn.b/x", false),
            ("http://a/x", "file:///etc/passwd", false),
            ("http://a/x", "http://a/y", true),
        ] {
            let url = |text: &str| Url::parse(text).expect("a URL");
            assert_eq!(may_lead(&url(from), &url(to)), may, "{from} -> {to}");
        }
    }

    #[test]
    fn nobody_is_led_nearer_than_the_source() {
        for (source, to, may) in [
            ("203.0.113.7", "http://198.51.100.9/", true),
            ("203.0.113.7", "http://192.168.1.1/", false),
            ("203.0.113.7", "http://127.0.0.1/", false),
            ("203.0.113.7", "http://2130706433/", false),
            ("203.0.113.7", "http://169.254.169.254/", false),
            ("203.0.113.7", "http://[::1]/", false),
            ("203.0.113.7", "http://[::ffff:10.0.0.1]/", false),
            ("203.0.113.7", "http://0.0.0.0/", false),
            ("192.168.1.5", "http://192.168.1.6/", true),
            ("192.168.1.5", "http://127.0.0.1/", false),
            ("127.0.0.1", "http://127.0.0.2/", true),
        ] {
            let source = reach(source.parse().expect("an address"));
            assert_eq!(may_name_host(source, &Url::parse(to).expect("a URL")), may, "{source:?} -> {to}");
        }
    }

    /// A name is no way round it, and nothing is connected to.
    #[tokio::test]
    async fn a_name_of_this_machine_is_not_gone_to_for_a_source_of_the_internet() {
        let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = trap.local_addr().expect("bound").port();
        let url = format!("http://localhost:{port}/");
        for source in [Reach::Global, Reach::Private] {
            let client =
                Redirects::default().client(&http::client().expect("a client"), source).expect("one");
            assert!(client.get(&url).send().await.is_err());
        }
        let knocked = tokio::time::timeout(std::time::Duration::from_millis(100), trap.accept()).await;
        assert!(knocked.is_err(), "somebody came");
    }
}
