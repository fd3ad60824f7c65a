//! What a player allows when: caps by the hour, a budget for the month, less while the game runs.
//!
//! Pure: rules and a situation give a decision, the same every time. The actor asks on every tick, so a window opens and
//! closes within a fraction of a second, and a clock that jumps only changes the situation.

mod ledger;
mod schedule;

pub use ledger::Ledger;
pub use schedule::Window;

use crate::{
    session::Caps,
    snapshot::{Limits, PauseReason, SharingMode, SharingPause},
};
use chrono::{NaiveDateTime, TimeDelta, Timelike};

/// Minutes of a week.
const WEEK_MINUTES: i64 = 7 * 24 * 60;

/// What transfers do while the game runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhilePlaying {
    /// Nothing is downloaded or passed on.
    #[default]
    Pause,
    /// Everything goes on within these caps, where they are the smaller ones.
    Limit(Limits),
    /// Everything goes on.
    Ignore,
}

/// What is done with an update that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Updates {
    /// The player asks for it.
    #[default]
    Ask,
    /// It is installed as soon as nothing speaks against it.
    Auto,
}

/// What is done on a network that is paid for by the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metered {
    /// Downloads wait for a word of the player's, and nothing is passed on.
    #[default]
    Ask,
    /// Downloads wait for another network, and nothing is passed on.
    Pause,
    /// It is a network like any other.
    Allow,
}

/// What a player allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Caps outside every window.
    pub limits: Limits,
    /// Cap of an upload that nobody waits for, bytes per second: when only passing on.
    pub idle_up: Option<u64>,
    /// Hours with caps of their own; the first that is open holds.
    pub windows: Vec<Window>,
    /// Bytes that may be passed on over the internet in a calendar month; `None`: any number.
    pub month_upload: Option<u64>,
    /// While the game runs.
    pub while_playing: WhilePlaying,
    /// Whether the local network counts against the caps. Default: it does not.
    pub lan_capped: bool,
    /// Whether updates are installed without being asked for.
    pub updates: Updates,
    /// On a network that is paid for by the amount.
    pub metered: Metered,
}

/// What matters at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The player's clock on the wall.
    pub now: NaiveDateTime,
    /// Bytes passed on over the internet this month.
    pub month_uploaded: u64,
    /// When bytes are passed on at all.
    pub mode: SharingMode,
    /// The game runs.
    pub playing: bool,
    /// What is fetched is the rest of the very release that can be played already: the game that runs waits for it.
    pub rest: bool,
    /// The player said stop to sharing.
    pub stopped: bool,
    /// The player holds the download.
    pub held: bool,
    /// The network is paid for by the amount.
    pub metered: bool,
    /// The player said that this download goes on all the same.
    pub anyway: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decision {
    /// Caps in force, for people.
    pub limits: Limits,
    /// The same, for the session.
    pub caps: Caps,
    /// Whether peers are served.
    pub share: bool,
    /// Why downloads are held, if they are.
    pub hold: Option<PauseReason>,
    /// The minute of the day at which hours without downloads end.
    pub until_minute: Option<u16>,
    /// Why peers are not served, where the mode would allow it.
    pub rests: Option<SharingPause>,
}

impl Policy {
    /// What follows for `situation`.
    #[must_use]
    pub fn decide(&self, situation: &Situation) -> Decision {
        let window = self.windows.iter().find(|window| window.is_open(situation.now));
        let limits = self.limits(window, situation.playing);
        let rests = self.rests(window, situation);
        let hold = self.holds(window, situation);
        let waits_for_hours = hold == Some(PauseReason::Schedule);
        Decision {
            limits,
            caps: Caps {
                up: limits.up,
                down: limits.down,
                background_up: self.idle_up,
                lan_capped: self.lan_capped,
                ..Caps::default()
            },
            share: situation.mode != SharingMode::Off && rests.is_none(),
            hold,
            until_minute: waits_for_hours.then(|| self.downloads_again(situation.now)).flatten(),
            rests,
        }
    }

    fn limits(&self, window: Option<&Window>, playing: bool) -> Limits {
        let limits = window.map_or(self.limits, |window| window.limits);
        match self.while_playing {
            WhilePlaying::Limit(less) if playing => {
                Limits { up: smaller(limits.up, less.up), down: smaller(limits.down, less.down) }
            }
            _ => limits,
        }
    }

    /// Why a download waits. What the player said for this one goes before every rule.
    fn holds(&self, window: Option<&Window>, situation: &Situation) -> Option<PauseReason> {
        if situation.anyway {
            return None;
        }
        let playing = situation.playing && !situation.rest && self.while_playing == WhilePlaying::Pause;
        let reasons = [
            (playing, PauseReason::Game),
            (situation.metered && self.metered != Metered::Allow, PauseReason::Metered),
            (window.is_some_and(|window| window.no_downloads), PauseReason::Schedule),
        ];
        reasons.into_iter().find(|(applies, _)| *applies).map(|(_, reason)| reason)
    }

