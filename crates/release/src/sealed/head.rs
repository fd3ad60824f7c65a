//! What a bundle holds: its first bytes.

use super::SealedError;
use crate::{
    hash::Hash32,
    limits::{MANIFEST_BYTES_MAX, METAINFO_BYTES_MAX, PATCH_BYTES_MAX, SEALED_RUNS_MAX},
};

/// Bytes of the prefix.
pub const PREFIX_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"MSTSEAL1";
/// Level of the head: it is small beside the content.
const LEVEL: i32 = 9;
const RUN_BYTES: usize = 32 + 8 + 8 + 8;
/// Largest head when it is unpacked.
const HEAD_BYTES_MAX: usize =
    MANIFEST_BYTES_MAX + METAINFO_BYTES_MAX + PATCH_BYTES_MAX + SEALED_RUNS_MAX * RUN_BYTES + 64;

/// The first bytes of a plain bundle: how long the head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Bytes of the head as it lies behind the prefix.
    pub packed: u32,
    /// Bytes of it unpacked.
    pub unpacked: u32,
}

/// Zstd frames in the body that hold a stretch of one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The content.
    pub root: Hash32,
    /// Where the stretch begins in it.
    pub offset: u64,
    /// Bytes of the stretch.
    pub length: u64,
    /// Bytes of the frames.
    pub stored: u64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Bytes of the release's manifest.
    pub manifest_bytes: u64,
    /// The manifest; empty where the patch's description brings it.
    pub manifest: Vec<u8>,
    /// The release's torrent with its piece layers; likewise.
    pub torrent: Vec<u8>,
    /// The description of a patch; empty where there is none.
    pub patch: Vec<u8>,
    /// Bytes of the patch's payload: the first of the body.
    pub payload_bytes: u64,
    /// What stands behind it, in this order.
    pub runs: Vec<Run>,
}

impl Prefix {
    /// Reads the first [`PREFIX_BYTES`] of a bundle of `plain_total` bytes.
    ///
    /// # Errors
    /// [`SealedError::Malformed`].
    pub fn parse(bytes: &[u8; PREFIX_BYTES], plain_total: u64) -> Result<Self, SealedError> {
        let (magic, sizes) = bytes.split_at(MAGIC.len());
        let word = |at: usize| u32::from_be_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]);
        let prefix = Self { packed: word(0), unpacked: word(4) };
        if magic != MAGIC {
            return Err(SealedError::Malformed("it does not begin as one"));
        }
        if prefix.body_start() > plain_total || prefix.unpacked as usize > HEAD_BYTES_MAX {
            return Err(SealedError::Malformed("the size of its head"));
        }
        Ok(prefix)
    }

    /// Where the body begins.
    #[must_use]
    pub fn body_start(&self) -> u64 {
        PREFIX_BYTES as u64 + u64::from(self.packed)
    }
}

impl Head {
    /// Prefix and head as they lie in the bundle.
    ///
    /// # Errors
    /// [`SealedError::Malformed`] for one that is larger than any may be.
    pub fn encode(&self) -> Result<Vec<u8>, SealedError> {
        let mut plain = Vec::new();
        for number in [self.manifest_bytes, self.payload_bytes, self.runs.len() as u64] {
            plain.extend_from_slice(&number.to_be_bytes());
        }
        for part in [&self.manifest, &self.torrent, &self.patch] {
            plain.extend_from_slice(&(part.len() as u64).to_be_bytes());
            plain.extend_from_slice(part);
        }
        for run in &self.runs {
            plain.extend_from_slice(&run.root.0);
            for number in [run.offset, run.length, run.stored] {
                plain.extend_from_slice(&number.to_be_bytes());
            }
        }
        let too_large = |_| SealedError::Malformed("the size of its head");
        let packed = zstd::bulk::compress(&plain, LEVEL).map_err(|_| SealedError::Malformed("its head"))?;
        if self.runs.len() > SEALED_RUNS_MAX || plain.len() > HEAD_BYTES_MAX {
            return Err(SealedError::Malformed("the size of its head"));
        }
        let mut bytes = MAGIC.to_vec();
        for length in [packed.len(), plain.len()] {
            bytes.extend_from_slice(&u32::try_from(length).map_err(too_large)?.to_be_bytes());
        }
        bytes.extend_from_slice(&packed);
        Ok(bytes)
    }

