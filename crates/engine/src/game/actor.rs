//! The actor of one game: takes commands, runs one job at a time, watches the folder and the game's
//! process, and tells a snapshot a few times a second.

mod governing;
mod opening;
mod patches;
mod playing;
mod preloading;
mod sharing;
mod telling;
mod updating;

use super::{
    Command, Decision, GameConfig, GameLink, Ledger, Outcome, Policy,
    control::Control,
    error::GameError,
    jobs::{self, Kind, Work},
    offer::Offer,
    play::Play,
    preload::Hour,
    running::End,
    view,
    watch::Watcher,
};
use crate::session::{Session, TorrentHandle};
use crate::snapshot::{
    Action, BySource, Failure, LastExit, PauseReason, Phase, SharingMode, Snapshot, Summary,
};
use chrono::{DateTime, Utc};
use patches::PatchSeeds;
use playing::Running;
use release::{id::Version, layout::Layout, manifest::Manifest, path::GamePath};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use store::{GameFolder, InstalledTree, verify};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

/// How often a snapshot is told; fewer when nothing changed.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(200);

type Reply = oneshot::Sender<Result<Outcome, Failure>>;

/// What reaches the actor from its own tasks.
enum Happened {
    JobEnded { work: Box<Work>, kind: Kind, result: Result<(), GameError>, reply: Option<Reply> },
    GameExited { run: String, end: End },
    Touched,
    Changed(Vec<GamePath>),
}

struct Job {
    kind: Kind,
    /// Nobody asked for it.
    quiet: bool,
    /// The player lets it go on past the rules that would hold it.
    anyway: bool,
    control: Arc<Control>,
}

/// The installed release as it is passed on and watched.
struct Standing {
    manifest: Arc<Manifest>,
    layout: Arc<Layout>,
    tree: Arc<InstalledTree>,
    seeding: Option<TorrentHandle>,
    /// Looks for players of older releases; ends with the torrent.
    joining: Option<AbortOnDropHandle<()>>,
    /// Patches that are passed on too.
    patches: Option<PatchSeeds>,
    _watcher: Option<Watcher>,
}

struct Actor {
    config: Arc<GameConfig>,
    session: Session,
    link: Option<GameLink>,
    sharing: SharingMode,
    policy: Policy,
    /// What follows from the policy now.
    decision: Decision,
    ledger: watch::Sender<Ledger>,
    /// Bytes of the session's upload that the ledger has.
    counted: u64,
    /// A game stood here: a folder that is gone is a missing drive.
    known_installed: bool,
    folder: Option<GameFolder>,
    /// Why this user cannot write to a folder in which a game stands: it can be started, and nothing else.
    only_to_play: Option<Failure>,
    /// The manifest that stands, also while a job holds the folder.
    installed: Option<Arc<Manifest>>,
    standing: Option<Standing>,
    offer: Option<Offer>,
    offline: bool,
    last_check: Option<DateTime<Utc>>,
    failure: Option<(Kind, Phase)>,
    job: Option<Job>,
    pending: Option<(Kind, Option<Reply>)>,
    running: Option<Running>,
    last_exit: Option<LastExit>,
    /// What the next start of the game is given.
    play_with: Play,
    /// The network is paid for by the amount.
    metered: bool,
    /// The release that was installed without being asked for, or tried: not twice.
    updated_by_itself: Option<Version>,
    summary: Option<Summary>,
    /// When a preload is tried and a key asked for.
    hour: Hour,
    /// Starts the game as soon as the job that gives way has ended.
    play_next: Option<Option<Reply>>,
    changed: Vec<GamePath>,
    /// Files that were missing or not verified when the folder was looked at last as a whole.
    damaged: Vec<GamePath>,
    /// Files whose pieces were taken back already.
    taken_back: BTreeSet<GamePath>,
    sharing_stopped: bool,
    last_counts: BySource,
    uploaded_before: u64,
    happened: mpsc::UnboundedSender<Happened>,
    snapshot: watch::Sender<Snapshot>,
}

pub(super) async fn run(
    config: GameConfig,
    session: Session,
    mut commands: mpsc::UnboundedReceiver<Command>,
    snapshot: watch::Sender<Snapshot>,
    ledger: watch::Sender<Ledger>,
) {
    let (happened, mut happenings) = mpsc::unbounded_channel();
    let check_interval = config.check_interval;
    let mut actor = Actor::new(config, session, happened, snapshot, ledger);
    actor.govern().await;
    actor.open_folder().await;
    actor.take_standing();
    actor.find_running().await;
    actor.tell();
    let mut tick = tokio::time::interval(SNAPSHOT_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut checks = tokio::time::interval(check_interval.unwrap_or(Duration::from_secs(3600)));
    checks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Close(done)) => {
                    actor.close(&mut happenings).await;
                    let _ = done.send(());
                    return;
                }
                Some(command) => actor.command(command).await,
                None => return actor.close(&mut happenings).await,
            },
            Some(happened) = happenings.recv() => actor.happened(happened).await,
            _ = tick.tick() => {}
            _ = checks.tick(), if check_interval.is_some() => actor.check_quietly(),
        }
        actor.govern().await;
        actor.update_by_itself().await;
        actor.preload_by_itself().await;
        actor.tell();
    }
}

