//! Local fill: before blocks are fetched, what old, foreign and half-broken files in the game folder, and in other copies
//! that the player named, hold of the release.
//!
//! The signed side file that this takes costs bytes itself, so it is fetched only where it can save many times as much. A
//! help only: a repository without one, or one that is refused, leaves everything to the blocks.

use super::{
    control::Step,
    error::GameError,
    jobs::Work,
    offer::{Release, read_leaves},
};
use release::{
    leaves::{self, FileLeaves},
    manifest::Manifest,
};
use serde::Serialize;
use std::sync::{Arc, atomic::Ordering};
use store::{
    Job, Staging,
    fill::{Sources, fill},
    prepare::Prepared,
};

/// The side file is fetched where so many times its bytes may be saved: at worst a thirty-second more comes.
const WORTH: u64 = 32;

/// What local fill brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LocalFill {
    /// Bytes of the side file, which were downloaded.
    pub side_bytes: u64,
    /// Bytes of files on this machine that were read.
    pub read_bytes: u64,
    /// Bytes of the release that were found there and not downloaded.
    pub filled_bytes: u64,
}

impl Work {
    /// Stages what files in the folder hold of so many missing bytes of `release`, where the side file is worth it. The files
    /// of a release that is known to hold nothing more are left out.
    pub(super) async fn fill(
        &mut self,
        release: &Release,
        prepared: &Prepared,
        staging: &Arc<Staging>,
        (missing, searched): (u64, Option<Manifest>),
    ) -> Result<(), GameError> {
        let side_bytes = leaves::encoded_bytes(&release.manifest);
        if missing / WORTH < side_bytes {
            return Ok(());
        }
        let copies = self.config.import.from.clone();
        let sources = self
            .in_folder(move |folder, _| {
                let mut sources = Sources::of(folder)?;
                copies.iter().for_each(|dir| sources.also(dir));
                searched.iter().for_each(|release| sources.leave_out(release));
                Ok(sources)
            })
            .await?;
        if sources.bytes() / WORTH < side_bytes {
            return Ok(());
        }
        let Some(leaves) = self.leaves(release).await? else { return Ok(()) };
        self.control.enter(Step::Preparing);
        let (manifest, plan) = (Arc::clone(&release.manifest), prepared.plan.clone());
        let staged = Arc::clone(staging);
        let filled = self
            .in_folder(move |_, control| {
                let progress = |done| control.hashed(done);
                let job =
                    Job { progress: &progress, cancel: &control.cancel, threads: store::hashing::THREADS };
                Ok(fill(&sources, &manifest, &plan, leaves, &staged, &job)?)
            })
            .await?;
        tracing::info!(side_bytes, ?filled, "local fill");
        let (read_bytes, filled_bytes) = (filled.read_bytes, filled.filled_bytes);
        self.outcome.fill = Some(LocalFill { side_bytes, read_bytes, filled_bytes });
        Ok(())
    }

    /// The side file, if there is one and it is this release's.
    async fn leaves(&self, release: &Release) -> Result<Option<Vec<FileLeaves>>, GameError> {
        let Some(offer) = &self.offer else { return Ok(None) };
        tokio::select! {
            leaves = read_leaves(&offer.client, &release.manifest) => {
                Ok(leaves.map(|(leaves, bytes)| {
                    self.control.metadata_bytes.fetch_add(bytes, Ordering::Relaxed);
                    leaves
                }))
            }
            () = self.control.cancelled.cancelled() => Err(GameError::Cancelled),
        }
    }
}
