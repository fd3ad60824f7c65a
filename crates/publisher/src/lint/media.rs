//! Pictures and sounds: what of them is content, and what is a stamp.
//!
//! The essence of a file is everything but stamps. Two files of one essence look and sound the same. What is not
//! understood to its end has no essence.

use sha2::{Digest, Sha256};

/// The first bytes of a PNG (RFC 2083, 3.1).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Chunks of a PNG that say nothing about its pixels.
const PNG_STAMPS: [&[u8]; 5] = [b"tIME", b"tEXt", b"zTXt", b"iTXt", b"eXIf"];
/// Chunks of a RIFF file that say nothing about its samples or pixels.
const RIFF_STAMPS: [&[u8]; 6] = [b"LIST", b"EXIF", b"XMP ", b"bext", b"id3 ", b"iXML"];

/// Whether two files that differ are the same picture or sound.
pub(super) fn is_restamped(before: &[u8], now: &[u8]) -> bool {
    essence(before).is_some_and(|essence_before| essence(now) == Some(essence_before))
}

/// A kind of file that is compressed by nature, so that nobody can be blamed for it.
pub(super) fn is_media(bytes: &[u8]) -> bool {
    let riff = bytes.starts_with(b"RIFF");
    let isobmff = bytes.get(4..8) == Some(b"ftyp");
    let plain: [&[u8]; 9] =
        [PNG, b"\xff\xd8\xff", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"GIF8", b"\x1aE\xdf\xa3", b"BIK"];
    riff || isobmff || plain.iter().any(|magic| bytes.starts_with(magic))
}

fn essence(bytes: &[u8]) -> Option<[u8; 32]> {
    let mut hasher = Sha256::new();
    if bytes.starts_with(PNG) {
        png(bytes.get(PNG.len()..)?, &mut hasher)?;
    } else if bytes.starts_with(b"\xff\xd8") {
        jpeg(bytes.get(2..)?, &mut hasher)?;
    } else if bytes.starts_with(b"RIFF") {
        riff(bytes.get(8..)?, &mut hasher)?;
    } else if bytes.starts_with(b"OggS") {
        ogg(bytes, &mut hasher)?;
    } else {
        return None;
    }
    Some(hasher.finalize().into())
}

/// Chunks: length, type, data, checksum.
fn png(mut rest: &[u8], hasher: &mut Sha256) -> Option<()> {
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let (kind, whole) = (rest.get(4..8)?, length.checked_add(12)?);
        let chunk = rest.get(..whole)?;
        if !PNG_STAMPS.contains(&kind) {
            hasher.update(chunk);
        }
        rest = &rest[whole..];
    }
    Some(())
}

/// Segments up to the first scan, which goes on to the end. Colour profiles (APP2) and Adobe's transform (APP14) change
/// what is seen; other application segments and comments do not.
fn jpeg(mut rest: &[u8], hasher: &mut Sha256) -> Option<()> {
    loop {
        let marker = *rest.get(1).filter(|_| rest[0] == 0xff)?;
        if marker == 0xda {
            hasher.update(rest);
            return Some(());
        }
        let whole = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?)).checked_add(2)?;
        let segment = rest.get(..whole)?;
        let is_stamp = marker == 0xfe || (matches!(marker, 0xe0..=0xef) && !matches!(marker, 0xe2 | 0xee));
        if !is_stamp {
            hasher.update(segment);
        }
        rest = &rest[whole..];
    }
}

/// Form type, then chunks: type, length, data, padded to even length.
fn riff(bytes: &[u8], hasher: &mut Sha256) -> Option<()> {
    hasher.update(bytes.get(..4)?);
    let mut rest = &bytes[4..];
    while rest.len() >= 8 {
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
        let whole = length.checked_add(8)?.checked_add(length % 2)?.min(rest.len());
        if whole < length {
            return None;
        }
        if !RIFF_STAMPS.contains(&&rest[..4]) {
            hasher.update(&rest[..whole]);
        }
        rest = &rest[whole..];
    }
    Some(())
}

/// Pages (RFC 3533, 6): a stream's serial number is random with many encoders, and each page's checksum follows it.
fn ogg(mut rest: &[u8], hasher: &mut Sha256) -> Option<()> {
    while !rest.is_empty() {
        let header = rest.get(..27).filter(|header| header.starts_with(b"OggS"))?;
        let table = rest.get(27..27 + usize::from(header[26]))?;
        let data: usize = table.iter().map(|length| usize::from(*length)).sum();
        hasher.update(&header[..14]);
        hasher.update(&header[18..22]);
        let whole = 27 + table.len() + data;
        hasher.update(rest.get(26..whole)?);
        rest = &rest[whole..];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut file = PNG.to_vec();
        for (kind, data) in chunks {
            file.extend((data.len() as u32).to_be_bytes());
            file.extend(*kind);
            file.extend(*data);
            file.extend([0; 4]);
        }
        file
    }

    #[test]
    fn a_png_with_another_time_is_the_same_picture_and_one_with_other_pixels_is_not() {
        let old = png_file(&[(b"IHDR", b"8x8"), (b"tIME", b"monday"), (b"IDAT", b"pixels"), (b"IEND", b"")]);
        let stamped = png_file(&[
            (b"IHDR", b"8x8"),
            (b"IDAT", b"pixels"),
            (b"tEXt", b"by another tool"),
            (b"IEND", b""),
        ]);
        let painted =
            png_file(&[(b"IHDR", b"8x8"), (b"tIME", b"monday"), (b"IDAT", b"pixelz"), (b"IEND", b"")]);
        assert!(is_restamped(&old, &stamped));
        assert!(!is_restamped(&old, &painted));
        assert!(!is_restamped(&old, &stamped[..stamped.len() - 3]), "a torn file has no essence");
        assert!(!is_restamped(b"text", b"text"));
    }

    #[test]
    fn jpeg_riff_and_ogg_are_known_by_their_content() {
        let jpeg = |comment: &[u8], scan: &[u8]| {
            let length = (comment.len() as u16 + 2).to_be_bytes();
            [&b"\xff\xd8\xff\xfe"[..], &length, comment, b"\xff\xda\0\x02", scan].concat()
        };
        assert!(is_restamped(&jpeg(b"one", b"scan"), &jpeg(b"three", b"scan")));
        assert!(!is_restamped(&jpeg(b"one", b"scan"), &jpeg(b"one", b"scam")));

        let riff = |list: &[u8], data: &[u8]| {
            let chunk = |kind: &[u8], data: &[u8]| {
                [kind, &(data.len() as u32).to_le_bytes(), data, &vec![0; data.len() % 2]].concat()
            };
            [&b"RIFF\0\0\0\0WAVE"[..], &chunk(b"LIST", list), &chunk(b"data", data)].concat()
        };
        assert!(is_restamped(&riff(b"then", b"sound"), &riff(b"now", b"sound")));
        assert!(!is_restamped(&riff(b"then", b"sound"), &riff(b"then", b"noise")));

        let ogg = |serial: u8, data: &[u8]| {
            let mut page = b"OggS".to_vec();
            page.extend([0; 10]);
            page.extend([serial; 4]);
            page.extend([0; 4]);
            page.extend([serial; 4]);
            page.extend([1, data.len() as u8]);
            page.extend(data);
            page
        };
        assert!(is_restamped(&ogg(1, b"music"), &ogg(2, b"music")));
        assert!(!is_restamped(&ogg(1, b"music"), &ogg(1, b"muzak")));
    }
}
