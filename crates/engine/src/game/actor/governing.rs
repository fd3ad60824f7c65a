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
        if decision.hold != before.hold {
            self.hold_for_game();
        }
        if decision.share != before.share {
            self.share().await;
        }
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
