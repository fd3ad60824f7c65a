//! Before the point of no return: every new byte checked and synced, every step written down.

use super::folders_of;
use crate::{
    assign::Action,
    disk::{CHUNK, read_full},
    error::{At, Result, StoreError},
    folder::GameFolder,
    fs::{File, Kind as Stands},
    hashing::{Job, Meter, Shape, hash_pieces},
    journal::{self, Aside, INCOMING_DIR, Journal, Mode, OLD_DIR, Out, Place, Slot},
    records::Record,
    staging::Staging,
    tree::{Glance, Tree, ancestors},
};
use release::{
    hash::Hash32,
    layout::PieceLayers,
    manifest::{Kind, Manifest, ManifestFile},
    path::GamePath,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Makes room for copies and old files, empty.
pub(super) fn clear(tree: &Tree) -> Result<()> {
    journal::sweep(tree)?;
    tree.disk.ensure_dir(&tree.state(INCOMING_DIR))?;
    tree.disk.ensure_dir(&tree.state(OLD_DIR))?;
    tree.disk.sync_dir(&tree.state(""))
}

/// One file that will be put in place.
type Work<'a> = (u32, &'a ManifestFile, &'a Action);

/// Reads back, copies and syncs everything that will be put in place.
pub(super) fn places(
    folder: &GameFolder,
    staging: &Staging,
    wanted: &Manifest,
    actions: &[Action],
    layers: &PieceLayers,
    job: &Job<'_>,
) -> Result<Vec<Place>> {
    // No number overflows: a release has at most 200,000 files.
    let work = (0_u32..).zip(&wanted.files).zip(actions).map(|((index, file), action)| (index, file, action));
    let work = work.filter(|(_, _, action)| !matches!(action, Action::Keep { .. } | Action::Leave));
    // Copies before the contents they are made of: reading those back comes last.
    let (whole, copies): (Vec<Work<'_>>, Vec<Work<'_>>) =
        work.partition(|(_, _, action)| matches!(action, Action::Place { .. } | Action::Move { .. }));
    // A copy is read twice: what is copied, and what became of it.
    let bytes = whole.iter().chain(&copies).chain(&copies).map(|(_, file, _)| file.size).sum();
    let meter = Meter::new(job, bytes, (whole.len() + copies.len()) as u64);
    staging.flush()?;
    let context = Context { folder, staging, wanted, layers, meter: &meter };
    let mut made = meter.each(&copies, |work| context.make(work))?;
    made.extend(meter.each(&whole, |work| context.make(work))?);
    let tree = folder.tree();
    tree.disk.sync_dir(&tree.state(INCOMING_DIR))?;
    tree.disk.sync_dir(&tree.state(crate::staging::DIR))?;
    let (mut places, mut files) = (Vec::new(), Vec::new());
    for made in made {
        match made {
            Made::Place(place) => places.push(place),
            Made::Bad(path) => files.push(path),
            Made::Nothing => {}
        }
    }
    if files.is_empty() {
        return Ok(places);
    }
    staging.flush()?;
    Err(StoreError::ContentBad { files })
}

/// What became of a file's new bytes.
enum Made {
    /// They wait, checked and synced, to be put in place.
    Place(Place),
    /// They are not what they should be.
    Bad(GamePath),
    /// The file stays as it is.
    Nothing,
}

struct Context<'a> {
    folder: &'a GameFolder,
    staging: &'a Staging,
    wanted: &'a Manifest,
    layers: &'a PieceLayers,
    meter: &'a Meter<'a>,
}

