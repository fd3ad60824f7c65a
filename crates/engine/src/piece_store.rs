//! Where a torrent's bytes lie, seen from the swarm: by piece.
//!
//! Calls block and come from threads that may. An implementation serves only pieces that it was told
//! are verified, or that it knows to be; it never serves bytes outside the torrent.

use std::{fmt, io};

/// Reads and writes pieces of one torrent.
pub trait PieceStore: fmt::Debug + Send + Sync + 'static {
    /// Reads `length` bytes at `begin` of a piece, which or the blocks of which are verified.
    ///
    /// # Errors
    /// [`PieceStoreError::Changed`] when the file is not what was verified, else the failure.
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError>;

    /// As [`PieceStore::read`], into a buffer that is there already. A piece may be read at once, however
    /// many blocks it has.
    ///
    /// # Errors
    /// As [`PieceStore::read`].
    fn read_into(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), PieceStoreError> {
        let length = u32::try_from(buffer.len()).map_err(|_| PieceStoreError::Absent)?;
        let data = self.read(piece, begin, length)?;
        if data.len() != buffer.len() {
            return Err(PieceStoreError::Absent);
        }
        buffer.copy_from_slice(&data);
        Ok(())
    }

    /// Writes `data` at `begin` of a piece that is not verified yet.
    ///
    /// # Errors
    /// [`PieceStoreError::Full`] on a full volume, else the failure.
    fn write(&self, piece: u32, begin: u32, data: &[u8]) -> Result<(), PieceStoreError>;

    /// All blocks of the piece are written and right.
    fn verified(&self, piece: u32);

    /// These bytes of a piece that is not whole yet are written and right: they may be read from now on.
    fn block_verified(&self, piece: u32, begin: u32, length: u32) {
        let _ = (piece, begin, length);
    }

    /// Other pieces that hold the very same bytes and became readable with this one: files with equal
    /// roots are fetched once.
    fn twins(&self, piece: u32) -> Vec<u32> {
        let _ = piece;
        Vec::new()
    }

    /// Makes what was verified durable, so that a kill afterwards loses none of it.
    ///
    /// # Errors
    /// The failure; what was not made durable is fetched again after a kill.
    fn flush(&self) -> Result<(), PieceStoreError>;
}

/// Why a piece could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PieceStoreError {
    /// The file is not what was verified any more, or gone.
    #[error("{path} changed since it was verified")]
    Changed {
        /// The file.
        path: String,
    },
    /// The store has no such bytes, or takes none.
    #[error("no such piece here")]
    Absent,
    /// The volume is full.
    #[error("no space left for {path}")]
    Full {
        /// The file.
        path: String,
    },
    /// Anything else.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's own error.
        source: io::Error,
    },
}

impl PieceStoreError {
    /// Sorts a system error into ours.
    #[must_use]
    pub fn from_io(path: impl fmt::Display, source: io::Error) -> Self {
        let path = path.to_string();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { path, source },
        }
    }

    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "CONTENT_CHANGED",
            Self::Absent => "CONTENT_ABSENT",
            Self::Full { .. } => "DISK_FULL",
            Self::Io { .. } => "DISK_ERROR",
        }
    }
}
