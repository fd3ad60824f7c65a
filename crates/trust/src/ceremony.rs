//! The exchange of keys: which keys may sign what is said by the root, and a new root must be signed by enough keys of the
//! present one and by enough of its own. Those lie apart, on machines without a network, so a [`Draft`] travels as a file:
//! [`prepare`] makes it beside the repository, [`Draft::sign`] adds a signature wherever a root key is, and [`publish`] puts
//! it into the repository and signs anew what the new keys have to sign.
//!
//! Invariant: nothing in the repository changes before both thresholds are met, and then there is no moment at which a
//! player's program could not follow, if the old keys of the other roles are still at hand.
//!
//! It does not ask people anything; what they have to look at before they sign is a [`Summary`].

mod draft;
mod overview;
mod summary;

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key as TufKey;
use tough::schema::{RoleKeys, RoleType, Root};

use crate::editor::Editor;
use crate::keyring::{KEY_EXTENSION, Key};
use crate::{EditError, disk, keys, limits, role};
pub use draft::{Draft, Signature};
pub use overview::{HeldKey, Overview, RoleView, overview};
pub use summary::{RoleChange, Summary};

/// Ending of the names of public key files.
const PUBLIC_EXTENSION: &str = "pub";

/// A role as people speak of it. Snapshot and timestamp have the same key, because the same machine signs both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRole {
    /// Says which keys may sign what; offline.
    Root,
    /// Releases.
    Targets,
    /// Snapshot and timestamp, daily.
    Online,
}

impl KeyRole {
    /// All of them, the most precious first.
    pub const ALL: [Self; 3] = [Self::Root, Self::Targets, Self::Online];

    /// Its name: `root`, `targets` or `online`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Online => "online",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    fn types(self) -> &'static [RoleType] {
        match self {
            Self::Root => &[RoleType::Root],
            Self::Targets => &[RoleType::Targets],
            Self::Online => &[RoleType::Snapshot, RoleType::Timestamp],
        }
    }

    /// Ids of the keys that the root names for it, in its order, and how many of them must sign.
    fn of(self, root: &Root) -> (Vec<Decoded<Hex>>, u64) {
        let (mut ids, mut threshold) = (Vec::<Decoded<Hex>>::new(), 0);
        for keys in self.types().iter().filter_map(|kind| root.roles.get(kind)) {
            for id in &keys.keyids {
                if !ids.contains(id) {
                    ids.push(id.clone());
                }
            }
            threshold = threshold.max(keys.threshold.get());
        }
        (ids, threshold)
    }
}

/// The public half of a key, as it is carried to whoever prepares a root.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key: TufKey,
    id: Decoded<Hex>,
}

impl PublicKey {
    /// Reads what [`new_key`] wrote.
    ///
    /// # Errors
    /// [`EditError::Draft`] for anything else, [`EditError::Disk`].
    pub fn read(path: &Path) -> Result<Self, EditError> {
        let bytes = disk::read(path, limits::KEY_FILE_BYTES_MAX)?;
        let draft = |reason: String| EditError::Draft { reason: format!("{}: {reason}", path.display()) };
        let key: TufKey = serde_json::from_slice(&bytes).map_err(|error| draft(error.to_string()))?;
        if !matches!(&key, TufKey::Ed25519 { _extra, .. } if _extra.is_empty()) {
            return Err(draft("not a public Ed25519 key".to_owned()));
        }
        let id = key.key_id().map_err(|error| draft(error.to_string()))?;
        Ok(Self { key, id })
    }

    /// Its id, in hex.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&self.id)
    }
}

/// A key that was made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id, in hex.
    pub id: String,
    /// The private half: stays where it is.
    pub private: PathBuf,
    /// The public half: is carried to whoever prepares the root.
    pub public: PathBuf,
}

/// Makes one key, `name`, in a folder. Needs no repository and no network.
///
/// # Errors
/// [`EditError::KeysFolderInRepository`], [`EditError::KeysExist`], [`EditError::TargetName`] for a name that is no file
/// name everywhere, [`EditError::Disk`].
pub fn new_key(keys_dir: &Path, name: &str) -> Result<NewKey, EditError> {
    crate::name::check(name)?;
    disk::create_folder(keys_dir, true)?;
    for folder in disk::canonical(keys_dir)?.ancestors() {
        if disk::exists(&folder.join("metadata/timestamp.json"))? {
            return Err(EditError::KeysFolderInRepository { path: keys_dir.to_owned() });
        }
    }
    let (private, public) =
        [KEY_EXTENSION, PUBLIC_EXTENSION].map(|end| keys_dir.join(format!("{name}.{end}"))).into();
    if disk::exists(&private)? {
        return Err(EditError::KeysExist { path: private });
    }
    let (key, bytes) = Key::generate()?;
    disk::create_private(&private, &bytes)?;
    let text = serde_json::to_vec(key.public())
        .map_err(|error| EditError::Crypto { what: "writing a public key", reason: error.to_string() })?;
    disk::replace(&public, &text)?;
    Ok(NewKey { id: hex::encode(key.id()), private, public })
}

