//! The system's files, with something done just before one of the calls that change them.

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use store::fs::{File, Fs, Lock, Meta, RealFs};

/// See the module. Clones count together.
#[derive(Clone)]
pub struct CutFs {
    calls: Arc<AtomicU64>,
    at: u64,
    cut: Arc<dyn Fn() + Send + Sync>,
}

impl CutFs {
    /// Does `cut` before the change number `at`, counted from 1; before each where that is 0.
    pub fn new(at: u64, cut: impl Fn() + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), at, cut: Arc::new(cut) }
    }

    /// Changes so far.
    pub fn changes(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn step(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if call == self.at || self.at == 0 {
            (self.cut)();
        }
    }
}

impl fmt::Debug for CutFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutFs")
    }
}

impl Fs for CutFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(CutFile(self.clone(), RealFs.open(path)?)))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.step();
        Ok(Box::new(CutFile(self.clone(), RealFs.open_write(path)?)))
    }
    fn lstat(&self, path: &Path) -> io::Result<Meta> {
        RealFs.lstat(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        RealFs.read_dir(path)
    }
    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>> {
        RealFs.read_dir_some(path, most)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        RealFs.create_dir(path)
    }
    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<bool> {
        self.step();
        RealFs.clone_file(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        RealFs.rename(from, to)
    }
    fn check_rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFs.check_rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step();
        RealFs.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        RealFs.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        RealFs.sync_dir(path)
    }
    fn set_executable(&self, path: &Path, executable: bool) -> io::Result<()> {
        self.step();
        RealFs.set_executable(path, executable)
    }
    fn available_space(&self, path: &Path) -> io::Result<u64> {
        RealFs.available_space(path)
    }
    fn file_bytes_max(&self, path: &Path) -> io::Result<Option<u64>> {
        RealFs.file_bytes_max(path)
    }
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        RealFs.canonicalize(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        RealFs.try_lock(path)
    }
}

#[derive(Debug)]
struct CutFile(CutFs, Box<dyn File>);

impl File for CutFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.step();
        self.1.write_at(bytes, offset)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.step();
        self.1.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.step();
        self.1.sync()
    }
    fn meta(&self) -> io::Result<Meta> {
        self.1.meta()
    }
}
