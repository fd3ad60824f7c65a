//! From what the actor knows to what people see. Pure: the same facts give the same snapshot.

use super::{GameConfig, control::Step, error::GameError};
use crate::session::{self, TorrentStatus};
use crate::snapshot::{
    Action, Button, Failure, GameInfo, OriginRow, PIECE_MAP_BUCKETS, PauseReason, PeerClass, PeerRow, Phase,
    Reachability, SNAPSHOT_VERSION, Sharing, Snapshot, TrackerRow, Transfer,
};
use store::StoreError;

/// What decides the phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) opening: bool,
    pub(crate) installed: bool,
    pub(crate) update: bool,
    pub(crate) offline: bool,
    pub(crate) job: Option<JobFacts>,
    pub(crate) failure: Option<Phase>,
    /// Seconds since the game was started, and what of it still runs beside the program that was started.
    pub(crate) running: Option<(u64, Vec<String>)>,
    /// Something of the release that stands is still to come; whether it can be played all the same.
    pub(crate) partial: Option<bool>,
    pub(crate) damaged: bool,
}

/// What decides the phase while a job runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobFacts {
    pub(crate) step: Step,
    pub(crate) repair: bool,
    pub(crate) pause: Option<PauseReason>,
    /// The minute of the day at which hours without downloads end.
    pub(crate) until: Option<u16>,
    /// A word of the player's makes it go on where a rule holds it.
    pub(crate) may_go_on: bool,
    /// A check that nobody asked for: it changes nothing that is shown, unless nothing is known.
    pub(crate) quiet: bool,
    /// The game can be started while the rest of it comes.
    pub(crate) playable: bool,
}

pub(crate) fn phase(facts: &Facts) -> Phase {
    if facts.opening {
        return Phase::Starting;
    }
    if let Some((since_seconds, still)) = facts.running.clone() {
        return Phase::Running { since_seconds, still };
    }
    if let Some(job) = facts.job.filter(|job| !job.quiet) {
        return match (job.step, job.pause) {
            (Step::Downloading, Some(reason)) => Phase::Paused { reason, until: job.until },
            (Step::Downloading, None) if job.repair => Phase::Repairing,
            (Step::Downloading, None) => Phase::Downloading,
            (Step::Checking, _) => Phase::Checking,
            (Step::Preparing | Step::Verifying | Step::Unlocking, _) => Phase::Verifying,
            (Step::Applying, _) => Phase::Applying,
        };
    }
    if let Some(failure) = &facts.failure {
        return failure.clone();
    }
    match (facts.installed, facts.update, facts.offline) {
        (true, true, _) => Phase::UpdateAvailable,
        (_, _, true) => Phase::Offline,
        (true, false, false) if facts.partial == Some(false) => Phase::NotInstalled,
        (true, false, false) => Phase::Ready,
        (false, _, false) => Phase::NotInstalled,
    }
}

/// The big button and the lesser one: functions of the phase and whether something playable stands.
pub(crate) fn buttons(phase: &Phase, facts: &Facts) -> (Button, Option<Button>) {
    let button =
        |action, label: &str| Button { action: Some(action), label: label.to_owned(), enabled: true };
    let told = |label: &str| Button { action: None, label: label.to_owned(), enabled: false };
    let play = || button(Action::Play, "play");
    let playable = facts.installed && !facts.damaged && facts.partial != Some(false);
    let go_on = || button(Action::Install, "continue");
    let while_it_comes = facts.job.is_some_and(|job| job.playable);
    let play_anyway = || playable.then(|| button(Action::Play, "play_anyway"));
    match phase {
        Phase::Starting => (told("starting"), None),
        Phase::NotInstalled if facts.partial.is_some() => (go_on(), None),
        Phase::NotInstalled => (button(Action::Install, "install"), None),
        Phase::Checking => (told("checking"), play_anyway()),
        Phase::Downloading | Phase::Repairing if while_it_comes => {
            (play(), Some(button(Action::Pause, "pause")))
        }
        Phase::Paused { .. } if while_it_comes => (play(), Some(button(Action::Resume, "resume"))),
        Phase::Verifying | Phase::Applying if while_it_comes => (play(), None),
        Phase::UpdateAvailable => (button(Action::Update, "update"), play_anyway()),
        Phase::Downloading | Phase::Repairing => {
            (button(Action::Pause, "pause"), Some(button(Action::Cancel, "cancel")))
        }
        Phase::Paused { reason, .. } => (go_on_with(*reason, facts), Some(button(Action::Cancel, "cancel"))),
        Phase::Verifying => (button(Action::Cancel, "cancel"), None),
        Phase::Applying => (told("applying"), None),
        Phase::Ready if facts.partial.is_some() => (play(), Some(go_on())),
        Phase::Ready if facts.damaged => (button(Action::Repair, "repair"), Some(play())),
        Phase::Ready => (play(), None),
        Phase::Running { still, .. } => {
            let label = if still.is_empty() { "stop_game" } else { "still_running" };
            (told("running"), Some(button(Action::StopGame, label)))
        }
        Phase::Offline if playable => {
            (button(Action::Play, "play_offline"), Some(button(Action::Retry, "retry")))
        }
        Phase::Offline => (button(Action::Retry, "retry"), None),
        Phase::NeedsSpace { .. } | Phase::Blocked { .. } => {
            (button(Action::Retry, "try_again"), play_anyway())
        }
        Phase::FolderMissing { .. } => {
            (button(Action::Retry, "try_again"), Some(button(Action::Install, "reinstall")))
        }
        Phase::Failed { .. } => (button(Action::Retry, "try_again"), play_anyway()),
    }
}

