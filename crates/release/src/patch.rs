//! The description of a patch: how the files of one release become those of another.
//!
//! A patch is a row of segments. Each takes byte ranges of the old release's files (its *sources*) and of new files that
//! segments before it make (*made*), all joined, its stretch of the payload, and yields byte ranges of the new release's
//! files (its *targets*, joined). The payloads of all segments in their order are one file, which travels as a torrent of
//! its own.
//!
//! What a segment yields is hashed against the new release's piece layers before anybody believes it, so a patch can at
//! worst be useless. Hence targets are whole pieces: each begins at a multiple of the piece length within its file and
//! ends at one or at the file's end. No byte is a target twice; files of the player are neither source nor target. Sources
//! are what was installed before and is not written to until everything is staged; what is made of new bytes has only
//! targets of earlier segments for sources, so no circle can be said. Most segments depend on no other.
//!
//! A description also carries the new manifest as a difference to the old one ([`manifest`]), and the piece layers
//! that a player of the old release lacks: with it nothing else has to be fetched before the payload.
//!
//! Invariant: a [`Patch`] has been checked against both manifests. A description that breaks a rule is refused whole.

mod check;
mod manifest;
mod payload;
mod read;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use crate::{
    layout::{LayerError, LayoutError, PieceLayers},
    manifest::Manifest,
    metainfo::MetainfoError,
};

pub use check::lacking_layers;
pub use manifest::{manifest, manifest_delta};
pub use payload::Payload;

/// The only format this version reads.
pub const FORMAT: u8 = 2;

/// A patch between two releases, checked against both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The file that holds the payloads of all segments.
    pub payload: Payload,
    /// In the order of their payloads, which is one in which they can be applied.
    pub segments: Vec<Segment>,
    /// Piece layers of the new release's files that a player of the old release lacks; see [`lacking_layers`].
    pub layers: PieceLayers,
}

/// A part of a patch that can be applied alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// How to apply it. A number that is not known here is no fault: its targets are fetched as blocks.
    pub method: u8,
    /// Ranges of the old release's files; joined they are the old bytes. May overlap.
    pub sources: Vec<Span>,
    /// Ranges of the new release's files that are targets of earlier segments; they follow the old bytes. May overlap.
    pub made: Vec<Span>,
    /// Ranges of the new release's files; joined they are the new bytes.
    pub targets: Vec<Span>,
    /// First byte of its stretch of the payload.
    pub payload_offset: u64,
    /// Bytes of its stretch of the payload; may be none.
    pub payload_length: u64,
    /// Memory that applying it takes, in bytes: old, new and payload bytes and the method's own. At most
    /// [`crate::limits::PATCH_MEMORY_MAX`].
    pub memory_bytes: u64,
}

/// A range of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Index among the files of its manifest.
    pub file: u32,
    /// First byte.
    pub offset: u64,
    /// Bytes, at least one.
    pub length: u64,
}

impl Segment {
    /// Bytes of its sources and of what it takes of new files.
    #[must_use]
    pub fn old_bytes(&self) -> u64 {
        self.sources.iter().chain(&self.made).map(|span| span.length).sum()
    }

    /// Bytes of its targets.
    #[must_use]
    pub fn new_bytes(&self) -> u64 {
        self.targets.iter().map(|span| span.length).sum()
    }

    fn spans(&self) -> usize {
        self.sources.len() + self.made.len() + self.targets.len()
    }

    /// Old, new and payload bytes; saturated, for lengths that were not checked yet.
    fn own_bytes(&self) -> u64 {
        let spans = self.sources.iter().chain(&self.made).chain(&self.targets);
        spans.fold(self.payload_length, |sum, span| sum.saturating_add(span.length))
    }
}