/// What the next root is to change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Keys to be named for a role.
    pub add: Vec<(KeyRole, PublicKey)>,
    /// Keys to be taken out, wherever they are named: ids, or beginnings of ids that only one key has. Targets or online
    /// keys of which too few would be left are replaced as if by `rotate`.
    pub remove: Vec<String>,
    /// Roles that get new keys in place of all they have, made in the keys folder. Not the root: its keys are made where
    /// they stay.
    pub rotate: Vec<KeyRole>,
    /// Days until the next root expires.
    pub life_days: i64,
}

impl Default for Change {
    fn default() -> Self {
        Self { add: Vec::new(), remove: Vec::new(), rotate: Vec::new(), life_days: limits::ROOT_LIFE_DAYS }
    }
}

/// Makes the next root, unsigned, and the keys that it needs in `keys_dir`. Without any change it renews the expiry. The
/// present root may have expired.
///
/// # Errors
/// [`EditError::KeyNotNamed`] for a key to be removed that is not there, [`EditError::RootRoles`] if a role could not be
/// signed afterwards, and as [`Editor::open`]. No key is made then.
pub fn prepare(
    repo_dir: &Path,
    keys_dir: &Path,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<(Draft, Vec<PathBuf>), EditError> {
    let editor = Editor::open(repo_dir, keys_dir)?;
    let mut next = editor.root().clone();
    next.version = role::next(next.version)?;
    next.expires = role::expiry(now, change.life_days)?;
    for wanted in &change.remove {
        let id = resolve(editor.root(), wanted)?;
        next.roles.values_mut().for_each(|keys| keys.keyids.retain(|named| *named != id));
    }
    for (role, key) in &change.add {
        name_key(&mut next, *role, &key.id, &key.key);
    }
    let bereft = |role: &KeyRole| {
        let (ids, threshold) = role.of(&next);
        *role != KeyRole::Root && !change.remove.is_empty() && (ids.len() as u64) < threshold.max(1)
    };
    let bereft: Vec<KeyRole> = KeyRole::ALL.into_iter().filter(bereft).collect();
    let made = rotate(&mut next, keys_dir, &[&change.rotate[..], &bereft].concat())?;
    let used: Vec<_> = next.roles.values().flat_map(|keys| keys.keyids.clone()).collect();
    next.keys.retain(|id, _| used.contains(id));
    check_roles(&next)?;
    for (_, bytes, path) in &made {
        disk::create_folder(keys_dir, true)?;
        keys::refuse_nested(keys_dir, repo_dir)?;
        disk::create_private(path, bytes)?;
    }
    let draft = Draft::new(editor.newest().clone(), next);
    Ok((draft, made.into_iter().map(|(_, _, path)| path).collect()))
}

/// What [`publish`] did.
#[derive(Debug, Clone)]
pub struct Published {
    /// Version of the root that is now the newest.
    pub version: u64,
    /// SHA-256 of its content, in hex: what was compared before it was signed.
    pub sha256: String,
    /// The list of targets was signed anew.
    pub targets_signed: bool,
    /// Snapshot and timestamp were signed anew.
    pub online_signed: bool,
    /// True if players could read the repository at every moment in between; false if the old keys were not at hand, so
    /// that a player who came within a fraction of a second was refused once.
    pub seamless: bool,
}

/// Puts a signed draft into the repository, and signs anew what its keys have to sign. Can be repeated if it was cut off.
///
/// # Errors
/// [`EditError::RootUnsigned`], [`EditError::DraftStale`], [`EditError::RootExpired`], [`EditError::MissingKey`] or
/// [`EditError::KeyRevoked`] if what must be signed anew cannot be; nothing was changed then.
pub fn publish(
    repo_dir: &Path,
    keys_dir: &Path,
    draft: &Draft,
    now: DateTime<Utc>,
) -> Result<Published, EditError> {
    let mut editor = Editor::open(repo_dir, keys_dir)?;
    let next = draft.complete()?;
    let sha256 = role::identity(&next.signed)?;
    let newest = role::identity(editor.root())?;
    if newest != draft.previous_identity()? && newest != sha256 {
        let (version, newest) = (next.signed.version.get(), editor.root().version.get());
        return Err(EditError::DraftStale { version, newest });
    }
    check_roles(&next.signed)?;
    let expires = role::moment(next.signed.expires);
    if expires <= now {
        return Err(EditError::RootExpired { expired: role::rfc3339(expires) });
    }
    let version = next.signed.version.get();
    let adopted = editor.adopt_root(next, now)?;
    Ok(Published {
        version,
        sha256,
        targets_signed: adopted.targets,
        online_signed: adopted.online,
        seamless: adopted.seamless,
    })
}

/// The one key of the root whose id begins like this.
fn resolve(root: &Root, wanted: &str) -> Result<Decoded<Hex>, EditError> {
    let refused = |reason| EditError::KeyNotNamed { key: wanted.to_owned(), reason };
    let wanted_lower = wanted.to_ascii_lowercase();
    if wanted_lower.len() < ID_SHOWN_MIN {
        return Err(refused("is too short: write at least eight digits of its id"));
    }
    let mut found = root.keys.keys().filter(|id| hex::encode(id).starts_with(&wanted_lower));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id.clone()),
        (None, _) => Err(refused("is not named in the root")),
        (Some(_), Some(_)) => Err(refused("fits more than one key: write more of its id")),
    }
}

