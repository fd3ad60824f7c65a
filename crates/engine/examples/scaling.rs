//! What the swarm core costs as pieces and peers grow: the real core, with made-up peers and no bytes.
//!
//! `cargo run --release -p engine --example scaling [-- CASE…]` prints one row for each case, number of
//! pieces and number of peers: processor time for each event of the case, the longest single call, and
//! the memory of the process. A cost that grows with the number of pieces or peers is a scan that
//! somebody should remove.

use bytes::Bytes;
use release::{
    hash::{Hash32, sha256},
    layout::{FileEntry, Layout, PieceLayers},
    merkle,
    path::GamePath,
};
use std::{
    collections::VecDeque,
    error::Error,
    io::Write,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use swarm::{
    Bitfield, Class, Config, Input, Output, PeerKey, Swarm, Time, Via,
    wire::{ExtendedHandshake, HashRange, Message, RESERVED},
};

/// Four blocks, so that partial pieces exist.
const SMALL: u32 = 64 * 1024;
/// A thousand blocks, the largest piece there is.
const LARGE: u32 = 16 * 1024 * 1024;
const BLOCK: u32 = merkle::BLOCK;
static ZEROES: [u8; BLOCK as usize] = [0; BLOCK as usize];
/// Releases larger than this are none.
const BYTES_MAX: u64 = 2 << 40;
/// Virtual time between two events: 250 MiB/s.
const STEP: Duration = Duration::from_micros(62);
/// Events of a case at most.
const EVENTS: usize = 20_000;
/// Processor time of a case at most; a case that is too slow is cut short, its mean stays right.
const CASE_TIME: Duration = Duration::from_secs(5);

type Case = fn(&mut World);
const CASES: [(&str, u32, Case); 14] = [
    ("fetch-seeds", SMALL, fetch_from_seeds),
    ("fetch-large", LARGE, fetch_from_seeds),
    ("fetch-half", SMALL, fetch_from_half),
    ("fetch-crowd", SMALL, fetch_from_crowd),
    ("have", SMALL, hear_haves),
    ("have-of-no-use", SMALL, hear_useless_haves),
    ("serve", SMALL, serve),
    ("interest", SMALL, interest),
    ("churn", SMALL, churn),
    ("choke", SMALL, choke),
    ("tick", SMALL, tick),
    ("endgame", SMALL, endgame),
    ("layer", SMALL, layer),
    ("status", SMALL, status),
];

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<15} {:>8} {:>5} {:>7} {:>10} {:>10} {:>8}",
        "case", "pieces", "peers", "events", "us/event", "worst us", "MiB"
    )?;
    for (name, piece_length, case) in CASES {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        for (pieces, peers) in [1_000, 10_000, 100_000, 1_000_000]
            .map(|pieces| (pieces, 50))
            .into_iter()
            .chain([10, 50, 100, 200, 500].map(|peers| (100_000, peers)))
        {
            if u64::from(pieces) * u64::from(piece_length) > BYTES_MAX {
                continue;
            }
            let mut world = World::new(pieces, piece_length, peers)?;
            case(&mut world);
            world.count();
            writeln!(
                out,
                "{name:<15} {pieces:>8} {peers:>5} {:>7} {:>10.2} {:>10.0} {:>8}",
                world.events,
                world.spent.as_secs_f64() * 1e6 / world.events.max(1) as f64,
                world.worst.as_secs_f64() * 1e6,
                resident_mib()
            )?;
            out.flush()?;
        }
    }
    Ok(())
}

/// A core and what its driver would hold.
struct World {
    layout: Arc<Layout>,
    layers: PieceLayers,
    leaf: Hash32,
    swarm: Swarm,
    now: Time,
    peers: usize,
    keys: u64,
    rng: fastrand::Rng,
    /// Blocks asked of each peer.
    asked: Vec<VecDeque<(u32, u32)>>,
    stores: VecDeque<(u32, u32)>,
    sends: VecDeque<Input>,
    questions: VecDeque<(PeerKey, HashRange)>,
    counting: Option<Duration>,
    events: usize,
    spent: Duration,
    worst: Duration,
}

