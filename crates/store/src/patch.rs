//! Segments of a patch become verified pieces in staging.
//!
//! A patch is one more source of blocks: what a segment yields is hashed piece by piece against the new release before it
//! counts, exactly like bytes that came from a player. So a damaged old file, a false payload or a hostile patch leaves
//! pieces missing, never wrong ones, and the release torrent fetches just those. Nothing outside `.muster` changes.
//! Which segments are worth it, and when their payload is there, the caller says.

pub mod cache;
mod sources;

use crate::{
    error::{Result, StoreError},
    folder::GameFolder,
    hashing::Shape,
    staging::Staging,
};
use delta::Method;
use release::{
    hash::Hash32,
    layout::PieceLayers,
    limits::PATCH_MEMORY_MAX,
    manifest::{Kind, Manifest, ManifestFile},
    patch::{Patch, Segment, Span},
};
use sources::Sources;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Bytes written into staging between two flushes.
const FLUSH_BYTES: u64 = 16 * 1024 * 1024;

/// A patch, the folder it is for, and where its payload lies. Shared between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Patching {
    patch: Arc<Patch>,
    to: Arc<Manifest>,
    layers: PieceLayers,
    sources: Sources,
    payload: Arc<Staging>,
    staging: Arc<Staging>,
    written: AtomicU64,
    unflushed: AtomicU64,
}

/// What came of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Bytes in whole pieces that are what the new release says, and staged now.
    pub good_bytes: u64,
    /// Bytes in pieces that are not: they stay missing.
    pub false_bytes: u64,
}

/// What came of a segment, or why nothing did.
pub type Attempt<T> = std::result::Result<T, Unusable>;

/// Why nothing was made of a segment. Its pieces stay missing; the install is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The method is not known to this program, or the bytes do not go together.
    #[error("{0}")]
    Decode(#[from] delta::DecodeError),
    /// A method that this program does not know.
    #[error("method {0} is not known to this program")]
    Method(u8),
    /// A file it is made from is missing, is no regular file, or has another size than the old release says.
    #[error("{path} is not what the old release says")]
    Source {
        /// The file.
        path: String,
    },
    /// New bytes it is made from were not made, or not rightly.
    #[error("{path}, of which it takes new bytes, is not staged")]
    Unmade {
        /// The file of the new release.
        path: String,
    },
    /// It would take more memory than any segment may, whatever the description says.
    #[error("it takes {bytes} bytes of memory")]
    Memory {
        /// How many.
        bytes: u64,
    },
    /// The payload is not here.
    #[error("its payload is not here")]
    Payload,
}

impl Unusable {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decode(_) => "PATCH_PAYLOAD",
            Self::Method(_) => "PATCH_METHOD",
            Self::Source { .. } | Self::Unmade { .. } => "PATCH_SOURCE",
            Self::Memory { .. } => "PATCH_MEMORY",
            Self::Payload => "PATCH_ABSENT",
        }
    }
}

impl Patching {
    /// For bringing `folder` from the release `from`, which stands there, to `to`, whose piece layers are `layers`. The
    /// payload lies in `payload`; what is made goes into `staging`. The patch was parsed for these two releases.
    #[must_use]
    pub fn new(
        folder: &GameFolder,
        (from, to): (Arc<Manifest>, Arc<Manifest>),
        layers: PieceLayers,
        patch: Arc<Patch>,
        payload: Arc<Staging>,
        staging: Arc<Staging>,
    ) -> Self {
        Self {
            sources: Sources::new(folder.tree().clone(), from),
            patch,
            to,
            layers,
            payload,
            staging,
            written: AtomicU64::new(0),
            unflushed: AtomicU64::new(0),
        }
    }

    /// Whether all of the segment's payload is here.
    #[must_use]
    pub fn is_ready(&self, segment: usize) -> bool {
        let root = &self.patch.payload.root;
        self.patch.segments.get(segment).is_some_and(|found| {
            found.payload_length == 0 || self.payload.has(root, found.payload_offset, found.payload_length)
        })
    }

    /// Whether the new bytes that the segment takes are staged; most take none.
    #[must_use]
    pub fn is_fed(&self, segment: usize) -> bool {
        let found = self.patch.segments.get(segment);
        found.is_some_and(|found| found.made.iter().all(|span| self.is_staged(span)))
    }

    /// Memory that [`Patching::apply`] takes for the segment, in bytes, whatever the description says; a method that is
    /// not known takes none.
    #[must_use]
    pub fn memory(&self, segment: usize) -> u64 {
        let Some(found) = self.patch.segments.get(segment) else { return 0 };
        let Ok(method) = Method::try_from(found.method) else { return 0 };
        delta::decode_memory(method, found.old_bytes(), found.new_bytes(), found.payload_length)
    }

    /// Bytes that the segment yields.
    #[must_use]
    pub fn new_bytes(&self, segment: usize) -> u64 {
        self.patch.segments.get(segment).map_or(0, Segment::new_bytes)
    }

