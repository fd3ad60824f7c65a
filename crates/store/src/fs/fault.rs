//! A file system that breaks at a chosen call: how tests prove what the store promises.
//!
//! It works on real files below, so that what is left after the break can be looked at. A *kill*
//! lets no later call through. A *power cut* also takes back what was never made durable: bytes,
//! executable bits and names. How much of it comes back is what [`Fault`] says, up to any part of
//! it, torn at sectors. It also lies, flips bits and fails at syncs, as disks do.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the disk below a test works, and a poisoned lock means that it has failed"
)]

mod bytes;
mod names;
mod state;

use super::{File, Fs, Lock, Meta, RealFs};
use names::Undo;
use state::{Hook, State, Verdict};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

/// How the disk breaks, at a call counted from where it was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with this error, a write after half its bytes; later calls work.
    Error(io::ErrorKind),
    /// From that call on everything that would change the disk fails: a volume that stays full, or
    /// that the system has made read-only.
    ErrorsFrom(io::ErrorKind),
    /// The first write from that call on says that it is done, and is not.
    Lie(Lie),
    /// The first read from that call on has one bit wrong; the disk is right.
    FlipRead {
        /// Chooses the bit.
        seed: u64,
    },
    /// The first sync of a file from that call on fails, and what was not synced before is lost,
    /// though later syncs succeed.
    FailedSync,
    /// The call does not happen (a write: half of it), and no later call does.
    Kill,
    /// As `Kill`, and unsynced bytes read as zeros or are gone; with `names`, unsynced names too.
    PowerCut {
        /// Whether names changed since the last folder sync are taken back.
        names: bool,
    },
    /// As `Kill`, and of every unsynced thing an arbitrary part survives, in any order: sectors of
    /// 512 bytes, lengths, executable bits, names.
    Scatter {
        /// Chooses what survives.
        seed: u64,
    },
}

/// What became of a write that was said to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing was written.
    Nothing,
    /// Its first half was.
    Short,
    /// Other bytes were.
    OtherBytes,
}

/// What a call is, for the order of calls ([`FaultFs::record`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Looks at names, sizes, times.
    Look,
    /// Reads bytes.
    Read,
    /// Writes bytes or sets a length.
    Write,
    /// Makes a file's bytes durable.
    Sync,
    /// Makes a folder's names durable.
    SyncDir,
    /// Creates a file or a folder.
    Create,
    /// Renames; the path is where to.
    Rename,
    /// Removes.
    Remove,
    /// Sets executable bits.
    Mode,
}

impl Call {
    /// Whether it would change the disk.
    fn changes(self) -> bool {
        !matches!(self, Self::Look | Self::Read)
    }
}

/// [`RealFs`] with one fault at a time.
#[derive(Debug, Clone)]
pub struct FaultFs {
    state: Arc<Mutex<State>>,
    at_sync: Arc<Mutex<Option<Hook>>>,
    /// Where removed and replaced files wait for a power cut to bring them back.
    stash: PathBuf,
}

impl FaultFs {
    /// Without a fault. `stash` is an existing folder on the volume of the tested files, outside them.
    #[must_use]
    pub fn new(stash: &Path) -> Self {
        Self { state: Arc::default(), at_sync: Arc::default(), stash: stash.to_owned() }
    }

    /// Breaks at the call number `at` from now, counted from 1.
    pub fn arm(&self, at: u64, fault: Fault) {
        self.lock().arm(at, fault);
    }

    /// From now on this is a volume on which files share their blocks. What a clone holds is lost in a power cut like any
    /// bytes that were not synced.
    pub fn clone_files(&self) {
        self.lock().clones = true;
    }

