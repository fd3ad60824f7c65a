//! A tracker: names some of those who are there, at random, and is asked again by those who starve.

use super::*;

const NOWHERE: u32 = u32::MAX;

/// How a world's tracker answers and how nodes ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerSpec {
    /// Peers in an answer at most.
    pub answers: usize,
    /// A node with fewer connections than these starves.
    pub starving_below: usize,
    /// How often a node that starves asks again.
    pub starving_interval: Duration,
    /// How often any node asks again.
    pub interval: Duration,
    /// How long an answer takes, besides the way there and back to the middle of the network.
    pub answer_time: Duration,
}

impl Default for TrackerSpec {
    fn default() -> Self {
        Self {
            answers: 50,
            starving_below: 5,
            starving_interval: Duration::from_secs(5),
            interval: Duration::from_secs(1_800),
            answer_time: Duration::from_millis(20),
        }
    }
}

#[derive(Debug)]
pub(super) struct Tracker {
    spec: TrackerSpec,
    listed: Vec<NodeId>,
    place: Vec<u32>,
    /// When each node asked last.
    asked_at: Vec<Option<Time>>,
    /// In every answer: the publisher's seeds.
    always: Vec<NodeId>,
}

impl World {
    /// Gives the world a tracker; nodes that join from now on ask it. `always` are in every answer.
    pub fn add_tracker(&mut self, spec: TrackerSpec, always: Vec<NodeId>) {
        self.tracker =
            Some(Tracker { spec, listed: Vec::new(), place: Vec::new(), asked_at: Vec::new(), always });
        for id in 0..self.nodes.len() {
            if self.nodes[id].online {
                self.enlist(NodeId(id));
            }
        }
    }

    pub(super) fn enlist(&mut self, id: NodeId) {
        let Some(tracker) = &mut self.tracker else { return };
        if tracker.place.len() <= id.0 {
            tracker.place.resize(id.0 + 1, NOWHERE);
            tracker.asked_at.resize(id.0 + 1, None);
        }
        tracker.asked_at[id.0] = None;
        if tracker.place[id.0] == NOWHERE && !tracker.always.contains(&id) {
            tracker.place[id.0] = tracker.listed.len() as u32;
            tracker.listed.push(id);
        }
        let life = self.nodes[id.0].life;
        // Nobody starts in the same microsecond as others.
        let after = Duration::from_micros(self.rng.u64(..100_000));
        self.cause(after, Happening::Announce { node: id, life });
    }

    pub(super) fn delist(&mut self, id: NodeId) {
        let Some(tracker) = &mut self.tracker else { return };
        let Some(place) = tracker.place.get_mut(id.0).filter(|place| **place != NOWHERE) else { return };
        let at = std::mem::replace(place, NOWHERE) as usize;
        tracker.listed.swap_remove(at);
        if let Some(moved) = tracker.listed.get(at) {
            tracker.place[moved.0] = at as u32;
        }
    }

    /// A node looks whether it has to ask, and asks.
    pub(super) fn announce(&mut self, id: NodeId) {
        let (now, life) = (self.now, self.nodes[id.0].life);
        let node = &self.nodes[id.0];
        let Some(tracker) = &mut self.tracker else { return };
        let asked = tracker.asked_at[id.0];
        let starves = node.keys.len() < tracker.spec.starving_below && !node.swarm.is_complete();
        let due = asked.is_none_or(|at| starves || now.since(at) >= tracker.spec.interval);
        let again = tracker.spec.starving_interval;
        if due {
            tracker.asked_at[id.0] = Some(now);
            let chosen = tracker.choose(id, &mut self.rng);
            let after = tracker.spec.answer_time + node.spec.delay * 2;
            self.introduce(id, &chosen, after);
            let players = u32::try_from(self.awaited).unwrap_or(u32::MAX);
            self.tell_after(after, id, Input::Crowd { players });
            if self.origin.is_some() && asked.is_none() {
                self.tell_after(after, id, Input::SetOrigin { available: true });
            }
        }
        self.cause(again, Happening::Announce { node: id, life });
    }
}

impl Tracker {
    /// Some of those who are there, each once, and those who are in every answer.
    fn choose(&self, asker: NodeId, rng: &mut Rng) -> Vec<NodeId> {
        let wanted = self.spec.answers.min(self.listed.len());
        let mut chosen: Vec<NodeId> = Vec::with_capacity(wanted);
        if wanted * 3 >= self.listed.len() {
            chosen.extend(&self.listed);
            rng.shuffle(&mut chosen);
            chosen.retain(|node| *node != asker);
            chosen.truncate(wanted);
        } else {
            while chosen.len() < wanted {
                let node = self.listed[rng.usize(..self.listed.len())];
                if node != asker && !chosen.contains(&node) {
                    chosen.push(node);
                }
            }
        }
        chosen.extend(self.always.iter().filter(|node| **node != asker));
        chosen
    }
}
