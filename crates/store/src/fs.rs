//! The one seam between the store and the operating system's files.
//!
//! Invariant: no other file of this crate calls `std::fs` (crate-local `clippy.toml`), and nothing
//! here follows a link in the last component of a path; what is opened for others to read is reached by
//! [`Fs::open_beneath`], which follows none at all. What differs between systems stands in this file and in
//! [`beneath`]. Paths are not checked here: that is [`crate::tree`]'s work; errors carry no path:
//! that is [`crate::disk`]'s.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the seam")]

mod beneath;
pub mod fault;
mod volume;

use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fmt::Debug,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// What the store asks of a file system. [`RealFs`] answers from the disk,
/// [`fault::FaultFs`] breaks at a chosen call.
pub trait Fs: Debug + Send + Sync {
    /// Opens a regular file for reading; refuses a link.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::InvalidInput`] for anything but a regular file.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a regular file for reading and writing, creating it empty where it is absent;
    /// refuses a link.
    ///
    /// # Errors
    /// As [`Fs::open`].
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a regular file by its names from the folder `dir` on. No link is followed on the way, also none that is put
    /// there meanwhile, so nothing outside `dir` is ever opened. A pipe or device there is refused, never waited for.
    ///
    /// This is for a file system of tests, which nobody attacks: it joins the names to a path.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::NotFound`] without names, [`io::ErrorKind::InvalidInput`] for anything but a
    /// regular file, [`io::ErrorKind::NotADirectory`] for a link on the way.
    fn open_beneath(&self, dir: &Path, names: &[&str], access: Access) -> io::Result<Box<dyn File>> {
        let (name, folders) = names.split_last().ok_or(io::ErrorKind::NotFound)?;
        let mut path = dir.to_owned();
        for folder in folders {
            path.push(folder);
            match self.lstat(&path) {
                Ok(meta) if meta.kind == Kind::Dir => {}
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Create => {
                    self.create_dir(&path)?;
                }
                Err(error) => return Err(error),
            }
        }
        path.push(name);
        match access {
            Access::Read => self.open(&path),
            Access::Write => self.lstat(&path).and_then(|_| self.open_write(&path)),
            Access::Create => self.open_write(&path),
        }
    }
    /// What stands at `path`, itself: links are not followed.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::NotFound`] where nothing stands.
    fn lstat(&self, path: &Path) -> io::Result<Meta>;
    /// Names in a folder, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// At most so many names in a folder, in any order: nothing is read after them.
    ///
    /// # Errors
    /// As the system says.
    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>>;
    /// Creates one folder.
    ///
    /// # Errors
    /// As the system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes `to`, where nothing stands, a file with the content of `from` that shares its blocks on the disk until one of
    /// them is written to (reflink on btrfs and XFS, clone on APFS and ReFS). False, and nothing made, where the volume
    /// cannot.
    ///
    /// # Errors
    /// As the system says, of a volume that is full.
    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<bool>;
    /// Renames, replacing a file at `to`. Waits a little for a holder on Windows.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Whether a rename from the folder `from` into the folder `to` may succeed: one volume (and one mount of it), and
    /// this user may change names in `to`. Nothing is changed.
    ///
    /// # Errors
    /// [`io::ErrorKind::CrossesDevices`], [`io::ErrorKind::PermissionDenied`], [`io::ErrorKind::ReadOnlyFilesystem`];
    /// as the system says.
    fn check_rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or a link, never a folder.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    ///
    /// # Errors
    /// As the system says; a folder that is not empty is an error.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes names in a folder durable. Nothing to do on Windows, which has no such call.
    ///
    /// # Errors
    /// As the system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Sets or clears the executable bits (for whoever may read). Nothing to do on Windows.
    ///
    /// # Errors
    /// As the system says.
    fn set_executable(&self, path: &Path, executable: bool) -> io::Result<()>;
    /// Bytes that this user may still write on the volume of `path`.
    ///
    /// # Errors
    /// As the system says.
    fn available_space(&self, path: &Path) -> io::Result<u64>;
    /// The largest file that the volume of `path` can hold, in bytes, where that is known to be less than any game's.
    ///
    /// # Errors
    /// As the system says.
    fn file_bytes_max(&self, path: &Path) -> io::Result<Option<u64>>;
    /// The path with every link resolved.
    ///
    /// # Errors
    /// As the system says.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
    /// Takes the exclusive lock on a file (created where absent), or `None` where another
    /// process or handle holds it. The system drops it with the process.
    ///
    /// # Errors
    /// As the system says.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An open file with positioned access.
pub trait File: Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`, growing the file.
    ///
    /// # Errors
    /// As the system says; part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or grows the file.
    ///
    /// # Errors
    /// As the system says.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes content and length durable.
    ///
    /// # Errors
    /// As the system says. After an error, the content must be taken as lost.
    fn sync(&self) -> io::Result<()>;
    /// What is open.
    ///
    /// # Errors
    /// As the system says.
    fn meta(&self) -> io::Result<Meta>;
}

/// For what a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it.
    Read,
    /// To read and write it; it stands already.
    Write,
    /// The same, and where it or a folder on the way is absent, it is made.
    Create,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Its kind.
    pub kind: Kind,
    /// Bytes, modification time and identity.
    pub stamp: Stamp,
    /// Whether its owner may execute it; `None` on systems without such a bit.
    pub executable: Option<bool>,
    /// When its bytes, name or rights were last changed, in whole seconds since 1970 and nanoseconds. Unlike the
    /// modification time, no program can set it; `None` on systems that do not tell.
    pub changed: Option<(i64, i64)>,
    /// It has other names, perhaps outside the game: its attributes are not ours alone.
    pub is_shared: bool,
}

/// The kinds that the store tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A link, a device, a socket: never ours.
    Other,
}

/// By what a file that was changed behind our back is told from one that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time, whole seconds since 1970.
    pub modified_seconds: i64,
    /// Modification time, nanoseconds within the second.
    pub modified_nanos: u32,
    /// Identity within the volume; 0 where the system does not tell.
    pub inode: u64,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] fs::File);

/// The system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(open_regular(path, OpenOptions::new().read(true))?))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut create = OpenOptions::new();
        create.read(true).write(true).create_new(true);
        let file = match create.open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_regular(path, OpenOptions::new().read(true).write(true))?
            }
            created => created?,
        };
        Ok(Box::new(file))
    }

    fn open_beneath(&self, dir: &Path, names: &[&str], access: Access) -> io::Result<Box<dyn File>> {
        let file = beneath::open(dir, names, access)?;
        if file.metadata()?.is_file() { Ok(Box::new(file)) } else { Err(refused()) }
    }

    fn lstat(&self, path: &Path) -> io::Result<Meta> {
        fs::symlink_metadata(path).map(|meta| Meta::of(&meta))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let names: io::Result<Vec<OsString>> =
            fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect();
        names.map(|mut names| {
            names.sort();
            names
        })
    }

    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.take(most).map(|entry| Ok(entry?.file_name())).collect()
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<bool> {
        if !fs::symlink_metadata(from)?.is_file() {
            return Ok(false);
        }
        match reflink_copy::reflink(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            // Systems have a dozen ways to say that they cannot.
            Err(_) => Ok(false),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        system::patiently(|| fs::rename(from, to))
    }

    fn check_rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        system::check_rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        system::patiently(|| fs::remove_file(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        system::patiently(|| fs::remove_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        system::sync_dir(path)
    }

    fn set_executable(&self, path: &Path, executable: bool) -> io::Result<()> {
        system::set_executable(path, executable)
    }

    fn available_space(&self, path: &Path) -> io::Result<u64> {
        fs4::available_space(path)
    }

    fn file_bytes_max(&self, path: &Path) -> io::Result<Option<u64>> {
        volume::file_bytes_max(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Opens what is a regular file before *and* after the opening: a link or pipe put there is refused
/// unopened, one swapped in between shows by its identity, and is never waited for.
fn open_regular(path: &Path, options: &OpenOptions) -> io::Result<fs::File> {
    let before = fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Err(refused());
    }
    let mut options = options.clone();
    let options = system::never_waiting(&mut options);
    let file = system::patiently(|| options.open(path))?;
    let after = file.metadata()?;
    let same = after.is_file() && system::inode(&after) == system::inode(&before);
    if same { Ok(file) } else { Err(refused()) }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        system::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        system::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        fs::File::set_len(self, length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn meta(&self) -> io::Result<Meta> {
        self.metadata().map(|meta| Meta::of(&meta))
    }
}

impl Meta {
    fn of(meta: &fs::Metadata) -> Self {
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Dir,
            _ => Kind::Other,
        };
        let (modified_seconds, modified_nanos) = split(meta.modified().unwrap_or(UNIX_EPOCH));
        let stamp = Stamp { size: meta.len(), modified_seconds, modified_nanos, inode: system::inode(meta) };
        Self {
            kind,
            stamp,
            executable: system::executable(meta),
            changed: system::changed(meta),
            is_shared: system::is_shared(meta),
        }
    }
}

/// Seconds and nanoseconds; a time before 1970 has negative seconds.
fn split(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            (i64::try_from(before.as_secs()).map_or(i64::MIN, |seconds| -seconds), before.subsec_nanos())
        }
    }
}

#[cfg(unix)]
mod system {
    use super::{OpenOptions, Path, fs, io};
    use rustix::fs::OFlags;
    use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};

    /// Neither a link nor a pipe that was put there a moment ago is opened in earnest.
    pub(super) fn never_waiting(options: &mut OpenOptions) -> &OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed())
    }

    pub(super) fn changed(meta: &fs::Metadata) -> Option<(i64, i64)> {
        Some((meta.ctime(), meta.ctime_nsec()))
    }

    /// Nothing is ever called so.
    const NO_NAME: &str = ".muster-no-such-name";

    pub(super) fn patiently<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
        call()
    }

    pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    /// What is not there is renamed: the system looks at the mounts before it looks at the names.
    pub(super) fn check_rename(from: &Path, to: &Path) -> io::Result<()> {
        rustix::fs::access(to, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
        match fs::rename(from.join(NO_NAME), to.join(NO_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(io::Error::other("a name that nobody gave was there")),
        }
    }

    pub(super) fn set_executable(path: &Path, executable: bool) -> io::Result<()> {
        let mode = fs::symlink_metadata(path)?.permissions().mode();
        // Who may read may execute: 0o644 becomes 0o755, 0o600 becomes 0o700.
        let wanted = if executable { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 };
        if wanted == mode { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(wanted)) }
    }

    pub(super) fn is_shared(meta: &fs::Metadata) -> bool {
        meta.is_file() && meta.nlink() > 1
    }

    pub(super) fn executable(meta: &fs::Metadata) -> Option<bool> {
        Some(meta.mode() & 0o100 != 0)
    }

    pub(super) fn inode(meta: &fs::Metadata) -> u64 {
        meta.ino()
    }

    pub(super) fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(file, buffer, offset)
    }

    pub(super) fn write_all_at(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(file, bytes, offset)
    }
}

#[cfg(windows)]
mod system {
    use super::{OpenOptions, Path, fs, io};
    use std::{os::windows::fs::FileExt, thread, time::Duration};

    /// `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`, `ERROR_LOCK_VIOLATION`: a scanner or an
    /// indexer holds the file, mostly for a moment.
    const HELD: [i32; 3] = [5, 32, 33];
    /// Together about two seconds: longer than scanners hold, shorter than a person waits.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);

    pub(super) fn patiently<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
        for _ in 1..TRIES {
            match call() {
                Err(error) if error.raw_os_error().is_some_and(|code| HELD.contains(&code)) => {
                    thread::sleep(PAUSE)
                }
                done => return done,
            }
        }
        call()
    }

    /// Windows makes names durable with the file and has no call for folders.
    pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
        Ok(())
    }

    /// A mount point inside a folder is a link here, and is not followed.
    pub(super) fn check_rename(_: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn set_executable(_: &Path, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Attributes that we would change do not exist here.
    pub(super) fn is_shared(_: &fs::Metadata) -> bool {
        false
    }

    pub(super) fn executable(_: &fs::Metadata) -> Option<bool> {
        None
    }

    pub(super) fn inode(_: &fs::Metadata) -> u64 {
        0
    }

    pub(super) fn never_waiting(options: &mut OpenOptions) -> &OpenOptions {
        options
    }

    pub(super) fn changed(_: &fs::Metadata) -> Option<(i64, i64)> {
        None
    }

    pub(super) fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match file.seek_read(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        }
    }

    pub(super) fn write_all_at(file: &fs::File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = file.seek_write(bytes, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            offset += written as u64;
        }
        Ok(())
    }
}
