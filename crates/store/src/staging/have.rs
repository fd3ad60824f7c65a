//! Which bytes are staged, as a value: for planning, without opening or changing anything.

use super::{DIR, log::Log};
use crate::{disk::Disk, error::Result, folder::GameFolder, ranges::Ranges};
use release::hash::Hash32;
use std::{collections::BTreeMap, path::Path};

/// Verified bytes by content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Have(pub(super) BTreeMap<Hash32, Ranges>);

impl Have {
    /// What a [`super::Staging`] of this folder would find staged, whatever release it was for.
    ///
    /// # Errors
    /// As the disk says.
    pub fn staged(folder: &GameFolder) -> Result<Self> {
        let tree = folder.tree();
        Self::read(&tree.disk, &tree.state(DIR))
    }

    /// What the log in `dir` says, less what the files are too short to hold.
    pub(crate) fn read(disk: &Disk, dir: &Path) -> Result<Self> {
        let mut have = Log::read(disk, dir)?;
        for (root, ranges) in &mut have {
            let size = disk.lstat(&dir.join(root.to_string()))?.map_or(0, |meta| meta.stamp.size);
            ranges.remove(size, u64::MAX);
        }
        have.retain(|_, ranges| ranges.total() > 0);
        Ok(Self(have))
    }

    /// Whether these bytes are verified.
    #[must_use]
    pub fn has(&self, root: &Hash32, offset: u64, length: u64) -> bool {
        let end = offset.checked_add(length);
        end.is_some_and(|end| self.0.get(root).is_some_and(|have| have.contains(offset, end)))
    }

    /// Verified bytes of one content.
    #[must_use]
    pub fn bytes_of(&self, root: &Hash32) -> u64 {
        self.0.get(root).map_or(0, Ranges::total)
    }

    /// Verified bytes of one content between `offset` and `offset + length`.
    #[must_use]
    pub fn bytes_within(&self, root: &Hash32, offset: u64, length: u64) -> u64 {
        let end = offset.saturating_add(length);
        let part = |(start, stop): (u64, u64)| stop.min(end).saturating_sub(start.max(offset));
        self.0.get(root).map_or(0, |have| have.iter().map(part).sum())
    }
}
