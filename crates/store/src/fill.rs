//! Local fill: what strange, old and half-broken files in the game folder hold of a wanted release becomes verified pieces
//! in staging, wherever in those files it lies.
//!
//! The side file ([`release::leaves`]) says by which a leaf of 16 KiB is known. One pass over every regular file in the
//! folder finds leaves by their weak hashes, and SHA-256 tells whether they are what they seem: what was hashed is what is
//! written, so a file that changes meanwhile costs a find and never makes a false one. Sources are only read; links are
//! not followed, and `.muster` is left out. Invariant: a piece counts as staged when all its leaves were verified, each
//! against leaves that make the file's signed root. A file shorter than a leaf is not found: it costs less than the search.

mod scan;
mod wanted;

use crate::{
    error::Result,
    folder::GameFolder,
    fs::Kind,
    hashing::{Job, Meter},
    staging::Staging,
    tree::{STATE_DIR, Tree},
};
use release::{
    leaves::FileLeaves,
    manifest::Manifest,
    merkle::BLOCK,
    plan::{Plan, Source},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use wanted::Wanted;

/// Files that may hold something.
#[derive(Debug)]
pub struct Sources {
    tree: Tree,
    files: Vec<(PathBuf, u64)>,
}

impl Sources {
    /// Every regular file of at least a leaf that lies in the game folder now, whoever put it there.
    ///
    /// # Errors
    /// As the disk says of the game folder itself; a folder in it that cannot be read is left out.
    pub fn of(folder: &GameFolder) -> Result<Self> {
        let tree = folder.tree().clone();
        let names = tree.disk.names(tree.dir())?.into_iter().filter(|name| *name != STATE_DIR);
        let open = names.map(|name| tree.dir().join(name)).collect();
        let mut sources = Self { tree, files: Vec::new() };
        sources.walk(open);
        sources.largest_first();
        Ok(sources)
    }

    /// Adds every regular file of at least a leaf in a folder outside of the game's: a copy that something else installed.
    /// It is only read, and a `.muster` in it is passed over. What cannot be read is left out.
    pub fn also(&mut self, dir: &Path) {
        // The game's own folder is searched already; one around it would be searched twice.
        let Ok(dir) = self.tree.disk.canonicalize(dir) else {
            tracing::info!(path = %dir.display(), "there is no such folder to take files from");
            return;
        };
        if dir.starts_with(self.tree.dir()) || self.tree.dir().starts_with(&dir) {
            tracing::info!(path = %dir.display(), "the game's own folder is searched already");
            return;
        }
        self.walk(vec![dir]);
        self.largest_first();
    }

    fn walk(&mut self, mut open: Vec<PathBuf>) {
        while let Some(path) = open.pop() {
            let Ok(Some(meta)) = self.tree.disk.lstat(&path) else { continue };
            match meta.kind {
                Kind::File if meta.stamp.size >= u64::from(BLOCK) => self.files.push((path, meta.stamp.size)),
                Kind::Dir => match self.tree.disk.names(&path) {
                    Ok(names) => {
                        let names = names.into_iter().filter(|name| *name != STATE_DIR);
                        open.extend(names.map(|name| path.join(name)));
                    }
                    Err(error) => tracing::info!(%error, "a folder is not searched"),
                },
                Kind::File | Kind::Other => {}
            }
        }
    }

    /// So that threads end together.
    fn largest_first(&mut self) {
        self.files.sort_unstable_by(|(a, long), (b, longer)| longer.cmp(long).then_with(|| a.cmp(b)));
    }

    /// Leaves out the files of a release that stands: what they are worth is known already.
    pub fn leave_out(&mut self, release: &Manifest) {
        let known: BTreeSet<PathBuf> = release.files.iter().map(|file| self.tree.at(&file.path)).collect();
        self.files.retain(|(path, _)| !known.contains(path));
    }

    /// Bytes of them all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filled {
    /// Bytes of sources that were read.
    pub read_bytes: u64,
    /// Bytes written into staging. Some of them may lie in pieces that are not whole yet and come over the network.
    pub written_bytes: u64,
    /// Bytes in pieces that are whole now and need not come.
    pub filled_bytes: u64,
}

/// Searches `sources` for what `plan` would fetch of `wanted` and `staging` has not. `leaves` are those of the release as
/// [`release::leaves::parse`] gave them: that they make the files' roots was checked there.
///
/// # Errors
/// [`crate::StoreError::Cancelled`]; as the disk says of staging. A source that cannot be read is left out.
pub fn fill(
    sources: &Sources,
    wanted: &Manifest,
    plan: &Plan,
    leaves: Vec<FileLeaves>,
    staging: &Staging,
    job: &Job<'_>,
) -> Result<Filled> {
    let fetched: BTreeSet<_> = (plan.files.iter())
        .filter_map(|source| if let Source::Fetch { root } = source { Some(*root) } else { None })
        .filter(|root| !staging.is_complete(root))
        .collect();
    let leaves = leaves.into_iter().filter(|file| fetched.contains(&file.pieces_root)).collect();
    let wanted = Wanted::new(leaves, wanted.piece_length, staging);
    let meter = Meter::new(job, sources.bytes(), sources.files.len() as u64);
    let read = meter.each(&sources.files, |(path, _)| {
        if wanted.is_done() {
            return Ok(0);
        }
        match sources.tree.disk.open(path) {
            Ok(file) => scan::scan(&*file, path, &wanted, &meter),
            Err(error) => {
                tracing::info!(%error, "a file is not searched");
                Ok(0)
            }
        }
    })?;
    staging.flush()?;
    let (written_bytes, filled_bytes) = wanted.bytes();
    Ok(Filled { read_bytes: read.iter().sum(), written_bytes, filled_bytes })
}
