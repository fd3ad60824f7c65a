//! The swarm's rules as functions of plain data: who gets a slot, which piece comes first, when the origin helps.
//!
//! [`crate::Swarm`] decides by these very functions, and so can whoever has no swarm but numbers, such as a simulation
//! of a hundred thousand players. They keep no state and draw no lots: what changes is given back, what is random is an
//! argument.

use std::time::Duration;

use crate::{Config, Time};

/// Peers that are packed for each by itself: their streams' memory is what bounds them.
const STREAMED_MAX: usize = 4;
/// Pieces picked at random before rarity counts, so that a newcomer soon has something to give.
const RANDOM_FIRST: u32 = 4;
/// A fetch that takes less leaves room for another; one that takes `CROWDED` shows that too many wait there.
const BRISK: Duration = Duration::from_secs(1);
const CROWDED: Duration = Duration::from_secs(3);

/// What a choker sees of a peer that has a slot or wants one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applicant {
    /// It has no slot.
    pub choked: bool,
    /// It wants something that we have.
    pub interested: bool,
    /// Pieces it has.
    pub pieces: u32,
    /// Of all who are interested and [`nearly_done`] it has most.
    pub nearest: bool,
    /// Since when it has its slot, if it has one.
    pub slot_since: Time,
    /// When it last lost a slot.
    pub slot_ended: Option<Time>,
    /// Since when it has had nothing waiting here, if it has a slot and nothing waits.
    pub idle_since: Option<Time>,
    /// When it last lost a slot because it had nothing waiting.
    pub passed_at: Option<Time>,
}

/// A peer's place in the line for slots; the lowest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotPlace {
    turn: Turn,
    /// Those who have least come first: a crowd is done when the last of it is.
    pieces: u32,
    /// Those who had their slot longest ago come first, those who never had one before all.
    slot_ended: Option<Time>,
    lot: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Has a slot, wants it, and has not had it for long.
    Keeps,
    /// Is soonest done.
    Nearest,
    /// Has no piece yet.
    Newcomer,
    Waits,
    /// Had a slot a moment ago and asked for nothing.
    Passed,
    /// Had its slot for its time; keeps it if nobody else wants it.
    Spent,
    /// Has a slot and asks for nothing: what it wants of us it gets elsewhere.
    Idle,
    /// Has a slot but wants nothing now.
    Unused,
}

/// Whether a peer has had nothing waiting for so long that its slot is better given to another.
#[must_use]
pub fn slot_is_idle(idle_since: Option<Time>, now: Time, config: &Config) -> bool {
    idle_since.is_some_and(|since| now.since(since) >= config.slot_idle)
}

/// Whether who has so many of all pieces is helped to the rest: one slot is for the nearest to its end of these. Who is
/// done can lose nothing any more and has everything to give.
#[must_use]
pub fn nearly_done(pieces_have: u32, pieces: u32) -> bool {
    pieces_have >= pieces - pieces / 2
}

/// Where a peer stands in the line; `lot` decides among equals.
#[must_use]
pub fn slot_place(applicant: &Applicant, now: Time, config: &Config, lot: u32) -> SlotPlace {
    let idle = slot_is_idle(applicant.idle_since, now, config);
    let passed = applicant.passed_at.is_some_and(|at| now.since(at) < config.slot_time);
    let turn = match (applicant.choked, applicant.interested) {
        (false, false) => Turn::Unused,
        (false, true) if idle => Turn::Idle,
        (true, _) if passed => Turn::Passed,
        (false, true) if now.since(applicant.slot_since) < config.slot_time => Turn::Keeps,
        (_, true) if applicant.nearest => Turn::Nearest,
        (false, true) => Turn::Spent,
        (true, _) if applicant.pieces == 0 => Turn::Newcomer,
        (true, _) => Turn::Waits,
    };
    SlotPlace { turn, pieces: applicant.pieces, slot_ended: applicant.slot_ended, lot }
}

