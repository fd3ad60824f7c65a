//! One job on one game folder: opened, done while it is shown, let go of.

use crate::{
    Context, Done,
    connections::{ConnectionWords, warn_of_few_files},
    error::CliError,
    output::{self, Bar, Output, PROGRESS_INTERVAL},
    places, rate,
};
use clap::{Args, ValueEnum};
use engine::{
    game::{Game, GameConfig, GameLink, Import, Ledger, Outcome, Policy, Urgency},
    session::{Caps, Connections, Session, SessionConfig},
    snapshot::{Action, Limits, Phase, SharingMode, Snapshot},
};
use serde_json::{Map, Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use tokio::time::MissedTickBehavior;

/// A clean end may take so long; then the program ends all the same.
const END_MAX: Duration = Duration::from_millis(1600);

/// How bytes may travel.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Transfer {
    /// Upload cap: bytes per second, or with KiB/s, MiB/s, kB/s, MB/s; 0 uploads nothing
    #[arg(long, value_name = "RATE", value_parser = rate::parse)]
    limit_up: Option<u64>,
    /// Download cap, the origin included
    #[arg(long, value_name = "RATE", value_parser = rate::parse_nonzero)]
    limit_down: Option<u64>,
    /// Exchange with other players: on, on the local network only, or off
    #[arg(long, value_enum, default_value_t = P2p::On)]
    p2p: P2p,
    /// Nobody waits for it: go after what somebody waits for, and spare the publisher's servers for longer
    #[arg(long)]
    background: bool,
    /// No discovery on the local network; every player counts as internet
    #[arg(long)]
    no_lan: bool,
    /// Ask the router for a port that players outside reach (PCP, NAT-PMP or UPnP)
    #[arg(long)]
    map_port: bool,
    #[command(flatten)]
    connections: ConnectionWords,
}

/// Who to exchange with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum P2p {
    #[default]
    On,
    Lan,
    Off,
}

impl Transfer {
    fn sharing(&self, stay: bool) -> SharingMode {
        match self.p2p {
            P2p::Off => SharingMode::Off,
            P2p::Lan => SharingMode::Lan,
            P2p::On if stay => SharingMode::WhileOpen,
            P2p::On => SharingMode::WhileDownloading,
        }
    }

    fn urgency(&self) -> Urgency {
        if self.background { Urgency::Background } else { Urgency::Foreground }
    }

    fn limits(&self) -> Limits {
        Limits { up: self.limit_up, down: self.limit_down }
    }
}

/// An open game folder with the session that serves it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) game: Game,
    session: Session,
}

/// Opens a folder for jobs that exchange with players.
pub(crate) fn open(
    dir: &Path,
    link: Option<GameLink>,
    transfer: &Transfer,
    stay: bool,
) -> Result<Opened, CliError> {
    open_importing(dir, link, transfer, stay, Import::default())
}

/// As [`open`], with what is here already.
pub(crate) fn open_importing(
    dir: &Path,
    link: Option<GameLink>,
    transfer: &Transfer,
    stay: bool,
    import: Import,
) -> Result<Opened, CliError> {
    let sharing = transfer.sharing(stay);
    // Who exchanges with nobody listens to nobody.
    let listen = (sharing == SharingMode::Off).then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let connections = transfer.connections.get();
    let net = Net { listen, lan: !transfer.no_lan, map_port: transfer.map_port, connections, preload: false };
    open_with(dir, link, transfer.limits(), sharing, transfer.urgency(), import, net)
}

/// As [`open`], and what is preloaded is unlocked at its hour without being asked.
pub(crate) fn open_until_its_hour(dir: &Path, transfer: &Transfer) -> Result<Opened, CliError> {
    let sharing = transfer.sharing(true);
    let listen = (sharing == SharingMode::Off).then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let connections = transfer.connections.get();
    let net = Net { listen, lan: !transfer.no_lan, map_port: transfer.map_port, connections, preload: true };
    open_with(dir, None, transfer.limits(), sharing, transfer.urgency(), Import::default(), net)
}

/// Opens a folder for jobs that stay on this machine, but for the repository's own documents.
pub(crate) fn open_alone(dir: &Path) -> Result<Opened, CliError> {
    let listen = Some((Ipv4Addr::LOCALHOST, 0).into());
    let net =
        Net { listen, lan: false, map_port: false, connections: Connections::default(), preload: false };
    open_with(dir, None, Limits::default(), SharingMode::Off, Urgency::Foreground, Import::default(), net)
}

