//! A plain torrent's files in a download folder, for `torrent get`: `D/<name>/…`, or `D/<name>` for a
//! torrent that is a single file of that name.
//!
//! Files are written in place, as other clients do; nothing here is a game folder. No link is
//! followed below the download folder, also none that is put there while the torrent runs.

use crate::piece_store::{PieceStore, PieceStoreError};
use release::{
    hash::Hash32,
    layout::{Layout, PieceLayers},
    merkle::{BLOCK, FileHasher, leaf, root},
    metainfo::Metainfo,
};
use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use store::fs::{Access, File, Fs};
use swarm::Bitfield;

/// Files kept open.
const OPEN_MAX: usize = 256;
/// Read at once while checking.
const CHECK_BYTES: usize = 1 << 20;

/// See the module.
pub struct TorrentFolder {
    fs: Arc<dyn Fs>,
    /// The download folder.
    dir: PathBuf,
    /// The torrent's name in it.
    name: String,
    layout: Arc<Layout>,
    /// The single file lies at `root` itself.
    single_file: bool,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    files: BTreeMap<usize, (u64, Arc<dyn File>)>,
    clock: u64,
}

/// How far a check is; read from anywhere while it runs.
#[derive(Debug, Default)]
pub struct CheckProgress {
    /// Bytes hashed.
    pub done: AtomicU64,
    /// Set to stop the check.
    pub cancel: AtomicBool,
}

impl TorrentFolder {
    /// For the torrent `metainfo` in the download folder `dir`, which exists.
    #[must_use]
    pub fn new(fs: Arc<dyn Fs>, dir: &Path, metainfo: &Metainfo) -> Self {
        Self {
            fs,
            dir: dir.to_owned(),
            name: metainfo.name.clone(),
            layout: Arc::new(metainfo.layout.clone()),
            single_file: metainfo.is_single_file(),
            open: Mutex::default(),
        }
    }

