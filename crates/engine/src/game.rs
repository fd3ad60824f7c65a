//! One game's life: opened, checked, brought to a release, verified, played, passed on.
//!
//! A [`Game`] is a handle on an actor. It never fails to open: whatever is wrong with the folder or the
//! repository is a phase of its snapshot, with words. One job at a time.

mod actor;
mod asked;
mod coming;
mod control;
mod error;
mod fetch;
mod filling;
mod jobs;
mod launch;
mod link;
mod looking;
mod offer;
mod older;
mod outlook;
mod parts;
mod patching;
mod play;
mod policy;
mod preload;
mod release_store;
mod roots;
mod route;
mod running;
mod view;
mod wait;
mod watch;

pub use error::GameError;
pub use filling::LocalFill;
pub use launch::platform;
pub use link::{GameLink, TrustedRoot};
pub(crate) use looking::Question as LookQuestion;
pub(crate) use offer::{Sources, named};
pub use patching::Patched;
pub use play::{ArgumentsError, Output, Play, arguments};
pub use policy::{Decision, Ledger, Metered, Policy, Situation, Updates, WhilePlaying, Window};
pub use wait::wait_for_file;

use crate::{
    session::Session,
    snapshot::{Action, Available, BySource, Failure, FolderLook, Preload, SharingMode, Snapshot},
};
use serde::Serialize;
use std::{path::PathBuf, time::Duration};
use store::place::Places;
use tokio::sync::{mpsc, oneshot, watch as tokio_watch};

/// How a game is opened.
#[derive(Debug, Clone)]
pub struct GameConfig {
    /// The game folder, absolute.
    pub dir: PathBuf,
    /// Where the game comes from; `None`: the folder says.
    pub link: Option<GameLink>,
    /// The user's state folder, where trust is remembered.
    pub state_dir: PathBuf,
    /// When bytes are passed on.
    pub sharing: SharingMode,
    /// What the player allows when. The game sets the session's caps by it.
    pub policy: Policy,
    /// What was passed on in which month so far.
    pub ledger: Ledger,
    /// How often the channel is read by itself; `None`: only when asked.
    pub check_interval: Option<Duration>,
    /// This user's own folders, where no game goes.
    pub places: Places,
    /// The game's name before a manifest says it.
    pub title: String,
    /// Whether somebody waits for what is fetched.
    pub urgency: Urgency,
    /// Preload sealed releases in the background, and unlock them at their hour, without being asked.
    pub preload: bool,
    /// The caller knows that a game stood in `dir`: a folder that is gone is then a missing drive, not
    /// a game that is not installed yet.
    pub known_installed: bool,
    /// What is here already of a game that is to be installed.
    pub import: Import,
    /// What a start of the game is given.
    pub play: Play,
}

/// Copies of a game that something else put on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// The game folder itself may hold one: it is taken over by the first install.
    pub in_place: bool,
    /// Folders that are searched for content and only read, absolute.
    pub from: Vec<PathBuf>,
}

/// Whether somebody waits for what a game fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    /// Somebody looks on.
    #[default]
    Foreground,
    /// Nobody does: it goes after what somebody waits for, and the publisher's servers help later.
    Background,
}

/// What a job came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// The version that stands now.
    pub release: Option<String>,
    /// The version that is offered, where it is another.
    pub available: Option<Available>,
    /// Bytes that came, by source; metadata counts as origin.
    pub downloaded_bytes: BySource,
    /// Bytes passed on meanwhile.
    pub uploaded_bytes: u64,
    /// Bytes of game files written to the disk. Less than what changed where files share their blocks.
    pub written_bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether anything in the folder changed.
    pub changed: bool,
    /// Files found missing or damaged.
    pub bad_files: Vec<String>,
    /// Where foreign files that stood in the way are now.
    pub moved_aside: Vec<String>,
    /// What came of a patch, where one was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<Patched>,
    /// What came out of other files in the folder, where they were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<LocalFill>,
    /// A release that can be had before its hour, and what is here of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preload: Option<Preload>,
    /// What an uninstall left.
    pub left: Vec<String>,
    /// The game's own exit code.
    pub exit_code: Option<i32>,
    /// SHA-256 of the root that was pinned on first use just now.
    pub root_pinned_first_use: Option<String>,
}

pub(crate) enum Command {
    Act(Action, Option<oneshot::Sender<Result<Outcome, Failure>>>),
    Look(PathBuf, oneshot::Sender<Result<FolderLook, Failure>>),
    SetSharing(SharingMode),
    SetPolicy(Box<Policy>),
    SetPlay(Play),
    SetMetered(bool),
    Close(oneshot::Sender<()>),
}

/// The handle on a game.
#[derive(Debug, Clone)]
pub struct Game {
    commands: mpsc::UnboundedSender<Command>,
    snapshot: tokio_watch::Receiver<Snapshot>,
    ledger: tokio_watch::Receiver<Ledger>,
}

impl Game {
    /// Opens the game in the background; the snapshot says how it goes.
    #[must_use]
    pub fn open(mut config: GameConfig, session: Session) -> Self {
        if let Some(link) = &mut config.link
            && !link.repository.path().ends_with('/')
        {
            link.repository.set_path(&format!("{}/", link.repository.path()));
        }
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, snapshot) = tokio_watch::channel(view::starting(&config));
        let (keeper, ledger) = tokio_watch::channel(config.ledger.clone());
        tokio::spawn(actor::run(config, session, receiver, sender, keeper));
        Self { commands, snapshot, ledger }
    }

    /// What was passed on in which month, and every change of it, for whoever writes it down.
    #[must_use]
    pub fn ledger(&self) -> tokio_watch::Receiver<Ledger> {
        self.ledger.clone()
    }

    /// The last snapshot, and every later one.
    #[must_use]
    pub fn snapshot(&self) -> tokio_watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }

    /// Asks for something; the snapshot shows what comes of it.
    pub fn act(&self, action: Action) {
        let _ = self.commands.send(Command::Act(action, None));
    }

    /// Asks for something and waits until it is done.
    ///
    /// # Errors
    /// Why it was not done, with a stable code.
    pub async fn perform(&self, action: Action) -> Result<Outcome, Failure> {
        let (reply, outcome) = oneshot::channel();
        self.commands.send(Command::Act(action, Some(reply))).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// What it would come to if the game went to `dir`. Nothing is changed by asking.
    ///
    /// # Errors
    /// Why it cannot go there, with a stable code.
    pub async fn look(&self, dir: PathBuf) -> Result<FolderLook, Failure> {
        let (reply, found) = oneshot::channel();
        self.commands.send(Command::Look(dir, reply)).map_err(|_| gone())?;
        found.await.map_err(|_| gone())?
    }

    /// Changes when bytes are passed on.
    pub fn set_sharing(&self, mode: SharingMode) {
        let _ = self.commands.send(Command::SetSharing(mode));
    }

    /// Changes what the player allows; it holds at once.
    pub fn set_policy(&self, policy: Policy) {
        let _ = self.commands.send(Command::SetPolicy(Box::new(policy)));
    }

    /// Says whether the network in use is paid for by the amount; it holds at once.
    pub fn set_metered(&self, metered: bool) {
        let _ = self.commands.send(Command::SetMetered(metered));
    }

    /// Changes what the next start of the game is given.
    pub fn set_play(&self, play: Play) {
        let _ = self.commands.send(Command::SetPlay(play));
    }

    /// Stops every transfer, keeps what came, lets go of the folder. A game that runs lives on.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

fn gone() -> Failure {
    Failure { code: "CLOSED".into(), message: "the game was closed".into(), can_retry: false }
}
