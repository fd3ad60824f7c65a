//! The processes of a game that was started: from the first to the last that it left, through a launcher that ends and comes back.
//!
//! A run has an id that travels in the environment, [`MARKER`]: whatever the game starts inherits it, so a program that only starts
//! another and ends is no end, and a process number that the system gave to somebody else is not taken for the game. While the
//! program that we started lives, nothing is looked at; its children are looked for when it has ended.
//!
//! What cannot be followed is a game that some service starts on request, in an environment of its own.

mod family;
mod output;
mod record;

pub(crate) use output::Words;
pub(crate) use record::{Place, Record};

use super::jobs::blocking;
use family::Family;
use std::{process::ExitStatus, sync::Arc, time::Duration};
use tokio::{
    process::Child,
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior},
};

/// The variable in which a game's processes carry the id of their run.
pub(crate) const MARKER: &str = "MUSTER_RUN";
/// How often it is looked whether anything is left.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A process may start another and end while the list is read: only two empty looks are an end.
const LOOKS_EMPTY: u32 = 2;
/// The time between those two.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often the game's words are kept within their bound.
const TRIM_INTERVAL: Duration = Duration::from_secs(1);
/// What lives on for less than this after the program that we started was only its last breath: that program's end is the game's.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct End {
    /// Its exit code, where the program that we started was the game.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, likewise.
    pub(crate) signal: Option<i32>,
}

/// One game that runs, as it is followed.
pub(crate) struct Following {
    record: Record,
    family: Option<Family>,
    kill: Arc<Notify>,
    left: watch::Sender<Vec<String>>,
    words: Option<Words>,
}

impl Following {
    /// `kill` ends every process of it; `left` is told what still runs when the program that was started does not.
    pub(crate) fn new(
        record: Record,
        kill: Arc<Notify>,
        left: watch::Sender<Vec<String>>,
        words: Option<Words>,
    ) -> Self {
        Self { record, family: None, kill, left, words }
    }

    /// Until the program that we started has ended and all that it left.
    pub(crate) async fn child(mut self, mut child: Child) -> End {
        let mut trim = tokio::time::interval(TRIM_INTERVAL);
        trim.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.ok(),
                () = self.kill.notified() => self.end_all().await,
                _ = trim.tick() => self.trim(),
            }
        };
        let ended = Instant::now();
        self.rest().await;
        match status {
            Some(status) if ended.elapsed() < LAST_BREATH => End::of(status),
            _ => End::default(),
        }
    }

    /// Until nothing is left of a game that an earlier launcher started.
    pub(crate) async fn found(mut self) -> End {
        self.rest().await;
        End::default()
    }

    async fn rest(&mut self) {
        let mut empty = 0;
        loop {
            let left = self.look().await;
            self.trim();
            empty = if left.is_empty() { empty + 1 } else { 0 };
            if empty == LOOKS_EMPTY {
                return;
            }
            let wait = if left.is_empty() { LOOK_AGAIN } else { LOOK_INTERVAL };
            if !left.is_empty() {
                self.left.send_if_modified(|told| *told != left && std::mem::replace(told, left) != *told);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.kill.notified() => self.end_all().await,
            }
        }
    }

    /// What runs of it, by name and number.
    async fn look(&mut self) -> Vec<String> {
        self.with_family(Family::look).await.unwrap_or_default()
    }

    async fn end_all(&mut self) {
        self.with_family(Family::end).await;
    }

    async fn with_family<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Family) -> T + Send + 'static,
    ) -> Option<T> {
        let family = self.family.take();
        let record = self.record.clone();
        let worked = blocking(move || {
            let mut family = match family {
                Some(family) => family,
                None => Family::of(&record)?,
            };
            let result = work(&mut family);
            Some((family, result))
        });
        let (family, result) = worked.await.ok().flatten()?;
        self.family = Some(family);
        Some(result)
    }

    fn trim(&mut self) {
        if let Some(words) = &self.words
            && let Err(error) = words.trim()
        {
            tracing::warn!(%error, "the game's output cannot be kept short");
        }
    }
}

impl End {
    fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        #[cfg(not(unix))]
        let signal = None;
        Self { code: status.code(), signal }
    }
}

/// Whether anything of this run is alive now.
pub(crate) fn is_alive(record: &Record) -> bool {
    Family::of(record).is_some_and(|mut family| !family.look().is_empty())
}
