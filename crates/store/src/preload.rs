//! A sealed bundle that was downloaded before its hour becomes verified pieces in staging.
//!
//! A bundle is one more source of pieces, like a patch: what comes out of it is hashed piece by piece against the release
//! before it counts, and goes the ordinary way from there: staging, journal, renames. So a false segment, a lie about
//! sizes, a frame that expands past its bound or a kill leaves pieces missing, never wrong ones, and the game as it was.
//! Whether a segment that does not open was changed on this disk, so that it is to be fetched again, or the key is wrong,
//! which costs nothing, its torrent's hashes tell ([`crate::patch::cache::Cache::recheck`]). Memory is bounded: for each thread a
//! segment, a piece and the window of a frame, whatever the size of the release; and the head once.

mod plain;
mod runs;

use crate::{
    error::{Result, StoreError},
    hashing::{Job, Meter, Shape},
    staging::Staging,
};
use plain::Plain;
use release::{
    hash::Hash32,
    id::Version,
    layout::PieceLayers,
    manifest::Manifest,
    patch::Payload,
    sealed::{
        BundleCipher, Head, PREFIX_BYTES, Prefix, ReleaseKey, Run, SEGMENT_BYTES, SealedError, plain_bytes,
    },
};
use std::{io::Read, sync::Arc};

/// Bytes of a bundle that a thread opens in one go: small files share segments.
const GROUP_BYTES: u64 = 16 * SEGMENT_BYTES;

/// What came of something in a bundle, or why nothing did.
pub type Attempt<T> = std::result::Result<T, Unopened>;

/// Why something in a bundle is of no use. Its pieces stay missing; the install is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// It does not open, or is no bundle.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Part of it is not here.
    #[error("the preload is not here as a whole")]
    Absent,
    /// It holds other bytes than the release says, or frames that are none.
    #[error("the preload holds other content than its release")]
    Content,
}

impl Unopened {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sealed(error) => error.code(),
            Self::Absent => "PRELOAD_ABSENT",
            Self::Content => "PRELOAD_CONTENT",
        }
    }
}

/// Where a bundle's sealed bytes lie.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Its bytes, as far as they are here.
    pub staging: Arc<Staging>,
    /// Its pieces root.
    pub root: Hash32,
    /// Bytes of it.
    pub bytes: u64,
    /// The release it needs, if it needs one.
    pub from: Option<Version>,
}

/// A bundle whose key is known and whose head was read.
#[derive(Debug)]
pub struct Bundle {
    sealed: Sealed,
    cipher: BundleCipher,
    plain_bytes: u64,
    body_start: u64,
    head: Head,
}

/// What came of opening.
#[derive(Debug, Default)]
pub struct Opened {
    /// Bytes in whole pieces that are what the release says, and staged now.
    pub good_bytes: u64,
    /// Why something was of no use, if something was.
    pub unopened: Option<Unopened>,
}

impl Bundle {
    /// Opens the head.
    ///
    /// # Errors
    /// As the disk says of our own files. What concerns the bundle is in the result.
    pub fn open(key: &ReleaseKey, sealed: Sealed) -> Result<Attempt<Self>> {
        let Some(plain_total) = plain_bytes(sealed.bytes) else {
            return Ok(Err(SealedError::Malformed("its size").into()));
        };
        let cipher = BundleCipher::new(key, sealed.from.as_ref(), plain_total);
        let mut bundle =
            Self { sealed, cipher, plain_bytes: plain_total, body_start: 0, head: Head::default() };
        match bundle.read_head()? {
            Ok((prefix, head)) => {
                (bundle.body_start, bundle.head) = (prefix.body_start(), head);
                Ok(Ok(bundle))
            }
            Err(unopened) => Ok(Err(unopened)),
        }
    }

    /// What it holds.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Stages what it holds of `wanted`, whose piece layers are `layers`, as far as it is missing.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`]; as the disk says of our own files. What concerns the bundle is in the result.
    pub fn stage(
        &self,
        wanted: &Manifest,
        layers: &PieceLayers,
        staging: &Staging,
        job: &Job<'_>,
    ) -> Result<Opened> {
        let groups = self.groups();
        let meter = Meter::new(job, self.plain_bytes - self.body_start, groups.len() as u64);
        let target = runs::Target::new(wanted, layers, staging);
        let parts = meter.each(&groups, |(start, runs)| self.open_runs(*start, runs, &target, &meter))?;
        staging.flush()?;
        Ok(parts.into_iter().fold(Opened::default(), |all, part| Opened {
            good_bytes: all.good_bytes + part.good_bytes,
            unopened: all.unopened.or(part.unopened),
        }))
    }