/// How an uploader's slots were used since it last counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotUse {
    /// Slots it gives.
    pub slots: usize,
    /// How often it looked.
    pub ticks: u32,
    /// How often nobody with a slot had anything waiting then.
    pub idle_ticks: u32,
    /// Somebody waits for a slot.
    pub somebody_waits: bool,
}

/// How many slots are given from now on: more if the upload stood idle for a third of the time, fewer if it never did.
#[must_use]
pub fn slots(used: SlotUse, config: &Config) -> usize {
    let slots = if used.somebody_waits && used.idle_ticks * 3 > used.ticks {
        used.slots + 1
    } else if used.idle_ticks == 0 {
        used.slots.saturating_sub(1)
    } else {
        used.slots
    };
    slots.clamp(config.upload_slots_min, config.upload_slots_max.max(config.upload_slots_min))
}

/// How many slots are given from now on by an uploader that stands idle while somebody waits; `None`: it has to wait
/// until who has one wants more, or has wanted nothing for a while (`somebody_idles`) and makes room.
#[must_use]
pub fn slots_when_idle(slots: usize, somebody_idles: bool, config: &Config) -> Option<usize> {
    let room = slots < config.upload_slots_max;
    (room || somebody_idles).then_some(slots + usize::from(room))
}

/// Whether an uploader with so many interested peers packs for each by itself, with what went to it before as reference.
/// In a crowd the same is wanted by many: what was packed once is sent to all.
#[must_use]
pub fn streams(interested: usize) -> bool {
    interested <= STREAMED_MAX
}

/// Whether one that has so many pieces picks any piece, not the rarest.
#[must_use]
pub fn picks_at_random(pieces_have: u32) -> bool {
    pieces_have < RANDOM_FIRST
}

/// A piece's place among those that could be asked of a peer; the lowest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PiecePlace {
    untouched: bool,
    availability: u32,
    free_blocks: u32,
    lot: u32,
}

/// Begun pieces come first, the rarest of them first and then the nearest to its end; then the rarest untouched one.
#[must_use]
pub fn piece_place(availability: u32, free_blocks_if_begun: Option<u32>, lot: u32) -> PiecePlace {
    let free_blocks = free_blocks_if_begun.unwrap_or(0);
    PiecePlace { untouched: free_blocks_if_begun.is_none(), availability, free_blocks, lot }
}

/// What a player sees of its supply when it asks itself whether it needs the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supply {
    /// Some connected peer has something for us, or may have.
    pub promising: bool,
    /// Connection attempts under way.
    pub connecting: usize,
    /// Some peer that is not snubbed owes us blocks.
    pub served: bool,
    /// What all peers together give, bytes per second.
    pub rate_from_peers: u64,
    /// What we ourselves let them give, bytes per second; `None`: as much as they can.
    pub own_cap: Option<u64>,
    /// How many peers have the rarest piece that nobody was asked for and the origin may have; `None`: there is none.
    pub rarest: Option<u32>,
    /// How many fetch the torrent, ourselves included, as far as we know.
    pub players: u32,
    /// Our lot, drawn once for the torrent: who drew low goes to the origin for a crowd.
    pub lot: u32,
    /// We have no piece yet.
    pub has_nothing: bool,
    /// Since when peers give too little, as the last call said.
    pub starving_since: Option<Time>,
}

/// How urgently the origin is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Not at all.
    None,
    /// Peers give enough, but there are pieces that hardly any of them has.
    Unseen,
    /// Peers give too little for so many delays.
    Some(usize),
    /// There is nothing else.
    Full,
}

