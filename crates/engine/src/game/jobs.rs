//! The jobs: check, bring to a release (install, update, repair), verify, uninstall.
//!
//! A job owns the game folder while it runs and gives it back when it ends, however it ends.

use super::{
    GameConfig, GameLink, Outcome, Urgency,
    control::{Control, Scale, Step},
    error::GameError,
    fetch::{self, Wanted},
    offer::{self, Ask, Offer, Release},
    parts,
    preload::Opening,
    release_store::ReleaseStore,
};
use crate::session::Session;
use release::{layout::PieceLayers, manifest::Manifest, plan::Source};
use std::{
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};
use store::{
    GameFolder, InstalledTree, Job, Staging, StoreError, apply,
    fs::RealFs,
    patch::cache::{Cache, KEPT_BYTES},
    prepare::{self, Prepared},
    space,
    state::FolderState,
    uninstall, verify,
};

/// How often content that reads back wrong is fetched again before we give up.
const APPLY_TRIES: u32 = 3;

/// What a job works with.
pub(crate) struct Work {
    pub(crate) config: Arc<GameConfig>,
    pub(crate) session: Session,
    pub(crate) control: Arc<Control>,
    pub(crate) folder: Option<GameFolder>,
    pub(crate) link: Option<GameLink>,
    pub(crate) offer: Option<Offer>,
    /// A sealed bundle that is being opened.
    pub(crate) opening: Option<Opening>,
    pub(crate) outcome: Outcome,
    /// The game runs: what is still to come of its release may come, and nothing else may change.
    pub(crate) only_the_rest: bool,
}

/// What kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Check,
    Install,
    Update,
    Repair,
    Verify,
    Uninstall,
    Preload,
    Unlock,
}

impl Work {
    /// Does the job and says how it went; `self` holds what it found.
    pub(crate) async fn run(&mut self, kind: Kind) -> Result<(), GameError> {
        match kind {
            Kind::Check => self.check().await,
            Kind::Install | Kind::Update => self.bring().await,
            Kind::Repair => self.repair().await,
            Kind::Verify => self.verify().await.map(|_| ()),
            Kind::Uninstall => self.uninstall().await,
            Kind::Preload => self.preload().await,
            Kind::Unlock => self.unlock().await,
        }
    }

    pub(super) async fn check(&mut self) -> Result<(), GameError> {
        self.control.enter(Step::Checking);
        let link = self.link.clone().ok_or(GameError::NoLink)?;
        let (installed, layers) = self.standing().await?;
        let seen_sequence = self.folder.as_ref().map_or(0, |folder| folder.state().seen.channel_sequence);
        let ask = Ask {
            client: self.session.http(),
            link: &link,
            state_dir: &self.config.state_dir,
            installed: installed.as_ref(),
            layers: &layers,
            seen_sequence,
        };
        let mut offer = tokio::select! {
            offer = offer::read(ask) => offer?,
            () = self.control.cancelled.cancelled() => return Err(GameError::Cancelled),
        };
        self.control.metadata_bytes.fetch_add(offer.metadata_bytes, Ordering::Relaxed);
        if let Some(release) = offer.release.clone() {
            offer.available = Some(self.outlook(&release, &offer.channel).await?);
        }
        self.outcome.available = offer.available.clone();
        self.outcome.release = installed.map(|manifest| manifest.version.to_string());
        if offer.root_pinned_now {
            self.outcome.root_pinned_first_use = Some(offer.root_sha256.to_string());
        }
        self.offer = Some(offer);
        self.look_at_preload().await
    }

    /// The release that stands and its piece layers, as far as they are kept.
    pub(super) async fn standing(&mut self) -> Result<(Option<Arc<Manifest>>, PieceLayers), GameError> {
        let Ok(installed) = self.installed() else { return Ok((None, PieceLayers::default())) };
        let manifest = Arc::clone(&installed);
        let layers = self.in_folder(move |folder, _| kept_layers(folder, &manifest)).await?;
        Ok((Some(installed), layers))
    }

    /// Installs or updates to what the channel says; nothing to do is fine.
    async fn bring(&mut self) -> Result<(), GameError> {
        self.check().await?;
        // A game that runs is not changed under its feet.
        if !self.only_the_rest
            && let Some(release) = self.unsealed_if_due().await?
        {
            return self.stand_unsealed(release).await;
        }
        let offered = self.offer.as_ref().and_then(|offer| offer.release.clone());
        let release = match offered.filter(|_| !self.only_the_rest) {
            Some(release) => Some(release),
            None => self.rest().await?,
        };
        let Some(release) = release else { return Ok(()) };
        if self.folder.is_none() {
            self.create_folder().await?;
        }
        self.stand(release).await?;
        self.outcome.available = None;
        self.look_at_preload().await
    }

