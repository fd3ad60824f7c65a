//! The game's process: started, followed, ended; transfers rest meanwhile.

use super::{Actor, Happened, Reply, answer, folder_failure};
use crate::game::{
    Outcome,
    error::GameError,
    jobs::{self, Kind},
    launch::{self, Program},
    play::Output,
    running::{self, End, Following, Place, Record},
    view,
};
use crate::snapshot::{Failure, LastExit, Phase};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::StoreError;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// Whoever ends badly within this time did not come up.
const CRASH_WITHIN: Duration = Duration::from_secs(30);

/// The game as it runs.
pub(super) struct Running {
    run: String,
    since: Instant,
    /// How long it ran before this launcher came.
    before: Duration,
    kill: Arc<Notify>,
    /// The player asked for its end.
    asked_to_end: bool,
    /// What still runs beside the program that was started.
    pub(super) still: watch::Receiver<Vec<String>>,
    place: Place,
    reply: Option<Reply>,
    /// Follows it until this is dropped; the game lives on then.
    _following: AbortOnDropHandle<()>,
}

impl Running {
    pub(super) fn age(&self) -> Duration {
        self.before + self.since.elapsed()
    }
}

impl Actor {
    pub(super) async fn play(&mut self, reply: Option<Reply>) {
        let Some(reply) = self.play_after_the_job(reply) else { return };
        if let Some(failure) = self.folder_that_is_not_there() {
            return answer(reply, Err(failure));
        }
        match self.start_game().await {
            Ok(running) => {
                (self.running, self.last_exit) = (Some(Running { reply, ..running }), None);
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

    async fn start_game(&mut self) -> Result<Running, GameError> {
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
        self.start_program(program).await
    }

    async fn start_program(&self, mut program: Program) -> Result<Running, GameError> {
        program.arguments.extend(self.play_with.arguments.iter().cloned());
        let place = Place::of(&self.config.state_dir, &self.config.dir);
        let run = hex::encode(fastrand::u128(..).to_be_bytes());
        let words = (self.play_with.output == Output::Kept).then(|| place.words()).transpose();
        // A game without a file for its words is a game all the same.
        let words = words.unwrap_or_else(|error| {
            tracing::warn!(%error, "what the game says is not kept");
            None
        });
        let child = launch::start(&program, &run, words.as_ref())?;
        let (pid, kept) = (child.id().unwrap_or_default(), place.clone());
        let record = jobs::blocking(move || {
            let record = Record::now(run, pid);
            if let Err(error) = kept.remember(&record) {
                tracing::warn!(%error, "another launcher will not know that the game runs");
            }
            record
        })
        .await?;
        let run = record.run.clone();
        Ok(self.follow(run, Duration::ZERO, place, |kill, still| {
            let following = Following::new(record, kill, still, words);
            async move { following.child(child).await }
        }))
    }

    /// A game that an earlier launcher started, and that still runs.
    pub(super) async fn find_running(&mut self) {
        let place = Place::of(&self.config.state_dir, &self.config.dir);
        let look = place.clone();
        let found = jobs::blocking(move || {
            let record = look.record()?;
            let alive = running::is_alive(&record);
            if !alive {
                look.forget();
            }
            alive.then(|| (record, look.words_of_running()))
        });
        let Ok(Some((record, words))) = found.await else { return };
        tracing::info!(pid = record.pid, "the game runs already");
        let (run, age) = (record.run.clone(), record.age());
        self.running = Some(self.follow(run, age, place, |kill, still| {
            let following = Following::new(record, kill, still, words);
            async move { following.found().await }
        }));
        self.govern().await;
    }

    fn follow<F: Future<Output = End> + Send + 'static>(
        &self,
        run: String,
        before: Duration,
        place: Place,
        followed: impl FnOnce(Arc<Notify>, watch::Sender<Vec<String>>) -> F,
    ) -> Running {
        let (kill, (left, still)) = (Arc::new(Notify::new()), watch::channel(Vec::new()));
        let (end, happened, told) = (followed(Arc::clone(&kill), left), self.happened.clone(), run.clone());
        let following = tokio::spawn(async move {
            let end = end.await;
            let _ = happened.send(Happened::GameExited { run: told, end });
        });
        let _following = AbortOnDropHandle::new(following);
        let since = Instant::now();
        Running { run, since, before, kill, asked_to_end: false, still, place, reply: None, _following }
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

    pub(super) fn stop_game(&mut self, reply: Option<Reply>) {
        if let Some(running) = &mut self.running {
            running.asked_to_end = true;
            running.kill.notify_one();
        }
        answer(reply, Ok(Outcome::default()));
    }

    /// The player knows better: what still runs is none of the game's, and is left alone.
    pub(super) async fn not_running(&mut self, reply: Option<Reply>) {
        if let Some(running) = self.running.take() {
            tracing::info!(still = ?running.still.borrow(), "the player says that the game does not run");
            self.ended(running, End::default()).await;
        }
        answer(reply, Ok(Outcome::default()));
    }

    pub(super) async fn game_exited(&mut self, run: &str, end: End) {
        let Some(running) = self.running.take_if(|running| running.run == run) else { return };
        let kept = self.play_with.output == Output::Kept;
        let words = if kept { running.place.last_words() } else { Vec::new() };
        let exit = how_it_ended(end, running.age(), running.asked_to_end);
        self.last_exit = Some(LastExit { words: if exit.bad { words } else { Vec::new() }, ..exit });
        self.ended(running, end).await;
    }

    async fn ended(&mut self, running: Running, end: End) {
        running.place.forget();
        self.govern().await;
        self.look_at_files();
        let release = self.installed.as_ref().map(|manifest| manifest.version.to_string());
        let seconds = running.age().as_secs_f64();
        let outcome = Outcome { release, exit_code: end.code, seconds, ..Outcome::default() };
        answer(running.reply, Ok(outcome));
    }
}

/// Whether that was an end as it should be.
fn how_it_ended(End { code, signal }: End, age: Duration, asked: bool) -> LastExit {
    let bad = !asked && (signal.is_some() || code.is_some_and(|code| code != 0));
    let how = match (code, signal) {
        (_, Some(signal)) => format!("signal {signal}"),
        (Some(code), None) => format!("exit code {code}"),
        (None, None) => String::new(),
    };
    let crash = (bad && age < CRASH_WITHIN).then(|| Failure {
        code: "GAME_CRASHED".to_owned(),
        message: format!("the game ended {:.1} s after its start, with {how}", age.as_secs_f64()),
        can_retry: true,
    });
    LastExit { code, signal, seconds: age.as_secs(), crash, bad, words: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_crash_and_what_is_only_a_bad_end() {
        let ended = |code, signal, seconds, asked| {
            let exit = how_it_ended(End { code, signal }, Duration::from_secs(seconds), asked);
            (exit.crash.is_some(), exit.bad)
        };
        assert_eq!(ended(Some(0), None, 1, false), (false, false));
        assert_eq!(ended(Some(3), None, 1, false), (true, true));
        assert_eq!(ended(None, Some(11), 29, false), (true, true));
        assert_eq!(ended(None, Some(11), 30, false), (false, true));
        assert_eq!(ended(None, Some(9), 1, true), (false, false), "the player asked for it");
        assert_eq!(ended(None, None, 1, false), (false, false), "nobody knows how");
    }
}
