//! Where new bytes wait until a release is complete: `.muster/staging/<pieces root>`, one file for
//! each distinct content, written at any offset.
//!
//! Invariant: what [`Staging::has`] says after a restart was synced before it was written down
//! ([`log`]). Unverified bytes may lie in the files, but nobody gets to read them. The engine says
//! what is verified; the whole file is read back and hashed again before it is applied.

mod flush;
mod given;
mod have;
pub(crate) mod log;

pub use have::Have;

use crate::{
    disk::{Disk, parent, read_full},
    error::{At, Result, StoreError},
    folder::GameFolder,
    fs::File,
    journal::Journal,
    ranges::Ranges,
    tree::Tree,
};
use given::Given;
use log::Log;
use release::{hash::Hash32, layout::Layout, manifest::Manifest};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Name of the folder under `.muster`.
pub(crate) const DIR: &str = "staging";
/// Files held open: enough for the pieces in flight, few beside the system's bound.
const OPEN_MAX: usize = 64;

/// The staged files of one wanted release. Shared between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Staging {
    disk: Disk,
    dir: PathBuf,
    sizes: BTreeMap<Hash32, u64>,
    inner: Mutex<Inner>,
    /// Held by whoever flushes, and taken before `inner`.
    log: Mutex<Log>,
    written: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    /// Verified bytes by content.
    have: BTreeMap<Hash32, Ranges>,
    /// The part of `have` that a kill would lose.
    unflushed: BTreeMap<Hash32, Ranges>,
    /// Bytes found bad since the last flush.
    lost: Vec<(Hash32, u64, u64)>,
    /// Files written since they were last synced.
    dirty: BTreeSet<Hash32>,
    names_dirty: bool,
    open: BTreeMap<Hash32, (Arc<dyn File>, u64)>,
    clock: u64,
    /// Contents that lie in the game folder by now, complete.
    given: BTreeMap<Hash32, Given>,
}

impl Staging {
    /// Opens what is staged for `wanted`; what is staged for nothing in it is removed.
    ///
    /// # Errors
    /// [`StoreError::ApplyPending`] while an apply waits for [`GameFolder::recover`]; as the disk
    /// says.
    pub fn open(folder: &GameFolder, wanted: &Manifest) -> Result<Self> {
        let tree = folder.tree();
        if Journal::exists(tree)? {
            return Err(StoreError::ApplyPending { path: tree.dir().to_owned() });
        }
        let sizes = wanted.files.iter().filter_map(|file| Some((file.pieces_root?, file.size))).collect();
        Self::open_at(&tree.disk, tree.state(DIR), sizes)
    }

    /// As [`Staging::open`], for contents by root in a folder of ours.
    pub(crate) fn open_at(disk: &Disk, dir: PathBuf, sizes: BTreeMap<Hash32, u64>) -> Result<Self> {
        let disk = disk.clone();
        if disk.ensure_dir(&dir)? {
            disk.sync_dir(parent(&dir))?;
        }
        let mut have = Have::read(&disk, &dir)?.0;
        have.retain(|root, _| sizes.contains_key(root));
        remove_others(&disk, &dir, &sizes)?;
        let log = Log::rewrite(&disk, &dir, &have)?;
        let inner = Inner {
            have,
            unflushed: BTreeMap::new(),
            lost: Vec::new(),
            dirty: BTreeSet::new(),
            names_dirty: false,
            open: BTreeMap::new(),
            clock: 0,
            given: BTreeMap::new(),
        };
        Ok(Self {
            disk,
            dir,
            sizes,
            inner: Mutex::new(inner),
            log: Mutex::new(log),
            written: AtomicU64::new(0),
        })
    }

