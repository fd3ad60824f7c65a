//! HTTP trackers (BEP 3, compact peers of BEP 23, IPv6 peers of BEP 7).
//!
//! What a tracker says is a hint: numbers are clamped, addresses filtered by where the tracker is.

use super::address::may_name;
use crate::http;
use release::{bencode::Value, hash::Hash32};
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use url::Url;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// Peers taken from one answer at most.
const PEERS_MAX: usize = 200;
/// Peers asked for.
const NUMWANT: u32 = 50;
/// Bounds on the interval that a tracker may ask for.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// Interval where the tracker names none.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1800);

/// Why we announce (BEP 3 `event`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnounceEvent {
    Started,
    Interval,
    Completed,
    Stopped,
}

/// What we say of ourselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announce {
    pub(crate) infohash: Hash32,
    pub(crate) peer_id: [u8; 20],
    pub(crate) port: u16,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) left: u64,
    pub(crate) event: AnnounceEvent,
}

/// What the tracker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) interval: Duration,
    pub(crate) seeders: u32,
    pub(crate) leechers: u32,
}

/// Why an announce failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrackerError {
    /// The request itself.
    #[error("{0}")]
    Http(#[from] http::HttpError),
    /// The answer is not bencode of the expected form.
    #[error("the answer is not a tracker's")]
    Malformed,
    /// The tracker refuses, in its own words.
    #[error("the tracker says: {0}")]
    Refused(String),
}

/// Announces once.
pub(crate) async fn announce(
    client: &reqwest::Client,
    url: &Url,
    say: &Announce,
) -> Result<Answer, TrackerError> {
    let (body, source) = http::fetch(client, announce_url(url, say), ANSWER_BYTES_MAX).await?;
    parse(&body, source)
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
    let numwant = if say.event == AnnounceEvent::Stopped { 0 } else { NUMWANT };
    query += &format!(
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&compact=1&numwant={numwant}{event}",
        escape(&say.infohash.truncated()),
        escape(&say.peer_id),
        say.port,
        say.uploaded,
        say.downloaded,
        say.left,
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

fn parse(body: &[u8], source: Option<IpAddr>) -> Result<Answer, TrackerError> {
    let value = Value::decode(body).map_err(|_| TrackerError::Malformed)?;
    let dict = value.dict().ok_or(TrackerError::Malformed)?;
    if let Some(reason) = dict.find("failure reason") {
        let words =
            String::from_utf8_lossy(reason.bytes().unwrap_or(b"no reason")).chars().take(200).collect();
        return Err(TrackerError::Refused(words));
    }
    let number = |key: &str| dict.find(key).and_then(Value::integer).and_then(|n| u32::try_from(n).ok());
    let interval = number("interval").map_or(INTERVAL_DEFAULT, |n| Duration::from_secs(n.into()));
    let mut peers = Vec::new();
    match dict.find("peers") {
        Some(Value::Bytes(compact)) => peers.extend(compact.chunks_exact(6).map(v4)),
        Some(Value::List(list)) => peers.extend(list.iter().filter_map(dict_peer)),
        _ => {}
    }
    if let Some(compact) = dict.find("peers6").and_then(Value::bytes) {
        peers.extend(compact.chunks_exact(18).map(v6));
    }
    peers.retain(|peer| source.is_none_or(|source| may_name(source, *peer)));
    peers.truncate(PEERS_MAX);
    Ok(Answer {
        peers,
        interval: interval.clamp(INTERVAL_MIN, INTERVAL_MAX),
        seeders: number("complete").unwrap_or(0),
        leechers: number("incomplete").unwrap_or(0),
    })
}

fn v4(six: &[u8]) -> SocketAddr {
    let ip = Ipv4Addr::new(six[0], six[1], six[2], six[3]);
    SocketAddr::new(ip.into(), u16::from_be_bytes([six[4], six[5]]))
}

fn v6(eighteen: &[u8]) -> SocketAddr {
    let mut ip = [0; 16];
    ip.copy_from_slice(&eighteen[..16]);
    SocketAddr::new(Ipv6Addr::from(ip).into(), u16::from_be_bytes([eighteen[16], eighteen[17]]))
}

/// The older form: a dictionary for each peer. Host names are not looked up.
fn dict_peer(value: &Value) -> Option<SocketAddr> {
    let dict = value.dict()?;
    let ip: IpAddr = dict.find("ip")?.text()?.parse().ok()?;
    let port = u16::try_from(dict.find("port")?.integer()?).ok()?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    #[test]
    fn compact_peers_of_both_families() {
        let mut body = b"d8:completei3e10:incompletei4e8:intervali60e5:peers6:".to_vec();
        body.extend([127, 0, 0, 1, 0x1a, 0xe1]);
        body.extend(b"6:peers618:");
        body.extend(Ipv6Addr::LOCALHOST.octets());
        body.extend([0x1a, 0xe2]);
        body.push(b'e');
        let answer = parse(&body, LOCAL).expect("well formed");
        let peers: Vec<SocketAddr> =
            vec!["127.0.0.1:6881".parse().expect("ok"), "[::1]:6882".parse().expect("ok")];
        assert_eq!(answer, Answer { peers, interval: Duration::from_secs(60), seeders: 3, leechers: 4 });
        let far = Some("198.51.100.1".parse().expect("ok"));
        assert!(
            parse(&body, far).expect("well formed").peers.is_empty(),
            "a far tracker cannot name loopback"
        );
    }

    #[test]
    fn refusals_and_nonsense() {
        assert!(
            matches!(parse(b"d14:failure reason4:nopee", LOCAL), Err(TrackerError::Refused(why)) if why == "nope")
        );
        for bad in [&b"<html>"[..], b"", b"i1e", b"d5:peers", b"le"] {
            assert!(matches!(parse(bad, LOCAL), Err(TrackerError::Malformed)));
        }
        let huge = "d8:intervali999999999999ee";
        assert_eq!(parse(huge.as_bytes(), LOCAL).expect("clamped").interval, INTERVAL_DEFAULT);
    }

    #[test]
    fn query_escapes_bytes() {
        let say = Announce {
            infohash: Hash32([0xff; 32]),
            peer_id: *b"-MU0100-abcdefghijkl",
            port: 1,
            uploaded: 2,
            downloaded: 3,
            left: 4,
            event: AnnounceEvent::Started,
        };
        let url = announce_url(&"http://t.example/announce?key=1".parse().expect("ok"), &say);
        let query = url.query().expect("has one");
        assert!(query.starts_with(&format!("key=1&info_hash={}&", "%FF".repeat(20))), "{query}");
        assert!(query.ends_with("&left=4&compact=1&numwant=50&event=started"));
    }
}