impl Context<'_> {
    /// Checks what will be renamed as it is; copies what stays where it is.
    fn make(&self, (index, file, action): &Work<'_>) -> Result<Made> {
        let tree = self.folder.tree();
        let incoming = Slot::Incoming(*index);
        let target = incoming.path(tree);
        let (slot, good) = match action {
            Action::Keep { .. } | Action::Leave => return Ok(Made::Nothing),
            Action::Move { from } => return self.moved(incoming, file, from),
            Action::Place { root } => (Slot::Staging(*root), self.staged_is_good(root, file)?),
            // The content itself is read back too, and that says which pieces are bad.
            Action::PlaceCopy { root } => (incoming, self.copy(&self.staging.path(root), &target, file)?),
            Action::Copy { from } if self.copy(&tree.at(from), &target, file)? => (incoming, true),
            Action::Copy { from } => return Err(StoreError::Changed { path: from.clone() }),
            Action::Empty => {
                tree.disk.write_synced(&target, &[])?;
                (incoming, true)
            }
        };
        if !good {
            return Ok(Made::Bad(file.path.clone()));
        }
        let path = slot.path(tree);
        self.set_mode(&path, file.executable)?;
        self.place(slot, file, &path).map(Made::Place)
    }

    /// Its record was valid a moment ago, and the rename itself changes no byte.
    fn moved(&self, slot: Slot, file: &ManifestFile, from: &GamePath) -> Result<Made> {
        self.meter.bytes(file.size)?;
        let record = self.folder.records().get(from).copied();
        let record = record.ok_or_else(|| StoreError::Changed { path: from.clone() })?;
        Ok(Made::Place(Place {
            from: slot,
            path: file.path.clone(),
            executable: file.executable,
            record,
            replaces: None,
        }))
    }

    /// Whether the copy, synced, is what the file should be.
    fn copy(&self, from: &Path, to: &Path, file: &ManifestFile) -> Result<bool> {
        let disk = &self.folder.tree().disk;
        let (source, target) = (disk.open(from)?, disk.open_write(to)?);
        let mut chunk = vec![0; CHUNK];
        let mut offset = 0;
        while offset < file.size {
            let want = (file.size - offset).min(CHUNK as u64) as usize;
            let read = read_full(&*source, &mut chunk[..want], offset).at(from)?;
            if read < want {
                return Ok(false);
            }
            target.write_at(&chunk[..want], offset).at(to)?;
            self.meter.bytes(want as u64)?;
            offset += want as u64;
        }
        target.sync().at(to)?;
        // Of the copy, not of what was copied: the disk may have written something else.
        Ok(self.pieces(&*target, to, file)?.is_some_and(|pieces| pieces == file.pieces_root))
    }

    /// Pieces root of an open file as the disk gives it back, where it is as long as it should be.
    fn pieces(&self, open: &dyn File, path: &Path, file: &ManifestFile) -> Result<Option<Option<Hash32>>> {
        let shape = Shape { size: file.size, piece_length: self.wanted.piece_length };
        let pieces = hash_pieces(open, path, shape, self.meter)?;
        let whole: Option<Vec<Hash32>> = pieces.into_iter().collect();
        let exact = open.meta().at(path)?.stamp.size == file.size;
        Ok(whole.filter(|_| exact).map(|pieces| shape.pieces_root(&pieces)))
    }

    /// Hashes a staged content as the disk gives it back; what is bad is lost.
    fn staged_is_good(&self, root: &Hash32, file: &ManifestFile) -> Result<bool> {
        let path = &self.staging.path(root);
        let handle = self.folder.tree().disk.open(path)?;
        let shape = Shape { size: file.size, piece_length: self.wanted.piece_length };
        let pieces = hash_pieces(&*handle, path, shape, self.meter)?;
        let whole: Option<Vec<Hash32>> = pieces.iter().copied().collect();
        let exact = handle.meta().at(path)?.stamp.size == file.size;
        if exact && whole.is_some_and(|pieces| shape.pieces_root(&pieces) == file.pieces_root) {
            return Ok(true);
        }
        let layer = self.layers.layer(root);
        for (at, (offset, length)) in shape.pieces().enumerate() {
            let expected = layer.and_then(|layer| layer.get(at));
            // Without a layer nobody can tell which piece is bad, so all are.
            if expected.is_none() || pieces[at].as_ref() != expected {
                self.staging.lost(root, offset, u64::from(length));
            }
        }
        if !exact {
            let staged = self.folder.tree().disk.open_write(path)?;
            staged.set_len(file.size).at(path)?;
            // No flush will know of it.
            staged.sync().at(path)?;
        }
        Ok(false)
    }

    /// Where the bit must change, it is synced with the file.
    fn set_mode(&self, path: &Path, executable: bool) -> Result<()> {
        let disk = &self.folder.tree().disk;
        let now = disk.lstat(path)?.and_then(|meta| meta.executable);
        if now.is_none_or(|bit| bit == executable) {
            return Ok(());
        }
        disk.set_executable(path, executable)?;
        disk.open_write(path)?.sync().at(path)
    }

    fn place(&self, from: Slot, file: &ManifestFile, path: &Path) -> Result<Place> {
        let meta = self.folder.tree().disk.lstat(path)?;
        let stamp = meta.map(|meta| meta.stamp).filter(|stamp| stamp.size == file.size);
        let stamp = stamp.ok_or_else(|| StoreError::broken(path, "changed while it was checked"))?;
        let record = Record { pieces_root: file.pieces_root, stamp };
        Ok(Place { from, path: file.path.clone(), executable: file.executable, record, replaces: None })
    }
}

