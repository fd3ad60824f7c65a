//! When the installed release is passed on, and when it rests.

use super::{
    Actor,
    patches::{Ground, PatchSeeds},
};
use crate::game::{jobs, release_store::ReleaseStore};
use crate::session::{Exchange, OriginUse, Torrent};
use crate::snapshot::SharingMode;
use release::manifest::Kind;
use std::sync::Arc;
use store::patch::cache::Cache;
use tokio_util::task::AbortOnDropHandle;

impl Actor {
    pub(super) fn may_share(&self) -> bool {
        self.decision.share
    }

    /// Whom the player's choice lets us exchange with.
    pub(super) fn exchange(&self) -> Exchange {
        match self.sharing {
            SharingMode::Off => Exchange::Nobody,
            SharingMode::Lan => Exchange::Lan,
            SharingMode::WhileDownloading | SharingMode::WhileOpen => Exchange::Everybody,
        }
    }

    /// Brings what is passed on in line with what may be.
    pub(super) async fn share(&mut self) {
        let upload = self.may_share();
        if let Some(job) = &self.job {
            job.control.upload.send_replace(upload);
            job.control.exchange.send_replace(self.exchange());
        }
        // To pass on in one's own network costs nobody anything: that goes on while the program is open.
        if !matches!(self.sharing, SharingMode::WhileOpen | SharingMode::Lan) {
            return self.stop_seeding().await;
        }
        if let Some(standing) = &self.standing
            && let Some(handle) = &standing.seeding
        {
            standing.patches.iter().for_each(|patches| patches.set(self.exchange(), upload));
            handle.set_exchange(self.exchange());
            return handle.set_upload(upload);
        }
        if upload && self.job.as_ref().is_none_or(|job| job.quiet) {
            self.start_seeding();
        }
    }

    fn start_seeding(&mut self) {
        let exchange = self.exchange();
        let (Some(standing), Some(offer), Some(folder)) = (&mut self.standing, &self.offer, &self.folder)
        else {
            return;
        };
        let prepared = jobs::kept_layers(folder, &standing.manifest)
            .and_then(|layers| Ok((layers, standing.manifest.infohash()?)));
        let (layers, infohash) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return tracing::warn!(%error, "nothing can be passed on"),
        };
        let files = standing.manifest.files.iter().enumerate();
        let own = files.filter(|(_, file)| file.kind == Kind::User).map(|(index, _)| index);
        let excluded = own.flat_map(|file| standing.layout.pieces_of(file)).collect();
        let store = ReleaseStore::seeding(Arc::clone(&standing.layout), Arc::clone(&standing.tree));
        let (handle, _) = self.session.add(Torrent {
            infohash,
            layout: Arc::clone(&standing.layout),
            layers,
            have: store.have(),
            excluded,
            store: Arc::new(store),
            trackers: offer.sources.trackers.clone(),
            origins: Vec::new(),
            origin_use: OriginUse::default(),
            peers: Vec::new(),
            exchange,
            upload: true,
        });
        // Nobody here waits for what others are given.
        handle.set_background(true);
        // Damage is for a repair to mend, asked for by the player.
        handle.set_download(false);
        let (older, manifest, seed) = (offer.older.clone(), Arc::clone(&standing.manifest), handle.clone());
        // There is no job for which these bytes would count.
        let joining = async move { older.join(&manifest, &seed, |_| {}).await };
        standing.joining =
            (exchange != Exchange::Nobody).then(|| AbortOnDropHandle::new(tokio::spawn(joining)));
        standing.seeding = Some(handle);
        let ground = Ground {
            session: self.session.clone(),
            caches: vec![Cache::of(folder), Cache::preloads(folder)],
            names: Arc::clone(&offer.patch_torrents),
            trackers: offer.sources.trackers.clone(),
        };
        standing.patches = Some(PatchSeeds::start(ground, exchange, true));
        self.taken_back.clear();
        self.look_at_files();
    }

    pub(super) async fn stop_seeding(&mut self) {
        let Some(standing) = &mut self.standing else { return };
        standing.joining = None;
        if let Some(patches) = standing.patches.take() {
            self.uploaded_before += patches.stop().await;
        }
        if let Some(handle) = standing.seeding.take() {
            self.uploaded_before += handle.status().borrow().stats.uploaded.total();
            handle.stop().await;
        }
    }
}
