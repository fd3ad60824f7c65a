//! The bytes of both releases: the old one's out of the content folder, the new one's out of the build.

use release::manifest::Manifest;
use release::patch::Span;

use super::Target;
use crate::{PublishError, disk};

/// Both releases.
pub(super) struct Images<'a> {
    pub(super) old: &'a Manifest,
    pub(super) new: &'a Target<'a>,
}

impl<'a> Images<'a> {
    pub(super) fn new(old: &'a Manifest, new: &'a Target<'a>) -> Self {
        Self { old, new }
    }

    /// Ranges of the old release, joined.
    pub(super) fn read_old(&self, spans: &[Span]) -> Result<Vec<u8>, PublishError> {
        let mut bytes = Vec::with_capacity(capacity(spans));
        for span in spans {
            let file = &self.old.files[span.file as usize];
            if let Some(root) = &file.pieces_root {
                self.new.store.open(root, file.size)?.read(span.offset, span.length, &mut bytes)?;
            }
        }
        Ok(bytes)
    }

    /// Ranges of the new release, joined.
    pub(super) fn read_new(&self, spans: &[Span]) -> Result<Vec<u8>, PublishError> {
        let mut bytes = Vec::with_capacity(capacity(spans));
        for span in spans {
            let path = &self.new.build.files[span.file as usize].on_disk;
            let start = bytes.len();
            bytes.resize(start + span.length as usize, 0);
            if !disk::read_exact_at(path, span.offset, &mut bytes[start..])? {
                return Err(PublishError::Changed { path: path.clone() });
            }
        }
        Ok(bytes)
    }
}

fn capacity(spans: &[Span]) -> usize {
    spans.iter().map(|span| span.length as usize).sum()
}

/// A whole file.
pub(super) fn whole(file: usize, size: u64) -> Span {
    Span { file: file as u32, offset: 0, length: size }
}