/// Every step from what stands to `wanted`.
pub(super) fn journal(
    folder: &GameFolder,
    wanted: &Manifest,
    actions: &[Action],
    place: Vec<Place>,
    manifest_sha256: Hash32,
    now: SystemTime,
) -> Result<Journal> {
    let mut journal = Journal::new(wanted.version.clone(), manifest_sha256);
    journal.place = place;
    journal.out = outs(folder, wanted, actions)?;
    let dirs = folders_of(wanted);
    if let Some(old) = folder.installed() {
        journal.prune = folders_of(old).into_iter().rev().filter(|dir| !dirs.contains(dir)).collect();
    }
    journal.aside_dir = dated_folder(folder.tree(), now)?;
    journal.asides = asides(folder, &mut journal, &dirs)?;
    journal.dirs = dirs.into_iter().collect();
    for (file, action) in wanted.files.iter().zip(actions) {
        if matches!(action, Action::Keep { set_mode: true }) {
            journal.modes.push(Mode { path: file.path.clone(), executable: file.executable });
        }
    }
    Ok(journal)
}

/// Old content files that leave their place: moved, or not in the new release.
fn outs(folder: &GameFolder, wanted: &Manifest, actions: &[Action]) -> Result<Vec<Out>> {
    let mut outs = Vec::new();
    let mut leaving = BTreeSet::new();
    for ((index, _), action) in (0_u32..).zip(&wanted.files).zip(actions) {
        if let Action::Move { from } = action {
            leaving.insert(from);
            outs.push(Out { from: from.clone(), to: Slot::Incoming(index) });
        }
    }
    let gone = (folder.installed().into_iter().flat_map(|old| &old.files))
        .filter(|file| file.kind == Kind::Content && wanted.file(&file.path).is_none());
    for (number, file) in (0_u32..).zip(gone) {
        // A link or a folder in its place is not ours to delete.
        if !leaving.contains(&file.path) && folder.tree().file(&file.path)?.is_some() {
            outs.push(Out { from: file.path.clone(), to: Slot::Old(number) });
        }
    }
    Ok(outs)
}

/// What is not ours and stands where a new file or folder must.
fn asides(folder: &GameFolder, journal: &mut Journal, dirs: &BTreeSet<GamePath>) -> Result<Vec<Aside>> {
    let (tree, mut glance) = (folder.tree(), Glance::over(folder.tree()));
    let out: BTreeSet<&GamePath> = journal.out.iter().map(|out| &out.from).collect();
    // What stands where a file of ours is still to come is not ours.
    let old: BTreeMap<&GamePath, Kind> = folder
        .installed()
        .into_iter()
        .flat_map(|old| &old.files)
        .filter(|file| !folder.awaits(file))
        .map(|file| (&file.path, file.kind))
        .collect();
    let mut foreign = Vec::new();
    for dir in dirs {
        let stands = glance.lstat(dir)?.map(|meta| meta.kind);
        if stands.is_some_and(|kind| kind != Stands::Dir) && !out.contains(dir) {
            foreign.push(dir.clone());
        }
    }
    for place in &mut journal.place {
        let leaves = out.contains(&place.path);
        let ours = leaves || old.get(&place.path) == Some(&Kind::Content);
        // A folder there may turn out empty once ours is out of it; then nothing is moved.
        let stands = glance.lstat(&place.path)?.map(|meta| meta.kind);
        place.replaces = Some(stands == Some(Stands::File) && ours && !leaves);
        if stands.is_some_and(|kind| kind != Stands::File || !ours) {
            foreign.push(place.path.clone());
        }
    }
    let dated = &journal.aside_dir;
    let to = |number: usize, path: &GamePath| {
        let nested = GamePath::parse_moved(&format!("{dated}/{path}"));
        // Too deep or too long below the dated folder: flat then.
        nested
            .or_else(|_| GamePath::parse_moved(&format!("{dated}/{number}")))
            .map_err(|error| StoreError::broken(&tree.at(path), error))
    };
    foreign.into_iter().enumerate().map(|(number, path)| Ok(Aside { to: to(number, &path)?, path })).collect()
}

/// A name that nothing bears yet.
fn dated_folder(tree: &Tree, now: SystemTime) -> Result<String> {
    let date = date(now);
    for number in 1_u32.. {
        let name = if number == 1 {
            format!("muster-moved-{date}")
        } else {
            format!("muster-moved-{date}-{number}")
        };
        if tree.disk.kind(&tree.dir().join(&name))?.is_none() {
            return Ok(name);
        }
    }
    Err(StoreError::broken(&PathBuf::from(tree.dir()), "no free name for what stands in the way"))
}

/// Year, month and day (UTC).
fn date(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Days to civil date, with years that begin in March so that leap days come last.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Folders that hold a path, and the game folder.
pub(super) fn parent_dirs<'a>(tree: &Tree, paths: impl Iterator<Item = &'a GamePath>) -> BTreeSet<PathBuf> {
    let mut dirs = BTreeSet::from([tree.dir().to_owned()]);
    for path in paths {
        dirs.extend(ancestors(path).last().map(|dir| tree.at(dir)));
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        for (days, text) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_780, "2026-11-23")]
        {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(days * 86_400 + 86_399)), text);
        }
    }
}