impl World {
    fn new(pieces: u32, piece_length: u32, peers: usize) -> Result<Self, Box<dyn Error>> {
        let leaf = sha256(&ZEROES);
        let width = (piece_length / BLOCK) as usize;
        let layer = vec![merkle::root(&vec![leaf; width], width); pieces as usize];
        let file = FileEntry {
            path: GamePath::parse("file")?,
            length: u64::from(pieces) * u64::from(piece_length),
            pieces_root: Some(merkle::pieces_root_of_layer(&layer, piece_length)),
            executable: false,
        };
        let layout = Arc::new(Layout::new(piece_length, vec![file])?);
        let mut layers = PieceLayers::default();
        layers.insert(&layout, 0, layer)?;
        let mut world = Self {
            swarm: swarm(peers, &layout, &layers, Bitfield::empty(pieces)),
            layout,
            layers,
            leaf,
            now: Time::from_secs(1),
            peers,
            keys: 0,
            rng: fastrand::Rng::with_seed(1),
            asked: vec![VecDeque::new(); peers],
            stores: VecDeque::new(),
            sends: VecDeque::new(),
            questions: VecDeque::new(),
            counting: None,
            events: 0,
            spent: Duration::ZERO,
            worst: Duration::ZERO,
        };
        world.input(Input::Tick);
        Ok(world)
    }

    fn pieces(&self) -> u32 {
        self.layout.piece_count()
    }

    /// Begins anew with these pieces.
    fn have(&mut self, have: Bitfield) {
        self.swarm = swarm(self.peers, &self.layout, &self.layers, have);
    }

    /// The peers come, say what they have and whether they serve us.
    fn connect_all(&mut self, have: impl Fn(&mut fastrand::Rng) -> Message, unchoke: bool) {
        for _ in 0..self.peers {
            let had = have(&mut self.rng);
            self.connect(had, unchoke);
        }
    }

    fn connect(&mut self, had: Message, unchoke: bool) -> PeerKey {
        self.keys += 1;
        let peer = PeerKey(self.keys);
        let mut peer_id = [0; 20];
        peer_id[..8].copy_from_slice(&self.keys.to_be_bytes());
        let host = [10, 0, (self.keys >> 8) as u8, self.keys as u8];
        let addr = SocketAddr::from((host, 6881));
        let class = Class::Internet;
        let (via, reserved) = (Via::OWN, RESERVED);
        self.input(Input::PeerConnected { peer, addr, via, outgoing: true, class, peer_id, reserved });
        let said = ExtendedHandshake {
            ut_pex: Some(1),
            mu_blocks: None,
            mu_zstd: None,
            lt_donthave: Some(2),
            reqq: Some(500),
            version: None,
            upload_only: false,
            port: Some(6881),
            yourip: None,
        };
        self.say(peer, Message::Extended { id: 0, payload: said.encode() });
        self.say(peer, had);
        if unchoke {
            self.say(peer, Message::Unchoke);
        }
        peer
    }

    fn say(&mut self, peer: PeerKey, message: Message) {
        self.input(Input::Received { peer, message });
    }

    fn input(&mut self, input: Input) {
        let began = Instant::now();
        self.swarm.handle(self.now, input);
        if self.counting.is_some() {
            self.worst = self.worst.max(began.elapsed());
        }
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Send { peer, message: Message::Request { index, begin, .. } } => {
                    let asked = (peer.0 as usize).checked_sub(1).and_then(|at| self.asked.get_mut(at));
                    asked.into_iter().for_each(|asked| asked.push_back((index, begin / BLOCK)));
                }
                Output::StoreBlock { piece, block, .. } => self.stores.push_back((piece, block)),
                Output::SendBlock { peer, piece, begin, length } => {
                    self.sends.push_back(Input::BlockSent { peer, piece, begin, length, wire: length });
                }
                Output::Send { peer, message: Message::HashRequest(range) } => {
                    self.questions.push_back((peer, range));
                }
                _ => {}
            }
        }
    }

    /// What comes from here on is what the case is about.
    fn measure(&mut self) {
        std::thread::yield_now();
        self.counting = Some(processor_time());
    }

    /// One event more; false once there were enough.
    fn next(&mut self) -> bool {
        self.events += 1;
        self.now = self.now + STEP;
        if self.events.is_multiple_of(256) {
            std::thread::yield_now();
            let spent = processor_time().saturating_sub(self.counting.unwrap_or_default());
            if spent > CASE_TIME {
                return false;
            }
        }
        self.events < EVENTS
    }

    fn count(&mut self) {
        std::thread::yield_now();
        if let Some(began) = self.counting.take() {
            self.spent = processor_time().saturating_sub(began);
        }
    }

    /// Every peer answers in turn until there were enough blocks or there is nothing to answer. Now and
    /// then one of them says that it has one piece more.
    fn answer(&mut self, news: bool) {
        self.measure();
        let mut idle = 0;
        while idle < 50 {
            let mut answered = false;
            for at in 0..self.peers {
                let Some((index, block)) = self.asked[at].pop_front() else { continue };
                answered = true;
                let data = Bytes::from_static(&ZEROES);
                self.say(PeerKey(at as u64 + 1), Message::Piece { index, begin: block * BLOCK, data });
                while let Some((piece, block)) = self.stores.pop_front() {
                    self.input(Input::BlockStored { piece, block, leaf: self.leaf });
                }
                if news && self.events.is_multiple_of(4) {
                    let piece = self.rng.u32(..self.pieces());
                    let peer = PeerKey(self.rng.u64(1..=self.peers as u64));
                    self.say(peer, Message::Have { piece });
                }
                if !self.next() {
                    return;
                }
            }
            idle = if answered { 0 } else { idle + 1 };
            if !answered {
                self.now = self.now + Duration::from_millis(20);
                self.input(Input::Tick);
            }
        }
    }
}

