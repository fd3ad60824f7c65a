//! Which files a patch has to make, and which old file each is most likely a version of: the one of the same path, else
//! one of the same name, else one that looks alike.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use release::manifest::{Kind, Manifest, ManifestFile};
use release::path::GamePath;

use super::Target;
use super::images::{Images, whole};
use super::sketch::{self, Sketch};
use crate::PublishError;

/// Old bytes that are looked at in search of files that look alike.
const SEARCH_BYTES_MAX: u64 = 1 << 30;
/// Shorter files are not searched for: a group compresses them as well by their neighbours.
const SEARCH_FILE_MIN: u64 = 256;

/// A file that the old release does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// Index in the new release.
    pub(super) file: usize,
    pub(super) size: u64,
    /// Index in the old release of what it probably was, and its size.
    pub(super) origin: Option<(usize, u64)>,
}

/// Files of the new release whose bytes the old one has under no path, each root once.
pub(super) fn changed_files(old: &Manifest, new: &Manifest) -> impl Iterator<Item = usize> {
    let content = |file: &&ManifestFile| file.kind == Kind::Content;
    let mut known: BTreeSet<_> =
        old.files.iter().filter(content).filter_map(|file| file.pieces_root).collect();
    let changed = new.files.iter().enumerate().filter_map(move |(index, file)| {
        (file.kind == Kind::Content && file.pieces_root.is_some_and(|root| known.insert(root)))
            .then_some(index)
    });
    changed.collect::<Vec<_>>().into_iter()
}

/// Every file to make, with its origin.
pub(super) fn find(
    old: &Manifest,
    new: &Target<'_>,
    images: &Images<'_>,
) -> Result<Vec<Changed>, PublishError> {
    let vanished = vanished(old, new.manifest);
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for file in &vanished {
        by_name.entry(old.files[*file].path.file_name()).or_default().push(*file);
    }
    let mut changed: Vec<Changed> = changed_files(old, new.manifest)
        .map(|file| {
            let wanted = &new.manifest.files[file];
            let origin = same_path(old, &wanted.path).or_else(|| {
                let namesakes = by_name.get(wanted.path.file_name())?;
                let likeness = |of: &usize| likeness(&old.files[*of].path, &wanted.path);
                namesakes.iter().copied().max_by_key(|of| (likeness(of), Reverse(*of)))
            });
            let origin = origin.map(|origin| (origin, old.files[origin].size));
            Changed { file, size: wanted.size, origin }
        })
        .collect();
    search(&mut changed, &vanished, images)?;
    Ok(changed)
}

fn same_path(old: &Manifest, path: &GamePath) -> Option<usize> {
    let index = old.files.binary_search_by(|file| file.path.cmp(path)).ok()?;
    is_source(&old.files[index]).then_some(index)
}

fn is_source(file: &ManifestFile) -> bool {
    file.kind == Kind::Content && file.size > 0
}

/// Files that the new release has under no path: what was renamed is among them.
fn vanished(old: &Manifest, new: &Manifest) -> Vec<usize> {
    let gone = |file: &ManifestFile| is_source(file) && new.file(&file.path).is_none();
    (0..old.files.len()).filter(|file| gone(&old.files[*file])).collect()
}

/// Components at the end that two paths share.
fn likeness(one: &GamePath, other: &GamePath) -> usize {
    one.components().rev().zip(other.components().rev()).take_while(|(a, b)| a == b).count()
}

/// Looks for origins by content: among files that vanished, and those of the kinds that are looked for.
fn search(changed: &mut [Changed], vanished: &[usize], images: &Images<'_>) -> Result<(), PublishError> {
    let new = &images.new.manifest.files;
    let is_lost = |one: &Changed| one.origin.is_none() && one.size >= SEARCH_FILE_MIN;
    let kinds: BTreeSet<String> =
        changed.iter().filter(|one| is_lost(one)).map(|one| extension(&new[one.file].path)).collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let old = &images.old.files;
    let kindred =
        (0..old.len()).filter(|file| is_source(&old[*file]) && kinds.contains(&extension(&old[*file].path)));
    let mut seen = BTreeSet::new();
    let (mut sketches, mut by_hash, mut left) =
        (Vec::new(), BTreeMap::<u64, Vec<usize>>::new(), SEARCH_BYTES_MAX);
    for file in vanished.iter().copied().chain(kindred).filter(|file| seen.insert(*file)) {
        let mut start = whole(file, old[file].size.min(sketch::BYTES));
        start.length = start.length.min(left);
        left -= start.length;
        if start.length < SEARCH_FILE_MIN {
            continue;
        }
        let sketch = Sketch::of(&images.read_old(&[start])?);
        for hash in sketch.hashes() {
            by_hash.entry(*hash).or_default().push(sketches.len());
        }
        sketches.push((file, sketch));
    }
    for one in changed.iter_mut().filter(|one| is_lost(one)) {
        let sketch = Sketch::of(&images.read_new(&[whole(one.file, one.size.min(sketch::BYTES))])?);
        let near: BTreeSet<usize> =
            sketch.hashes().iter().filter_map(|hash| by_hash.get(hash)).flatten().copied().collect();
        let kin = near.iter().filter_map(|at| Some((sketch.kinship(&sketches[*at].1)?, sketches[*at].0)));
        one.origin = kin
            .max_by_key(|(shared, file)| (*shared, Reverse(*file)))
            .map(|(_, file)| (file, old[file].size));
    }
    Ok(())
}

/// What follows the last dot of a name, in lower case.
pub(super) fn extension(path: &GamePath) -> String {
    path.file_name().rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default()
}