/// Digits of an id that a person has to write at least.
const ID_SHOWN_MIN: usize = 8;

fn name_key(root: &mut Root, role: KeyRole, id: &Decoded<Hex>, key: &TufKey) {
    root.keys.insert(id.clone(), key.clone());
    for kind in role.types() {
        let keys = root.roles.entry(*kind).or_insert_with(|| RoleKeys {
            keyids: Vec::new(),
            threshold: NonZeroU64::MIN,
            _extra: HashMap::new(),
        });
        if !keys.keyids.contains(id) {
            keys.keyids.push(id.clone());
        }
    }
}

/// New keys for whole roles, as many as each had; not written yet.
fn rotate(
    next: &mut Root,
    keys_dir: &Path,
    roles: &[KeyRole],
) -> Result<Vec<(Key, Vec<u8>, PathBuf)>, EditError> {
    let mut made = Vec::new();
    for role in KeyRole::ALL.into_iter().filter(|role| roles.contains(role)) {
        if role == KeyRole::Root {
            let reason =
                "its keys are made where they stay (`keys new`) and named by their public halves (`--add`)";
            return Err(EditError::RootRoles { role: role.name().to_owned(), reason: reason.to_owned() });
        }
        // A key that was removed just before is replaced too.
        let count = role.of(next).0.len().max(1);
        for kind in role.types() {
            next.roles.entry(*kind).and_modify(|keys| keys.keyids.clear());
        }
        for number in 1..=count {
            let (key, bytes) = Key::generate()?;
            let stem = format!("{}-v{}-{number}", role.name(), next.version);
            let mut path = keys_dir.join(format!("{stem}.{KEY_EXTENSION}"));
            // Of a draft that was given up.
            let mut again = 2;
            while disk::exists(&path)? {
                path = keys_dir.join(format!("{stem}-{again}.{KEY_EXTENSION}"));
                again += 1;
            }
            name_key(next, role, key.id(), key.public());
            made.push((key, bytes, path));
        }
    }
    Ok(made)
}

/// Every role can be signed, and by as many different keys as it says.
fn check_roles(root: &Root) -> Result<(), EditError> {
    let mut seen: Vec<(&'static str, Decoded<Hex>)> = Vec::new();
    for role in KeyRole::ALL {
        let (ids, threshold) = role.of(root);
        let weak = |reason: String| EditError::RootRoles { role: role.name().to_owned(), reason };
        if (ids.len() as u64) < threshold.max(1) {
            let have = ids.len();
            return Err(weak(format!("{threshold} keys must sign, and {have} would be left: add or rotate")));
        }
        for id in ids {
            let known = root
                .keys
                .get(&id)
                .is_some_and(|key| matches!(key, TufKey::Ed25519 { _extra, .. } if _extra.is_empty()));
            if !known {
                return Err(weak(format!("key {} is not a plain Ed25519 key", hex::encode(&id))));
            }
            if let Some((other, _)) = seen.iter().find(|(_, seen)| *seen == id) {
                return Err(weak(format!(
                    "key {} is also a key of {other}: each role needs its own",
                    hex::encode(&id)
                )));
            }
            seen.push((role.name(), id));
        }
    }
    Ok(())
}
