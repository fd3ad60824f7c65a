//! A repository as a player's program sees it.
//!
//! `tough` verifies; around it stand the points that it leaves to its user:
//! 1. the newest root ever verified is kept and is what the next load starts from, so that a revoked key stays revoked;
//! 2. the library works on a scratch copy of the state, which replaces the old state in one synced step, and missing
//!    state of an installed game is said aloud;
//! 3. its record of the latest known time is dropped; a wrong clock is judged by our own rule and is a warning;
//! 4. an origin that fails to answer whether there is a newer root is a warning, not silence;
//! 5. every document has a bound, checked before and after it is fetched, and there are no delegations to follow;
//! 6. expiry is judged here, against the caller's time, after all else was found in order: so "expired" always means
//!    "signed, whole and not older than seen, but out of date".
//!
//! It does not decide what an installed game may do without a fresh repository.

mod adapter;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tough::schema::{Root, Signed};
use tough::{ExpirationEnforcement, Limits, Repository, RepositoryLoader};
use url::Url;

use crate::disk::DiskError;
use crate::editor::Expiries;
use crate::transport::{FetchError, Transport, looks_like_html};
use crate::{Error, limits, name, role};
use adapter::{Adapter, BASE};
use state::{Found, State};

/// What a load starts from.
#[derive(Debug, Clone)]
pub struct LoadRequest<'a> {
    /// The root that came with the program or was pinned by the user.
    pub trusted_root: &'a [u8],
    /// Folder of this repository's trust state, of no other repository. Made if missing.
    pub state_dir: &'a Path,
    /// Local time.
    pub now: DateTime<Utc>,
    /// When the program was built: local time cannot be earlier.
    pub built_at: Option<DateTime<Utc>>,
    /// True if a game from this repository is installed: then there must be trust state already.
    pub installed: bool,
}

/// Something the user should hear about, though the repository is believed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning {
    /// Local time is earlier than it can be, so expired metadata cannot be recognised.
    ClockWrong {
        /// Local time.
        now: DateTime<Utc>,
        /// The earliest it can be.
        earliest: DateTime<Utc>,
    },
    /// The origin failed to say whether there is a newer root; the newest one known was used.
    RootUnchecked {
        /// How it failed.
        source: FetchError,
    },
    /// What was verified before is gone or cannot be read, though a game is installed or something lies there: older
    /// metadata could not be told.
    StateMissing,
}

impl Warning {
    /// Stable code for programs and for translation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ClockWrong { .. } => "CLOCK_WRONG",
            Self::RootUnchecked { .. } => "ROOT_UNCHECKED",
            Self::StateMissing => "TRUST_STATE_MISSING",
        }
    }
}

/// A target as the signed list describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetEntry {
    /// Bytes.
    pub length: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// A verified repository. It stays what it was when loaded; load again to see what is new.
#[derive(Debug)]
pub struct Client {
    transport: Arc<dyn Transport>,
    targets: BTreeMap<String, TargetEntry>,
    root_sha256: String,
    root_version: u64,
    expiries: Expiries,
    warnings: Vec<Warning>,
}

impl Client {
    /// Fetches and verifies the repository's metadata and remembers the result.
    ///
    /// # Errors
    /// [`Error::Expired`] if all is in order but out of date; see [`Error`] for the others. Whatever happens, the
    /// remembered state never goes back, and a newer root that was verified is kept.
    pub async fn load(transport: Arc<dyn Transport>, request: LoadRequest<'_>) -> Result<Self, Error> {
        let folder = request.state_dir.to_owned();
        let found = blocking(move || State::read(&folder)).await?;
        let unreadable = matches!(found, Found::Unreadable);
        let on_disk = found.state();
        let start = Start::choose(on_disk.as_ref(), request.trusted_root)?;
        let scratch = scratch(start.state)?;
        let adapter = Adapter::new(transport.clone());
        let loaded = load_into(&adapter, &start.root, scratch.path()).await;
        let notes = adapter.notes();
        let loaded = match notes.foreign {
            Some(path) => Err(Error::Malformed { reason: format!("it delegates to {path}") }),
            None => loaded,
        };
        let judged = loaded.and_then(|repository| {
            refuse_expired(&repository, request.now)?;
            collect(transport, &repository, &request)
        });
        let state = match &judged {
            Ok(_) => State::pack(scratch.path())?,
            // A wrong root in the caller's hand must not cost what was remembered of the right one.
            Err(_) if unreadable || start.replaces => None,
            Err(_) => State::salvage(scratch.path(), start.state)?,
        };
        let missing = !start.state.is_some_and(State::is_whole);
        if let Some(mut state) = state {
            state.lineage = start.lineage(&state.root, &notes.roots);
            if on_disk.as_ref() != Some(&state) {
                let folder = request.state_dir.to_owned();
                blocking(move || state.write(&folder, on_disk.as_ref())).await?;
            }
        }
        let mut client = judged?;
        client.warnings.extend(notes.root_failure.map(|source| Warning::RootUnchecked { source }));
        if unreadable || (request.installed && missing) {
            client.warnings.push(Warning::StateMissing);
        }
        Ok(client)
    }

