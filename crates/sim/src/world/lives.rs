//! Coming, going, and losing everything.

use super::*;

impl World {
    /// A node comes online.
    pub(super) fn join(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        if node.online {
            return;
        }
        node.online = true;
        if node.life == 0 {
            node.joined_at = now;
        } else {
            // It comes back with what it had.
            let (have, life) = (node.swarm.have().clone(), node.life);
            let peer_id = peer_id(id, life);
            let swarm = self.swarm_of(id, &self.nodes[id.0].spec, have, peer_id, life);
            (self.nodes[id.0].swarm, self.nodes[id.0].peer_id) = (swarm, peer_id);
        }
        self.begin(id);
    }

    fn begin(&mut self, id: NodeId) {
        self.nodes[id.0].left_at = None;
        let life = self.nodes[id.0].life;
        self.nodes[id.0].ticking_at = Some(self.now);
        self.cause(Duration::ZERO, Happening::Tick { node: id, life });
        if !self.nodes[id.0].spec.uploads {
            self.tell(id, Input::SetUpload { enabled: false });
        }
        // With a tracker the origin waits for its first word, as a session's does: see `announce`.
        if self.origin.is_some() && self.tracker.is_none() {
            self.tell(id, Input::SetOrigin { available: true });
        }
        self.enlist(id);
    }

    /// A node is not there between two times, and comes back with what it had.
    pub fn away_between(&mut self, node: NodeId, from: Time, until: Time) {
        let life = self.nodes[node.0].life;
        self.cause_at(from, Happening::Leave { node, life });
        self.cause_at(until, Happening::Join { node });
    }

    /// A node goes; its connections end.
    pub fn leave(&mut self, id: NodeId) {
        if !self.nodes[id.0].online {
            return;
        }
        let now = self.now;
        let keys = self.nodes[id.0].keys.clone();
        keys.into_iter().for_each(|key| self.close(key));
        let node = &mut self.nodes[id.0];
        node.online = false;
        node.left_at = Some(now);
        node.life += 1;
        node.ready.clear();
        if let Some(origin) = &mut self.origin {
            origin.forget(id);
        }
        self.delist(id);
    }

    /// A node loses everything it has at a time, if it is there and not done, and begins anew at once.
    pub fn fail_at(&mut self, node: NodeId, at: Time) {
        self.cause_at(at, Happening::Fail { node });
    }

    pub(super) fn fail(&mut self, id: NodeId) {
        let stats = self.stats(id);
        let node = &mut self.nodes[id.0];
        if !node.online || node.completed.is_some() {
            return;
        }
        node.past.wasted_bytes += stats.wasted_bytes;
        node.past.from_origin += stats.downloaded.origin;
        node.past.lost_bytes += stats.downloaded.total() - stats.wasted_bytes;
        self.failures += 1;
        self.leave(id);
        let life = self.nodes[id.0].life;
        let peer_id = peer_id(id, life);
        let have = Bitfield::empty(self.content.layout.piece_count());
        let swarm = self.swarm_of(id, &self.nodes[id.0].spec, have, peer_id, life);
        let node = &mut self.nodes[id.0];
        (node.swarm, node.peer_id, node.online, node.disk_bytes) = (swarm, peer_id, true, 0);
        self.begin(id);
    }

    /// Payload bytes a node got from the HTTP origin, in all its lives.
    #[must_use]
    pub fn from_origin(&self, node: NodeId) -> u64 {
        self.nodes[node.0].past.from_origin + self.stats(node).downloaded.origin
    }

    /// When a node left, if it did and is not back.
    #[must_use]
    pub fn left(&self, node: NodeId) -> Option<Time> {
        self.nodes[node.0].left_at
    }

    /// What a node is.
    #[must_use]
    pub fn spec(&self, node: NodeId) -> &NodeSpec {
        &self.nodes[node.0].spec
    }

    /// Nodes that are there now.
    #[must_use]
    pub fn online(&self) -> usize {
        self.nodes.iter().filter(|node| node.online).count()
    }
}