    /// The layout, shared with the swarm.
    #[must_use]
    pub fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout)
    }

    /// Creates what has no pieces: empty files. Sets executable bits once all is there.
    ///
    /// # Errors
    /// The first file that could not be made.
    pub fn finish(&self) -> Result<(), PieceStoreError> {
        for (index, file) in self.layout.files().iter().enumerate() {
            if file.length == 0 {
                self.file(index, true)?;
            }
            if file.executable {
                let path = self.path(index);
                self.fs
                    .set_executable(&path, true)
                    .map_err(|e| PieceStoreError::from_io(path.display(), e))?;
            }
        }
        Ok(())
    }

    /// Hashes what is there and says which pieces are right. Files that are longer than they should
    /// be count as far as they are right.
    #[must_use]
    pub fn check(&self, layers: &PieceLayers, progress: &CheckProgress) -> Bitfield {
        let mut have = Bitfield::empty(self.layout.piece_count());
        let files: Vec<usize> =
            (0..self.layout.files().len()).filter(|index| self.layout.files()[*index].length > 0).collect();
        let next = AtomicU64::new(0);
        let found = Mutex::new(Vec::new());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                        if progress.cancel.load(Ordering::Relaxed) {
                            return;
                        }
                        let right = self.check_file(*file, layers, progress);
                        found.lock().unwrap_or_else(PoisonError::into_inner).extend(right);
                    }
                });
            }
        });
        for piece in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
            have.set(piece);
        }
        have
    }

    fn check_file(&self, file: usize, layers: &PieceLayers, progress: &CheckProgress) -> Vec<u32> {
        let Ok(opened) = self.file(file, false) else { return Vec::new() };
        let pieces = self.layout.pieces_of(file);
        let known = !self.layout.has_layer(file)
            || self.layout.files()[file].pieces_root.is_some_and(|root| layers.layer(&root).is_some());
        if !known {
            return if self.check_whole(file, &*opened, progress) { pieces.collect() } else { Vec::new() };
        }
        let mut right = Vec::new();
        let mut buffer = vec![0; self.layout.piece_length() as usize];
        for piece in pieces {
            let place = self.layout.piece(piece);
            let part = &mut buffer[..place.length as usize];
            let read = read_exact(&*opened, part, place.offset);
            progress.done.fetch_add(u64::from(place.length), Ordering::Relaxed);
            if progress.cancel.load(Ordering::Relaxed) {
                return right;
            }
            let leaves: Vec<Hash32> = part.chunks(BLOCK as usize).map(leaf).collect();
            let node = root(&leaves, self.layout.leaf_width(piece));
            if read.is_ok() && layers.piece_hash(&self.layout, piece) == Some(node) {
                right.push(piece);
            }
        }
        right
    }

    /// Without a piece layer a file is right as a whole or not known to be.
    fn check_whole(&self, file: usize, opened: &dyn File, progress: &CheckProgress) -> bool {
        let entry = &self.layout.files()[file];
        let mut hasher = FileHasher::new(self.layout.piece_length());
        let mut buffer = vec![0; CHECK_BYTES];
        let mut offset = 0;
        while offset < entry.length {
            let want = (entry.length - offset).min(CHECK_BYTES as u64) as usize;
            if progress.cancel.load(Ordering::Relaxed)
                || read_exact(opened, &mut buffer[..want], offset).is_err()
            {
                return false;
            }
            hasher.update(&buffer[..want]);
            offset += want as u64;
            progress.done.fetch_add(want as u64, Ordering::Relaxed);
        }
        hasher.finish().pieces_root == entry.pieces_root
    }

    fn path(&self, file: usize) -> PathBuf {
        self.names(file).into_iter().fold(self.dir.clone(), |path, name| path.join(name))
    }

    /// The names that lead to a file from the download folder on.
    fn names(&self, file: usize) -> Vec<&str> {
        let within = self.layout.files()[file].path.components().filter(|_| !self.single_file);
        std::iter::once(self.name.as_str()).chain(within).collect()
    }

    fn file(&self, file: usize, create: bool) -> Result<Arc<dyn File>, PieceStoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clock += 1;
        let clock = open.clock;
        if let Some((used, opened)) = open.files.get_mut(&file) {
            *used = clock;
            return Ok(Arc::clone(opened));
        }
        let path = self.path(file);
        let failed = |error| PieceStoreError::from_io(path.display(), error);
        let open_for = |access| self.fs.open_beneath(&self.dir, &self.names(file), access);
        // Opened for both at once where writing is possible: a piece is served right after it came.
        let opened: Arc<dyn File> = match open_for(if create { Access::Create } else { Access::Write }) {
            Err(error) if !create && error.kind() == io::ErrorKind::PermissionDenied => {
                open_for(Access::Read).map_err(failed)?.into()
            }
            opened => opened.map_err(failed)?.into(),
        };
        if open.files.len() >= OPEN_MAX {
            let oldest = open.files.iter().min_by_key(|(_, (used, _))| *used).map(|(file, _)| *file);
            oldest.map(|oldest| open.files.remove(&oldest));
        }
        open.files.insert(file, (clock, Arc::clone(&opened)));
        Ok(opened)
    }
}

fn read_exact(file: &dyn File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = file.read_at(buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}

impl PieceStore for TorrentFolder {
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
        let mut data = vec![0; length as usize];
        self.read_into(piece, begin, &mut data)?;
        Ok(data)
    }

    fn read_into(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), PieceStoreError> {
        let place = self.layout.piece(piece);
        let end = u64::from(begin) + buffer.len() as u64;
        if end > u64::from(place.length) {
            return Err(PieceStoreError::Absent);
        }
        let file = self.file(place.file, false)?;
        read_exact(&*file, buffer, place.offset + u64::from(begin))
            .map_err(|error| PieceStoreError::from_io(self.path(place.file).display(), error))
    }

    fn write(&self, piece: u32, begin: u32, data: &[u8]) -> Result<(), PieceStoreError> {
        let place = self.layout.piece(piece);
        let file = self.file(place.file, true)?;
        file.write_at(data, place.offset + u64::from(begin))
            .map_err(|error| PieceStoreError::from_io(self.path(place.file).display(), error))
    }

    fn verified(&self, _piece: u32) {}

    /// Nothing: data found at the next start is checked, so none of it need be durable.
    fn flush(&self) -> Result<(), PieceStoreError> {
        Ok(())
    }
}

impl fmt::Debug for TorrentFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TorrentFolder")
            .field("dir", &self.dir)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
