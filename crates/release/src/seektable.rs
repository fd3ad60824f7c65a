//! The seek table of the zstd seekable format, by which a range of a compressed file is found.
//!
//! Content at an origin is a row of independent zstd frames followed by one skippable frame: an entry
//! of two little-endian `u32` per frame (compressed and decompressed bytes), then a footer of nine
//! bytes (number of frames, descriptor, magic). Every zstd tool reads such a file as one stream.

use crate::limits::{FILE_BYTES_MAX, PIECE_LENGTH_MAX};

/// Bytes of the footer.
pub const FOOTER_BYTES: usize = 9;
const HEADER_BYTES: usize = 8;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const CHECKSUM_FLAG: u8 = 0x80;

/// One frame's sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// As it lies in the file.
    pub compressed: u32,
    /// As it was.
    pub decompressed: u32,
}

/// Where every frame lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeekTable {
    frames: Vec<Frame>,
}

/// A run of whole frames that covers a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covering {
    /// First byte in the compressed file.
    pub compressed_start: u64,
    /// Bytes in the compressed file.
    pub compressed_length: u64,
    /// The frames, in order.
    pub frames: Vec<Frame>,
    /// Bytes to skip at the start of the first frame, decompressed.
    pub skip: u64,
}

/// Why a table was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeekTableError {
    /// More bytes of the file's end are needed: this many in all.
    #[error("the table is {0} bytes long")]
    Longer(u64),
    /// Not a seek table, or one with numbers that cannot be.
    #[error("not a seek table")]
    Malformed,
}

impl SeekTable {
    /// Of frames in their order.
    #[must_use]
    pub fn new(frames: Vec<Frame>) -> Self {
        Self { frames }
    }

    /// Bytes of the skippable frame that holds a table of `frames` frames.
    #[must_use]
    pub fn encoded_bytes(frames: u64) -> u64 {
        (HEADER_BYTES + FOOTER_BYTES) as u64 + 8 * frames
    }

    /// The skippable frame that stands at the end of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = self.frames.len() * 8 + FOOTER_BYTES;
        let mut out = Vec::with_capacity(HEADER_BYTES + body);
        out.extend(SKIPPABLE_MAGIC.to_le_bytes());
        out.extend((body as u32).to_le_bytes());
        for frame in &self.frames {
            out.extend(frame.compressed.to_le_bytes());
            out.extend(frame.decompressed.to_le_bytes());
        }
        out.extend((self.frames.len() as u32).to_le_bytes());
        out.push(0);
        out.extend(SEEKABLE_MAGIC.to_le_bytes());
        out
    }

    /// Reads the table from the last bytes of a file.
    ///
    /// # Errors
    /// [`SeekTableError::Longer`] when `tail` does not hold all of it, with the bytes needed.
    pub fn parse_tail(tail: &[u8]) -> Result<Self, SeekTableError> {
        let footer =
            tail.len().checked_sub(FOOTER_BYTES).map(|at| &tail[at..]).ok_or(SeekTableError::Malformed)?;
        let count = u64::from(word(footer, 0));
        if word(footer, 5) != SEEKABLE_MAGIC || footer[4] & !CHECKSUM_FLAG != 0 {
            return Err(SeekTableError::Malformed);
        }
        let entry = if footer[4] & CHECKSUM_FLAG == 0 { 8 } else { 12 };
        if count > FILE_BYTES_MAX / 1024 {
            return Err(SeekTableError::Malformed);
        }
        let whole = (HEADER_BYTES + FOOTER_BYTES) as u64 + entry * count;
        let start = (tail.len() as u64).checked_sub(whole).ok_or(SeekTableError::Longer(whole))? as usize;
        let table = &tail[start..];
        if word(table, 0) != SKIPPABLE_MAGIC || u64::from(word(table, 4)) != whole - HEADER_BYTES as u64 {
            return Err(SeekTableError::Malformed);
        }
        let entries = table[HEADER_BYTES..table.len() - FOOTER_BYTES].chunks_exact(entry as usize);
        let frames: Vec<Frame> =
            entries.map(|e| Frame { compressed: word(e, 0), decompressed: word(e, 4) }).collect();
        // A frame of more than a piece is nobody's of ours; the bound keeps decompression small.
        if frames.iter().any(|frame| frame.decompressed > PIECE_LENGTH_MAX) {
            return Err(SeekTableError::Malformed);
        }
        Ok(Self { frames })
    }

    /// The frames in order.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Decompressed bytes of all frames.
    #[must_use]
    pub fn decompressed_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.decompressed)).sum()
    }

    /// The frames that cover `length` decompressed bytes from `offset` on; `None` outside the file.
    #[must_use]
    pub fn covering(&self, offset: u64, length: u64) -> Option<Covering> {
        let end = offset.checked_add(length).filter(|end| *end <= self.decompressed_bytes())?;
        let (mut compressed, mut decompressed) = (0_u64, 0_u64);
        let mut found: Option<Covering> = None;
        for frame in &self.frames {
            let next = decompressed + u64::from(frame.decompressed);
            if next > offset && decompressed < end {
                let covering = found.get_or_insert_with(|| Covering {
                    compressed_start: compressed,
                    compressed_length: 0,
                    frames: Vec::new(),
                    skip: offset - decompressed,
                });
                covering.compressed_length += u64::from(frame.compressed);
                covering.frames.push(*frame);
            }
            compressed += u64::from(frame.compressed);
            decompressed = next;
        }
        found
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SeekTable {
        SeekTable::new(vec![
            Frame { compressed: 10, decompressed: 100 },
            Frame { compressed: 20, decompressed: 100 },
            Frame { compressed: 30, decompressed: 50 },
        ])
    }

    #[test]
    fn round_trip_and_asking_for_more() {
        let encoded = table().encode();
        assert_eq!(encoded.len() as u64, SeekTable::encoded_bytes(3));
        let mut file = vec![7; 60];
        file.extend(&encoded);
        assert_eq!(SeekTable::parse_tail(&file), Ok(table()));
        assert_eq!(SeekTable::parse_tail(&file[file.len() - 20..]), Err(SeekTableError::Longer(41)));
        assert_eq!(SeekTable::parse_tail(b"<html></html>"), Err(SeekTableError::Malformed));
        assert_eq!(SeekTable::parse_tail(b""), Err(SeekTableError::Malformed));
    }

    #[test]
    fn ranges_are_covered_by_whole_frames() {
        let covering = table().covering(150, 60).expect("inside");
        assert_eq!((covering.compressed_start, covering.compressed_length, covering.skip), (10, 50, 50));
        assert_eq!(covering.frames.len(), 2);
        assert_eq!(table().covering(0, 100).expect("inside").frames.len(), 1);
        assert_eq!(table().covering(200, 51), None);
        assert_eq!(table().covering(u64::MAX, 2), None);
    }
}
