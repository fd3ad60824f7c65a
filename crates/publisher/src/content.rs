//! `content/<pieces root>.zst`: the bytes of a file, one zstd frame per piece and a seek table behind, each file once
//! across all releases.
//!
//! Frames are made in several threads; a piece that does not compress is noticed by the fastest level and stored as that
//! one left it, so packed textures and sound cost little time.

mod stored;

pub(crate) use stored::StoredFile;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use release::hash::Hash32;
use release::patch::Payload;
use release::seektable::{Frame, SeekTable};
use zstd::bulk::Compressor;

use crate::disk::{self, Pending, Scratch, Written};
use crate::hashing::{self, BATCH_BYTES, BATCH_PIECES, Hashes, Piece};
use crate::parallel::{self, batches, in_order};
use crate::report::{Meter, Phase};
use crate::walk::Build;
use crate::{DiskError, PublishError};

/// Level that tells whether a piece compresses at all.
const PROBE_LEVEL: i32 = 1;
/// Level of what is stored. On a game engine of 168 MB in frames of 512 KiB, level 6 stores 1 % more, level 12 0.3 % less
/// for twice the time.
const LEVEL: i32 = 9;
/// A piece that the probe leaves above this share of its size (in 1/64) is stored as the probe left it.
const WORTHWHILE_64THS: u64 = 62;
/// Threads that wait for the disk to sync finished files: the disk joins syncs that come together.
const SYNC_THREADS: usize = 16;
/// Bytes read from the end of a file to find its seek table in one read: 1000 frames.
const TAIL_BYTES: u64 = 8 * 1024;

/// The content folder of a repository.
pub(crate) struct Store {
    folder: PathBuf,
    /// Where content lies that need not be stored again: only read.
    beside: Option<PathBuf>,
}

/// What storing a build did.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Bytes that the origin holds for each root of the build.
    pub(crate) sizes: BTreeMap<Hash32, u64>,
    pub(crate) files_new: u64,
    pub(crate) bytes_new: u64,
}

impl Store {
    pub(crate) fn new(repo: &Path) -> Self {
        Self { folder: repo.join("content"), beside: None }
    }

    /// A store in a folder of its own for what `repo` does not hold: nothing is written into the repository.
    pub(crate) fn apart(folder: PathBuf, repo: &Path) -> Self {
        Self { folder, beside: Some(repo.join("content")) }
    }

    /// Stores every file of the build that is not there yet; with `dry_run` only finds out what that would take.
    ///
    /// What is stored is hashed once more on its way, so a file that changed since it was hashed is an error and never
    /// lies under a wrong name.
    pub(crate) fn add(
        &self,
        build: &Build,
        hashes: &[Hashes],
        piece_length: u32,
        dry_run: bool,
        meter: &mut Meter<'_>,
    ) -> Result<Stored, PublishError> {
        if !dry_run {
            disk::create_folder(&self.folder)?;
            disk::remove_temporaries(&self.folder)?;
        }
        let (mut stored, missing) = self.survey(build, hashes)?;
        let total = missing.iter().map(|file| build.files[*file].stamp.size).sum();
        meter.start(Phase::Compressing, total);
        let pieces = hashing::pieces(build, missing.into_iter(), piece_length);
        let mut open: Option<Open> = None;
        for batch in batches(&pieces, |piece| u64::from(piece.length), BATCH_BYTES, BATCH_PIECES) {
            let frames = in_order(batch, parallel::threads(), Worker::default, |worker, piece| {
                worker.frame(build, &hashes[piece.file], piece, piece_length)
            })?;
            let mut finished = Vec::new();
            for (piece, frame) in batch.iter().zip(frames) {
                let Some(root) = hashes[piece.file].pieces_root else { continue };
                let mut file = match open.take() {
                    Some(file) => file,
                    None => Open::new((!dry_run).then(|| self.path(&root)))?,
                };
                file.push(&frame, piece.length)?;
                if piece.index + 1 == hashes[piece.file].nodes.len() {
                    let size = file.close(&mut finished)?;
                    stored.count(root, size);
                } else {
                    open = Some(file);
                }
                meter.advance(u64::from(piece.length));
            }
            in_order(&finished, SYNC_THREADS, || (), |(), file: &Written| file.place())?;
        }
        if !dry_run {
            disk::sync_folder(&self.folder)?;
        }
        Ok(stored)
    }

    /// Bytes stored for a root whose file has `size` bytes; `None` if it is not there or not whole.
    pub(crate) fn stored_bytes(&self, root: &Hash32, size: u64) -> Result<Option<u64>, DiskError> {
        let path = self.find(root)?;
        if !disk::exists(&path)? {
            return Ok(None);
        }
        let whole = stored::table(&path)?.filter(|(table, length)| {
            let frames: u64 = table.frames().iter().map(|frame| u64::from(frame.compressed)).sum();
            let encoded = SeekTable::encoded_bytes(table.frames().len() as u64);
            table.decompressed_bytes() == size && frames + encoded == *length
        });
        if whole.is_none() {
            tracing::warn!(path = %path.display(), "stored content is damaged and is stored anew");
        }
        Ok(whole.map(|(_, length)| length))
    }