/// The button of a download that waits: a rule is broken by a word of the player's, or not at all.
fn go_on_with(reason: PauseReason, facts: &Facts) -> Button {
    let by_rule = matches!(reason, PauseReason::Metered | PauseReason::Schedule);
    let (action, label) = match by_rule {
        false => (Some(Action::Resume), "resume"),
        true if facts.job.is_some_and(|job| job.may_go_on) => (Some(Action::Resume), "download_anyway"),
        true => (None, "waiting"),
    };
    Button { enabled: action.is_some(), action, label: label.to_owned() }
}

/// How a failure looks: some have a phase of their own.
pub(crate) fn failure_phase(error: &GameError) -> Phase {
    match error {
        GameError::Store(StoreError::NoSpace { dir, need, have }) => {
            Phase::NeedsSpace { need_bytes: *need, have_bytes: *have, dir: dir.display().to_string() }
        }
        GameError::Store(StoreError::Locked { path }) => Phase::Blocked { by: path.display().to_string() },
        GameError::Store(StoreError::FileLocked { path, .. }) => {
            Phase::Blocked { by: path.display().to_string() }
        }
        GameError::Store(StoreError::FolderMissing { path }) => {
            Phase::FolderMissing { dir: path.display().to_string() }
        }
        other => Phase::Failed { failure: Failure::from(other) },
    }
}

/// The swarm in detail.
pub(crate) fn transfer(status: &TorrentStatus, listen: Option<String>) -> Transfer {
    let stats = &status.stats;
    let percent = |part: u32| (u64::from(part) * 100 / u64::from(stats.pieces_total.max(1))) as u8;
    let peers = stats.peers.iter().map(|peer| PeerRow {
        address: peer.addr.to_string(),
        client: peer.client.clone().unwrap_or_default(),
        class: match peer.class {
            swarm::Class::Internet => PeerClass::Internet,
            swarm::Class::Lan => PeerClass::Lan,
        },
        outgoing: peer.outgoing,
        down_rate: peer.download_rate,
        up_rate: peer.upload_rate,
        downloaded_bytes: peer.downloaded,
        uploaded_bytes: peer.uploaded,
        percent: percent(peer.pieces),
        choked_by_peer: !peer.unchokes_us,
        choking_peer: !peer.unchoked,
    });
    let origins = status.origins.iter().map(|origin| OriginRow {
        url: origin.url.clone(),
        ok: origin.ok,
        detail: origin.detail.clone(),
        rate: origin.rate_bytes_per_second,
    });
    let trackers = status.trackers.iter().map(|tracker| TrackerRow {
        url: tracker.url.clone(),
        ok: tracker.ok,
        detail: tracker.detail.clone(),
        seeders: tracker.seeders,
        leechers: tracker.leechers,
    });
    Transfer {
        pieces_have: stats.pieces_have,
        pieces_total: stats.pieces_total,
        piece_map: piece_map(&status.have, stats.pieces_total),
        rarest: stats.availability_min,
        peers: peers.collect(),
        origins: origins.collect(),
        listen,
        reachability: Reachability::default(),
        trackers: trackers.collect(),
        bad_pieces: u32::try_from(stats.failed_pieces).unwrap_or(u32::MAX),
        wasted_bytes: stats.wasted_bytes,
    }
}

/// The session's word for it as people see it.
pub(crate) fn reachability(session: session::Reachability) -> Reachability {
    match session {
        session::Reachability::Unknown => Reachability::Unknown,
        session::Reachability::Reachable => Reachability::Reachable,
        session::Reachability::Unreachable => Reachability::Unreachable,
    }
}

/// Percent of each run of neighbouring pieces; the bits lie high bit first, as on the wire.
fn piece_map(have: &[u8], pieces: u32) -> Vec<u8> {
    let buckets = (pieces as usize).min(PIECE_MAP_BUCKETS);
    let bit = |piece: usize| have.get(piece / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0);
    let bounds = |bucket: usize| bucket * pieces as usize / buckets;
    (0..buckets)
        .map(|bucket| {
            let (from, to) = (bounds(bucket), bounds(bucket + 1));
            let here = (from..to).filter(|piece| bit(*piece)).count();
            (here * 100 / (to - from)) as u8
        })
        .collect()
}

