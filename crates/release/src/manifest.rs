//! The manifest: the one description of a release. The info dictionary derives from it.

use crate::{
    hash::Hash32,
    id::{GameId, Version},
    layout::{FileEntry, Layout, LayoutError, PieceLayers},
    limits::{FILES_MAX, LIST_MAX, MANIFEST_BYTES_MAX, TEXT_BYTES_MAX},
    metainfo::{Metainfo, MetainfoError, check_collisions},
    path::GamePath,
};
use serde::{
    Deserialize, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt, marker::PhantomData};

/// The only format this version reads.
pub const FORMAT: u32 = 1;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Whose release it is.
    pub game: GameId,
    /// Its version.
    pub version: Version,
    /// The game's name for people.
    pub title: String,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Files in the order of the tree.
    #[serde(deserialize_with = "bounded")]
    pub files: Vec<ManifestFile>,
    /// Folders without files that the game expects.
    #[serde(default, deserialize_with = "bounded")]
    pub empty_dirs: Vec<GamePath>,
    /// How to start the game, by platform (`linux-x86_64`, `windows-x86_64`, `macos-aarch64`, …).
    #[serde(default)]
    pub launch: BTreeMap<String, Launch>,
    /// Patch notes, plain text.
    #[serde(default)]
    pub notes: String,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Where it lies in the game folder.
    pub path: GamePath,
    /// Bytes.
    pub size: u64,
    /// May be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Root of its merkle tree; absent exactly when it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces_root: Option<Hash32>,
    /// Whose it is once installed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// When it is needed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub set: FileSet,
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The publisher's: verified, repaired, served, updated, deleted.
    #[default]
    Content,
    /// The player's: installed if absent, then never touched or served.
    User,
}

/// When a file is needed, earliest first. A first install fetches and puts in place set after set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSet {
    /// Without it nothing runs at all.
    #[default]
    Required,
    /// Needed for a good session: the game is started once this and all before it are in place.
    Playable,
    /// Whatever can come while the game runs: high resolutions, languages, later chapters.
    Optional,
}

impl FileSet {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 3] = [Self::Required, Self::Playable, Self::Optional];
}

/// A launch command: an argument vector, never a shell line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program, a file of this release.
    pub executable: GamePath,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of this form, or a path that some system misreads.
    #[error("manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// Written for a newer launcher.
    #[error("manifest format {0} is newer than this program")]
    Format(u32),
    /// Too many or too long.
    #[error("manifest: {0} out of bounds")]
    Bounds(&'static str),
    /// Paths that collide on some file systems.
    #[error("manifest: {0}")]
    Paths(#[from] MetainfoError),
    /// Sizes, roots or order.
    #[error("manifest: {0}")]
    Layout(#[from] LayoutError),
    /// A launch command names a file that is not in the release.
    #[error("manifest: launch executable {0} is not in the release")]
    Launch(GamePath),
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], naming what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Bounds("size"));
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what serde cannot: bounds, collisions, order, launch commands.
    ///
    /// # Errors
    /// [`ManifestError`], naming what is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::Format(self.format));
        }
        if self.files.len() + self.empty_dirs.len() > FILES_MAX {
            return Err(ManifestError::Bounds("number of files"));
        }
        let arguments = || self.launch.values().flat_map(|launch| &launch.arguments);
        let long = |text: &String| text.len() > TEXT_BYTES_MAX;
        if long(&self.title) || long(&self.notes) || arguments().any(long) {
            return Err(ManifestError::Bounds("text"));
        }
        if self.launch.len() > LIST_MAX || self.launch.values().any(|l| l.arguments.len() > LIST_MAX) {
            return Err(ManifestError::Bounds("launch commands"));
        }
        check_collisions(self.files.iter().map(|file| &file.path).chain(&self.empty_dirs))?;
        self.layout()?;
        for launch in self.launch.values() {
            let known = self.files.iter().any(|f| f.path == launch.executable && f.kind == Kind::Content);
            if !known {
                return Err(ManifestError::Launch(launch.executable.clone()));
            }
        }
        Ok(())
    }

    /// The document as it is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has only text keys, which JSON always takes")
    }

    /// Files and pieces of the release torrent.
    ///
    /// # Errors
    /// [`LayoutError`]; never for a manifest that [`Manifest::parse`] returned.
    pub fn layout(&self) -> Result<Layout, LayoutError> {
        let entry = |file: &ManifestFile| FileEntry {
            path: file.path.clone(),
            length: file.size,
            pieces_root: file.pieces_root,
            executable: file.executable,
        };
        Layout::new(self.piece_length, self.files.iter().map(entry).collect())
    }

    /// Name of the release torrent: `<game>-<version>`.
    #[must_use]
    pub fn torrent_name(&self) -> String {
        format!("{}-{}", self.game, self.version)
    }

    /// The release torrent, with the piece layers given.
    ///
    /// # Errors
    /// [`MetainfoError`]; never for a manifest that [`Manifest::parse`] returned.
    pub fn metainfo(
        &self,
        layers: PieceLayers,
        announce: Vec<Vec<String>>,
        url_list: Vec<String>,
    ) -> Result<Metainfo, MetainfoError> {
        Metainfo::build(&self.torrent_name(), self.layout()?, layers, announce, url_list)
    }

    /// Infohash of the release torrent.
    ///
    /// # Errors
    /// [`MetainfoError`]; never for a manifest that [`Manifest::parse`] returned.
    pub fn infohash(&self) -> Result<Hash32, MetainfoError> {
        Ok(self.metainfo(PieceLayers::default(), Vec::new(), Vec::new())?.infohash)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// When each content is needed: files with the same bytes are fetched for the first that needs them.
    #[must_use]
    pub fn sets_by_root(&self) -> BTreeMap<Hash32, FileSet> {
        let mut sets = BTreeMap::new();
        for file in &self.files {
            if let Some(root) = file.pieces_root {
                let set = sets.entry(root).or_insert(file.set);
                *set = file.set.min(*set);
            }
        }
        sets
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &GamePath) -> Option<&ManifestFile> {
        let at = self.files.binary_search_by(|file| file.path.cmp(path)).ok()?;
        self.files.get(at)
    }
}