fn swarm(peers: usize, layout: &Arc<Layout>, layers: &PieceLayers, have: Bitfield) -> Swarm {
    let config = Config { connections_max: peers + 8, ..Config::default() };
    Swarm::new(config, Arc::clone(layout), layers.clone(), have, 1)
}

/// A bitfield in which one piece of `of` is set.
fn some(rng: &mut fastrand::Rng, pieces: u32, of: u32) -> Message {
    let mut have = Bitfield::empty(pieces);
    (0..pieces).filter(|_| rng.u32(..of) == 0).for_each(|piece| {
        have.set(piece);
    });
    Message::Bitfield(Bytes::copy_from_slice(have.as_bytes()))
}

/// Blocks from peers that have everything.
fn fetch_from_seeds(world: &mut World) {
    world.connect_all(|_| Message::HaveAll, true);
    world.answer(false);
}

/// Blocks from peers that have half.
fn fetch_from_half(world: &mut World) {
    let pieces = world.pieces();
    world.connect_all(|rng| some(rng, pieces, 2), true);
    world.answer(true);
}

/// Blocks in a young crowd: everybody has one piece of a hundred.
fn fetch_from_crowd(world: &mut World) {
    let pieces = world.pieces();
    world.connect_all(|rng| some(rng, pieces, 100), true);
    world.answer(true);
}

/// Peers without anything get their first pieces and tell us.
fn hear_haves(world: &mut World) {
    world.connect_all(|_| Message::HaveNone, true);
    world.measure();
    loop {
        let peer = PeerKey(world.rng.u64(1..=world.peers as u64));
        let piece = world.rng.u32(..world.pieces());
        world.say(peer, Message::Have { piece });
        if !world.next() {
            return;
        }
    }
}

/// Peers that have nothing for us but what is asked for already tell of pieces we have.
fn hear_useless_haves(world: &mut World) {
    let pieces = world.pieces();
    let mut have = Bitfield::empty(pieces);
    (0..pieces / 2).for_each(|piece| {
        have.set(piece);
    });
    world.have(have);
    let mut rare = Bitfield::empty(pieces);
    rare.set(pieces - 1);
    let rare = Bytes::copy_from_slice(rare.as_bytes());
    world.connect_all(|_| Message::Bitfield(rare.clone()), true);
    world.measure();
    loop {
        let peer = PeerKey(world.rng.u64(1..=world.peers as u64));
        let piece = world.rng.u32(..pieces / 2);
        world.say(peer, Message::Have { piece });
        if !world.next() {
            return;
        }
    }
}

/// Requests of peers that have a slot; the others are connected too.
fn serve(world: &mut World) {
    let pieces = world.pieces();
    world.have(Bitfield::full(pieces));
    world.connect_all(|_| Message::HaveNone, false);
    (1..=world.peers as u64).for_each(|peer| world.say(PeerKey(peer), Message::Interested));
    world.now = world.now + Duration::from_secs(1);
    world.measure();
    loop {
        // The first peers in the line have the slots; a request of another is rejected, as in life.
        let peer = PeerKey(world.rng.u64(1..=world.peers as u64));
        let index = world.rng.u32(..pieces);
        let begin = world.rng.u32(..SMALL / BLOCK) * BLOCK;
        world.say(peer, Message::Request { index, begin, length: BLOCK });
        while let Some(sent) = world.sends.pop_front() {
            world.input(sent);
        }
        if !world.next() {
            return;
        }
    }
}

/// Peers become interested and lose interest.
fn interest(world: &mut World) {
    world.have(Bitfield::full(world.pieces()));
    world.connect_all(|_| Message::HaveNone, false);
    world.measure();
    loop {
        let peer = PeerKey(world.rng.u64(1..=world.peers as u64));
        let said = if world.rng.bool() { Message::Interested } else { Message::NotInterested };
        world.say(peer, said);
        if !world.next() {
            return;
        }
    }
}

