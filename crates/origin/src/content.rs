//! The pieces of a release as the seed reads them: out of `plain/<torrent name>/…` where it was published, else out of
//! `content/<pieces root>.zst`.
//!
//! Invariant: what leaves [`Content::read`] was checked against the piece's hash; a damaged repository makes the seed
//! poorer, never false. A piece is read and decompressed once for its blocks. Nothing is written.

use crate::catalog::Release;
use bytes::Bytes;
use engine::piece_store::{PieceStore, PieceStoreError};
use release::{
    hash::Hash32,
    layout::Piece,
    merkle::{BLOCK, leaf, root},
    seektable::{SeekTable, SeekTableError},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use swarm::Bitfield;

/// Largest seek table that is read.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Content {
    repo: PathBuf,
    release: Arc<Release>,
    cache: Arc<PieceCache>,
    tables: Mutex<BTreeMap<Hash32, Arc<SeekTable>>>,
}

impl Content {
    pub(crate) fn new(repo: &Path, release: Arc<Release>, cache: Arc<PieceCache>) -> Self {
        Self { repo: repo.to_owned(), release, cache, tables: Mutex::default() }
    }

    /// The pieces whose files are in the repository. Blocks: it looks at every file.
    pub(crate) fn have(&self) -> Bitfield {
        let layout = &self.release.layout;
        let mut have = Bitfield::empty(layout.piece_count());
        for (index, file) in layout.files().iter().enumerate() {
            let Some(root) = file.pieces_root else { continue };
            let plain = self
                .plain_path(index)
                .metadata()
                .is_ok_and(|meta| meta.is_file() && meta.len() == file.length);
            let known = !layout.has_layer(index) || self.release.layers.layer(&root).is_some();
            if known && (plain || self.content_path(&root).is_file()) {
                for piece in layout.pieces_of(index) {
                    have.set(piece);
                }
            } else {
                tracing::warn!(release = self.release.name, path = %file.path, "not in the repository: not seeded");
            }
        }
        have
    }

    fn plain_path(&self, file: usize) -> PathBuf {
        let folder = self.repo.join("plain").join(&self.release.name);
        self.release.layout.files()[file].path.components().fold(folder, |path, part| path.join(part))
    }

    fn content_path(&self, root: &Hash32) -> PathBuf {
        self.repo.join("content").join(format!("{root}.zst"))
    }

    /// Reads a whole piece and checks it.
    fn load(&self, index: u32) -> Result<Bytes, PieceStoreError> {
        let piece = self.release.layout.piece(index);
        if let Ok(data) = read_range(&self.plain_path(piece.file), piece.offset, piece.length as usize)
            && self.is_right(index, &data)
        {
            return Ok(data.into());
        }
        let file = self.release.layout.files().get(piece.file);
        let root = file.and_then(|file| file.pieces_root).ok_or(PieceStoreError::Absent)?;
        let path = self.content_path(&root);
        let data = self.unpack(&path, root, piece);
        let data = data.map_err(|error| PieceStoreError::from_io(path.display(), error))?;
        if !self.is_right(index, &data) {
            return Err(PieceStoreError::Changed { path: path.display().to_string() });
        }
        Ok(data.into())
    }

    fn is_right(&self, index: u32, data: &[u8]) -> bool {
        let leaves: Vec<Hash32> = data.chunks(BLOCK as usize).map(leaf).collect();
        let layout = &self.release.layout;
        self.release.layers.piece_hash(layout, index) == Some(root(&leaves, layout.leaf_width(index)))
    }

