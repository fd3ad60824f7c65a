//! Frames of a bundle become pieces of a release.

use super::{Attempt, Unopened, plain::Plain};
use crate::{
    error::Result,
    hashing::{Meter, Shape},
    staging::Staging,
};
use release::{hash::Hash32, layout::PieceLayers, manifest::Manifest, sealed::Run};
use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes written into staging between two flushes.
const FLUSH_BYTES: u64 = 16 * 1024 * 1024;
/// Largest window of a frame, as a power of two: no frame holds more than a piece (see [`release::limits`]).
const WINDOW_LOG_MAX: u32 = 24;

/// The release that is wanted.
pub(super) struct Target<'a> {
    sizes: BTreeMap<Hash32, u64>,
    piece_length: u32,
    layers: &'a PieceLayers,
    staging: &'a Staging,
    unflushed: AtomicU64,
}

impl<'a> Target<'a> {
    pub(super) fn new(wanted: &Manifest, layers: &'a PieceLayers, staging: &'a Staging) -> Self {
        let sizes = wanted.files.iter().filter_map(|file| Some((file.pieces_root?, file.size))).collect();
        let unflushed = AtomicU64::new(0);
        Self { sizes, piece_length: wanted.piece_length, layers, staging, unflushed }
    }

    /// Stages the pieces that a run holds as a whole; bytes of those that are staged then.
    pub(super) fn stage(&self, run: &Run, plain: &mut Plain<'_>, meter: &Meter<'_>) -> Result<Attempt<u64>> {
        let Some(size) = self.sizes.get(&run.root) else { return Ok(Err(Unopened::Content)) };
        let end = run.offset.checked_add(run.length).filter(|end| end <= size);
        let Some(end) = end else { return Ok(Err(Unopened::Content)) };
        if self.staging.has(&run.root, run.offset, run.length) {
            return Ok(Ok(run.length));
        }
        let mut frames = Frames::new(plain, run)?;
        let shape = Shape { size: *size, piece_length: self.piece_length };
        let within =
            |(offset, length): &(u64, u32)| *offset >= run.offset && offset + u64::from(*length) <= end;
        let (mut at, mut good, mut bytes) = (run.offset, 0, Vec::new());
        for (offset, length) in shape.pieces().filter(within) {
            meter.check()?;
            // What comes before the first whole piece, and pieces that are here: read past.
            bytes.resize((offset + u64::from(length) - at) as usize, 0);
            if let Err(unopened) = frames.read(&mut bytes)? {
                return Ok(Err(unopened));
            }
            let piece = &bytes[(offset - at) as usize..];
            at = offset + u64::from(length);
            if !self.staging.has(&run.root, offset, u64::from(length)) {
                if self.expected(&run.root, offset, *size) != Some(shape.piece_hash(piece)) {
                    return Ok(Err(Unopened::Content));
                }
                self.staging.write_at(&run.root, offset, piece)?;
                self.staging.verified(&run.root, offset, u64::from(length));
                self.flush_now_and_then(u64::from(length))?;
            }
            good += u64::from(length);
        }
        Ok(Ok(good))
    }

    fn expected(&self, root: &Hash32, offset: u64, size: u64) -> Option<Hash32> {
        // A file no longer than a piece has no layer: its root stands for the piece.
        if size <= u64::from(self.piece_length) {
            return Some(*root);
        }
        let number = usize::try_from(offset / u64::from(self.piece_length)).ok()?;
        self.layers.layer(root)?.get(number).copied()
    }

    fn flush_now_and_then(&self, bytes: u64) -> Result<()> {
        if self.unflushed.fetch_add(bytes, Ordering::Relaxed) + bytes < FLUSH_BYTES {
            return Ok(());
        }
        self.unflushed.store(0, Ordering::Relaxed);
        self.staging.flush()
    }
}

/// What the frames of a run hold. No more is unpacked than is asked for, whatever the frames say.
struct Frames<'p, 'a> {
    decoder: zstd::stream::read::Decoder<'static, io::Take<&'p mut Plain<'a>>>,
}

impl<'p, 'a> Frames<'p, 'a> {
    fn new(plain: &'p mut Plain<'a>, run: &Run) -> Result<Self> {
        let unpackable = |error: io::Error| crate::StoreError::broken(std::path::Path::new("zstd"), error);
        let mut decoder =
            zstd::stream::read::Decoder::with_buffer(plain.take(run.stored)).map_err(unpackable)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(unpackable)?;
        Ok(Self { decoder })
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Attempt<()>> {
        match self.decoder.read_exact(buffer) {
            Ok(()) => Ok(Ok(())),
            Err(error) => self.decoder.get_mut().get_mut().failure(error).map(Err),
        }
    }
}
