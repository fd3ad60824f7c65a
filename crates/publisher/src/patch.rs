//! Builds a patch between two published releases.
//!
//! The old release's bytes come out of the content folder, the new ones out of the build. Work is cut into jobs, one a
//! segment: small files in solid groups, large ones alone, very large ones in windows. Where very large files have new
//! content in common, a later one is made of what an earlier one became: those are jobs of a later round. Jobs of a round
//! run on all cores within a bound of memory; what each yields is applied once before it counts, so that nothing is published that does not work.
//!
//! A patch holds only what saves something: a segment that is as large as the stored content of its files is left out,
//! and those files are fetched as blocks, which all players share.
//!
//! [`offers`] says which patches are made, and which are kept.

mod choice;
mod images;
mod job;
pub(crate) mod offers;
mod origins;
mod plan;
mod sketch;
mod spool;
mod window;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use release::channel::PatchOffer;
use release::hash::Hash32;
use release::layout::PieceLayers;
use release::manifest::Manifest;
use release::patch::{self, Patch, Payload};

use crate::PublishError;
use crate::content::Store;
use crate::disk::Scratch;
use crate::hashing::Hashes;
use crate::parallel::{self, Stopwatch};
use crate::report::{Meter, Phase};
use crate::walk::Build;

use images::Images;
use job::Made;
use spool::Spool;

/// Memory that jobs under way may take in all, in bytes, unless the largest file asks for more.
const MEMORY_BYTES: u64 = 2_000_000_000;
/// Memory for each byte of the largest file.
const MEMORY_PER_BYTE: u64 = 12;

/// The new release, and what is known of its parts.
pub(crate) struct Target<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) build: &'a Build,
    pub(crate) hashes: &'a [Hashes],
    /// Bytes that the origin holds for each root.
    pub(crate) sizes: &'a BTreeMap<Hash32, u64>,
    pub(crate) store: &'a Store,
}

/// A finished patch.
pub(crate) struct Finished {
    pub(crate) description: Vec<u8>,
    pub(crate) payload: Payload,
    /// The payload's bytes; none in a dry run.
    pub(crate) bytes: Option<Scratch>,
    pub(crate) offer: PatchOffer,
}

/// What trying to make a patch gave.
pub(crate) struct Attempt {
    /// Nothing if no segment is worth its bytes.
    pub(crate) patch: Option<Finished>,
    pub(crate) cpu_seconds: f64,
}

/// Makes the patch from `old`, whose signed bytes are `old_bytes`, to the new release.
///
/// # Errors
/// [`PublishError::Content`] if the old release's content is not whole; [`PublishError::Changed`] if a file of the build
/// changed.
pub(crate) fn make(
    old: &Manifest,
    old_bytes: &[u8],
    new: &Target<'_>,
    dry_run: bool,
    meter: &mut Meter<'_>,
) -> Result<Attempt, PublishError> {
    let started = Stopwatch::start();
    let images = Images::new(old, new);
    let changed = origins::find(old, new, &images)?;
    let rounds = plan::rounds(&changed, &images)?;
    let planned = started.spent();

    meter.start(Phase::Patching, rounds.iter().flatten().map(job::Job::new_bytes).sum());
    let scratch = format!("patch-from-{}", old.version);
    let mut spool = Spool::new((!dry_run).then(|| new.store.scratch(&scratch)).transpose()?);
    let busy_micros = AtomicU64::new(0);
    let largest = new.manifest.files.iter().map(|file| file.size).max().unwrap_or(0);
    let budget = MEMORY_BYTES.max(largest.saturating_mul(MEMORY_PER_BYTE));
    let work = |job: &job::Job| {
        let begun = Stopwatch::start();
        let made = job.make(&images);
        busy_micros.fetch_add(begun.spent().as_micros() as u64, Ordering::Relaxed);
        made.map(|made| (made, job.new_bytes()))
    };
    for mut jobs in rounds {
        // What turned out not to be worth it comes as blocks: nothing can be made of it before.
        for job in &mut jobs {
            job.made = job.made.iter().flat_map(|span| spool.made_of(span)).collect();
        }
        let each = |(made, bytes): (Vec<Made>, u64)| {
            meter.advance(bytes);
            made.into_iter().filter(|made| is_worth(made, new)).try_for_each(|made| spool.push(made))
        };
        parallel::within_budget(&jobs, budget, job::Job::memory, work, each)?;
    }
    let spent = planned + Duration::from_micros(busy_micros.into_inner());
    let cpu_seconds = spent.as_secs_f64();
    spool.fill(&images)?;
    let patch = finish(spool, old, old_bytes, new)?;
    Ok(Attempt { patch, cpu_seconds })
}

/// A segment is kept if it saves at least this share of the stored content of its targets (in 1/64).
const SAVING_64THS: u64 = 1;

fn is_worth(made: &Made, new: &Target<'_>) -> bool {
    let stored: u64 = made.targets.iter().map(|span| stored_share(span, new)).sum();
    (made.payload.len() as u64).saturating_mul(64) <= stored.saturating_mul(64 - SAVING_64THS)
}

/// What the origin holds for a stretch of a file.
fn stored_share(span: &patch::Span, new: &Target<'_>) -> u64 {
    let file = &new.manifest.files[span.file as usize];
    let stored = file.pieces_root.and_then(|root| new.sizes.get(&root)).copied().unwrap_or(file.size);
    let share = u128::from(stored) * u128::from(span.length) / u128::from(file.size.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn finish(
    spool: Spool,
    old: &Manifest,
    old_bytes: &[u8],
    new: &Target<'_>,
) -> Result<Option<Finished>, PublishError> {
    let Some((segments, payload, bytes)) = spool.finish() else { return Ok(None) };
    let layout = new.manifest.layout().map_err(patch::PatchError::from)?;
    let mut layers = PieceLayers::default();
    for file in patch::lacking_layers(old, new.manifest).map_err(patch::PatchError::from)? {
        layers.insert(&layout, file, new.hashes[file].nodes.clone())?;
    }
    let patch = Patch { payload, segments, layers };
    let delta = patch::manifest_delta(old_bytes, &new.manifest.encode())?;
    let description = patch.encode(old, new.manifest, &delta)?;
    let offer = offer(&patch, description.len(), old, new);
    Ok(Some(Finished { description, payload: patch.payload, bytes, offer }))
}

/// What a patch costs a player.
fn offer(patch: &Patch, description_bytes: usize, old: &Manifest, new: &Target<'_>) -> PatchOffer {
    let covered: u64 =
        patch.segments.iter().flat_map(|segment| &segment.targets).map(|span| stored_share(span, new)).sum();
    let changed: u64 = origins::changed_files(old, new.manifest)
        .map(|file| new.manifest.files[file].pieces_root.and_then(|root| new.sizes.get(&root)).copied())
        .map(Option::unwrap_or_default)
        .sum();
    PatchOffer {
        from: old.version.clone(),
        to: new.manifest.version.clone(),
        description_bytes: description_bytes as u64,
        payload_bytes: patch.payload.size,
        uncovered_bytes: changed.saturating_sub(covered),
    }
}
