//! What a running job shares with the actor: how far it is, whether it should stop or hold.

use super::parts::Parts;
use crate::session::{Exchange, TorrentHandle, TorrentStatus};
use crate::snapshot::{BySource, PauseReason, Progress};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Which part of a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Checking,
    Verifying,
    Preparing,
    Downloading,
    Unlocking,
    Applying,
}

/// The scale of a download's bar, of which a torrent is a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scale {
    /// Bytes in all, those already here included.
    pub(crate) total: u64,
    /// Bytes of them that come after this torrent.
    pub(crate) after: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Control {
    /// For blocking work.
    pub(crate) cancel: AtomicBool,
    /// For waiting work.
    pub(crate) cancelled: CancellationToken,
    /// Why the transfer is held, if it is.
    pub(crate) pause: watch::Sender<Option<PauseReason>>,
    /// Whether peers are served meanwhile.
    pub(crate) upload: watch::Sender<bool>,
    /// Whom the transfer exchanges with.
    pub(crate) exchange: watch::Sender<Exchange>,
    pub(crate) started: Instant,
    pub(crate) metadata_bytes: AtomicU64,
    /// How far each set of files is, where they are put in place one after the other.
    pub(crate) parts: Parts,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    step: Step,
    progress: Progress,
    /// Smoothed bytes per second of hashing, and what it was computed from.
    pace: Option<(Instant, u64, f64)>,
    torrent: Option<TorrentHandle>,
    scale: Scale,
    /// Counts of torrents of this job that ended.
    past: BySource,
    past_uploaded: u64,
}

impl Control {
    pub(crate) fn new(upload: bool, exchange: Exchange) -> Self {
        Self {
            cancel: AtomicBool::new(false),
            cancelled: CancellationToken::new(),
            pause: watch::Sender::new(None),
            upload: watch::Sender::new(upload),
            exchange: watch::Sender::new(exchange),
            started: Instant::now(),
            metadata_bytes: AtomicU64::new(0),
            parts: Parts::default(),
            inner: Mutex::new(Inner {
                step: Step::Checking,
                progress: Progress::default(),
                pace: None,
                torrent: None,
                scale: Scale::default(),
                past: BySource::default(),
                past_uploaded: 0,
            }),
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.cancelled.cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    pub(crate) fn enter(&self, step: Step) {
        let mut inner = self.lock();
        (inner.step, inner.progress, inner.pace) = (step, Progress::default(), None);
    }

    pub(crate) fn step(&self) -> Step {
        self.lock().step
    }

    /// Takes over progress of the store's work.
    pub(crate) fn hashed(&self, store: store::Progress) {
        let mut inner = self.lock();
        let now = Instant::now();
        let pace = match inner.pace {
            None => (now, store.bytes_done, 0.0),
            Some((at, bytes, rate)) => {
                let elapsed = now.duration_since(at).as_secs_f64();
                if elapsed < 0.5 {
                    (at, bytes, rate)
                } else {
                    let sample = store.bytes_done.saturating_sub(bytes) as f64 / elapsed;
                    (
                        now,
                        store.bytes_done,
                        if rate == 0.0 { sample } else { rate.mul_add(0.7, sample * 0.3) },
                    )
                }
            }
        };
        inner.pace = Some(pace);
        let before = inner.progress.percent;
        inner.progress = progress(store.bytes_done, store.bytes_total, pace.2 as u64, before);
        inner.progress.files_done = u32::try_from(store.files_done).unwrap_or(u32::MAX);
        inner.progress.files_total = u32::try_from(store.files_total).unwrap_or(u32::MAX);
    }

    /// A torrent of this job begins; what is missing of it lies on this scale.
    pub(crate) fn fetching(&self, torrent: TorrentHandle, scale: Scale) {
        let mut inner = self.lock();
        (inner.torrent, inner.scale) = (Some(torrent), scale);
    }

    /// The torrent ended; its counts stay.
    pub(crate) fn fetched(&self) {
        let mut inner = self.lock();
        if let Some(torrent) = inner.torrent.take() {
            let status = torrent.status();
            let (down, up) = counts(&status.borrow());
            inner.past.origin += down.origin;
            inner.past.players += down.players;
            inner.past.lan += down.lan;
            inner.past_uploaded += up;
        }
    }

    /// The hold on the torrent that runs, if one does.
    pub(crate) fn torrent(&self) -> Option<TorrentHandle> {
        self.lock().torrent.clone()
    }

    /// How the torrent that runs is doing, if one does.
    pub(crate) fn status(&self) -> Option<TorrentStatus> {
        self.lock().torrent.as_ref().map(|torrent| torrent.status().borrow().clone())
    }

    /// Bytes of this job: downloaded by source, and uploaded.
    pub(crate) fn counts(&self) -> (BySource, u64) {
        let status = self.status();
        let inner = self.lock();
        let (now, up) = status.as_ref().map(counts).unwrap_or_default();
        let metadata = self.metadata_bytes.load(Ordering::Relaxed);
        let down = BySource {
            origin: inner.past.origin + now.origin + metadata,
            players: inner.past.players + now.players,
            lan: inner.past.lan + now.lan,
        };
        (down, inner.past_uploaded + up)
    }

    /// How far the step is. The percentage of a step never falls.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let status = self.status();
        let mut inner = self.lock();
        if inner.step != Step::Downloading {
            return (inner.progress.total_bytes > 0).then_some(inner.progress);
        }
        let status = status?;
        let missing = status.stats.bytes_total - status.stats.bytes_have;
        let left = missing + inner.scale.after;
        let total = inner.scale.total.max(left);
        let rate = status.stats.content_rate;
        let before = inner.progress.percent;
        inner.progress = progress(total - left, total, rate, before);
        Some(inner.progress)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came and went over a torrent. The origin's bytes are counted as they travelled.
fn counts(status: &TorrentStatus) -> (BySource, u64) {
    let stats = &status.stats;
    let down = BySource {
        origin: status.origin_wire_bytes,
        players: stats.downloaded.players,
        lan: stats.downloaded.lan,
    };
    (down, stats.uploaded.total())
}

/// Percent is floored and never falls below `before`; the time left is said only when there is a pace.
fn progress(done: u64, total: u64, rate: u64, before: u8) -> Progress {
    let done = done.min(total);
    let percent = if total == 0 { 0 } else { (u128::from(done) * 100 / u128::from(total)) as u8 };
    let left = total - done;
    let eta = (rate > 0 && left > 0).then(|| left.div_ceil(rate)).filter(|seconds| *seconds < 48 * 3600);
    Progress {
        done_bytes: done,
        total_bytes: total,
        files_done: 0,
        files_total: 0,
        percent: percent.max(before).min(100),
        rate_bytes_per_second: rate,
        eta_seconds: eta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_floors_and_never_falls_and_nonsense_is_not_said() {
        assert_eq!(progress(999, 1000, 1, 0).percent, 99);
        assert_eq!(progress(1000, 1000, 1, 0).percent, 100);
        assert_eq!(progress(10, 1000, 1, 40).percent, 40);
        assert_eq!(progress(0, 0, 0, 0).percent, 0);
        assert_eq!(progress(2000, 1000, 1, 0).percent, 100);
        assert_eq!(progress(0, u64::MAX, 1, 0).eta_seconds, None);
        assert_eq!(progress(0, 100, 0, 0).eta_seconds, None);
        assert_eq!(progress(0, 100, 30, 0).eta_seconds, Some(4));
    }
}