/// A list that may be as long as a release has files: what is longer is refused before it fills the memory.
fn bounded<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Bounded<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {FILES_MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() >= FILES_MAX {
                    return Err(A::Error::invalid_length(items.len() + 1, &self));
                }
                items.push(item);
            }
            Ok(items)
        }
    }

    deserializer.deserialize_seq(Bounded(PhantomData))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(files: &str) -> String {
        format!(
            r#"{{"format":1,"game":"g","version":"1.0","title":"G","piece_length":16384,"files":[{files}]}}"#
        )
    }

    fn file(path: &str) -> String {
        let root = "ab".repeat(32);
        format!(r#"{{"path":"{path}","size":1,"pieces_root":"{root}"}}"#)
    }

    #[test]
    fn good_manifest_round_trips_and_derives_its_torrent() {
        let text = json(&[file("a/b"), file("a.b"), file("c")].join(","));
        let manifest = Manifest::parse(text.as_bytes()).expect("good");
        assert_eq!(Manifest::parse(&manifest.encode()).expect("good"), manifest);
        let torrent = manifest.metainfo(PieceLayers::default(), vec![], vec![]).expect("good");
        let parsed = Metainfo::parse(&torrent.encode()).expect("good");
        assert_eq!(parsed, torrent);
        assert_eq!(parsed.name, "g-1.0");
    }

    #[test]
    fn hostile_manifests_are_refused() {
        for files in [
            file("../x"),
            file("CON"),
            file("a\\\\b"),
            file(".muster/x"),
            [file("A"), file("a")].join(","),
            [file("a"), file("a/b")].join(","),
            [file("A/x"), file("a/y")].join(","),
            [file("b"), file("a")].join(","),
            [file("a"), file("a")].join(","),
            r#"{"path":"a","size":1}"#.into(),
            r#"{"path":"a","size":-1}"#.into(),
        ] {
            assert!(Manifest::parse(json(&files).as_bytes()).is_err(), "{files}");
        }
        let newer = json(&file("a")).replace(r#""format":1"#, r#""format":2"#);
        assert!(matches!(Manifest::parse(newer.as_bytes()), Err(ManifestError::Format(2))));
    }
}
