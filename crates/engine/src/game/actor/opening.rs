//! Opening the game folder: held with its lock, or only looked at by somebody who may not write to it.

use super::Actor;
use crate::game::{
    GameLink,
    error::GameError,
    jobs::{self, Kind},
    launch,
    looking::Question,
    view,
};
use crate::snapshot::{Failure, FolderLook};
use std::{path::PathBuf, sync::Arc};
use store::{GameFolder, StoreError, fs::RealFs, partial::Partial, state::FolderState};
use tokio::sync::oneshot;

impl Actor {
    pub(super) async fn open_folder(&mut self) {
        let dir = self.config.dir.clone();
        self.only_to_play = None;
        let opened = jobs::blocking(move || GameFolder::open(Arc::new(RealFs), &dir)).await;
        match opened.and_then(|opened| opened.map_err(GameError::Store)) {
            Ok(folder) => {
                self.failure = None;
                self.installed = folder.installed().cloned().map(Arc::new);
                self.link_of(folder.state());
                self.folder = Some(folder);
            }
            // A launcher that knows where the game comes from can install into a folder that is not there.
            Err(GameError::Store(StoreError::FolderMissing { .. }))
                if self.link.is_some() && !self.known_installed => {}
            // Nor does one that holds a copy which is to be taken over; whether it does is judged then.
            Err(GameError::Store(StoreError::FolderNotOurs { .. }))
                if self.link.is_some() && self.config.import.in_place => {}
            Err(error @ GameError::Store(StoreError::NoPermission { .. })) => {
                self.open_only_to_play(&error).await
            }
            Err(error) => self.failure = Some((Kind::Check, view::failure_phase(&error))),
        }
    }

    /// A folder that another user of this machine keeps up to date, or a volume that nobody may write to: the game in it
    /// can be started all the same.
    async fn open_only_to_play(&mut self, refusal: &GameError) {
        let dir = self.config.dir.clone();
        let look = jobs::blocking(move || {
            let glance = launch::glance(&dir)?;
            Ok((glance.state().clone(), glance.installed().cloned(), glance.partial().cloned()))
        });
        match look.await.and_then(|look: Result<_, GameError>| look) {
            Ok((state, Some(manifest), partial)) if partial.as_ref().is_none_or(Partial::is_playable) => {
                self.link_of(&state);
                self.installed = Some(Arc::new(manifest));
                self.failure = None;
                self.only_to_play = Some(Failure::from(refusal));
            }
            _ => self.failure = Some((Kind::Check, view::failure_phase(refusal))),
        }
    }

    /// Looks at a folder that may be chosen for the game, beside whatever else goes on.
    pub(super) fn look(&self, dir: PathBuf, reply: oneshot::Sender<Result<FolderLook, Failure>>) {
        let offer = self.offer.as_ref();
        let offered = offer.and_then(|offer| offer.release.as_ref()).map(|release| &release.manifest);
        let question = Question {
            dir,
            places: self.config.places.clone(),
            game: self.link.as_ref().map(|link| link.game.clone()),
            title: self.config.title.clone(),
            wanted: offered.or(self.installed.as_ref()).cloned(),
            need_bytes: offer
                .and_then(|offer| offer.available.as_ref())
                .map(|available| available.need_bytes),
        };
        tokio::spawn(async move {
            let found = jobs::blocking(move || question.answer()).await.and_then(|found| found);
            // Whoever asked may be gone.
            let _ = reply.send(found.map_err(|error| Failure::from(&error)));
        });
    }

    /// Where the game comes from, by its folder, unless the caller said so.
    fn link_of(&mut self, state: &FolderState) {
        if self.link.is_none() {
            self.link = GameLink::of(state);
        }
    }
}