impl Actor {
    fn new(
        config: GameConfig,
        session: Session,
        happened: mpsc::UnboundedSender<Happened>,
        snapshot: watch::Sender<Snapshot>,
        ledger: watch::Sender<Ledger>,
    ) -> Self {
        Self {
            link: config.link.clone(),
            sharing: config.sharing,
            policy: config.policy.clone(),
            play_with: config.play.clone(),
            decision: Decision::default(),
            ledger,
            counted: session.internet_upload_bytes(),
            known_installed: config.known_installed,
            config: Arc::new(config),
            session,
            folder: None,
            only_to_play: None,
            installed: None,
            standing: None,
            offer: None,
            offline: false,
            last_check: None,
            failure: None,
            job: None,
            pending: None,
            running: None,
            last_exit: None,
            metered: false,
            updated_by_itself: None,
            summary: None,
            hour: Hour::new(fastrand::u64(..)),
            play_next: None,
            changed: Vec::new(),
            damaged: Vec::new(),
            taken_back: BTreeSet::new(),
            sharing_stopped: false,
            last_counts: BySource::default(),
            uploaded_before: 0,
            happened,
            snapshot,
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Act(action, reply) => self.act(action, reply).await,
            Command::SetSharing(mode) => {
                self.sharing = mode;
                self.share().await;
            }
            // What follows from it is seen to by the loop.
            Command::SetPolicy(policy) => self.policy = *policy,
            Command::SetPlay(play) => self.play_with = play,
            Command::SetMetered(metered) => self.metered = metered,
            Command::Look(dir, reply) => self.look(dir, reply),
            // Handled by the loop.
            Command::Close(_) => {}
        }
    }

    async fn act(&mut self, action: Action, reply: Option<Reply>) {
        match action {
            Action::Install => self.start_job(Kind::Install, reply).await,
            Action::Update => self.start_job(Kind::Update, reply).await,
            Action::Repair => self.start_job(Kind::Repair, reply).await,
            Action::Verify => self.start_job(Kind::Verify, reply).await,
            Action::Uninstall => self.start_job(Kind::Uninstall, reply).await,
            Action::Preload => self.start_job(Kind::Preload, reply).await,
            Action::Unlock => self.start_job(Kind::Unlock, reply).await,
            Action::Retry => self.retry(reply).await,
            Action::Play => self.play(reply).await,
            Action::Pause => self.pause(reply),
            Action::Resume => {
                self.go_on();
                answer(reply, Ok(Outcome::default()));
            }
            Action::Cancel => {
                if let Some(job) = &self.job {
                    job.control.cancel();
                }
                answer(reply, Ok(Outcome::default()));
            }
            Action::StopGame => self.stop_game(reply),
            Action::NotRunning => self.not_running(reply).await,
            Action::StopSharing | Action::StartSharing => {
                self.sharing_stopped = action == Action::StopSharing;
                self.share().await;
                answer(reply, Ok(Outcome::default()));
            }
        }
    }

    fn pause(&mut self, reply: Option<Reply>) {
        if let Some(job) = &mut self.job {
            job.anyway = false;
            job.control.pause.send_replace(Some(PauseReason::User));
        }
        answer(reply, Ok(Outcome::default()));
    }

    /// The failed job again; a folder that could not be opened is opened again first.
    async fn retry(&mut self, reply: Option<Reply>) {
        let failed = self.failure.take().map(|(kind, _)| kind);
        if self.folder.is_none() && self.job.is_none() {
            self.open_folder().await;
            self.take_standing();
        }
        self.start_job(failed.unwrap_or(Kind::Check), reply).await;
    }

    fn check_quietly(&mut self) {
        let may_write = self.only_to_play.is_none();
        if may_write && self.job.is_none() && self.running.is_none() && self.link.is_some() {
            let known = self.offer.is_some() || self.installed.is_some();
            self.spawn_job(Kind::Check, known, None);
        }
    }