    /// Stores the payload of a patch. It is compressed already, so its frames only bring the seek table.
    pub(crate) fn add_payload(&self, payload: &Payload, bytes: &mut Scratch) -> Result<(), PublishError> {
        if self.stored_bytes(&payload.root, payload.size)?.is_some() {
            return Ok(());
        }
        let mut open = Open::new(Some(self.path(&payload.root)))?;
        let (mut at, mut buffer) = (0, Vec::new());
        while at < payload.size {
            buffer.resize((payload.size - at).min(u64::from(payload.piece_length)) as usize, 0);
            bytes.read_at(at, &mut buffer)?;
            let frame = zstd::bulk::compress(&buffer, PROBE_LEVEL).map_err(|error| {
                PublishError::Compression { path: self.path(&payload.root), reason: error.to_string() }
            })?;
            open.push(&frame, buffer.len() as u32)?;
            at += buffer.len() as u64;
        }
        let mut finished = Vec::new();
        open.close(&mut finished)?;
        finished.iter().try_for_each(Written::place)?;
        disk::sync_folder(&self.folder)?;
        Ok(())
    }

    /// Takes content out, once nothing that is signed names it any more.
    pub(crate) fn remove(&self, root: &Hash32) -> Result<(), DiskError> {
        let path = self.path(root);
        if disk::exists(&path)? { disk::remove(&path) } else { Ok(()) }
    }

    /// A file for bytes on their way into the folder; `name` is that of no other.
    pub(crate) fn scratch(&self, name: &str) -> Result<Scratch, DiskError> {
        disk::create_folder(&self.folder)?;
        Scratch::create(&self.folder, name)
    }

    fn path(&self, root: &Hash32) -> PathBuf {
        self.folder.join(format!("{root}.zst"))
    }

    /// Where the content of this root is read.
    fn find(&self, root: &Hash32) -> Result<PathBuf, DiskError> {
        let own = self.path(root);
        match &self.beside {
            Some(beside) if !disk::exists(&own)? => Ok(beside.join(format!("{root}.zst"))),
            _ => Ok(own),
        }
    }

    /// What is there already, and the first file of each root that is not.
    fn survey(&self, build: &Build, hashes: &[Hashes]) -> Result<(Stored, Vec<usize>), DiskError> {
        let mut first = BTreeMap::new();
        for (file, hashes) in hashes.iter().enumerate() {
            if let Some(root) = hashes.pieces_root {
                first.entry(root).or_insert(file);
            }
        }
        let (mut stored, mut missing) = (Stored::default(), Vec::new());
        for (root, file) in first {
            match self.stored_bytes(&root, build.files[file].stamp.size)? {
                Some(bytes) => drop(stored.sizes.insert(root, bytes)),
                None => missing.push(file),
            }
        }
        // In the order of the tree, so that a disk reads it as it was written.
        missing.sort_unstable();
        Ok((stored, missing))
    }
}

impl Stored {
    fn count(&mut self, root: Hash32, bytes: u64) {
        self.sizes.insert(root, bytes);
        self.files_new += 1;
        self.bytes_new += bytes;
    }
}

/// A content file that is being written, or in a dry run only measured.
struct Open {
    pending: Option<Pending>,
    frames: Vec<Frame>,
    bytes: u64,
}

impl Open {
    fn new(path: Option<PathBuf>) -> Result<Self, DiskError> {
        Ok(Self { pending: path.map(Pending::create).transpose()?, frames: Vec::new(), bytes: 0 })
    }

    fn push(&mut self, frame: &[u8], decompressed: u32) -> Result<(), DiskError> {
        // A frame is at most a piece and a little, far below 4 GiB.
        self.frames.push(Frame { compressed: frame.len() as u32, decompressed });
        self.write(frame)
    }

    fn close(mut self, finished: &mut Vec<Written>) -> Result<u64, DiskError> {
        let table = SeekTable::new(std::mem::take(&mut self.frames)).encode();
        self.write(&table)?;
        if let Some(pending) = self.pending {
            finished.push(pending.finish()?);
        }
        Ok(self.bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.bytes += bytes.len() as u64;
        self.pending.as_mut().map_or(Ok(()), |pending| pending.write(bytes))
    }
}

/// What one thread keeps from piece to piece.
#[derive(Default)]
struct Worker {
    buffer: Vec<u8>,
    compressors: Option<(Compressor<'static>, Compressor<'static>)>,
}

impl Worker {
    fn frame(
        &mut self,
        build: &Build,
        hashes: &Hashes,
        piece: &Piece,
        piece_length: u32,
    ) -> Result<Vec<u8>, PublishError> {
        let file = &build.files[piece.file];
        hashing::read(file, piece, &mut self.buffer)?;
        if hashing::node(&self.buffer, file.stamp.size, piece_length) != hashes.nodes[piece.index] {
            return Err(PublishError::Changed { path: file.on_disk.clone() });
        }
        self.compress().map_err(|error| PublishError::Compression {
            path: file.on_disk.clone(),
            reason: error.to_string(),
        })
    }

    fn compress(&mut self) -> std::io::Result<Vec<u8>> {
        let (probe, best) = match &mut self.compressors {
            Some(both) => both,
            none => none.insert((Compressor::new(PROBE_LEVEL)?, Compressor::new(LEVEL)?)),
        };
        let probed = probe.compress(&self.buffer)?;
        if probed.len() as u64 * 64 > self.buffer.len() as u64 * WORTHWHILE_64THS {
            return Ok(probed);
        }
        best.compress(&self.buffer)
    }
}
