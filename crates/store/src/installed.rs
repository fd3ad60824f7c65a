//! The installed files as other players get them.
//!
//! Invariant: only content files of the manifest, only while they look as they did when they were
//! verified, never through a link. A changed file is an error until somebody checks it again: one whose length, times or
//! identity differ, and one that anything happened to since it was opened first, whatever times it bears.

use crate::{
    disk::read_full,
    error::{At, Result, StoreError},
    folder::GameFolder,
    fs::{File, Meta, Stamp},
    records::Records,
    tree::Tree,
};
use release::{
    manifest::{Kind, Manifest},
    path::GamePath,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Files held open for serving.
const OPEN_MAX: usize = 64;

/// What of one release stands verified in the game folder. A snapshot: made anew after
/// [`crate::verify`] or [`crate::apply`]. Shared between threads behind an [`Arc`].
#[derive(Debug)]
pub struct InstalledTree {
    tree: Tree,
    /// By index in the manifest (and in its layout).
    files: Vec<Option<Served>>,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Served {
    path: GamePath,
    stamp: Stamp,
}

#[derive(Debug, Default)]
struct Open {
    files: BTreeMap<usize, Held>,
    /// How each file looked when it was opened first. Kept when it is closed, so that what happens meanwhile shows.
    seen: BTreeMap<usize, Meta>,
    clock: u64,
}

#[derive(Debug)]
struct Held {
    file: Handle,
    used: u64,
}

/// A file that bore the stamp of what was verified when it was opened.
#[derive(Debug, Clone)]
struct Handle {
    file: Arc<dyn File>,
    meta: Meta,
}

impl InstalledTree {
    /// The files of `manifest` that stand in `folder` and were verified.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(folder: &GameFolder, manifest: &Manifest) -> Result<Self> {
        Ok(Self::of(folder.tree(), folder.records(), manifest))
    }

    pub(crate) fn of(tree: &Tree, records: &Records, manifest: &Manifest) -> Self {
        let mut files = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            let record = records.get(&file.path);
            let served = file.kind == Kind::Content && file.size > 0;
            let known = record.filter(|record| served && record.pieces_root == file.pieces_root);
            files.push(known.map(|record| Served { path: file.path.clone(), stamp: record.stamp }));
        }
        Self { tree: tree.clone(), files, open: Mutex::default() }
    }

    /// Whether the file was verified when this snapshot was made.
    #[must_use]
    pub fn has(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(Option::is_some)
    }

    /// Reads verified bytes of the manifest's file `file`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when the file does not look as it did;
    /// [`StoreError::NotVerified`] for files that were never verified; as the disk says.
    pub fn read_at(&self, file: usize, offset: u64, length: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.read_into(file, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`InstalledTree::read_at`], into a buffer that is there already; the file is looked at once,
    /// however much is read.
    ///
    /// # Errors
    /// As [`InstalledTree::read_at`].
    pub fn read_into(&self, file: usize, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let length = bytes.len() as u64;
        let refused = |what: String| StoreError::NotVerified { what, offset, length };
        let served =
            self.files.get(file).and_then(Option::as_ref).ok_or_else(|| refused(format!("file {file}")))?;
        let end = offset.checked_add(length).filter(|end| *end <= served.stamp.size);
        if end.is_none() {
            return Err(refused(served.path.to_string()));
        }
        let changed = || StoreError::Changed { path: served.path.clone() };
        // Before the opening, for the path; after the reading, for the bytes.
        self.check(served)?;
        let handle = self.handle(file, served)?;
        let read = read_full(&*handle.file, bytes, offset).at(&self.tree.at(&served.path))?;
        let after = handle.file.meta().at(&self.tree.at(&served.path))?;
        if read < bytes.len() || after != handle.meta {
            bytes.fill(0);
            return Err(changed());
        }
        Ok(())
    }

    /// Files that no longer look as they did when they were verified.
    ///
    /// # Errors
    /// As the disk says.
    pub fn changed(&self) -> Result<Vec<GamePath>> {
        let mut changed = Vec::new();
        for served in self.files.iter().flatten() {
            match self.check(served) {
                Err(StoreError::Changed { path }) => changed.push(path),
                checked => checked?,
            }
        }
        Ok(changed)
    }

    /// Lets go of every open file, so that a release can be applied on any system.
    pub fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).files.clear();
    }

    fn check(&self, served: &Served) -> Result<()> {
        let same = self.tree.file(&served.path)?.is_some_and(|meta| meta.stamp == served.stamp);
        if same { Ok(()) } else { Err(StoreError::Changed { path: served.path.clone() }) }
    }

    fn handle(&self, file: usize, served: &Served) -> Result<Handle> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clock += 1;
        let clock = open.clock;
        if let Some(held) = open.files.get_mut(&file) {
            held.used = clock;
            return Ok(held.file.clone());
        }
        if open.files.len() >= OPEN_MAX {
            let oldest = open.files.iter().min_by_key(|(_, held)| held.used).map(|(file, _)| *file);
            oldest.and_then(|file| open.files.remove(&file));
        }
        let changed = || StoreError::Changed { path: served.path.clone() };
        let opened: Arc<dyn File> = self.tree.open(&served.path)?.ok_or_else(changed)?.into();
        let meta = opened.meta().at(&self.tree.at(&served.path))?;
        if meta.stamp != served.stamp || *open.seen.entry(file).or_insert(meta) != meta {
            return Err(changed());
        }
        let handle = Handle { file: opened, meta };
        open.files.insert(file, Held { file: handle.clone(), used: clock });
        Ok(handle)
    }
}
