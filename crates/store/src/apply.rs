//! The one place where a live game changes.
//!
//! Order of writes: staged contents are complete → read back and hashed → synced → copies made and
//! synced → journal written and synced, *the point of no return* → old files out → new files in →
//! folders synced → installed manifest replaced → journal dropped. Before the point of no return
//! the old game is untouched; after it [`recover`] runs the same code ([`run`]) until the new one
//! stands. Nothing that is not ours is deleted: what stands in the way of a new file is moved to a
//! dated folder and reported.

mod aside;
mod build;
pub(crate) mod reach;
mod run;

use crate::{
    assign::Action,
    error::{Result, StoreError},
    folder::GameFolder,
    hashing::Job,
    journal::{self, Journal},
    partial::{Part, Partial},
    prepare::survey,
    staging::Staging,
    tree::{Tree, ancestors},
};
use release::{layout::PieceLayers, manifest::Manifest, path::GamePath};
use std::{collections::BTreeSet, time::SystemTime};

/// The next installed manifest, until it is that.
const NEXT: &str = "next.manifest";

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The release that stands now.
    pub version: release::id::Version,
    /// Files put in place.
    pub placed: usize,
    /// Old files taken away, moved ones included.
    pub removed: usize,
    /// What was not ours and stood in the way, and where it is now, in the game folder.
    pub moved_aside: Vec<(GamePath, GamePath)>,
    /// Files that somebody took away while we worked; a repair brings them back.
    pub vanished: Vec<GamePath>,
}

/// Makes `wanted` the release that stands in `folder`. Every content it needs must be staged or
/// stand here ([`crate::prepare::prepare`] says what is missing). `layers` tell which pieces of a
/// staged file that reads back wrong are bad. `now` names the dated folder, should one be needed.
///
/// # Errors
/// Before the commit, with the old game untouched: [`StoreError::Incomplete`];
/// [`StoreError::ContentBad`], the bad pieces marked as lost in `staging`;
/// [`StoreError::Changed`], when a local file that was to be copied is not what it was: prepare
/// again; [`StoreError::Cancelled`]; as the disk says. After the commit only as the disk says: then
/// `staging` is used up, and [`GameFolder::recover`], or opening the folder again, goes on.
pub fn apply(
    folder: &mut GameFolder,
    staging: &Staging,
    wanted: &Manifest,
    layers: &PieceLayers,
    now: SystemTime,
    job: &Job<'_>,
) -> Result<Applied> {
    bring(folder, staging, wanted, layers, None, (now, job))
}

/// As [`apply`], of a part of `wanted`, so that the game can begin before the rest is there: into a folder where nothing or a
/// part of the same release stands. What is staged of the rest stays, and so does `staging`: it reads what it gave away from
/// where it is now.
///
/// # Errors
/// As [`apply`]; [`StoreError::Incomplete`] also where another release stands.
pub fn apply_part(
    folder: &mut GameFolder,
    staging: &Staging,
    wanted: &Manifest,
    layers: &PieceLayers,
    part: &Part,
    now: SystemTime,
    job: &Job<'_>,
) -> Result<Applied> {
    bring(folder, staging, wanted, layers, Some(part), (now, job))
}

fn bring(
    folder: &mut GameFolder,
    staging: &Staging,
    wanted: &Manifest,
    layers: &PieceLayers,
    part: Option<&Part>,
    (now, job): (SystemTime, &Job<'_>),
) -> Result<Applied> {
    folder.recover()?;
    part.map_or(Ok(()), |part| part.check(folder, wanted))?;
    let (_, mut actions) = survey(folder, wanted)?;
    if let Some(part) = part {
        let left_out = actions.iter_mut().zip(&wanted.files).enumerate();
        left_out.filter(|(index, (_, file))| !part.has(*index, file)).for_each(|(_, (action, _))| {
            *action = Action::Leave;
        });
    }
    check_complete(wanted, &actions, staging)?;
    build::clear(folder.tree())?;
    let places = match build::places(folder, staging, wanted, &actions, layers, job) {
        Err(StoreError::Changed { path }) => {
            // Its bytes are not what its record says, so the next plan must not believe it.
            folder.update_records(|records| records.remove(&path))?;
            return Err(StoreError::Changed { path });
        }
        places => places?,
    };
    let bytes = wanted.encode();
    let manifest_sha256 = release::hash::sha256(&bytes);
    let mut journal = build::journal(folder, wanted, &actions, places, manifest_sha256, now)?;
    journal.partial = part.map(|part| Partial::new(part.complete));
    reach::check_journal(folder.tree(), &journal)?;
    if !run::stands(folder.tree(), manifest_sha256)? {
        folder.tree().disk.write_atomic(&folder.tree().state(NEXT), &bytes)?;
    }
    let id = journal.commit(folder.tree())?;
    match part {
        None => staging.retire(),
        Some(_) => staging.give_away(folder.tree(), &journal.place, wanted)?,
    }
    let applied = run::run(folder.tree(), &journal, id)?;
    folder.reload()?;
    Ok(applied)
}

/// Finishes an apply that was cut short after its commit, or sweeps away what one cut short before
/// it left. `None` where no journal stands.
pub(crate) fn recover(tree: &Tree) -> Result<Option<Applied>> {
    if let Some((journal, id)) = Journal::load(tree)? {
        tracing::info!(version = %journal.version, "finishing an apply that was cut short");
        return run::run(tree, &journal, id).map(Some);
    }
    journal::sweep(tree)?;
    tree.disk.remove_file(&tree.state(NEXT))?;
    Ok(None)
}

fn check_complete(wanted: &Manifest, actions: &[Action], staging: &Staging) -> Result<()> {
    let missing = |action: &Action| match action {
        Action::Place { root } | Action::PlaceCopy { root } => !staging.is_complete(root),
        _ => false,
    };
    let files: Vec<GamePath> = (wanted.files.iter().zip(actions))
        .filter(|(_, action)| missing(action))
        .map(|(file, _)| file.path.clone())
        .collect();
    if files.is_empty() { Ok(()) } else { Err(StoreError::Incomplete { files }) }
}

/// Every folder that a release has, outermost first.
pub(crate) fn folders_of(manifest: &Manifest) -> BTreeSet<GamePath> {
    let of_files = manifest.files.iter().flat_map(|file| ancestors(&file.path));
    let empty = manifest.empty_dirs.iter().flat_map(|dir| ancestors(dir).into_iter().chain([dir.clone()]));
    of_files.chain(empty).collect()
}
