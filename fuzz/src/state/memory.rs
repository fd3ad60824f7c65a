//! A file system in memory: fast, forgotten after each input, and open to inspection.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};
use store::fs::{File, Fs, Kind, Lock, Meta, RealFs, Stamp};
use tempfile::TempDir;

/// Files that grow beyond this are a fault of whoever grows them.
const LENGTH_MAX: u64 = 1 << 24;

type Content = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Clone)]
enum Node {
    Dir,
    File { content: Content, executable: bool, inode: u64 },
}

/// Everything there is; folders are nodes too.
#[derive(Debug, Default)]
pub(super) struct MemoryFs {
    nodes: Mutex<(BTreeMap<PathBuf, Node>, u64)>,
    /// Locks are the system's: a file for each path that is locked.
    locks: OnceLock<TempDir>,
}

impl MemoryFs {
    /// Puts a file, and the folders it lies in.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        for above in path.ancestors().skip(1) {
            self.all().0.entry(above.to_owned()).or_insert(Node::Dir);
        }
        let mut all = self.all();
        if matches!(all.0.get(path), Some(Node::Dir)) {
            return;
        }
        all.1 += 1;
        let inode = all.1;
        let content = Arc::new(Mutex::new(bytes.to_vec()));
        all.0.insert(path.to_owned(), Node::File { content, executable: false, inode });
    }

    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.all().0.get(Path::new(path))? {
            Node::File { content, .. } => Some(content.lock().unwrap().clone()),
            Node::Dir => None,
        }
    }

    /// Whether a file with these bytes lies below `dir`.
    pub(super) fn holds(&self, bytes: &[u8], dir: &Path) -> bool {
        self.all().0.iter().any(|(path, node)| match node {
            Node::File { content, .. } => {
                path.starts_with(dir) && content.lock().unwrap().as_slice() == bytes
            }
            Node::Dir => false,
        })
    }

    fn all(&self) -> MutexGuard<'_, (BTreeMap<PathBuf, Node>, u64)> {
        self.nodes.lock().unwrap()
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        assert!(
            path.is_absolute() && path.components().all(|part| part.as_os_str() != ".."),
            "{}",
            path.display()
        );
        self.all().0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn folder_above(&self, path: &Path) -> io::Result<()> {
        match self.node(path.parent().ok_or(io::ErrorKind::InvalidInput)?)? {
            Node::Dir => Ok(()),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn children(&self, path: &Path) -> io::Result<Vec<OsString>> {
        match self.node(path)? {
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
            Node::Dir => {
                let all = self.all();
                let below = all.0.keys().filter(|other| other.parent() == Some(path));
                Ok(below.filter_map(|other| other.file_name().map(OsString::from)).collect())
            }
        }
    }

    fn file(&self, path: &Path) -> io::Result<Box<dyn File>> {
        match self.node(path)? {
            Node::Dir => Err(io::ErrorKind::InvalidInput.into()),
            Node::File { content, executable, inode } => Ok(Box::new(Open { content, executable, inode })),
        }
    }
}

#[derive(Debug)]
struct Open {
    content: Content,
    executable: bool,
    inode: u64,
}

impl File for Open {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock().unwrap();
        let rest = content.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        assert!(end <= LENGTH_MAX, "a file grows to {end}");
        let mut content = self.content.lock().unwrap();
        let length = content.len().max(end as usize);
        content.resize(length, 0);
        content[offset as usize..end as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        assert!(length <= LENGTH_MAX, "a file grows to {length}");
        self.content.lock().unwrap().resize(length as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn meta(&self) -> io::Result<Meta> {
        let size = self.content.lock().unwrap().len() as u64;
        let stamp = Stamp { size, modified_seconds: 0, modified_nanos: 0, inode: self.inode };
        Ok(Meta {
            kind: Kind::File,
            stamp,
            executable: Some(self.executable),
            changed: None,
            is_shared: false,
        })
    }
}

impl Fs for MemoryFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.file(path)
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.folder_above(path)?;
        if self.node(path).is_err() {
            let mut all = self.all();
            all.1 += 1;
            let node = Node::File { content: Content::default(), executable: false, inode: all.1 };
            all.0.insert(path.to_owned(), node);
        }
        self.file(path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Meta> {
        match self.node(path)? {
            Node::File { .. } => self.file(path)?.meta(),
            Node::Dir => {
                let stamp = Stamp { size: 0, modified_seconds: 0, modified_nanos: 0, inode: 0 };
                Ok(Meta { kind: Kind::Dir, stamp, executable: Some(true), changed: None, is_shared: false })
            }
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.children(path)
    }

    fn read_dir_some(&self, path: &Path, most: usize) -> io::Result<Vec<OsString>> {
        self.children(path).map(|names| names.into_iter().take(most).collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.folder_above(path)?;
        if self.node(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.all().0.insert(path.to_owned(), Node::Dir);
        Ok(())
    }

    fn clone_file(&self, _from: &Path, _to: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn check_rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // One volume, and all of it may be written.
        [from, to].into_iter().try_for_each(|dir| match self.node(dir)? {
            Node::Dir => Ok(()),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.folder_above(to)?;
        let node = self.node(from)?;
        match (&node, self.node(to)) {
            (Node::File { .. }, Ok(Node::Dir)) => return Err(io::ErrorKind::IsADirectory.into()),
            (Node::Dir, Ok(Node::File { .. })) => return Err(io::ErrorKind::NotADirectory.into()),
            (Node::Dir, Ok(Node::Dir)) if !self.children(to)?.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            (Node::Dir, _) if to.starts_with(from) => return Err(io::ErrorKind::InvalidInput.into()),
            _ => {}
        }
        let mut all = self.all();
        let moved: Vec<PathBuf> = all.0.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in moved {
            let (Some(node), Ok(rest)) = (all.0.remove(&path), path.strip_prefix(from)) else { continue };
            let target = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            all.0.insert(target, node);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self.node(path)? {
            Node::Dir => Err(io::ErrorKind::IsADirectory.into()),
            Node::File { .. } => {
                self.all().0.remove(path);
                Ok(())
            }
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        if !self.children(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.all().0.remove(path);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.node(path).map(drop)
    }

    fn set_executable(&self, path: &Path, now: bool) -> io::Result<()> {
        match self.all().0.get_mut(path) {
            Some(Node::File { executable, .. }) => {
                *executable = now;
                Ok(())
            }
            Some(Node::Dir) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn available_space(&self, _path: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn file_bytes_max(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.node(path).map(|_| path.to_owned())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.folder_above(path)?;
        if matches!(self.node(path), Ok(Node::Dir)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        drop(self.open_write(path)?);
        let locks = self.locks.get_or_init(|| tempfile::tempdir().unwrap());
        RealFs.try_lock(&locks.path().join(path.file_name().unwrap_or_default()))
    }
}
