//! The snapshot of what the actor knows now.

use super::{Actor, patches::PatchSeeds};
use crate::game::{
    Metered,
    jobs::Kind,
    view::{self, Facts, JobFacts},
};
use crate::session::TorrentStatus;
use crate::snapshot::{Rates, Sharing, Snapshot};
use release::path::GamePath;
use std::collections::BTreeSet;
use store::partial::Partial;

/// The warning of a folder in which this user can play and not write.
const ONLY_TO_PLAY: &str = "FOLDER_READ_ONLY";

impl Actor {
    /// A release stands of which something is still to come.
    pub(super) fn is_partial(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.partial().is_some())
    }

    fn facts(&self) -> Facts {
        let job = self.job.as_ref().map(|job| JobFacts {
            step: job.control.step(),
            repair: job.kind == Kind::Repair,
            pause: *job.control.pause.borrow(),
            until: self.decision.until_minute,
            may_go_on: !(self.metered && self.policy.metered == Metered::Pause),
            quiet: job.quiet,
            playable: job.control.parts.are_playable(),
        });
        Facts {
            opening: false,
            installed: self.installed.is_some(),
            update: self.offer.as_ref().is_some_and(|offer| offer.release.is_some()),
            offline: self.offline,
            job,
            failure: self.failure.as_ref().map(|(_, phase)| phase.clone()),
            running: self
                .running
                .as_ref()
                .map(|running| (running.age().as_secs(), running.still.borrow().clone())),
            partial: self.folder.as_ref().and_then(|folder| folder.partial()).map(Partial::is_playable),
            damaged: !self.changed.is_empty() || !self.damaged.is_empty(),
        }
    }

    pub(super) fn view(&self) -> Snapshot {
        let facts = self.facts();
        let phase = view::phase(&facts);
        let (primary, secondary) = view::buttons(&phase, &facts);
        let mut snapshot = Snapshot { phase, primary, secondary, ..view::starting(&self.config) };
        if let Some(manifest) = &self.installed {
            snapshot.installed = Some(manifest.version.to_string());
            snapshot.game.title.clone_from(&manifest.title);
        }
        if let Some(link) = &self.link {
            snapshot.game.id = link.game.to_string();
            snapshot.game.channel = link.channel.to_string();
        }
        snapshot.available = self.offer.as_ref().and_then(|offer| {
            offer.release.as_ref()?;
            offer.available.clone()
        });
        snapshot.preload = self.view_preload();
        snapshot.limits = self.decision.limits;
        let offered: BTreeSet<&GamePath> = self.changed.iter().chain(&self.damaged).collect();
        snapshot.repair_offered = offered.into_iter().map(ToString::to_string).collect();
        snapshot.offline = self.offline;
        snapshot.last_check = self.last_check.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        snapshot.last_exit.clone_from(&self.last_exit);
        snapshot.summary.clone_from(&self.summary);
        snapshot.warnings = self.offer.as_ref().map(|offer| offer.warnings.clone()).unwrap_or_default();
        if self.only_to_play.is_some() {
            snapshot.warnings.push(ONLY_TO_PLAY.to_owned());
        }
        self.view_transfer(&mut snapshot);
        snapshot
    }

    fn view_transfer(&self, snapshot: &mut Snapshot) {
        let seeding = self.standing.as_ref().and_then(|standing| standing.seeding.as_ref());
        let seeding = seeding.map(|handle| handle.status().borrow().clone());
        let fetching = self.job.as_ref().and_then(|job| job.control.status());
        let status: Option<TorrentStatus> = fetching.or(seeding.clone());
        snapshot.downloaded = self.last_counts;
        let patches = self.standing.as_ref().and_then(|standing| standing.patches.as_ref());
        let patches = patches.map_or(0, PatchSeeds::uploaded);
        let seeding = seeding.map_or(0, |s| s.stats.uploaded.total());
        snapshot.uploaded_bytes = self.uploaded_before + seeding + patches;
        if let Some(job) = self.job.as_ref().filter(|job| !job.quiet) {
            let (downloaded, uploaded) = job.control.counts();
            (snapshot.downloaded, snapshot.uploaded_bytes) = (downloaded, snapshot.uploaded_bytes + uploaded);
            snapshot.progress = job.control.progress();
            let have = job.control.status().map(|status| status.have);
            snapshot.sets = job.control.parts.view(have.as_deref());
            if snapshot.installed.is_none() {
                snapshot.installed = job.control.parts.playable_version();
            }
        }
        if let Some(status) = &status {
            let rate = status.stats.download_rate;
            snapshot.rates = Rates {
                down: rate.total(),
                up: status.stats.upload_rate.total(),
                origin: rate.origin,
                players: rate.players,
                lan: rate.lan,
            };
            let listen = self.session.local_addr().to_string();
            snapshot.transfer = view::transfer(status, Some(listen));
            snapshot.transfer.reachability = view::reachability(self.session.reachability());
        }
        let transfers = status.is_some();
        snapshot.sharing = Sharing {
            mode: self.sharing,
            active: self.may_share() && transfers,
            paused_reason: self.decision.rests,
            month_bytes: self.month_bytes(),
            month_budget: self.policy.month_upload,
        };
    }
}
