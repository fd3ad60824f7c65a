//! The one game of this launcher: opened with the settings, opened again when its folder or channel changes, closed at the end.
//!
//! Invariant: one task owns the engine's handle; others hold the last snapshot and send wishes. What the button does and when a transfer
//! may run is the engine's; here is only which folder, which channel, which caps.

mod ledger;
mod memory;

use crate::{
    failure::{Code, Failure},
    links,
    repository::{Repository, RepositoryError},
    settings::{Metered, Settings, Updates, WhilePlaying},
};
use engine::{
    diagnose::{self, Question},
    game::{self, Game, GameConfig, GameLink, Import, Play, Policy, TrustedRoot},
    proxy::Proxy,
    session::{Session, SessionConfig, SessionError},
    snapshot::{Action, Button, Diagnosis, FolderLook, Limits, Phase, Snapshot},
};
use ledger::LedgerFile;
use memory::Memory;
use release::id::{ChannelName, GameId, IdError};
use std::{path::PathBuf, time::Duration};
use store::place::Places as UserPlaces;
use tokio::sync::{mpsc, oneshot, watch};

/// How often the channel is read by itself.
const CHECK_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// The same on this machine, where reading costs nobody anything: a demo shows a new release at once.
const CHECK_INTERVAL_LOOPBACK: Duration = Duration::from_secs(5);
/// Caps while the game runs and transfers are to go on small, bytes per second: what a game's own traffic does not feel.
const PLAYING: Limits = Limits { up: Some(50_000), down: Some(500_000) };
/// Wishes waiting for the task.
const WISHES_MAX: usize = 16;

/// What the game is opened with, apart from the settings.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The game.
    pub(crate) game: GameId,
    /// Its name for people.
    pub(crate) title: String,
    /// Where it comes from, or why that is not known.
    pub(crate) repository: Result<Repository, RepositoryError>,
    /// Trust state of all repositories.
    pub(crate) trust_state: PathBuf,
    /// Where it is remembered that the game was installed.
    pub(crate) memory: PathBuf,
    /// Where it is written down what was passed on in which month.
    pub(crate) ledger: PathBuf,
    /// This user's own folders, where no game goes.
    pub(crate) user_places: UserPlaces,
    /// Whether the network in use is paid for by the amount.
    pub(crate) metered: watch::Receiver<bool>,
}

enum Wish {
    Act(Action),
    Apply(Box<Settings>),
    Look(PathBuf, oneshot::Sender<Result<FolderLook, Failure>>),
    Diagnose(oneshot::Sender<Diagnosis>),
    Close(oneshot::Sender<()>),
}

/// The handle others hold.
#[derive(Clone, Debug)]
pub(crate) struct GameDesk {
    snapshot: watch::Receiver<Snapshot>,
    wishes: mpsc::Sender<Wish>,
}

/// Why there is no game to show at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GameError {
    /// The network cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A setting that was checked before.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl GameDesk {
    /// Opens the game on the current runtime; the snapshot says how it goes.
    pub(crate) fn start(desk: Desk, settings: &Settings) -> Result<Self, GameError> {
        let session = session(settings)?;
        let memory = Memory::load(desk.memory.clone());
        let ledger = LedgerFile::load(desk.ledger.clone());
        let game = Game::open(config(&desk, settings, &memory, &ledger)?, session.clone());
        let states = game.snapshot();
        let worker = Worker { desk, session, game, states, settings: settings.clone(), memory, ledger };
        let (publish, snapshot) = watch::channel(worker.dressed(worker.states.borrow().clone()));
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        tokio::spawn(worker.run(wished, publish));
        Ok(Self { snapshot, wishes })
    }

    /// The last snapshot.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// The last snapshot, and every later one.
    pub(crate) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    /// Asks for an action; the snapshot shows what comes of it.
    pub(crate) async fn act(&self, action: Action) -> Result<(), Failure> {
        self.wish(Wish::Act(action)).await
    }

    /// Whether these settings can be taken now: a game that runs keeps its folder and channel.
    pub(crate) fn may_apply(&self, old: &Settings, new: &Settings) -> Result<(), Failure> {
        let moves = moves(old, new);
        let running = matches!(self.snapshot.borrow().phase, Phase::Running { .. } | Phase::Applying);
        if moves && running {
            return Err(Code::SettingsBusy
                .failure("folder and channel cannot change while the game runs or is applied"));
        }
        Ok(())
    }

    /// Takes over changed settings. Through another proxy the game is opened anew; a transfer goes on where it was when it is asked for.
    pub(crate) async fn apply(&self, settings: Settings) -> Result<(), Failure> {
        self.wish(Wish::Apply(Box::new(settings))).await
    }

    /// What it would come to if the game went to `dir`.
    pub(crate) async fn look(&self, dir: PathBuf) -> Result<FolderLook, Failure> {
        let (reply, found) = oneshot::channel();
        self.wish(Wish::Look(dir, reply)).await?;
        found.await.map_err(|_| Code::ActionRefused.failure("the game is being closed"))?
    }

    /// What would keep the game from coming, as things stand around this machine.
    pub(crate) async fn diagnose(&self) -> Result<Diagnosis, Failure> {
        let (reply, found) = oneshot::channel();
        self.wish(Wish::Diagnose(reply)).await?;
        found.await.map_err(|_| Code::ActionRefused.failure("the game is being closed"))
    }

    /// Stops every transfer, keeps what came, lets go of the folder.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.wishes.send(Wish::Close(done)).await.is_ok() {
            // An error means that the task ended before it could say so; closed it is either way.
            let _ended = closed.await;
        }
    }

    async fn wish(&self, wish: Wish) -> Result<(), Failure> {
        let closed = |_| Code::ActionRefused.failure("the game is being closed");
        self.wishes.send(wish).await.map_err(closed)
    }
}

