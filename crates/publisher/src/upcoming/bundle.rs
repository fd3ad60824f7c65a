//! One sealed bundle: which bytes it holds, and how they become segments.

use std::collections::{BTreeMap, BTreeSet};

use release::hash::Hash32;
use release::id::Version;
use release::layout::piece_length_for;
use release::manifest::Manifest;
use release::merkle::FileHasher;
use release::metainfo::Metainfo;
use release::patch::{Patch, Payload};
use release::sealed::{BundleCipher, Head, ReleaseKey, Run, SEGMENT_BYTES, sealed_bytes};

use crate::PublishError;
use crate::content::{Store, StoredFile};
use crate::disk::Scratch;
use crate::patch::Finished;
use crate::report::Meter;

/// The new release's content as it is stored.
pub(super) struct Content<'a> {
    pub(super) store: &'a Store,
}

/// Where a stretch of the body comes from.
enum Source {
    /// The patch's payload: its file and its bytes.
    Payload(Scratch, u64),
    /// Frames of stored content: the file, where they begin in it, and their bytes.
    Frames(StoredFile, u64, u64),
}

/// A content, its size, and where its stretches begin and end.
type Stretches = (Hash32, u64, Vec<(u64, u64)>);

/// A bundle that can be sealed.
pub(super) struct Bundle {
    pub(super) from: Option<Version>,
    /// Bytes that a player writes beside it.
    pub(super) opened_bytes: u64,
    /// Prefix and head.
    head: Vec<u8>,
    body: Vec<Source>,
    /// Bytes of head and body.
    plain_bytes: u64,
}

impl Bundle {
    /// All of a release.
    pub(super) fn whole(
        manifest: &Manifest,
        torrent: &Metainfo,
        content: &Content<'_>,
    ) -> Result<Self, PublishError> {
        let wanted = distinct(manifest, &BTreeSet::new());
        let opened_bytes = wanted.iter().map(|(_, size)| size).sum();
        let mut head = documents(manifest);
        (head.manifest, head.torrent) = (manifest.encode(), torrent.encode());
        let stretches = wanted.into_iter().map(|(root, size)| (root, size, vec![(0, size)]));
        Self::new(None, opened_bytes, head, None, stretches.collect(), content)
    }

    /// What leads from an older release to the new one: a patch where there is one, and what it does not make.
    pub(super) fn from_release(
        old: &Manifest,
        (manifest, torrent): (&Manifest, &Metainfo),
        patch: Option<Finished>,
        content: &Content<'_>,
    ) -> Result<Self, PublishError> {
        let had = old.files.iter().filter_map(|file| file.pieces_root).collect();
        let wanted = distinct(manifest, &had);
        let mut opened_bytes: u64 = wanted.iter().map(|(_, size)| size).sum();
        let mut head = documents(manifest);
        let mut covered: BTreeMap<Hash32, Vec<(u64, u64)>> = BTreeMap::new();
        let mut payload = None;
        match patch {
            Some(Finished { description, payload: found, bytes: Some(bytes), .. }) => {
                let parsed = Patch::parse(&description, old, manifest)?;
                for target in parsed.segments.iter().flat_map(|segment| &segment.targets) {
                    let root = manifest.files.get(target.file as usize).and_then(|file| file.pieces_root);
                    if let Some(root) = root {
                        covered.entry(root).or_default().push((target.offset, target.end()));
                    }
                }
                (head.patch, head.payload_bytes) = (description, found.size);
                opened_bytes += found.size;
                payload = Some((bytes, found.size));
            }
            // Manifest and layers come with the description, or whole.
            _ => (head.manifest, head.torrent) = (manifest.encode(), torrent.encode()),
        }
        let stretches = wanted.into_iter().map(|(root, size)| {
            let covered = covered.remove(&root).unwrap_or_default();
            (root, size, uncovered(covered, size, manifest.piece_length))
        });
        let from = Some(old.version.clone());
        Self::new(from, opened_bytes, head, payload, stretches.collect(), content)
    }

    fn new(
        from: Option<Version>,
        opened_bytes: u64,
        mut head: Head,
        payload: Option<(Scratch, u64)>,
        stretches: Vec<Stretches>,
        content: &Content<'_>,
    ) -> Result<Self, PublishError> {
        let mut body: Vec<Source> =
            payload.into_iter().map(|(bytes, size)| Source::Payload(bytes, size)).collect();
        for (root, size, ranges) in stretches {
            // What another stretch brought already is not taken twice.
            let mut done = 0;
            for (start, end) in ranges {
                let start = start.max(done);
                if start >= end {
                    continue;
                }
                let stored = content.store.open(&root, size)?;
                let frames = stored.frames(start, end - start)?;
                head.runs.push(Run {
                    root,
                    offset: frames.from,
                    length: frames.to - frames.from,
                    stored: frames.stored,
                });
                body.push(Source::Frames(stored, frames.stored_at, frames.stored));
                done = frames.to;
            }
        }
        let head = head.encode()?;
        let plain_bytes = head.len() as u64 + body.iter().map(Source::bytes).sum::<u64>();
        Ok(Self { from, opened_bytes, head, body, plain_bytes })
    }

