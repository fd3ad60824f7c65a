//! The one place of this crate that touches files. Errors name the path; nothing here follows a link out of a build,
//! because the walk refuses links before anything is read.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    Other,
}

/// An entry of a folder.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) kind: EntryKind,
}

/// A file's look, by which a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    modified: SystemTime,
    pub(crate) executable: bool,
}

/// Entries of a folder, sorted by name. Links are not followed.
pub(crate) fn list(folder: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let kind = entry.file_type().map_err(at(&entry.path()))?;
        let kind = match kind {
            kind if kind.is_symlink() => EntryKind::Link,
            kind if kind.is_dir() => EntryKind::Folder,
            kind if kind.is_file() => EntryKind::File,
            _ => EntryKind::Other,
        };
        entries.push(Entry { path: entry.path(), kind });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

pub(crate) fn stamp(path: &Path) -> Result<Stamp> {
    let metadata = fs::symlink_metadata(path).map_err(at(path))?;
    let modified = metadata.modified().map_err(at(path))?;
    Ok(Stamp { size: metadata.len(), modified, executable: platform::is_executable(&metadata) })
}

pub(crate) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(at(path))
}

pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(at(path))
}

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Writes a file whole. Not for the repository, whose files come into their places by [`Pending`].
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(at(path))
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(at(path))
}

/// Reads a text of at most `limit` bytes; `None` if there is no such file.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let mut text = String::new();
    file.take(limit.saturating_add(1)).read_to_string(&mut text).map_err(at(path))?;
    if text.len() as u64 > limit {
        return Err(at(path)(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(text))
}

/// Fills `buffer` from `offset`. False if the file ends before.
pub(crate) fn read_exact_at(path: &Path, offset: u64, buffer: &mut [u8]) -> Result<bool> {
    let mut file = File::open(path).map_err(at(path))?;
    file.seek(SeekFrom::Start(offset)).map_err(at(path))?;
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

/// The last bytes of a file, at most `length`, and its length; `None` if there is no such file.
pub(crate) fn read_tail(path: &Path, length: u64) -> Result<Option<(Vec<u8>, u64)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    let whole = file.metadata().map_err(at(path))?.len();
    file.seek(SeekFrom::Start(whole.saturating_sub(length))).map_err(at(path))?;
    let mut tail = Vec::new();
    file.take(length).read_to_end(&mut tail).map_err(at(path))?;
    Ok(Some((tail, whole)))
}

/// A file that is being written under a temporary name beside its place.
#[derive(Debug)]
pub(crate) struct Pending {
    writer: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
}

/// A file that is written but neither synced nor in its place. Dropped, it stays as a temporary file.
#[derive(Debug)]
pub(crate) struct Written {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
}

impl Pending {
    pub(crate) fn create(target: PathBuf) -> Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = target.with_file_name(format!("{TEMPORARY_PREFIX}{name}"));
        let file = File::create(&temporary).map_err(at(&temporary))?;
        Ok(Self { writer: BufWriter::new(file), temporary, target })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(at(&self.temporary))
    }

    pub(crate) fn finish(self) -> Result<Written> {
        let Self { writer, temporary, target } = self;
        let file = writer.into_inner().map_err(|error| at(&temporary)(error.into_error()))?;
        Ok(Written { file, temporary, target })
    }
}

impl Written {
    /// Syncs the file and puts it in its place.
    pub(crate) fn place(&self) -> Result<()> {
        self.file.sync_all().map_err(at(&self.temporary))?;
        fs::rename(&self.temporary, &self.target).map_err(at(&self.target))
    }
}

/// A file for bytes on their way; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{TEMPORARY_PREFIX}{name}"));
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path);
        Ok(Self { file: file.map_err(at(&path))?, path })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::End(0)).and_then(|_| self.file.write_all(bytes)).map_err(at(&self.path))
    }

    pub(crate) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let sought = self.file.seek(SeekFrom::Start(offset));
        sought.and_then(|_| self.file.read_exact(buffer)).map_err(at(&self.path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "a file that is not needed any more stays");
        }
    }
}

/// Removes what an interrupted run left in `folder`. Only this crate writes names with this prefix, under the
/// repository's lock.
pub(crate) fn remove_temporaries(folder: &Path) -> Result<()> {
    for entry in list(folder)? {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        if entry.kind == EntryKind::File && name.starts_with(TEMPORARY_PREFIX) {
            remove(&entry.path)?;
        }
    }
    Ok(())
}

pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    platform::sync_folder(folder).map_err(at(folder))
}

/// Writes a secret, readable by its owner only, and syncs it; a file of that name is replaced.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!("{TEMPORARY_PREFIX}{name}"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    platform::owner_only(&mut options);
    let mut file = options.open(&temporary).map_err(at(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&temporary))?;
    fs::rename(&temporary, path).map_err(at(path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder that only its owner may look into.
pub(crate) fn create_private_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    platform::owner_only_folder(&mut builder);
    builder.create(path).map_err(at(path))
}

/// Removes a folder of ours with all that is in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Processor time of the calling thread, where the system tells it by a file.
pub(crate) fn thread_time() -> Option<Duration> {
    platform::thread_time()
}

/// Makes `to` the same file as `from`, or a copy where the file system cannot link.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let temporary = to.with_file_name(format!("{TEMPORARY_PREFIX}{name}"));
    fs::copy(from, &temporary).map_err(at(&temporary))?;
    fs::rename(&temporary, to).map_err(at(to))
}

const TEMPORARY_PREFIX: &str = ".publishing-";

#[cfg(unix)]
mod platform {
    use std::fs::{DirBuilder, OpenOptions};
    use std::fs::{File, Metadata};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
    use std::time::Duration;
    use std::{io, path::Path};

    pub(super) fn owner_only(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn owner_only_folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn is_executable(metadata: &Metadata) -> bool {
        metadata.permissions().mode() & 0o111 != 0
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Linux: the first number of this file is nanoseconds on a processor. Elsewhere there is no such file.
    pub(super) fn thread_time() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

#[cfg(not(unix))]
mod platform {
    //! No executable bit here: the configuration names executables. Folders cannot be synced.
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::{io, path::Path};

    pub(super) fn owner_only(_: &mut OpenOptions) {}

    pub(super) fn owner_only_folder(_: &mut DirBuilder) {}

    pub(super) fn is_executable(_: &Metadata) -> bool {
        false
    }

    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn thread_time() -> Option<std::time::Duration> {
        None
    }
}