/// A peer that has half comes, another goes.
fn churn(world: &mut World) {
    let pieces = world.pieces();
    world.connect_all(|rng| some(rng, pieces, 2), true);
    let had = some(&mut world.rng, pieces, 2);
    world.measure();
    let mut oldest = 0;
    loop {
        world.connect(had.clone(), true);
        oldest += 1;
        world.input(Input::PeerClosed { peer: PeerKey(oldest) });
        if !world.next() || world.events >= 512 {
            return;
        }
    }
}

/// Timers while every peer has a full window of requests.
fn tick(world: &mut World) {
    world.connect_all(|_| Message::HaveAll, true);
    fill_windows(world, 250);
    world.measure();
    loop {
        world.now = world.now + Duration::from_millis(250);
        world.input(Input::Tick);
        if !world.next() || world.events >= 64 {
            return;
        }
    }
}

/// Timers when all that is missing is asked for.
fn endgame(world: &mut World) {
    let pieces = world.pieces();
    let left = (world.peers as u32 * 64).min(pieces);
    let mut have = Bitfield::empty(pieces);
    (left..pieces).for_each(|piece| {
        have.set(piece);
    });
    world.have(have);
    world.connect_all(|_| Message::HaveAll, true);
    fill_windows(world, 128);
    world.now = world.now + Duration::from_secs(2);
    world.measure();
    loop {
        world.now = world.now + Duration::from_millis(250);
        world.input(Input::Tick);
        if !world.next() || world.events >= 64 {
            return;
        }
    }
}

/// Every peer with a full window chokes us, rejects what was asked of it and serves us again.
fn choke(world: &mut World) {
    world.connect_all(|_| Message::HaveAll, true);
    fill_windows(world, 250);
    world.measure();
    for at in (0..world.peers).cycle() {
        let peer = PeerKey(at as u64 + 1);
        world.say(peer, Message::Choke);
        for (index, block) in std::mem::take(&mut world.asked[at]) {
            world.say(peer, Message::Reject { index, begin: block * BLOCK, length: BLOCK });
            if !world.next() {
                return;
            }
        }
        world.say(peer, Message::Unchoke);
    }
}

/// The piece layer is not known and comes from peers.
fn layer(world: &mut World) {
    let file = world.layout.files()[0].pieces_root.and_then(|root| world.layers.layer(&root));
    let height = merkle::piece_height(world.layout.piece_length());
    let tree = merkle::Tree::new(file.unwrap_or_default().to_vec(), height);
    world.layers = PieceLayers::default();
    world.have(Bitfield::empty(world.pieces()));
    world.connect_all(|_| Message::HaveAll, false);
    world.measure();
    for _ in 0..100 {
        while let Some((peer, range)) = world.questions.pop_front() {
            let (index, length) = (range.index as usize, range.length as usize);
            let hashes = tree.answer(index, length, range.proof_layers).unwrap_or_default();
            world.say(peer, Message::Hashes { range, hashes });
            if !world.next() {
                return;
            }
        }
        world.now = world.now + Duration::from_millis(250);
        world.input(Input::Tick);
    }
}

/// The figures that an owner asks for five times a second.
fn status(world: &mut World) {
    world.connect_all(|_| Message::HaveAll, true);
    fill_windows(world, 250);
    world.measure();
    loop {
        let began = Instant::now();
        std::hint::black_box(world.swarm.stats(world.now));
        world.worst = world.worst.max(began.elapsed());
        if !world.next() || world.events >= 512 {
            return;
        }
    }
}

/// Answers until windows are as wide as they get in so many rounds, or half of everything is here.
fn fill_windows(world: &mut World, rounds: u64) {
    let blocks = world.layout.total() / u64::from(BLOCK);
    let rounds = (blocks / 2 / world.peers as u64).min(rounds);
    for _ in 0..rounds {
        for at in 0..world.peers {
            let Some((index, block)) = world.asked[at].pop_front() else { continue };
            let data = Bytes::from_static(&ZEROES);
            world.say(PeerKey(at as u64 + 1), Message::Piece { index, begin: block * BLOCK, data });
            while let Some((piece, block)) = world.stores.pop_front() {
                world.input(Input::BlockStored { piece, block, leaf: world.leaf });
            }
            world.now = world.now + STEP;
        }
    }
}

/// Processor time of this thread where the system tells (Linux), else time that passed.
fn processor_time() -> Duration {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| BEGAN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Resident memory of this process where the system tells, else zero.
fn resident_mib() -> u64 {
    let told = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = told.as_deref().and_then(|told| told.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096 / (1024 * 1024)
}
