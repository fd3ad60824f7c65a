//! Files that the running game asks for (`.muster/wanted`, see [`store::wanted`]): noticed, put to the front of the transfer,
//! and settled once they are in place.
//!
//! Invariant: a request only changes the order in which files of the release come. What is no request, or asks for what the
//! release does not have, costs a line in the log.

use super::{error::GameError, jobs::blocking};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use release::{hash::Hash32, manifest::Manifest};
use std::{collections::BTreeMap, sync::Arc};
use store::{
    GameFolder,
    wanted::{self, Listed, Requests},
};
use tokio::sync::Notify;

/// Files that are put to the front at once; those asked for later come as these are in place. A crowd that fetches in order
/// has little to give to each other.
const FRONT_MAX: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Asked {
    requests: Requests,
    /// Files of the release by the name of their request.
    files: BTreeMap<Hash32, usize>,
    /// Files asked for and not in place, the oldest request first.
    front: Vec<usize>,
    noticed: Arc<Notify>,
    ignored: usize,
    _watcher: Option<RecommendedWatcher>,
}

impl Asked {
    /// Begins to look for requests in `folder`; where the system does not tell of new ones, only [`Asked::look`] finds them.
    pub(super) fn start(folder: &GameFolder, manifest: &Manifest) -> Self {
        let requests = Requests::of(folder);
        let noticed = Arc::new(Notify::new());
        let watcher = match requests.create() {
            Ok(()) => watch(&requests, &noticed),
            Err(error) => {
                tracing::warn!(%error, "games cannot ask for files here");
                None
            }
        };
        let files = manifest.files.iter().enumerate().map(|(index, file)| (wanted::name(&file.path), index));
        let files = files.collect();
        Self { requests, files, front: Vec::new(), noticed, ignored: 0, _watcher: watcher }
    }

    /// Returns when a look is due because something happened.
    pub(super) fn noticed(&self) -> Arc<Notify> {
        Arc::clone(&self.noticed)
    }

    /// The files asked for, the oldest request first.
    pub(super) fn front(&self) -> &[usize] {
        &self.front[..self.front.len().min(FRONT_MAX)]
    }

    /// Looks what is asked for and settles what is in place or never will be; whether the front is another.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) async fn look(&mut self, is_placed: impl Fn(usize) -> bool) -> Result<bool, GameError> {
        let requests = self.requests.clone();
        let listed = blocking(move || requests.list()).await??;
        let settled = self.sort(&listed, is_placed);
        let requests = self.requests.clone();
        let before = self.front.len();
        let changed = self.take(&listed);
        if !settled.is_empty() {
            blocking(move || settled.iter().try_for_each(|name| requests.settle(name))).await??;
        }
        Ok(changed || before != self.front.len())
    }

    /// Those of the listed that are settled; they and those no longer listed leave the front.
    fn sort(&mut self, listed: &Listed, is_placed: impl Fn(usize) -> bool) -> Vec<Hash32> {
        if listed.ignored > self.ignored {
            tracing::warn!(entries = listed.ignored, "what lies among the requests of games is none");
        }
        self.ignored = listed.ignored;
        let mut settled = Vec::new();
        for name in &listed.names {
            match self.files.get(name) {
                Some(index) if !is_placed(*index) => {}
                Some(_) => settled.push(*name),
                None => {
                    tracing::warn!(request = %name, "a game asks for a file that this release does not have");
                    settled.push(*name);
                }
            }
        }
        settled
    }

    /// Takes the listed that are not settled to the front; whether it is another then.
    fn take(&mut self, listed: &Listed) -> bool {
        let mut asked: Vec<usize> = listed.names.iter().filter_map(|name| self.files.get(name)).copied().collect();
        asked.sort_unstable();
        let before = self.front.clone();
        self.front.retain(|index| asked.binary_search(index).is_ok());
        for index in asked {
            if !self.front.contains(&index) {
                self.front.push(index);
            }
        }
        self.front != before
    }

    /// Takes every request away: the whole release is in place.
    pub(super) fn settle_all(folder: &GameFolder) -> store::Result<()> {
        let requests = Requests::of(folder);
        requests.list()?.names.iter().try_for_each(|name| requests.settle(name))
    }
}

fn watch(requests: &Requests, noticed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let told = Arc::clone(noticed);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            told.notify_one();
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(requests.dir(), RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching.map_err(|error| tracing::warn!(%error, "requests of games are looked for now and then only")).ok()
}
