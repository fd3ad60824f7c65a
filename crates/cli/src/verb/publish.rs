//! `muster publish BUILD`: a folder becomes a signed release in the repository.

use crate::{
    Context, Done,
    error::CliError,
    origin::OriginWords,
    output::{self, Bar, PROGRESS_INTERVAL},
    places,
};
use chrono::{DateTime, Utc};
use clap::Args;
use publisher::{Finding, Phase, Progress, PublishReport, PublishRequest, UpcomingReport, UpdateCost};
use release::id::{ChannelName, GameId, Version};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tokio::sync::watch;

/// Words of `publish`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The folder that holds the game as it shall lie at the player's
    #[arg(value_name = "BUILD")]
    build: PathBuf,
    /// The repository
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The game's id: a-z, 0-9 and -, the same for all its releases
    #[arg(long, value_name = "ID")]
    game: GameId,
    /// The release's version: letters, digits and . + -; a version's content never changes
    #[arg(long, value_name = "V")]
    version: Version,
    /// The channel that shall point at it
    #[arg(long, default_value = "live")]
    channel: ChannelName,
    /// The private keys [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Launch commands, file kinds, ignore patterns, notes [default: BUILD/muster.toml, which is never shipped]
    #[arg(long, value_name = "muster.toml")]
    config: Option<PathBuf>,
    /// An older release to make a patch from; may be repeated [default: the channel's newest releases, as many as
    /// `keep` in the configuration says, 3]
    #[arg(long, value_name = "V")]
    patch_from: Vec<Version>,
    /// A tracker for players, whole or relative to the repository's URL; may be repeated [default: what the channel
    /// names, else the origin's own]
    #[arg(long, value_name = "URL")]
    tracker: Vec<String>,
    /// Another place that carries content/, likewise
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    #[command(flatten)]
    origin: OriginWords,
    /// Also lay the files out under plain/, as web seeds for other BitTorrent programs
    #[arg(long)]
    plain: bool,
    /// Publish it sealed: players have it before this hour (RFC 3339, such as 2026-12-01T18:00:00Z) and open it with the
    /// key, which `muster unlock` publishes
    #[arg(long, value_name = "HOUR", value_parser = hour, conflicts_with = "plain")]
    unlock: Option<DateTime<Utc>>,
    /// Private folder for the key of the sealed release [default: the folder unlock in the private keys]
    #[arg(long, value_name = "DIR", requires = "unlock")]
    unlock_key: Option<PathBuf>,
    /// Find everything out and write nothing to the repository
    #[arg(long)]
    dry_run: bool,
    /// Draw which files the bytes of the update from the newest older release go to (of a first install if there is
    /// none)
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:

  muster publish ./build --repo ./repository --game rocket --version 1.1
  muster publish ./build --repo ./repository --game rocket --version 1.2-rc1 --channel beta
  muster publish ./build --repo ./repository --game rocket --version 1.1 --dry-run --picture update.svg

A muster.toml in the build folder:

  title = \"Rocket\"
  notes = \"Faster rockets.\"
  ignore = [\"*.pdb\", \"crash/**\"]

  [launch.linux-x86_64]
  executable = \"bin/rocket\"
  arguments = [\"--fullscreen\"]

  [[files]]                # a player's own file: installed if absent, then never touched
  match = \"settings.ini\"
  kind = \"user\"

  [origin]                 # few bytes from your own servers rather than the last second
  profile = \"thrifty\"
  delay_background_ms = 60000";

impl Publish {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let keys_dir = places::keys_dir(self.keys)?;
        let key_dir = super::unlock::key_dir(self.unlock_key, &keys_dir);
        let request = PublishRequest {
            build_dir: self.build,
            repo_dir: self.repo,
            keys_dir,
            unlock: self.unlock.map(|at| publisher::Unlock { at, key_dir }),
            game: self.game,
            version: self.version,
            channel: self.channel,
            config: self.config,
            trackers: self.tracker,
            mirrors: self.mirror,
            origin: self.origin.for_channel(),
            patch_from: self.patch_from,
            plain: self.plain,
            dry_run: self.dry_run,
            picture: self.picture,
            now: Utc::now(),
        };
        let (sender, progress) = watch::channel(None);
        let publishing = tokio::task::spawn_blocking(move || {
            publisher::publish(&request, &mut |progress| {
                sender.send_replace(Some(progress));
            })
        });
        let report = tokio::select! {
            report = publishing => report??,
            never = show(context, progress) => match never {},
            // Readers see the old release or the new one, whenever this ends: the commit is one rename.
            signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
        };
        context.output.clear();
        context.output.say(words(&report));
        Ok(Done { fields: fields(&report), exit: 0 })
    }
}

fn hour(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text);
    parsed.map(|at| at.with_timezone(&Utc)).map_err(|_| "give a time such as 2026-12-01T18:00:00Z".to_owned())
}