    /// Fetches one target of at most `limit` bytes and checks it against the signed list.
    ///
    /// # Errors
    /// [`Error::NoSuchTarget`]; [`Error::Size`] before anything is fetched; [`Error::Html`] or [`Error::Signature`] if
    /// other bytes came than were signed.
    pub async fn target(&self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let entry = self.entry(name).ok_or_else(|| Error::NoSuchTarget { name: name.to_owned() })?;
        if entry.length > limit {
            return Err(Error::Size { what: name.to_owned(), limit });
        }
        let path = name::target_path(name, &entry.sha256);
        let fetched = self.transport.fetch(&path, entry.length).await;
        let bytes = fetched.map_err(|error| Error::from_fetch(name, &error))?;
        if bytes.len() as u64 == entry.length && role::sha256(&bytes)[..] == entry.sha256 {
            return Ok(bytes.into());
        }
        if looks_like_html(&bytes) {
            return Err(Error::Html { what: name.to_owned() });
        }
        Err(Error::Signature { what: name.to_owned(), reason: "its hash is not the signed one".to_owned() })
    }

    /// The signed description of a target, if there is such a target.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&TargetEntry> {
        self.targets.get(name)
    }

    /// Names of all targets, sorted.
    pub fn target_names(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// SHA-256, in hex, of the trusted root this client was given: the repository's identity for a pin.
    #[must_use]
    pub fn root_sha256(&self) -> &str {
        &self.root_sha256
    }

    /// Version of the newest root.
    #[must_use]
    pub fn root_version(&self) -> u64 {
        self.root_version
    }

    /// When the first of the four documents runs out.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        let Expiries { root, targets, snapshot, timestamp } = self.expiries;
        root.min(targets).min(snapshot).min(timestamp)
    }

    /// When each of them does.
    #[must_use]
    pub fn expiries(&self) -> Expiries {
        self.expiries
    }

    /// What the user should hear about.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

async fn load_into(adapter: &Adapter, root: &[u8], scratch: &Path) -> Result<Repository, Error> {
    let limits = Limits {
        max_root_size: limits::ROOT_BYTES_MAX,
        max_targets_size: limits::TARGETS_BYTES_MAX,
        max_timestamp_size: limits::TIMESTAMP_BYTES_MAX,
        max_snapshot_size: limits::SNAPSHOT_BYTES_MAX,
        // The library gives up when it stands at its maximum, before it asks whether there is a further root.
        max_root_updates: limits::ROOT_STEPS_MAX + 1,
    };
    RepositoryLoader::new(&root, url("metadata/")?, url("targets/")?)
        .transport(adapter.clone())
        .limits(limits)
        .datastore(scratch)
        .expiration_enforcement(ExpirationEnforcement::Unsafe)
        .load()
        .await
        .map_err(|error| Error::from_tuf(&error))
}

fn url(folder: &str) -> Result<Url, Error> {
    Url::parse(&format!("{BASE}{folder}")).map_err(|error| Error::Malformed { reason: error.to_string() })
}

/// What a load goes on from.
struct Start<'a> {
    /// The remembered state, if the root that the caller trusts is one that it descends from.
    state: Option<&'a State>,
    /// The newer of the remembered root and the given one.
    root: Vec<u8>,
    /// The roots that `root` is known to descend from, itself and the given one included.
    lineage: BTreeSet<String>,
    /// Something else is remembered, which the given root replaces if what it signs is found in order.
    replaces: bool,
}

