//! Watches the game folder, so that a file that somebody changed is no longer passed on.
//!
//! The watcher only says that something happened; what changed is found by looking at the files, so a
//! lost or merged notice costs nothing but a later look.

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;

/// Notices within this time are one.
const QUIET: Duration = Duration::from_millis(800);
/// Our own folder inside the game's.
const STATE_DIR: &str = ".muster";

/// Watches until dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    _watcher: RecommendedWatcher,
}

impl Watcher {
    /// Calls `touched` after changes in `dir` outside our own folder.
    ///
    /// # Errors
    /// When the system has no watch left or the folder is gone.
    pub(crate) fn start(dir: &Path, touched: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let (notices, mut receiver) = mpsc::channel::<()>(1);
        let state = dir.join(STATE_DIR);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let ours = |event: &Event| {
                event.kind.is_access() || event.paths.iter().all(|path| path.starts_with(&state))
            };
            if !event.as_ref().is_ok_and(ours) {
                // A full channel means that a look is due already.
                let _ = notices.try_send(());
            }
        })?;
        watcher.watch(dir, RecursiveMode::Recursive)?;
        tokio::spawn(async move {
            while receiver.recv().await.is_some() {
                tokio::time::sleep(QUIET).await;
                while receiver.try_recv().is_ok() {}
                touched();
            }
        });
        Ok(Self { _watcher: watcher })
    }
}
