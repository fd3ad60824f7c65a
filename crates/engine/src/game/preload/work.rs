//! The jobs: a sealed bundle is fetched; at the hour it is opened and its release made the one that stands.

use super::{Offered, Opening, open};
use crate::{
    game::{
        Urgency,
        control::{Scale, Step},
        error::GameError,
        fetch::{self, Wanted},
        jobs::{Work, blocking},
        offer::Release,
        release_store::ReleaseStore,
    },
    snapshot::PreloadState,
};
use release::{channel::PreloadOffer, id::Version, metainfo::Metainfo, sealed::ReleaseKey};
use std::sync::Arc;
use store::{
    Job, Staging,
    patch::cache::Cache,
    preload::{Bundle, Sealed},
    space,
};

impl Work {
    /// Fetches what there is to have before its hour; nothing to fetch is fine.
    pub(in crate::game) async fn preload(&mut self) -> Result<(), GameError> {
        self.check().await?;
        let Some(offered) = self.offered() else { return Ok(()) };
        if self.folder.is_none() {
            self.create_folder().await?;
        }
        if let Some(offer) = offered.preload(self.stands().as_ref()).cloned() {
            // What is had by itself goes after what somebody waits for.
            let background = self.config.preload || self.config.urgency == Urgency::Background;
            self.fetch_sealed(&offered, &offer, background).await?;
        }
        self.look_at_preload().await
    }

    /// Opens what was preloaded and makes it the release that stands.
    pub(in crate::game) async fn unlock(&mut self) -> Result<(), GameError> {
        self.check().await?;
        let Some(offered) = self.offered() else { return Ok(()) };
        let release = self.unsealed(&offered).await?;
        self.stand_unsealed(release).await
    }

    /// The sealed release instead of what the channel names, if its hour has come: `None` where it has not, or where
    /// nothing of it is here and it can be had in the open.
    pub(in crate::game) async fn unsealed_if_due(&mut self) -> Result<Option<Release>, GameError> {
        let Some(offered) = self.offered() else { return Ok(None) };
        let is_here = self.view_of(&offered).await?.is_some_and(|view| view.state == PreloadState::Preloaded);
        if offered.seconds_left(chrono::Utc::now()) > 0 || (offered.is_open && !is_here) {
            return Ok(None);
        }
        let another = offered.is_open || self.offer.as_ref().is_some_and(|offer| offer.release.is_some());
        match self.unsealed(&offered).await {
            // What is in the open already need not wait for a key or for a server that lacks a bundle.
            Err(error) if another && !matches!(error, GameError::Cancelled) => {
                tracing::warn!(code = error.code(), %error, "the preload is not opened");
                self.opening = None;
                Ok(None)
            }
            release => release.map(Some),
        }
    }

    /// Makes a release stand that came out of a bundle.
    pub(in crate::game) async fn stand_unsealed(&mut self, release: Release) -> Result<(), GameError> {
        let stood = self.stand(release).await;
        self.opening = None;
        stood?;
        self.outcome.available = None;
        // Sealed bytes are of no use any more.
        self.look_at_preload().await
    }

    /// Says what is here of what is offered, and removes what belongs to nothing that is.
    pub(in crate::game) async fn look_at_preload(&mut self) -> Result<(), GameError> {
        let offered = self.offered();
        let kept = offered
            .as_ref()
            .map(|offered| offered.upcoming.preloads.iter().map(|offer| offer.root).collect::<Vec<_>>());
        if self.folder.is_some() {
            self.in_folder(move |folder, _| {
                Ok(Cache::preloads(folder)
                    .retain(|root| kept.as_ref().is_some_and(|kept| kept.contains(root)))?)
            })
            .await?;
        }
        let view = match &offered {
            Some(offered) => self.view_of(offered).await?,
            None => None,
        };
        self.outcome.preload.clone_from(&view);
        if let Some(offer) = &mut self.offer {
            offer.preload = view;
        }
        Ok(())
    }