    /// Begins a content of which nothing is staged as a clone of `from`, which shares its blocks on the disk: what is the
    /// same in both need not be written. The clone counts for nothing until [`Staging::verified`]. Nothing where something
    /// is staged already or the volume cannot.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn begin_as_clone(&self, root: &Hash32, from: &Path) -> Result<Option<Box<dyn File>>> {
        let Some(size) = self.sizes.get(root).copied() else { return Ok(None) };
        let path = self.path(root);
        if self.staged_bytes_of(root) > 0 {
            return Ok(None);
        }
        // Bytes that were never verified may lie there.
        self.lock().open.remove(root);
        self.disk.remove_file(&path)?;
        if !self.disk.clone_file(from, &path)? {
            return Ok(None);
        }
        let file = self.disk.open_write(&path)?;
        file.set_len(size).at(&path)?;
        let mut inner = self.lock();
        inner.dirty.insert(*root);
        inner.names_dirty = true;
        Ok(Some(file))
    }

    /// Bytes written by [`Staging::write_at`] since it was opened.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes bytes of the content with this pieces root; they count for nothing until
    /// [`Staging::verified`].
    ///
    /// # Errors
    /// [`StoreError::NotVerified`] where the bytes lie outside the content; as the disk says.
    pub fn write_at(&self, root: &Hash32, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check_range(root, offset, bytes.len() as u64)?;
        let path = self.path(root);
        let file = {
            let mut inner = self.lock();
            if inner.given.contains_key(root) {
                // It came twice; the first is in place.
                return Ok(());
            }
            inner.dirty.insert(*root);
            inner.open(*root, || self.disk.open_write(&path), true)?
        };
        file.write_at(bytes, offset).at(&path)?;
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Reads verified bytes, for other players or for a patch.
    ///
    /// # Errors
    /// [`StoreError::NotVerified`] for bytes that are not; as the disk says.
    pub fn read_at(&self, root: &Hash32, offset: u64, length: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.read_into(root, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`Staging::read_at`], into a buffer that is there already.
    ///
    /// # Errors
    /// As [`Staging::read_at`].
    pub fn read_into(&self, root: &Hash32, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let length = bytes.len() as u64;
        if !self.has(root, offset, length) {
            return Err(not_verified(root, offset, length));
        }
        if let Some(given) = self.given(root) {
            return self.read_given(root, &given, offset, bytes);
        }
        let path = self.path(root);
        let file = self.lock().open(*root, || self.disk.open_write(&path), false)?;
        if read_full(&*file, bytes, offset).at(&path)? < bytes.len() {
            // Somebody cut the file.
            self.lost(root, offset, length);
            return Err(not_verified(root, offset, length));
        }
        Ok(())
    }

    /// These bytes, written before this call, hash to what the release says. Others may read them
    /// now; a restart believes them after the next [`Staging::flush`].
    pub fn verified(&self, root: &Hash32, offset: u64, length: u64) {
        let mut inner = self.lock();
        if inner.given.contains_key(root) {
            return;
        }
        // A flush may have synced between the write's beginning and its end: sync once more.
        inner.dirty.insert(*root);
        inner.have.entry(*root).or_default().insert(offset, offset + length);
        inner.unflushed.entry(*root).or_default().insert(offset, offset + length);
    }

    /// These bytes are bad after all.
    pub fn lost(&self, root: &Hash32, offset: u64, length: u64) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if inner.given.remove(root).is_some() {
            // Nothing of it lies in staging.
            inner.open.remove(root);
            inner.have.remove(root);
            return;
        }
        for set in [&mut inner.have, &mut inner.unflushed] {
            if let Some(ranges) = set.get_mut(root) {
                ranges.remove(offset, offset + length);
            }
        }
        inner.lost.push((*root, offset, offset + length));
    }

    /// Whether these bytes are verified.
    #[must_use]
    pub fn has(&self, root: &Hash32, offset: u64, length: u64) -> bool {
        let end = offset.checked_add(length);
        end.is_some_and(|end| self.lock().have.get(root).is_some_and(|have| have.contains(offset, end)))
    }

    /// Whether the whole content is verified.
    #[must_use]
    pub fn is_complete(&self, root: &Hash32) -> bool {
        self.sizes.get(root).is_some_and(|size| self.has(root, 0, *size))
    }

    /// Whether this content belongs to the wanted release.
    #[must_use]
    pub fn knows(&self, root: &Hash32) -> bool {
        self.sizes.contains_key(root)
    }

    /// Verified bytes of one content.
    #[must_use]
    pub fn staged_bytes_of(&self, root: &Hash32) -> u64 {
        self.lock().have.get(root).map_or(0, Ranges::total)
    }

    /// Verified bytes of all contents.
    #[must_use]
    pub fn staged_bytes(&self) -> u64 {
        self.lock().have.values().map(Ranges::total).sum()
    }

    /// What is verified now.
    #[must_use]
    pub fn have(&self) -> Have {
        Have(self.lock().have.clone())
    }

    /// Pieces of `layout` that are wholly staged, ascending. Files with equal roots share.
    #[must_use]
    pub fn pieces(&self, layout: &Layout) -> Vec<u32> {
        let inner = self.lock();
        let staged = |index: &u32| {
            let piece = layout.piece(*index);
            let have = layout.files()[piece.file].pieces_root.and_then(|root| inner.have.get(&root));
            have.is_some_and(|have| have.contains(piece.offset, piece.offset + u64::from(piece.length)))
        };
        (0..layout.piece_count()).filter(staged).collect()
    }

    /// Where a content is staged.
    pub(crate) fn path(&self, root: &Hash32) -> PathBuf {
        self.dir.join(root.to_string())
    }

    /// Nothing is staged any more: an apply takes the files away. Later calls find nothing had.
    pub(crate) fn retire(&self) {
        // A flush holds files open too.
        let _flushed = self.log();
        let mut guard = self.lock();
        let inner = &mut *guard;
        // Open files could not be renamed on every system.
        inner.open.clear();
        inner.have.clear();
        inner.unflushed.clear();
        inner.dirty.clear();
        inner.lost.clear();
        inner.given.clear();
    }

    fn check_range(&self, root: &Hash32, offset: u64, length: u64) -> Result<()> {
        let end = offset.checked_add(length);
        let inside = self.sizes.get(root).is_some_and(|size| end.is_some_and(|end| end <= *size));
        if inside { Ok(()) } else { Err(not_verified(root, offset, length)) }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // What an append left half done lies behind the log's end.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock leaves it half changed, so a panic elsewhere does no harm.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn open(
        &mut self,
        root: Hash32,
        open: impl FnOnce() -> Result<Box<dyn File>>,
        may_create: bool,
    ) -> Result<Arc<dyn File>> {
        self.clock += 1;
        if let Some((file, used)) = self.open.get_mut(&root) {
            *used = self.clock;
            return Ok(Arc::clone(file));
        }
        if self.open.len() >= OPEN_MAX {
            let oldest = self.open.iter().min_by_key(|(_, (_, used))| *used).map(|(root, _)| *root);
            oldest.and_then(|root| self.open.remove(&root));
        }
        let file: Arc<dyn File> = open()?.into();
        self.names_dirty |= may_create;
        self.open.insert(root, (Arc::clone(&file), self.clock));
        Ok(file)
    }
}

fn remove_others(disk: &Disk, dir: &std::path::Path, wanted: &BTreeMap<Hash32, u64>) -> Result<()> {
    for name in disk.names(dir)? {
        let root = name.to_str().and_then(|name| Hash32::from_str(name).ok());
        if root.is_none_or(|root| !wanted.contains_key(&root)) && name != log::FILE {
            disk.remove_tree(&dir.join(name))?;
        }
    }
    Ok(())
}

/// Bytes that staging holds now, whatever release they are for.
pub(crate) fn remove_all(tree: &Tree) -> Result<()> {
    tree.disk.remove_tree(&tree.state(DIR))
}

fn not_verified(root: &Hash32, offset: u64, length: u64) -> StoreError {
    StoreError::NotVerified { what: root.to_string(), offset, length }
}
