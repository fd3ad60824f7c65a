//! Whether the installed release is what its manifest says, file by file and piece by piece.
//!
//! Reads only, and remembers the result in the records. The player's files are not looked at.

use crate::{
    error::{At, Result},
    folder::GameFolder,
    hashing::{Job, Meter, Shape, hash_pieces},
    partial::{Partial, awaited},
    records::{Record, Records},
    tree::Tree,
};
use release::{
    hash::Hash32,
    layout::PieceLayers,
    manifest::{Kind, Manifest, ManifestFile},
    path::GamePath,
};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One entry for each content file of the manifest, in its order.
    pub files: Vec<FileReport>,
}

/// What a check found of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its index in the manifest.
    pub index: usize,
    /// Where it lies.
    pub path: GamePath,
    /// Its content.
    pub state: FileState,
    /// Its executable bit is not as the manifest says.
    pub mode_wrong: bool,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// As the manifest says.
    Ok,
    /// Nothing, or no regular file, stands there.
    Missing,
    /// It is still to come: the release stands in part.
    Awaited,
    /// Changed since it was last verified, or never verified: only a full check can tell. From
    /// [`check_quick`] alone.
    Unverified,
    /// Not as the manifest says.
    Bad {
        /// Pieces within the file that differ; all where its piece layer is not known.
        pieces: Vec<u32>,
    },
}

impl Report {
    /// Everything is as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.files.iter().all(FileReport::is_clean)
    }

    /// Files that need repair.
    pub fn faults(&self) -> impl Iterator<Item = &FileReport> {
        self.files.iter().filter(|file| !file.is_clean())
    }
}

impl FileReport {
    /// Content and executable bit are as they should be, or the file is not due yet.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.state == FileState::Awaited || self.state == FileState::Ok && !self.mode_wrong
    }
}

/// Looks at sizes, times and executable bits alone.
///
/// # Errors
/// As the disk says.
pub fn check_quick(folder: &GameFolder, manifest: &Manifest) -> Result<Report> {
    quick(folder.tree(), folder.records(), folder.partial(), manifest)
}

/// As [`check_quick`], for whoever only looks.
pub(crate) fn quick(
    tree: &Tree,
    records: &Records,
    partial: Option<&Partial>,
    manifest: &Manifest,
) -> Result<Report> {
    let mut files = Vec::new();
    for (index, file) in contents(manifest) {
        let meta = tree.file(&file.path)?;
        let state = match &meta {
            _ if awaited(partial, records, file) => FileState::Awaited,
            None => FileState::Missing,
            Some(meta) => match records.valid(&file.path, meta) {
                Some(record) if record.pieces_root == file.pieces_root => FileState::Ok,
                _ => FileState::Unverified,
            },
        };
        let mode_wrong = meta.is_some_and(|meta| meta.executable.is_some_and(|bit| bit != file.executable));
        files.push(FileReport { index, path: file.path.clone(), state, mode_wrong });
    }
    Ok(Report { files })
}

/// Hashes every content file. `layers` tell which pieces of a bad file are bad.
///
/// # Errors
/// [`crate::StoreError::Cancelled`]; as the disk says.
pub fn verify(
    folder: &mut GameFolder,
    manifest: &Manifest,
    layers: &PieceLayers,
    job: &Job<'_>,
) -> Result<Report> {
    let work: Vec<(usize, &ManifestFile)> = contents(manifest).collect();
    let meter = Meter::new(job, work.iter().map(|(_, file)| file.size).sum(), work.len() as u64);
    let tree = folder.tree().clone();
    let mut results =
        meter.each(&work, |(index, file)| check_file(&tree, manifest, *index, file, layers, &meter))?;
    for ((report, record), (_, file)) in results.iter_mut().zip(&work) {
        if record.is_none() && folder.awaits(file) {
            report.state = FileState::Awaited;
        }
    }
    let is_partial = folder.partial().is_some();
    folder.update_records(|records| {
        for (report, record) in &results {
            match record {
                Some(record) => records.insert(report.path.clone(), *record),
                // It is ours all the same, however much of the release is still to come.
                None if records.get(&report.path).is_some()
                    && is_partial
                    && report.state != FileState::Missing =>
                {
                    records.insert(report.path.clone(), Record::OF_NOTHING);
                }
                None => records.remove(&report.path),
            }
        }
    })?;
    Ok(Report { files: results.into_iter().map(|(report, _)| report).collect() })
}

fn contents(manifest: &Manifest) -> impl Iterator<Item = (usize, &ManifestFile)> {
    manifest.files.iter().enumerate().filter(|(_, file)| file.kind == Kind::Content)
}

/// The report, and the record of a file whose content is good.
fn check_file(
    tree: &Tree,
    manifest: &Manifest,
    index: usize,
    file: &ManifestFile,
    layers: &PieceLayers,
    meter: &Meter<'_>,
) -> Result<(FileReport, Option<Record>)> {
    let report = |state, mode_wrong| FileReport { index, path: file.path.clone(), state, mode_wrong };
    let Some(before) = tree.file(&file.path)? else {
        meter.bytes(file.size)?;
        return Ok((report(FileState::Missing, false), None));
    };
    let mode_wrong = before.executable.is_some_and(|bit| bit != file.executable);
    let at = tree.at(&file.path);
    let handle = tree.disk.open(&at)?;
    let shape = Shape { size: file.size, piece_length: manifest.piece_length };
    let pieces = hash_pieces(&*handle, &at, shape, meter)?;
    // Written to while we read, or longer than it should be: bad whatever the hashes say.
    let steady = handle.meta().at(&at)?.stamp == before.stamp && before.stamp.size == file.size;
    let whole: Option<Vec<Hash32>> = pieces.iter().copied().collect();
    let good = steady && whole.is_some_and(|pieces| shape.pieces_root(&pieces) == file.pieces_root);
    if good {
        let record = Record { pieces_root: file.pieces_root, stamp: before.stamp };
        return Ok((report(FileState::Ok, mode_wrong), Some(record)));
    }
    Ok((report(FileState::Bad { pieces: bad_pieces(file, &pieces, layers) }, mode_wrong), None))
}

/// Pieces that differ from the layer; all where it is not known. None where a file is only too
/// long.
fn bad_pieces(file: &ManifestFile, pieces: &[Option<Hash32>], layers: &PieceLayers) -> Vec<u32> {
    let single = if pieces.len() == 1 { file.pieces_root.as_slice() } else { &[] };
    let expected = file.pieces_root.and_then(|root| layers.layer(&root)).unwrap_or(single);
    let differs =
        |(index, hash): (usize, &Option<Hash32>)| hash.is_none() || expected.get(index) != hash.as_ref();
    pieces.iter().enumerate().filter(|entry| differs(*entry)).map(|(index, _)| index as u32).collect()
}