    async fn start_job(&mut self, kind: Kind, reply: Option<Reply>) {
        let beside_the_game =
            matches!(kind, Kind::Check | Kind::Verify) || (kind == Kind::Install && self.is_partial());
        if self.running.is_some() && !beside_the_game {
            return answer(reply, Err(Failure::from(&GameError::Running)));
        }
        if let Some(failure) = self.only_to_play.clone() {
            return answer(reply, Err(failure));
        }
        if let Some(job) = &self.job {
            if job.quiet || (job.kind == Kind::Check && kind != Kind::Check) {
                job.control.cancel();
                self.pending = Some((kind, reply));
            } else {
                answer(reply, Err(Failure::from(&GameError::Busy)));
            }
            return;
        }
        if matches!(kind, Kind::Install | Kind::Preload) && self.folder.is_none() {
            self.failure = None;
        }
        if let Some((_, phase)) = self.failure.as_ref().filter(|_| self.folder.is_none()) {
            // The folder itself could not be opened; that is the answer.
            let failure = folder_failure(phase);
            return answer(reply, Err(failure));
        }
        if !matches!(kind, Kind::Check | Kind::Verify) {
            self.stop_seeding().await;
            self.standing = None;
        }
        self.failure = None;
        self.spawn_job(kind, false, reply);
    }

