//! What trackers answer, well or badly, and what it costs.

use super::super::INTERVAL_DEFAULT;
use super::*;
use release::hash::Hash32;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const LOCAL: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

#[test]
fn compact_peers_of_both_families() {
    let mut body = b"d8:completei3e10:incompletei4e8:intervali60e12:min intervali30e5:peers6:".to_vec();
    body.extend([127, 0, 0, 1, 0x1a, 0xe1]);
    body.extend(b"6:peers618:");
    body.extend(Ipv6Addr::LOCALHOST.octets());
    body.extend([0x1a, 0xe2]);
    body.push(b'e');
    let answer = parse(&body, LOCAL).expect("well formed");
    let peers: Vec<SocketAddr> =
        vec!["127.0.0.1:6881".parse().expect("ok"), "[::1]:6882".parse().expect("ok")];
    let expected = Answer {
        peers,
        interval: Duration::from_secs(60),
        interval_min: Some(Duration::from_secs(30)),
        seeders: 3,
        leechers: 4,
    };
    assert_eq!(answer, expected);
    let with_a_line_break = [&body[..], b"\r\n"].concat();
    assert_eq!(parse(&with_a_line_break, LOCAL).expect("well formed but for its end"), answer);
    let far = Some("198.51.100.1".parse().expect("ok"));
    assert!(parse(&body, far).expect("well formed").peers.is_empty(), "a far tracker cannot name loopback");
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
        key: 0xbeef,
        uploaded: 2,
        downloaded: 3,
        left: 4,
        event: AnnounceEvent::Started,
    };
    let url = announce_url(&"http://t.example/announce?key=1".parse().expect("ok"), &say);
    let query = url.query().expect("has one");
    assert!(query.starts_with(&format!("key=1&info_hash={}&", "%FF".repeat(20))), "{query}");
    assert!(query.ends_with("&left=4&key=0000BEEF&compact=1&numwant=50&event=started"), "{query}");
}

/// Answers every request with these bytes after the head, then with one more every `drip`.
async fn tracker(head: &str, body: Vec<u8>, drip: Option<Duration>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}/announce", listener.local_addr().expect("bound")).parse().expect("a URL");
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (head, body) = (head.clone(), body.clone());
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(head.as_bytes()).await;
                let mut going = socket.write_all(&body).await.is_ok();
                while let Some(drip) = drip.filter(|_| going) {
                    tokio::time::sleep(drip).await;
                    going = socket.write_all(b"0").await.is_ok();
                }
            });
        }
    });
    url
}

async fn asked(url: &Url, time_max: Duration) -> Result<Answer, TrackerError> {
    let clients = Clients {
        time_max,
        ..Clients::new(http::client().expect("a client"), true, crate::proxy::Proxy::System)
    };
    let say = Announce {
        infohash: Hash32([1; 32]),
        peer_id: [2; 20],
        port: 1,
        key: 0,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: AnnounceEvent::Started,
    };
    clients.announce(url, &say).await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_tracker_that_returns_a_million_peers_is_read_no_further_than_the_bound() {
    let mut body = b"d8:intervali60e5:peers6000000:".to_vec();
    body.resize(body.len() + 6_000_000, 9);
    body.push(b'e');
    for head in [format!("Content-Length: {}", body.len()), "Connection: close".to_owned()] {
        let url = tracker(&head, body.clone(), None).await;
        let outcome = asked(&url, LONG).await;
        assert!(
            matches!(outcome, Err(TrackerError::Http(http::HttpError::TooLarge { .. }))),
            "{head}: {outcome:?}"
        );
    }
    // As many as fit the bound: a few are taken.
    let mut body = b"d8:intervali60e5:peers240000:".to_vec();
    (0..40_000_u32)
        .for_each(|n| body.extend([&(0x0800_0000 + n).to_be_bytes()[..], &6881_u16.to_be_bytes()].concat()));
    body.push(b'e');
    let url = tracker(&format!("Content-Length: {}", body.len()), body, None).await;
    assert_eq!(asked(&url, LONG).await.expect("well formed").peers.len(), 200);
}

#[tokio::test]
async fn a_tracker_that_answers_html_is_no_tracker() {
    let page = b"<html><body>Please sign in to this network</body></html>".to_vec();
    let length = format!("Content-Length: {}", page.len());
    for head in [format!("Content-Type: text/html\r\n{length}"), length] {
        let url = tracker(&head, page.clone(), None).await;
        let outcome = asked(&url, LONG).await;
        assert!(
            matches!(
                outcome,
                Err(TrackerError::Http(http::HttpError::Html { .. }) | TrackerError::Malformed)
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_never_ends_costs_bounded_time() {
    let (patience, started) = (Duration::from_millis(300), std::time::Instant::now());
    let url = tracker("Connection: close", b"d5:peers99999:".to_vec(), Some(Duration::from_millis(20))).await;
    let outcome = asked(&url, patience).await;
    assert!(matches!(outcome, Err(TrackerError::Late(_))), "{outcome:?}");
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn loopback_and_multicast_addresses_of_a_near_tracker_are_told_apart() {
    let mut body = b"d8:intervali60e5:peers18:".to_vec();
    body.extend([127, 0, 0, 1, 0, 9, 224, 0, 0, 1, 0, 9, 255, 255, 255, 255, 0, 9]);
    body.push(b'e');
    let url = tracker(&format!("Content-Length: {}", body.len()), body, None).await;
    let answer = asked(&url, LONG).await.expect("well formed");
    assert_eq!(answer.peers, ["127.0.0.1:9".parse().expect("an address")], "only a peer can be there");
}