/// The snapshot before anything is known.
pub(crate) fn starting(config: &GameConfig) -> Snapshot {
    let facts = Facts { opening: true, ..Facts::default() };
    let phase = phase(&facts);
    let (primary, secondary) = buttons(&phase, &facts);
    let link = config.link.as_ref();
    Snapshot {
        v: SNAPSHOT_VERSION,
        game: GameInfo {
            id: link.map(|link| link.game.to_string()).unwrap_or_default(),
            title: config.title.clone(),
            channel: link.map(|link| link.channel.to_string()).unwrap_or_default(),
            dir: config.dir.display().to_string(),
        },
        phase,
        primary,
        secondary,
        installed: None,
        available: None,
        preload: None,
        progress: None,
        sets: None,
        downloaded: Default::default(),
        uploaded_bytes: 0,
        rates: Default::default(),
        limits: config.policy.limits,
        sharing: Sharing {
            mode: config.sharing,
            active: false,
            paused_reason: None,
            month_bytes: 0,
            month_budget: config.policy.month_upload,
        },
        transfer: Transfer::default(),
        repair_offered: Vec::new(),
        offline: false,
        last_check: None,
        last_exit: None,
        summary: None,
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> JobFacts {
        JobFacts {
            step: Step::Checking,
            repair: false,
            pause: None,
            until: None,
            may_go_on: true,
            quiet: false,
            playable: false,
        }
    }

    #[test]
    fn a_download_that_a_rule_holds_goes_on_by_a_word_or_not_at_all() {
        let held = |reason, may_go_on| {
            let job = JobFacts {
                step: Step::Downloading,
                pause: Some(reason),
                until: Some(120),
                may_go_on,
                ..idle()
            };
            let facts = Facts { job: Some(job), ..Facts::default() };
            let phase = phase(&facts);
            assert_eq!(phase, Phase::Paused { reason, until: Some(120) });
            let (primary, _) = buttons(&phase, &facts);
            (primary.label, primary.action)
        };
        assert_eq!(held(PauseReason::Metered, true), ("download_anyway".into(), Some(Action::Resume)));
        assert_eq!(held(PauseReason::Metered, false), ("waiting".into(), None));
        assert_eq!(held(PauseReason::User, false), ("resume".into(), Some(Action::Resume)));
    }

    #[test]
    fn every_phase_has_a_button_with_a_label() {
        let job = |step, pause| Some(JobFacts { step, pause, ..idle() });
        let rest = |step, pause| Some(JobFacts { step, pause, playable: true, ..idle() });
        let facts = [
            Facts { opening: true, ..Facts::default() },
            Facts::default(),
            Facts { installed: true, ..Facts::default() },
            Facts { installed: true, update: true, ..Facts::default() },
            Facts { installed: true, offline: true, ..Facts::default() },
            Facts { offline: true, ..Facts::default() },
            Facts { installed: true, running: Some((3, Vec::new())), ..Facts::default() },
            Facts { job: job(Step::Downloading, None), ..Facts::default() },
            Facts { job: job(Step::Downloading, Some(PauseReason::User)), ..Facts::default() },
            Facts { job: job(Step::Applying, None), ..Facts::default() },
            Facts { installed: true, damaged: true, ..Facts::default() },
            Facts { job: rest(Step::Downloading, None), ..Facts::default() },
            Facts { job: rest(Step::Downloading, Some(PauseReason::User)), ..Facts::default() },
            Facts { installed: true, partial: Some(true), ..Facts::default() },
            Facts { installed: true, partial: Some(false), ..Facts::default() },
        ];
        let labels: Vec<String> = facts.iter().map(|facts| buttons(&phase(facts), facts).0.label).collect();
        let expected = [
            "starting",
            "install",
            "play",
            "update",
            "play_offline",
            "retry",
            "running",
            "pause",
            "resume",
            "applying",
            "repair",
            "play",
            "play",
            "play",
            "continue",
        ];
        assert_eq!(labels, expected);
    }

    #[test]
    fn a_quiet_check_hides_nothing() {
        let quiet = Some(JobFacts { quiet: true, ..idle() });
        let facts = Facts { installed: true, job: quiet, ..Facts::default() };
        assert_eq!(phase(&facts), Phase::Ready);
    }

    #[test]
    fn the_map_is_bounded_and_counts_bits() {
        assert_eq!(piece_map(&[0b1010_0000], 3), vec![100, 0, 100]);
        let map = piece_map(&[0xff; 1000], 8000);
        assert_eq!(map.len(), PIECE_MAP_BUCKETS);
        assert!(map.iter().all(|percent| *percent == 100));
        assert!(piece_map(&[], 0).is_empty());
    }
}
