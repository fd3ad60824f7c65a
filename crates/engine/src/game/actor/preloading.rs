//! What the game does by itself before an hour and at it: preloads in the background, asks for the key, unlocks.

use super::{Actor, Reply};
use crate::game::{error::GameError, jobs::Kind};
use crate::snapshot::{Preload, PreloadState};
use chrono::Utc;
use std::time::Instant;

impl Actor {
    /// Starts what is due. Nothing is done while a job runs, nor with the folder while the game does.
    pub(super) async fn preload_by_itself(&mut self) {
        if !self.config.preload || self.job.is_some() || self.folder.is_none() && self.installed.is_some() {
            return;
        }
        let Some(offer) = &self.offer else { return };
        let (Some(offered), Some(preload)) = (&offer.upcoming, &offer.preload) else { return };
        let (left, now) = (offered.seconds_left(Utc::now()), Instant::now());
        if preload.state == PreloadState::Preloaded {
            if self.running.is_none() && self.hour.may_ask(left, now) {
                self.start_job(Kind::Unlock, None).await;
            }
        } else if self.installed.is_some() && self.hour.may_try(now) {
            // The job opens the same files as those who pass them on.
            if let Some(seeds) = self.standing.as_mut().and_then(|standing| standing.patches.take()) {
                self.uploaded_before += seeds.stop().await;
            }
            self.spawn_job(Kind::Preload, true, None);
        }
    }

    /// Remembers how it went, so that the next try comes later.
    pub(super) fn preload_ended(&mut self, kind: Kind, result: &Result<(), GameError>) {
        let retry_after = self
            .offer
            .as_ref()
            .and_then(|offer| offer.upcoming.as_ref())
            .and_then(|found| found.retry_after());
        match (kind, result) {
            (Kind::Preload | Kind::Unlock, Ok(())) => self.hour.succeeded(),
            (Kind::Preload | Kind::Unlock, Err(error)) if !matches!(error, GameError::Cancelled) => {
                self.hour.failed(retry_after, Instant::now());
            }
            _ => {}
        }
    }

    /// A player who wants to play does not wait for what goes on in the background.
    pub(super) fn play_after_the_job(&mut self, reply: Option<Reply>) -> Option<Option<Reply>> {
        match self.job.as_ref().filter(|job| job.quiet && self.folder.is_none() && self.running.is_none()) {
            Some(job) => {
                job.control.cancel();
                self.play_next = Some(reply);
                None
            }
            None => Some(reply),
        }
    }

    /// What is preloaded, as it is now.
    pub(super) fn view_preload(&self) -> Option<Preload> {
        let offer = self.offer.as_ref()?;
        let mut preload = offer.preload.clone()?;
        let due = offer.upcoming.as_ref().is_some_and(|found| found.seconds_left(Utc::now()) == 0);
        if preload.state == PreloadState::Preloaded && due {
            preload.state = PreloadState::Waiting;
        }
        let Some(job) = &self.job else { return Some(preload) };
        match job.kind {
            Kind::Preload => {
                let held = job.control.pause.borrow().is_some();
                preload.state = if held { PreloadState::Held } else { PreloadState::Preloading };
                if let Some(status) = job.control.status() {
                    preload.have_bytes = status.stats.bytes_have.min(preload.bytes);
                }
            }
            Kind::Unlock => preload.state = PreloadState::Unlocking,
            _ => {}
        }
        Some(preload)
    }
}
