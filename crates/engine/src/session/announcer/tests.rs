//! Announcers against HTTP trackers of our own on loopback.

use super::*;
use release::layout::FileEntry;
use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};
use swarm::Stats;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A tracker that answers the same to everybody; nothing at all where there is no answer.
#[derive(Clone)]
struct Tracker {
    url: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    async fn start(answer: Option<&'static [u8]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url =
            format!("http://{}/announce", listener.local_addr().expect("bound")).parse().expect("a URL");
        let tracker = Self { url, asked: Arc::default() };
        let seen = Arc::clone(&tracker.asked);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let length = socket.read(&mut request).await.unwrap_or(0);
                    let line = String::from_utf8_lossy(&request[..length]).lines().next().map(str::to_owned);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).extend(line);
                    let Some(answer) = answer else { return pending().await };
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
                    let _ = socket.write_all(&[head.as_bytes(), answer].concat()).await;
                });
            }
        });
        tracker
    }

    /// The events that it was told.
    fn events(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let event = |line: &String| {
            line.split("event=")
                .nth(1)
                .map_or("interval", |rest| rest.split(' ').next().unwrap_or(""))
                .to_owned()
        };
        asked.iter().map(event).collect()
    }
}

/// Somebody at 127.0.0.1:9, an hour's interval.
const SOMEBODY: &[u8] = b"d8:intervali3600e5:peers6:\x7f\x00\x00\x01\x00\x09e";
const NOBODY: &[u8] = b"d8:intervali3600e5:peers0:e";

/// An announcer with these tiers, of a torrent that lacks all; the status can be changed.
struct Scene {
    handle: Handle,
    happenings: mpsc::UnboundedReceiver<Happening>,
    status: watch::Sender<TorrentStatus>,
    port: watch::Sender<u16>,
}

impl Scene {
    fn start(tiers: Vec<Vec<Url>>) -> Self {
        Self::start_of(Of::Ours, tiers)
    }

    fn start_of(of: Of, tiers: Vec<Vec<Url>>) -> Self {
        let stats = Stats { pieces_total: 4, bytes_total: 4, ..Stats::default() };
        let status = watch::Sender::new(TorrentStatus { stats, ..TorrentStatus::default() });
        let port = watch::Sender::new(6881);
        let (done, happenings) = mpsc::unbounded_channel();
        let listens: [SocketAddr; 1] = ["127.0.0.1:6881".parse().expect("an address")];
        let client = crate::http::client().expect("a client");
        let (handle, statuses) = start(Task {
            trackers: Arc::new(Trackers::new(client, &listens, crate::proxy::Proxy::System)),
            tiers,
            infohash: Hash32([5; 32]),
            of,
            peer_id: [1; 20],
            key: 7,
            port: port.subscribe(),
            status: status.subscribe(),
            done,
        });
        assert!(statuses.iter().all(|status| status.ok));
        Self { handle, happenings, status, port }
    }

    async fn announced(&mut self) -> Announced {
        let happening = tokio::time::timeout(Duration::from_secs(20), self.happenings.recv()).await;
        match happening {
            Ok(Some(Happening::Announced(announced))) => announced,
            other => panic!("an announce: {other:?}"),
        }
    }
}

fn closed() -> Url {
    "http://127.0.0.1:9/announce".parse().expect("a URL")
}

#[tokio::test]
async fn a_later_tier_is_asked_when_the_whole_of_the_first_fails() {
    let (good, spare) = (Tracker::start(Some(SOMEBODY)).await, Tracker::start(Some(SOMEBODY)).await);
    let refuses = Tracker::start(Some(b"d14:failure reason2:noe")).await;
    let mut scene = Scene::start(vec![
        vec![closed(), refuses.url.clone()],
        vec![good.url.clone()],
        vec![spare.url.clone()],
    ]);
    let outcomes = [scene.announced().await, scene.announced().await, scene.announced().await];
    assert_eq!(outcomes.each_ref().map(|announced| announced.status.ok), [false, false, true]);
    assert_eq!(outcomes[2].peers.len(), 1);
    assert_eq!((good.events(), spare.events()), (vec!["started".to_owned()], vec![]));
    scene.handle.completed();
    while good.events().len() < 2 {
        scene.announced().await;
    }
    scene.handle.stop().await;
    assert_eq!(good.events(), ["started", "completed", "stopped"]);
    assert!(spare.events().is_empty(), "who was never greeted hears no goodbye");
}

