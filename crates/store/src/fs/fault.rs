//! A file system that breaks at a chosen call: how tests prove what the store promises.
//!
//! It works on real files below, so that what is left after the break can be looked at. A *kill*
//! lets no later call through. A *power cut* also takes back what was never made durable: bytes
//! written and not synced read as zeros or are gone, and, if asked, names changed since the last
//! folder sync are as before (the two ways in which a journalling file system may come back).
#![expect(clippy::unwrap_used, reason = "a poisoned lock means that a test has failed already")]

use super::{File, Fs, Lock, Meta, RealFs};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// How the chosen call breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error, a write after half its bytes; later calls work.
    Error(io::ErrorKind),
    /// It does not happen (a write: half of it), and no later call does.
    Kill,
    /// As `Kill`, and unsynced bytes are lost; with `names`, unsynced names too.
    PowerCut {
        /// Whether names changed since the last folder sync are taken back.
        names: bool,
    },
}

/// [`RealFs`] with one fault.
#[derive(Debug, Clone)]
pub struct FaultFs {
    state: Arc<Mutex<State>>,
    at_sync: Arc<Mutex<Option<Hook>>>,
    /// Where removed and replaced files wait for a power cut to bring them back.
    stash: PathBuf,
}

/// Done at a sync.
#[derive(Clone)]
struct Hook(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    plan: Option<(u64, Fault)>,
    dead: bool,
    unsynced: Vec<Unsynced>,
    names: Vec<Undo>,
    stashed: u64,
    /// Files can be cloned here.
    clones: bool,
}

/// Bytes of one file that a power cut loses.
#[derive(Debug)]
struct Unsynced {
    file: Arc<fs::File>,
    inode: u64,
    durable_length: u64,
    ranges: Vec<(u64, u64)>,
}

/// How to take back a change of names.
#[derive(Debug)]
enum Undo {
    Created(PathBuf),
    CreatedDir(PathBuf),
    Removed { path: PathBuf, stash: PathBuf },
    RemovedDir(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<PathBuf> },
}

impl FaultFs {
    /// Without a fault. `stash` is an existing folder on the volume of the tested files, outside them.
    #[must_use]
    pub fn new(stash: &Path) -> Self {
        Self { state: Arc::default(), at_sync: Arc::default(), stash: stash.to_owned() }
    }

    /// Breaks the call number `at` from now, counted from 1.
    pub fn arm(&self, at: u64, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.plan = Some((state.calls + at, fault));
    }

    /// From now on this is a volume on which files share their blocks. What a clone holds is lost in a power cut like any
    /// bytes that were not synced.
    pub fn clone_files(&self) {
        self.state.lock().unwrap().clones = true;
    }

    /// Lets every sync of a file take as long as `hook` does, from now on.
    pub fn at_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.at_sync.lock().unwrap() = Some(Hook(Arc::new(hook)));
    }

    /// Works again, as after a restart; takes the armed fault away.
    pub fn revive(&self) {
        let mut state = self.state.lock().unwrap();
        *state =
            State { calls: state.calls, stashed: state.stashed, clones: state.clones, ..State::default() };
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    /// Counts a call, and breaks it if its time has come.
    fn step(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        if state.dead {
            return Err(io::Error::other("killed"));
        }
        match state.plan {
            Some((at, fault)) if at == state.calls => state.strike(fault),
            _ => Ok(()),
        }
    }

    fn stash(&self, state: &mut State, path: &Path) -> io::Result<PathBuf> {
        state.stashed += 1;
        let stash = self.stash.join(state.stashed.to_string());
        fs::hard_link(path, &stash)?;
        Ok(stash)
    }
}

impl State {
    fn strike(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::Error(kind) => return Err(kind.into()),
            Fault::Kill => {}
            Fault::PowerCut { names } => {
                for lost in std::mem::take(&mut self.unsynced) {
                    lost.forget()?;
                }
                let undo = std::mem::take(&mut self.names);
                if names {
                    undo.into_iter().rev().try_for_each(Undo::run)?;
                }
            }
        }
        self.dead = true;
        Err(io::Error::other("killed"))
    }

    fn unsynced(&mut self, file: &Arc<fs::File>) -> io::Result<&mut Unsynced> {
        let meta = File::meta(&**file)?.stamp;
        let known = self.unsynced.iter().position(|entry| entry.inode == meta.inode);
        let index = known.unwrap_or_else(|| {
            let (inode, durable_length) = (meta.inode, meta.size);
            self.unsynced.push(Unsynced {
                file: Arc::clone(file),
                inode,
                durable_length,
                ranges: Vec::new(),
            });
            self.unsynced.len() - 1
        });
        Ok(&mut self.unsynced[index])
    }
}

impl Unsynced {
    fn forget(self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        for (start, end) in self.ranges {
            let zeros = vec![0; usize::try_from(end.min(length).saturating_sub(start)).unwrap()];
            self.file.write_at(&zeros, start)?;
        }
        fs::File::set_len(&self.file, self.durable_length)
    }
}

