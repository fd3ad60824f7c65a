//! One connection's share of the caps.

use super::{Limiter, Wish, path, socket};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use swarm::{
    Class,
    bandwidth::{Direction, FlowKey, Framing, GameKey, Link, Path},
};
use tokio::{net::TcpStream, sync::oneshot};

/// Handshakes of TCP and of the peer wire, as each side sends them: two packets without payload, one with 68 bytes.
const HANDSHAKE_BYTES: u64 = 3 * 52 + 68;
/// TLS adds 22 bytes to a record (RFC 8446), of which a full one fills eleven packets; servers begin with smaller ones.
const TLS_BYTES_PER_PACKET: u32 = 4;
/// A connection's share of what may lie in receive buffers, in milliseconds at the download cap: what lies there has
/// crossed the wire already.
const WINDOW_MILLIS: u64 = 70;
/// What all peers may owe together on a short line, in milliseconds at the cap: the way there and back, and some
/// blocks.
const OWED_MILLIS: u64 = 600;
/// What is asked of a server at once on a short line, in milliseconds at the cap, and in bytes at least.
const STEP_MILLIS: u64 = 250;
const STEP_MIN: u64 = 16 * 1024;
/// The smallest receive window asked for, in bytes: below two packets TCP stalls.
const WINDOW_MIN: u64 = 3 * 1024;
/// From here on the system chooses the window itself, in bytes.
const WINDOW_FREE: u64 = 256 * 1024;
/// No system starts with less, in bytes: a smaller window was set by us before the connection stood.
const WINDOW_SYSTEM: u64 = 64 * 1024;
/// What may lie unsent in the system, in milliseconds at the upload cap.
const BACKLOG_MILLIS: u64 = 10;
const BACKLOG_MIN: u64 = 4 * 1024;
/// The window that is asked for once a cap is gone, in bytes. The system grants what it allows at most.
const WINDOW_UNCAPPED: u64 = 4 * 1024 * 1024;

/// What the connections of one torrent have in common: its caps and whether somebody waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    limiter: Arc<Limiter>,
    game: GameKey,
    background: Arc<AtomicBool>,
}

impl Scope {
    /// A torrent that nobody else's caps apply to, in the foreground.
    pub(crate) fn new(limiter: &Arc<Limiter>) -> Self {
        let game = GameKey(limiter.next_game.fetch_add(1, Ordering::Relaxed));
        Self { limiter: Arc::clone(limiter), game, background: Arc::default() }
    }

    /// Caps of this torrent within those of the program, bytes per second.
    pub(crate) fn set_caps(&self, up: Option<u64>, down: Option<u64>) {
        self.limiter.set_game_caps(self.game, up, down);
    }

    /// Whether nobody waits for this torrent. Holds from each connection's next portion on.
    pub(crate) fn set_background(&self, background: bool) {
        self.background.store(background, Ordering::Relaxed);
        self.limiter.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// What peers of a class may owe this torrent together under the caps, in bytes; `None`: as their windows say.
    pub(crate) fn ahead(&self, class: Class) -> Option<u64> {
        let background = self.background.load(Ordering::Relaxed);
        self.limiter.ahead(path(class.into(), self.game, background), OWED_MILLIS)
    }

    /// The download cap that holds for this game's peers of a class, bytes per second; `None`: there is none.
    pub(crate) fn cap(&self, class: Class) -> Option<u64> {
        let background = self.background.load(Ordering::Relaxed);
        self.limiter.cap(path(class.into(), self.game, background))
    }

    /// How much is asked of a server at once under a cap so low that what it sends ahead would show, in bytes.
    pub(crate) fn origin_step(&self) -> Option<u64> {
        let background = self.background.load(Ordering::Relaxed);
        let step = self.limiter.ahead(path(Link::Origin, self.game, background), STEP_MILLIS)?;
        Some(step.max(STEP_MIN)).filter(|step| *step < WINDOW_FREE)
    }

    /// A peer's connection, whose handshakes are through.
    pub(crate) fn peer(&self, class: Class, connection: &TcpStream) -> Flow {
        let flow = self.flow(class.into(), socket::framing(connection));
        let found = socket::receive_window(connection);
        flow.window.ours.store(found, Ordering::Relaxed);
        flow.window.capped.store(found < WINDOW_SYSTEM, Ordering::Relaxed);
        flow.charge(Direction::Up, HANDSHAKE_BYTES);
        flow.charge(Direction::Down, HANDSHAKE_BYTES);
        flow
    }

    /// A request to the publisher's servers, over TLS or not.
    pub(crate) fn origin(&self, server: Option<IpAddr>, tls: bool) -> Flow {
        let framing = socket::usual_framing(server);
        let records = if tls { TLS_BYTES_PER_PACKET } else { 0 };
        self.flow(Link::Origin, Framing { header: framing.header + records, ..framing })
    }

    fn flow(&self, link: Link, framing: Framing) -> Flow {
        let key = FlowKey(self.limiter.next_flow.fetch_add(1, Ordering::Relaxed));
        self.limiter.count(link, 1);
        let (scope, tuned, window) = (self.clone(), Default::default(), Window::default());
        Flow { scope, key, link, framing, tuned, window }
    }
}

impl Limiter {
    /// Connects to a peer, with a receive window that is small beside the download cap from the first packet on.
    pub(crate) async fn connect(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let window = self.window(path(Link::Internet, GameKey::default(), false));
        socket::connect(addr, window).await
    }