/// The task behind the handle.
struct Worker {
    desk: Desk,
    session: Session,
    game: Game,
    states: watch::Receiver<Snapshot>,
    settings: Settings,
    memory: Memory,
    ledger: LedgerFile,
}

impl Worker {
    async fn run(mut self, mut wishes: mpsc::Receiver<Wish>, publish: watch::Sender<Snapshot>) {
        let mut keep = tokio::time::interval(ledger::KEEP_EVERY);
        keep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(Wish::Act(action)) => self.game.act(action),
                    Some(Wish::Apply(settings)) => self.apply(*settings).await,
                    Some(Wish::Look(dir, reply)) => self.look(dir, reply),
                    Some(Wish::Diagnose(reply)) => self.diagnose(reply),
                    Some(Wish::Close(done)) => {
                        self.close().await;
                        // Whoever asked may be gone; the game is closed all the same.
                        let _told = done.send(());
                        return;
                    }
                    None => return self.close().await,
                },
                Ok(()) = self.states.changed() => {
                    let snapshot = self.states.borrow_and_update().clone();
                    self.follow(&snapshot);
                    publish.send_replace(self.dressed(snapshot));
                }
                Ok(()) = self.desk.metered.changed() => self.tell_metered(),
                _ = keep.tick() => self.ledger.keep(&self.game.ledger().borrow()),
            }
        }
    }

    /// Beside whatever else is wished meanwhile: a sleeping drive may take seconds.
    fn look(&self, dir: PathBuf, reply: oneshot::Sender<Result<FolderLook, Failure>>) {
        let game = self.game.clone();
        tokio::spawn(async move {
            // Whoever asked may be gone.
            let _told = reply.send(game.look(dir).await);
        });
    }

    /// Likewise: servers that do not answer take their time.
    fn diagnose(&self, reply: oneshot::Sender<Diagnosis>) {
        let question = Question {
            link: link(&self.desk, &self.settings).ok().flatten(),
            dir: Some(PathBuf::from(&self.settings.dir)),
            title: self.desk.title.clone(),
            state_dir: self.desk.trust_state.clone(),
            places: self.desk.user_places.clone(),
        };
        let session = self.session.clone();
        tokio::spawn(async move {
            // Whoever asked may be gone.
            let _told = reply.send(diagnose::run(question, &session).await);
        });
    }

    async fn close(&mut self) {
        self.game.close().await;
        self.session.close().await;
        self.ledger.keep(&self.game.ledger().borrow());
    }

    async fn apply(&mut self, settings: Settings) {
        self.session.set_port_mapping(settings.map_port);
        let moves = moves(&self.settings, &settings);
        let other_proxy = proxy(&self.settings) != proxy(&settings);
        self.settings = settings;
        if other_proxy {
            return self.go_another_way().await;
        }
        if moves {
            return self.reopen().await;
        }
        self.game.set_sharing(self.settings.sharing);
        self.game.set_policy(policy(&self.settings));
        self.game.set_play(play(&self.settings));
    }

    /// Through another proxy, or none: every connection to a web server ends first, so that none goes on the old way.
    async fn go_another_way(&mut self) {
        let session = match session(&self.settings) {
            Ok(session) => session,
            Err(error) => return tracing::error!(%error, "the network cannot be used through this proxy"),
        };
        self.game.close().await;
        std::mem::replace(&mut self.session, session).close().await;
        self.reopen().await;
    }

    async fn reopen(&mut self) {
        let config = match config(&self.desk, &self.settings, &self.memory, &self.ledger) {
            Ok(config) => config,
            Err(error) => return tracing::error!(%error, "settings that were checked are refused"),
        };
        self.game.close().await;
        self.ledger.keep(&self.game.ledger().borrow());
        self.game = Game::open(config, self.session.clone());
        self.states = self.game.snapshot();
        self.states.mark_changed();
        self.tell_metered();
    }

    fn tell_metered(&mut self) {
        let metered = *self.desk.metered.borrow_and_update();
        self.game.set_metered(metered);
    }

    /// What the launcher itself does with a new state.
    fn follow(&mut self, snapshot: &Snapshot) {
        let noted = match (&snapshot.installed, &snapshot.phase) {
            (Some(_), _) => self.memory.note(&snapshot.game.dir),
            (None, Phase::NotInstalled) => self.memory.forget(&snapshot.game.dir),
            _ => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "it cannot be remembered where the game stands");
        }
    }

    /// Without a repository there is nothing to install; a game that stands is still played.
    fn dressed(&self, mut snapshot: Snapshot) -> Snapshot {
        if let (Err(error), None) = (&self.desk.repository, &snapshot.installed) {
            snapshot.phase = Phase::Failed { failure: Code::NoRepository.failure(error.to_string()) };
            snapshot.primary = Button { action: None, label: "try_again".to_owned(), enabled: false };
            snapshot.secondary = None;
        }
        snapshot
    }
}

