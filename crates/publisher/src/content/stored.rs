//! Reading stored content back, by ranges of what it was before it was compressed.

use std::path::PathBuf;

use release::hash::Hash32;
use release::seektable::SeekTable;

use super::{Store, TAIL_BYTES};
use crate::{DiskError, PublishError, disk};

/// A file of the content folder.
pub(crate) struct StoredFile {
    path: PathBuf,
    table: SeekTable,
}

impl Store {
    /// The stored file with this root; an error if it is not there or is not one of `size` bytes.
    pub(crate) fn open(&self, root: &Hash32, size: u64) -> Result<StoredFile, PublishError> {
        let path = self.find(root)?;
        match table(&path)? {
            Some((table, _)) if table.decompressed_bytes() == size => Ok(StoredFile { path, table }),
            _ => Err(PublishError::Content { path }),
        }
    }
}

/// Whole frames of a stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frames {
    /// Where what they hold begins and ends in the file as it was.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Where they begin in the stored file, and their bytes.
    pub(crate) stored_at: u64,
    pub(crate) stored: u64,
}

impl StoredFile {
    /// The frames that hold these bytes.
    pub(crate) fn frames(&self, offset: u64, length: u64) -> Result<Frames, PublishError> {
        let covering = self.table.covering(offset, length).ok_or_else(|| self.damaged())?;
        let from = offset - covering.skip;
        let plain: u64 = covering.frames.iter().map(|frame| u64::from(frame.decompressed)).sum();
        let stored = covering.compressed_length;
        Ok(Frames { from, to: from + plain, stored_at: covering.compressed_start, stored })
    }

    /// Reads stored bytes as they lie in the file.
    pub(crate) fn read_stored(&self, at: u64, buffer: &mut [u8]) -> Result<(), PublishError> {
        if disk::read_exact_at(&self.path, at, buffer)? { Ok(()) } else { Err(self.damaged()) }
    }

    /// The error for a file that does not hold what it should.
    pub(crate) fn damaged(&self) -> PublishError {
        PublishError::Content { path: self.path.clone() }
    }

    /// Appends `length` bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, length: u64, out: &mut Vec<u8>) -> Result<(), PublishError> {
        if length == 0 {
            return Ok(());
        }
        let damaged = || self.damaged();
        let covering = self.table.covering(offset, length).ok_or_else(damaged)?;
        let end = out.len() as u64 + length;
        let (mut at, mut skip) = (covering.compressed_start, covering.skip as usize);
        for frame in covering.frames {
            let mut packed = vec![0; frame.compressed as usize];
            if !disk::read_exact_at(&self.path, at, &mut packed)? {
                return Err(damaged());
            }
            at += u64::from(frame.compressed);
            let size = frame.decompressed as usize;
            let bytes = zstd::bulk::decompress(&packed, size).map_err(|_| damaged())?;
            let wanted = (end - out.len() as u64).min((size - skip.min(size)) as u64) as usize;
            out.extend(bytes.get(skip..skip + wanted).ok_or_else(damaged)?);
            skip = 0;
        }
        if out.len() as u64 == end { Ok(()) } else { Err(damaged()) }
    }
}

/// The seek table at a file's end, and the file's length; nothing if there is no file or it has none.
pub(super) fn table(path: &std::path::Path) -> Result<Option<(SeekTable, u64)>, DiskError> {
    use release::seektable::SeekTableError::{Longer, Malformed};
    let Some((tail, length)) = disk::read_tail(path, TAIL_BYTES)? else { return Ok(None) };
    let table = match SeekTable::parse_tail(&tail) {
        Err(Longer(whole)) if whole <= length => {
            disk::read_tail(path, whole)?.map_or(Err(Malformed), |(tail, _)| SeekTable::parse_tail(&tail))
        }
        other => other,
    };
    Ok(table.ok().map(|table| (table, length)))
}
