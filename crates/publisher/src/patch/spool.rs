//! Collects segments and their payloads in order, and hashes the payload as it grows.

use delta::Method;
use release::hash::Hash32;
use release::layout::piece_length_for;
use release::merkle::{self, BLOCK, FileHasher};
use release::patch::{Payload, Segment, Span};

use super::images::Images;
use super::job::Made;
use crate::PublishError;
use crate::disk::Scratch;

/// The growing payload.
pub(super) struct Spool {
    /// Where its bytes go; nowhere in a dry run.
    bytes: Option<Scratch>,
    segments: Vec<Segment>,
    /// In pieces of one block: the piece length follows from the size, which is known at the end.
    hasher: FileHasher,
    size: u64,
}

impl Spool {
    pub(super) fn new(bytes: Option<Scratch>) -> Self {
        Self { bytes, segments: Vec::new(), hasher: FileHasher::new(BLOCK), size: 0 }
    }

    pub(super) fn push(&mut self, made: Made) -> Result<(), PublishError> {
        let payload_length = made.payload.len() as u64;
        self.hasher.update(&made.payload);
        if let Some(bytes) = &mut self.bytes {
            bytes.append(&made.payload)?;
        }
        self.segments.push(Segment {
            method: made.method.into(),
            sources: made.sources,
            made: made.made,
            targets: made.targets,
            payload_offset: self.size,
            payload_length,
            memory_bytes: made.memory_bytes,
        });
        self.size += payload_length;
        Ok(())
    }

    /// What of a range of a new file the segments so far make.
    pub(super) fn made_of(&self, span: &Span) -> Vec<Span> {
        let targets = self.segments.iter().flat_map(|segment| &segment.targets);
        let of_file = targets.filter(|target| target.file == span.file);
        let shared = of_file.filter_map(|target| {
            let (start, end) = (target.offset.max(span.offset), target.end().min(span.end()));
            (start < end).then(|| Span { file: span.file, offset: start, length: end - start })
        });
        let mut shared: Vec<Span> = shared.collect();
        shared.sort_unstable();
        shared
    }

    /// Makes the first segment in another way if all of them are copies: a torrent of nothing is none.
    pub(super) fn fill(&mut self, images: &Images<'_>) -> Result<(), PublishError> {
        if self.size > 0 || self.segments.is_empty() {
            return Ok(());
        }
        let mut copies = std::mem::take(&mut self.segments).into_iter();
        if let Some(Segment { sources, targets, .. }) = copies.next() {
            self.push(Made::by(Method::Reference, sources, targets, images)?)?;
        }
        self.segments.extend(copies.map(|copy| Segment { payload_offset: self.size, ..copy }));
        Ok(())
    }

    /// What was collected; nothing if no segment was.
    pub(super) fn finish(self) -> Option<(Vec<Segment>, Payload, Option<Scratch>)> {
        let hashes = self.hasher.finish();
        let root = hashes.pieces_root?;
        let piece_length = piece_length_for(self.size);
        let width = (piece_length / BLOCK) as usize;
        let layer: Vec<Hash32> = if self.size > u64::from(piece_length) {
            hashes.layer.chunks(width).map(|leaves| merkle::root(leaves, width)).collect()
        } else {
            Vec::new()
        };
        let payload = Payload { size: self.size, piece_length, root, layer };
        Some((self.segments, payload, self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_hashes_as_if_it_were_whole() {
        for size in [1_usize, 16_384, 16_385, 100_000, 5_000_000, 10_000_001] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let mut spool = Spool::new(None);
            for part in bytes.chunks(70_001) {
                let method = delta::Method::Plain;
                let (sources, targets) = (vec![], vec![]);
                let made =
                    Made { method, sources, made: vec![], targets, payload: part.to_vec(), memory_bytes: 0 };
                spool.push(made).unwrap();
            }
            let (segments, payload, _) = spool.finish().unwrap();
            assert_eq!(payload, Payload::of(&bytes), "{size}");
            assert_eq!(
                segments.last().map(|last| last.payload_offset + last.payload_length),
                Some(size as u64)
            );
        }
        assert!(Spool::new(None).finish().is_none());
    }
}
