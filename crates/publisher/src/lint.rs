//! What a build does that costs its players bytes and need not: found by comparing each changed file with the one of the
//! same path in the release before.
//!
//! A finding names a habit of the build, not a fault of the release: everything is published all the same. It says what
//! players pay for it, once as the changed files' stored bytes (those who fetch blocks) and once as the share of the
//! patch.
//!
//! What is looked at is bounded: a file that is larger than [`FILE_BYTES_MAX`] is judged by its first bytes, and files
//! that were renamed are not compared.

mod archive;
mod media;
mod order;

use std::collections::BTreeMap;

use release::hash::Hash32;
use release::manifest::{Kind, Manifest, ManifestFile};
use release::path::GamePath;
use serde::Serialize;

use crate::content::Store;
use crate::parallel;
use crate::report::Meter;
use crate::share::{Share, Way};
use crate::walk::Build;
use crate::{PublishError, disk};

/// Bytes of one file that are read, of each release.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Bytes that all threads may hold at once.
const MEMORY_BYTES: u64 = 1 << 30;
/// A finding that costs less is not told.
const COST_MIN: u64 = 16 << 10;
/// Paths named by a finding.
const EXAMPLES: usize = 5;
/// A program that differs in fewer bytes, of the same size, differs by a stamp of its linker.
const STAMP_BYTES: usize = 64;
/// Above this share of its size (in 1/64) what is stored of a file was not compressed.
const INCOMPRESSIBLE_64THS: u64 = 62;
/// From this size on a file is a pack rather than a single asset.
const PACK_BYTES: u64 = 1 << 20;

/// A habit that costs players bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Habit {
    /// Pictures or sounds whose content is the same, and whose time, comment or serial number changed.
    RestampedMedia,
    /// Archives whose members are the same, and whose times or order of attributes changed.
    RestampedArchive,
    /// Programs that differ only by what the linker stamps into them: time, build id.
    RestampedProgram,
    /// Packs that hold much of what they held before, in another order.
    PackOrder,
    /// Packs that are compressed inside, so that a small change moves every byte behind it.
    CompressedPack,
}

impl Habit {
    /// What to do about it, in a sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::RestampedMedia => {
                "the same pictures or sounds with new stamps: keep files whose source did not change, or strip time, \
                 comments and serial numbers when exporting"
            }
            Self::RestampedArchive => {
                "the same members with new times: give archives a fixed time (SOURCE_DATE_EPOCH) or keep those whose \
                 members did not change"
            }
            Self::RestampedProgram => {
                "the same programs with a new stamp of the linker: build reproducibly (/Brepro, a build id made from \
                 the content)"
            }
            Self::PackOrder => {
                "packs that were put in another order: sort members by name, or append what is new, so that the rest \
                 keeps its place"
            }
            Self::CompressedPack => {
                "packs that are compressed inside: store their members plain; origin, patches and players compress \
                 them anyway, and better"
            }
        }
    }
}

/// A habit that was found, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which.
    pub code: Habit,
    /// Files that show it.
    pub files: u64,
    /// Some of them, the costliest first.
    pub examples: Vec<GamePath>,
    /// Bytes of those files that a player downloads who fetches what changed as blocks. In a first release: their stored
    /// bytes.
    pub blocks_bytes: u64,
    /// Bytes that they cost a player with the release before who takes its patch.
    pub patch_bytes: Option<u64>,
    /// [`Habit::advice`].
    pub advice: &'static str,
}

/// What is compared.
pub(crate) struct Lint<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) build: &'a Build,
    pub(crate) store: &'a Store,
    pub(crate) sizes: &'a BTreeMap<Hash32, u64>,
}

/// Looks at every file of `shares`, which are those that changed since `old`, or all in a first release. What cannot be
/// read of the old release is not compared.
pub(crate) fn find(
    lint: &Lint<'_>,
    old: Option<&Manifest>,
    shares: &[Share],
    meter: &mut Meter<'_>,
) -> Result<Vec<Finding>, PublishError> {
    let mut habits: Vec<(usize, Habit)> = Vec::new();
    let heaviest = |index: &usize| lint.manifest.files[shares[*index].file].size.min(FILE_BYTES_MAX) * 3;
    let rows: Vec<usize> = (0..shares.len()).collect();
    parallel::within_budget(
        &rows,
        MEMORY_BYTES,
        heaviest,
        |index| Ok((*index, lint.habit(old, shares[*index].file)?)),
        |(index, habit): (usize, Option<Habit>)| {
            habits.extend(habit.map(|habit| (index, habit)));
            meter.advance(lint.manifest.files[shares[index].file].size);
            Ok::<(), PublishError>(())
        },
    )?;
    let mut by_habit: BTreeMap<Habit, Vec<&Share>> = BTreeMap::new();
    for (index, habit) in habits {
        by_habit.entry(habit).or_default().push(&shares[index]);
    }
    let findings = by_habit.into_iter().map(|(habit, shares)| lint.finding(habit, shares));
    Ok(findings.filter(|finding| finding.blocks_bytes >= COST_MIN).collect())
}

