//! Looks for new releases and hands them to tracker and seed.
//!
//! A repository that cannot be believed changes nothing: what was known goes on.

use crate::{
    App,
    catalog::{Catalog, Release},
    seed::Seed,
};
use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How often the repository is looked at for a new release.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a repository that cannot be believed now is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) catalog: Catalog,
    pub(crate) app: Arc<App>,
    pub(crate) seed: Option<Seed>,
    /// Our own tracker's.
    pub(crate) announce: Url,
}

impl Keeper {
    /// Until `stop`, and then the seed's goodbye.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut seen = self.catalog.stamp();
        let mut retry: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = self.app.look.notified() => {}
                () = stop.cancelled() => break,
            }
            let now = self.catalog.stamp();
            if now == seen && retry.is_none_or(|at| at > Instant::now()) {
                self.app.looks.send_modify(|looks| *looks += 1);
                continue;
            }
            seen = now;
            retry = match self.catalog.read().await {
                Ok(releases) => {
                    self.adopt(&releases).await;
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "the repository cannot be believed; what was known goes on");
                    Some(Instant::now() + RETRY_INTERVAL)
                }
            };
            self.app.looks.send_modify(|looks| *looks += 1);
        }
        if let Some(seed) = &self.seed {
            seed.close().await;
        }
    }

    /// Seeds and tracks exactly these. The seed comes first: who the tracker sends to it is to find it ready.
    pub(crate) async fn adopt(&mut self, releases: &[Arc<Release>]) {
        if let Some(seed) = &mut self.seed {
            seed.set_releases(releases, &self.announce).await;
        }
        if let Some(tracker) = &self.app.tracker {
            let torrents =
                releases.iter().map(|release| (release.infohash.truncated(), release.name.clone()));
            tracker.lock().unwrap_or_else(PoisonError::into_inner).set_torrents(&torrents.collect());
        }
    }
}
