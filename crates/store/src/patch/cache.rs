//! `.muster/patches`: payloads of patches, while they come and for some time afterwards, so that they can be passed on.
//!
//! Each payload has a staging of its own in `<root>/`, and beside it the torrent it came by, `<root>.torrent`. `index.json`
//! names the roots, oldest first; what it does not name is swept away. Invariant: a payload is either wholly known (index,
//! torrent, staging) or not at all after the next call; bytes that were verified and flushed are never fetched again
//! while the payload is kept.

use crate::{
    disk::{Disk, parent},
    error::{Result, StoreError},
    folder::GameFolder,
    hashing::Shape,
    staging::{Have, Staging},
    tree::Tree,
};
use release::{hash::Hash32, limits::METAINFO_BYTES_MAX, metainfo::Metainfo};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    str::FromStr,
};

/// What the cache keeps when no download needs it, in bytes, unless the caller says otherwise.
pub const KEPT_BYTES: u64 = 256 * 1024 * 1024;
/// Most payloads that are kept: each is a folder, and a torrent to be announced.
const PAYLOADS_MAX: usize = 16;

const DIR: &str = "patches";
const PRELOAD_DIR: &str = "preload";
const INDEX: &str = "index.json";
const INDEX_BYTES_MAX: u64 = 64 * 1024;
/// Read and hashed at once while a payload is checked: no piece is longer (see [`release::limits`]).
const PIECE_MAX: usize = release::limits::PIECE_LENGTH_MAX as usize;

/// A payload that is here, at least in part.
#[derive(Debug)]
pub struct Cached {
    /// The torrent it is shared by, with its piece layers.
    pub torrent: Metainfo,
    /// Where its bytes lie; what it has was hashed just now.
    pub staging: Staging,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    /// Oldest first.
    roots: Vec<Hash32>,
}

/// The cache of one game folder. Its owner sees to it that nobody uses a payload that is trimmed away.
#[derive(Debug, Clone)]
pub struct Cache {
    tree: Tree,
    /// Name of its folder under `.muster`.
    name: &'static str,
}

impl Cache {
    /// Of this folder.
    #[must_use]
    pub fn of(folder: &GameFolder) -> Self {
        Self { tree: folder.tree().clone(), name: DIR }
    }

    /// `.muster/preload`: sealed bundles of a release whose hour has not come, kept in the same way.
    #[must_use]
    pub fn preloads(folder: &GameFolder) -> Self {
        Self { tree: folder.tree().clone(), name: PRELOAD_DIR }
    }

    /// Opens the payload of this single-file torrent for fetching; it counts as the newest from now on.
    ///
    /// # Errors
    /// [`StoreError::StateBroken`] for a torrent that is not one file with bytes; as the disk says.
    pub fn open(&self, torrent: &Metainfo) -> Result<Staging> {
        let tree = &self.tree;
        let (root, size) = content(torrent).ok_or_else(|| not_a_payload(tree))?;
        let (disk, dir) = (&tree.disk, tree.state(self.name));
        if disk.ensure_dir(&dir)? {
            disk.sync_dir(parent(&dir))?;
        }
        disk.write_atomic(&beside(&dir, &root), &torrent.encode())?;
        let mut index = read_index(disk, &dir)?;
        index.roots.retain(|known| *known != root);
        index.roots.push(root);
        write_index(disk, &dir, &index)?;
        Staging::open_at(disk, dir.join(root.to_string()), BTreeMap::from([(root, size)]))
    }

    /// What is here of the payload with this root.
    ///
    /// # Errors
    /// As the disk says.
    pub fn have(&self, root: &Hash32) -> Result<Have> {
        let tree = &self.tree;
        Have::read(&tree.disk, &tree.state(self.name).join(root.to_string()))
    }

    /// Roots of the payloads that are here, newest first.
    ///
    /// # Errors
    /// As the disk says.
    pub fn roots(&self) -> Result<Vec<Hash32>> {
        let index = read_index(&self.tree.disk, &self.tree.state(self.name))?;
        Ok(index.roots.into_iter().rev().collect())
    }

    /// The payload with this root, read back and hashed, so that nothing false is passed on; `None` where it is not here
    /// or its torrent is lost.
    ///
    /// # Errors
    /// As the disk says.
    pub fn load(&self, root: &Hash32) -> Result<Option<Cached>> {
        let (disk, dir) = (&self.tree.disk, self.tree.state(self.name));
        let Some(torrent) = read_torrent(disk, &beside(&dir, root), root)? else { return Ok(None) };
        let Some((root, size)) = content(&torrent) else { return Ok(None) };
        let staging = Staging::open_at(disk, dir.join(root.to_string()), BTreeMap::from([(root, size)]))?;
        check(&staging, &torrent, &root)?;
        Ok(Some(Cached { torrent, staging }))
    }

    /// Reads back and hashes what is here of a payload; what is false counts as missing from now on. Nobody may have it
    /// open meanwhile.
    ///
    /// # Errors
    /// As the disk says.
    pub fn recheck(&self, root: &Hash32) -> Result<()> {
        self.load(root).map(drop)
    }