/// How urgently the origin is needed, and since when the player starves.
#[must_use]
pub fn need(supply: &Supply, now: Time, config: &Config) -> (Need, Option<Time>) {
    // Who gets as much as it allows is not helped by the origin, however little that is.
    let allowed = supply.own_cap.map_or(u64::MAX, |cap| cap / 4 * 3);
    let floor = config.origin_floor_bytes_per_second.min(allowed);
    let enough = supply.served && supply.rate_from_peers >= floor;
    let starving_since = if enough { None } else { Some(supply.starving_since.unwrap_or(now)) };
    let delay = config.origin_delay.as_micros().max(1);
    let starved = now.since(starving_since.unwrap_or(now)).as_micros() / delay;
    let delays = u32::try_from(starved).unwrap_or(u32::MAX);
    // Many who begin at once get their first piece late, so few begin; what few fetch is passed on by few, so many go
    // on.
    let going = if supply.has_nothing { config.origin_first } else { config.origin_injectors };
    let first = goes_first(supply.lot, going, supply.players, delays);
    let alone = supply.players <= 1 && supply.connecting == 0;
    // What half of them have is not rare, however few they are.
    let spread = config.origin_spread.min(supply.players / 2);
    let rare = supply.rarest.is_some_and(|availability| availability <= spread);
    let need = match delays {
        _ if !enough && !supply.promising && (alone || first) => Need::Full,
        0 if first && rare => Need::Unseen,
        0 => Need::None,
        _ if !supply.served => Need::Full,
        delays => Need::Some(delays as usize),
    };
    (need, starving_since)
}

/// Whether who drew `lot` is among those of a crowd of `players` that go to the origin first; with every delay that
/// passes twice as many are.
#[must_use]
pub fn goes_first(lot: u32, injectors: u32, players: u32, delays: u32) -> bool {
    let going = u64::from(injectors) << delays.min(31);
    injectors == 0 || u64::from(lot) * u64::from(players) < going << 32
}

/// What is under way at the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetching {
    /// Pieces asked for.
    pub fetches: usize,
    /// Their bytes that are awaited.
    pub bytes: u64,
    /// How many fetches the origin was found to take, see [`origin_window`].
    pub window: usize,
    /// We have no piece yet and others fetch too.
    pub first_of_a_crowd: bool,
}

/// Whether one more piece may be asked of the origin.
#[must_use]
pub fn origin_has_room(need: Need, now: &Fetching, config: &Config) -> bool {
    let within_window = now.fetches < now.window.clamp(1, config.origin_fetches.max(1));
    match need {
        Need::None => false,
        Need::Unseen => within_window,
        Need::Some(delays) => now.fetches < delays.min(config.origin_fetches),
        // A crowd that has nothing yet is soonest helped by pieces that come one after another.
        Need::Full if now.first_of_a_crowd => now.fetches == 0,
        Need::Full => {
            let small = now.bytes < config.origin_window_bytes && now.fetches < config.origin_fetches_max;
            within_window || (small && now.fetches < now.window)
        }
    }
}

