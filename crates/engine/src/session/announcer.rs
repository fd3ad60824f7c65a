//! One torrent's announces: one tracker at a time in the order of its tiers (BEP 12), started, at intervals, completed,
//! stopped.
//!
//! A tracker that failed rests for a while that doubles. Somebody without a useful peer asks again sooner, as often as
//! the tracker allows. Who has nobody departs from BEP 12 in that one answer does not end the round: a tracker that
//! answers nonsense, or knows nobody, keeps nobody from those that do.

use super::{
    handle::{TorrentStatus, TrackerStatus},
    happening::{Announced, Happening},
    tiers::Tiers,
    tracker::{Announce, AnnounceEvent, Answer, TrackerError, Trackers},
};
use release::{hash::Hash32, layout::Layout};
use std::{future::pending, pin::pin, sync::Arc, time::Duration};
use swarm::{Bitfield, Via, alias::Alias};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use url::Url;

/// First wait after a failure; doubled up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Somebody without a useful peer asks again this soon where the tracker allows it in so many words…
const STARVING_MIN: Duration = Duration::from_secs(5);
/// … and this soon, then twice as late each time, where it says nothing.
const STARVING_UNASKED: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(1500);

/// What an announcer needs to know.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) trackers: Arc<Trackers>,
    pub(super) tiers: Vec<Vec<Url>>,
    pub(super) infohash: Hash32,
    pub(super) of: Of,
    pub(super) peer_id: [u8; 20],
    pub(super) key: u32,
    /// The port that peers reach us at.
    pub(super) port: watch::Receiver<u16>,
    pub(super) status: watch::Receiver<TorrentStatus>,
    pub(super) done: mpsc::UnboundedSender<Happening>,
}

/// Whose infohash is announced.
#[derive(Debug)]
pub(super) enum Of {
    /// The torrent's own.
    Ours,
    /// That of another release, whose players are met for what both have: at the start and at intervals only, and
    /// nothing is left when nothing of what both have is.
    Other {
        via: Via,
        alias: Arc<Alias>,
        /// Ours.
        layout: Arc<Layout>,
    },
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

/// Starts announcing, and says which trackers there are.
pub(super) fn start(mut task: Task) -> (Handle, Vec<TrackerStatus>) {
    let (tiers, urls) = Tiers::new(std::mem::take(&mut task.tiers), &mut fastrand::Rng::new());
    let unasked = |url: &Url| TrackerStatus { url: url.to_string(), ok: true, ..TrackerStatus::default() };
    let statuses = urls.iter().map(unasked).collect();
    let row = |url| Row { url, greeted: false, failures: 0, not_before: None, free_at: None };
    let rows = urls.into_iter().map(row);
    let announcer = Announcer { task, tiers, rows: rows.collect(), completed: false, last: None, starved: 0 };
    let (orders, receiver) = mpsc::unbounded_channel();
    tokio::spawn(announcer.run(receiver));
    (Handle(orders), statuses)
}

/// A tracker.
#[derive(Debug)]
struct Row {
    url: Url,
    /// It knows of us: it hears a goodbye.
    greeted: bool,
    failures: u32,
    /// It failed and rests so long.
    not_before: Option<Instant>,
    /// It answered, and may be asked for want of peers from then on.
    free_at: Option<Instant>,
}

/// The last answer.
#[derive(Debug)]
struct Last {
    at: Instant,
    interval: Duration,
    interval_min: Option<Duration>,
    port: u16,
}

#[derive(Debug)]
struct Announcer {
    task: Task,
    tiers: Tiers,
    rows: Vec<Row>,
    /// That it is complete is still to be said.
    completed: bool,
    last: Option<Last>,
    /// How often in a row it was asked for want of peers.
    starved: u32,
}

impl Announcer {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            let order = tokio::select! {
                biased;
                order = orders.recv() => Some(order),
                () = self.due() => self.ask_unless(&mut orders).await,
            };
            match order {
                Some(Some(Order::Completed)) => self.completed = true,
                Some(Some(Order::Stop(stopped))) => {
                    self.goodbye().await;
                    let _ = stopped.send(());
                    return;
                }
                Some(None) => return,
                None => {}
            }
        }
    }

    /// Asks, unless it is to stop; then that order is the answer.
    async fn ask_unless(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) -> Option<Option<Order>> {
        let mut completed = false;
        let order = {
            let mut asking = pin!(self.ask());
            loop {
                tokio::select! {
                    () = &mut asking => break None,
                    order = orders.recv() => match order {
                        Some(Order::Completed) => completed = true,
                        order => break Some(order),
                    },
                }
            }
        };
        self.completed |= completed;
        order
    }

    /// One round: tracker after tracker until one answers; for want of peers, and for who has all and nobody to give it
    /// to, until one knows somebody; and when that did not help who wants peers, all of them.
    async fn ask(&mut self) {
        let starving = self.task.is_starving();
        let alone = self.task.is_alone();
        let again = starving && self.last.is_some() && !self.completed;
        self.starved = if again { self.starved + 1 } else { 0 };
        let order: Vec<usize> = self.tiers.order().collect();
        for index in order {
            let now = Instant::now();
            let row = &self.rows[index];
            let later = |at: Option<Instant>| at.is_some_and(|at| at > now);
            if later(row.not_before) || (again && later(row.free_at)) {
                continue;
            }
            let port = *self.task.port.borrow();
            let event = self.event_for(index);
            let outcome = self.task.announce(&row.url, event, port).await;
            let knows_somebody = outcome.as_ref().ok().map(|answer| !answer.peers.is_empty());
            self.note(index, port, &outcome);
            let announced = self.task.announced(index, &self.rows[index].url, outcome);
            // Nobody listens when the torrent has ended; its orders end as well then.
            let _ = self.task.done.send(Happening::Announced(announced));
            match knows_somebody {
                Some(_) if !starving && !alone => return,
                Some(true) if !again => return,
                _ => {}
            }
        }
    }

    /// Until the next announce is due: by the interval, or sooner for want of peers or because of news.
    async fn due(&mut self) {
        loop {
            let at = self.due_at();
            let wait = async {
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = wait => return,
                // An error means that the torrent ends; orders say so too.
                Ok(()) = self.task.status.changed() => {}
                Ok(()) = self.task.port.changed() => {}
            }
        }
    }

    fn due_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let resting = |row: &Row| row.not_before.filter(|at| *at > now);
        // Whatever is due, somebody has to be there to be asked.
        let free = self.rows.iter().any(|row| resting(row).is_none());
        let somebody = if free { now } else { self.rows.iter().filter_map(resting).min()? };
        let Some(last) = &self.last else { return Some(somebody) };
        let starving = self.task.is_starving();
        let news = self.completed || last.port != *self.task.port.borrow();
        let wait = match (news, starving) {
            (true, _) => Duration::ZERO,
            (false, true) => starving_wait(last.interval, last.interval_min, self.starved),
            (false, false) => last.interval,
        };
        Some((last.at + wait).max(somebody))
    }

    fn event_for(&self, index: usize) -> AnnounceEvent {
        match (self.rows[index].greeted, self.completed) {
            (false, _) => AnnounceEvent::Started,
            (true, true) => AnnounceEvent::Completed,
            (true, false) => AnnounceEvent::Interval,
        }
    }

    fn note(&mut self, index: usize, port: u16, outcome: &Result<Answer, TrackerError>) {
        let row = &mut self.rows[index];
        match outcome {
            Ok(answer) => {
                (row.greeted, row.failures, row.not_before) = (true, 0, None);
                let Answer { interval, interval_min, .. } = *answer;
                let at = Instant::now();
                row.free_at = Some(at + starving_wait(interval, interval_min, self.starved));
                self.last = Some(Last { at, interval, interval_min, port });
                // To a tracker that did not know of us, having become complete is no news.
                self.completed = false;
                self.tiers.answered(index);
            }
            Err(_) => {
                row.failures += 1;
                let rest = RETRY_FIRST.saturating_mul(1 << (row.failures - 1).min(10)).min(RETRY_MAX);
                row.not_before = Some(Instant::now() + rest);
            }
        }
    }

    /// Tells every tracker that knows of us.
    async fn goodbye(&self) {
        let port = *self.task.port.borrow();
        let greeted = self.rows.iter().filter(|row| row.greeted);
        let goodbyes = greeted.map(|row| self.task.announce(&row.url, AnnounceEvent::Stopped, port));
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, futures_util::future::join_all(goodbyes)).await;
    }
}