    /// Bytes of it once it is sealed.
    pub(super) fn sealed_bytes(&self) -> u64 {
        sealed_bytes(self.plain_bytes)
    }

    /// Seals it into a file beside the content of `published`.
    pub(super) fn seal(
        self,
        key: &ReleaseKey,
        published: &Store,
        meter: &mut Meter<'_>,
    ) -> Result<(Payload, Scratch), PublishError> {
        let name = format!("sealed-{}", self.from.as_ref().map_or("whole", Version::as_str));
        let piece_length = piece_length_for(self.sealed_bytes());
        let mut sealer = Sealer {
            cipher: BundleCipher::new(key, self.from.as_ref(), self.plain_bytes),
            segment: 0,
            pending: self.head,
            out: published.scratch(&name)?,
            hasher: FileHasher::new(piece_length),
        };
        for source in self.body {
            sealer.take(source, meter)?;
        }
        sealer.flush(true, meter)?;
        let hashes = sealer.hasher.finish();
        let root = hashes.pieces_root.unwrap_or_default();
        Ok((Payload { size: hashes.length, piece_length, root, layer: hashes.layer }, sealer.out))
    }
}

impl Source {
    fn bytes(&self) -> u64 {
        match self {
            Self::Payload(_, size) | Self::Frames(_, _, size) => *size,
        }
    }
}

/// Cuts what is put in into segments, seals them, and hashes what comes out.
struct Sealer {
    cipher: BundleCipher,
    segment: u64,
    /// Plain bytes that no segment has taken yet.
    pending: Vec<u8>,
    out: Scratch,
    hasher: FileHasher,
}

impl Sealer {
    fn take(&mut self, mut source: Source, meter: &mut Meter<'_>) -> Result<(), PublishError> {
        let (mut at, size) = (0, source.bytes());
        while at < size {
            let length = (size - at).min(SEGMENT_BYTES);
            let start = self.pending.len();
            self.pending.resize(start + length as usize, 0);
            let buffer = &mut self.pending[start..];
            match &mut source {
                Source::Payload(bytes, _) => bytes.read_at(at, buffer)?,
                Source::Frames(stored, begin, _) => stored.read_stored(*begin + at, buffer)?,
            }
            at += length;
            self.flush(false, meter)?;
        }
        Ok(())
    }

    /// Seals whole segments, and at the end the last one.
    fn flush(&mut self, is_end: bool, meter: &mut Meter<'_>) -> Result<(), PublishError> {
        let whole = SEGMENT_BYTES as usize;
        let mut plain = std::mem::take(&mut self.pending);
        while plain.len() >= whole || (is_end && !plain.is_empty()) {
            let rest = plain.split_off(whole.min(plain.len()));
            self.cipher.seal(self.segment, &mut plain)?;
            self.out.append(&plain)?;
            self.hasher.update(&plain);
            meter.advance(plain.len() as u64);
            self.segment += 1;
            plain = rest;
        }
        self.pending = plain;
        Ok(())
    }
}

fn documents(manifest: &Manifest) -> Head {
    Head { manifest_bytes: manifest.encode().len() as u64, ..Head::default() }
}

/// Every content of a release once, in the order of its files, with its size.
fn distinct(manifest: &Manifest, had: &BTreeSet<Hash32>) -> Vec<(Hash32, u64)> {
    let mut seen = had.clone();
    let files = manifest.files.iter().filter_map(|file| file.pieces_root.map(|root| (root, file.size)));
    files.filter(|(root, _)| seen.insert(*root)).collect()
}

/// The pieces of a file that the given stretches do not wholly make, as stretches.
fn uncovered(mut covered: Vec<(u64, u64)>, size: u64, piece_length: u32) -> Vec<(u64, u64)> {
    covered.sort_unstable();
    let piece = u64::from(piece_length);
    let mut gaps: Vec<(u64, u64)> = Vec::new();
    let mut gap = |start: u64, end: u64| {
        if start < end {
            let (start, end) = (start / piece * piece, end.div_ceil(piece).saturating_mul(piece).min(size));
            match gaps.last_mut() {
                Some(last) if last.1 >= start => last.1 = last.1.max(end),
                _ => gaps.push((start, end)),
            }
        }
    };
    let mut at = 0;
    for (start, end) in covered {
        gap(at, start);
        at = at.max(end);
    }
    gap(at, size);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_patch_leaves_is_whole_pieces() {
        let check = |covered: &[(u64, u64)], expected: &[(u64, u64)]| {
            assert_eq!(uncovered(covered.to_vec(), 100, 10), expected, "{covered:?}");
        };
        check(&[], &[(0, 100)]);
        check(&[(0, 100)], &[]);
        check(&[(0, 40), (40, 100)], &[]);
        check(&[(50, 100), (0, 45)], &[(40, 50)]);
        check(&[(0, 12), (18, 31), (33, 95)], &[(10, 20), (30, 40), (90, 100)]);
    }
}
