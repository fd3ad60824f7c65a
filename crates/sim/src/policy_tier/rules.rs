//! The rules of the swarm, as functions of plain data.
//!
//! They say what the swarm's picker, choker and origin gate say today; where the swarm offers such a function itself,
//! the one here calls it.

use std::time::Duration;

use swarm::{Config, Time};

/// What a choker sees of a peer.
#[derive(Debug, Clone, Copy)]
pub struct Applicant {
    /// It has no slot.
    pub choked: bool,
    /// It wants something that we have.
    pub interested: bool,
    /// Pieces it has.
    pub pieces: u32,
    /// Pieces there are.
    pub pieces_total: u32,
    /// Since when it has its slot, if it has one.
    pub slot_since: Time,
    /// When it last lost a slot.
    pub slot_ended: Option<Time>,
}

/// A peer's place in the line for slots; the lowest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    turn: u8,
    slot_ended: Option<Time>,
    lot: u32,
}

/// Who is served first: holders for their time, newcomers, who waits longest, holders whose time is over.
#[must_use]
pub fn slot_place(applicant: &Applicant, now: Time, config: &Config, lot: u32) -> Place {
    let turn = match (applicant.choked, applicant.interested) {
        (false, false) => 4,
        (false, true) if now.since(applicant.slot_since) < config.slot_time => 0,
        (false, true) => 3,
        (true, _) if applicant.pieces == 0 => 1,
        (true, _) => 2,
    };
    Place { turn, slot_ended: applicant.slot_ended, lot }
}

/// How an uploader's slots were used since they were last counted.
#[derive(Debug, Clone, Copy)]
pub struct SlotUse {
    /// Slots it gives.
    pub slots: usize,
    /// How often it looked.
    pub ticks: u32,
    /// How often it had nothing to send then.
    pub idle_ticks: u32,
    /// Whether somebody waits for a slot.
    pub somebody_waits: bool,
}

/// How many slots it gives from now on.
#[must_use]
pub fn slots(used: SlotUse, config: &Config) -> usize {
    let slots = if used.somebody_waits && used.idle_ticks * 3 > used.ticks {
        used.slots + 1
    } else if used.idle_ticks == 0 && used.slots > config.upload_slots_min {
        used.slots - 1
    } else {
        used.slots
    };
    slots.clamp(config.upload_slots_min, config.upload_slots_max.max(config.upload_slots_min))
}

/// Whether a peer with so many pieces takes any piece, not the rarest.
#[must_use]
pub fn picks_at_random(pieces_have: u32) -> bool {
    pieces_have < 4
}

/// A piece's place among those that could be asked for; the lowest comes first.
#[must_use]
pub fn piece_place(availability: u32, lot: u32) -> (u32, u32) {
    (availability, lot)
}

/// What an origin gate sees.
#[derive(Debug, Clone, Copy)]
pub struct Supply {
    /// Some connected peer has something for us, or may have.
    pub promising: bool,
    /// Some peer that is not snubbed owes us blocks.
    pub served: bool,
    /// What all peers together give, bytes per second.
    pub rate_from_peers: u64,
    /// Missing pieces that no connected peer has.
    pub unseen: u32,
    /// Since when peers give too little.
    pub starving_since: Option<Time>,
}

/// How urgently the origin is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Not at all.
    None,
    /// Peers give enough, but there are pieces that none of them has.
    Unseen,
    /// Peers give too little for so many delays.
    Some(usize),
    /// There is nothing else.
    Full,
}

/// How urgently the origin is needed, and since when the peer starves.
#[must_use]
pub fn need(supply: &Supply, now: Time, config: &Config) -> (Need, Option<Time>) {
    if !supply.promising {
        return (Need::Full, Some(now));
    }
    if supply.served && supply.rate_from_peers >= config.origin_floor_bytes_per_second {
        return (if supply.unseen > 0 { Need::Unseen } else { Need::None }, None);
    }
    let since = supply.starving_since.unwrap_or(now);
    let delays = now.since(since).as_micros() / config.origin_delay.as_micros().max(1);
    let need = match usize::try_from(delays) {
        Ok(0) => Need::None,
        Ok(delays) if supply.served => Need::Some(delays),
        _ => Need::Full,
    };
    (need, Some(since))
}

/// Whether one more piece may be fetched from the origin.
#[must_use]
pub fn origin_has_room(need: Need, fetches: usize, bytes: u64, window: usize, config: &Config) -> bool {
    match need {
        Need::None => false,
        Need::Unseen => fetches == 0,
        Need::Some(delays) => fetches < delays.min(config.origin_fetches),
        Need::Full => {
            let small = bytes < config.origin_window_bytes && fetches < config.origin_fetches_max;
            fetches < window.clamp(1, config.origin_fetches) || (small && fetches < window)
        }
    }
}

/// The window of fetches after one that took so long.
#[must_use]
pub fn origin_window(window: usize, took: Duration, config: &Config) -> usize {
    let window = match took.as_secs() {
        0 => window + 1,
        1 | 2 => window,
        _ => window / 2,
    };
    window.clamp(1, config.origin_fetches_max)
}