    /// The receive window of one connection among all under a download cap; `None`: as the system likes.
    fn window(&self, path: Path) -> Option<u64> {
        let flows = self.flows.load(Ordering::Relaxed).max(1).unsigned_abs();
        let window = (self.ahead(path, WINDOW_MILLIS)? / flows).max(WINDOW_MIN);
        Some(window).filter(|window| *window < WINDOW_FREE)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // The last one takes the torrent's caps with it.
        if Arc::strong_count(&self.background) == 1 {
            self.limiter.set_game_caps(self.game, None, None);
        }
    }
}

/// See the module. At most one grant in each direction is waited for at a time.
#[derive(Debug)]
pub(crate) struct Flow {
    scope: Scope,
    key: FlowKey,
    link: Link,
    framing: Framing,
    /// The limiter's epoch at which the socket was tuned last, by direction.
    tuned: [AtomicU64; 2],
    window: Window,
}

/// A connection's receive window. It may grow at any time. It shrinks only after as much was read as it held: what the
/// other end was allowed to send before would find no room, and would be sent again.
#[derive(Debug, Default)]
struct Window {
    /// Bytes as last set, or as found.
    ours: AtomicU64,
    /// What it shall be; zero: it is.
    wanted: AtomicU64,
    read: AtomicU64,
    shrinks_at: AtomicU64,
    /// It was set by us, and the system sizes it no more.
    capped: AtomicBool,
}

impl Window {
    fn set(&self, connection: &TcpStream, window: Option<u64>) {
        let ours = self.ours.load(Ordering::Relaxed);
        self.wanted.store(0, Ordering::Relaxed);
        match window {
            Some(window) if window < ours => {
                self.wanted.store(window, Ordering::Relaxed);
                self.shrinks_at.store(self.read.load(Ordering::Relaxed) + ours, Ordering::Relaxed);
            }
            Some(window) => self.apply(connection, window),
            None => self.apply(connection, WINDOW_UNCAPPED),
        }
    }

    fn shrink_in_time(&self, connection: &TcpStream) {
        let wanted = self.wanted.load(Ordering::Relaxed);
        if wanted > 0 && self.read.load(Ordering::Relaxed) >= self.shrinks_at.load(Ordering::Relaxed) {
            self.wanted.store(0, Ordering::Relaxed);
            self.apply(connection, wanted);
        }
    }

    fn apply(&self, connection: &TcpStream, window: u64) {
        self.ours.store(window, Ordering::Relaxed);
        self.capped.store(true, Ordering::Relaxed);
        socket::set_receive_window(connection, window);
    }
}

impl Flow {
    /// Whether a cap may hold.
    pub(crate) fn is_capped(&self, direction: Direction) -> bool {
        self.scope.limiter.is_capped(self.link, direction)
    }

    /// Waits until some of `want` bytes of payload may pass and says how many, at least one. What is done with them is
    /// told with [`Flow::settle`].
    pub(crate) async fn acquire(&self, direction: Direction, want: u32) -> u32 {
        if !self.is_capped(direction) {
            return want;
        }
        let wish =
            Wish { direction, flow: self.key, path: self.path(), framing: self.framing, want: want.max(1) };
        let mut waiting = Waiting { flow: self, direction, answer: Some(self.scope.limiter.ask(wish)) };
        let answer = match waiting.answer.as_mut() {
            Some(answer) => answer.await,
            None => return want,
        };
        waiting.answer = None;
        // The limiter keeps every asker until it is served; it cannot forget one.
        answer.unwrap_or(want).min(want.max(1))
    }

