//! Contents that were put in place while the rest still comes: they count as staged, and are read from the game folder.
//!
//! Invariant: only while a file there looks as it did when it was verified, never through a link. One that changed is lost
//! as a whole, as nothing of it lies in staging any more.

use super::{Staging, not_verified};
use crate::{
    disk::read_full,
    error::{At, Result},
    fs::{File, Stamp},
    journal::{Place, Slot},
    tree::Tree,
};
use release::{
    hash::Hash32,
    manifest::{Kind, Manifest},
    path::GamePath,
};
use std::{collections::BTreeMap, path::Path};

/// Where a content went.
#[derive(Debug, Clone)]
pub(super) struct Given {
    tree: Tree,
    path: GamePath,
    stamp: Stamp,
}

impl Staging {
    /// A committed journal takes these away. The log forgets them first: what is staged anew under such a root after a kill
    /// must not be believed for what it was. What is the player's own from now on is no longer ours to read.
    ///
    /// # Errors
    /// As the disk says; the journal stands all the same.
    pub(crate) fn give_away(&self, tree: &Tree, places: &[Place], wanted: &Manifest) -> Result<()> {
        // A flush holds files open too.
        let mut log = self.log();
        let mut lost = Vec::new();
        {
            let mut guard = self.lock();
            let inner = &mut *guard;
            for place in places {
                let Slot::Staging(root) = place.from else { continue };
                // Open files could not be renamed on every system.
                inner.open.remove(&root);
                inner.dirty.remove(&root);
                inner.unflushed.remove(&root);
                lost.push((root, 0, place.record.stamp.size));
                if wanted.file(&place.path).is_none_or(|file| file.kind == Kind::User) {
                    inner.have.remove(&root);
                    continue;
                }
                let given = Given { tree: tree.clone(), path: place.path.clone(), stamp: place.record.stamp };
                inner.given.insert(root, given);
            }
        }
        log.append(&lost, &BTreeMap::new())
    }

    pub(super) fn given(&self, root: &Hash32) -> Option<Given> {
        self.lock().given.get(root).cloned()
    }

    pub(super) fn read_given(
        &self,
        root: &Hash32,
        given: &Given,
        offset: u64,
        bytes: &mut [u8],
    ) -> Result<()> {
        let path = given.tree.at(&given.path);
        let staged = self.path(root);
        let file = self.lock().open(*root, || self.open_given(given, &staged), false);
        let file = match file {
            Ok(file) => file,
            Err(_) => return Err(self.given_changed(root, offset, bytes)),
        };
        let read = read_full(&*file, bytes, offset).at(&path)?;
        let looks = |stamp: Stamp| stamp == given.stamp;
        let steady = looks(file.meta().at(&path)?.stamp);
        let in_place = given.tree.file(&given.path)?.is_none_or(|meta| looks(meta.stamp));
        if read < bytes.len() || !steady || !in_place {
            return Err(self.given_changed(root, offset, bytes));
        }
        Ok(())
    }

    /// In its place, or still in staging while the journal is being done.
    fn open_given(&self, given: &Given, staged: &Path) -> Result<Box<dyn File>> {
        let in_place = |given: &Given| -> Result<bool> {
            Ok(given.tree.file(&given.path)?.is_some_and(|meta| meta.stamp == given.stamp))
        };
        let open = |given: &Given| -> Result<Box<dyn File>> {
            let changed = || crate::StoreError::Changed { path: given.path.clone() };
            given.tree.open(&given.path)?.ok_or_else(changed)
        };
        if in_place(given)? {
            return open(given);
        }
        let waits = self.disk.lstat(staged)?.is_some_and(|meta| meta.stamp == given.stamp);
        // Between the two looks it may have come.
        if waits && !in_place(given)? { self.disk.open(staged) } else { open(given) }
    }

    fn given_changed(&self, root: &Hash32, offset: u64, bytes: &[u8]) -> crate::StoreError {
        self.lost(root, 0, 0);
        not_verified(root, offset, bytes.len() as u64)
    }
}
