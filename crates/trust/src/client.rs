//! A repository as a player's program sees it.
//!
//! `tough` verifies; around it stand the points that it leaves to its user:
//! 1. the newest root ever verified is kept and is what the next load starts from, so that a revoked key stays revoked;
//! 2. the library works on a scratch copy of the state, which replaces the old state in one synced step, and missing
//!    state of an installed game is said aloud;
//! 3. its record of the latest known time is dropped; a wrong clock is judged by our own rule and is a warning;
//! 4. an origin that fails to answer whether there is a newer root is a warning, not silence;
//! 5. every document has a bound, checked before and after it is fetched;
//! 6. expiry is judged here, against the caller's time, after all else was found in order: so "expired" always means
//!    "signed, whole and not older than seen, but out of date".
//!
//! It does not decide what an installed game may do without a fresh repository.

mod adapter;
mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tough::schema::{Root, Signed};
use tough::{ExpirationEnforcement, Limits, Repository, RepositoryLoader};
use url::Url;

use crate::disk::DiskError;
use crate::transport::{FetchError, Transport, looks_like_html};
use crate::{Error, limits, name, role};
use adapter::{Adapter, BASE};
use state::State;

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
    /// A game is installed, but what was verified for it before is gone: older metadata could not be told.
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
    expires: DateTime<Utc>,
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
        let before = blocking(move || State::read(&folder)).await?;
        let scratch = scratch(before.as_ref())?;
        let adapter = Adapter::new(transport.clone());
        let root = starting_root(before.as_ref(), request.trusted_root)?;
        let loaded = load_into(&adapter, &root, scratch.path()).await;
        let judged = loaded.and_then(|repository| {
            refuse_expired(&repository, request.now)?;
            collect(transport, &repository, &request)
        });
        let state = match &judged {
            Ok(_) => State::pack(scratch.path())?,
            Err(_) => State::salvage(scratch.path(), before.as_ref())?,
        };
        if let Some(state) = state.filter(|state| before.as_ref() != Some(state)) {
            let folder = request.state_dir.to_owned();
            blocking(move || state.write(&folder)).await?;
        }
        let mut client = judged?;
        client.warnings.extend(adapter.root_failure().map(|source| Warning::RootUnchecked { source }));
        if request.installed && !before.is_some_and(|state| state.is_whole()) {
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
        self.expires
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

/// The newer of the remembered root and the given one. A remembered root that cannot be read does not count.
fn starting_root(before: Option<&State>, given: &[u8]) -> Result<Vec<u8>, Error> {
    let unusable = |reason: String| Error::TrustedRoot { reason };
    let parsed: Signed<Root> = serde_json::from_slice(given).map_err(|error| unusable(error.to_string()))?;
    parsed.signed.verify_role(&parsed).map_err(|error| unusable(error.to_string()))?;
    let remembered = before.map(|state| state.root.as_bytes()).filter(|bytes| {
        serde_json::from_slice::<Signed<Root>>(bytes).is_ok_and(|root| {
            root.signed.verify_role(&root).is_ok() && root.signed.version >= parsed.signed.version
        })
    });
    Ok(remembered.unwrap_or(given).to_vec())
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
    let mut targets = BTreeMap::new();
    for (target, description) in &repository.targets().signed.targets {
        let malformed = || Error::Malformed { reason: format!("target {:?}", target.raw()) };
        name::check(target.raw()).map_err(|_| malformed())?;
        let sha256 = <[u8; 32]>::try_from(&description.hashes.sha256[..]).map_err(|_| malformed())?;
        targets.insert(target.raw().to_owned(), TargetEntry { length: description.length, sha256 });
    }
    let mut expires = expiries(repository).map(|(_, expires)| expires);
    expires.sort();
    let warnings = clock_warning(role::issued(&repository.timestamp().signed), request);
    Ok(Client {
        transport,
        targets,
        root_sha256: crate::fingerprint(request.trusted_root),
        root_version: repository.root().signed.version.get(),
        expires: expires[0],
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