    /// Decompresses the frames that cover a piece. Frames need not be pieces of this release: a file keeps the frames
    /// of the release it was first published in.
    fn unpack(&self, path: &Path, root: Hash32, piece: Piece) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let table = self.table(&mut file, root)?;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not the content of its name");
        let covering = table.covering(piece.offset, piece.length.into()).ok_or_else(malformed)?;
        file.seek(SeekFrom::Start(covering.compressed_start))?;
        let (mut out, mut compressed) = (Vec::new(), Vec::new());
        for frame in &covering.frames {
            compressed.resize(frame.compressed as usize, 0);
            file.read_exact(&mut compressed)?;
            let data = zstd::bulk::decompress(&compressed, frame.decompressed as usize)?;
            if data.len() != frame.decompressed as usize {
                return Err(malformed());
            }
            out.extend_from_slice(&data);
        }
        let start = covering.skip as usize;
        out.get(start..start + piece.length as usize).map(<[u8]>::to_vec).ok_or_else(malformed)
    }

    fn table(&self, file: &mut File, root: Hash32) -> io::Result<Arc<SeekTable>> {
        if let Some(known) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&root) {
            return Ok(Arc::clone(known));
        }
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "no seek table");
        let length = file.metadata()?.len();
        let mut wanted = SeekTable::encoded_bytes(64);
        let table = loop {
            let bytes = wanted.min(length);
            file.seek(SeekFrom::End(-(bytes as i64)))?;
            let mut tail = vec![0; bytes as usize];
            file.read_exact(&mut tail)?;
            match SeekTable::parse_tail(&tail) {
                Ok(table) => break Arc::new(table),
                Err(SeekTableError::Longer(all)) if all > wanted && all <= TABLE_BYTES_MAX.min(length) => {
                    wanted = all
                }
                Err(_) => return Err(malformed()),
            }
        };
        // A frame cannot be longer than the file it lies in; else the numbers are somebody's invention.
        if table.frames().iter().any(|frame| u64::from(frame.compressed) > length) {
            return Err(malformed());
        }
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(root, Arc::clone(&table));
        Ok(table)
    }
}

fn read_range(path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut data = vec![0; length];
    file.read_exact(&mut data)?;
    Ok(data)
}

impl PieceStore for Content {
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
        let key = (self.release.infohash, piece);
        let bytes = self.release.layout.piece_bytes(piece) as usize;
        let data = self.cache.get(key, bytes, || self.load(piece))?;
        let range = begin as usize..(begin as usize).saturating_add(length as usize);
        data.get(range).map(<[u8]>::to_vec).ok_or(PieceStoreError::Absent)
    }

    fn write(&self, _piece: u32, _begin: u32, _data: &[u8]) -> Result<(), PieceStoreError> {
        Err(PieceStoreError::Absent)
    }

    fn verified(&self, _piece: u32) {}

    fn flush(&self) -> Result<(), PieceStoreError> {
        Ok(())
    }
}

type Key = (Hash32, u32);

/// Pieces read and decompressed at once at most, whatever peers ask for: bounds memory beyond the cache.
const LOADS_AT_ONCE: usize = 8;

/// Decompressed pieces, the least recently used dropped first; shared by all releases.
#[derive(Debug)]
pub(crate) struct PieceCache {
    bytes_max: usize,
    /// Each lets one load through at a time.
    gates: [Mutex<()>; LOADS_AT_ONCE],
    inner: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    pieces: BTreeMap<Key, Entry>,
    /// Keys by when they were last used.
    order: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    used: u64,
    bytes: usize,
    /// Locked while the piece is read, so that those who want its other blocks wait instead of reading it too.
    slot: Arc<Mutex<Option<Bytes>>>,
}

