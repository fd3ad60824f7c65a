//! One source, from its beginning to its end, in windows that overlap by a leaf less a byte.
//!
//! Where a leaf was found, the next one of its content is expected behind it and told by SHA-256 alone: that brings the
//! short last leaf and those without a weak hash, also the ones before the first that was found.

use super::wanted::{Spot, Wanted};
use crate::{disk::read_full, error::Result, fs::File, hashing::Meter};
use release::{
    merkle::{BLOCK, leaf},
    rolling::Hit,
};
use std::{io, path::Path};

const LEAF: usize = BLOCK as usize;
/// Bytes in view: the overlap is a hundredth of it, and it stays in the processor's cache.
const WINDOW: usize = 1536 * 1024;
/// Places that are hashed for one find of the weak hash: a release with many leaves that begin alike costs no more.
const PLACES_MAX: usize = 16;
/// Candidates looked at for them.
const CANDIDATES_MAX: usize = 4096;

/// Reads the source and stages what it has; the bytes that were read. A source that fails is left where it failed.
pub(super) fn scan(file: &dyn File, path: &Path, wanted: &Wanted<'_>, meter: &Meter<'_>) -> Result<u64> {
    let mut scan = Scan { file, wanted, start: 0, bytes: Vec::new(), is_last: false };
    let (mut at, mut expected, mut read) = (0, None, 0);
    loop {
        match scan.move_to(at) {
            Ok(more) => {
                read += more;
                meter.bytes(more)?;
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file is not searched to its end");
                return Ok(read);
            }
        }
        let (next, spot) = scan.search(expected)?;
        if scan.is_last || wanted.is_done() {
            return Ok(read);
        }
        (at, expected) = (scan.start + next as u64, spot);
    }
}

struct Scan<'a> {
    file: &'a dyn File,
    wanted: &'a Wanted<'a>,
    /// Where the window begins in the file, and what is in it.
    start: u64,
    bytes: Vec<u8>,
    /// It reaches the file's end.
    is_last: bool,
}

impl Scan<'_> {
    /// Moves the window, keeping what stays in view; the bytes that came into it. `start` lies in the window or at its end.
    fn move_to(&mut self, start: u64) -> io::Result<u64> {
        let gone = ((start - self.start) as usize).min(self.bytes.len());
        self.bytes.drain(..gone);
        self.start = start;
        let kept = self.bytes.len();
        self.bytes.resize(WINDOW, 0);
        let read = read_full(self.file, &mut self.bytes[kept..], start + kept as u64)?;
        self.bytes.truncate(kept + read);
        self.is_last = kept + read < WINDOW;
        Ok(read as u64)
    }

    /// Stages what the window has; where the next one begins in it, and the leaf that is expected there.
    fn search(&self, expected: Option<Spot>) -> Result<(usize, Option<Spot>)> {
        let (mut done, mut expected) = match expected {
            Some(spot) => self.follow(0, spot)?,
            None => (0, None),
        };
        let mut from = done;
        while expected.is_none() {
            let Some(hit) = self.wanted.finder().next(&self.bytes, from) else { break };
            from = hit.resume;
            if let Some((at, spot)) = self.verify(&hit)? {
                self.go_back(at, spot)?;
                (done, expected) = match self.wanted.next(spot) {
                    Some(next) => self.follow(at + LEAF, next)?,
                    None => (at + LEAF, None),
                };
                from = done;
            }
        }
        // A leaf that ends outside is wholly in the next window.
        let outside = (self.bytes.len() + 1).saturating_sub(LEAF);
        Ok(if expected.is_some() { (done, expected) } else { (done.max(outside), None) })
    }

    /// The first candidate that is a leaf, taken.
    fn verify(&self, hit: &Hit<'_>) -> Result<Option<(usize, Spot)>> {
        let (mut last, mut places) = (None, 0);
        for candidate in hit.candidates().take(CANDIDATES_MAX) {
            let bytes = &self.bytes[candidate.at..candidate.at + LEAF];
            let hash = match last {
                Some((at, hash)) if at == candidate.at => hash,
                _ if places == PLACES_MAX => break,
                _ => leaf(bytes),
            };
            places += usize::from(last.is_none_or(|(at, _)| at != candidate.at));
            last = Some((candidate.at, hash));
            let spot = self.wanted.spot(candidate.number);
            if self.wanted.leaf(spot).hash == hash {
                self.wanted.take(&hash, bytes)?;
                return Ok(Some((candidate.at, spot)));
            }
        }
        Ok(None)
    }

    /// Takes leaf after leaf from `at`, beginning with `spot`, while they are what they should be; where that ends, and the
    /// leaf whose bytes are not all in the window.
    fn follow(&self, mut at: usize, mut spot: Spot) -> Result<(usize, Option<Spot>)> {
        loop {
            let Some(bytes) = self.bytes.get(at..at + self.wanted.length(spot)) else {
                return Ok((at, Some(spot).filter(|_| !self.is_last)));
            };
            let hash = leaf(bytes);
            if hash != self.wanted.leaf(spot).hash {
                return Ok((at, None));
            }
            self.wanted.take(&hash, bytes)?;
            at += bytes.len();
            match self.wanted.next(spot) {
                Some(next) => spot = next,
                None => return Ok((at, None)),
            }
        }
    }

    /// Takes the leaves before `at` that have no weak hash.
    fn go_back(&self, at: usize, mut spot: Spot) -> Result<()> {
        let mut end = self.start + at as u64;
        let mut bytes = vec![0; LEAF];
        while let (Some(before), Some(start)) = (self.wanted.before(spot), end.checked_sub(LEAF as u64)) {
            // They may lie before the window. One that cannot be read any more is not there.
            let read = read_full(self.file, &mut bytes, start).unwrap_or(0);
            let hash = leaf(&bytes[..read]);
            if hash != self.wanted.leaf(before).hash {
                return Ok(());
            }
            self.wanted.take(&hash, &bytes)?;
            (spot, end) = (before, start);
        }
        Ok(())
    }
}