/// After how long somebody without a useful peer asks again, the `again`-th time in a row.
fn starving_wait(interval: Duration, interval_min: Option<Duration>, again: u32) -> Duration {
    let wait = match interval_min {
        Some(allowed) => allowed.max(STARVING_MIN),
        None => STARVING_UNASKED.saturating_mul(1 << again.min(10)),
    };
    wait.min(interval)
}

impl Task {
    async fn announce(&self, url: &Url, event: AnnounceEvent, port: u16) -> Result<Answer, TrackerError> {
        let say = {
            let status = self.status.borrow();
            let stats = &status.stats;
            let (uploaded, downloaded) = match self.of {
                Of::Ours => (stats.uploaded.total(), stats.downloaded.total()),
                // They are counted once, under our own torrent.
                Of::Other { .. } => (0, 0),
            };
            let (infohash, peer_id, key) = (self.infohash, self.peer_id, self.key);
            Announce { infohash, peer_id, port, key, uploaded, downloaded, left: self.left(&status), event }
        };
        self.trackers.announce(url, &say).await
    }

    /// Bytes that are still to come. Before the first status nothing is known; one byte says "not complete".
    fn left(&self, status: &TorrentStatus) -> u64 {
        let stats = &status.stats;
        match &self.of {
            _ if stats.pieces_total == 0 => 1,
            Of::Ours => stats.bytes_total - stats.bytes_have,
            Of::Other { alias, layout, .. } => {
                let Some(have) = Bitfield::from_bytes(&status.have, layout.piece_count()) else { return 1 };
                let missing = alias.shared_ours().filter(|piece| !have.get(*piece));
                missing.map(|piece| u64::from(layout.piece_bytes(piece))).sum()
            }
        }
    }

    /// Something is missing and nobody we are connected to has any of it.
    fn is_starving(&self) -> bool {
        if matches!(self.of, Of::Other { .. }) {
            return false;
        }
        let status = self.status.borrow();
        let missing = status.stats.pieces_have < status.stats.pieces_total;
        missing && !status.stats.peers.iter().any(|peer| peer.interests_us)
    }

    /// Nobody is connected.
    fn is_alone(&self) -> bool {
        self.status.borrow().stats.peers.is_empty()
    }

    fn announced(&self, index: usize, url: &Url, outcome: Result<Answer, TrackerError>) -> Announced {
        let url = url.to_string();
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
        let via = match self.of {
            Of::Ours => Via::OWN,
            Of::Other { via, .. } => via,
        };
        Announced { via, index, status, peers }
    }
}

#[cfg(test)]
mod tests;