fn config(
    desk: &Desk,
    settings: &Settings,
    memory: &Memory,
    ledger: &LedgerFile,
) -> Result<GameConfig, IdError> {
    let link = link(desk, settings)?;
    let near = link.as_ref().is_some_and(|link| links::is_loopback(&link.repository));
    Ok(GameConfig {
        dir: PathBuf::from(&settings.dir),
        link,
        state_dir: desk.trust_state.clone(),
        sharing: settings.sharing,
        policy: policy(settings),
        ledger: ledger.kept().clone(),
        check_interval: Some(if near { CHECK_INTERVAL_LOOPBACK } else { CHECK_INTERVAL }),
        places: desk.user_places.clone(),
        title: desk.title.clone(),
        urgency: game::Urgency::Foreground,
        preload: true,
        known_installed: memory.knows(&settings.dir),
        import: Import { in_place: settings.import, from: Vec::new() },
        play: play(settings),
    })
}

/// Where the game comes from; nothing where no repository is known.
fn link(desk: &Desk, settings: &Settings) -> Result<Option<GameLink>, IdError> {
    let channel: ChannelName = settings.channel.parse()?;
    Ok(desk.repository.as_ref().ok().map(|repository| GameLink {
        repository: repository.url.clone(),
        game: desk.game.clone(),
        channel,
        root: TrustedRoot::Given(repository.root.clone()),
    }))
}

fn session(settings: &Settings) -> Result<Session, SessionError> {
    let (port_mapping, proxy) = (settings.map_port, proxy(settings));
    Session::start(&SessionConfig { port_mapping, proxy, ..SessionConfig::default() })
}

/// Settings that were checked name a proxy or none.
fn proxy(settings: &Settings) -> Proxy {
    settings.proxy_in_use().unwrap_or(Proxy::None)
}

/// Whether the game must be opened anew.
fn moves(old: &Settings, new: &Settings) -> bool {
    (&old.dir, &old.channel, old.import) != (&new.dir, &new.channel, new.import)
}

/// What a start of the game is given.
fn play(settings: &Settings) -> Play {
    // They were checked; a line that cannot be split gives the game nothing more.
    let arguments = game::arguments(&settings.launch_arguments).unwrap_or_default();
    Play { arguments, output: game::Output::Kept }
}

/// What the player chose, as the engine keeps to it.
fn policy(settings: &Settings) -> Policy {
    Policy {
        limits: Limits { up: settings.limit_up, down: settings.limit_down },
        idle_up: settings.limit_up_idle,
        windows: settings.schedule.clone(),
        month_upload: settings.month_upload,
        while_playing: match settings.while_playing {
            WhilePlaying::Pause => game::WhilePlaying::Pause,
            WhilePlaying::Limit => game::WhilePlaying::Limit(PLAYING),
            WhilePlaying::Ignore => game::WhilePlaying::Ignore,
        },
        lan_capped: settings.limit_lan,
        updates: match settings.updates {
            Updates::Ask => game::Updates::Ask,
            Updates::Auto => game::Updates::Auto,
        },
        metered: match settings.metered {
            Metered::Ask => game::Metered::Ask,
            Metered::Pause => game::Metered::Pause,
            Metered::Allow => game::Metered::Allow,
        },
    }
}

#[cfg(test)]
mod tests;
