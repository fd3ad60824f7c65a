//! The game's process: started, followed, ended; transfers rest meanwhile.

use super::{Actor, Happened, Reply, Running, answer, folder_failure};
use crate::game::{
    Outcome,
    error::GameError,
    jobs::{self, Kind},
    launch::{self, Program},
    view,
};
use crate::snapshot::{Failure, LastExit, PauseReason, Phase};
use std::{sync::Arc, time::Instant};
use store::StoreError;
use tokio::sync::Notify;

impl Actor {
    pub(super) async fn play(&mut self, reply: Option<Reply>) {
        let Some(reply) = self.play_after_the_job(reply) else { return };
        if let Some(failure) = self.folder_that_is_not_there() {
            return answer(reply, Err(failure));
        }
        match self.start_game().await {
            Ok((stop, since)) => {
                self.running = Some(Running { since, stop, reply });
                self.govern().await;
            }
            Err(error) => {
                // A game that runs already is no failure of the one that runs.
                if !matches!(error, GameError::Running | GameError::Busy) {
                    self.failure = Some((Kind::Check, view::failure_phase(&error)));
                }
                answer(reply, Err(Failure::from(&error)));
            }
        }
    }

    /// Why there is no folder to play in; one in which another program works may be played in all the same.
    fn folder_that_is_not_there(&self) -> Option<Failure> {
        if self.folder.is_some() || self.job.is_some() {
            return None;
        }
        let (_, phase) = self.failure.as_ref()?;
        (!matches!(phase, Phase::Blocked { .. })).then(|| folder_failure(phase))
    }

    async fn start_game(&mut self) -> Result<(Arc<Notify>, Instant), GameError> {
        if self.running.is_some() {
            return Err(GameError::Running);
        }
        if let Some(job) = self.job.as_ref().filter(|job| job.kind == Kind::Check) {
            // The check lets go of the folder at once; the player goes first.
            job.control.cancel();
        }
        let program = match self.folder.take() {
            Some(folder) => {
                let manifest = self.installed.clone();
                let (folder, program) = jobs::blocking(move || {
                    let program =
                        manifest.ok_or(GameError::NotInstalled).and_then(|m| launch::program(&folder, &m));
                    (folder, program)
                })
                .await?;
                self.folder = Some(folder);
                program?
            }
            None => self.program_from_outside().await?,
        };
        let mut child = launch::start(&program)?;
        let (stop, happened) = (Arc::new(Notify::new()), self.happened.clone());
        let stopped = Arc::clone(&stop);
        tokio::spawn(async move {
            let exit = tokio::select! {
                exit = child.wait() => exit,
                () = stopped.notified() => {
                    if let Err(error) = child.start_kill() {
                        tracing::warn!(%error, "the game could not be ended");
                    }
                    child.wait().await
                }
            };
            let code = exit.ok().and_then(|status| status.code());
            let _ = happened.send(Happened::GameExited { code });
        });
        Ok((stop, Instant::now()))
    }

    /// The program, where a job of ours or of another process works in the folder.
    async fn program_from_outside(&self) -> Result<Program, GameError> {
        let dir = self.config.dir.clone();
        if self.only_to_play.is_some() {
            return jobs::blocking(move || launch::program_without_the_lock(&dir)).await?;
        }
        let ours = self.job.as_ref().map(|job| job.control.parts.are_coming());
        let theirs = matches!(self.failure, Some((_, Phase::Blocked { .. })));
        match ours {
            Some(false) => return Err(GameError::Busy),
            None if !theirs => return Err(GameError::NotInstalled),
            _ => {}
        }
        let found = jobs::blocking(move || launch::program_while_the_rest_comes(&dir)).await?;
        found.map_err(|error| match error {
            // It is whole, so the other program does something else with it.
            GameError::Busy if theirs => {
                GameError::Store(StoreError::Locked { path: self.config.dir.clone() })
            }
            error => error,
        })
    }

    pub(super) async fn game_exited(&mut self, code: Option<i32>) {
        let Some(running) = self.running.take() else { return };
        let seconds = running.since.elapsed();
        self.last_exit = Some(LastExit { code, seconds: seconds.as_secs() });
        self.govern().await;
        self.look_at_files();
        let release = self.installed.as_ref().map(|manifest| manifest.version.to_string());
        let outcome =
            Outcome { release, exit_code: code, seconds: seconds.as_secs_f64(), ..Outcome::default() };
        answer(running.reply, Ok(outcome));
    }

    /// A transfer that runs is held while the game does, and goes on afterwards. The rest of a game that runs already is not:
    /// the game waits for it.
    pub(super) fn hold_for_game(&self) {
        let Some(job) = &self.job else { return };
        let hold = self.decision.hold;
        job.control.pause.send_if_modified(|pause| match (*pause, hold) {
            (None, true) => pause.replace(PauseReason::Game).is_none(),
            (Some(PauseReason::Game), false) => pause.take().is_some(),
            _ => false,
        });
    }
}
