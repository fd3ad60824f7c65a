//! A release's pieces in a game folder: installed files first, staging for what is on its way.

use crate::piece_store::{PieceStore, PieceStoreError};
use release::{hash::Hash32, layout::Layout, manifest::Manifest};
use std::{collections::BTreeMap, sync::Arc};
use store::{InstalledTree, Staging, StoreError};
use swarm::Bitfield;

/// Where one file of the release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the game folder, as this file of the installed release.
    Installed(usize),
    /// In staging, under its root.
    Staged(Hash32),
    /// It is empty, or neither here nor wanted.
    Nowhere,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ReleaseStore {
    layout: Arc<Layout>,
    places: Vec<Place>,
    /// Files by root, where more than one file has it.
    equals: BTreeMap<Hash32, Vec<usize>>,
    installed: Option<Arc<InstalledTree>>,
    staging: Option<Arc<Staging>>,
}

impl ReleaseStore {
    /// For fetching `wanted`: what `installed` (with its manifest) has of it is served from there.
    pub(crate) fn fetching(
        layout: Arc<Layout>,
        installed: Option<(&Manifest, Arc<InstalledTree>)>,
        staging: Arc<Staging>,
    ) -> Self {
        let mut standing = BTreeMap::new();
        if let Some((manifest, tree)) = &installed {
            for (index, file) in manifest.files.iter().enumerate() {
                if let Some(root) = file.pieces_root.filter(|_| tree.has(index)) {
                    standing.entry(root).or_insert(index);
                }
            }
        }
        let place = |root: Option<Hash32>| match root {
            None => Place::Nowhere,
            Some(root) => standing.get(&root).map_or(Place::Staged(root), |index| Place::Installed(*index)),
        };
        let places = layout.files().iter().map(|file| place(file.pieces_root)).collect();
        let mut equals: BTreeMap<Hash32, Vec<usize>> = BTreeMap::new();
        for (index, file) in layout.files().iter().enumerate() {
            if let Some(root) = file.pieces_root {
                equals.entry(root).or_default().push(index);
            }
        }
        equals.retain(|_, files| files.len() > 1);
        Self { layout, places, equals, installed: installed.map(|(_, tree)| tree), staging: Some(staging) }
    }

    /// For passing on the installed release itself.
    pub(crate) fn seeding(layout: Arc<Layout>, tree: Arc<InstalledTree>) -> Self {
        let place = |index| if tree.has(index) { Place::Installed(index) } else { Place::Nowhere };
        let places = (0..layout.files().len()).map(place).collect();
        Self { layout, places, equals: BTreeMap::new(), installed: Some(tree), staging: None }
    }

    /// Pieces that are verified now.
    pub(crate) fn have(&self) -> Bitfield {
        let mut have = Bitfield::empty(self.layout.piece_count());
        for (file, place) in self.places.iter().enumerate() {
            if matches!(place, Place::Installed(_)) {
                self.layout.pieces_of(file).for_each(|piece| {
                    have.set(piece);
                });
            }
        }
        for piece in self.staging.iter().flat_map(|staging| staging.pieces(&self.layout)) {
            have.set(piece);
        }
        have
    }

    fn fetched_again<'a>(
        &'a self,
        file: usize,
        staging: Option<&'a Staging>,
    ) -> Option<(&'a Staging, &'a Hash32)> {
        Some((staging?, self.layout.files()[file].pieces_root.as_ref()?))
    }

    fn failed(error: StoreError) -> PieceStoreError {
        match error {
            StoreError::DiskFull { path, .. } => PieceStoreError::Full { path: path.display().to_string() },
            StoreError::Changed { path } => PieceStoreError::Changed { path: path.to_string() },
            StoreError::NotVerified { .. } => PieceStoreError::Absent,
            StoreError::Io { path, source }
            | StoreError::NoPermission { path, source }
            | StoreError::FileLocked { path, source } => PieceStoreError::from_io(path.display(), source),
            other => PieceStoreError::from_io("game folder", std::io::Error::other(other.to_string())),
        }
    }
}

impl PieceStore for ReleaseStore {
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
        let mut data = vec![0; length as usize];
        self.read_into(piece, begin, &mut data)?;
        Ok(data)
    }

    fn read_into(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), PieceStoreError> {
        let place = self.layout.piece(piece);
        if u64::from(begin) + buffer.len() as u64 > u64::from(place.length) {
            return Err(PieceStoreError::Absent);
        }
        let offset = place.offset + u64::from(begin);
        let read = match (self.places[place.file], &self.installed, &self.staging) {
            (Place::Installed(file), Some(tree), staging) => match tree.read_into(file, offset, buffer) {
                // What was fetched again since the file changed lies in staging.
                Err(StoreError::Changed { path }) => match self.fetched_again(place.file, staging.as_deref())
                {
                    Some((staging, root)) if staging.has(root, offset, buffer.len() as u64) => {
                        staging.read_into(root, offset, buffer)
                    }
                    _ => Err(StoreError::Changed { path }),
                },
                read => read,
            },
            (Place::Staged(root), _, Some(staging)) => staging.read_into(&root, offset, buffer),
            _ => return Err(PieceStoreError::Absent),
        };
        read.map_err(Self::failed)
    }

    fn write(&self, piece: u32, begin: u32, data: &[u8]) -> Result<(), PieceStoreError> {
        let place = self.layout.piece(piece);
        let root = self.layout.files()[place.file].pieces_root;
        let (Some(root), Some(staging)) = (root, &self.staging) else { return Err(PieceStoreError::Absent) };
        staging.write_at(&root, place.offset + u64::from(begin), data).map_err(Self::failed)
    }

    fn verified(&self, piece: u32) {
        self.block_verified(piece, 0, self.layout.piece(piece).length);
    }

    fn block_verified(&self, piece: u32, begin: u32, length: u32) {
        let place = self.layout.piece(piece);
        if let (Some(root), Some(staging)) = (self.layout.files()[place.file].pieces_root, &self.staging) {
            staging.verified(&root, place.offset + u64::from(begin), u64::from(length));
        }
    }

    fn twins(&self, piece: u32) -> Vec<u32> {
        let place = self.layout.piece(piece);
        let within = piece - self.layout.pieces_of(place.file).start;
        let root = self.layout.files()[place.file].pieces_root;
        let equal = root.and_then(|root| self.equals.get(&root)).into_iter().flatten();
        equal
            .filter(|file| **file != place.file)
            .map(|file| self.layout.pieces_of(*file).start + within)
            .collect()
    }

    fn flush(&self) -> Result<(), PieceStoreError> {
        self.staging.as_ref().map_or(Ok(()), |staging| staging.flush()).map_err(Self::failed)
    }
}