/// The window after a fetch that took so long: an origin that a crowd shares must not be queued up.
#[must_use]
pub fn origin_window(window: usize, took: Duration, config: &Config) -> usize {
    let window = if took <= BRISK {
        window + 1
    } else if took >= CROWDED {
        window / 2
    } else {
        window
    };
    window.clamp(1, config.origin_fetches_max.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(100);

    fn supply() -> Supply {
        Supply {
            promising: true,
            connecting: 0,
            served: true,
            rate_from_peers: 1 << 30,
            own_cap: None,
            rarest: Some(9),
            players: 1_000,
            lot: u32::MAX,
            has_nothing: false,
            starving_since: None,
        }
    }

    #[test]
    fn slots_go_to_holders_the_nearest_to_its_end_newcomers_then_the_poorest() {
        let config = Config::default();
        let holder = Applicant {
            choked: false,
            interested: true,
            pieces: 50,
            nearest: false,
            slot_since: NOW,
            slot_ended: None,
            idle_since: None,
            passed_at: None,
        };
        let waits = Applicant { choked: true, slot_since: Time::ZERO, ..holder };
        let line = [
            holder,
            Applicant { nearest: true, ..waits },
            Applicant { pieces: 0, ..waits },
            Applicant { pieces: 1, slot_ended: Some(NOW), ..waits },
            Applicant { pieces: 2, ..waits },
            Applicant { passed_at: Some(NOW), ..waits },
            Applicant { slot_since: Time::ZERO, ..holder },
            Applicant { idle_since: Some(Time::from_secs(99)), ..holder },
            Applicant { interested: false, ..holder },
        ];
        let places = line.map(|applicant| slot_place(&applicant, NOW, &config, 7));
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn slots_follow_use_within_bounds() {
        let config = Config { upload_slots_min: 4, upload_slots_max: 8, ..Config::default() };
        let cases = [
            ((4, 10, 4, true), 5),
            ((4, 10, 4, false), 4),
            ((6, 10, 0, true), 5),
            ((8, 10, 9, true), 8),
            ((4, 10, 0, false), 4),
        ];
        for ((count, ticks, idle_ticks, somebody_waits), expected) in cases {
            let used = SlotUse { slots: count, ticks, idle_ticks, somebody_waits };
            assert_eq!(slots(used, &config), expected, "{used:?}");
        }
    }

    #[test]
    fn begun_pieces_come_before_rarer_untouched_ones() {
        let places = [
            piece_place(1, Some(3), 0),
            piece_place(2, Some(1), 0),
            piece_place(2, Some(9), 0),
            piece_place(0, None, 5),
            piece_place(1, None, 0),
        ];
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn the_origin_is_needed_as_peers_fail() {
        let config = Config {
            origin_delay: Duration::from_secs(2),
            origin_injectors: 8,
            origin_spread: 2,
            ..Config::default()
        };
        let said = |supply: Supply| need(&supply, NOW, &config);
        assert_eq!(said(supply()), (Need::None, None));
        assert_eq!(said(Supply { lot: 0, rarest: Some(2), ..supply() }), (Need::Unseen, None));
        assert_eq!(said(Supply { rarest: Some(2), ..supply() }), (Need::None, None));
        let slow = Supply { rate_from_peers: 0, ..supply() };
        assert_eq!(said(slow), (Need::None, Some(NOW)));
        let capped = Supply { rate_from_peers: 60_000, ..supply() };
        assert_eq!(said(capped), (Need::None, Some(NOW)));
        assert_eq!(said(Supply { own_cap: Some(64_000), ..capped }), (Need::None, None));
        let since = Some(Time::from_secs(95));
        assert_eq!(said(Supply { starving_since: since, ..slow }), (Need::Some(2), since));
        assert_eq!(said(Supply { starving_since: since, served: false, ..slow }), (Need::Full, since));
        let nobody = Supply { promising: false, served: false, ..slow };
        assert_eq!(said(nobody).0, Need::None);
        assert_eq!(said(Supply { players: 1, ..nobody }).0, Need::Full);
        assert_eq!(said(Supply { lot: 0, ..nobody }).0, Need::Full);
    }

    #[test]
    fn a_crowd_goes_to_the_origin_a_few_first_and_twice_as_many_with_every_delay() {
        let going =
            |delays| (0..1_000u32).filter(|n| goes_first(n * (u32::MAX / 1_000), 8, 1_000, delays)).count();
        assert!((7..=9).contains(&going(0)) && (30..=34).contains(&going(2)) && going(10) == 1_000);
        assert!(goes_first(u32::MAX, 0, 1_000, 0));
    }

    #[test]
    fn the_window_follows_how_long_a_fetch_takes() {
        let config = Config::default();
        let after = |millis| origin_window(8, Duration::from_millis(millis), &config);
        assert_eq!([after(900), after(2_000), after(3_000)], [9, 8, 4]);
        let fetching = Fetching { fetches: 1, bytes: 1 << 20, window: 1, first_of_a_crowd: false };
        assert!(!origin_has_room(Need::Unseen, &fetching, &config));
        assert!(origin_has_room(Need::Some(2), &fetching, &config));
        assert!(!origin_has_room(
            Need::Full,
            &Fetching { first_of_a_crowd: true, window: 9, ..fetching },
            &config
        ));
        assert!(origin_has_room(Need::Full, &Fetching { window: 9, ..fetching }, &config));
    }
}
