//! HTTP trackers (BEP 3, compact peers of BEP 23, IPv6 of BEP 7).
//!
//! A tracker knows a peer by the address it was asked from; where both sides have both families it is asked over each
//! (BEP 7), with a client that has only that family.

use super::{Announce, AnnounceEvent, Answer, TrackerError, believed, clamp_interval, merged, shown, v4, v6};
use crate::{
    http::{self, HttpError},
    proxy::Proxy,
};
use release::bencode::Value;
use reqwest::Client;
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};
use url::{Host, Url};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// Longest an announce may take in all, however lively the tracker seems.
const ANNOUNCE_TIME_MAX: Duration = Duration::from_secs(30);

/// The session's client, and those for one family alone, made when first needed.
#[derive(Debug)]
pub(super) struct Clients {
    any: Client,
    both: bool,
    proxy: Proxy,
    time_max: Duration,
    by_family: OnceLock<Option<[Client; 2]>>,
}

impl Clients {
    /// `both`: peers can reach us over IPv4 and IPv6.
    pub(super) fn new(any: Client, both: bool, proxy: Proxy) -> Self {
        Self { any, both, proxy, time_max: ANNOUNCE_TIME_MAX, by_family: OnceLock::new() }
    }

    pub(super) async fn announce(&self, url: &Url, say: &Announce) -> Result<Answer, TrackerError> {
        match self.by_family(url).await {
            Some([v4, v6]) => {
                let (v4, v6) = tokio::join!(self.ask(v4, url, say), self.ask(v6, url, say));
                merged(vec![v4, v6])
            }
            None => self.ask(&self.any, url, say).await,
        }
    }

    /// Asks for no torrent, which a tracker refuses as one: with a status, or in bencode (BEP 3, `failure reason`).
    pub(super) async fn greet(&self, url: &Url) -> Result<(), TrackerError> {
        let asked = http::fetch(&self.any, url.clone(), ANSWER_BYTES_MAX);
        let asked = tokio::time::timeout(self.time_max, asked).await;
        match asked.map_err(|_| TrackerError::Late(self.time_max))? {
            Err(HttpError::Status { status: 400, .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok((body, _)) if body.first() == Some(&b'd') => Ok(()),
            Ok(_) => Err(TrackerError::Malformed),
        }
    }

    /// A client for each family, where the tracker has both as well.
    async fn by_family(&self, url: &Url) -> Option<&[Client; 2]> {
        let Some(Host::Domain(name)) = url.host().filter(|_| self.both) else { return None };
        // It is the proxy's address that the tracker sees, and the proxy that looks its name up.
        if self.proxy.before(url).is_some() {
            return None;
        }
        let looked_up = tokio::net::lookup_host((name, url.port_or_known_default()?)).await;
        // Where the name is not known the one client says so.
        let addrs: Vec<SocketAddr> = looked_up.ok()?.collect();
        if !(addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6)) {
            return None;
        }
        let make = || {
            let v4 = http::client_of(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).ok()?;
            Some([v4, http::client_of(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).ok()?])
        };
        self.by_family.get_or_init(make).as_ref()
    }

    async fn ask(&self, client: &Client, url: &Url, say: &Announce) -> Result<Answer, TrackerError> {
        let asked = http::fetch(client, announce_url(url, say), ANSWER_BYTES_MAX);
        let asked = tokio::time::timeout(self.time_max, asked).await;
        let (body, source) = asked.map_err(|_| TrackerError::Late(self.time_max))??;
        parse(&body, source)
    }
}

/// The query is written by hand: infohash and peer id are bytes, not text.
fn announce_url(url: &Url, say: &Announce) -> Url {
    let mut query = url.query().map(|query| format!("{query}&")).unwrap_or_default();
    let event = match say.event {
        AnnounceEvent::Started => "&event=started",
        AnnounceEvent::Completed => "&event=completed",
        AnnounceEvent::Stopped => "&event=stopped",
        AnnounceEvent::Interval => "",
    };
    query += &format!(
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&key={:08X}&compact=1&numwant={}{event}",
        escape(&say.infohash.truncated()),
        escape(&say.peer_id),
        say.port,
        say.uploaded,
        say.downloaded,
        say.left,
        say.key,
        say.numwant(),
    );
    let mut url = url.clone();
    url.set_query(Some(&query));
    url
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(60), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

pub(in crate::session) fn parse(body: &[u8], source: Option<IpAddr>) -> Result<Answer, TrackerError> {
    // Some, as aquatic, end their answer with a line break.
    let value = Value::decode(body.trim_ascii_end()).map_err(|_| TrackerError::Malformed)?;
    let dict = value.dict().ok_or(TrackerError::Malformed)?;
    if let Some(reason) = dict.find("failure reason") {
        return Err(TrackerError::Refused(shown(reason.bytes().unwrap_or(b"no reason"))));
    }
    let number = |key: &str| dict.find(key).and_then(Value::integer).and_then(|n| u32::try_from(n).ok());
    let mut peers = Vec::new();
    match dict.find("peers") {
        Some(Value::Bytes(compact)) => peers.extend(compact.chunks_exact(6).map(v4)),
        Some(Value::List(list)) => peers.extend(list.iter().filter_map(dict_peer)),
        _ => {}
    }
    if let Some(compact) = dict.find("peers6").and_then(Value::bytes) {
        peers.extend(compact.chunks_exact(18).map(v6));
    }
    Ok(Answer {
        peers: believed(peers, source),
        interval: clamp_interval(number("interval")),
        interval_min: number("min interval").map(|seconds| clamp_interval(Some(seconds))),
        seeders: number("complete").unwrap_or(0),
        leechers: number("incomplete").unwrap_or(0),
    })
}

/// The older form: a dictionary for each peer. Host names are not looked up.
fn dict_peer(value: &Value) -> Option<SocketAddr> {
    let dict = value.dict()?;
    let ip: IpAddr = dict.find("ip")?.text()?.parse().ok()?;
    let port = u16::try_from(dict.find("port")?.integer()?).ok()?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;