    /// Of `granted` bytes `moved` did: the rest is given back, the acknowledgements of the others are counted.
    pub(crate) fn settle(&self, direction: Direction, granted: u32, moved: u32) {
        if moved < granted && self.is_capped(direction) {
            let mut inner = self.scope.limiter.lock();
            inner.queue.tree.give_back(self.path(), direction, self.framing, granted, moved);
        }
        match direction {
            Direction::Up => self.count(moved),
            Direction::Down => drop(self.window.read.fetch_add(u64::from(moved), Ordering::Relaxed)),
        }
        if moved > 0 {
            self.charge(direction.opposite(), self.framing.acknowledgement_bytes(moved));
        }
    }

    /// Counts a message that passes without a grant, of so many bytes, and its acknowledgement.
    pub(crate) fn message(&self, direction: Direction, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if direction == Direction::Up {
            self.count(bytes);
        }
        self.charge(direction, self.framing.wire_bytes(bytes));
        self.charge(direction.opposite(), self.framing.acknowledgement_bytes(bytes));
    }

    fn count(&self, sent: u32) {
        if self.link == Link::Internet {
            self.scope.limiter.sent_abroad.fetch_add(self.framing.wire_bytes(sent), Ordering::Relaxed);
        }
    }

    /// Counts bytes on the wire that pass without a grant.
    pub(crate) fn charge(&self, direction: Direction, wire_bytes: u64) {
        if self.is_capped(direction) {
            let limiter = &self.scope.limiter;
            limiter.lock().queue.tree.charge(limiter.now(), self.path(), direction, wire_bytes);
        }
    }

    /// Looks how far the download cap is reached, now and then.
    pub(crate) fn look(&self) {
        if self.is_capped(Direction::Down) {
            self.scope.limiter.look(self.path());
        }
    }

    /// Acknowledges what came and was not read yet.
    pub(crate) fn acknowledge(connection: &TcpStream) {
        socket::acknowledge(connection);
    }

    /// Keeps the system's own buffers small beside the caps, so that what is granted evenly also travels evenly. Costs
    /// nothing while nothing changed.
    pub(crate) fn tune(&self, direction: Direction, connection: &TcpStream) {
        let limiter = &self.scope.limiter;
        let epoch = limiter.epoch.load(Ordering::Relaxed);
        if direction == Direction::Down && self.is_capped(direction) {
            self.window.shrink_in_time(connection);
            self.look();
        }
        if self.tuned[direction as usize].swap(epoch, Ordering::Relaxed) == epoch {
            return;
        }
        match direction {
            Direction::Up => {
                let cap = limiter.lock().queue.tree.cap(self.path(), direction);
                let backlog = cap.map(|cap| (cap * BACKLOG_MILLIS / 1_000).max(BACKLOG_MIN));
                socket::set_unsent_max(connection, backlog);
            }
            Direction::Down => {
                let window = limiter.window(self.path());
                // A window that was never capped is the system's to size.
                if window.is_some() || self.window.capped.load(Ordering::Relaxed) {
                    self.window.set(connection, window);
                }
            }
        }
    }

    fn path(&self) -> Path {
        path(self.link, self.scope.game, self.scope.background.load(Ordering::Relaxed))
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.scope.limiter.count(self.link, -1);
    }
}

/// Somebody who waits, and may be dropped meanwhile.
struct Waiting<'a> {
    flow: &'a Flow,
    direction: Direction,
    answer: Option<oneshot::Receiver<u32>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(mut answer) = self.answer.take() else { return };
        let flow = self.flow;
        let mut inner = flow.scope.limiter.lock();
        inner.queue.withdraw(self.direction, flow.key);
        inner.waiters.remove(&(self.direction, flow.key));
        if let Ok(granted) = answer.try_recv() {
            inner.queue.tree.give_back(flow.path(), self.direction, flow.framing, granted, 0);
        }
    }
}

#[cfg(test)]
impl Flow {
    pub(super) fn framing(&self) -> Framing {
        self.framing
    }
}
