//! The old release's bytes as they lie in the game folder, verified or not: what is made of them is hashed.
//!
//! Only content files that the old manifest names, only regular ones, never through a link, and only while they have the
//! size that the manifest says.

use crate::{
    disk::read_full,
    error::{At, Result},
    tree::Tree,
};
use release::{
    manifest::{Kind, Manifest},
    patch::Span,
};
use std::{io, sync::Arc};

/// See the module.
#[derive(Debug)]
pub(super) struct Sources {
    tree: Tree,
    from: Arc<Manifest>,
}

impl Sources {
    pub(super) fn new(tree: Tree, from: Arc<Manifest>) -> Self {
        Self { tree, from }
    }

    /// All spans, one after the other, into a place of their length; or the first file that does not have its bytes.
    pub(super) fn read(&self, spans: &[Span], into: &mut [u8]) -> Result<std::result::Result<(), String>> {
        let (mut rest, mut at) = (into, 0);
        while at < spans.len() {
            let same = spans[at..].iter().take_while(|span| span.file == spans[at].file).count();
            let of_file = &spans[at..at + same];
            let bytes: u64 = of_file.iter().map(|span| span.length).sum();
            let (part, after) = rest.split_at_mut(bytes as usize);
            if let Err(path) = self.read_file(of_file, part)? {
                return Ok(Err(path));
            }
            (rest, at) = (after, at + same);
        }
        Ok(Ok(()))
    }

    /// Spans of one file.
    fn read_file(&self, spans: &[Span], mut part: &mut [u8]) -> Result<std::result::Result<(), String>> {
        let listed = spans.first().and_then(|span| self.from.files.get(span.file as usize));
        let Some(file) = listed.filter(|file| file.kind == Kind::Content) else {
            // A patch that was parsed for this release names no other files.
            return Ok(Err(format!("file {}", spans.first().map_or(0, |span| span.file))));
        };
        let absent = || Ok(Err(file.path.to_string()));
        match self.tree.file(&file.path)? {
            Some(meta) if meta.stamp.size == file.size => {}
            _ => return absent(),
        }
        let at = self.tree.at(&file.path);
        let handle = match self.tree.disk.open(&at) {
            // It went, or became something else, since it was looked at.
            Err(error)
                if matches!(error.io_kind(), Some(io::ErrorKind::NotFound | io::ErrorKind::InvalidInput)) =>
            {
                return absent();
            }
            opened => opened?,
        };
        for span in spans {
            let (now, later) = part.split_at_mut(span.length as usize);
            if read_full(&*handle, now, span.offset).at(&at)? < now.len() {
                return absent();
            }
            part = later;
        }
        Ok(Ok(()))
    }
}