impl<'a> Start<'a> {
    /// A remembered root that cannot be read does not count, and neither does one that has nothing to do with the given
    /// one: a repository that was made anew at its address, or one that was first believed from a stranger's hand.
    fn choose(before: Option<&'a State>, given: &[u8]) -> Result<Self, Error> {
        let unusable = |reason: String| Error::TrustedRoot { reason };
        let parsed: Signed<Root> =
            serde_json::from_slice(given).map_err(|error| unusable(error.to_string()))?;
        parsed.signed.verify_role(&parsed).map_err(|error| unusable(error.to_string()))?;
        let identity = role::identity(&parsed.signed).map_err(|error| unusable(error.to_string()))?;
        let newer = |state: &&State| {
            serde_json::from_str::<Signed<Root>>(&state.root).is_ok_and(|root| {
                root.signed.verify_role(&root).is_ok() && root.signed.version >= parsed.signed.version
            })
        };
        // A state without a lineage is of a time when none was kept.
        let akin = |state: &&State| state.lineage.is_empty() || state.lineage.contains(&identity);
        match before.filter(newer) {
            Some(state) if akin(&state) => {
                let lineage = state.lineage.iter().cloned().chain([identity]).collect();
                let root = state.root.as_bytes().to_vec();
                Ok(Self { state: Some(state), root, lineage, replaces: false })
            }
            foreign => {
                if foreign.is_some() {
                    tracing::warn!("the trust state is not of the given root, and is replaced");
                }
                // A given root that is newer than all that was seen: what it signs must still not be older.
                let state = if foreign.is_some() { None } else { before };
                let lineage = BTreeSet::from([identity]);
                Ok(Self { state, root: given.to_vec(), lineage, replaces: before.is_some() })
            }
        }
    }

    /// The roots that lead to `newest`: those known before, and of those that came the ones up to it.
    fn lineage(&self, newest: &str, came: &[(u64, bytes::Bytes)]) -> BTreeSet<String> {
        let newest = serde_json::from_str::<Signed<Root>>(newest).ok();
        let last = newest.as_ref().map_or(0, |root| root.signed.version.get());
        let walked = came.iter().filter_map(|(version, bytes)| {
            let root: Signed<Root> = serde_json::from_slice(bytes).ok()?;
            (root.signed.version.get() == *version && *version <= last)
                .then(|| role::identity(&root.signed).ok())?
        });
        let newest = newest.as_ref().and_then(|root| role::identity(&root.signed).ok());
        self.lineage.iter().cloned().chain(walked).chain(newest).collect()
    }
}

fn scratch(before: Option<&State>) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir()
        .map_err(|source| DiskError { path: std::env::temp_dir(), source })
        .map_err(Error::Disk)?;
    if let Some(state) = before {
        state.unpack(folder.path())?;
    }
    Ok(folder)
}

fn refuse_expired(repository: &Repository, now: DateTime<Utc>) -> Result<(), Error> {
    match expiries(repository).into_iter().find(|(_, expires)| *expires <= now) {
        Some((role, expired)) => Err(Error::Expired { role, expired: role::rfc3339(expired) }),
        None => Ok(()),
    }
}

fn expiries(repository: &Repository) -> [(&'static str, DateTime<Utc>); 4] {
    [
        ("root", role::moment(repository.root().signed.expires)),
        ("timestamp", role::moment(repository.timestamp().signed.expires)),
        ("snapshot", role::moment(repository.snapshot().signed.expires)),
        ("targets", role::moment(repository.targets().signed.expires)),
    ]
}

fn collect(
    transport: Arc<dyn Transport>,
    repository: &Repository,
    request: &LoadRequest<'_>,
) -> Result<Client, Error> {
    if repository
        .targets()
        .signed
        .delegations
        .as_ref()
        .is_some_and(|delegations| !delegations.roles.is_empty())
    {
        return Err(Error::Malformed { reason: "it delegates".to_owned() });
    }
    let mut targets = BTreeMap::new();
    for (target, description) in &repository.targets().signed.targets {
        let malformed = || Error::Malformed { reason: format!("target {:?}", target.raw()) };
        name::check(target.raw()).map_err(|_| malformed())?;
        let sha256 = <[u8; 32]>::try_from(&description.hashes.sha256[..]).map_err(|_| malformed())?;
        targets.insert(target.raw().to_owned(), TargetEntry { length: description.length, sha256 });
    }
    let [root, timestamp, snapshot, targets_expire] = expiries(repository).map(|(_, expires)| expires);
    let warnings = clock_warning(role::issued(&repository.timestamp().signed), request);
    Ok(Client {
        transport,
        targets,
        root_sha256: crate::fingerprint(request.trusted_root),
        root_version: repository.root().signed.version.get(),
        expiries: Expiries { root, targets: targets_expire, snapshot, timestamp },
        warnings: warnings.into_iter().collect(),
    })
}

/// Local time before the program was built, or before the newest accepted metadata was signed, is wrong.
fn clock_warning(issued: Option<DateTime<Utc>>, request: &LoadRequest<'_>) -> Option<Warning> {
    let earliest = issued.max(request.built_at)?;
    let wrong = request.now + TimeDelta::seconds(limits::CLOCK_TOLERANCE_SECONDS) < earliest;
    wrong.then_some(Warning::ClockWrong { now: request.now, earliest })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Interrupted)?;
    Ok(done?)
}
