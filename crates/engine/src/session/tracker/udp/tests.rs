//! Against trackers of our own on loopback: honest ones, silent ones, and such as answer nonsense.

use super::super::AnnounceEvent;
use super::*;
use release::hash::Hash32;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Answers each datagram with what `answer` makes of it and of how many came before.
async fn tracker(
    bind: &str,
    answer: impl Fn(usize, &[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (Url, Arc<Mutex<Vec<Vec<u8>>>>, JoinHandle<()>) {
    let socket = UdpSocket::bind(bind).await.expect("loopback");
    let url = format!("udp://{}/announce", socket.local_addr().expect("bound")).parse().expect("a URL");
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        let mut datagram = vec![0; 2048];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut datagram).await else { return };
            let count = seen.lock().expect("not poisoned").len();
            seen.lock().expect("not poisoned").push(datagram[..length].to_vec());
            for reply in answer(count, &datagram[..length]) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    (url, asked, task)
}

fn connections(first: Duration) -> Connections {
    let listens: Vec<SocketAddr> = ["0.0.0.0:1", "[::]:1"].iter().map(|a| a.parse().expect("ok")).collect();
    Connections { patience: Patience { first, tries: 2 }, ..Connections::new(&listens) }
}

fn say() -> Announce {
    Announce {
        infohash: Hash32([7; 32]),
        peer_id: [1; 20],
        port: 6881,
        key: 1,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: AnnounceEvent::Started,
    }
}

fn transaction(request: &[u8]) -> [u8; 4] {
    request[12..16].try_into().expect("four bytes")
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// What an honest tracker answers, with these compact peers.
fn honest(request: &[u8], peers: &[u8]) -> Vec<u8> {
    let transaction = transaction(request);
    if request.len() == 16 {
        return [&words(&[0])[..], &transaction, &99_u64.to_be_bytes()].concat();
    }
    assert_eq!(request[..8], 99_u64.to_be_bytes(), "the id it was given");
    [&words(&[1])[..], &transaction, &words(&[60, 4, 3]), peers].concat()
}

const PEER: [u8; 6] = [127, 0, 0, 1, 0, 9];
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn an_announce_connects_once_a_minute() {
    let (url, asked, _task) = tracker("127.0.0.1:0", |_, request| vec![honest(request, &PEER)]).await;
    let connections = connections(LONG);
    for _ in 0..3 {
        let answer = connections.announce(&url, &say()).await.expect("answered");
        assert_eq!(answer.peers, ["127.0.0.1:9".parse().expect("an address")]);
        assert_eq!((answer.seeders, answer.leechers, answer.interval), (3, 4, Duration::from_secs(60)));
    }
    let lengths: Vec<usize> = asked.lock().expect("not poisoned").iter().map(Vec::len).collect();
    assert_eq!(lengths, [16, 98 + 11, 98 + 11, 98 + 11], "one connect, three announces with their path");
}

#[tokio::test]
async fn a_tracker_reached_over_ipv6_names_ipv6_peers() {
    let mut peer = Ipv6Addr::LOCALHOST.octets().to_vec();
    peer.extend([0, 9]);
    let (url, _, _task) = tracker("[::1]:0", move |_, request| vec![honest(request, &peer)]).await;
    let answer = connections(LONG).announce(&url, &say()).await.expect("answered");
    assert_eq!(answer.peers, ["[::1]:9".parse().expect("an address")]);
}

#[tokio::test]
async fn a_udp_answer_with_a_wrong_transaction_id_is_passed_over() {
    let answers = |_: usize, request: &[u8]| {
        let right = honest(request, &PEER);
        let mut forged = honest(request, &[9; 6]);
        forged[4] ^= 1;
        vec![forged, b"<html>".to_vec(), Vec::new(), right]
    };
    let (url, _, _task) = tracker("127.0.0.1:0", answers).await;
    let answer = connections(LONG).announce(&url, &say()).await.expect("answered in the end");
    assert_eq!(answer.peers, ["127.0.0.1:9".parse().expect("an address")]);
}

#[tokio::test]
async fn a_tracker_that_only_answers_with_wrong_transaction_ids_costs_bounded_time() {
    let forged = |_: usize, request: &[u8]| {
        let mut forged = honest(request, &PEER);
        forged[4] ^= 1;
        vec![forged; 50]
    };
    let (url, asked, _task) = tracker("127.0.0.1:0", forged).await;
    let outcome = connections(SHORT).announce(&url, &say()).await;
    assert!(matches!(outcome, Err(TrackerError::Late(waited)) if waited == 3 * SHORT), "{outcome:?}");
    assert_eq!(asked.lock().expect("not poisoned").len(), 2);
}

#[tokio::test]
async fn what_is_lost_is_sent_again() {
    let deaf_at_first =
        |count: usize, request: &[u8]| if count == 0 { vec![] } else { vec![honest(request, &PEER)] };
    let (url, _, _task) = tracker("127.0.0.1:0", deaf_at_first).await;
    assert!(connections(SHORT).announce(&url, &say()).await.is_ok());
}

#[tokio::test]
async fn a_silent_tracker_and_a_closed_port_cost_bounded_time() {
    let (silent, asked, task) = tracker("127.0.0.1:0", |_, _| vec![]).await;
    let outcome = connections(SHORT).announce(&silent, &say()).await;
    assert!(matches!(outcome, Err(TrackerError::Late(_))), "{outcome:?}");
    assert_eq!(asked.lock().expect("not poisoned").len(), 2);
    task.abort();
    let _ = task.await;
    let outcome = tokio::time::timeout(LONG, connections(LONG).announce(&silent, &say())).await;
    assert!(
        matches!(outcome, Ok(Err(TrackerError::Unreachable { .. }))),
        "a closed port says so: {outcome:?}"
    );
}

#[tokio::test]
async fn errors_are_told_in_the_trackers_words_and_a_forgotten_id_is_renewed() {
    let refuses = |_: usize, request: &[u8]| match request.len() {
        16 => vec![honest(request, &[])],
        _ => vec![[&words(&[3])[..], &transaction(request), &[b'n'; 5_000]].concat()],
    };
    let (url, asked, _task) = tracker("127.0.0.1:0", refuses).await;
    let connections = connections(LONG);
    for _ in 0..2 {
        let outcome = connections.announce(&url, &say()).await;
        assert!(
            matches!(&outcome, Err(TrackerError::Refused(words)) if *words == "n".repeat(200)),
            "{outcome:?}"
        );
    }
    // The second time: with the id that is known, then with a new one.
    assert_eq!(asked.lock().expect("not poisoned").len(), 2 + 3);
}

#[tokio::test]
async fn a_tracker_that_returns_all_peers_a_datagram_holds_gives_a_few() {
    let crowd: Vec<u8> = (0..10_000_u32)
        .flat_map(|n| [&(0x0a00_0000 + n).to_be_bytes()[..], &6881_u16.to_be_bytes()].concat())
        .collect();
    let (url, _, _task) = tracker("127.0.0.1:0", move |_, request| vec![honest(request, &crowd)]).await;
    let answer = connections(LONG).announce(&url, &say()).await.expect("answered");
    assert_eq!(answer.peers.len(), 200);
}