async fn show(
    context: &Context,
    mut progress: watch::Receiver<Option<Progress>>,
) -> std::convert::Infallible {
    let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        tick.tick().await;
        if !progress.has_changed().unwrap_or(false) {
            continue;
        }
        let Some(progress) = *progress.borrow_and_update() else { continue };
        let what = match progress.phase {
            Phase::Hashing => "hashing",
            Phase::Compressing => "compressing",
            Phase::Patching => "making patches",
            Phase::Comparing => "comparing",
            Phase::Sealing => "sealing",
        };
        context.output.event("progress", json!(progress));
        let bytes = Some((progress.done_bytes, progress.total_bytes));
        context.output.bar(&Bar { what: what.to_owned(), bytes, detail: String::new() });
    }
}

fn fields(report: &PublishReport) -> Map<String, Value> {
    match serde_json::to_value(report) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("release".to_owned(), json!(report.version));
            fields
        }
        _ => Map::new(),
    }
}

fn sealed_words(upcoming: &UpcomingReport) -> String {
    let mut words = format!(
        "\nsealed until {}. At that hour run muster unlock, or upload\n  {}\nas {}",
        upcoming.unlock,
        upcoming.key_file.display(),
        upcoming.key_target
    );
    for preload in &upcoming.preloads {
        let who = preload
            .from
            .as_ref()
            .map_or("a player without it".to_owned(), |from| format!("a player with {from}"));
        words += &format!(
            "\n{who} preloads {} and unpacks {}",
            output::bytes(preload.bytes),
            output::bytes(preload.opened_bytes)
        );
    }
    words
}

fn words(report: &PublishReport) -> String {
    let state = match (report.dry_run, report.already_published) {
        (true, _) => "would be published",
        (false, true) => "was published already; nothing changed",
        (false, false) => "is published",
    };
    let mut words = format!(
        "{} {} {state} on channel {}: {} files, {}, infohash {}\n\n{}\n",
        report.game,
        report.version,
        report.channel,
        report.files,
        output::bytes(report.raw_bytes),
        report.infohash,
        table(&rows(report)),
    );
    words += &format!(
        "The origin stores {} more, in {} new files, and {} of patches.",
        output::bytes(report.content_bytes_new),
        report.content_files_new,
        output::bytes(report.patch_bytes_new)
    );
    if let Some(upcoming) = &report.upcoming {
        words += &sealed_words(upcoming);
    }
    for warning in &report.warnings {
        words += &format!("\nwarning: {warning}");
    }
    for finding in &report.findings {
        words += &format!("\n{}", finding_words(finding));
    }
    words
}

/// What each kind of player downloads at most, from the origin alone; what other players have passed on is less for it.
fn rows(report: &PublishReport) -> Vec<[String; 4]> {
    let mut rows = vec![
        ["a player who has", "downloads", "fetching blocks only", "by"].map(str::to_owned),
        [
            "nothing".to_owned(),
            output::bytes(report.fresh_download_bytes),
            output::bytes(report.fresh_download_bytes),
            "compressed files".to_owned(),
        ],
    ];
    rows.extend(report.updates.iter().map(|update| {
        [
            update.from.to_string(),
            output::bytes(update.download_bytes),
            output::bytes(update.blocks_bytes),
            way(update),
        ]
    }));
    let plain = output::bytes(report.raw_bytes);
    rows.push(["another BitTorrent program".to_owned(), plain.clone(), plain, "plain blocks".to_owned()]);
    rows
}

fn way(update: &UpdateCost) -> String {
    let mut words = match (update.patch_bytes, update.patch_route.as_slice()) {
        (Some(_), [_]) => "patch".to_owned(),
        (Some(_), route) => {
            let route: Vec<&str> = route.iter().map(Version::as_str).collect();
            format!("patches by way of {}", route.join(", "))
        }
        (None, _) => "changed files".to_owned(),
    };
    if update.patch_cpu_seconds > 0.0 {
        words += &format!(" (tried in {:.1} s of processor time)", update.patch_cpu_seconds);
    }
    words
}

/// Columns side by side; those of figures end at one line.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[who, all, blocks, by]: &[String; 4]| {
        format!("  {who:<0$}  {all:>1$}  {blocks:>2$}  {by}\n", widths[0], widths[1], widths[2])
    };
    rows.iter().map(line).collect()
}

fn finding_words(finding: &Finding) -> String {
    let code = serde_json::to_value(finding.code).ok();
    let code = code.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut words = format!(
        "lint: {code}: {}\n      {} {}, {} as blocks",
        finding.advice,
        finding.files,
        if finding.files == 1 { "file" } else { "files" },
        output::bytes(finding.blocks_bytes)
    );
    if let Some(bytes) = finding.patch_bytes {
        words += &format!(", {} by patch", output::bytes(bytes));
    }
    let examples: Vec<&str> = finding.examples.iter().map(|path| path.as_str()).collect();
    let more = if finding.files > examples.len() as u64 { ", …" } else { "" };
    words + &format!(": {}{more}", examples.join(", "))
}
