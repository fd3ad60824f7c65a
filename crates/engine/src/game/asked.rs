//! Files that the running game asks for (`.muster/wanted`, see [`store::wanted`]): noticed, put to the front of the transfer,
//! and settled once they are in place.
//!
//! Invariant: a request only changes the order in which files of the release come. What is no request, or asks for what the
//! release does not have, costs a line in the log.

use super::{error::GameError, jobs::blocking};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use release::{hash::Hash32, manifest::Manifest};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
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
    /// The transfer has not been told of it yet.
    is_new: bool,
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
        Self { requests, files, front: Vec::new(), is_new: false, noticed, ignored: 0, _watcher: watcher }
    }

    /// Returns when a look is due because something happened.
    pub(super) fn noticed(&self) -> Arc<Notify> {
        Arc::clone(&self.noticed)
    }

    /// The files asked for, the oldest request first.
    pub(super) fn front(&self) -> &[usize] {
        &self.front[..self.front.len().min(FRONT_MAX)]
    }

    /// Looks what is asked for and settles what is in place or never will be.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) async fn look(&mut self, is_placed: impl Fn(usize) -> bool) -> Result<(), GameError> {
        let requests = self.requests.clone();
        let listed = blocking(move || requests.list()).await??;
        let settled = self.take(&listed, is_placed);
        let requests = self.requests.clone();
        if !settled.is_empty() {
            blocking(move || settled.iter().try_for_each(|name| requests.settle(name))).await??;
        }
        Ok(())
    }

    /// The front, if the transfer was not told of it yet.
    pub(super) fn untold(&mut self) -> Option<&[usize]> {
        std::mem::take(&mut self.is_new).then_some(&self.front[..self.front.len().min(FRONT_MAX)])
    }

    /// Takes the listed to the front, those no longer listed from it; gives back those that are settled.
    fn take(&mut self, listed: &Listed, is_placed: impl Fn(usize) -> bool) -> Vec<Hash32> {
        if listed.ignored > self.ignored {
            tracing::warn!(entries = listed.ignored, "what lies among the requests of games is none");
        }
        self.ignored = listed.ignored;
        let (mut asked, mut settled, mut unknown) = (BTreeSet::new(), Vec::new(), 0);
        for name in &listed.names {
            match self.files.get(name) {
                Some(index) if !is_placed(*index) => {
                    asked.insert(*index);
                }
                Some(_) => settled.push(*name),
                None => {
                    unknown += 1;
                    settled.push(*name);
                }
            }
        }
        if unknown > 0 {
            tracing::warn!(requests = unknown, "a game asks for what this release does not have");
        }
        let before = self.front.clone();
        self.front.retain(|index| asked.remove(index));
        self.front.extend(asked);
        self.is_new |= self.front != before;
        settled
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
    watching
        .map_err(|error| tracing::warn!(%error, "requests of games are looked for now and then only"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(paths: &[&str]) -> Asked {
        let name = |path: &&str| wanted::name(&path.parse().expect("good"));
        let dir = tempfile::tempdir().expect("a folder");
        let fs = Arc::new(store::fs::RealFs);
        let state = store::state::FolderState::new(
            "https://example.org/".into(),
            Hash32::ZERO,
            "g".parse().expect("good"),
            "live".parse().expect("good"),
        );
        let home = dir.path().canonicalize().expect("it is there").join("game");
        let folder = GameFolder::create(fs, &home, &store::place::Places::default(), &state).expect("new");
        Asked {
            requests: Requests::of(&folder),
            files: paths.iter().map(name).zip(0..).collect(),
            front: Vec::new(),
            is_new: false,
            noticed: Arc::default(),
            ignored: 0,
            _watcher: None,
        }
    }

    fn listed(paths: &[&str]) -> Listed {
        let names = paths.iter().map(|path| wanted::name(&path.parse().expect("good"))).collect();
        Listed { names, ignored: 0 }
    }

    #[test]
    fn the_oldest_request_stays_first_and_what_is_in_place_or_unknown_is_settled() {
        let mut asked = asked(&["a", "b", "c"]);
        assert_eq!(asked.take(&listed(&["c"]), |_| false), []);
        assert_eq!(asked.untold(), Some(&[2][..]));
        assert_eq!(asked.untold(), None, "told once");
        asked.take(&listed(&["a", "b", "c"]), |_| false);
        assert_eq!(asked.untold(), Some(&[2, 0, 1][..]));
        let settled = asked.take(&listed(&["a", "b", "c", "not/of/this/release"]), |index| index == 2);
        assert_eq!(settled, listed(&["c", "not/of/this/release"]).names);
        assert_eq!(asked.front(), [0, 1]);
        asked.take(&listed(&["b"]), |_| false);
        assert_eq!(asked.front(), [1], "a game gave up");
    }

    #[test]
    fn of_thousands_of_requests_few_go_first() {
        let paths: Vec<String> = (0..1_000).map(|number| format!("f{number}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let mut asked = asked(&paths);
        asked.take(&listed(&paths), |_| false);
        assert_eq!(asked.untold().map(<[usize]>::len), Some(FRONT_MAX));
    }
}
