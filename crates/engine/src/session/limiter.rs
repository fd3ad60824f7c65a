//! The bandwidth tree with waiting: every byte of the peer wire and of the origin, both ways, is counted here.
//!
//! Blocks wait for a grant, in turn and in small portions; messages, headers and acknowledgements are charged. One task
//! (the pump) hands out grants when their time comes. Caps change at any time and hold for whoever waits already.

mod ahead;
mod flow;
mod socket;

use ahead::Stretches;
pub(crate) use flow::{Flow, Scope};

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use swarm::{
    Time,
    bandwidth::{Direction, FlowKey, Framing, GameKey, Link, Node, Path, Priority, Queue},
};
use tokio::sync::{Notify, oneshot};

/// Caps of the whole program, bytes per second on the wire; `None` is unlimited, zero is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// Upload.
    pub up: Option<u64>,
    /// Download, the origin included.
    pub down: Option<u64>,
    /// Upload that nobody waits for: of torrents in the background.
    pub background_up: Option<u64>,
    /// Download that nobody waits for.
    pub background_down: Option<u64>,
    /// Download from the publisher's servers.
    pub origin_down: Option<u64>,
    /// Whether peers on the local network count too. Default: they do not.
    pub lan_capped: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Limiter {
    inner: Mutex<Inner>,
    start: Instant,
    /// Whether any cap may hold, by direction and link; the way around the lock.
    capped: [[AtomicBool; 3]; 2],
    /// Counts changes of caps and of the number of flows, so that sockets are tuned anew.
    epoch: AtomicU64,
    /// Connections that share the caps.
    flows: AtomicI64,
    /// Bytes on the wire to peers on the internet so far.
    sent_abroad: AtomicU64,
    next_flow: AtomicU64,
    next_game: AtomicU32,
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: Queue,
    waiters: HashMap<(Direction, FlowKey), oneshot::Sender<u32>>,
    /// When the pump wakes by itself.
    pump_at: Option<Time>,
    stretches: Stretches,
}

/// What a flow wants to move.
#[derive(Debug, Clone, Copy)]
struct Wish {
    direction: Direction,
    flow: FlowKey,
    path: Path,
    framing: Framing,
    want: u32,
}

const DIRECTIONS: [Direction; 2] = [Direction::Up, Direction::Down];

impl Limiter {
    /// With these caps. Must be called within a tokio runtime.
    pub(crate) fn new(caps: Caps) -> Arc<Self> {
        let limiter = Arc::new(Self {
            inner: Mutex::default(),
            start: Instant::now(),
            capped: Default::default(),
            epoch: AtomicU64::new(1),
            flows: AtomicI64::new(0),
            sent_abroad: AtomicU64::new(0),
            next_flow: AtomicU64::new(0),
            next_game: AtomicU32::new(1),
            wake: Arc::new(Notify::new()),
        });
        limiter.set_caps(caps);
        tokio::spawn(pump(Arc::downgrade(&limiter), Arc::clone(&limiter.wake)));
        limiter
    }

    /// Time since this program's swarm began; the one clock of every core.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// When `time` is, for timers.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.start + Duration::from_micros(time.as_micros())).into()
    }

    /// Bytes that went to peers on the internet so far, headers included, acknowledgements not.
    pub(crate) fn sent_abroad(&self) -> u64 {
        self.sent_abroad.load(Ordering::Relaxed)
    }

    pub(crate) fn set_caps(&self, caps: Caps) {
        let nodes = [
            (Node::Root, caps.up, caps.down),
            (Node::Background, caps.background_up, caps.background_down),
            (Node::Origin, None, caps.origin_down),
        ];
        self.change(|queue| {
            queue.tree.set_lan_capped(caps.lan_capped);
            for (node, up, down) in nodes {
                for (direction, cap) in [(Direction::Up, up), (Direction::Down, down)] {
                    // A cap that stays keeps its level: setting it anew would let a packet pass.
                    if queue.tree.node_cap(node, direction) != cap {
                        queue.tree.set_cap(node, direction, cap);
                    }
                }
            }
        });
    }

    /// Caps of one game, within those of the whole program.
    fn set_game_caps(&self, game: GameKey, up: Option<u64>, down: Option<u64>) {
        self.change(|queue| {
            queue.tree.set_cap(Node::Game(game), Direction::Up, up);
            queue.tree.set_cap(Node::Game(game), Direction::Down, down);
        });
        if down.is_none() {
            self.lock().stretches.forget(Node::Game(game));
        }
    }

    /// Changes the tree and serves whom that helps.
    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut inner = self.lock();
        change(&mut inner.queue);
        for direction in DIRECTIONS {
            for link in [Link::Internet, Link::Lan, Link::Origin] {
                let capped = inner.queue.tree.may_cap(link, direction);
                self.capped[direction as usize][link as usize].store(capped, Ordering::Relaxed);
            }
        }
        drop(inner);
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Connections of peers come and go; requests to servers are too short to matter.
    fn count(&self, link: Link, more: i64) {
        if link != Link::Origin {
            self.flows.fetch_add(more, Ordering::Relaxed);
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_capped(&self, link: Link, direction: Direction) -> bool {
        self.capped[direction as usize][link as usize].load(Ordering::Relaxed)
    }

    /// Asks for bytes; the answer comes at once where there are any.
    fn ask(&self, wish: Wish) -> oneshot::Receiver<u32> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.lock();
        inner.waiters.insert((wish.direction, wish.flow), sender);
        inner.queue.ask(wish.direction, wish.flow, wish.path, wish.framing, wish.want);
        let next = inner.serve(self.now(), wish.direction);
        let sooner = next.is_some_and(|next| inner.pump_at.is_none_or(|at| next < at));
        drop(inner);
        if sooner {
            self.wake.notify_one();
        }
        receiver
    }

    /// Serves everybody whose time has come and says when that is again.
    fn serve(&self) -> Option<Time> {
        let mut inner = self.lock();
        let now = self.now();
        let next = DIRECTIONS.into_iter().filter_map(|direction| inner.serve(now, direction)).min();
        inner.pump_at = next;
        next
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn serve(&mut self, now: Time, direction: Direction) -> Option<Time> {
        loop {
            match self.queue.next(now, direction) {
                Ok((flow, bytes)) => {
                    if let Some(waiter) = self.waiters.remove(&(direction, flow)) {
                        // Whoever waited and is gone gives it back when it is dropped.
                        let _ = waiter.send(bytes);
                    }
                }
                Err(next) => return next,
            }
        }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// Hands out grants until the limiter is gone.
async fn pump(limiter: Weak<Limiter>, wake: Arc<Notify>) {
    loop {
        let woken = wake.notified();
        let Some(next) = limiter.upgrade().map(|limiter| limiter.serve().map(|at| limiter.instant(at)))
        else {
            return;
        };
        match next {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = woken => {}
            },
            None => woken.await,
        }
    }
}

/// The path of a flow that is in the foreground or not.
fn path(link: Link, game: GameKey, background: bool) -> Path {
    let priority = if background { Priority::Background } else { Priority::Foreground };
    Path { link, game, priority }
}

#[cfg(test)]
mod tests;