    /// Lets every sync of a file take as long as `hook` does, from now on.
    pub fn at_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.at_sync.lock().unwrap() = Some(Hook(Arc::new(hook)));
    }

    /// Writes down every call from now on, for [`FaultFs::recorded`].
    pub fn record(&self) {
        self.lock().recorded = Some(Vec::new());
    }

    /// The calls since [`FaultFs::record`], in order.
    #[must_use]
    pub fn recorded(&self) -> Vec<(Call, PathBuf)> {
        self.lock().recorded.clone().unwrap_or_default()
    }

    /// Works again, as after a restart; takes the armed fault away.
    pub fn revive(&self) {
        self.lock().revive();
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Whether the armed fault has happened.
    #[must_use]
    pub fn struck(&self) -> bool {
        self.lock().struck
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call that is no read, write or sync of a file, and breaks it if its time has come.
    fn step(&self, call: Call, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        match state.judge(call, path) {
            Verdict::Go => Ok(state),
            Verdict::Dead => Err(state::killed()),
            Verdict::Break(fault) => Err(state.strike(fault)),
        }
    }

    fn stash(&self, state: &mut State, path: &Path) -> io::Result<PathBuf> {
        state.stashed += 1;
        let stash = self.stash.join(state.stashed.to_string());
        fs::hard_link(path, &stash)?;
        Ok(stash)
    }

    fn file(&self, path: &Path, options: &fs::OpenOptions) -> io::Result<Box<dyn File>> {
        let file = Arc::new(super::open_regular(path, options)?);
        Ok(Box::new(FaultFile { fs: self.clone(), file, path: path.to_owned() }))
    }
}

impl Fs for FaultFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        drop(self.step(Call::Look, path)?);
        self.file(path, fs::OpenOptions::new().read(true))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let new = fs::symlink_metadata(path).is_err();
        let mut state = self.step(if new { Call::Create } else { Call::Look }, path)?;
        RealFs.open_write(path)?;
        if new {
            state.names.push(Undo::Created(path.to_owned()));
        }
        drop(state);
        self.file(path, fs::OpenOptions::new().read(true).write(true))
    }

    fn lstat(&self, path: &Path) -> io::Result<Meta> {
        drop(self.step(Call::Look, path)?);
        RealFs.lstat(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        drop(self.step(Call::Look, path)?);
        RealFs.read_dir(path)
    }

    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>> {
        drop(self.step(Call::Look, path)?);
        RealFs.read_dir_some(path, most)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step(Call::Create, path)?;
        RealFs.create_dir(path)?;
        state.names.push(Undo::CreatedDir(path.to_owned()));
        Ok(())
    }

    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<bool> {
        let mut state = self.step(Call::Create, to)?;
        if !state.clones {
            return Ok(false);
        }
        fs::copy(from, to)?;
        state.names.push(Undo::Created(to.to_owned()));
        let file = Arc::new(super::open_regular(to, fs::OpenOptions::new().read(true).write(true))?);
        state.unsynced(&file)?.cloned(&file)?;
        Ok(true)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step(Call::Rename, to)?;
        let stood = fs::symlink_metadata(to).is_ok_and(|meta| !meta.is_dir());
        let replaced = if stood { Some(self.stash(&mut state, to)?) } else { None };
        RealFs.rename(from, to)?;
        state.names.push(Undo::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
        Ok(())
    }

    fn check_rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        drop(self.step(Call::Look, to)?);
        RealFs.check_rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step(Call::Remove, path)?;
        let stash = self.stash(&mut state, path)?;
        RealFs.remove_file(path)?;
        state.names.push(Undo::Removed { path: path.to_owned(), stash });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step(Call::Remove, path)?;
        RealFs.remove_dir(path)?;
        state.names.push(Undo::RemovedDir(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step(Call::SyncDir, path)?;
        // Durability is only played here, so the disk need not be waited for.
        fs::read_dir(path)?;
        // One log for all names, as ext4 and xfs have: what was before is durable too.
        state.names.clear();
        Ok(())
    }

    fn set_executable(&self, path: &Path, executable: bool) -> io::Result<()> {
        let mut state = self.step(Call::Mode, path)?;
        let file = Arc::new(super::open_regular(path, fs::OpenOptions::new().read(true).write(true))?);
        state.unsynced(&file)?.mode_changes(&file)?;
        RealFs.set_executable(path, executable)
    }

    fn available_space(&self, path: &Path) -> io::Result<u64> {
        drop(self.step(Call::Look, path)?);
        RealFs.available_space(path)
    }

    fn file_bytes_max(&self, path: &Path) -> io::Result<Option<u64>> {
        drop(self.step(Call::Look, path)?);
        RealFs.file_bytes_max(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        drop(self.step(Call::Look, path)?);
        RealFs.canonicalize(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        drop(self.step(Call::Look, path)?);
        RealFs.try_lock(path)
    }
}

#[derive(Debug)]
struct FaultFile {
    fs: FaultFs,
    file: Arc<fs::File>,
    path: PathBuf,
}

impl File for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.fs.lock();
        match state.judge(Call::Read, &self.path) {
            Verdict::Go => File::read_at(&*self.file, buffer, offset),
            Verdict::Break(Fault::FlipRead { seed }) => {
                let read = File::read_at(&*self.file, buffer, offset)?;
                // At the end of a file there is nothing to flip: the next read will do.
                if read > 0 {
                    state.done();
                    buffer[seed as usize / 8 % read] ^= 1 << (seed % 8);
                }
                Ok(read)
            }
            Verdict::Break(fault) => Err(state.strike(fault)),
            Verdict::Dead => Err(state::killed()),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.fs.lock();
        let verdict = state.judge(Call::Write, &self.path);
        if matches!(verdict, Verdict::Dead) {
            return Err(state::killed());
        }
        // The bytes that a breaking write still gets down must be unsynced before the break.
        state.unsynced(&self.file)?.writes(&self.file, offset, bytes.len())?;
        let half = &bytes[..bytes.len() / 2];
        match verdict {
            Verdict::Break(Fault::Lie(lie)) => {
                state.done();
                match lie {
                    Lie::Nothing => Ok(()),
                    Lie::Short => File::write_at(&*self.file, half, offset),
                    Lie::OtherBytes => {
                        let others: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x20).collect();
                        File::write_at(&*self.file, &others, offset)
                    }
                }
            }
            Verdict::Break(fault) => {
                File::write_at(&*self.file, half, offset)?;
                Err(state.strike(fault))
            }
            _ => File::write_at(&*self.file, bytes, offset),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.fs.step(Call::Write, &self.path)?;
        state.unsynced(&self.file)?.length_changes(length);
        fs::File::set_len(&self.file, length)
    }

    fn sync(&self) -> io::Result<()> {
        let hook = self.fs.at_sync.lock().unwrap().clone();
        hook.iter().for_each(|Hook(hook)| hook());
        let mut state = self.fs.lock();
        match state.judge(Call::Sync, &self.path) {
            Verdict::Go => state.synced(&self.file),
            Verdict::Dead => Err(state::killed()),
            Verdict::Break(Fault::FailedSync) => {
                state.forget(&self.file)?;
                Err(state.strike(Fault::Error(io::ErrorKind::Other)))
            }
            Verdict::Break(fault) => Err(state.strike(fault)),
        }
    }

    fn meta(&self) -> io::Result<Meta> {
        drop(self.fs.step(Call::Look, &self.path)?);
        File::meta(&*self.file)
    }
}
