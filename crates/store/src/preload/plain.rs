//! The plain bytes of a bundle, read in order; a segment is opened when the first of its bytes is asked for.

use super::{Sealed, Unopened, sort};
use crate::error::{Result, StoreError};
use release::sealed::{BundleCipher, SEGMENT_BYTES, sealed_span};
use std::io::{self, BufRead, Read};

/// See the module.
pub(super) struct Plain<'a> {
    sealed: &'a Sealed,
    cipher: &'a BundleCipher,
    total: u64,
    at: u64,
    /// The segment that is open, and its bytes.
    open: Option<u64>,
    segment: Vec<u8>,
    length: usize,
    /// Why a read failed: [`io::Error`] is only its messenger.
    failed: Option<Result<Unopened>>,
}

impl<'a> Plain<'a> {
    pub(super) fn new(sealed: &'a Sealed, cipher: &'a BundleCipher, total: u64, at: u64) -> Self {
        Self { sealed, cipher, total, at, open: None, segment: Vec::new(), length: 0, failed: None }
    }

    /// Goes on reading at `at`.
    pub(super) fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// What lies behind a read that failed; the bundle holds nonsense where the reader says so, or ends.
    pub(super) fn failure(&mut self, _messenger: io::Error) -> Result<Unopened> {
        self.failed.take().unwrap_or(Ok(Unopened::Content))
    }

    fn open_at(&mut self, segment: u64) -> std::result::Result<(), Result<Unopened>> {
        let (offset, length) = sealed_span(self.total, segment);
        self.open = None;
        self.segment.resize(length as usize, 0);
        let Sealed { staging, root, .. } = self.sealed;
        staging.read_into(root, offset, &mut self.segment).map_err(|error: StoreError| sort(error))?;
        match self.cipher.open(segment, &mut self.segment) {
            Ok(plain) => {
                (self.open, self.length) = (Some(segment), plain.len());
                Ok(())
            }
            Err(error) => Err(Ok(error.into())),
        }
    }
}

impl BufRead for Plain<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.total {
            return Ok(&[]);
        }
        let segment = self.at / SEGMENT_BYTES;
        if self.open != Some(segment)
            && let Err(failed) = self.open_at(segment)
        {
            self.failed = Some(failed);
            return Err(io::Error::other("a segment does not open"));
        }
        // Within a segment, whose bytes fit memory.
        Ok(self.segment.get((self.at % SEGMENT_BYTES) as usize..self.length).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes as u64;
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let found = self.fill_buf()?;
        let taken = found.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&found[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}