/// Where to be found.
struct Net {
    listen: Option<SocketAddr>,
    lan: bool,
    map_port: bool,
    connections: Connections,
    /// Preload and unlock without being asked.
    preload: bool,
}

fn open_with(
    dir: &Path,
    link: Option<GameLink>,
    limits: Limits,
    sharing: SharingMode,
    urgency: Urgency,
    import: Import,
    net: Net,
) -> Result<Opened, CliError> {
    let title = link.as_ref().map(|link| link.game.to_string()).unwrap_or_default();
    let session = Session::start(&SessionConfig {
        listen: net.listen,
        lan: net.lan,
        port_mapping: net.map_port,
        connections: net.connections,
        caps: Caps { up: limits.up, down: limits.down, ..Caps::default() },
        ..SessionConfig::default()
    })?;
    let config = GameConfig {
        dir: places::absolute(dir)?,
        link,
        state_dir: places::state_dir()?,
        sharing,
        policy: Policy { limits, ..Policy::default() },
        ledger: Ledger::default(),
        check_interval: None,
        places: places::of_user(),
        title,
        urgency,
        preload: net.preload,
        known_installed: false,
        import,
        play: Default::default(),
    };
    Ok(Opened { game: Game::open(config, session.clone()), session })
}

impl Opened {
    /// Does one thing to its end, or until a signal; shows how it goes.
    pub(crate) async fn perform(&self, context: &Context, action: Action) -> Result<Outcome, CliError> {
        let mut shown = Shown::new(&context.output, self.game.snapshot());
        let outcome = tokio::select! {
            outcome = self.game.perform(action) => outcome.map_err(CliError::from),
            signal = context.signals.wait() => Err(CliError::interrupted(signal)),
            never = shown.run() => match never {},
        };
        shown.last();
        context.output.clear();
        self.warn(context);
        outcome
    }

    /// Says what stops nothing but should be known, such as a wrong clock.
    fn warn(&self, context: &Context) {
        warn_of_few_files(context, &self.session);
        for code in &self.game.snapshot().borrow().warnings {
            context.output.event("warning", json!({ "code": code }));
            context.output.say(format!("warning: {}", warning(code)));
        }
    }

    /// Waits until a phase that says something stands, and returns the snapshot.
    pub(crate) async fn settled(&self) -> Result<Snapshot, CliError> {
        let mut snapshot = self.game.snapshot();
        let settled = snapshot.wait_for(|snapshot| !matches!(snapshot.phase, Phase::Starting)).await;
        settled.map(|snapshot| snapshot.clone()).map_err(|_| CliError::new("INTERNAL", "the game was closed"))
    }

    /// Passes the game on until a signal.
    pub(crate) async fn stay(&self, context: &Context) -> Result<(), CliError> {
        let listen = self.session.local_addr().to_string();
        let installed = self.game.snapshot().borrow().installed.clone();
        context.output.event("ready", json!({ "listen": listen, "release": installed }));
        context.output.say(format!("passing it on at {listen}; Ctrl-C ends"));
        let mut shown = Shown::new(&context.output, self.game.snapshot());
        tokio::select! {
            _ = context.signals.wait() => {}
            never = shown.run() => match never {},
        }
        shown.last();
        context.output.clear();
        Ok(())
    }

    /// Says goodbye to everyone and lets go of the folder.
    pub(crate) async fn close(&self) {
        let ending = async {
            self.game.close().await;
            self.session.close().await;
        };
        if tokio::time::timeout(END_MAX, ending).await.is_err() {
            tracing::warn!("the end took too long; what was verified is kept");
        }
    }
}

/// Opens, does one thing, closes.
pub(crate) async fn once(context: &Context, opened: Opened, action: Action) -> Result<Outcome, CliError> {
    let outcome = opened.perform(context, action).await;
    opened.close().await;
    outcome
}

/// The result line of an outcome.
pub(crate) fn done(outcome: &Outcome) -> Done {
    Done { fields: fields(outcome), exit: 0 }
}

