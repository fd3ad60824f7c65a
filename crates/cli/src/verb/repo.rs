//! `muster repo check`: the repository as a player's program sees it, from the first root to the last file.

use crate::{
    Context, Done,
    error::CliError,
    exit,
    transport::{Http, as_folder},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Subcommand};
use futures_util::{StreamExt as _, stream};
use release::{
    channel::Channel,
    hash::Hash32,
    limits::{CHANNEL_BYTES_MAX, MANIFEST_BYTES_MAX, METAINFO_BYTES_MAX, UNLOCK_KEY_BYTES_MAX},
    manifest::Manifest,
    metainfo::Metainfo,
    seektable::{SeekTable, SeekTableError},
    target,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};
use trust::{Client, FolderTransport, LoadRequest, Transport};
use url::Url;

/// Largest first root.
const ROOT_BYTES_MAX: u64 = 1024 * 1024;
/// Largest target that is neither channel, manifest nor torrent.
const OTHER_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Questions about content under way at once.
const ASKED_AT_ONCE: usize = 8;
/// Problems that are listed.
const LISTED_MAX: usize = 20;

/// What to do with a repository.
#[derive(Debug, Subcommand)]
pub(crate) enum Repo {
    /// Verify a repository: signatures, every signed file, what channels point at, and that all content is there
    #[command(visible_alias = "verify")]
    Check(Check),
}

/// Words of `repo check`.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Check {
    /// Where it is served
    #[arg(required_unless_present = "repo")]
    url: Option<Url>,
    /// Its folder
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    repo: Option<PathBuf>,
    /// Only what a player's program can see; without it, a folder is also searched for private keys
    #[arg(long)]
    as_client: bool,
    /// Begin with this root instead of the repository's own first one
    #[arg(long, value_name = "ROOT.json")]
    root: Option<PathBuf>,
    /// End with exit code 29 if a signature runs out within so many days, for a monitor
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(0..=3660))]
    expires_within: Option<i64>,
}

/// Where content is looked for.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Web(reqwest::Client, Url),
}

impl Repo {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Check(check) => tokio::select! {
                done = check.run(context) => done,
                signal = context.signals.wait() => Err(CliError::interrupted(signal)),
            },
        }
    }
}

impl Check {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        let place = self.place()?;
        if let (Place::Folder(repo), false) = (&place, self.as_client) {
            let repo = repo.clone();
            tokio::task::spawn_blocking(move || trust::keys::refuse_keys_in_repository(&repo)).await??;
        }
        let transport = place.transport();
        let root = first_root(self.root.as_deref(), &transport).await?;
        let state = tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), &error))?;
        let request = LoadRequest {
            trusted_root: &root,
            state_dir: state.path(),
            now: Utc::now(),
            built_at: None,
            installed: false,
        };
        let client = Client::load(transport, request).await?;
        let signed = Signed::read(&client).await?;
        signed.check()?;
        let missing = place.missing_content(&signed.content()).await?;
        if !missing.is_empty() {
            for problem in missing.iter().take(LISTED_MAX) {
                context.output.say(format!("  {problem}"));
            }
            let message = format!("{} content file(s) are missing or unusable", missing.len());
            let fields = serde_json::Map::from_iter([("problems".to_owned(), json!(missing))]);
            return Err(CliError::new("REPO_CONTENT", message).with_fields(fields));
        }
        let mut done = report(context, &client, &signed);
        self.expires_soon(context, &client, &mut done);
        Ok(done)
    }

    /// Names the roles that run out within the days that were asked for.
    fn expires_soon(&self, context: &Context, client: &Client, done: &mut Done) {
        let Some(days) = self.expires_within else { return };
        let end = Utc::now() + TimeDelta::days(days);
        let soon: Vec<&str> =
            by_role(client).into_iter().filter(|(_, at)| *at <= end).map(|(role, _)| role).collect();
        if !soon.is_empty() {
            context.output.say(format!("within {days} days runs out: {}", soon.join(", ")));
            done.exit = exit::EXPIRES_SOON;
        }
        done.fields.insert("expires_soon".to_owned(), json!(soon));
    }

    fn place(&self) -> Result<Place, CliError> {
        match (&self.url, &self.repo) {
            (Some(url), _) => {
                let client =
                    engine::http::client().map_err(|error| CliError::new("HTTP", error.to_string()))?;
                Ok(Place::Web(client, as_folder(url.clone())))
            }
            (None, Some(repo)) => Ok(Place::Folder(repo.clone())),
            (None, None) => Err(CliError::usage("name a URL or --repo DIR")),
        }
    }
}