    /// When hours come at which downloads are allowed, as a minute of its day; `None` if that is never in a week.
    fn downloads_again(&self, now: NaiveDateTime) -> Option<u16> {
        let allowed = |at: &NaiveDateTime| {
            !self.windows.iter().find(|window| window.is_open(*at)).is_some_and(|window| window.no_downloads)
        };
        let minutes = (1..=WEEK_MINUTES).map(|minutes| now + TimeDelta::minutes(minutes));
        let at = minutes.into_iter().find(allowed)?;
        u16::try_from(at.hour() * 60 + at.minute()).ok()
    }

    /// The nearest reason first: what a player could change at once is said before what a clock does.
    fn rests(&self, window: Option<&Window>, situation: &Situation) -> Option<SharingPause> {
        if situation.mode == SharingMode::Off {
            return None;
        }
        // What stays in one's own network costs nobody anything.
        let abroad = situation.mode != SharingMode::Lan;
        let used_up = self.month_upload.is_some_and(|budget| situation.month_uploaded >= budget);
        let reasons = [
            (situation.playing && self.while_playing == WhilePlaying::Pause, SharingPause::Playing),
            (situation.stopped, SharingPause::User),
            (situation.held, SharingPause::Held),
            (abroad && used_up, SharingPause::Budget),
            (abroad && situation.metered && self.metered != Metered::Allow, SharingPause::Metered),
            (abroad && window.is_some_and(|window| !window.sharing), SharingPause::Schedule),
        ];
        reasons.into_iter().find(|(applies, _)| *applies).map(|(_, reason)| reason)
    }
}

