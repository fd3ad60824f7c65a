//! After the point of no return: the steps of the journal, each of which can be done twice.

use super::{Applied, NEXT, aside::Late, build::parent_dirs};
use crate::{
    disk::parent,
    error::{Result, StoreError},
    folder::INSTALLED,
    fs::Kind,
    journal::{self, INCOMING_DIR, Journal, OLD_DIR, mark_out_done, out_is_done},
    partial::Partial,
    records::Records,
    staging,
    tree::{Tree, ancestors},
};
use release::{
    hash::{Hash32, sha256},
    limits::MANIFEST_BYTES_MAX,
    path::GamePath,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Does what is left of a committed journal. Apply and recovery are this.
pub(super) fn run(tree: &Tree, journal: &Journal, id: Hash32) -> Result<Applied> {
    let mut late = Late::new(tree, journal);
    if !out_is_done(tree, id)? {
        out(tree, journal, &mut late)?;
        mark_out_done(tree, id)?;
    }
    let vanished = place_all(tree, journal, &mut late)?;
    record(tree, journal, &vanished)?;
    match &journal.partial {
        Some(partial) => partial.save(tree)?,
        None => Partial::remove(tree)?,
    }
    install_manifest(tree, journal)?;
    let mut moved_aside = moved_aside(tree, journal)?;
    moved_aside.append(&mut late.moved);
    Journal::remove(tree)?;
    // The new release stands. What cannot be swept now is swept when the folder is opened.
    let swept = journal::sweep(tree);
    if let Err(error) =
        if journal.partial.is_some() { swept } else { swept.and_then(|()| staging::remove_all(tree)) }
    {
        tracing::warn!(%error, "leftovers of the apply stay until the next start");
    }
    let (placed, removed) = (journal.place.len() - vanished.len(), journal.out.len());
    Ok(Applied { version: journal.version.clone(), placed, removed, moved_aside, vanished })
}

/// Everything out that leaves or stands in the way. Runs until the marker is written, so never
/// after a new file came in.
fn out(tree: &Tree, journal: &Journal, late: &mut Late<'_>) -> Result<()> {
    for step in &journal.out {
        let to = step.to.path(tree);
        // Ours is out already where its slot is taken: then this one came later.
        if tree.file(&step.from)?.is_some() && tree.disk.kind(&to)?.is_none() {
            tree.disk.rename(&tree.at(&step.from), &to)?;
        }
    }
    for dir in &journal.prune {
        if tree.lstat(dir)?.is_some_and(|meta| meta.kind == Kind::Dir) {
            tree.disk.remove_dir_if_empty(&tree.at(dir))?;
        }
    }
    for aside in &journal.asides {
        if tree.lstat(&aside.path)?.is_none() {
            continue;
        }
        if tree.lstat(&aside.to)?.is_some() {
            // It has gone aside, and something else came.
            late.make_way(&aside.path, false)?;
        } else {
            ancestors(&aside.to)
                .iter()
                .try_for_each(|dir| tree.disk.ensure_dir(&tree.at(dir)).map(|_| ()))?;
            tree.disk.rename(&tree.at(&aside.path), &tree.at(&aside.to))?;
        }
    }
    let left = journal.out.iter().map(|step| &step.from).chain(&journal.prune);
    let aside = journal.asides.iter().flat_map(|aside| [&aside.path, &aside.to]);
    let evicted = late.moved.iter().flat_map(|(from, to)| [from, to]);
    let mut dirs = parent_dirs(tree, left.chain(aside).chain(evicted));
    dirs.extend(journal.asides.iter().flat_map(|aside| ancestors(&aside.to)).map(|dir| tree.at(&dir)));
    dirs.extend([tree.state(OLD_DIR), tree.state(INCOMING_DIR)]);
    sync_dirs(tree, &dirs)
}

/// New folders and files in; the files that were taken away from under us.
fn place_all(tree: &Tree, journal: &Journal, late: &mut Late<'_>) -> Result<Vec<GamePath>> {
    journal.dirs.iter().try_for_each(|dir| late.make_dir(dir))?;
    let mut vanished = Vec::new();
    for place in &journal.place {
        let (from, to) = (place.from.path(tree), tree.at(&place.path));
        match tree.disk.lstat(&from)? {
            Some(meta) => {
                // Only moved files can still have the wrong bit.
                if meta.executable.is_some_and(|bit| bit != place.executable) {
                    set_mode(tree, &from, place.executable)?;
                }
                late.make_way(&place.path, place.replaces.unwrap_or(true))?;
                tree.disk.rename(&from, &to)?;
            }
            None if tree.file(&place.path)?.is_some() => {}
            None => vanished.push(place.path.clone()),
        }
    }
    for mode in &journal.modes {
        if tree.file(&mode.path)?.is_some() {
            set_mode(tree, &tree.at(&mode.path), mode.executable)?;
        }
    }
    let evicted = late.moved.iter().flat_map(|(from, to)| [from, to]);
    let placed = journal.place.iter().map(|place| &place.path);
    let mut dirs = parent_dirs(tree, placed.chain(&journal.dirs).chain(evicted.clone()));
    dirs.extend(evicted.flat_map(ancestors).map(|dir| tree.at(&dir)));
    dirs.extend([tree.state(INCOMING_DIR), tree.state(staging::DIR)]);
    sync_dirs(tree, &dirs)?;
    Ok(vanished)
}

/// The bit is the file's, not the folder's: it becomes durable with the file.
fn set_mode(tree: &Tree, path: &Path, executable: bool) -> Result<()> {
    tree.disk.set_executable(path, executable)?;
    tree.disk.sync_file(path)
}

/// What was hashed before the commit is known of the files in place.
fn record(tree: &Tree, journal: &Journal, vanished: &[GamePath]) -> Result<()> {
    let mut records = Records::load(tree)?;
    let left: BTreeSet<&GamePath> = journal.out.iter().map(|out| &out.from).chain(vanished).collect();
    records.retain(|path| !left.contains(path));
    for place in journal.place.iter().filter(|place| !vanished.contains(&place.path)) {
        records.insert(place.path.clone(), place.record);
    }
    records.save(tree)
}

/// Whether the manifest with this hash is the installed one.
pub(super) fn stands(tree: &Tree, sha256: Hash32) -> Result<bool> {
    is_manifest(tree, &tree.state(INSTALLED), sha256)
}

fn is_manifest(tree: &Tree, path: &Path, hash: Hash32) -> Result<bool> {
    let bytes = tree.disk.read(path, MANIFEST_BYTES_MAX as u64)?;
    Ok(bytes.is_some_and(|bytes| sha256(&bytes) == hash))
}

/// From here on the new release is the installed one.
fn install_manifest(tree: &Tree, journal: &Journal) -> Result<()> {
    let (next, installed) = (tree.state(NEXT), tree.state(INSTALLED));
    if is_manifest(tree, &next, journal.manifest_sha256)? {
        tree.disk.rename(&next, &installed)?;
        return tree.disk.sync_dir(parent(&installed));
    }
    if is_manifest(tree, &installed, journal.manifest_sha256)? {
        Ok(())
    } else {
        Err(StoreError::broken(&next, "not the manifest of the journal"))
    }
}

fn moved_aside(tree: &Tree, journal: &Journal) -> Result<Vec<(GamePath, GamePath)>> {
    let mut moved = Vec::new();
    for aside in &journal.asides {
        if tree.lstat(&aside.to)?.is_some() {
            moved.push((aside.path.clone(), aside.to.clone()));
        }
    }
    Ok(moved)
}

/// Syncs the folders that (still) stand.
fn sync_dirs(tree: &Tree, dirs: &BTreeSet<PathBuf>) -> Result<()> {
    for dir in dirs {
        if tree.disk.kind(dir)? == Some(Kind::Dir) {
            tree.disk.sync_dir(dir)?;
        }
    }
    Ok(())
}
