//! What can go wrong on the disk, with the path it went wrong at and a code that never changes.

use release::path::GamePath;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store could not do it. The folder is as it was, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The volume is full, or the user's quota is.
    #[error("no space left to write {path}")]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process holds the file open (Windows), or it is being executed.
    #[error("{path} is in use by another program")]
    FileLocked {
        /// The held file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// This user may not do that there.
    #[error("no permission for {path}")]
    NoPermission {
        /// The place.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A part of the game folder lies on another volume (or mount), so that nothing can be put in place there in one step.
    #[error("{path} lies on another volume than the rest of the game")]
    OtherVolume {
        /// The part.
        path: PathBuf,
    },
    /// Anything else that the system reports.
    #[error("{path}: {source}")]
    Io {
        /// The place.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder holds things that Muster did not put there, or another game.
    #[error("{path} is not empty and not a game folder of this game")]
    FolderNotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// It was to be imported, and holds no copy of this game.
    #[error("{path} holds no copy of this game, so there is nothing to import")]
    NothingToImport {
        /// The folder.
        path: PathBuf,
    },
    /// A game must never be installed there.
    #[error("{path} cannot hold a game: {reason}")]
    FolderRefused {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: crate::place::Refusal,
    },
    /// Nothing stands there: a drive that is not connected, never "uninstalled".
    #[error("{path} is missing: is its drive connected?")]
    FolderMissing {
        /// The folder.
        path: PathBuf,
    },
    /// Another instance works in this folder.
    #[error("another Muster works in {path}")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A newer Muster wrote this file.
    #[error("{path} has format {found}; this Muster knows up to {known}")]
    StateTooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that we read.
        known: u64,
    },
    /// One of our own files cannot be read.
    #[error("{path} is damaged: {detail}")]
    StateBroken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// An installed file is no longer what was verified; it is not served until checked again.
    #[error("{path} was changed since it was verified")]
    Changed {
        /// The file within the game.
        path: GamePath,
    },
    /// These bytes were not verified (or are not part of the release), so nobody gets them.
    #[error("bytes {offset}+{length} of {what} are not verified")]
    NotVerified {
        /// Pieces root or path.
        what: String,
        /// Offset in the file.
        offset: u64,
        /// Bytes asked for.
        length: u64,
    },
    /// Staged bytes do not hash to what was promised; they have been marked as missing again.
    #[error("{} staged file(s) read back wrong and must be fetched again", files.len())]
    ContentBad {
        /// The first path of each content.
        files: Vec<GamePath>,
    },
    /// The release is not complete here yet.
    #[error("{} file(s) of the release are not here yet, first {}", files.len(), files[0])]
    Incomplete {
        /// The files; never empty.
        files: Vec<GamePath>,
    },
    /// An apply failed after its commit: what it needs must not be touched before it is finished.
    #[error("an update of {path} was cut short and must be finished first")]
    ApplyPending {
        /// The game folder.
        path: PathBuf,
    },
    /// Less space than the work needs, found before it began.
    #[error("{dir} has {have} bytes free, {need} are needed")]
    NoSpace {
        /// The folder on the volume.
        dir: PathBuf,
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        have: u64,
    },
    /// A file of the release is larger than any file of this volume can be (FAT32).
    #[error("{path} of {need} bytes does not fit on the volume of {}: its files have at most {most} bytes", dir.display())]
    FileTooLarge {
        /// A folder on the volume.
        dir: PathBuf,
        /// The file within the game.
        path: GamePath,
        /// Its length in bytes.
        need: u64,
        /// The largest that the volume takes.
        most: u64,
    },
    /// The caller's cancel flag was raised.
    #[error("cancelled")]
    Cancelled,
}

impl StoreError {
    /// A code that other programs and translations may rely on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } | Self::NoSpace { .. } => "DISK_FULL",
            Self::FileTooLarge { .. } => "FILE_TOO_LARGE",
            Self::FileLocked { .. } => "FILE_LOCKED",
            Self::NoPermission { .. } => "NO_PERMISSION",
            Self::OtherVolume { .. } => "OTHER_VOLUME",
            Self::Io { .. } => "DISK_ERROR",
            Self::FolderNotOurs { .. } => "FOLDER_NOT_OURS",
            Self::NothingToImport { .. } => "NOTHING_TO_IMPORT",
            Self::FolderRefused { .. } => "FOLDER_REFUSED",
            Self::FolderMissing { .. } => "FOLDER_MISSING",
            Self::Locked { .. } => "LOCKED",
            Self::StateTooNew { .. } => "STATE_TOO_NEW",
            Self::StateBroken { .. } => "STATE_BROKEN",
            Self::Changed { .. } => "FILE_CHANGED",
            Self::NotVerified { .. } => "NOT_VERIFIED",
            Self::ContentBad { .. } => "CONTENT_BAD",
            Self::Incomplete { .. } => "INCOMPLETE",
            Self::ApplyPending { .. } => "APPLY_PENDING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the same call may succeed later without anybody changing the release.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        !matches!(
            self,
            Self::FolderNotOurs { .. }
                | Self::NothingToImport { .. }
                | Self::FolderRefused { .. }
                | Self::FileTooLarge { .. }
                | Self::OtherVolume { .. }
                | Self::StateTooNew { .. }
        )
    }

    /// The system's error kind, where there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::DiskFull { source, .. }
            | Self::FileLocked { source, .. }
            | Self::NoPermission { source, .. }
            | Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    pub(crate) fn broken(path: &Path, detail: impl ToString) -> Self {
        Self::StateBroken { path: path.to_owned(), detail: detail.to_string() }
    }

    fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION have no portable kind.
        let held = cfg!(windows) && matches!(source.raw_os_error(), Some(32 | 33));
        match source.kind() {
            _ if held => Self::FileLocked { path, source },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            io::ErrorKind::CrossesDevices => Self::OtherVolume { path },
            io::ErrorKind::ExecutableFileBusy | io::ErrorKind::ResourceBusy => {
                Self::FileLocked { path, source }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NoPermission { path, source }
            }
            _ => Self::Io { path, source },
        }
    }
}

/// Names the path in an error of the system.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|source| StoreError::from_io(path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, "DISK_FULL"),
            (io::ErrorKind::PermissionDenied, "NO_PERMISSION"),
            (io::ErrorKind::ExecutableFileBusy, "FILE_LOCKED"),
            (io::ErrorKind::CrossesDevices, "OTHER_VOLUME"),
            (io::ErrorKind::Other, "DISK_ERROR"),
        ] {
            let result: Result<()> = Err(io::Error::from(kind)).at(Path::new("x"));
            assert_eq!(result.expect_err("an error").code(), code);
        }
    }
}
