//! Whether every place that an apply would change can be reached by a rename, asked before anything is changed.
//!
//! After the commit there is no way back. So a folder of the game that is a mount point, or that this user may not write
//! to, is found before it: the old game stays, and the words say which folder it is.

use crate::{
    error::Result,
    fs::Kind,
    journal::Journal,
    tree::{STATE_DIR, Tree, ancestors},
};
use release::path::GamePath;
use std::collections::{BTreeMap, BTreeSet};

/// Whether files may be put at these paths.
///
/// # Errors
/// [`crate::StoreError::OtherVolume`], [`crate::StoreError::NoPermission`]; as the disk says.
pub(crate) fn check<'a>(tree: &Tree, paths: impl Iterator<Item = &'a GamePath>) -> Result<()> {
    let mut known = BTreeMap::new();
    let mut folders = BTreeSet::from([tree.dir().to_owned()]);
    for path in paths {
        for folder in ancestors(path) {
            let real = match known.get(&folder) {
                Some(real) => *real,
                None => tree.disk.kind(&tree.at(&folder))? == Some(Kind::Dir),
            };
            known.insert(folder.clone(), real);
            // What stands behind a link or is still to be made is no matter.
            if !real {
                break;
            }
            folders.insert(tree.at(&folder));
        }
    }
    let from = tree.dir().join(STATE_DIR);
    folders.iter().try_for_each(|folder| tree.disk.check_rename(&from, folder))
}

/// As [`check`], of everything that a journal would change.
pub(super) fn check_journal(tree: &Tree, journal: &Journal) -> Result<()> {
    let outs = journal.out.iter().map(|out| &out.from);
    let asides = journal.asides.iter().map(|aside| &aside.path);
    let places = journal.place.iter().map(|place| &place.path);
    check(tree, outs.chain(asides).chain(places).chain(&journal.dirs))?;
    // A folder that is to go aside and is a mount point cannot.
    let from = tree.dir().join(STATE_DIR);
    for aside in &journal.asides {
        if tree.lstat(&aside.path)?.is_some_and(|meta| meta.kind == Kind::Dir) {
            tree.disk.check_rename(&from, &tree.at(&aside.path))?;
        }
    }
    Ok(())
}
