//! The bytes of both releases: the old one's out of the content folder, the new one's out of the build.

use release::hash::Hash32;
use release::manifest::Manifest;
use release::merkle::{BLOCK, FileHasher};
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

    /// Ranges of the old release, joined. Whole files are hashed: a patch made from damaged bytes would be of use to
    /// nobody.
    pub(super) fn read_old(&self, spans: &[Span]) -> Result<Vec<u8>, PublishError> {
        let mut bytes = Vec::with_capacity(capacity(spans));
        for span in spans {
            let file = &self.old.files[span.file as usize];
            let Some(root) = file.pieces_root else { continue };
            let (stored, start) = (self.new.store.open(&root, file.size)?, bytes.len());
            stored.read(span.offset, span.length, &mut bytes)?;
            if span.length == file.size && !hashes_to(&bytes[start..], &root) {
                return Err(stored.damaged());
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

/// The root of a file does not depend on the piece length, so a small one does.
fn hashes_to(bytes: &[u8], root: &Hash32) -> bool {
    let mut hasher = FileHasher::new(BLOCK);
    hasher.update(bytes);
    hasher.finish().pieces_root.as_ref() == Some(root)
}

fn capacity(spans: &[Span]) -> usize {
    spans.iter().map(|span| span.length as usize).sum()
}

/// A whole file.
pub(super) fn whole(file: usize, size: u64) -> Span {
    Span { file: file as u32, offset: 0, length: size }
}