impl Span {
    /// One past its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// Why a description was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Written for a newer launcher.
    #[error("patch format {0} is newer than this program")]
    Format(u8),
    /// It ends too soon, goes on too long, or has a number that cannot be.
    #[error("patch: {0} is malformed")]
    Malformed(&'static str),
    /// More than its bounds in [`crate::limits`].
    #[error("patch: {0} out of bounds")]
    Bounds(&'static str),
    /// It is between other releases.
    #[error("the patch is not between these two releases")]
    Release,
    /// A source or target names a file that its release does not have, or not as the publisher's.
    #[error(
        "patch: segment {segment} names a {side} file {file} that is not the publisher's in that release"
    )]
    File {
        /// Which segment.
        segment: usize,
        /// `source` or `target`.
        side: &'static str,
        /// Which file.
        file: u32,
    },
    /// A source or target reaches past its file or is empty.
    #[error("patch: a {side} of segment {segment} does not lie in its file")]
    Span {
        /// Which segment.
        segment: usize,
        /// `source` or `target`.
        side: &'static str,
    },
    /// A target is not made of whole pieces.
    #[error("patch: a target of segment {segment} is not made of whole pieces")]
    Pieces {
        /// Which segment.
        segment: usize,
    },
    /// Bytes are a target twice.
    #[error("patch: targets overlap in file {file}")]
    Overlap {
        /// Which file.
        file: u32,
    },
    /// A segment is to be made of new bytes that no segment before it makes.
    #[error("patch: segment {segment} takes new bytes of file {file} that no segment before it makes")]
    Order {
        /// Which segment.
        segment: usize,
        /// Which file.
        file: u32,
    },
    /// The payloads of the segments are not the payload.
    #[error("patch: the segments' payloads do not add up to the payload")]
    Sum,
    /// A segment that needs more memory than any may, or less than its own bytes.
    #[error("patch: segment {segment} needs {bytes} bytes of memory, which is out of bounds")]
    Memory {
        /// Which segment.
        segment: usize,
        /// What it claims.
        bytes: u64,
    },
    /// Piece layers that do not lead to their root.
    #[error("patch: {0}")]
    Layer(#[from] LayerError),
    /// The payload's torrent cannot be.
    #[error("patch: payload: {0}")]
    Payload(#[from] MetainfoError),
    /// A manifest whose layout cannot be; never for one that was parsed.
    #[error("patch: {0}")]
    Layout(#[from] LayoutError),
}

impl PatchError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format(_) => "PATCH_FORMAT",
            Self::Malformed(_) => "PATCH_MALFORMED",
            Self::Bounds(_) => "PATCH_BOUNDS",
            Self::Release => "PATCH_RELEASE",
            Self::File { .. } => "PATCH_FILE",
            Self::Span { .. } => "PATCH_SPAN",
            Self::Pieces { .. } => "PATCH_PIECES",
            Self::Overlap { .. } => "PATCH_OVERLAP",
            Self::Order { .. } => "PATCH_ORDER",
            Self::Sum => "PATCH_SUM",
            Self::Memory { .. } => "PATCH_MEMORY",
            Self::Layer(_) => "PATCH_LAYER",
            Self::Payload(_) | Self::Layout(_) => "PATCH_PAYLOAD",
        }
    }
}

impl Patch {
    /// Reads a description and checks it against the releases it is between.
    ///
    /// # Errors
    /// [`PatchError`], naming the first rule broken.
    pub fn parse(bytes: &[u8], from: &Manifest, to: &Manifest) -> Result<Self, PatchError> {
        let patch = read::read(bytes, from, to)?;
        patch.check(from, to)?;
        Ok(patch)
    }

    /// Checks every rule of the module's head.
    ///
    /// # Errors
    /// [`PatchError`], naming the first rule broken.
    pub fn check(&self, from: &Manifest, to: &Manifest) -> Result<(), PatchError> {
        check::check(self, from, to)
    }

    /// The description as it is signed, with the way from the old manifest to the new one as
    /// [`manifest_delta`] made it.
    ///
    /// # Errors
    /// As [`Patch::check`], so that nothing is signed that nobody would read.
    pub fn encode(&self, from: &Manifest, to: &Manifest, delta: &[u8]) -> Result<Vec<u8>, PatchError> {
        self.check(from, to)?;
        write::write(self, from, to, delta)
    }

    /// Bytes of new files that the patch makes.
    #[must_use]
    pub fn new_bytes(&self) -> u64 {
        self.segments.iter().map(Segment::new_bytes).sum()
    }
}
