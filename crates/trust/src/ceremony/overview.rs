//! Who may sign what in a repository, until when, and which of the keys are here.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::KeyRole;
use crate::editor::{Editor, Expiries};
use crate::{EditError, role};

/// See the module.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Version of the newest root.
    pub root_version: u64,
    /// SHA-256 of what it says, in hex.
    pub root_sha256: String,
    /// When the documents run out.
    pub expiries: Expiries,
    /// The roles, the most precious first.
    pub roles: Vec<RoleView>,
    /// Private keys in the keys folder that the root does not name.
    pub unnamed: Vec<HeldKey>,
}

/// One role.
#[derive(Debug, Clone)]
pub struct RoleView {
    /// Which.
    pub role: KeyRole,
    /// How many keys have to sign.
    pub threshold: u64,
    /// Its keys: the id in hex, and the private key's file if it is here.
    pub keys: Vec<(String, Option<PathBuf>)>,
}

/// A private key that signs nothing.
#[derive(Debug, Clone)]
pub struct HeldKey {
    /// Its id, in hex.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// An earlier root named it: it was revoked or replaced. Else no root has ever named it.
    pub revoked: bool,
}

/// Looks at a repository and a keys folder; changes nothing.
///
/// # Errors
/// As [`Editor::open`].
pub fn overview(repo_dir: &Path, keys_dir: &Path) -> Result<Overview, EditError> {
    let editor = Editor::open(repo_dir, keys_dir)?;
    let root = editor.root();
    let roles = KeyRole::ALL.map(|role| {
        let (ids, threshold) = role.of(root);
        let file =
            |id| editor.keyring().files().find(|(key, _)| key.id() == id).map(|(_, path)| path.to_owned());
        RoleView { role, threshold, keys: ids.iter().map(|id| (hex::encode(id), file(id))).collect() }
    });
    let unnamed = editor.keyring().files().filter(|(key, _)| !root.keys.contains_key(key.id()));
    let unnamed = unnamed.map(|(key, path)| HeldKey {
        id: hex::encode(key.id()),
        path: path.to_owned(),
        revoked: editor.was_named(key.id()),
    });
    Ok(Overview {
        root_version: root.version.get(),
        root_sha256: role::identity(root)?,
        expiries: editor.expiries(),
        roles: roles.into(),
        unnamed: unnamed.collect(),
    })
}

impl Overview {
    /// When a role's documents run out first.
    #[must_use]
    pub fn expires(&self, role: KeyRole) -> DateTime<Utc> {
        match role {
            KeyRole::Root => self.expiries.root,
            KeyRole::Targets => self.expiries.targets,
            KeyRole::Online => self.expiries.snapshot.min(self.expiries.timestamp),
        }
    }
}