    async fn view_of(&mut self, offered: &Offered) -> Result<Option<crate::snapshot::Preload>, GameError> {
        let stands = self.stands();
        let root = offered.preload(stands.as_ref()).map(|offer| offer.root);
        let have = match (root, self.folder.is_some()) {
            (Some(root), true) => {
                self.in_folder(move |folder, _| Ok(Cache::preloads(folder).have(&root)?)).await?
            }
            _ => store::staging::Have::default(),
        };
        Ok(offered.view(stands.as_ref(), &have))
    }

    /// What is offered to whom it is something new.
    fn offered(&self) -> Option<Offered> {
        let stands = self.stands();
        let offered = self.offer.as_ref()?.upcoming.clone()?;
        (stands.as_ref() != Some(&offered.upcoming.version)).then_some(offered)
    }

    fn stands(&self) -> Option<Version> {
        self.folder.as_ref()?.installed().map(|manifest| manifest.version.clone())
    }

    /// Fetches a bundle until all of it is here.
    async fn fetch_sealed(
        &mut self,
        offered: &Offered,
        offer: &PreloadOffer,
        background: bool,
    ) -> Result<Sealed, GameError> {
        let torrent = offered.torrent(offer).await?;
        let (staging, torrent) = self.room_for(offered, offer, torrent).await?;
        let sealed = Sealed {
            staging: Arc::clone(&staging),
            root: offer.root,
            bytes: offer.bytes,
            from: offer.from.clone(),
        };
        if staging.is_complete(&offer.root) {
            return Ok(sealed);
        }
        self.control.enter(Step::Downloading);
        let layout = Arc::new(torrent.layout);
        let wanted = Wanted {
            infohash: torrent.infohash,
            ranks: Vec::new(),
            store: ReleaseStore::fetching(Arc::clone(&layout), None, Arc::clone(&staging)),
            layout,
            layers: torrent.layers,
            excluded: Vec::new(),
            sources: self.offer.as_ref().map(|offer| offer.sources.clone()).unwrap_or_default(),
            scale: Scale { total: offer.bytes, after: 0 },
            background,
            replaceable: false,
            older: None,
        };
        let fetched = fetch::fetch(&self.session, &self.control, wanted).await;
        blocking(move || staging.flush()).await??;
        fetched.map(|()| sealed)
    }

    /// Room for the bundle and for what comes out of it, made sure of before anything is written.
    async fn room_for(
        &mut self,
        offered: &Offered,
        offer: &PreloadOffer,
        torrent: Metainfo,
    ) -> Result<(Arc<Staging>, Metainfo), GameError> {
        let (offered, offer) = (offered.clone(), offer.clone());
        self.in_folder(move |folder, _| {
            let cache = Cache::preloads(folder);
            if let Some(view) = offered.view(offer.from.as_ref(), &cache.have(&offer.root)?) {
                space::check(folder, view.need_bytes)?;
            }
            Ok((Arc::new(cache.open(&torrent)?), torrent))
        })
        .await
    }

    /// The release behind the seal. A bundle for the release that stands comes first; where it is of no use, the one that
    /// needs none.
    async fn unsealed(&mut self, offered: &Offered) -> Result<Release, GameError> {
        self.control.enter(Step::Unlocking);
        let key = offered.key().await?;
        if self.folder.is_none() {
            self.create_folder().await?;
        }
        let own = offered.preload(self.stands().as_ref()).cloned();
        let whole = offered.upcoming.whole().cloned();
        let mut bundles: Vec<PreloadOffer> = own.into_iter().chain(whole).collect();
        bundles.dedup();
        let mut failed = GameError::Mismatch { what: "the preload".to_owned() };
        for offer in bundles {
            match self.open_sealed(offered, &key, &offer).await {
                Ok(release) => return Ok(release),
                Err(error @ (GameError::Cancelled | GameError::Store(_))) => return Err(error),
                Err(error) => {
                    self.recheck(&offer).await?;
                    tracing::warn!(code = error.code(), %error, "a preload is of no use");
                    failed = error;
                }
            }
        }
        Err(failed)
    }

