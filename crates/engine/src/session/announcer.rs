//! One tracker's announces for one torrent: started, at intervals, completed, stopped.

use super::{
    handle::{TorrentStatus, TrackerStatus},
    happening::{Announced, Happening},
    tracker::{self, Announce, AnnounceEvent, Answer, TrackerError},
};
use release::hash::Hash32;
use reqwest::Client;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

/// First wait after a failure; doubled up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Somebody without any peer asks again this soon, whatever the interval is.
const STARVING_INTERVAL: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(1500);

/// What an announcer needs to know.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) index: usize,
    pub(super) infohash: Hash32,
    pub(super) peer_id: [u8; 20],
    pub(super) port: u16,
    pub(super) status: watch::Receiver<TorrentStatus>,
    pub(super) done: mpsc::UnboundedSender<Happening>,
}

enum Order {
    Completed,
    Stop(oneshot::Sender<()>),
}

/// The actor's hold on an announcer.
#[derive(Debug)]
pub(super) struct Handle(mpsc::UnboundedSender<Order>);

impl Handle {
    /// The torrent is complete now.
    pub(super) fn completed(&self) {
        let _ = self.0.send(Order::Completed);
    }

    /// Says goodbye, for a bounded time.
    pub(super) async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        if self.0.send(Order::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }
}

pub(super) fn start(task: Task) -> Handle {
    let (orders, receiver) = mpsc::unbounded_channel();
    tokio::spawn(run(task, receiver));
    Handle(orders)
}

async fn run(task: Task, mut orders: mpsc::UnboundedReceiver<Order>) {
    let (mut event, mut failures, mut greeted) = (AnnounceEvent::Started, 0_u32, false);
    loop {
        let outcome = task.announce(event).await;
        let wait = match &outcome {
            Ok(answer) => {
                (greeted, failures) = (true, 0);
                task.wait_after(answer)
            }
            Err(_) => {
                failures += 1;
                RETRY_FIRST.saturating_mul(1 << (failures - 1).min(10)).min(RETRY_MAX)
            }
        };
        if task.done.send(Happening::Announced(task.announced(outcome))).is_err() {
            return;
        }
        event = if greeted { AnnounceEvent::Interval } else { AnnounceEvent::Started };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            order = orders.recv() => match order {
                Some(Order::Completed) => event = AnnounceEvent::Completed,
                Some(Order::Stop(stopped)) => {
                    if greeted {
                        let goodbye = task.announce(AnnounceEvent::Stopped);
                        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await;
                    }
                    let _ = stopped.send(());
                    return;
                }
                None => return,
            },
        }
    }
}

impl Task {
    async fn announce(&self, event: AnnounceEvent) -> Result<Answer, TrackerError> {
        let say = {
            let status = self.status.borrow();
            let stats = &status.stats;
            Announce {
                infohash: self.infohash,
                peer_id: self.peer_id,
                port: self.port,
                uploaded: stats.uploaded.total(),
                downloaded: stats.downloaded.total(),
                // Before the first status nothing is known; one byte says "not complete".
                left: if stats.pieces_total == 0 { 1 } else { stats.bytes_total - stats.bytes_have },
                event,
            }
        };
        tracker::announce(&self.client, &self.url, &say).await
    }

    fn wait_after(&self, answer: &Answer) -> Duration {
        let status = self.status.borrow();
        let missing = status.stats.pieces_have < status.stats.pieces_total;
        if missing && status.stats.peers.is_empty() {
            answer.interval.min(STARVING_INTERVAL)
        } else {
            answer.interval
        }
    }

    fn announced(&self, outcome: Result<Answer, TrackerError>) -> Announced {
        let url = self.url.to_string();
        let (status, peers) = match outcome {
            Ok(answer) => {
                let Answer { peers, seeders, leechers, .. } = answer;
                (TrackerStatus { url, ok: true, detail: String::new(), seeders, leechers }, peers)
            }
            Err(error) => {
                tracing::debug!(%error, tracker = %url, "announce");
                let detail = error.to_string();
                (TrackerStatus { url, ok: false, detail, ..TrackerStatus::default() }, Vec::new())
            }
        };
        Announced { index: self.index, status, peers }
    }
}
