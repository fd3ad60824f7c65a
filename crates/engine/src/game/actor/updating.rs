//! An update that the player lets happen by itself.

use super::Actor;
use crate::game::{Updates, jobs::Kind};

impl Actor {
    /// Installs what is offered, once: nothing runs, nothing holds downloads, and a player who gave it up is not asked again.
    pub(super) async fn update_by_itself(&mut self) {
        if self.policy.updates != Updates::Auto || self.decision.hold.is_some() {
            return;
        }
        let busy = self.job.is_some() || self.running.is_some() || self.pending.is_some();
        if busy || self.failure.is_some() || self.only_to_play.is_some() || self.installed.is_none() {
            return;
        }
        let offered = self.offer.as_ref().filter(|offer| offer.release.is_some());
        let Some(version) = offered.map(|offer| offer.channel.version.clone()) else { return };
        if self.updated_by_itself.as_ref() == Some(&version) {
            return;
        }
        tracing::info!(%version, "the update is installed by itself");
        self.updated_by_itself = Some(version);
        self.start_job(Kind::Update, None).await;
    }
}