fn report(context: &Context, client: &Client, signed: &Signed) -> Done {
    let warnings: Vec<&str> = client.warnings().iter().map(trust::Warning::code).collect();
    let expires = client.expires().to_rfc3339_opts(SecondsFormat::Secs, true);
    let by_role = by_role(client)
        .map(|(role, at)| (role.to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Secs, true))));
    let channels: Vec<Value> = signed
        .channels
        .iter()
        .map(
            |channel| json!({ "game": channel.game, "channel": channel.channel, "release": channel.version }),
        )
        .collect();
    context.output.say(format!(
        "in order: root {} (version {}), {} releases, {} content files; good until {expires}",
        client.root_sha256(),
        client.root_version(),
        signed.manifests.len(),
        signed.content().len(),
    ));
    for (role, at) in self::by_role(client) {
        context.output.say(format!("  {role}: good until {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)));
    }
    for channel in &signed.channels {
        context.output.say(format!("  {} {}: {}", channel.game, channel.channel, channel.version));
    }
    for name in &signed.withheld {
        context.output.say(format!("  {name}: signed, and not there before its hour"));
    }
    for warning in &warnings {
        context.output.say(format!("warning: {warning}"));
    }
    let mut done = Done::default();
    if let Value::Object(fields) = json!({
        "root_sha256": client.root_sha256(),
        "root_version": client.root_version(),
        "expires": expires,
        "expires_by_role": by_role.into_iter().collect::<serde_json::Map<_, _>>(),
        "targets": client.target_names().count(),
        "releases": signed.manifests.len(),
        "content_files": signed.content().len(),
        "channels": channels,
        "withheld": signed.withheld,
        "warnings": warnings,
    }) {
        done.fields = fields;
    }
    done
}

/// When each document runs out.
fn by_role(client: &Client) -> [(&'static str, DateTime<Utc>); 4] {
    let expiries = client.expiries();
    [
        ("root", expiries.root),
        ("targets", expiries.targets),
        ("snapshot", expiries.snapshot),
        ("timestamp", expiries.timestamp),
    ]
}

async fn first_root(given: Option<&Path>, transport: &Arc<dyn Transport>) -> Result<Vec<u8>, CliError> {
    if let Some(path) = given {
        return std::fs::read(path).map_err(|error| CliError::file(path, &error));
    }
    match transport.fetch("metadata/1.root.json", ROOT_BYTES_MAX).await {
        Ok(root) => Ok(root.to_vec()),
        Err(trust::FetchError::NotFound) => {
            Err(CliError::new("REPO_MISSING", "there is no repository: no metadata/1.root.json"))
        }
        Err(trust::FetchError::Html) => {
            Err(CliError::new("ORIGIN_HTML", "a web page came instead of metadata/1.root.json"))
        }
        Err(error) => Err(CliError::new("NETWORK", format!("metadata/1.root.json: {error}"))),
    }
}

/// Every signed document, parsed.
#[derive(Debug, Default)]
struct Signed {
    channels: Vec<Channel>,
    manifests: BTreeMap<String, Manifest>,
    torrents: BTreeMap<String, Metainfo>,
    /// Keys of sealed releases that are not there yet.
    withheld: Vec<String>,
}

impl Signed {
    /// Fetches every target, which checks it against the signed list.
    async fn read(client: &Client) -> Result<Self, CliError> {
        let mut signed = Self::default();
        let invalid =
            |name: &str, code: &str, reason: String| CliError::new(code, format!("{name}: {reason}"));
        for name in client.target_names() {
            let extension = name.rsplit_once('.').map_or("", |(_, end)| end);
            match extension {
                "json" => {
                    let bytes = client.target(name, CHANNEL_BYTES_MAX as u64).await?;
                    let channel = Channel::parse(&bytes)
                        .map_err(|e| invalid(name, "CHANNEL_INVALID", e.to_string()))?;
                    signed.channels.push(channel);
                }
                "manifest" => {
                    let bytes = client.target(name, MANIFEST_BYTES_MAX as u64).await?;
                    let manifest = Manifest::parse(&bytes)
                        .map_err(|e| invalid(name, "MANIFEST_INVALID", e.to_string()))?;
                    signed.manifests.insert(name.to_owned(), manifest);
                }
                "torrent" => {
                    let bytes = client.target(name, METAINFO_BYTES_MAX as u64).await?;
                    let torrent = Metainfo::parse(&bytes)
                        .map_err(|e| invalid(name, "MANIFEST_INVALID", e.to_string()))?;
                    signed.torrents.insert(name.to_owned(), torrent);
                }
                "unlock" => match client.target(name, UNLOCK_KEY_BYTES_MAX as u64).await {
                    // It is signed before its hour, and there from then on.
                    Err(trust::Error::NotFound { .. }) => signed.withheld.push(name.to_owned()),
                    other => drop(other?),
                },
                _ => drop(client.target(name, OTHER_BYTES_MAX).await?),
            }
        }
        Ok(signed)
    }

    /// What belongs together fits together.
    fn check(&self) -> Result<(), CliError> {
        for channel in &self.channels {
            let manifest = target::manifest(&channel.game, &channel.version);
            if !self.manifests.contains_key(&manifest) {
                let message = format!(
                    "channel {} of {} points at {manifest}, which is not there",
                    channel.channel, channel.game
                );
                return Err(CliError::new("TARGET_MISSING", message));
            }
        }
        for channel in &self.channels {
            let Some(upcoming) = &channel.upcoming else { continue };
            for offer in &upcoming.preloads {
                let name = target::sealed_torrent(&channel.game, offer.from.as_ref(), &upcoming.version);
                if !self.torrents.contains_key(&name) {
                    let message =
                        format!("{} of {} offers {name}, which is not there", channel.channel, channel.game);
                    return Err(CliError::new("TARGET_MISSING", message));
                }
            }
        }
        for (name, manifest) in &self.manifests {
            let mismatch = |what: &str| CliError::new("MANIFEST_MISMATCH", format!("{name}: {what}"));
            if *name != target::manifest(&manifest.game, &manifest.version) {
                return Err(mismatch("it is of another game or version than its name says"));
            }
            let infohash = manifest.infohash().map_err(|error| mismatch(&error.to_string()))?;
            let torrent = self.torrents.get(&target::torrent(&manifest.game, &manifest.version));
            let torrent = torrent.ok_or_else(|| mismatch("its torrent is not there"))?;
            if torrent.infohash != infohash || !torrent.layers.complete(&torrent.layout) {
                return Err(mismatch("its torrent is another release's, or lacks piece layers"));
            }
        }
        Ok(())
    }

    /// All content that the releases need, with its size: their files, the payloads of patches, and sealed bundles.
    fn content(&self) -> BTreeMap<Hash32, u64> {
        let files = self.manifests.values().flat_map(|manifest| &manifest.files);
        let files = files.filter_map(|file| Some((file.pieces_root?, file.size)));
        let others = self.torrents.values().flat_map(|torrent| torrent.layout.files());
        files.chain(others.filter_map(|file| Some((file.pieces_root?, file.length)))).collect()
    }
}

impl Place {
    fn transport(&self) -> Arc<dyn Transport> {
        match self {
            Self::Folder(repo) => Arc::new(FolderTransport::new(repo)),
            Self::Web(client, url) => Arc::new(Http::new(client.clone(), url.clone())),
        }
    }

    /// Content that is not there, with why.
    async fn missing_content(&self, content: &BTreeMap<Hash32, u64>) -> Result<Vec<String>, CliError> {
        match self {
            Self::Folder(repo) => {
                let (repo, content) = (repo.clone(), content.clone());
                let looking = tokio::task::spawn_blocking(move || {
                    let looked = content.iter().map(|(root, size)| {
                        let path = repo.join("content").join(format!("{root}.zst"));
                        look(&path, *size).map_err(|reason| format!("content/{root}.zst: {reason}"))
                    });
                    looked.filter_map(Result::err).collect()
                });
                Ok(looking.await?)
            }
            Self::Web(client, base) => {
                let asked = stream::iter(content.keys()).map(|root| ask(client, base, *root));
                Ok(asked
                    .buffer_unordered(ASKED_AT_ONCE)
                    .filter_map(|missing| async { missing })
                    .collect()
                    .await)
            }
        }
    }
}

/// Whether a content file has a seek table that adds up to `size` bytes.
fn look(path: &Path, size: u64) -> io::Result<()> {
    let wrong = |reason: &'static str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut wanted = SeekTable::encoded_bytes(64).min(length);
    let table = loop {
        file.seek(SeekFrom::End(-i64::try_from(wanted).map_err(|_| wrong("too large"))?))?;
        let mut tail = Vec::new();
        (&file).take(wanted).read_to_end(&mut tail)?;
        match SeekTable::parse_tail(&tail) {
            Ok(table) => break table,
            Err(SeekTableError::Longer(all)) if all > wanted && all <= length => wanted = all,
            Err(_) => return Err(wrong("it has no seek table")),
        }
    };
    if table.decompressed_bytes() == size { Ok(()) } else { Err(wrong("it holds another number of bytes")) }
}

/// Asks a server for the first byte of a content file: there, no web page, and by range.
async fn ask(client: &reqwest::Client, base: &Url, root: Hash32) -> Option<String> {
    let name = format!("content/{root}.zst");
    let asked = match base.join(&name) {
        Ok(url) => client.get(url).header(reqwest::header::RANGE, "bytes=0-0").send().await,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    match asked {
        Ok(response) if response.status() == reqwest::StatusCode::PARTIAL_CONTENT => None,
        Ok(response) if response.status() == reqwest::StatusCode::OK => {
            Some(format!("{name}: the server ignores ranges"))
        }
        Ok(response) => Some(format!("{name}: the server answers {}", response.status())),
        Err(error) => Some(format!("{name}: {error}")),
    }
}
