//! What the policy says now, put into force.

use super::Actor;
use crate::game::{Situation, jobs::Kind};
use crate::snapshot::PauseReason;
use chrono::{Local, NaiveDateTime};

impl Actor {
    /// Counts what was passed on and brings caps, transfers and sharing in line with what the player allows. Nothing is
    /// done while nothing changes.
    pub(super) async fn govern(&mut self) {
        let now = Local::now().naive_local();
        self.count(now);
        let decision = self.policy.decide(&self.situation(now));
        let before = std::mem::replace(&mut self.decision, decision);
        if decision.caps != before.caps {
            self.session.set_caps(decision.caps);
        }
        self.hold();
        if decision.share != before.share {
            self.share().await;
        }
    }

    /// A transfer that runs is held while a rule says so, and goes on afterwards. What the player holds stays held.
    pub(super) fn hold(&self) {
        let Some(job) = &self.job else { return };
        let hold = self.decision.hold;
        job.control.pause.send_if_modified(|pause| {
            let by_player = matches!(pause, Some(PauseReason::User | PauseReason::Space));
            !by_player && std::mem::replace(pause, hold) != hold
        });
    }

    /// The player lets a transfer go on that waits: also past the rule that holds it.
    pub(super) fn go_on(&mut self) {
        let Some(job) = &mut self.job else { return };
        let by_rule = matches!(
            *job.control.pause.borrow(),
            Some(PauseReason::Game | PauseReason::Metered | PauseReason::Schedule)
        );
        job.anyway |= by_rule;
        job.control.pause.send_replace(None);
    }

    /// Bytes passed on over the internet this month.
    pub(super) fn month_bytes(&self) -> u64 {
        self.ledger.borrow().used(Local::now().naive_local())
    }

    fn situation(&self, now: NaiveDateTime) -> Situation {
        let fetching = self.job.as_ref().filter(|job| job.kind != Kind::Check);
        Situation {
            now,
            month_uploaded: self.ledger.borrow().used(now),
            mode: self.sharing,
            playing: self.running.is_some(),
            rest: fetching.is_some_and(|job| job.control.parts.are_playable()),
            stopped: self.sharing_stopped,
            metered: self.metered,
            anyway: self.job.as_ref().is_some_and(|job| job.anyway),
            held: fetching.is_some_and(|job| *job.control.pause.borrow() == Some(PauseReason::User)),
        }
    }

    fn count(&mut self, now: NaiveDateTime) {
        let sent = self.session.internet_upload_bytes();
        let more = sent.saturating_sub(self.counted);
        self.counted = sent;
        if more > 0 {
            self.ledger.send_modify(|ledger| ledger.add(now, more));
        }
    }
}