/// An outcome as fields of a line.
pub(crate) fn fields(outcome: &Outcome) -> Map<String, Value> {
    match serde_json::to_value(outcome) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The sentence that ends an install, update or repair.
pub(crate) fn sentence(verb: &str, outcome: &Outcome) -> String {
    let version = outcome.release.as_deref().unwrap_or("nothing");
    let from = &outcome.downloaded_bytes;
    let moved = outcome.moved_aside.iter().map(|moved| format!("\n  moved aside: {moved}"));
    format!(
        "{verb} {version} in {:.1} s: {} from the origin, {} from players, {} from the local network; {} passed on, {} \
         written",
        outcome.seconds,
        output::bytes(from.origin),
        output::bytes(from.players),
        output::bytes(from.lan),
        output::bytes(outcome.uploaded_bytes),
        output::bytes(outcome.written_bytes),
    ) + &moved.collect::<String>()
}

/// Shows snapshots as they change, a few a second.
struct Shown<'a> {
    output: &'a Output,
    snapshot: tokio::sync::watch::Receiver<Snapshot>,
    /// It was said that the game can be started.
    playable: bool,
}

impl<'a> Shown<'a> {
    fn new(output: &'a Output, snapshot: tokio::sync::watch::Receiver<Snapshot>) -> Self {
        Self { output, snapshot, playable: false }
    }

    async fn run(&mut self) -> std::convert::Infallible {
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.last();
        }
    }

    /// Shows what was not shown yet.
    fn last(&mut self) {
        if !self.snapshot.has_changed().unwrap_or(false) {
            return;
        }
        let snapshot = self.snapshot.borrow_and_update().clone();
        self.output.event(
            "progress",
            json!({
                "phase": snapshot.phase,
                "preload": snapshot.preload,
                "progress": snapshot.progress,
                "sets": snapshot.sets,
                "downloaded": snapshot.downloaded,
                "uploaded_bytes": snapshot.uploaded_bytes,
                "rates": snapshot.rates,
                "peers": snapshot.transfer.peers.len(),
            }),
        );
        if snapshot.sets.as_ref().is_some_and(|sets| sets.playable) && !self.playable {
            self.playable = true;
            self.output.event("playable", json!({ "release": snapshot.installed }));
            self.output.say("the game can be started while the rest of it comes");
        }
        self.output.bar(&bar(&snapshot));
    }
}

/// A warning's code as a sentence.
fn warning(code: &str) -> String {
    match code {
        "CLOCK_WRONG" => {
            "this computer's clock is wrong, so expired signatures cannot be recognised".to_owned()
        }
        "ROOT_UNCHECKED" => "whether the publisher has new keys could not be asked".to_owned(),
        "TRUST_STATE_MISSING" => {
            "what was verified for this repository before is gone; an older copy of it could not be told"
                .to_owned()
        }
        "FOLDER_READ_ONLY" => {
            "this user may not write to the game folder: the game can be played, and updated by whoever may"
                .to_owned()
        }
        other => other.to_owned(),
    }
}

fn bar(snapshot: &Snapshot) -> Bar {
    let rates = &snapshot.rates;
    let mut detail = format!("{} peers", snapshot.transfer.peers.len());
    if rates.down > 0 {
        detail += &format!(", {} down", output::rate(rates.down));
    }
    if rates.up > 0 {
        detail += &format!(", {} up", output::rate(rates.up));
    }
    if let Some(seconds) = snapshot.progress.as_ref().and_then(|progress| progress.eta_seconds) {
        detail += &format!(", {} left", clock(seconds));
    }
    Bar {
        what: phase_word(&snapshot.phase).to_owned(),
        bytes: snapshot.progress.as_ref().map(|progress| (progress.done_bytes, progress.total_bytes)),
        detail,
    }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{:02}", seconds % 60)
    } else {
        format!("{minutes}:{:02}", seconds % 60)
    }
}

/// A phase as a word for people.
pub(crate) fn phase_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Starting => "opening",
        Phase::NotInstalled => "not installed",
        Phase::Checking => "checking",
        Phase::UpdateAvailable => "update",
        Phase::Downloading => "downloading",
        Phase::Paused { .. } => "paused",
        Phase::Verifying => "verifying",
        Phase::Repairing => "repairing",
        Phase::Applying => "applying",
        Phase::Ready => "ready",
        Phase::Running { .. } => "running",
        Phase::Offline => "offline",
        Phase::NeedsSpace { .. } => "needs space",
        Phase::Blocked { .. } => "blocked",
        Phase::FolderMissing { .. } => "missing",
        Phase::Failed { .. } => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left() {
        assert_eq!(
            (clock(5).as_str(), clock(65).as_str(), clock(3_725).as_str()),
            ("0:05", "1:05", "1:02:05")
        );
    }
}
