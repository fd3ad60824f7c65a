//! What is to happen, in the order of time: a heap of small keys over a slab of the things themselves.
//!
//! Invariant: what is due at the same time comes out in the order in which it was put in, so that a run is a function
//! of its seeds alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use swarm::Time;

#[derive(Debug)]
pub(crate) struct Schedule<T> {
    due: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slab: Vec<Option<T>>,
    free: Vec<u32>,
    put: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { due: BinaryHeap::new(), slab: Vec::new(), free: Vec::new(), put: 0 }
    }
}

impl<T> Schedule<T> {
    pub(crate) fn put(&mut self, at: Time, what: T) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slab.push(None);
                self.slab.len() as u32 - 1
            }
        };
        self.slab[slot as usize] = Some(what);
        self.put += 1;
        self.due.push(Reverse((at.as_micros(), self.put, slot)));
    }

    /// When the next is due.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.due.peek().map(|Reverse((at, _, _))| Time::from_micros(*at))
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, T)> {
        let Reverse((at, _, slot)) = self.due.pop()?;
        let what = self.slab[slot as usize].take()?;
        self.free.push(slot);
        Some((Time::from_micros(at), what))
    }

    /// How many were put in since the start.
    pub(crate) fn put_in(&self) -> u64 {
        self.put
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_first_and_then_the_order_of_putting_in() {
        let mut schedule = Schedule::default();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            schedule.put(Time::from_micros(at), what);
        }
        assert_eq!(schedule.next_at(), Some(Time::from_micros(1)));
        let order: String = std::iter::from_fn(|| schedule.pop()).map(|(_, what)| what).collect();
        assert_eq!(order, "abcd");
        assert_eq!(schedule.put_in(), 4);
    }
}
