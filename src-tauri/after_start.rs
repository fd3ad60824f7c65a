//! What becomes of the launcher when the game has started: nothing, its window out of the way, or its end.
//!
//! Invariant: a game that ran already when the launcher came moves nothing, and whatever happens here the game lives on.

use crate::{
    app::{Services, WINDOW, locked},
    settings::AfterStart,
};
use engine::snapshot::{Phase, Snapshot};
use tauri::{AppHandle, Manager};
use tokio::sync::watch;

/// What a new state means for the launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Started,
    Ended,
}

/// Follows the game as long as the launcher is there.
pub(crate) fn follow(app: &AppHandle, mut states: watch::Receiver<Snapshot>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let mut last = states.borrow_and_update().phase.clone();
        let mut hidden = false;
        while states.changed().await.is_ok() {
            let phase = states.borrow_and_update().phase.clone();
            match turn(&last, &phase) {
                Some(Turn::Started) => hidden = started(&app),
                Some(Turn::Ended) if hidden => hidden = !show(&app),
                _ => {}
            }
            last = phase;
        }
    });
}

fn turn(last: &Phase, now: &Phase) -> Option<Turn> {
    match (last, now) {
        (Phase::Starting | Phase::Running { .. }, Phase::Running { .. }) => None,
        (_, Phase::Running { .. }) => Some(Turn::Started),
        (Phase::Running { .. }, _) => Some(Turn::Ended),
        _ => None,
    }
}

/// Whether the window was put away.
fn started(app: &AppHandle) -> bool {
    let Some(services) = app.try_state::<Services>() else { return false };
    let choice = locked(&services.settings).current().after_start;
    match choice {
        AfterStart::Keep => false,
        AfterStart::Hide => app.get_webview_window(WINDOW).is_some_and(|window| {
            window.minimize().inspect_err(|error| tracing::warn!(%error, "the window does not go")).is_ok()
        }),
        AfterStart::Close => {
            tracing::info!("the game has started; the launcher ends as it was told to");
            app.exit(0);
            false
        }
    }
}

/// Whether the window came back. Only where it was put away: one that a player minimised stays so.
fn show(app: &AppHandle) -> bool {
    app.get_webview_window(WINDOW).is_some_and(|window| {
        window
            .unminimize()
            .inspect_err(|error| tracing::warn!(%error, "the window does not come back"))
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_start_of_ours_moves_the_launcher() {
        let running = || Phase::Running { since_seconds: 1, still: Vec::new() };
        assert_eq!(turn(&Phase::Ready, &running()), Some(Turn::Started));
        assert_eq!(turn(&Phase::Downloading, &running()), Some(Turn::Started), "played before it is whole");
        assert_eq!(turn(&Phase::Starting, &running()), None, "it ran before we came");
        assert_eq!(turn(&running(), &running()), None);
        assert_eq!(turn(&running(), &Phase::Ready), Some(Turn::Ended));
        assert_eq!(turn(&Phase::Ready, &Phase::Checking), None);
    }
}