impl Undo {
    fn run(self) -> io::Result<()> {
        match self {
            Self::Created(path) => fs::remove_file(path),
            Self::CreatedDir(path) => fs::remove_dir(path),
            Self::Removed { path, stash } => fs::rename(stash, path),
            Self::RemovedDir(path) => fs::create_dir(path),
            Self::Renamed { from, to, replaced } => {
                fs::rename(&to, from)?;
                replaced.map_or(Ok(()), |stash| fs::rename(stash, to))
            }
        }
    }
}

impl Fs for FaultFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.step()?;
        let file = super::open_regular(path, fs::OpenOptions::new().read(true))?;
        Ok(Box::new(FaultFile { fs: self.clone(), file: Arc::new(file) }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.step()?;
        let mut state = self.state.lock().unwrap();
        let new = fs::symlink_metadata(path).is_err();
        RealFs.open_write(path)?;
        if new {
            state.names.push(Undo::Created(path.to_owned()));
        }
        let file = super::open_regular(path, fs::OpenOptions::new().read(true).write(true))?;
        Ok(Box::new(FaultFile { fs: self.clone(), file: Arc::new(file) }))
    }

    fn lstat(&self, path: &Path) -> io::Result<Meta> {
        self.step()?;
        RealFs.lstat(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.step()?;
        RealFs.read_dir(path)
    }

    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>> {
        self.step()?;
        RealFs.read_dir_some(path, most)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.create_dir(path)?;
        self.state.lock().unwrap().names.push(Undo::CreatedDir(path.to_owned()));
        Ok(())
    }

    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<bool> {
        self.step()?;
        let mut state = self.state.lock().unwrap();
        if !state.clones {
            return Ok(false);
        }
        fs::copy(from, to)?;
        state.names.push(Undo::Created(to.to_owned()));
        let file = Arc::new(super::open_regular(to, fs::OpenOptions::new().read(true).write(true))?);
        let unsynced = state.unsynced(&file)?;
        unsynced.durable_length = 0;
        unsynced.ranges.push((0, file.metadata()?.len()));
        Ok(true)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.state.lock().unwrap();
        let stood = fs::symlink_metadata(to).is_ok_and(|meta| !meta.is_dir());
        let replaced = if stood { Some(self.stash(&mut state, to)?) } else { None };
        RealFs.rename(from, to)?;
        state.names.push(Undo::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.state.lock().unwrap();
        let stash = self.stash(&mut state, path)?;
        RealFs.remove_file(path)?;
        state.names.push(Undo::Removed { path: path.to_owned(), stash });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealFs.remove_dir(path)?;
        self.state.lock().unwrap().names.push(Undo::RemovedDir(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        // Durability is only played here, so the disk need not be waited for.
        fs::read_dir(path)?;
        // One log for all names, as ext4 and xfs have: what was before is durable too.
        self.state.lock().unwrap().names.clear();
        Ok(())
    }

    fn set_executable(&self, path: &Path, executable: bool) -> io::Result<()> {
        self.step()?;
        RealFs.set_executable(path, executable)
    }

    fn available_space(&self, path: &Path) -> io::Result<u64> {
        self.step()?;
        RealFs.available_space(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.step()?;
        RealFs.canonicalize(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.step()?;
        RealFs.try_lock(path)
    }
}

#[derive(Debug)]
struct FaultFile {
    fs: FaultFs,
    file: Arc<fs::File>,
}

impl File for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.fs.step()?;
        File::read_at(&*self.file, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // The bytes that a breaking write still gets down must be unsynced before the break.
        let end = offset + bytes.len() as u64;
        let torn = {
            let mut state = self.fs.state.lock().unwrap();
            let breaks = state.plan.is_some_and(|(at, _)| at == state.calls + 1);
            if !state.dead {
                state.unsynced(&self.file)?.ranges.push((offset, end));
            }
            breaks && !state.dead
        };
        if torn {
            File::write_at(&*self.file, &bytes[..bytes.len() / 2], offset)?;
        }
        self.fs.step()?;
        File::write_at(&*self.file, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.fs.step()?;
        let mut state = self.fs.state.lock().unwrap();
        let unsynced = state.unsynced(&self.file)?;
        unsynced.durable_length = unsynced.durable_length.min(length);
        fs::File::set_len(&self.file, length)
    }

    fn sync(&self) -> io::Result<()> {
        let hook = self.fs.at_sync.lock().unwrap().clone();
        hook.iter().for_each(|Hook(hook)| hook());
        self.fs.step()?;
        let inode = File::meta(&*self.file)?.stamp.inode;
        self.fs.state.lock().unwrap().unsynced.retain(|entry| entry.inode != inode);
        Ok(())
    }

    fn meta(&self) -> io::Result<Meta> {
        self.fs.step()?;
        File::meta(&*self.file)
    }
}