impl PieceCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, gates: Default::default(), inner: Mutex::default() }
    }

    fn get<E>(&self, key: Key, bytes: usize, load: impl FnOnce() -> Result<Bytes, E>) -> Result<Bytes, E> {
        let slot = self.slot(key, bytes);
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(data) = &*held {
            return Ok(data.clone());
        }
        let gate = &self.gates[key.1 as usize % LOADS_AT_ONCE];
        let _turn = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let data = load()?;
        *held = Some(data.clone());
        Ok(data)
    }

    fn slot(&self, key: Key, bytes: usize) -> Arc<Mutex<Option<Bytes>>> {
        let mut cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = &mut *cached;
        cached.clock += 1;
        let used = cached.clock;
        let entry = cached.pieces.entry(key).or_insert_with(|| {
            cached.bytes += bytes;
            Entry { used, bytes, slot: Arc::default() }
        });
        cached.order.remove(&entry.used);
        cached.order.insert(used, key);
        entry.used = used;
        let slot = Arc::clone(&entry.slot);
        while cached.bytes > self.bytes_max && cached.order.len() > 1 {
            let Some((_, oldest)) = cached.order.pop_first() else { break };
            cached.bytes -= cached.pieces.remove(&oldest).map_or(0, |entry| entry.bytes);
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::{
        layout::{FileEntry, Layout, PieceLayers},
        merkle::FileHasher,
        seektable::Frame,
    };

    const PIECE: u32 = 32 * 1024;

    fn packed(data: &[u8], frame_bytes: usize) -> Vec<u8> {
        let (mut out, mut frames) = (Vec::new(), Vec::new());
        for part in data.chunks(frame_bytes) {
            let frame = zstd::bulk::compress(part, 1).expect("compresses");
            frames.push(Frame { compressed: frame.len() as u32, decompressed: part.len() as u32 });
            out.extend(frame);
        }
        out.extend(SeekTable::new(frames).encode());
        out
    }

    fn content(repo: &Path, data: &[u8]) -> (Content, Hash32) {
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(data);
        let hashes = hasher.finish();
        let root = hashes.pieces_root.expect("not empty");
        let path = "a/b".parse().expect("good path");
        let entry = FileEntry { path, length: data.len() as u64, pieces_root: Some(root), executable: false };
        let layout = Layout::new(PIECE, vec![entry]).expect("valid");
        let mut layers = PieceLayers::default();
        layers.insert(&layout, 0, hashes.layer).expect("right layer");
        let release = Release {
            name: "game-1".to_owned(),
            infohash: Hash32([1; 32]),
            layout: Arc::new(layout),
            layers,
            trackers: Vec::new(),
        };
        std::fs::create_dir_all(repo.join("content")).expect("made");
        (Content::new(repo, Arc::new(release), Arc::new(PieceCache::new(1 << 20))), root)
    }

    #[test]
    fn pieces_come_out_of_frames_of_any_size() {
        let mut random = fastrand::Rng::with_seed(5);
        let data: Vec<u8> = (0..150_001).map(|_| random.u8(..4)).collect();
        for frame_bytes in [7_000, 16_384, 32_768, 65_536, 1 << 20] {
            let repo = tempfile::tempdir().expect("a folder");
            let (content, root) = content(repo.path(), &data);
            assert!(content.have().is_empty());
            std::fs::write(content.content_path(&root), packed(&data, frame_bytes)).expect("written");
            assert!(content.have().is_full());
            for (begin, length) in [(0, 16_384), (16_384, 16_384), (5, 100)] {
                let at = PIECE as usize + begin as usize;
                let read = content.read(1, begin, length).expect("readable");
                assert_eq!(read, data[at..at + length as usize], "{frame_bytes}");
            }
            assert!(content.read(4, 18_929, 1).is_err(), "past the end of a short piece");
            assert!(content.read(0, u32::MAX, u32::MAX).is_err());
        }
    }

    #[test]
    fn damage_is_not_served() {
        let repo = tempfile::tempdir().expect("a folder");
        let data = vec![3; 100_000];
        let (content, root) = content(repo.path(), &data);
        let mut other = data.clone();
        other[40_000] = 4;
        std::fs::write(content.content_path(&root), packed(&other, PIECE as usize)).expect("written");
        assert!(content.read(0, 0, 16_384).is_ok());
        assert!(matches!(content.read(1, 0, 16_384), Err(PieceStoreError::Changed { .. })));
        for junk in [&b""[..], b"short", &[0xff; 4096]] {
            std::fs::write(content.content_path(&root), junk).expect("written");
            assert!(content.read(2, 0, 16_384).is_err());
        }
        // The plain copy is whole, so it is taken.
        std::fs::create_dir_all(repo.path().join("plain/game-1/a")).expect("made");
        std::fs::write(repo.path().join("plain/game-1/a/b"), &data).expect("written");
        assert!(content.read(1, 0, 16_384).is_ok());
    }

    #[test]
    fn the_cache_is_bounded_and_loads_once() {
        let cache = PieceCache::new(100);
        let loads = std::cell::Cell::new(0);
        let ask = |piece| {
            let load = || {
                loads.set(loads.get() + 1);
                Ok::<_, ()>(Bytes::from(vec![0; 40]))
            };
            cache.get((Hash32([0; 32]), piece), 40, load).expect("loads")
        };
        for piece in [1, 1, 2, 1, 3, 1, 2] {
            ask(piece);
        }
        assert_eq!(loads.get(), 4, "the second was dropped for the third, as the least recently used");
        let cached = cache.inner.lock().expect("not poisoned");
        assert!(cached.bytes <= 100 && cached.order.len() == cached.pieces.len());
    }
}