    /// Makes the segment's targets out of what stands here and its payload, as far as they are not staged already.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`]; as the disk says of our own files. What concerns only this segment is in the result.
    pub fn apply(&self, segment: usize, cancel: &AtomicBool) -> Result<Attempt<Made>> {
        let Some(found) = self.patch.segments.get(segment) else { return Ok(Err(Unusable::Payload)) };
        if found.targets.iter().all(|target| self.is_staged(target)) {
            return Ok(Ok(Made { good_bytes: found.new_bytes(), false_bytes: 0 }));
        }
        let check = || if cancel.load(Ordering::Relaxed) { Err(StoreError::Cancelled) } else { Ok(()) };
        check()?;
        if self.memory(segment) > PATCH_MEMORY_MAX {
            return Ok(Err(Unusable::Memory { bytes: self.memory(segment) }));
        }
        let new = match self.decode(found)? {
            Ok(new) => new,
            Err(unusable) => return Ok(Err(unusable)),
        };
        check()?;
        self.stage(found, &new).map(Ok)
    }

    /// Bytes written into staging so far.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn decode(&self, found: &Segment) -> Result<Attempt<Vec<u8>>> {
        let Ok(method) = Method::try_from(found.method) else {
            return Ok(Err(Unusable::Method(found.method)));
        };
        let mut payload = vec![0; usize::try_from(found.payload_length).unwrap_or(0)];
        if !payload.is_empty() {
            let root = &self.patch.payload.root;
            match self.payload.read_into(root, found.payload_offset, &mut payload) {
                Err(StoreError::NotVerified { .. }) => return Ok(Err(Unusable::Payload)),
                read => read?,
            }
        }
        let mut old = vec![0; usize::try_from(found.old_bytes()).unwrap_or(0)];
        let made: u64 = found.made.iter().map(|span| span.length).sum();
        let border = old.len() - made as usize;
        let (standing, made) = old.split_at_mut(border);
        if let Err(path) = self.sources.read(&found.sources, standing)? {
            return Ok(Err(Unusable::Source { path }));
        }
        if let Err(unusable) = self.read_made(&found.made, made)? {
            return Ok(Err(unusable));
        }
        let length = usize::try_from(found.new_bytes()).unwrap_or(usize::MAX);
        Ok(delta::decode(method, &old, &payload, length).map_err(Unusable::Decode))
    }

    /// New bytes that earlier segments made, or that came as blocks.
    fn read_made(&self, spans: &[Span], mut into: &mut [u8]) -> Result<Attempt<()>> {
        for span in spans {
            let (part, rest) = into.split_at_mut(span.length as usize);
            into = rest;
            let Some((file, root)) = self.target(span) else {
                return Ok(Err(Unusable::Unmade { path: format!("file {}", span.file) }));
            };
            match self.staging.read_into(&root, span.offset, part) {
                Err(StoreError::NotVerified { .. }) => {
                    return Ok(Err(Unusable::Unmade { path: file.path.to_string() }));
                }
                read => read?,
            }
        }
        Ok(Ok(()))
    }

    /// Writes the pieces that are right and counts those that are not.
    fn stage(&self, segment: &Segment, new: &[u8]) -> Result<Made> {
        let (mut made, mut rest) = (Made::default(), new);
        for target in &segment.targets {
            // The decoder yields exactly as many bytes as the targets have together.
            let Some((part, after)) = rest.split_at_checked(target.length as usize) else { break };
            rest = after;
            let Some((file, root)) = self.target(target) else { continue };
            self.stage_span(file, &root, target, part, &mut made)?;
        }
        Ok(made)
    }

    fn stage_span(
        &self,
        file: &ManifestFile,
        root: &Hash32,
        target: &Span,
        part: &[u8],
        made: &mut Made,
    ) -> Result<()> {
        let shape = Shape { size: file.size, piece_length: self.to.piece_length };
        let layer = self.layers.layer(root);
        for (index, piece) in (0_u64..).zip(part.chunks(self.to.piece_length as usize)) {
            let (offset, length) =
                (target.offset + index * u64::from(self.to.piece_length), piece.len() as u64);
            if self.staging.has(root, offset, length) {
                made.good_bytes += length;
                continue;
            }
            let number = usize::try_from(offset / u64::from(self.to.piece_length)).unwrap_or(usize::MAX);
            // A file no longer than a piece has no layer: its root stands for the piece.
            let expected = match layer {
                Some(layer) => layer.get(number).copied(),
                None if file.size <= u64::from(self.to.piece_length) => Some(*root),
                None => None,
            };
            if expected != Some(shape.piece_hash(piece)) {
                made.false_bytes += length;
                continue;
            }
            self.staging.write_at(root, offset, piece)?;
            self.staging.verified(root, offset, length);
            self.written.fetch_add(length, Ordering::Relaxed);
            made.good_bytes += length;
            self.flush_now_and_then(length)?;
        }
        Ok(())
    }

    fn flush_now_and_then(&self, bytes: u64) -> Result<()> {
        if self.unflushed.fetch_add(bytes, Ordering::Relaxed) + bytes < FLUSH_BYTES {
            return Ok(());
        }
        self.unflushed.store(0, Ordering::Relaxed);
        self.staging.flush()
    }

    fn is_staged(&self, target: &Span) -> bool {
        self.target(target).is_some_and(|(_, root)| self.staging.has(&root, target.offset, target.length))
    }

    /// The file of the new release that a span lies in; never the player's own.
    fn target(&self, target: &Span) -> Option<(&ManifestFile, Hash32)> {
        let file = self.to.files.get(target.file as usize)?;
        (file.kind == Kind::Content).then_some(())?;
        file.pieces_root.map(|root| (file, root))
    }
}