    pub(super) async fn create_folder(&mut self) -> Result<(), GameError> {
        let link = self.link.clone().ok_or(GameError::NoLink)?;
        let root = self.offer.as_ref().map(|offer| offer.root_sha256).unwrap_or_default();
        let state = FolderState::new(link.repository.to_string(), root, link.game, link.channel);
        let config = Arc::clone(&self.config);
        let release = self.offer.as_ref().and_then(|offer| offer.release.clone());
        let created = blocking(move || {
            let (fs, dir, places) = (Arc::new(RealFs), &config.dir, &config.places);
            match release.filter(|_| config.import.in_place) {
                Some(release) => GameFolder::import(fs, dir, places, &state, &release.manifest),
                None => GameFolder::create(fs, dir, places, &state),
            }
        });
        self.folder = Some(created.await??);
        Ok(())
    }

    async fn verify(&mut self) -> Result<Vec<String>, GameError> {
        let manifest = self.installed()?;
        self.control.enter(Step::Verifying);
        let bad = self
            .in_folder(move |folder, control| {
                let layers = folder.layers(&layout(&manifest)?)?;
                let progress = |done| control.hashed(done);
                let job =
                    Job { progress: &progress, cancel: &control.cancel, threads: store::hashing::THREADS };
                let report = verify::verify(folder, &manifest, &layers, &job)?;
                Ok(report.faults().map(|file| file.path.to_string()).collect::<Vec<_>>())
            })
            .await?;
        self.outcome.bad_files.clone_from(&bad);
        self.outcome.release = Some(self.installed()?.version.to_string());
        Ok(bad)
    }

    /// Brings back what is missing or damaged, and only that.
    async fn repair(&mut self) -> Result<(), GameError> {
        // Where content comes from is asked first: a folder that cannot be repaired now is not hashed.
        self.check().await?;
        let bad = self.verify().await?;
        let rest = self.rest().await?;
        if bad.is_empty() && rest.is_none() {
            return Ok(());
        }
        let release = match rest {
            Some(rest) => rest,
            None => self.standing_release().await?,
        };
        self.stand(release).await?;
        self.outcome.bad_files = bad;
        Ok(())
    }

    /// The release that stands, to be brought back as it was published.
    pub(super) async fn standing_release(&mut self) -> Result<Release, GameError> {
        let manifest = self.installed()?;
        let stood = Arc::clone(&manifest);
        let layers = self.in_folder(move |folder, _| Ok(folder.layers(&layout(&stood)?)?)).await?;
        Ok(Release { manifest, layers, patch: None })
    }

    /// Makes `release` the one that stands.
    pub(super) async fn stand(&mut self, release: Release) -> Result<(), GameError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.fetch_and_apply(&release).await {
                Err(GameError::Store(StoreError::ContentBad { files })) if tries == APPLY_TRIES => {
                    return Err(GameError::StillBad { files: files.len() });
                }
                Err(GameError::Store(StoreError::ContentBad { .. })) => {}
                // What was in place already was changed by somebody before the rest came.
                Err(GameError::Store(StoreError::Incomplete { .. })) if tries < APPLY_TRIES => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let layers = release.layers;
        let seen = self.offer.as_ref().map(|offer| (offer.channel.sequence, offer.root_version));
        self.in_folder(move |folder, _| {
            folder.save_layers(&layers)?;
            if let Err(error) = Cache::of(folder).trim(KEPT_BYTES) {
                tracing::warn!(%error, "patches that are no longer wanted stay");
            }
            if let Some((sequence, root)) = seen {
                folder.update_state(|state| {
                    state.seen.channel_sequence = sequence;
                    state.seen.root = root;
                })?;
            }
            Ok(())
        })
        .await?;
        self.outcome.release = Some(release.manifest.version.to_string());
        self.outcome.changed = true;
        Ok(())
    }

    async fn fetch_and_apply(&mut self, release: &Release) -> Result<(), GameError> {
        self.control.enter(Step::Preparing);
        let (wanted, layers) = (Arc::clone(&release.manifest), release.layers.clone());
        let (prepared, staging, tree, old, in_parts) = self
            .in_folder(move |folder, control| {
                // An apply that failed after its commit is finished before anything else.
                folder.recover()?;
                let staging = Arc::new(Staging::open(folder, &wanted)?);
                let progress = |done| control.hashed(done);
                let job =
                    Job { progress: &progress, cancel: &control.cancel, threads: store::hashing::THREADS };
                let prepared = prepare::prepare(folder, &wanted, &layers, &staging, &job)?;
                let old = folder.installed().cloned();
                let tree = old.as_ref().map(|old| InstalledTree::open(folder, old)).transpose()?;
                let in_parts = parts::may_come_in_parts(folder, &wanted);
                Ok((prepared, staging, tree.map(Arc::new), old, in_parts))
            })
            .await?;
        self.stage_unsealed(release, &staging).await?;
        let patched = self.patch(release, &prepared, &staging).await?;
        let missing = || prepare::missing_bytes(&release.manifest, &prepared.plan, &staging.have());
        let before = missing();
        // What a patch leaves to the blocks is not in the old release, unless some of it failed here.
        let searched = old.clone().filter(|_| patched.is_some_and(|brought| before <= brought.uncovered));
        self.fill(release, &prepared, &staging, (before, searched)).await?;
        if missing() > 0 {
            self.stage_the_rest(release, &staging).await?;
        }
        let missing = missing();
        // Held until all is in place.
        let mut said = None;
        if missing > 0 {
            if let Some(trouble) = self.sealed_trouble() {
                return Err(trouble);
            }
            // What was brought by then counts as done.
            let total = patched.map_or(prepared.plan.fetch_bytes, |brought| brought.on_bar + before);
            let standing = old.as_ref().zip(tree.clone());
            let wanted = self.wanted(release, &prepared, &staging, standing, Scale { total, after: 0 })?;
            self.control.enter(Step::Downloading);
            if in_parts {
                said = self.fetch_in_parts(release, &prepared, &staging, wanted).await?;
            } else {
                fetch::fetch(&self.session, &self.control, wanted).await?;
            }
        }
        if let Some(tree) = tree {
            tree.close();
        }
        self.outcome.written_bytes +=
            staging.written_bytes() + space::copied_bytes(&release.manifest, &prepared.actions);
        self.apply(release, staging).await?;
        if in_parts {
            self.requests_are_settled().await;
        }
        drop(said);
        Ok(())
    }