    /// Drops the oldest payloads until no more than `bytes_max` verified bytes are kept, and what belongs to none.
    ///
    /// # Errors
    /// As the disk says.
    pub fn trim(&self, bytes_max: u64) -> Result<()> {
        let tree = &self.tree;
        let (disk, dir) = (&tree.disk, tree.state(self.name));
        let index = read_index(disk, &dir)?;
        let (mut kept, mut bytes) = (Vec::new(), 0_u64);
        for root in index.roots.iter().rev().take(PAYLOADS_MAX) {
            bytes = bytes.saturating_add(self.have(root)?.bytes_of(root));
            if bytes > bytes_max {
                break;
            }
            kept.insert(0, *root);
        }
        if kept.len() < index.roots.len() {
            // Out of the index first: cut short, what is left belongs to nobody and goes the next time.
            write_index(disk, &dir, &Index { roots: kept.clone() })?;
        }
        self.sweep(kept)
    }

    /// Drops what `keep` does not want.
    ///
    /// # Errors
    /// As the disk says.
    pub fn retain(&self, keep: impl Fn(&Hash32) -> bool) -> Result<()> {
        let (disk, dir) = (&self.tree.disk, self.tree.state(self.name));
        let index = read_index(disk, &dir)?;
        let kept: Vec<Hash32> = index.roots.iter().copied().filter(|root| keep(root)).collect();
        if kept.len() < index.roots.len() {
            write_index(disk, &dir, &Index { roots: kept.clone() })?;
        }
        self.sweep(kept)
    }

    /// Removes what belongs to none of these.
    fn sweep(&self, kept: Vec<Hash32>) -> Result<()> {
        let (disk, dir) = (&self.tree.disk, self.tree.state(self.name));
        let kept: BTreeSet<Hash32> = kept.into_iter().collect();
        for name in disk.names(&dir)? {
            let root =
                name.to_str().and_then(|name| Hash32::from_str(name.trim_end_matches(".torrent")).ok());
            if name != INDEX && root.is_none_or(|root| !kept.contains(&root)) {
                disk.remove_tree(&dir.join(name))?;
            }
        }
        Ok(())
    }
}

/// Root and size of the one file of a payload's torrent.
fn content(torrent: &Metainfo) -> Option<(Hash32, u64)> {
    match torrent.layout.files() {
        [only] => only.pieces_root.map(|root| (root, only.length)),
        _ => None,
    }
}

/// Marks as lost what does not hash to what the torrent says.
fn check(staging: &Staging, torrent: &Metainfo, root: &Hash32) -> Result<()> {
    let layout = &torrent.layout;
    let mut buffer = Vec::with_capacity(PIECE_MAX.min(layout.piece_length() as usize));
    for piece in staging.pieces(layout) {
        let place = layout.piece(piece);
        let shape = Shape { size: layout.files()[place.file].length, piece_length: layout.piece_length() };
        buffer.resize(place.length as usize, 0);
        match staging.read_into(root, place.offset, &mut buffer) {
            Ok(()) => {}
            // It is marked as lost already.
            Err(StoreError::NotVerified { .. }) => continue,
            Err(error) => return Err(error),
        }
        if torrent.layers.piece_hash(layout, piece) != Some(shape.piece_hash(&buffer)) {
            staging.lost(root, place.offset, u64::from(place.length));
        }
    }
    staging.flush()
}

/// The torrent kept for `root`; one that is damaged or another's is none.
fn read_torrent(disk: &Disk, path: &Path, root: &Hash32) -> Result<Option<Metainfo>> {
    let Some(bytes) = disk.read(path, METAINFO_BYTES_MAX as u64)? else { return Ok(None) };
    match Metainfo::parse(&bytes) {
        Ok(torrent) if content(&torrent).is_some_and(|(found, _)| found == *root) => Ok(Some(torrent)),
        Ok(_) => Ok(None),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a kept patch is not passed on");
            Ok(None)
        }
    }
}

fn read_index(disk: &Disk, dir: &Path) -> Result<Index> {
    let path = dir.join(INDEX);
    let Some(bytes) = disk.read(&path, INDEX_BYTES_MAX)? else { return Ok(Index::default()) };
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        // What it named is fetched again where it is needed.
        tracing::warn!(path = %path.display(), %error, "the list of kept patches is damaged");
        Index::default()
    }))
}

fn write_index(disk: &Disk, dir: &Path, index: &Index) -> Result<()> {
    let path = dir.join(INDEX);
    let bytes = serde_json::to_vec(index).map_err(|error| StoreError::broken(&path, error))?;
    disk.write_atomic(&path, &bytes)
}

fn beside(dir: &Path, root: &Hash32) -> PathBuf {
    dir.join(format!("{root}.torrent"))
}

fn not_a_payload(tree: &Tree) -> StoreError {
    StoreError::broken(&tree.state(DIR), "the torrent of a patch is not one file")
}
