//! `.muster/staging/have.log`: which staged bytes are verified and synced, as a growing list.
//!
//! A record is 56 bytes: pieces root (32), start and end (u64, little-endian), 1 for had or 0 for
//! lost, and the first 7 bytes of the SHA-256 of all that. The first record that does not check
//! is where a write was torn: it and all after it are not believed. Byte ranges rather than piece
//! numbers, so that a release with another piece length can go on with the same files.

use crate::{
    disk::Disk,
    error::{At, Result},
    fs::File,
    ranges::Ranges,
};
use release::hash::{Hash32, sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Its name in the staging folder.
pub(super) const FILE: &str = "have.log";
const RECORD: usize = 56;
const CHECKED: usize = 49;
/// A record for every piece that the limits allow, several times over.
const BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Box<dyn File>,
    /// Where the believed records end.
    end: u64,
    /// An append failed: what it got down lies behind the end, and must not be read one day.
    torn: bool,
}

impl Log {
    /// What the log in `dir` says.
    pub(super) fn read(disk: &Disk, dir: &Path) -> Result<BTreeMap<Hash32, Ranges>> {
        let bytes = disk.read(&dir.join(FILE), BYTES_MAX)?.unwrap_or_default();
        let mut have: BTreeMap<Hash32, Ranges> = BTreeMap::new();
        for (root, start, end, had) in bytes.chunks_exact(RECORD).map_while(decode) {
            let ranges = have.entry(root).or_default();
            if had { ranges.insert(start, end) } else { ranges.remove(start, end) }
        }
        Ok(have)
    }

    /// Replaces the log by one that says just `have`.
    pub(super) fn rewrite(disk: &Disk, dir: &Path, have: &BTreeMap<Hash32, Ranges>) -> Result<Self> {
        let path = dir.join(FILE);
        let bytes = encode(&[], have);
        disk.write_atomic(&path, &bytes)?;
        let file = disk.open_write(&path)?;
        Ok(Self { path, file, end: bytes.len() as u64, torn: false })
    }

    /// Adds records and syncs them. The bytes they speak of must be synced already.
    pub(super) fn append(
        &mut self,
        lost: &[(Hash32, u64, u64)],
        have: &BTreeMap<Hash32, Ranges>,
    ) -> Result<()> {
        let bytes = encode(lost, have);
        if bytes.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.file.set_len(self.end).at(&self.path)?;
        }
        self.torn = true;
        self.file.write_at(&bytes, self.end).at(&self.path)?;
        self.file.sync().at(&self.path)?;
        self.torn = false;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

fn encode(lost: &[(Hash32, u64, u64)], have: &BTreeMap<Hash32, Ranges>) -> Vec<u8> {
    let lost = lost.iter().map(|(root, start, end)| (*root, *start, *end, false));
    let had =
        have.iter().flat_map(|(root, ranges)| ranges.iter().map(|(start, end)| (*root, start, end, true)));
    lost.chain(had).flat_map(record).collect()
}

fn record((root, start, end, had): (Hash32, u64, u64, bool)) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..32].copy_from_slice(root.as_bytes());
    record[32..40].copy_from_slice(&start.to_le_bytes());
    record[40..48].copy_from_slice(&end.to_le_bytes());
    record[48] = u8::from(had);
    let check = sha256(&record[..CHECKED]);
    record[CHECKED..].copy_from_slice(&check.0[..RECORD - CHECKED]);
    record
}

fn decode(bytes: &[u8]) -> Option<(Hash32, u64, u64, bool)> {
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let sound = sha256(bytes.get(..CHECKED)?).0.starts_with(&bytes[CHECKED..]);
    let (start, end) = (number(32)?, number(40)?);
    (sound && start < end).then_some((Hash32::from_slice(&bytes[..32])?, start, end, bytes[48] == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_torn_ones_are_not_believed() {
        let wanted = (Hash32([9; 32]), 16_384, 32_768, true);
        let bytes = record(wanted);
        assert_eq!(decode(&bytes), Some(wanted));
        for at in 0..RECORD {
            let mut torn = bytes;
            torn[at] ^= 1;
            assert_eq!(decode(&torn), None, "byte {at}");
        }
        assert_eq!(decode(&[0; RECORD]), None);
    }
}
