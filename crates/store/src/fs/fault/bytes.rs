//! What of one file a power cut loses: bytes by sector, its length, its executable bit.

use super::state::Chance;
use crate::fs::File;
use std::{collections::BTreeMap, fs, io, sync::Arc};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// Of one file, since it was last synced.
#[derive(Debug)]
pub(super) struct Unsynced {
    file: Arc<fs::File>,
    pub(super) inode: u64,
    durable_length: u64,
    /// Offset and length of each write, and what stood there before.
    writes: Vec<(u64, u64, Vec<u8>)>,
    mode: Option<fs::Permissions>,
}

impl Unsynced {
    pub(super) fn new(file: Arc<fs::File>, inode: u64, durable_length: u64) -> Self {
        Self { file, inode, durable_length, writes: Vec::new(), mode: None }
    }

    /// Before a write of so many bytes.
    pub(super) fn writes(&mut self, file: &fs::File, offset: u64, length: usize) -> io::Result<()> {
        let mut before = vec![0; length];
        let read = crate::disk::read_full(file, &mut before, offset)?;
        before.truncate(read);
        self.writes.push((offset, length as u64, before));
        Ok(())
    }

    /// All of it came by cloning.
    pub(super) fn cloned(&mut self, file: &fs::File) -> io::Result<()> {
        self.durable_length = 0;
        self.writes.push((0, file.metadata()?.len(), Vec::new()));
        Ok(())
    }

    pub(super) fn length_changes(&mut self, length: u64) {
        self.durable_length = self.durable_length.min(length);
    }

    pub(super) fn mode_changes(&mut self, file: &fs::File) -> io::Result<()> {
        let now = file.metadata()?.permissions();
        self.mode.get_or_insert(now);
        Ok(())
    }

    /// All of it reads as zeros or is gone.
    pub(super) fn forget(self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        for (start, written, _) in self.writes {
            let zeros = vec![0; (start + written).min(length).saturating_sub(start) as usize];
            self.file.write_at(&zeros, start)?;
        }
        fs::File::set_len(&self.file, self.durable_length)?;
        self.mode.map_or(Ok(()), |mode| self.file.set_permissions(mode))
    }

    /// Of each sector, of the length and of the bit, the old or the new survives.
    pub(super) fn scatter(self, chance: &mut Chance) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut kept: BTreeMap<u64, bool> = BTreeMap::new();
        // The oldest write last: what stood before it is what stood at the last sync.
        for (start, written, before) in self.writes.iter().rev() {
            for sector in start / SECTOR..(start + written).min(length).div_ceil(SECTOR) {
                if *kept.entry(sector).or_insert_with(|| chance.coin()) {
                    continue;
                }
                let from = (sector * SECTOR).max(*start);
                let to = ((sector + 1) * SECTOR).min(start + written).min(length);
                let mut old = vec![0; to.saturating_sub(from) as usize];
                let stood = before.get((from - start) as usize..).unwrap_or_default();
                let common = stood.len().min(old.len());
                old[..common].copy_from_slice(&stood[..common]);
                self.file.write_at(&old, from)?;
            }
        }
        if self.durable_length < length && chance.coin() {
            fs::File::set_len(&self.file, self.durable_length)?;
        }
        let mode = self.mode.filter(|_| chance.coin());
        mode.map_or(Ok(()), |mode| self.file.set_permissions(mode))
    }
}