    /// Stages the payload of the patch that it brings.
    ///
    /// # Errors
    /// As [`Bundle::stage`].
    pub fn stage_payload(&self, payload: &Payload, staging: &Staging, job: &Job<'_>) -> Result<Attempt<()>> {
        if payload.size != self.head.payload_bytes {
            return Ok(Err(SealedError::Malformed("the size of its patch").into()));
        }
        let meter = Meter::new(job, payload.size, 0);
        let shape = Shape { size: payload.size, piece_length: payload.piece_length };
        let mut plain = self.plain(self.body_start);
        let mut piece = Vec::new();
        for (index, (offset, length)) in shape.pieces().enumerate() {
            piece.resize(length as usize, 0);
            if let Err(error) = plain.read_exact(&mut piece) {
                return plain.failure(error).map(Err);
            }
            let expected = payload.layer.get(index).copied().unwrap_or(payload.root);
            if shape.piece_hash(&piece) != expected {
                return Ok(Err(Unopened::Content));
            }
            staging.write_at(&payload.root, offset, &piece)?;
            staging.verified(&payload.root, offset, u64::from(length));
            meter.bytes(u64::from(length))?;
        }
        staging.flush()?;
        Ok(Ok(()))
    }

    fn read_head(&self) -> Result<Attempt<(Prefix, Head)>> {
        let mut plain = self.plain(0);
        let mut first = [0; PREFIX_BYTES];
        if let Err(error) = plain.read_exact(&mut first) {
            return plain.failure(error).map(Err);
        }
        let prefix = match Prefix::parse(&first, self.plain_bytes) {
            Ok(prefix) => prefix,
            Err(error) => return Ok(Err(error.into())),
        };
        // No longer than the bundle, as the prefix was checked.
        let mut packed = Vec::new();
        if let Err(error) = (&mut plain).take(u64::from(prefix.packed)).read_to_end(&mut packed) {
            return plain.failure(error).map(Err);
        }
        Ok(Head::parse(&packed, prefix, self.plain_bytes).map(|head| (prefix, head)).map_err(Unopened::from))
    }

    /// Runs in a row, and where they begin in the plain bundle.
    fn groups(&self) -> Vec<(u64, &[Run])> {
        let (mut groups, mut rest) = (Vec::new(), &self.head.runs[..]);
        let mut at = self.body_start + self.head.payload_bytes;
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().position(|run| {
                bytes += run.stored;
                bytes >= GROUP_BYTES
            });
            let (group, after) = rest.split_at(count.map_or(rest.len(), |count| count + 1));
            groups.push((at, group));
            (at, rest) = (at + bytes, after);
        }
        groups
    }

    fn open_runs(
        &self,
        start: u64,
        runs: &[Run],
        target: &runs::Target<'_>,
        meter: &Meter<'_>,
    ) -> Result<Opened> {
        let (mut opened, mut at) = (Opened::default(), start);
        let mut plain = self.plain(start);
        for run in runs {
            plain.seek(at);
            at += run.stored;
            match target.stage(run, &mut plain, meter)? {
                Ok(good) => opened.good_bytes += good,
                Err(unopened) => {
                    tracing::warn!(code = unopened.code(), error = %unopened, root = %run.root, "content stays sealed");
                    opened.unopened = opened.unopened.or(Some(unopened));
                }
            }
            meter.bytes(run.stored)?;
        }
        Ok(opened)
    }

    fn plain(&self, at: u64) -> Plain<'_> {
        Plain::new(&self.sealed, &self.cipher, self.plain_bytes, at)
    }
}

/// Tells errors of ours from those of the bundle.
fn sort(error: StoreError) -> Result<Unopened> {
    match error {
        StoreError::NotVerified { .. } => Ok(Unopened::Absent),
        other => Err(other),
    }
}