impl Lint<'_> {
    fn finding(&self, code: Habit, mut shares: Vec<&Share>) -> Finding {
        shares.sort_by_key(|share| (std::cmp::Reverse(self.stored(share.file)), share.file));
        let by_patch = shares.iter().any(|share| share.way == Way::Patch);
        Finding {
            code,
            files: shares.len() as u64,
            examples: shares
                .iter()
                .take(EXAMPLES)
                .map(|share| self.manifest.files[share.file].path.clone())
                .collect(),
            blocks_bytes: shares.iter().map(|share| self.stored(share.file)).sum(),
            patch_bytes: by_patch.then(|| shares.iter().map(|share| share.bytes).sum()),
            advice: code.advice(),
        }
    }

    /// What the origin holds of a file.
    fn stored(&self, file: usize) -> u64 {
        let file = &self.manifest.files[file];
        file.pieces_root.and_then(|root| self.sizes.get(&root)).copied().unwrap_or(file.size)
    }

    /// What is odd about one file.
    fn habit(&self, old: Option<&Manifest>, index: usize) -> Result<Option<Habit>, PublishError> {
        let file = &self.manifest.files[index];
        if file.kind != Kind::Content || file.size == 0 {
            return Ok(None);
        }
        let new = self.read_new(index, file)?;
        let Some(old) = old else { return Ok(self.compressed(index, &new)) };
        let Some(before) = self.read_old(old, file) else { return Ok(None) };
        if media::is_restamped(&before, &new) {
            return Ok(Some(Habit::RestampedMedia));
        }
        if archive::is_restamped(&before, &new) {
            return Ok(Some(Habit::RestampedArchive));
        }
        if is_program(&new) && before.len() == new.len() && differing(&before, &new) <= STAMP_BYTES {
            return Ok(Some(Habit::RestampedProgram));
        }
        if file.size >= PACK_BYTES {
            let shared = order::Shared::between(&before, &new);
            if shared.is_reordered() {
                return Ok(Some(Habit::PackOrder));
            }
            if shared.is_little() {
                return Ok(self.compressed(index, &new));
            }
        }
        Ok(None)
    }

    fn compressed(&self, index: usize, new: &[u8]) -> Option<Habit> {
        let size = self.manifest.files[index].size;
        let is_dense = self.stored(index).saturating_mul(64) >= size.saturating_mul(INCOMPRESSIBLE_64THS);
        let is_pack = size >= PACK_BYTES && !media::is_media(new);
        (is_pack && is_dense && archive::is_compressed(new)).then_some(Habit::CompressedPack)
    }

    fn read_new(&self, index: usize, file: &ManifestFile) -> Result<Vec<u8>, PublishError> {
        let path = &self.build.files[index].on_disk;
        let mut bytes = vec![0; file.size.min(FILE_BYTES_MAX) as usize];
        if disk::read_exact_at(path, 0, &mut bytes)? {
            return Ok(bytes);
        }
        Err(PublishError::Changed { path: path.clone() })
    }

    /// The file of the same path; nothing if there is none, or its content is not whole any more, which the patch from
    /// that release says already.
    fn read_old(&self, old: &Manifest, file: &ManifestFile) -> Option<Vec<u8>> {
        let before = old.file(&file.path).filter(|before| before.kind == Kind::Content)?;
        let stored = self.store.open(&before.pieces_root?, before.size).ok()?;
        let mut bytes = Vec::new();
        stored.read(0, before.size.min(FILE_BYTES_MAX), &mut bytes).ok()?;
        Some(bytes)
    }
}

fn is_program(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"MZ")
}

/// Bytes that are not the same, counted until there are too many.
fn differing(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).filter(|(a, b)| a != b).take(STAMP_BYTES + 1).count()
}