/// The smaller of two caps, of which none is the largest.
fn smaller(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Days, NaiveDate};

    /// A Monday, at noon.
    fn noon() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 6, 1).and_then(|day| day.and_hms_opt(12, 0, 0)).expect("a date")
    }

    fn situation() -> Situation {
        Situation {
            now: noon(),
            month_uploaded: 0,
            mode: SharingMode::WhileOpen,
            playing: false,
            rest: false,
            stopped: false,
            held: false,
            metered: false,
            anyway: false,
        }
    }

    fn policy() -> Policy {
        Policy { limits: Limits { up: Some(300_000), down: None }, ..Policy::default() }
    }

    #[test]
    fn every_reason_to_rest_has_its_name_and_the_nearest_is_said() {
        let evening = Window {
            days: [true; 7],
            from_minute: 18 * 60,
            to_minute: 23 * 60,
            sharing: false,
            ..Window::default()
        };
        let policy = Policy { windows: vec![evening], month_upload: Some(1_000), ..policy() };
        let at = |hour: i64| noon() + TimeDelta::hours(hour - 12);
        let base = situation();
        let cases = [
            (base, None),
            (Situation { now: at(18), ..base }, Some(SharingPause::Schedule)),
            (Situation { now: at(23), ..base }, None),
            (Situation { month_uploaded: 999, ..base }, None),
            (Situation { month_uploaded: 1_000, now: at(18), ..base }, Some(SharingPause::Budget)),
            (Situation { held: true, month_uploaded: 1_000, ..base }, Some(SharingPause::Held)),
            (Situation { stopped: true, held: true, ..base }, Some(SharingPause::User)),
            (Situation { playing: true, stopped: true, ..base }, Some(SharingPause::Playing)),
            // Nothing to rest where nothing is shared, and the own network is neither metered nor on a schedule.
            (Situation { mode: SharingMode::Off, playing: true, ..base }, None),
            (Situation { mode: SharingMode::Lan, month_uploaded: 5_000, now: at(18), ..base }, None),
        ];
        for (situation, rests) in cases {
            let decision = policy.decide(&situation);
            assert_eq!(decision.rests, rests, "{situation:?}");
            assert_eq!(
                decision.share,
                rests.is_none() && situation.mode != SharingMode::Off,
                "{situation:?}"
            );
        }
    }

    #[test]
    fn a_window_brings_its_own_caps_and_the_first_that_is_open_holds() {
        let limits = |up| Limits { up, down: Some(8_000_000) };
        let window = |from_minute, to_minute, up| Window {
            days: [true; 7],
            from_minute,
            to_minute,
            limits: limits(up),
            sharing: true,
            no_downloads: false,
        };
        let night = window(23 * 60, 6 * 60, None);
        let early = window(5 * 60, 8 * 60, Some(50_000));
        let policy = Policy { windows: vec![night, early], ..policy() };
        let limits_at = |hour: i64| {
            let now = noon() + TimeDelta::hours(hour - 12);
            policy.decide(&Situation { now, ..situation() }).limits
        };
        assert_eq!(limits_at(12), policy.limits);
        assert_eq!(limits_at(23), limits(None), "a window may lift a cap");
        assert_eq!(limits_at(5), limits(None), "the first of two");
        assert_eq!(limits_at(7), limits(Some(50_000)));
        // A clock that jumps, for summer time or by hand, only changes what holds.
        assert_eq!(limits_at(7 + 24 * 400), limits(Some(50_000)));
        assert_eq!(limits_at(12 - 24 * 400), policy.limits);
    }

    #[test]
    fn while_playing_the_smaller_cap_holds() {
        let less = Limits { up: Some(50_000), down: Some(500_000) };
        let with = |up, while_playing| Policy {
            limits: Limits { up, down: Some(90_000) },
            while_playing,
            ..Policy::default()
        };
        let decide = |policy: Policy, playing| policy.decide(&Situation { playing, ..situation() });
        let limited = |up| decide(with(up, WhilePlaying::Limit(less)), true);
        assert_eq!(limited(None).limits, Limits { up: Some(50_000), down: Some(90_000) });
        assert_eq!(limited(Some(10_000)).caps.up, Some(10_000));
        assert!(limited(None).share && limited(None).hold.is_none());
        assert_eq!(decide(with(Some(90_000), WhilePlaying::Limit(less)), false).caps.up, Some(90_000));
        assert_eq!(decide(with(None, WhilePlaying::Ignore), true).caps.up, None);
        let paused = decide(with(None, WhilePlaying::Pause), true);
        assert!(paused.hold == Some(PauseReason::Game) && !paused.share);
        // A game waits for its own rest, and the others wait until it is over.
        let rest = Situation { playing: true, rest: true, ..situation() };
        let rest = with(None, WhilePlaying::Pause).decide(&rest);
        assert!(rest.hold.is_none() && !rest.share);
    }

    #[test]
    fn downloads_wait_on_a_metered_network_and_at_hours_that_say_so() {
        let night = |from_minute, to_minute| Window {
            days: [true; 7],
            from_minute,
            to_minute,
            sharing: true,
            no_downloads: true,
            ..Window::default()
        };
        // Two after each other: it goes on when the second closes.
        let hours = Policy {
            windows: vec![night(11 * 60, 13 * 60), night(13 * 60, 26 * 60 % (24 * 60))],
            ..policy()
        };
        let held = |policy: &Policy, situation| {
            let decision = policy.decide(&situation);
            (decision.hold, decision.until_minute)
        };
        let base = situation();
        assert_eq!(held(&hours, base), (Some(PauseReason::Schedule), Some(2 * 60)));
        assert_eq!(held(&hours, Situation { anyway: true, ..base }), (None, None));
        let always = Policy { windows: vec![night(0, 0)], ..policy() };
        assert_eq!(held(&always, base), (Some(PauseReason::Schedule), None), "never");

        let metered = Situation { metered: true, ..base };
        for (rule, hold) in [
            (Metered::Ask, Some(PauseReason::Metered)),
            (Metered::Pause, Some(PauseReason::Metered)),
            (Metered::Allow, None),
        ] {
            let policy = Policy { metered: rule, ..policy() };
            assert_eq!(held(&policy, metered).0, hold, "{rule:?}");
            assert_eq!(held(&policy, base).0, None, "{rule:?} elsewhere");
            let decision = policy.decide(&metered);
            assert_eq!(decision.share, rule == Metered::Allow, "{rule:?}");
            let lan = policy.decide(&Situation { mode: SharingMode::Lan, ..metered });
            assert!(lan.share, "the own network costs nothing");
        }
        let anyway = policy().decide(&Situation { anyway: true, ..metered });
        assert!(anyway.hold.is_none() && !anyway.share, "a download that goes on passes nothing on");
        let playing = Situation { playing: true, ..metered };
        assert_eq!(held(&policy(), playing).0, Some(PauseReason::Game), "the nearest reason");
    }

    #[test]
    fn a_budget_that_is_used_up_opens_again_with_the_month() {
        let policy = Policy { month_upload: Some(10_000), ..policy() };
        let mut ledger = Ledger::default();
        let shares = |ledger: &Ledger, now| {
            policy.decide(&Situation { now, month_uploaded: ledger.used(now), ..situation() }).share
        };
        let mut now = noon();
        ledger.add(now, 9_999);
        assert!(shares(&ledger, now));
        ledger.add(now, 1);
        assert!(!shares(&ledger, now));
        now = now + Days::new(29);
        assert!(!shares(&ledger, now), "the last of June");
        assert!(shares(&ledger, now + Days::new(1)), "the first of July");
        // Somebody tries a clock ahead and sets it back: June is still used up.
        ledger.add(now + Days::new(1), 5);
        assert!(!shares(&ledger, now));
    }
}
