//! Before a download: what of the wanted release stands here already, and what must come.
//!
//! Files without a valid record are hashed; the plan keeps, renames and copies what fits; of files
//! that fit in part, the good pieces are copied into staging, so only bad ranges are fetched.
//! Nothing outside `.muster` changes.

use crate::{
    apply::reach,
    assign::{self, Action},
    disk::read_full,
    error::{At, Result},
    folder::GameFolder,
    fs::{Kind as Stands, Meta},
    hashing::{Job, Meter, Shape, hash_pieces},
    records::Record,
    space,
    staging::{Have, Staging},
    tree::Glance,
};
use release::{
    hash::Hash32,
    layout::PieceLayers,
    manifest::{Kind, Manifest, ManifestFile},
    path::GamePath,
    plan::{Plan, Present, Source, plan},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes copied into staging between two flushes.
const FLUSH_BYTES: u64 = 16 * 1024 * 1024;

/// From this size on a file of which some pieces are right is cloned rather than copied, where the volume can.
const CLONE_BYTES: u64 = 1024 * 1024;

/// The way to a wanted release from what stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What each file of the wanted release needs, in its order.
    pub actions: Vec<Action>,
    /// Bytes that must still come over the network.
    pub fetch_bytes: u64,
    /// Bytes that must still be written, with reserve; they were free when this was made.
    pub need_bytes: u64,
}

/// Finds out what must be fetched for `wanted`, and stages what local files hold of it.
///
/// # Errors
/// [`crate::StoreError::NoSpace`], [`crate::StoreError::OtherVolume`] and [`crate::StoreError::NoPermission`] before
/// anything is staged; [`crate::StoreError::Cancelled`]; as
/// the disk says. Calling it again goes on where it ended.
pub fn prepare(
    folder: &mut GameFolder,
    wanted: &Manifest,
    layers: &PieceLayers,
    staging: &Staging,
    job: &Job<'_>,
) -> Result<Prepared> {
    hash_unknown(folder, wanted, job)?;
    let (plan, actions) = survey(folder, wanted)?;
    reach::check(folder.tree(), comes(wanted, &actions))?;
    let need_bytes = space::need_bytes(wanted, &actions, &staging.have());
    space::check(folder, need_bytes)?;
    space::check_files(folder.dir(), space::file_bytes_max(folder)?, wanted)?;
    salvage(folder, wanted, &plan, layers, staging, job)?;
    let need_bytes = space::need_bytes(wanted, &actions, &staging.have());
    let fetch_bytes = missing_bytes(wanted, &plan, &staging.have());
    Ok(Prepared { plan, actions, fetch_bytes, need_bytes })
}

/// Files that will be put in place.
fn comes<'a>(wanted: &'a Manifest, actions: &'a [Action]) -> impl Iterator<Item = &'a GamePath> {
    let stays = |action: &Action| matches!(action, Action::Keep { .. } | Action::Leave);
    wanted.files.iter().zip(actions).filter(move |(_, action)| !stays(action)).map(|(file, _)| &file.path)
}

/// What an update would take, from what is known without hashing or changing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The plan; what is not known to be right counts as missing.
    pub plan: Plan,
    /// What is staged already.
    pub staged: Have,
    /// Bytes that must still be written, with reserve.
    pub need_bytes: u64,
}

/// Looks at what stands here of `wanted`, for people who want to know before it begins.
///
/// # Errors
/// As the disk says.
pub fn outlook(folder: &GameFolder, wanted: &Manifest) -> Result<Outlook> {
    let (plan, actions) = survey(folder, wanted)?;
    let staged = Have::staged(folder)?;
    let need_bytes = space::need_bytes(wanted, &actions, &staged);
    Ok(Outlook { plan, staged, need_bytes })
}

/// The plan and its actions from valid records alone, without hashing.
pub(crate) fn survey(folder: &GameFolder, wanted: &Manifest) -> Result<(Plan, Vec<Action>)> {
    let (mut present, mut glance) = (Vec::new(), Glance::over(folder.tree()));
    for (path, record) in folder.records().iter() {
        let Some(meta) = glance.file(path)?.filter(|meta| meta.stamp == record.stamp) else {
            continue;
        };
        // Where files have no such bit, it is as it should be.
        let executable =
            meta.executable.unwrap_or_else(|| wanted.file(path).is_some_and(|file| file.executable));
        present.push(Present { path: path.clone(), pieces_root: record.pieces_root, executable });
    }
    let mut user_paths = BTreeSet::new();
    for file in wanted.files.iter().filter(|file| file.kind == Kind::User) {
        // A folder in its place is not the player's version of it.
        if folder.tree().lstat(&file.path)?.is_some_and(|meta| meta.kind != Stands::Dir) {
            user_paths.insert(file.path.clone());
        }
    }
    let plan = plan(folder.installed(), &present, &user_paths, wanted);
    let mut actions = assign::actions(folder.installed(), wanted, &plan);
    for (file, action) in wanted.files.iter().zip(&mut actions) {
        unshare(file, action, &mut glance)?;
    }
    Ok((plan, actions))
}

/// A file that has another name, outside the game perhaps, gets its new executable bit as a copy: the bit would be changed
/// there too.
fn unshare(file: &ManifestFile, action: &mut Action, glance: &mut Glance<'_>) -> Result<()> {
    let from = match action {
        Action::Keep { set_mode: true } => &file.path,
        Action::Move { from } => from,
        _ => return Ok(()),
    };
    let stands = glance.file(from)?;
    if stands.is_some_and(|meta| meta.is_shared && meta.executable.is_some_and(|bit| bit != file.executable))
    {
        *action = Action::Copy { from: from.clone() };
    }
    Ok(())
}