    /// Reads what lies behind the prefix of a bundle of `plain_total` bytes.
    ///
    /// # Errors
    /// [`SealedError::Malformed`], also where the sizes of its parts are not together the bundle's.
    pub fn parse(packed: &[u8], prefix: Prefix, plain_total: u64) -> Result<Self, SealedError> {
        let malformed = |_| SealedError::Malformed("its head does not unpack");
        let plain = zstd::bulk::decompress(packed, prefix.unpacked as usize).map_err(malformed)?;
        let mut rest = Rest(&plain);
        let (manifest_bytes, payload_bytes) = (rest.number()?, rest.number()?);
        let runs = usize::try_from(rest.number()?).unwrap_or(usize::MAX);
        let mut head = Self { manifest_bytes, payload_bytes, ..Self::default() };
        head.manifest = rest.part(MANIFEST_BYTES_MAX)?;
        head.torrent = rest.part(METAINFO_BYTES_MAX)?;
        head.patch = rest.part(PATCH_BYTES_MAX)?;
        if runs > SEALED_RUNS_MAX || rest.0.len() != runs * RUN_BYTES {
            return Err(SealedError::Malformed("the number of its runs"));
        }
        for _ in 0..runs {
            let root = rest
                .take(32)
                .and_then(|root| Hash32::from_slice(root).ok_or(SealedError::Malformed("a root")))?;
            let (offset, length, stored) = (rest.number()?, rest.number()?, rest.number()?);
            head.runs.push(Run { root, offset, length, stored });
        }
        let body = head.runs.iter().try_fold(payload_bytes, |sum, run| sum.checked_add(run.stored));
        if body != plain_total.checked_sub(prefix.body_start()) {
            return Err(SealedError::Malformed("the sizes of its parts"));
        }
        Ok(head)
    }
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SealedError> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(SealedError::Malformed("its head is cut"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, SealedError> {
        let bytes = self.take(8)?.try_into().map_err(|_| SealedError::Malformed("a number"))?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn part(&mut self, length_max: usize) -> Result<Vec<u8>, SealedError> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > length_max {
            return Err(SealedError::Malformed("the size of a part of its head"));
        }
        self.take(length).map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let run = |byte, stored| Run { root: Hash32([byte; 32]), offset: 0, length: 500, stored };
        Head {
            manifest_bytes: 8,
            manifest: b"manifest".to_vec(),
            torrent: b"torrent".to_vec(),
            patch: Vec::new(),
            payload_bytes: 30,
            runs: vec![run(1, 100), run(2, 70)],
        }
    }

    fn read(bytes: &[u8], total: u64) -> Result<Head, SealedError> {
        let prefix = Prefix::parse(bytes[..PREFIX_BYTES].try_into().unwrap(), total)?;
        let end = prefix.body_start() as usize;
        Head::parse(bytes.get(PREFIX_BYTES..end).unwrap_or_default(), prefix, total)
    }

    #[test]
    fn a_head_reads_back() {
        let bytes = head().encode().unwrap();
        assert_eq!(read(&bytes, bytes.len() as u64 + 200).unwrap(), head());
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        let bytes = head().encode().unwrap();
        let total = bytes.len() as u64 + 200;
        for wrong in [total - 1, total + 1, 20, u64::MAX] {
            assert_eq!(read(&bytes, wrong).unwrap_err().code(), "PRELOAD_INVALID", "{wrong}");
        }
        for (at, value) in [(8, 0xff), (11, 1), (12, 0xff), (15, 0), (0, b'X')] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert_eq!(read(&changed, total).unwrap_err().code(), "PRELOAD_INVALID", "byte {at}");
        }
        let overflowing = Head { payload_bytes: u64::MAX, ..head() }.encode().unwrap();
        assert_eq!(read(&overflowing, total).unwrap_err().code(), "PRELOAD_INVALID");
    }
}
