//! A peer that lies, floods or falls silent: it speaks the wire through `swarm::wire`, or whatever bytes it likes.
//!
//! It knows the torrent it attacks. Nothing here asserts how the victim reacts; every wait has a bound.

use release::{layout::Layout, metainfo::Metainfo};
use socket2::{Domain, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use swarm::wire::{Decoder, HANDSHAKE_LEN, Handshake, Message, encode};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const READ_AT_ONCE: usize = 64 * 1024;

/// What a hostile peer knows of the torrent.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// The torrent's infohash as the handshake bears it.
    pub infohash: [u8; 20],
    /// Its pieces.
    pub layout: Arc<Layout>,
}

/// What came over a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// Nothing within the time.
    Silence,
    /// The other side ended the connection, or said what is not the wire.
    Closed,
}

impl Hostile {
    /// Somebody who has read the torrent file.
    #[must_use]
    pub fn of(torrent: &Path) -> Self {
        let metainfo = Metainfo::parse(&std::fs::read(torrent).unwrap()).unwrap();
        Self { infohash: metainfo.infohash.truncated(), layout: Arc::new(metainfo.layout) }
    }

    /// A connection to `victim` with the handshakes done, under a peer id of its own.
    #[must_use]
    pub fn dial(&self, victim: &str) -> Line {
        let mut peer_id = *b"-XX0001-000000000000";
        peer_id[8..].fill_with(|| fastrand::alphanumeric() as u8);
        self.dial_as(victim, peer_id).unwrap_or_else(|| panic!("{victim} does not shake hands"))
    }

    /// The same under a given peer id; `None` if the victim does not answer with a handshake.
    #[must_use]
    pub fn dial_as(&self, victim: &str, peer_id: [u8; 20]) -> Option<Line> {
        self.greet(connect(victim), peer_id)
    }

    /// The same from an address of this machine.
    #[must_use]
    pub fn dial_from(&self, here: IpAddr, victim: &str) -> Option<Line> {
        let mut peer_id = *b"-XX0003-000000000000";
        peer_id[8..].fill_with(|| fastrand::alphanumeric() as u8);
        let socket = Socket::new(Domain::for_address((here, 0).into()), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((here, 0)).into()).unwrap();
        let victim: SocketAddr = victim.parse().unwrap();
        socket.connect_timeout(&victim.into(), CONNECT_LIMIT).ok()?;
        self.greet(patient(socket.into()), peer_id)
    }

    fn greet(&self, mut stream: TcpStream, peer_id: [u8; 20]) -> Option<Line> {
        stream.write_all(&Handshake::new(self.infohash, peer_id).encode()).ok()?;
        let mut answer = [0; HANDSHAKE_LEN];
        stream.read_exact(&mut answer).ok()?;
        let theirs = Handshake::decode(&answer).ok()?;
        let decoder = Decoder::new(self.layout.piece_count());
        Some(Line { stream, decoder, peer_id: theirs.peer_id })
    }
}

/// A bare connection to `victim`, on which nothing was said.
#[must_use]
pub fn connect(victim: &str) -> TcpStream {
    let address: SocketAddr = victim.parse().unwrap();
    patient(TcpStream::connect_timeout(&address, CONNECT_LIMIT).unwrap())
}

/// Says each word at once, and waits for none for ever.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(CONNECT_LIMIT)).unwrap();
    stream.set_write_timeout(Some(CONNECT_LIMIT)).unwrap();
    stream
}

/// A question that is answered with yes once `time` has passed.
pub fn after(time: Duration) -> impl FnMut() -> bool {
    let until = Instant::now() + time;
    move || Instant::now() >= until
}

/// Whether the other side ends `stream` within `limit`; what it says until then is thrown away.
pub fn ends_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut part = vec![0; READ_AT_ONCE];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut part) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => return true,
        }
    }
}

/// A connection to the victim after the handshakes.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    decoder: Decoder,
    /// The victim's peer id.
    pub peer_id: [u8; 20],
}

impl Line {
    /// The address the victim sees.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Says something; false once the victim does not listen any more.
    pub fn say(&mut self, message: &Message) -> bool {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        self.raw(&bytes)
    }

    /// Says any bytes; false once the victim does not listen any more, or takes nothing for five seconds.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes these bytes over and over until it is `over`, reading nothing; how many were taken.
    pub fn flood(&mut self, bytes: &[u8], mut over: impl FnMut() -> bool) -> u64 {
        self.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut taken, mut rest) = (0, bytes);
        while !over() {
            match self.stream.write(rest) {
                Ok(written) => {
                    taken += written as u64;
                    rest = &rest[written..];
                    if rest.is_empty() {
                        rest = bytes;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        taken
    }

    /// The next message.
    pub fn hear(&mut self, limit: Duration) -> Heard {
        let until = Instant::now() + limit;
        let mut part = vec![0; READ_AT_ONCE];
        loop {
            match self.decoder.next() {
                Ok(Some(message)) => return Heard::Message(message),
                Ok(None) => {}
                Err(_) => return Heard::Closed,
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Silence;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut part) {
                Ok(0) => return Heard::Closed,
                Ok(read) => self.decoder.feed(&part[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Heard::Silence;
                }
                Err(_) => return Heard::Closed,
            }
        }
    }

    /// Whether a message that `wanted` accepts comes within `limit`.
    pub fn hears(&mut self, limit: Duration, mut wanted: impl FnMut(&Message) -> bool) -> bool {
        let until = Instant::now() + limit;
        loop {
            match self.hear(until.saturating_duration_since(Instant::now())) {
                Heard::Message(message) if wanted(&message) => return true,
                Heard::Message(_) => {}
                Heard::Silence | Heard::Closed => return false,
            }
        }
    }

    /// Whether the victim ends the connection within `limit`.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        ends_within(&mut self.stream, limit)
    }

    /// Says that it has everything and serves everybody.
    pub fn pose_as_seed(&mut self) -> bool {
        self.say(&Message::HaveAll) && self.say(&Message::Unchoke)
    }

    /// Answers every message with `answer` until the victim ends the connection or `stop` says so.
    pub fn answer(
        &mut self,
        mut stop: impl FnMut() -> bool,
        mut answer: impl FnMut(&mut Self, Message) -> bool,
    ) {
        while !stop() {
            match self.hear(Duration::from_millis(50)) {
                Heard::Message(message) => {
                    if !answer(self, message) {
                        return;
                    }
                }
                Heard::Silence => {}
                Heard::Closed => return,
            }
        }
    }
}
