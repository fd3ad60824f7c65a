//! Which files are to be put in place next, while a release comes set after set. Pure.
//!
//! Invariant: nothing of the release stands before its first set does, and a set is said to stand only when every file of it
//! and of those before it is here. The last set is put in place file by file, in batches or where a game asks.

use release::{
    hash::Hash32,
    manifest::{FileSet, Manifest},
    plan::Source,
};
use std::collections::{BTreeMap, BTreeSet};
use store::partial::Part;

/// See the module.
#[derive(Debug)]
pub(super) struct Coming {
    /// Files that are not in place, by set, and the content that each waits for; `None`: it only has to be put there.
    left: BTreeMap<FileSet, BTreeMap<usize, Option<Hash32>>>,
    /// The sets up to this one stand.
    complete: Option<FileSet>,
    /// Something of a set that is to stand came since.
    changed: bool,
}

impl Coming {
    /// With `sources` for each file of `manifest`, where the sets up to `complete` stand.
    pub(super) fn new(manifest: &Manifest, sources: &[Source], complete: Option<FileSet>) -> Self {
        let mut left: BTreeMap<FileSet, BTreeMap<usize, Option<Hash32>>> = BTreeMap::new();
        for (index, (file, source)) in manifest.files.iter().zip(sources).enumerate() {
            let awaited = match source {
                Source::Keep { .. } | Source::User => continue,
                Source::Local { .. } | Source::Empty => None,
                Source::Fetch { root } => Some(*root),
            };
            left.entry(file.set).or_default().insert(index, awaited);
        }
        Self { left, complete, changed: false }
    }

    /// The sets up to this one stand.
    pub(super) fn complete(&self) -> Option<FileSet> {
        self.complete
    }

    /// Whether a file stands already, or never will by us.
    pub(super) fn is_placed(&self, index: usize, set: FileSet) -> bool {
        self.left.get(&set).is_none_or(|left| !left.contains_key(&index))
    }

    /// What can be put in place now: sets that are whole, and of the others files that games ask for, or all that are here if
    /// it is time for a `batch`.
    pub(super) fn due(
        &mut self,
        is_here: impl Fn(&Hash32) -> bool,
        asked: &[usize],
        batch: bool,
    ) -> Option<Part> {
        let here = |root: &Option<Hash32>| root.as_ref().is_none_or(&is_here);
        let mut whole = None;
        for set in [FileSet::Required, FileSet::Playable] {
            let left = self.left.entry(set).or_default();
            // From the end, so that a file that is missing is not passed again and again.
            while let Some(last) = left.last_entry().filter(|last| here(last.get())) {
                last.remove();
                self.changed = true;
            }
            if !left.is_empty() {
                break;
            }
            whole = Some(set);
        }
        let complete = whole.filter(|whole| self.complete.is_none_or(|complete| *whole >= complete))?;
        let later = || self.left.iter().filter(|(set, _)| **set > complete).flat_map(|(_, left)| left);
        let wanted = |index: &usize| batch || asked.contains(index);
        let all_here = later().all(|(_, root)| here(root));
        let more: BTreeSet<usize> = if all_here {
            // The whole is at hand, and the end of the job puts it in place.
            BTreeSet::new()
        } else {
            later().filter(|(index, root)| wanted(index) && here(root)).map(|(index, _)| *index).collect()
        };
        let due = self.changed || self.complete != Some(complete) || !more.is_empty();
        due.then_some(Part { complete, more })
    }

    /// It was done.
    pub(super) fn placed(&mut self, part: &Part) {
        (self.complete, self.changed) = (Some(part.complete), false);
        for left in self.left.values_mut() {
            left.retain(|index, _| !part.more.contains(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(sets: &[&str]) -> Manifest {
        let file = |(number, set): (usize, &&str)| {
            let root = format!("{number:02x}").repeat(32);
            format!(r#"{{"path":"f{number}","size":1,"pieces_root":"{root}","set":"{set}"}}"#)
        };
        let files: Vec<String> = sets.iter().enumerate().map(file).collect();
        let text = format!(
            r#"{{"format":1,"game":"g","version":"1","title":"G","piece_length":16384,"files":[{}]}}"#,
            files.join(",")
        );
        Manifest::parse(text.as_bytes()).expect("good")
    }

    fn root(number: usize) -> Hash32 {
        Hash32([number as u8; 32])
    }

    fn all(manifest: &Manifest) -> Vec<Source> {
        let root = |file: &release::manifest::ManifestFile| file.pieces_root.expect("not empty");
        manifest.files.iter().map(|file| Source::Fetch { root: root(file) }).collect()
    }

    fn part(complete: FileSet, more: &[usize]) -> Option<Part> {
        Some(Part { complete, more: more.iter().copied().collect() })
    }

    #[test]
    fn sets_in_turn_then_what_is_asked_for_then_batches() {
        let manifest = manifest(&["optional", "required", "playable", "optional", "required", "optional"]);
        let mut coming = Coming::new(&manifest, &all(&manifest), None);
        let mut due = |here: &[usize], asked: &[usize], batch| {
            let part = coming.due(|hash| here.iter().any(|n| root(*n) == *hash), asked, batch);
            part.iter().for_each(|part| coming.placed(part));
            part
        };
        assert_eq!(due(&[], &[], true), None);
        assert_eq!(due(&[0, 2, 4], &[0], true), None, "nothing before the first set");
        assert_eq!(due(&[0, 1, 4], &[], false), part(FileSet::Required, &[]));
        assert_eq!(due(&[0, 1, 4], &[], false), None, "said once");
        assert_eq!(due(&[0, 1, 4], &[0], false), part(FileSet::Required, &[0]), "asked for");
        assert_eq!(due(&[0, 1, 2, 4], &[0], false), part(FileSet::Playable, &[]));
        assert_eq!(due(&[0, 1, 2, 3, 4], &[5], false), None);
        assert_eq!(due(&[0, 1, 2, 3, 4], &[5], true), part(FileSet::Playable, &[3]));
        assert_eq!(due(&[0, 1, 2, 3, 4, 5], &[5], true), None, "the end is the job's");
        assert!(coming.is_placed(3, FileSet::Optional) && !coming.is_placed(5, FileSet::Optional));
    }

    #[test]
    fn a_set_without_files_stands_with_the_one_before() {
        let manifest = manifest(&["required", "optional"]);
        let mut coming = Coming::new(&manifest, &all(&manifest), None);
        assert_eq!(coming.due(|hash| *hash == root(0), &[], false), part(FileSet::Playable, &[]));
    }

    #[test]
    fn damage_in_a_set_that_stood_is_mended_before_anything_else_is_placed() {
        let manifest = manifest(&["required", "playable", "optional"]);
        let mut sources = all(&manifest);
        sources[1] = Source::Keep { set_mode: false };
        let mut coming = Coming::new(&manifest, &sources, Some(FileSet::Playable));
        assert_eq!(coming.due(|hash| *hash == root(2), &[2], true), None);
        let here = |hash: &Hash32| *hash == root(0);
        assert_eq!(coming.due(here, &[], false), part(FileSet::Playable, &[]));
        assert!(coming.is_placed(1, FileSet::Playable));
    }
}