    async fn open_sealed(
        &mut self,
        offered: &Offered,
        key: &ReleaseKey,
        offer: &PreloadOffer,
    ) -> Result<Release, GameError> {
        let background = self.config.urgency == Urgency::Background;
        let sealed = self.fetch_sealed(offered, offer, background).await?;
        self.control.enter(Step::Unlocking);
        let (standing, layers) = self.standing().await?;
        let (of, secret) = (offered.clone(), key.clone());
        let (release, bundle) = blocking(move || -> Result<_, GameError> {
            let bundle = Bundle::open(&secret, sealed)??;
            let release = open::release(&of, &bundle, standing.as_ref().map(|from| (from, &layers)))?;
            Ok((release, bundle))
        })
        .await??;
        self.opening = Some(Opening {
            offered: offered.clone(),
            key: key.clone(),
            bundle: Arc::new(bundle),
            is_whole: offer.from.is_none(),
            trouble: None,
        });
        Ok(release)
    }

    /// Stages what the open bundle holds, if one is open.
    pub(in crate::game) async fn stage_unsealed(
        &mut self,
        release: &Release,
        staging: &Arc<Staging>,
    ) -> Result<(), GameError> {
        let Some(opening) = &self.opening else { return Ok(()) };
        self.control.enter(Step::Unlocking);
        let (bundle, wanted, staging) = (Arc::clone(&opening.bundle), release.clone(), Arc::clone(staging));
        let trouble = self
            .in_folder(move |folder, control| {
                let progress = |done| control.hashed(done);
                let job =
                    Job { progress: &progress, cancel: &control.cancel, threads: store::hashing::THREADS };
                let mut trouble = None;
                if let Some(patch) = &wanted.patch {
                    let payload = Cache::of(folder).open(&patch.torrent)?;
                    trouble = bundle.stage_payload(&patch.patch.payload, &payload, &job)?.err();
                }
                let opened = bundle.stage(&wanted.manifest, &wanted.layers, &staging, &job)?;
                Ok(trouble.or(opened.unopened).map(|trouble| (trouble.code(), trouble.to_string())))
            })
            .await?;
        if let Some(opening) = &mut self.opening {
            opening.trouble = trouble;
        }
        Ok(())
    }

    /// What is missing after all that was preloaded was opened comes out of the bundle that needs no other release, or from
    /// the release itself where that is in the open.
    ///
    /// # Errors
    /// Where it cannot come at all: what did not open.
    pub(in crate::game) async fn stage_the_rest(
        &mut self,
        release: &Release,
        staging: &Arc<Staging>,
    ) -> Result<(), GameError> {
        let may_help = |it: &mut Opening| !it.offered.is_open && (!it.is_whole || it.trouble.is_some());
        // Nobody has the bundle open while it is looked at.
        let Some(Opening { offered, key, is_whole, .. }) = self.opening.take_if(may_help) else {
            return Ok(());
        };
        let Some(whole) = offered.upcoming.whole().cloned() else {
            return Err(GameError::Mismatch { what: "the preload".to_owned() });
        };
        if is_whole {
            // What was damaged on this disk comes again.
            self.recheck(&whole).await?;
        }
        self.open_sealed(&offered, &key, &whole).await?;
        self.stage_unsealed(release, staging).await
    }

    /// What the disk changed of a bundle counts as missing afterwards.
    async fn recheck(&mut self, offer: &PreloadOffer) -> Result<(), GameError> {
        let root = offer.root;
        self.in_folder(move |folder, _| Ok(Cache::preloads(folder).recheck(&root)?)).await
    }

    /// Why a release that is only sealed is not whole.
    pub(in crate::game) fn sealed_trouble(&self) -> Option<GameError> {
        let opening = self.opening.as_ref().filter(|opening| !opening.offered.is_open)?;
        let (code, message) = opening
            .trouble
            .clone()
            .unwrap_or(("PRELOAD_CONTENT", "the preload does not hold all of its release".to_owned()));
        Some(GameError::Transfer { code, message })
    }
}