#[tokio::test]
async fn a_tracker_that_knows_nobody_keeps_nobody_from_those_that_do() {
    let (empty, full) = (Tracker::start(Some(NOBODY)).await, Tracker::start(Some(SOMEBODY)).await);
    let mut scene = Scene::start(vec![vec![empty.url.clone()], vec![full.url.clone()]]);
    assert!(scene.announced().await.peers.is_empty());
    assert_eq!(scene.announced().await.peers.len(), 1);
    assert_eq!((empty.events().len(), full.events().len()), (1, 1));
}

#[tokio::test]
async fn who_lacks_nothing_asks_one_tracker_and_tells_it_of_a_new_port() {
    let (first, second) = (Tracker::start(Some(SOMEBODY)).await, Tracker::start(Some(SOMEBODY)).await);
    let tiers = vec![vec![first.url.clone()], vec![second.url.clone()]];
    let mut scene = Scene::start(tiers);
    let whole = Stats { pieces_have: 4, bytes_have: 4, ..scene.status.borrow().stats.clone() };
    scene.status.send_replace(TorrentStatus { stats: whole, ..TorrentStatus::default() });
    scene.announced().await;
    let before = second.events().len();
    scene.port.send_replace(7000);
    while first.events().len() < 2 {
        scene.announced().await;
    }
    let asked = first.asked.lock().expect("not poisoned").clone();
    assert!(asked[0].contains("port=6881") && asked[1].contains("port=7000"), "{asked:?}");
    assert_eq!(second.events().len(), before);
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_tracker_that_is_silent() {
    let silent = Tracker::start(None).await;
    let scene = Scene::start(vec![vec![silent.url.clone()]]);
    while silent.events().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let started = std::time::Instant::now();
    scene.handle.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn who_starves_asks_as_often_as_the_tracker_allows_and_else_ever_more_rarely() {
    let seconds = Duration::from_secs;
    for (interval, interval_min, again, expected) in [
        (1800, Some(60), 0, 60),
        (1800, Some(60), 9, 60),
        (1800, Some(1), 0, 5),
        (3, Some(1), 0, 3),
        (1800, None, 0, 30),
        (1800, None, 2, 120),
        (1800, None, 30, 1800),
    ] {
        let wait = starving_wait(seconds(interval), interval_min.map(seconds), again);
        assert_eq!(wait, seconds(expected), "{interval} {interval_min:?} {again}");
    }
}

/// A file of one byte more than `pieces - 1` pieces, whose content is `content`.
fn file(content: u8, pieces: u64) -> FileEntry {
    let path = format!("{content:03}").parse().expect("a path");
    let (length, pieces_root) = ((pieces - 1) * 65_536 + 1, Some(Hash32([content; 32])));
    FileEntry { path, length, pieces_root, executable: false }
}

#[tokio::test]
async fn another_release_is_announced_with_what_is_left_of_what_both_have_and_is_never_complete() {
    let tracker = Tracker::start(Some(b"d8:intervali3600e12:min intervali1e5:peers0:e")).await;
    let layout = |files| Arc::new(Layout::new(65_536, files).expect("a layout"));
    // Pieces 0 and 1 are ours alone, 2 to 4 are in both.
    let (ours, theirs) = (layout(vec![file(1, 2), file(2, 3)]), layout(vec![file(2, 3), file(3, 9)]));
    let alias = Arc::new(Alias::new(&ours, &theirs).expect("something in common"));
    let of = Of::Other { via: Via(2), alias, layout: ours };
    let mut scene = Scene::start_of(of, vec![vec![tracker.url.clone()]]);
    assert_eq!(scene.announced().await.via, Via(2));
    for (have, port) in [(0b1010_0000, 1), (0b0011_1000, 2)] {
        scene.status.send_modify(|status| status.have = vec![have]);
        scene.port.send_replace(port);
        scene.announced().await;
    }
    // Nobody has anything for us, but that is for our own swarm to mend.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    scene.handle.stop().await;
    let asked = tracker.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let left = |line: &String| {
        line.split("left=").nth(1).and_then(|rest| rest.split(['&', ' ']).next()?.parse().ok())
    };
    assert_eq!(
        asked.iter().filter_map(left).collect::<Vec<u64>>(),
        [1, 65_537, 0, 0],
        "what is here is not known at first"
    );
    assert_eq!(tracker.events(), ["started", "interval", "interval", "stopped"]);
}
