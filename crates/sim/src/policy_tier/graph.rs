//! Who is connected to whom: lists of bounded length, both ways.

use swarm::Time;

use super::Slot;

/// A slot whose holder did not ask for anything yet.
pub(super) const NO_PIECE: u32 = u32::MAX;

/// Never had a slot.
const NEVER: u16 = u16::MAX;
/// The bit that says that the slot was lost because nothing was asked for; the others count half seconds.
const IDLE: u16 = 1;

/// When and why a neighbour lost its slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// `None`: it never had one.
    pub(super) at: Option<Time>,
    /// It asked for nothing.
    pub(super) idle: bool,
}

#[derive(Debug)]
pub(super) struct Graph {
    pub(super) width: usize,
    degree: Vec<u8>,
    neighbours: Vec<u32>,
    /// When each neighbour lost its slot here, see [`IDLE`].
    slot_ended: Vec<u16>,
}

impl Graph {
    pub(super) fn new(count: usize, width: usize) -> Self {
        Self {
            width,
            degree: vec![0; count],
            neighbours: vec![0; count * width],
            slot_ended: vec![NEVER; count * width],
        }
    }

    pub(super) fn degree(&self, peer: usize) -> usize {
        usize::from(self.degree[peer])
    }

    pub(super) fn of(&self, peer: usize) -> &[u32] {
        &self.neighbours[peer * self.width..][..self.degree(peer)]
    }

    pub(super) fn slot_ended(&self, peer: usize, place: usize) -> Ended {
        let ended = self.slot_ended[peer * self.width + place];
        let at = (ended != NEVER).then(|| Time::from_millis(u64::from(ended >> 1) * 500));
        Ended { at, idle: at.is_some() && ended & IDLE != 0 }
    }

    pub(super) fn end_slot(&mut self, peer: usize, place: usize, ended: Ended) {
        let half_seconds = ended.at.map_or(0, |at| at.as_micros() / 500_000).min(u64::from(NEVER >> 1) - 1);
        self.slot_ended[peer * self.width + place] = (half_seconds as u16) << 1 | u16::from(ended.idle);
    }

    pub(super) fn is_full(&self, peer: usize) -> bool {
        self.degree(peer) >= self.width
    }

    /// Connects two, unless they are, or one of them takes no more.
    pub(super) fn connect(&mut self, a: usize, b: usize) -> bool {
        if a == b || self.is_full(a) || self.is_full(b) || self.of(a).contains(&(b as u32)) {
            return false;
        }
        for (here, there) in [(a, b), (b, a)] {
            let place = here * self.width + self.degree(here);
            self.neighbours[place] = there as u32;
            self.slot_ended[place] = NEVER;
            self.degree[here] += 1;
        }
        true
    }

    /// Takes `gone` from a peer's list; the place it had, if it had one. The last moves to that place.
    pub(super) fn remove(&mut self, peer: usize, gone: usize) -> Option<usize> {
        let place = self.of(peer).iter().position(|other| *other as usize == gone)?;
        let (first, last) = (peer * self.width, self.degree(peer) - 1);
        self.neighbours.swap(first + place, first + last);
        self.slot_ended.swap(first + place, first + last);
        self.degree[peer] -= 1;
        Some(place)
    }

    pub(super) fn clear(&mut self, peer: usize) {
        self.degree[peer] = 0;
    }
}

/// Brings slots up to date with a place that was removed; those of who had it are returned.
pub(super) fn renumber(slots: &mut [Slot], place: usize, last: usize) -> Option<usize> {
    let gone = slots.iter().position(|slot| usize::from(slot.neighbour) == place);
    for slot in slots.iter_mut().filter(|slot| usize::from(slot.neighbour) == last) {
        slot.neighbour = place as u8;
    }
    gone
}
