//! The seam with manners: errors name the path, absence is not an error, files are replaced whole.
//!
//! It knows nothing of games; [`Disk::remove_tree`] is for our own `.muster` only.

use crate::{
    error::{At, Result, StoreError},
    fs::{Access, File, Fs, Kind, Lock, Meta},
};
use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes copied or read at once: a few blocks, small beside a piece.
pub(crate) const CHUNK: usize = 256 * 1024;

/// A shared handle on the seam.
#[derive(Clone)]
pub(crate) struct Disk(Arc<dyn Fs>);

impl Disk {
    pub(crate) fn new(fs: Arc<dyn Fs>) -> Self {
        Self(fs)
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Box<dyn File>> {
        self.0.open(path).at(path)
    }

    pub(crate) fn open_write(&self, path: &Path) -> Result<Box<dyn File>> {
        self.0.open_write(path).at(path)
    }

    /// See [`Fs::open_beneath`].
    pub(crate) fn open_beneath(&self, dir: &Path, names: &[&str]) -> io::Result<Box<dyn File>> {
        self.0.open_beneath(dir, names, Access::Read)
    }

    /// What stands at `path`, or `None`.
    pub(crate) fn lstat(&self, path: &Path) -> Result<Option<Meta>> {
        match self.0.lstat(path) {
            Err(error) if is_absence(&error) => Ok(None),
            found => found.at(path).map(Some),
        }
    }

    /// What kind of thing stands at `path`, or `None`.
    pub(crate) fn kind(&self, path: &Path) -> Result<Option<Kind>> {
        Ok(self.lstat(path)?.map(|meta| meta.kind))
    }

    /// Names in a folder; empty where there is none.
    pub(crate) fn names(&self, path: &Path) -> Result<Vec<OsString>> {
        match self.0.read_dir(path) {
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            names => names.at(path),
        }
    }

    /// At most so many names in a folder that others write to; empty where there is none.
    pub(crate) fn names_some(&self, path: &Path, most: usize) -> Result<Vec<OsString>> {
        match self.0.read_dir_some(path, most) {
            Err(error) if is_absence(&error) => Ok(Vec::new()),
            names => names.at(path),
        }
    }

    /// The whole of one of our own files, or `None` where it is absent.
    pub(crate) fn read(&self, path: &Path, length_max: u64) -> Result<Option<Vec<u8>>> {
        let Some(meta) = self.lstat(path)? else { return Ok(None) };
        if meta.stamp.size > length_max {
            return Err(StoreError::broken(
                path,
                format!("{} bytes, more than {length_max}", meta.stamp.size),
            ));
        }
        let file = self.open(path)?;
        let mut bytes = vec![0; usize::try_from(meta.stamp.size).map_err(|e| StoreError::broken(path, e))?];
        let read = read_full(&*file, &mut bytes, 0).at(path)?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }

    /// Replaces a file so that a reader, also one after a power cut, finds all of the old or all
    /// of the new.
    pub(crate) fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = path.with_file_name(name);
        self.write_synced(&beside, bytes)?;
        self.rename(&beside, path)?;
        self.sync_dir(parent(path))
    }

    /// Writes a file in place, syncs it and reads it back: a disk may say that it wrote and not have
    /// done so. Its name becomes durable with the folder.
    pub(crate) fn write_synced(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let file = self.open_write(path)?;
        file.set_len(0).at(path)?;
        if !bytes.is_empty() {
            file.write_at(bytes, 0).at(path)?;
        }
        file.sync().at(path)?;
        if holds(&*file, bytes).at(path)? { Ok(()) } else { Err(lied()).at(path) }
    }

    /// Creates one folder if nothing stands there; a file or a link there is an error.
    pub(crate) fn ensure_dir(&self, path: &Path) -> Result<bool> {
        match self.0.create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.kind(path)? {
                Some(Kind::Dir) => Ok(false),
                _ => Err(error).at(path),
            },
            created => created.at(path).map(|()| true),
        }
    }

    /// See [`Fs::clone_file`].
    pub(crate) fn clone_file(&self, from: &Path, to: &Path) -> Result<bool> {
        self.0.clone_file(from, to).at(to)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.rename(from, to).at(from)
    }

    /// See [`Fs::check_rename`].
    pub(crate) fn check_rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.check_rename(from, to).at(to)
    }

    /// Removes a file or a link if one stands there.
    pub(crate) fn remove_file(&self, path: &Path) -> Result<bool> {
        match self.0.remove_file(path) {
            Err(error) if is_absence(&error) => Ok(false),
            removed => removed.at(path).map(|()| true),
        }
    }

    /// Removes a folder if it is one and empty.
    pub(crate) fn remove_dir_if_empty(&self, path: &Path) -> Result<bool> {
        match self.0.remove_dir(path) {
            Err(error) if is_absence(&error) || error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            removed => removed.at(path).map(|()| true),
        }
    }

    /// Removes everything under a folder of ours, without following links.
    pub(crate) fn remove_tree(&self, path: &Path) -> Result<()> {
        match self.kind(path)? {
            None => return Ok(()),
            Some(Kind::Dir) => {}
            Some(_) => return self.remove_file(path).map(|_| ()),
        }
        for name in self.names(path)? {
            let inner = path.join(name);
            // Nearly all are files: try that first and save a call for each.
            if self.0.remove_file(&inner).is_err() {
                self.remove_tree(&inner)?;
            }
        }
        self.0.remove_dir(path).at(path)
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.sync_dir(path).at(path)
    }

    /// Makes a file's content and attributes durable.
    pub(crate) fn sync_file(&self, path: &Path) -> Result<()> {
        self.open(path)?.sync().at(path)
    }

    pub(crate) fn set_executable(&self, path: &Path, executable: bool) -> Result<()> {
        self.0.set_executable(path, executable).at(path)
    }

    pub(crate) fn available_space(&self, path: &Path) -> Result<u64> {
        self.0.available_space(path).at(path)
    }

    pub(crate) fn file_bytes_max(&self, path: &Path) -> Result<Option<u64>> {
        self.0.file_bytes_max(path).at(path)
    }

    pub(crate) fn canonicalize(&self, path: &Path) -> Result<PathBuf> {
        self.0.canonicalize(path).at(path)
    }

    pub(crate) fn try_lock(&self, path: &Path) -> Result<Option<Lock>> {
        self.0.try_lock(path).at(path)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fills `buffer` from `offset` on as far as the file goes; the number of bytes read.
pub(crate) fn read_full(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a file has just these bytes.
fn holds(file: &dyn File, bytes: &[u8]) -> io::Result<bool> {
    if file.meta()?.stamp.size != bytes.len() as u64 {
        return Ok(false);
    }
    let mut found = vec![0; bytes.len().min(CHUNK)];
    for (chunk, offset) in bytes.chunks(CHUNK).zip((0_u64..).step_by(CHUNK)) {
        let part = &mut found[..chunk.len()];
        if read_full(file, part, offset)? < chunk.len() || part != chunk {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lied() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was written reads back differently")
}

/// The folder that a path of ours lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Nothing at the path, or a file where a folder on the way to it should be.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