    fn spawn_job(&mut self, kind: Kind, quiet: bool, reply: Option<Reply>) {
        let control = Arc::new(Control::new(self.may_share(), self.exchange()));
        let mut work = Box::new(Work {
            config: Arc::clone(&self.config),
            session: self.session.clone(),
            control: Arc::clone(&control),
            folder: self.folder.take(),
            link: self.link.clone(),
            offer: self.offer.clone(),
            opening: None,
            outcome: Outcome::default(),
            only_the_rest: self.running.is_some(),
        });
        // The word for a download that waited was for that one.
        self.job = Some(Job { kind, quiet, anyway: false, control });
        self.hold();
        let happened = self.happened.clone();
        tokio::spawn(async move {
            let result = work.run(kind).await;
            let _ = happened.send(Happened::JobEnded { work, kind, result, reply });
        });
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::JobEnded { work, kind, result, reply } => {
                self.job_ended(*work, kind, result, reply).await
            }
            Happened::GameExited { run, end } => self.game_exited(&run, end).await,
            Happened::Touched => self.look_at_files(),
            Happened::Changed(files) => self.files_changed(files),
        }
    }

    async fn job_ended(
        &mut self,
        work: Work,
        kind: Kind,
        result: Result<(), GameError>,
        reply: Option<Reply>,
    ) {
        let job = self.job.take();
        let quiet = job.as_ref().is_some_and(|job| job.quiet);
        let (downloaded, uploaded) = work.control.counts();
        if kind != Kind::Check {
            self.last_counts = downloaded;
        }
        self.uploaded_before += uploaded;
        self.folder = work.folder;
        if kind == Kind::Uninstall {
            (self.installed, self.standing, self.damaged) = (None, None, Vec::new());
        } else if self.folder.is_none() {
            self.open_folder().await;
        }
        self.installed = self.folder.as_ref().and_then(|folder| folder.installed().cloned()).map(Arc::new);
        match &result {
            Ok(()) => self.job_succeeded(kind, work.offer),
            Err(error) => self.job_failed(kind, quiet, error),
        }
        // What stands, even in part, is not an offer.
        let stands = self.installed.as_ref().map(|manifest| manifest.version.clone());
        if let Some(offer) = &mut self.offer
            && stands.as_ref() == Some(&offer.channel.version)
        {
            offer.release = None;
        }
        self.preload_ended(kind, &result);
        if kind != Kind::Check {
            // What was verified anew is passed on from a new look at it.
            self.stop_seeding().await;
            self.standing = None;
        }
        if self.standing.is_none() {
            self.take_standing();
        }
        self.share().await;
        let seconds = work.control.started.elapsed().as_secs_f64();
        if let Some(version) = work.outcome.release.clone().filter(|_| result.is_ok() && work.outcome.changed)
        {
            let uploaded_bytes = uploaded;
            self.summary = Some(Summary { version, downloaded, uploaded_bytes, seconds: seconds as u64 });
        }
        let outcome =
            Outcome { downloaded_bytes: downloaded, uploaded_bytes: uploaded, seconds, ..work.outcome };
        answer(reply, result.map(|()| outcome).map_err(|error| Failure::from(&error)));
        if let Some((kind, reply)) = self.pending.take() {
            self.start_job(kind, reply).await;
        } else if let Some(reply) = self.play_next.take() {
            self.play(reply).await;
        }
    }

    fn job_succeeded(&mut self, kind: Kind, offer: Option<Offer>) {
        if !matches!(kind, Kind::Verify | Kind::Uninstall) {
            (self.offline, self.last_check) = (false, Some(Utc::now()));
            self.offer = offer;
        }
        if kind != Kind::Check {
            (self.changed, self.taken_back) = (Vec::new(), BTreeSet::new());
        }
        if kind == Kind::Uninstall {
            (self.offer, self.known_installed) = (None, false);
        }
    }

    fn job_failed(&mut self, kind: Kind, quiet: bool, error: &GameError) {
        tracing::warn!(?kind, code = error.code(), %error, "job failed");
        if matches!(error, GameError::Cancelled) {
            return;
        }
        self.offline |= error.is_offline();
        // Nobody waits for it, and it is tried again; what stands is as it was.
        if (kind == Kind::Preload && quiet) || matches!(error, GameError::UnlockNotYet { .. }) {
            return;
        }
        // Nobody asked, or the banner says it already: an installed game stays playable.
        if !(kind == Kind::Check && (error.is_offline() || (quiet && self.installed.is_some()))) {
            self.failure = Some((kind, view::failure_phase(error)));
        }
    }

    /// Looks at what stands and watches it.
    fn take_standing(&mut self) {
        let (Some(folder), Some(manifest)) = (&self.folder, &self.installed) else { return };
        let opened = InstalledTree::open(folder, manifest)
            .map_err(GameError::Store)
            .and_then(|tree| Ok((tree, jobs::layout(manifest)?)));
        let (tree, layout) = match opened {
            Ok(opened) => opened,
            Err(error) => return tracing::warn!(%error, "the installed files cannot be looked at"),
        };
        self.damaged = match verify::check_quick(folder, manifest) {
            Ok(report) => report.faults().map(|file| file.path.clone()).collect(),
            Err(error) => {
                tracing::warn!(%error, "the installed files cannot be looked at");
                Vec::new()
            }
        };
        let happened = self.happened.clone();
        let watcher = Watcher::start(folder.dir(), move || {
            let _ = happened.send(Happened::Touched);
        });
        let watcher = watcher.map_err(|error| tracing::warn!(%error, "the game folder is not watched")).ok();
        self.standing = Some(Standing {
            manifest: Arc::clone(manifest),
            layout: Arc::new(layout),
            tree: Arc::new(tree),
            seeding: None,
            joining: None,
            patches: None,
            _watcher: watcher,
        });
        self.look_at_files();
    }

    fn look_at_files(&self) {
        let Some(standing) = self.standing.as_ref().filter(|_| self.job.as_ref().is_none_or(|job| job.quiet))
        else {
            return;
        };
        let (tree, happened) = (Arc::clone(&standing.tree), self.happened.clone());
        tokio::task::spawn_blocking(move || match tree.changed() {
            Ok(files) => drop(happened.send(Happened::Changed(files))),
            Err(error) => tracing::warn!(%error, "the installed files cannot be looked at"),
        });
    }

    /// A changed file is taken back from the swarm (BEP 54) until it was checked again.
    fn files_changed(&mut self, files: Vec<GamePath>) {
        let Some(standing) = &self.standing else { return };
        for path in &files {
            if self.taken_back.contains(path) {
                continue;
            }
            self.taken_back.insert(path.clone());
            let index = standing.manifest.files.iter().position(|file| file.path == *path);
            if let (Some(index), Some(handle)) = (index, &standing.seeding) {
                handle.pieces_lost(standing.layout.pieces_of(index).collect());
            }
        }
        self.changed = files;
    }

    async fn close(&mut self, happenings: &mut mpsc::UnboundedReceiver<Happened>) {
        (self.pending, self.play_next) = (None, None);
        if let Some(job) = &self.job {
            job.control.cancel();
        }
        while self.job.is_some() {
            match happenings.recv().await {
                Some(Happened::JobEnded { work, result, reply, .. }) => {
                    let Work { folder, outcome, .. } = *work;
                    (self.job, self.folder) = (None, folder);
                    answer(reply, result.map(|()| outcome).map_err(|error| Failure::from(&error)));
                }
                Some(_) => {}
                None => break,
            }
        }
        self.stop_seeding().await;
        (self.standing, self.folder) = (None, None);
    }

    fn tell(&mut self) {
        let snapshot = self.view();
        self.snapshot.send_if_modified(|last| {
            let changed = *last != snapshot;
            if changed {
                *last = snapshot;
            }
            changed
        });
    }
}

fn answer(reply: Option<Reply>, result: Result<Outcome, Failure>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}

/// The failure behind a phase that says why the folder could not be opened.
fn folder_failure(phase: &Phase) -> Failure {
    let failure = |code: &str, message: String| Failure { code: code.to_owned(), message, can_retry: true };
    match phase {
        Phase::Failed { failure } => failure.clone(),
        Phase::Blocked { by } => failure("LOCKED", format!("another Muster works in {by}")),
        Phase::FolderMissing { dir } => {
            failure("FOLDER_MISSING", format!("{dir} is missing: is its drive connected?"))
        }
        Phase::NeedsSpace { dir, .. } => failure("NO_SPACE", format!("{dir} has too little space")),
        _ => failure("INTERNAL", "the folder could not be opened".to_owned()),
    }
}
