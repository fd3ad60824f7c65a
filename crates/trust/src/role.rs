//! The four signed documents: how one is made, signed and read back. Time comes in by argument and is cut to whole
//! seconds, because python-tuf refuses fractions.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::{
    Hashes, Metafile, Role, RoleType, Root, Signature, Signed, Snapshot, Targets, Timestamp,
};

use crate::keyring::Keyring;
use crate::{EditError, limits};

/// Version of the TUF specification that is written into every document.
pub(crate) const SPEC_VERSION: &str = "1.0.0";
/// Extra member of the timestamp: when it was signed. The clock rule reads it; other clients ignore it.
const ISSUED: &str = "issued";

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// The moment `days` after `now`, in whatever type of time the library keeps.
pub(crate) fn expiry<T>(now: DateTime<Utc>, days: i64) -> Result<T, EditError>
where
    T: TryFrom<SystemTime>,
    T::Error: std::fmt::Display,
{
    let out_of_range = |reason: String| EditError::Crypto { what: "computing an expiry", reason };
    let end = TimeDelta::try_days(days).and_then(|life| now.checked_add_signed(life));
    let whole = end.and_then(|end| DateTime::<Utc>::from_timestamp(end.timestamp(), 0));
    let whole = whole.ok_or_else(|| out_of_range(now.to_string()))?;
    T::try_from(SystemTime::from(whole)).map_err(|error| out_of_range(error.to_string()))
}

/// A time of the library as ours.
pub(crate) fn moment(time: impl Into<SystemTime>) -> DateTime<Utc> {
    DateTime::<Utc>::from(time.into())
}

pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(crate) fn new_targets(version: NonZeroU64, now: DateTime<Utc>) -> Result<Targets, EditError> {
    let mut targets = Targets::new(SPEC_VERSION.to_owned(), version, expiry(now, limits::TARGETS_LIFE_DAYS)?);
    targets.delegations = None;
    Ok(targets)
}

/// A snapshot that names the given targets document.
pub(crate) fn new_snapshot(
    version: NonZeroU64,
    now: DateTime<Utc>,
    targets_version: NonZeroU64,
    targets: &[u8],
) -> Result<Snapshot, EditError> {
    let mut snapshot =
        Snapshot::new(SPEC_VERSION.to_owned(), version, expiry(now, limits::SNAPSHOT_LIFE_DAYS)?);
    snapshot.meta.insert("targets.json".to_owned(), metafile(targets_version, targets));
    Ok(snapshot)
}

/// A timestamp that names the given snapshot document.
pub(crate) fn new_timestamp(
    version: NonZeroU64,
    now: DateTime<Utc>,
    snapshot_version: NonZeroU64,
    snapshot: &[u8],
) -> Result<Timestamp, EditError> {
    let mut timestamp =
        Timestamp::new(SPEC_VERSION.to_owned(), version, expiry(now, limits::TIMESTAMP_LIFE_DAYS)?);
    timestamp.meta.insert("snapshot.json".to_owned(), metafile(snapshot_version, snapshot));
    timestamp._extra.insert(ISSUED.to_owned(), Value::String(rfc3339(now)));
    Ok(timestamp)
}

/// When the timestamp was signed, if it says so.
pub(crate) fn issued(timestamp: &Timestamp) -> Option<DateTime<Utc>> {
    let text = timestamp._extra.get(ISSUED)?.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

/// Who signs: the keys at hand that a root names.
pub(crate) struct Signers<'a> {
    /// Whose keys must suffice.
    pub(crate) root: &'a Root,
    /// Whose keys sign besides, where they are at hand: the root before, whose players are to read it too.
    pub(crate) also: Option<&'a Root>,
    /// The keys at hand.
    pub(crate) keyring: &'a Keyring,
}

impl Signers<'_> {
    /// Signs with every key at hand that is named for the role, and checks the result against the root.
    pub(crate) fn sign<R: Role + Serialize>(&self, role: R) -> Result<Vec<u8>, EditError> {
        let name = R::TYPE.to_string();
        let message = canonical(&role)?;
        let named = |id: &Decoded<Hex>| {
            let roots = [Some(self.root), self.also];
            roots
                .into_iter()
                .flatten()
                .filter_map(|root| root.roles.get(&R::TYPE))
                .any(|keys| keys.keyids.contains(id))
        };
        let mut signatures: Vec<Signature> = Vec::new();
        for key in self.keyring.keys().filter(|key| named(key.id())) {
            // The same key may lie in two files.
            if signatures.iter().all(|signature| signature.keyid != *key.id()) {
                signatures.push(Signature { keyid: key.id().clone(), sig: key.sign(&message).into() });
            }
        }
        let signed = Signed { signed: role, signatures };
        let missing = |_| EditError::MissingKey { role: name, path: self.keyring.folder().to_owned() };
        self.root.verify_role(&signed).map_err(missing)?;
        encode(&signed)
    }
}

/// The bytes that are signed.
pub(crate) fn canonical<R: Role>(role: &R) -> Result<Vec<u8>, EditError> {
    let failed = |reason: String| EditError::Crypto { what: "serializing metadata", reason };
    role.canonical_form().map_err(|error| failed(error.to_string()))
}

/// What a root says, without its signatures and its spelling: SHA-256 in hex. Two people who sign compare it.
pub(crate) fn identity(root: &Root) -> Result<String, EditError> {
    Ok(crate::fingerprint(&canonical(root)?))
}

/// Reads a signed document and checks it against the first of `roots` that accepts it.
pub(crate) fn open<R>(file: &str, bytes: &[u8], roots: &[&Root]) -> Result<R, EditError>
where
    R: Role + Serialize + DeserializeOwned,
{
    let damaged = |reason: String| EditError::Damaged { file: file.to_owned(), reason };
    let signed: Signed<R> = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    let mut refusal = String::from("no root to check it against");
    for root in roots {
        match root.verify_role(&signed) {
            Ok(()) => return Ok(signed.signed),
            Err(error) => refusal = error.to_string(),
        }
    }
    Err(damaged(refusal))
}

/// The version after `version`.
pub(crate) fn next(version: NonZeroU64) -> Result<NonZeroU64, EditError> {
    version.checked_add(1).ok_or_else(|| EditError::Crypto {
        what: "raising a version",
        reason: "it is the highest there can be".to_owned(),
    })
}

/// A document as its file, not larger than readers take.
pub(crate) fn encode<R: Role + Serialize>(signed: &Signed<R>) -> Result<Vec<u8>, EditError> {
    let mut bytes = serde_json::to_vec(signed)
        .map_err(|error| EditError::Crypto { what: "serializing metadata", reason: error.to_string() })?;
    bytes.push(b'\n');
    let limit = match R::TYPE {
        RoleType::Root => limits::ROOT_BYTES_MAX,
        RoleType::Timestamp => limits::TIMESTAMP_BYTES_MAX,
        RoleType::Snapshot => limits::SNAPSHOT_BYTES_MAX,
        _ => limits::TARGETS_BYTES_MAX,
    };
    let length = bytes.len() as u64;
    if length > limit {
        return Err(EditError::TooLarge { role: R::TYPE.to_string(), length, limit });
    }
    Ok(bytes)
}

fn metafile(version: NonZeroU64, bytes: &[u8]) -> Metafile {
    Metafile {
        length: Some(bytes.len() as u64),
        hashes: Some(Hashes { sha256: sha256(bytes).into(), _extra: HashMap::new() }),
        version,
        _extra: HashMap::new(),
    }
}
