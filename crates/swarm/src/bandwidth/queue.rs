//! Who waits for bytes, and who is next.
//!
//! Every flow has at most one wish in each direction. Wishes are served in the order they came, each with one small
//! grant, so flows that always want more share equally. A wish that waits for a node makes everyone behind it who passes
//! that node wait too: nobody is overtaken for ever. What waits in the background goes after the foreground,
//! but gets every [`BACKGROUND_TURN`]th grant.

use std::collections::VecDeque;

use super::{Direction, Framing, Grant, Node, Path, Priority, Tree};
use crate::Time;

/// One in so many grants goes to the background while both wait.
const BACKGROUND_TURN: u32 = 8;

/// Bytes that a flow takes in one turn of the download: a block. Were turns shorter, all blocks would end at the same
/// time, and all peers would begin the next at once, in a burst. Uploads take turns grant by grant.
const DOWN_TURN: u32 = 16 * 1024;

/// A flow of bytes, such as a connection, by the driver's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey(pub u64);

#[derive(Debug, Clone, Copy)]
struct Wish {
    flow: FlowKey,
    path: Path,
    framing: Framing,
    want: u32,
}

/// The tree with those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// The caps.
    pub tree: Tree,
    /// By direction and priority.
    waiting: [[VecDeque<Wish>; 2]; 2],
    /// Foreground grants since the last background one, by direction.
    streak: [u32; 2],
    /// Whose turn the download is, and how many bytes of it are left.
    turn: Option<(FlowKey, u32)>,
}

impl Queue {
    /// A flow wants to move `want` bytes of payload; it waits for [`Queue::next`] to name it. A second wish of a flow in
    /// the same direction replaces the first.
    pub fn ask(&mut self, direction: Direction, flow: FlowKey, path: Path, framing: Framing, want: u32) {
        self.withdraw(direction, flow);
        let wish = Wish { flow, path, framing, want };
        let line = &mut self.waiting[direction as usize][path.priority as usize];
        let goes_on = self.turn.is_some_and(|(holder, left)| holder == flow && left > 0);
        if direction == Direction::Down && goes_on {
            line.push_front(wish);
        } else {
            line.push_back(wish);
        }
    }

    /// A flow wants nothing any more.
    pub fn withdraw(&mut self, direction: Direction, flow: FlowKey) {
        for line in &mut self.waiting[direction as usize] {
            line.retain(|wish| wish.flow != flow);
        }
    }

    /// The next grant: who, and how many bytes of payload. `Err` says when to ask again, if time alone can help.
    ///
    /// # Errors
    /// Nobody can be served now.
    pub fn next(&mut self, now: Time, direction: Direction) -> Result<(FlowKey, u32), Option<Time>> {
        let mut short: Vec<Node> = Vec::new();
        let mut again: Option<Time> = None;
        for priority in self.order(direction) {
            let line = &mut self.waiting[direction as usize][priority as usize];
            for at in 0..line.len() {
                let wish = line[at];
                if short.iter().any(|node| node.is_on(&self.tree, wish.path)) {
                    continue;
                }
                match self.tree.take(now, wish.path, direction, wish.framing, wish.want) {
                    Grant::Bytes(bytes) => {
                        line.remove(at);
                        self.count(direction, priority);
                        if direction == Direction::Down {
                            let left = self.turn.filter(|(holder, left)| *holder == wish.flow && *left > 0);
                            let left = left.map_or(DOWN_TURN, |(_, left)| left);
                            self.turn = Some((wish.flow, left.saturating_sub(bytes)));
                        }
                        return Ok((wish.flow, bytes));
                    }
                    Grant::Wait { node, until } => {
                        short.push(node);
                        again = again.into_iter().chain(until).min();
                    }
                }
            }
        }
        Err(again)
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_empty(&self, direction: Direction) -> bool {
        self.waiting[direction as usize].iter().all(VecDeque::is_empty)
    }

    fn order(&self, direction: Direction) -> [Priority; 2] {
        if self.streak[direction as usize] + 1 >= BACKGROUND_TURN {
            [Priority::Background, Priority::Foreground]
        } else {
            [Priority::Foreground, Priority::Background]
        }
    }

    fn count(&mut self, direction: Direction, served: Priority) {
        let waits = |priority: Priority| !self.waiting[direction as usize][priority as usize].is_empty();
        let passed_over = served == Priority::Foreground && waits(Priority::Background);
        let streak = &mut self.streak[direction as usize];
        *streak = if passed_over { *streak + 1 } else { 0 };
    }
}
