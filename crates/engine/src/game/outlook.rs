//! What an update would take, said before it begins.

use super::{
    error::GameError,
    jobs::Work,
    offer::Release,
    parts::may_come_in_parts,
    route::{self, Facts, Route, until_playable},
};
use crate::snapshot::Available;
use release::{channel::Channel, manifest::Manifest, plan};
use std::{collections::BTreeSet, sync::Arc};
use store::{GameFolder, assign, partial::has_parts, patch::cache::Cache, prepare, space, staging::Have};

impl Work {
    /// Plans the way to `release` from what is known of the folder without hashing it.
    pub(super) async fn outlook(
        &mut self,
        release: &Release,
        channel: &Channel,
    ) -> Result<Available, GameError> {
        let (wanted, signed) = (release.clone(), channel.clone());
        let (route, need_bytes, playable_bytes) = if self.folder.is_some() {
            self.in_folder(move |folder, _| of_folder(folder, &wanted, &signed)).await?
        } else {
            of_nothing(&wanted.manifest, &signed)
        };
        let notes = if channel.notes.is_empty() { &release.manifest.notes } else { &channel.notes };
        Ok(Available {
            version: release.manifest.version.to_string(),
            download_bytes: route.bytes,
            playable_bytes,
            way: route.way,
            alternatives: route.alternatives,
            need_bytes: need_bytes + route.patch.missing_bytes,
            notes: notes.clone(),
        })
    }
}

/// The way, bytes of disk needed, and bytes to download until the game can be started where that is not all of them.
type Costs = (Route, u64, Option<u64>);

fn of_folder(folder: &GameFolder, release: &Release, channel: &Channel) -> Result<Costs, GameError> {
    let wanted = &release.manifest;
    let prepare::Outlook { plan, staged, need_bytes } = prepare::outlook(folder, wanted)?;
    let route = plan_route(folder, release, Some(channel), &plan, &staged)?;
    let facts = Facts {
        installed: folder.installed(),
        wanted,
        plan: &plan,
        staged: &staged,
        patch: None,
        channel: Some(channel),
    };
    let playable = may_come_in_parts(folder, wanted).then(|| until_playable(&facts));
    Ok((route, need_bytes, playable))
}

/// The way to `release` from what stands in the folder, with `plan` and `staged`.
pub(super) fn plan_route(
    folder: &GameFolder,
    release: &Release,
    channel: Option<&Channel>,
    plan: &plan::Plan,
    staged: &Have,
) -> Result<Route, GameError> {
    // A patch is for the very release it was read for.
    let stands = folder.installed();
    let patch = release.patch.as_ref().filter(|patch| stands == Some(&*patch.from));
    let kept = patch.map(|patch| Cache::of(folder).have(&patch.patch.payload.root)).transpose()?;
    let facts = Facts {
        installed: stands,
        wanted: &release.manifest,
        plan,
        staged,
        patch: patch.map(|found| &*found.patch).zip(kept.as_ref()),
        channel: channel.filter(|channel| channel.version == release.manifest.version),
    };
    Ok(route::plan(&facts))
}

/// Before there is a folder.
fn of_nothing(wanted: &Arc<Manifest>, channel: &Channel) -> Costs {
    let plan = plan::plan(None, &[], &BTreeSet::new(), wanted);
    let staged = Have::default();
    let need_bytes = space::need_bytes(wanted, &assign::actions(None, wanted, &plan), &staged);
    let facts =
        Facts { installed: None, wanted, plan: &plan, staged: &staged, patch: None, channel: Some(channel) };
    let playable = has_parts(wanted).then(|| until_playable(&facts));
    (route::plan(&facts), need_bytes, playable)
}
