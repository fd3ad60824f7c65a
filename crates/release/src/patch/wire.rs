//! The bytes of a description: little-endian base-128 numbers, read without trusting any of them.

use super::PatchError;
use crate::{hash::Hash32, manifest::Manifest, patch::Span};

/// Bytes by which a description says which release it is about: the start of the infohash. Enough against a mix-up; a
/// forged one would gain nothing, since whatever is made is hashed.
pub(super) const MARK_BYTES: usize = 8;

/// How the list of segments lies in the description.
pub(super) const LIST_PLAIN: u8 = 0;
/// As one zstd frame.
pub(super) const LIST_COMPRESSED: u8 = 1;

/// Low bits of the number of sources: the old versions of the targets' files are sources before those listed …
pub(super) const MIRRORED: usize = 1;
/// … and ranges of new files follow.
pub(super) const MADE: usize = 2;
/// How many such bits there are.
pub(super) const FLAGS: u32 = 2;

/// What stands for a release in a description.
pub(super) fn mark(manifest: &Manifest) -> Result<[u8; MARK_BYTES], PatchError> {
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&manifest.infohash()?.as_bytes()[..MARK_BYTES]);
    Ok(mark)
}

/// The old versions of the targets' files, whole, each once: what a segment's sources most often are, and need not be
/// listed then.
pub(super) fn mirrored(targets: &[Span], from: &Manifest, to: &Manifest) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut last = None;
    for target in targets {
        // Targets of one file stand together; a file that comes again is a source again, which is no fault.
        if last == Some(target.file) {
            continue;
        }
        last = Some(target.file);
        let Some(path) = to.files.get(target.file as usize).map(|file| &file.path) else { continue };
        let Ok(index) = from.files.binary_search_by(|file| file.path.cmp(path)) else { continue };
        let file = &from.files[index];
        if file.kind == crate::manifest::Kind::Content && file.size > 0 {
            spans.push(Span { file: index as u32, offset: 0, length: file.size });
        }
    }
    spans
}

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Bytes not read yet.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], PatchError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(PatchError::Malformed(what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, PatchError> {
        Ok(self.take(1, what)?[0])
    }

    pub(super) fn hash(&mut self, what: &'static str) -> Result<Hash32, PatchError> {
        Hash32::from_slice(self.take(32, what)?).ok_or(PatchError::Malformed(what))
    }

    /// A number in its shortest form.
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, PatchError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(PatchError::Malformed(what));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(PatchError::Malformed(what))
    }

    /// A number of at most `max`.
    pub(super) fn count(&mut self, max: usize, what: &'static str) -> Result<usize, PatchError> {
        let number = self.number(what)?;
        usize::try_from(number).ok().filter(|count| *count <= max).ok_or(PatchError::Bounds(what))
    }
}

/// Writes and reads spans one after the other: a file by its distance from the one before, a whole file without range.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpanCoder {
    last: i64,
}

impl Default for SpanCoder {
    fn default() -> Self {
        Self { last: -1 }
    }
}

impl SpanCoder {
    pub(super) fn put(&mut self, out: &mut Vec<u8>, span: &Span, manifest: &Manifest) {
        let step = i64::from(span.file) - self.last;
        self.last = i64::from(span.file);
        let zigzag = ((step << 1) ^ (step >> 63)) as u64;
        let size = manifest.files.get(span.file as usize).map_or(0, |file| file.size);
        if span.offset == 0 && span.length == size {
            put(out, zigzag << 1);
        } else {
            put(out, zigzag << 1 | 1);
            put(out, span.offset);
            put(out, span.length);
        }
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>, manifest: &Manifest) -> Result<Span, PatchError> {
        let number = reader.number("a range")?;
        let zigzag = number >> 1;
        let step = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        let file = self.last.checked_add(step).and_then(|file| u32::try_from(file).ok());
        let file = file.ok_or(PatchError::Malformed("a range"))?;
        self.last = i64::from(file);
        if number & 1 == 1 {
            let (offset, length) = (reader.number("a range")?, reader.number("a range")?);
            return Ok(Span { file, offset, length });
        }
        // A file that is not there gets no length, which the check then refuses by the file.
        let length = manifest.files.get(file as usize).map_or(0, |file| file.size);
        Ok(Span { file, offset: 0, length })
    }
}
