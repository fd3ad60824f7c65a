//! A folder that is shared as a torrent, and the places of whoever downloads it.

use crate::{
    libtorrent::{self, Flavour},
    muster::Person,
    tree,
};
use release::metainfo::Metainfo;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Piece length of most test torrents: two blocks.
pub const PIECE: usize = 32 * 1024;

/// A folder to share, its torrent, and a place for whoever downloads.
#[derive(Debug)]
pub struct Share {
    /// Everything of this test lies in it.
    pub base: tempfile::TempDir,
    /// What is shared.
    pub folder: PathBuf,
    /// Its v2 torrent, made by libtorrent.
    pub torrent: PathBuf,
}

impl Share {
    /// A small tree with every edge case of sizes and names.
    #[must_use]
    pub fn grown(seed: u64) -> Self {
        Self::filled(PIECE, |folder| tree::grow(folder, seed, PIECE))
    }

    /// One large file beside small ones: enough to be stopped half-way.
    #[must_use]
    pub fn large(seed: u64, bytes: usize) -> Self {
        Self::filled(256 * 1024, |folder| {
            let mut random = fastrand::Rng::with_seed(seed);
            tree::write(&folder.join("large.bin"), bytes, &mut random);
            tree::grow(&folder.join("small"), seed, PIECE);
        })
    }

    /// A file with a piece layer beside the small tree, some files of which end exactly with a piece.
    #[must_use]
    pub fn mixed(seed: u64, bytes: usize) -> Self {
        const LENGTH: usize = 2 * PIECE;
        Self::filled(LENGTH, |folder| {
            let mut random = fastrand::Rng::with_seed(seed);
            tree::write(&folder.join("large.bin"), bytes, &mut random);
            tree::grow(&folder.join("small"), seed, LENGTH);
        })
    }

    /// Whatever `fill` puts into the folder.
    pub fn filled(piece_length: usize, fill: impl FnOnce(&Path)) -> Self {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("seed/share");
        fill(&folder);
        let torrent = base.path().join("share.torrent");
        libtorrent::make(&folder, &torrent, piece_length, Flavour::V2);
        Self { base, folder, torrent }
    }

    /// The torrent as we read it.
    #[must_use]
    pub fn metainfo(&self) -> Metainfo {
        Metainfo::parse(&fs::read(&self.torrent).unwrap()).unwrap()
    }

    /// The same torrent with something else beside its info dictionary, at `name`.
    pub fn variant(&self, name: &str, change: impl FnOnce(&mut Metainfo)) -> PathBuf {
        let mut metainfo = self.metainfo();
        change(&mut metainfo);
        let torrent = self.base.path().join(name);
        fs::write(&torrent, metainfo.encode()).unwrap();
        torrent
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total(&self) -> u64 {
        tree::total(&self.folder)
    }

    /// Where the seed's torrent folder lies.
    #[must_use]
    pub fn seed_dir(&self) -> PathBuf {
        self.base.path().join("seed")
    }

    /// An empty place for a downloader.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        let place = self.base.path().join(name);
        fs::create_dir_all(&place).unwrap();
        place
    }

    /// Somebody with a home of their own.
    #[must_use]
    pub fn person(&self, name: &str) -> Person {
        Person::at(&self.base.path().join("homes").join(name))
    }

    /// Panics unless everything arrived at `place`, byte by byte.
    pub fn assert_arrived(&self, place: &Path) {
        tree::assert_same(&self.folder, &place.join("share"));
    }
}