/// Bytes that must still come for `plan`, each content once, when this is staged.
#[must_use]
pub fn missing_bytes(wanted: &Manifest, plan: &Plan, staged: &Have) -> u64 {
    let sizes: BTreeMap<Hash32, u64> = fetched(wanted, plan).map(|(file, root)| (root, file.size)).collect();
    sizes.iter().map(|(root, size)| size.saturating_sub(staged.bytes_of(root))).sum()
}

fn fetched<'a>(wanted: &'a Manifest, plan: &'a Plan) -> impl Iterator<Item = (&'a ManifestFile, Hash32)> {
    let root = |(file, source): (&'a ManifestFile, &Source)| match source {
        Source::Fetch { root } => Some((file, *root)),
        _ => None,
    };
    wanted.files.iter().zip(&plan.files).filter_map(root)
}

/// Hashes files that could be content of the old or the wanted release and have no valid record.
fn hash_unknown(folder: &mut GameFolder, wanted: &Manifest, job: &Job<'_>) -> Result<()> {
    let unknown = unknown(folder, wanted)?;
    let bytes = unknown.iter().map(|(_, meta, _)| meta.stamp.size).sum();
    let meter = Meter::new(job, bytes, unknown.len() as u64);
    let tree = folder.tree().clone();
    let hashed = meter.each(&unknown, |(path, meta, piece_length)| {
        let at = tree.at(path);
        let file = tree.disk.open(&at)?;
        let shape = Shape { size: meta.stamp.size, piece_length: *piece_length };
        let pieces = hash_pieces(&*file, &at, shape, &meter)?;
        let whole: Option<Vec<Hash32>> = pieces.into_iter().collect();
        let unchanged = file.meta().at(&at)?.stamp == meta.stamp;
        Ok(whole.filter(|_| unchanged).map(|pieces| shape.pieces_root(&pieces)))
    })?;
    folder.update_records(|records| {
        for ((path, meta, _), root) in unknown.into_iter().zip(hashed) {
            if let Some(pieces_root) = root {
                records.insert(path, Record { pieces_root, stamp: meta.stamp });
            }
        }
    })
}

type Unknown = (GamePath, Meta, u32);

fn unknown(folder: &GameFolder, wanted: &Manifest) -> Result<Vec<Unknown>> {
    let mut sizes: BTreeMap<&GamePath, (u32, Vec<u64>)> = BTreeMap::new();
    for manifest in folder.installed().into_iter().chain([wanted]) {
        for file in manifest.files.iter().filter(|file| file.kind == Kind::Content) {
            sizes.entry(&file.path).or_insert((manifest.piece_length, Vec::new())).1.push(file.size);
        }
    }
    let (mut unknown, mut glance) = (Vec::new(), Glance::over(folder.tree()));
    for (path, (piece_length, sizes)) in sizes {
        let Some(meta) = glance.file(path)? else { continue };
        if sizes.contains(&meta.stamp.size) && folder.records().valid(path, &meta).is_none() {
            unknown.push((path.clone(), meta, piece_length));
        }
    }
    Ok(unknown)
}

/// Copies pieces of wanted files out of what stands at the same paths.
fn salvage(
    folder: &GameFolder,
    wanted: &Manifest,
    plan: &Plan,
    layers: &PieceLayers,
    staging: &Staging,
    job: &Job<'_>,
) -> Result<()> {
    let (mut seen, mut glance) = (BTreeSet::new(), Glance::over(folder.tree()));
    let mut work = Vec::new();
    for (file, root) in fetched(wanted, plan) {
        let worth = file.kind == Kind::Content && !staging.is_complete(&root);
        let Some(layer) = layers.layer(&root).filter(|_| worth) else { continue };
        let Some(meta) = glance.file(&file.path)? else { continue };
        if seen.insert(root) {
            work.push((file, root, layer, meta.stamp.size));
        }
    }
    let meter = Meter::new(job, work.iter().map(|(file, ..)| file.size).sum(), work.len() as u64);
    let unflushed = AtomicU64::new(0);
    meter.each(&work, |(file, root, layer, available)| {
        let shape = Shape { size: file.size, piece_length: wanted.piece_length };
        let at = folder.tree().at(&file.path);
        // A clone holds what the file holds; read from it, what was hashed is what is staged.
        let clone = if file.size >= CLONE_BYTES { staging.begin_as_clone(root, &at)? } else { None };
        let cloned = clone.is_some();
        let source = clone.map_or_else(|| folder.tree().disk.open(&at), Ok)?;
        let mut buffer = Vec::new();
        for ((offset, length), expected) in shape.pieces().zip(*layer) {
            meter.bytes(u64::from(length))?;
            let end = offset + u64::from(length);
            if end > *available || staging.has(root, offset, u64::from(length)) {
                continue;
            }
            buffer.resize(length as usize, 0);
            let read = read_full(&*source, &mut buffer, offset).at(&at)?;
            if read < buffer.len() || shape.piece_hash(&buffer) != *expected {
                continue;
            }
            if !cloned {
                staging.write_at(root, offset, &buffer)?;
            }
            staging.verified(root, offset, u64::from(length));
            if unflushed.fetch_add(u64::from(length), Ordering::Relaxed) >= FLUSH_BYTES {
                unflushed.store(0, Ordering::Relaxed);
                staging.flush()?;
            }
        }
        Ok(())
    })?;
    staging.flush()
}
