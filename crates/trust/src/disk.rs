//! The one place of this crate that touches files. A file is replaced by writing beside it, syncing and renaming, so a
//! reader meets the old bytes or the new ones. Errors name the path.
//!
//! It does not decide what is written; and it follows the rules of the platform only here (file modes, folder sync).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file call that failed, and on what.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct DiskError {
    /// File or folder the call was about.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

pub(crate) type Result<T> = std::result::Result<T, DiskError>;

fn at(path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError { path, source }
}

/// Replaces `path` by `bytes`: temporary file beside it, sync, rename, sync of the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = beside(path);
    let written = write_synced(&temporary, bytes).and_then(|()| {
        faults::step(path)?;
        fs::rename(&temporary, path).map_err(at(path))
    });
    if written.is_err() && faults::step(&temporary).is_ok() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// Writes a private key that must not exist yet, readable by its owner only.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    platform::owner_only(&mut options);
    let mut file = options.open(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))?;
    sync_parent(path)
}

/// Makes a folder and its parents; `private` ones are closed to others where the system knows of such.
pub(crate) fn create_folder(path: &Path, private: bool) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    if private {
        platform::owner_only_folder(&mut builder);
    }
    builder.create(path).map_err(at(path))
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read_optional(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file of at most `limit` bytes. A larger one is an error of kind `FileTooLarge`.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(at(path))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(at(path))?;
    if bytes.len() as u64 > limit {
        return Err(at(path)(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

pub(crate) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(at(path))
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(at(path))
}

pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(at(path))
}

/// What lies in a folder: files and folders apart, links left out, sorted. A missing folder is empty.
pub(crate) fn list(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(at(path)(error)),
    };
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.map_err(at(path))?;
        let kind = entry.file_type().map_err(at(path))?;
        if kind.is_dir() {
            folders.push(entry.path());
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

pub(crate) fn length(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|metadata| metadata.len()).map_err(at(path))
}

/// Waits for a lock that ends with the returned file. Whoever holds it must be quick.
pub(crate) fn wait_for_lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(at(path))?;
    file.lock().map_err(at(path))?;
    Ok(file)
}

/// Takes a lock that ends with the returned file. `None` if another process holds it.
pub(crate) fn lock(path: &Path) -> Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(at(path)(error)),
    }
}

/// A name that no other process, and no other thread of this one, writes to.
fn beside(path: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    faults::step(path)?;
    let mut file = File::create(path).map_err(at(path))?;
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    file.write_all(first).map_err(at(path))?;
    faults::step(path)?;
    file.write_all(rest).map_err(at(path))?;
    faults::step(path)?;
    file.sync_all().map_err(at(path))
}

fn sync_parent(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    // A bare file name has the empty path as its parent.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    faults::step(folder)?;
    platform::sync_folder(folder).map_err(at(folder))
}

/// Where a test lets a write fail: before each of its steps.
#[cfg(not(test))]
mod faults {
    use std::path::Path;

    #[expect(clippy::unnecessary_wraps, reason = "its twin in tests fails")]
    pub(super) fn step(_: &Path) -> super::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod faults {
    use std::{cell::Cell, io::ErrorKind, path::Path};

    /// What happens at a step.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// This one call fails.
        Fails,
        /// The program is gone: nothing after it happens either.
        Killed,
    }

    thread_local! {
        static ARMED: Cell<Option<(u32, Fault)>> = const { Cell::new(None) };
        static HIT: Cell<bool> = const { Cell::new(false) };
    }

    /// Lets the step after so many others go wrong, in this thread.
    pub(crate) fn arm(after: u32, fault: Fault) {
        ARMED.set(Some((after, fault)));
        HIT.set(false);
    }

    /// True if it went wrong; nothing does from now on.
    pub(crate) fn disarm() -> bool {
        ARMED.set(None);
        HIT.get()
    }

    pub(super) fn step(path: &Path) -> super::Result<()> {
        match ARMED.get() {
            None => return Ok(()),
            Some((0, Fault::Killed)) => {}
            Some((0, Fault::Fails)) => ARMED.set(None),
            Some((after, fault)) => {
                ARMED.set(Some((after - 1, fault)));
                return Ok(());
            }
        }
        HIT.set(true);
        Err(super::at(path)(ErrorKind::Other.into()))
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    use std::{io, path::Path};

    pub(super) fn owner_only(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn owner_only_folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

#[cfg(not(unix))]
mod platform {
    //! A profile folder is already closed to other users here, and folders cannot be synced.
    use std::fs::{DirBuilder, OpenOptions};
    use std::{io, path::Path};

    pub(super) fn owner_only(_: &mut OpenOptions) {}

    pub(super) fn owner_only_folder(_: &mut DirBuilder) {}

    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
