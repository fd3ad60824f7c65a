//! Archives: the same members under new times, and members that are compressed.

use sha2::{Digest, Sha256};

/// The end of a zip's central directory (APPNOTE 4.3.16), and how far from the file's end it may lie.
const ZIP_END: &[u8] = b"PK\x05\x06";
const ZIP_END_BYTES: usize = 22;
const ZIP_COMMENT_MAX: usize = 65_535;
/// An entry of the central directory (APPNOTE 4.3.12).
const ZIP_ENTRY: &[u8] = b"PK\x01\x02";
const ZIP_ENTRY_BYTES: usize = 46;
/// Entries that are read.
const ZIP_ENTRIES_MAX: usize = 1_000_000;
/// First bytes of what is compressed as a whole: gzip, xz, zstd, bzip2, 7z, rar, lz4.
const COMPRESSED: [&[u8]; 7] = [
    b"\x1f\x8b",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
];

/// Whether two archives that differ hold the same members.
pub(super) fn is_restamped(before: &[u8], now: &[u8]) -> bool {
    match (Zip::read(before), Zip::read(now)) {
        (Some(before), Some(now)) => before.members == now.members,
        _ => gzip(before).is_some_and(|data| gzip(now) == Some(data)),
    }
}

/// Whether what is in the pack is compressed: said by its directory, by its first bytes, or, where neither is known, told
/// from bytes that are spread evenly.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    match Zip::read(bytes) {
        Some(zip) => zip.is_compressed,
        None => COMPRESSED.iter().any(|magic| bytes.starts_with(magic)) || is_even(bytes),
    }
}

/// What a zip's directory says.
struct Zip {
    /// Over names, checksums, methods and sizes in their order.
    members: [u8; 32],
    /// More than half of the packed bytes are of compressed members.
    is_compressed: bool,
}

impl Zip {
    fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"PK\x03\x04") {
            return None;
        }
        let tail = bytes.len().saturating_sub(ZIP_END_BYTES + ZIP_COMMENT_MAX);
        let end = tail + bytes[tail..].windows(4).rposition(|window| window == ZIP_END)?;
        let (mut at, mut hasher) = (number(bytes, end + 16, 4)?, Sha256::new());
        let (mut packed, mut plain) = (0_u64, 0_u64);
        for _ in 0..ZIP_ENTRIES_MAX {
            let Some(entry) = bytes.get(at..at.checked_add(ZIP_ENTRY_BYTES)?) else { break };
            if !entry.starts_with(ZIP_ENTRY) {
                break;
            }
            let [name, extra, comment] = [28, 30, 32].map(|field| number(entry, field, 2).unwrap_or(0));
            let (method, size) = (number(entry, 10, 2)?, number(entry, 20, 4)? as u64);
            *(if method == 0 { &mut plain } else { &mut packed }) += size;
            hasher.update(entry.get(10..12)?);
            hasher.update(entry.get(16..28)?);
            hasher.update(bytes.get(at + ZIP_ENTRY_BYTES..at + ZIP_ENTRY_BYTES + name)?);
            at += ZIP_ENTRY_BYTES + name + extra + comment;
        }
        Some(Self { members: hasher.finalize().into(), is_compressed: packed > plain })
    }
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}

/// What follows a gzip member's header (RFC 1952, 2.3): deflated data, checksum and size.
fn gzip(bytes: &[u8]) -> Option<&[u8]> {
    let flags = *bytes.get(3).filter(|_| bytes.starts_with(b"\x1f\x8b\x08"))?;
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + number(bytes, at, 2)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += 1 + bytes.get(at..)?.iter().position(|byte| *byte == 0)?;
        }
    }
    bytes.get(at + if flags & 2 != 0 { 2 } else { 0 }..)
}

/// Bytes that are spread as evenly as those of a compressor or a cipher: less than a hundredth of a bit is missing.
fn is_even(bytes: &[u8]) -> bool {
    let mut counts = [0_u64; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let all = bytes.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| *count as f64 / all)
        .map(|share| -share * share.log2())
        .sum();
    entropy > 7.99
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(time: u8, method: u8, members: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in members {
            let mut fields = [&[20, 0, 0, 0, method, 0, time, time, time, time][..], &[data[0]; 4]].concat();
            for _ in 0..2 {
                fields.extend((data.len() as u32).to_le_bytes());
            }
            fields.extend((name.len() as u16).to_le_bytes());
            fields.extend([0, 0]);
            directory.extend(b"PK\x01\x02\0\0");
            directory.extend(&fields);
            directory.extend([0; 14]);
            directory.extend(name.bytes());
            file.extend(b"PK\x03\x04");
            file.extend(&fields);
            file.extend(name.bytes());
            file.extend(*data);
        }
        let start = file.len() as u32;
        file.extend(directory);
        file.extend(b"PK\x05\x06");
        file.extend([0; 12]);
        file.extend(start.to_le_bytes());
        file.extend([0, 0]);
        file
    }

    #[test]
    fn the_same_members_under_another_time_are_the_same_archive() {
        let members: [(&str, &[u8]); 2] = [("a.lua", b"alpha"), ("b.lua", b"beta")];
        assert!(is_restamped(&zip(1, 0, &members), &zip(2, 0, &members)));
        assert!(!is_restamped(&zip(1, 0, &members), &zip(1, 0, &members[..1])));
        assert!(!is_restamped(&zip(1, 0, &members), &zip(1, 0, &[members[0], ("b.lua", b"meta")])));
        assert!(!is_restamped(b"PK\x03\x04 torn", b"PK\x03\x04 torn"));
        let gzip = |time: u8, name: &[u8], data: &[u8]| {
            [&[0x1f, 0x8b, 8, 8, time, time, time, time, 0, 3][..], name, b"\0", data].concat()
        };
        assert!(is_restamped(&gzip(1, b"old", b"deflated"), &gzip(2, b"newer", b"deflated")));
        assert!(!is_restamped(&gzip(1, b"old", b"deflated"), &gzip(1, b"old", b"inflated")));
    }

    #[test]
    fn a_stored_archive_is_no_compressed_pack() {
        let members: [(&str, &[u8]); 1] = [("a.lua", b"alpha")];
        assert!(!is_compressed(&zip(1, 0, &members)));
        assert!(is_compressed(&zip(1, 8, &members)));
        assert!(is_compressed(b"\x28\xb5\x2f\xfd....."));
        assert!(!is_compressed(&b"a plain text, as plain as can be ".repeat(1000)));
    }
}