    /// What is missing, to be fetched block by block.
    fn wanted(
        &self,
        release: &Release,
        prepared: &Prepared,
        staging: &Arc<Staging>,
        standing: Option<(&Manifest, Arc<InstalledTree>)>,
        scale: Scale,
    ) -> Result<Wanted, GameError> {
        let layout = Arc::new(layout(&release.manifest)?);
        let stays = (0..).zip(&prepared.plan.files).filter(|(_, source)| **source == Source::User);
        let excluded = stays.flat_map(|(file, _)| layout.pieces_of(file)).collect();
        let older = self.offer.as_ref().map(|offer| offer.older.clone());
        Ok(Wanted {
            infohash: release.manifest.infohash()?,
            excluded,
            ranks: Vec::new(),
            store: ReleaseStore::fetching(Arc::clone(&layout), standing, Arc::clone(staging)),
            layout,
            layers: release.layers.clone(),
            sources: self.offer.as_ref().map(|offer| offer.sources.clone()).unwrap_or_default(),
            scale,
            background: self.config.urgency == Urgency::Background,
            replaceable: false,
            older: older.map(|older| (Arc::clone(&release.manifest), older)),
        })
    }

    async fn apply(&mut self, release: &Release, staging: Arc<Staging>) -> Result<(), GameError> {
        if self.control.is_cancelled() {
            return Err(GameError::Cancelled);
        }
        self.control.enter(Step::Applying);
        let (wanted, layers) = (Arc::clone(&release.manifest), release.layers.clone());
        let applied = self
            .in_folder(move |folder, control| {
                let progress = |done| control.hashed(done);
                let job =
                    Job { progress: &progress, cancel: &control.cancel, threads: store::hashing::THREADS };
                Ok(apply::apply(folder, &staging, &wanted, &layers, SystemTime::now(), &job)?)
            })
            .await?;
        self.outcome.moved_aside =
            applied.moved_aside.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
        Ok(())
    }

    async fn uninstall(&mut self) -> Result<(), GameError> {
        let folder = self.folder.take().ok_or(GameError::NotInstalled)?;
        let gone = blocking(move || uninstall::uninstall(folder)).await??;
        self.outcome.left = gone.left.iter().map(|path| path.display().to_string()).collect();
        self.outcome.changed = true;
        Ok(())
    }

    pub(super) fn installed(&self) -> Result<Arc<Manifest>, GameError> {
        let manifest = self.folder.as_ref().and_then(GameFolder::installed);
        manifest.cloned().map(Arc::new).ok_or(GameError::NotInstalled)
    }

    /// Blocking work on the folder, which comes back even when the work fails.
    pub(super) async fn in_folder<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut GameFolder, &Control) -> Result<T, GameError> + Send + 'static,
    ) -> Result<T, GameError> {
        let mut folder = self.folder.take().ok_or(GameError::NotInstalled)?;
        let control = Arc::clone(&self.control);
        let (folder, result) = blocking(move || {
            let result = work(&mut folder, &control);
            (folder, result)
        })
        .await?;
        self.folder = Some(folder);
        result.map_err(|error| match error {
            GameError::Store(StoreError::Cancelled) => GameError::Cancelled,
            other => other,
        })
    }
}

pub(crate) fn layout(manifest: &Manifest) -> Result<release::layout::Layout, GameError> {
    manifest.layout().map_err(|error| GameError::Manifest(error.into()))
}

/// Layers of a release as the folder keeps them, for passing it on.
pub(crate) fn kept_layers(folder: &GameFolder, manifest: &Manifest) -> Result<PieceLayers, GameError> {
    Ok(folder.layers(&layout(manifest)?)?)
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GameError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| GameError::Internal(error.to_string()))
}
