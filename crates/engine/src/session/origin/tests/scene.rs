//! What a torrent does with its origin, in small: it asks, takes blocks, checks pieces, and asks again when told to.

use super::server::Server;
use crate::{
    http,
    session::{
        happening::Happening,
        limiter::{Caps, Limiter, Scope},
        origin::{Fetch, Origin, OriginSource, OriginStatus, Patience, Setup},
    },
};
use release::{
    layout::{FileEntry, Layout},
    merkle::{BLOCK, FileHasher},
    seektable::{Frame, SeekTable},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

pub(super) const PIECE: u32 = 32 * 1024;
/// Nothing here may take longer.
const LIMIT: Duration = Duration::from_secs(30);

/// A release of one large and one small file.
pub(super) struct Release {
    pub(super) layout: Arc<Layout>,
    pub(super) files: Vec<Vec<u8>>,
}

impl Release {
    pub(super) fn new(pieces: u32) -> Self {
        let mut random = fastrand::Rng::with_seed(11);
        let sizes = [pieces * PIECE - 100, 20_000];
        let files: Vec<Vec<u8>> =
            sizes.iter().map(|size| (0..*size).map(|_| random.u8(..16)).collect()).collect();
        let entry = |(name, data): (&str, &Vec<u8>)| {
            let mut hasher = FileHasher::new(PIECE);
            hasher.update(data);
            FileEntry {
                path: name.parse().expect("a path"),
                length: data.len() as u64,
                pieces_root: hasher.finish().pieces_root,
                executable: false,
            }
        };
        let entries = ["large", "small"].into_iter().zip(&files).map(entry).collect();
        Self { layout: Arc::new(Layout::new(PIECE, entries).expect("valid")), files }
    }

    /// As other clients' web seeds have it.
    pub(super) fn plain(&self) -> Vec<(String, Vec<u8>)> {
        ["t/large", "t/small"].into_iter().map(str::to_owned).zip(self.files.iter().cloned()).collect()
    }

    /// As our content store has it, in frames of another size than pieces.
    pub(super) fn content(&self) -> Vec<(String, Vec<u8>)> {
        let packed = |data: &Vec<u8>| {
            let (mut out, mut frames) = (Vec::new(), Vec::new());
            for part in data.chunks(50_000) {
                let frame = zstd::bulk::compress(part, 1).expect("compresses");
                frames.push(Frame { compressed: frame.len() as u32, decompressed: part.len() as u32 });
                out.extend(frame);
            }
            out.extend(SeekTable::new(frames).encode());
            out
        };
        let names = self.layout.files().iter().filter_map(|file| file.pieces_root);
        names.zip(&self.files).map(|(root, data)| (format!("c/{root}.zst"), packed(data))).collect()
    }

    fn piece(&self, piece: u32) -> &[u8] {
        let place = self.layout.piece(piece);
        &self.files[place.file][place.offset as usize..][..place.length as usize]
    }
}

pub(super) fn web_seed(server: &Server) -> OriginSource {
    OriginSource::WebSeed { url: server.url(), name: "t".to_owned(), single_file: false }
}

pub(super) fn content(server: &Server) -> OriginSource {
    OriginSource::Content(server.url().join("c/").expect("a URL"))
}

/// Somebody who fetches.
pub(super) struct Scene {
    pub(super) release: Release,
    pub(super) origin: Origin,
    wire: mpsc::Receiver<Happening>,
    asked: BTreeMap<u64, u32>,
    blocks: BTreeMap<u32, BTreeMap<u32, Vec<u8>>>,
    again: Vec<(Instant, u32)>,
    last: u64,
    pub(super) missing: BTreeSet<u32>,
    pub(super) refused: BTreeSet<u32>,
    pub(super) false_pieces: u32,
    pub(super) duplicates: u32,
}

impl Scene {
    pub(super) fn new(release: Release, sources: Vec<OriginSource>, patience: Patience) -> Self {
        Self::capped(release, sources, patience, Caps::default())
    }

    pub(super) fn capped(
        release: Release,
        sources: Vec<OriginSource>,
        patience: Patience,
        caps: Caps,
    ) -> Self {
        let (sender, wire) = mpsc::channel(256);
        let limiter = Limiter::new(caps);
        let setup = Setup {
            client: http::client().expect("a client"),
            proxy: crate::proxy::Proxy::System,
            layout: Arc::clone(&release.layout),
            scope: Scope::new(&limiter),
            sources,
            patience,
            seed: 5,
        };
        Self {
            missing: (0..release.layout.piece_count()).collect(),
            origin: Origin::start(setup, sender),
            release,
            wire,
            asked: BTreeMap::new(),
            blocks: BTreeMap::new(),
            again: Vec::new(),
            last: 0,
            refused: BTreeSet::new(),
            false_pieces: 0,
            duplicates: 0,
        }
    }

    /// Asks for these, and returns the ids.
    pub(super) fn ask(&mut self, pieces: impl IntoIterator<Item = u32>) -> Vec<u64> {
        let fetches: Vec<Fetch> = pieces
            .into_iter()
            .map(|piece| {
                self.last += 1;
                self.asked.insert(self.last, piece);
                let had = self.blocks.get(&piece).map_or(0, |blocks| blocks.len() as u32);
                let blocks = had..self.release.layout.piece(piece).length.div_ceil(BLOCK);
                Fetch { fetch: self.last, piece, blocks }
            })
            .collect();
        let ids = fetches.iter().map(|fetch| fetch.fetch).collect();
        self.origin.fetch(fetches);
        ids
    }

    /// Until every piece came or was refused for good.
    pub(super) async fn finish(&mut self) {
        let until = Instant::now() + LIMIT;
        while !self.missing.is_subset(&self.refused) {
            assert!(Instant::now() < until, "{} missing: {:?}", self.missing.len(), self.statuses());
            self.step().await;
        }
    }

    /// Handles what happens next.
    pub(super) async fn step(&mut self) {
        let next = self.again.iter().map(|(at, _)| *at).min();
        let wake = next.unwrap_or_else(|| Instant::now() + Duration::from_millis(100));
        match tokio::time::timeout_at(wake, self.wire.recv()).await {
            Ok(Some(happening)) => self.happened(happening),
            Ok(None) => panic!("the dispatcher ended"),
            Err(_) => {
                let now = Instant::now();
                let (due, later): (Vec<_>, Vec<_>) = self.again.drain(..).partition(|(at, _)| *at <= now);
                self.again = later;
                self.ask(due.into_iter().map(|(_, piece)| piece));
            }
        }
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::OriginBlock { fetch, block, data } => {
                let Some(piece) = self.asked.get(&fetch).copied() else { return };
                let blocks = self.blocks.entry(piece).or_default();
                self.duplicates += u32::from(blocks.insert(block, data.to_vec()).is_some());
                if blocks.len() as u32 == self.release.layout.piece(piece).length.div_ceil(BLOCK) {
                    self.asked.remove(&fetch);
                    self.whole(piece);
                }
            }
            Happening::OriginFailed { fetch, retry_after, permanent } => {
                let Some(piece) = self.asked.remove(&fetch) else { return };
                if permanent {
                    self.refused.insert(piece);
                } else {
                    self.again.push((Instant::now() + retry_after.unwrap_or(Duration::from_secs(1)), piece));
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn whole(&mut self, piece: u32) {
        let data: Vec<u8> = self.blocks.remove(&piece).unwrap_or_default().into_values().flatten().collect();
        if data == self.release.piece(piece) {
            self.missing.remove(&piece);
            self.origin.verified(piece);
        } else {
            self.false_pieces += 1;
            self.origin.was_false(piece, None);
            self.ask([piece]);
        }
    }

    pub(super) fn statuses(&self) -> Vec<OriginStatus> {
        self.origin.statuses()
    }
}
