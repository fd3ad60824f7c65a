//! The journal of an apply: everything left to do once the release is decided, in a form that can
//! be done twice.
//!
//! It exists, whole and synced, from the point of no return until the new release stands. Files
//! under `.muster` are named by [`Slot`], so that a journal cannot point outside.

use crate::{
    error::{Result, StoreError},
    partial::Partial,
    records::Record,
    state::check_format,
    tree::Tree,
};
use release::{
    hash::{Hash32, sha256},
    id::Version,
    path::GamePath,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The committed journal.
const FILE: &str = "journal.json";
/// Says that the *out* half of the journal with this id is done.
const MARKER: &str = "journal.out";
/// New files that are not staged contents: copies, moved and empty files.
pub(crate) const INCOMING_DIR: &str = "incoming";
/// Old files on their way out.
pub(crate) const OLD_DIR: &str = "old";
const FORMAT: u64 = 1;
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is left to do. First *out*, wholly; then *in*. So a step of one half never meets a file
/// that the other half put there, whatever the file system thinks of upper and lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) format: u64,
    pub(crate) version: Version,
    pub(crate) manifest_sha256: Hash32,
    /// Out: old files of ours that are deleted or moved.
    pub(crate) out: Vec<Out>,
    /// Out: folders of the old release that the new one lacks, deepest first; removed if empty.
    pub(crate) prune: Vec<GamePath>,
    /// Out: what is not ours and stands where the new release needs the place.
    pub(crate) asides: Vec<Aside>,
    /// In: folders to create, outermost first.
    pub(crate) dirs: Vec<GamePath>,
    /// In: files to put in place.
    pub(crate) place: Vec<Place>,
    /// In: kept files whose executable bit changes.
    pub(crate) modes: Vec<Mode>,
    /// Where what comes in the way later goes; empty in journals of older programs.
    #[serde(default)]
    pub(crate) aside_dir: String,
    /// How much of the release stands afterwards, where it is not all: then what is staged stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partial: Option<Partial>,
    /// SHA-256 of the journal without this: a bit that flipped must rename nothing. Journals of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Hash32>,
}

/// A file under `.muster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Slot {
    /// A staged content.
    Staging(Hash32),
    /// `incoming/<index of the file in the new manifest>`.
    Incoming(u32),
    /// `old/<number>`.
    Old(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Out {
    pub(crate) from: GamePath,
    pub(crate) to: Slot,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aside {
    pub(crate) path: GamePath,
    #[serde(deserialize_with = "moved")]
    pub(crate) to: GamePath,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) from: Slot,
    pub(crate) path: GamePath,
    pub(crate) executable: bool,
    /// What was hashed before the commit.
    pub(crate) record: Record,
    /// A file of ours stood there; anything else that stands there when it is put in place came later and is not ours.
    /// Journals of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mode {
    pub(crate) path: GamePath,
    pub(crate) executable: bool,
}

impl Slot {
    pub(crate) fn path(self, tree: &Tree) -> PathBuf {
        match self {
            Self::Staging(root) => tree.state(crate::staging::DIR).join(root.to_string()),
            Self::Incoming(index) => tree.state(INCOMING_DIR).join(index.to_string()),
            Self::Old(number) => tree.state(OLD_DIR).join(number.to_string()),
        }
    }
}

impl Journal {
    pub(crate) fn new(version: Version, manifest_sha256: Hash32) -> Self {
        Self {
            format: FORMAT,
            version,
            manifest_sha256,
            out: Vec::new(),
            prune: Vec::new(),
            asides: Vec::new(),
            dirs: Vec::new(),
            place: Vec::new(),
            modes: Vec::new(),
            aside_dir: String::new(),
            partial: None,
            check: None,
        }
    }

    /// The committed journal and its id, or `None`.
    pub(crate) fn load(tree: &Tree) -> Result<Option<(Self, Hash32)>> {
        let path = tree.state(FILE);
        let Some(bytes) = tree.disk.read(&path, BYTES_MAX)? else { return Ok(None) };
        check_format(&path, &bytes, FORMAT)?;
        let journal: Self =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::broken(&path, error))?;
        if journal.check.is_some_and(|check| journal.sum().ok() != Some(check)) {
            return Err(StoreError::broken(&path, "its bytes are not what was written"));
        }
        Ok(Some((journal, sha256(&bytes))))
    }

    /// SHA-256 of everything but the check itself.
    fn sum(&self) -> serde_json::Result<Hash32> {
        let plain = Self { check: None, ..self.clone() };
        serde_json::to_vec(&plain).map(|bytes| sha256(&bytes))
    }

    /// Whether an apply waits to be finished.
    pub(crate) fn exists(tree: &Tree) -> Result<bool> {
        Ok(tree.disk.kind(&tree.state(FILE))?.is_some())
    }

    /// The point of no return. Everything that the journal names must be synced before.
    pub(crate) fn commit(&mut self, tree: &Tree) -> Result<Hash32> {
        let path = tree.state(FILE);
        let broken = |error| StoreError::broken(&path, error);
        self.check = Some(self.sum().map_err(broken)?);
        let bytes = serde_json::to_vec(self).map_err(broken)?;
        tree.disk.write_atomic(&path, &bytes)?;
        Ok(sha256(&bytes))
    }

    /// Takes the journal away: the new release stands.
    pub(crate) fn remove(tree: &Tree) -> Result<()> {
        tree.disk.remove_file(&tree.state(FILE))?;
        tree.disk.sync_dir(&tree.state(""))
    }
}

/// Whether the *out* half of the journal with this id is done.
pub(crate) fn out_is_done(tree: &Tree, id: Hash32) -> Result<bool> {
    let marker = tree.disk.read(&tree.state(MARKER), 1024)?;
    Ok(marker.is_some_and(|bytes| bytes == id.to_string().as_bytes()))
}

/// Writes down that it is. Everything of it must be synced before.
pub(crate) fn mark_out_done(tree: &Tree, id: Hash32) -> Result<()> {
    tree.disk.write_atomic(&tree.state(MARKER), id.to_string().as_bytes())
}

/// Removes what an apply leaves beside the journal. Only without a journal.
pub(crate) fn sweep(tree: &Tree) -> Result<()> {
    tree.disk.remove_file(&tree.state(MARKER))?;
    tree.disk.remove_tree(&tree.state(OLD_DIR))?;
    tree.disk.remove_tree(&tree.state(INCOMING_DIR))
}

/// Where something is moved aside to: nothing a release could name.
fn moved<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<GamePath, D::Error> {
    let text = <String as Deserialize>::deserialize(deserializer)?;
    GamePath::parse_moved(&text).map_err(serde::de::Error::custom)
}
