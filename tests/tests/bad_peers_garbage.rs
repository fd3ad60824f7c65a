//! Two thousand connections that are no peers', held all at once and made anew as often as they are ended, at a program
//! that serves and at one that downloads: what they cost in memory is bounded, and an honest download beside them is done.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proof::Line;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use swarm::wire::Handshake;
use tests::{cost, hostile::Hostile, muster::TorrentPeer, share::Share};

/// Connections that are held at once.
const CONNECTIONS: usize = 2_000;
/// Threads that hold them.
const THREADS: usize = 4;
/// Bytes of its own memory by which the attacked program may grow, MiB.
const GROWTH_MAX: u64 = 64;
/// The honest download is slow enough to last for some seconds.
const RATE: &str = "6 MiB/s";
const BYTES: usize = 24 << 20;
const LIMIT: Duration = Duration::from_secs(60);

/// What a connection says.
#[derive(Debug, Clone, Copy)]
enum Noise {
    /// Nothing at all: half-open for ever.
    Nothing,
    /// A true handshake, a byte at a time, and then no more of it.
    Drip,
    /// Bytes of chance.
    Random,
    /// A true handshake, and then a large message of which a byte comes at a time.
    LargeMessage,
    /// A true handshake, and then messages without end.
    Endless,
}

/// Of so many connections, one each says [`Noise::LargeMessage`] and [`Noise::Endless`]: those who shake hands take places,
/// of which a torrent has 80. On the internet a /24 gets 16 of them at most; here all are of one machine, which may have many
/// players, so the test leaves some.
const GREETED: usize = 80;

fn noise(number: usize) -> Noise {
    match number % GREETED {
        0 => Noise::LargeMessage,
        1 => Noise::Endless,
        other => [Noise::Nothing, Noise::Drip, Noise::Random][other % 3],
    }
}

struct Garbage {
    noise: Noise,
    stream: Option<TcpStream>,
    said: usize,
}

impl Garbage {
    /// Goes on a little; whether it began anew.
    fn go_on(&mut self, victim: SocketAddr, handshake: &[u8]) -> bool {
        let Some(stream) = &mut self.stream else {
            self.said = 0;
            self.stream = TcpStream::connect_timeout(&victim, Duration::from_millis(100)).ok();
            if let Some(stream) = &self.stream {
                stream.set_nonblocking(true).unwrap();
            }
            return self.stream.is_some();
        };
        let mut heard = [0; 4096];
        let ended = match stream.read(&mut heard) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        let random: Vec<u8>;
        let words: &[u8] = match self.noise {
            Noise::Nothing => &[],
            Noise::Drip => {
                handshake.get(self.said..=self.said).filter(|_| self.said < 67).unwrap_or_default()
            }
            Noise::Random => {
                random = std::iter::repeat_with(|| fastrand::u8(..)).take(512).collect();
                &random
            }
            Noise::LargeMessage | Noise::Endless if self.said == 0 => handshake,
            // 32 KiB of an extended message.
            Noise::LargeMessage if self.said == handshake.len() => &[0, 0, 0x80, 0, 20, 0],
            Noise::LargeMessage => b"x",
            // "Have" a piece, a keep-alive, a message that nobody knows.
            Noise::Endless => &[0, 0, 0, 5, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 99, 1, 2],
        };
        let lost = match stream.write(words) {
            Ok(written) => {
                self.said += written;
                false
            }
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        if ended || lost {
            self.stream = None;
        }
        false
    }
}

/// Attacks `victim` until it is over; how many connections were made.
fn attack(victim: &str, hostile: &Hostile, over: &AtomicBool, ready: &AtomicU64) -> u64 {
    let victim: SocketAddr = victim.parse().unwrap();
    let made = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut all: Vec<Garbage> = (0..CONNECTIONS / THREADS)
                    .map(|number| Garbage { noise: noise(number), stream: None, said: 0 })
                    .collect();
                let mut peer_id = *b"-XX0004-000000000000";
                while !over.load(Ordering::Relaxed) {
                    for garbage in &mut all {
                        peer_id[8..].fill_with(|| fastrand::alphanumeric() as u8);
                        let handshake = Handshake::new(hostile.infohash, peer_id).encode();
                        made.fetch_add(u64::from(garbage.go_on(victim, &handshake)), Ordering::Relaxed);
                    }
                    let held = all.iter().filter(|garbage| garbage.stream.is_some()).count();
                    ready.fetch_max(held as u64, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    made.into_inner()
}

/// How much the program's own memory grows at most, MiB, while garbage comes in and `honest` is done; and how many
/// connections were made.
fn under_attack(process: u32, victim: &str, hostile: &Hostile, honest: impl FnOnce()) -> (u64, u64) {
    rlimit::increase_nofile_limit(CONNECTIONS as u64 + 512).unwrap();
    let before = cost::own_memory(process);
    let (over, peak, held) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let made = std::thread::scope(|scope| {
        let _over_in_the_end = OnDrop(&over);
        let attack = scope.spawn(|| attack(victim, hostile, &over, &held));
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(cost::own_memory(process), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        // The flood is there first.
        std::thread::sleep(Duration::from_secs(2));
        honest();
        over.store(true, Ordering::Relaxed);
        attack.join().unwrap()
    });
    assert!(made >= CONNECTIONS as u64, "{made} connections are no flood");
    (peak.into_inner().saturating_sub(before).div_ceil(1 << 20), made)
}

fn check(what: &str, (growth, made): (u64, u64), log: &str) {
    eprintln!("{what}: {growth} MiB for {made} connections");
    proof::count(Line::FloodMemory, growth, GROWTH_MAX);
    let banned = log.contains("is banned");
    proof::count(Line::HonestKept, u64::from(!banned), 1);
    assert!(growth <= GROWTH_MAX, "{growth} MiB");
    assert!(!banned, "nobody gave a false byte:\n{log}");
}

/// Ends the attack also when the test fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn two_thousand_garbage_connections_at_a_seed() {
    let share = Share::large(110, BYTES);
    let options = ["--trust", "--stay", "-v", "--limit-up", RATE];
    let mut seed =
        TorrentPeer::start(&share.person("seed"), &share.torrent, &share.seed_dir(), &[], &options);
    let (hostile, listen) = (Hostile::of(&share.torrent), seed.listen.clone());
    let toll = under_attack(seed.program.id(), &listen, &hostile, || {
        download(&share, &share.place("honest"), &listen);
    });
    drop(seed.stop());
    check("a seed", toll, &seed.program.errors());
}

#[test]
fn two_thousand_garbage_connections_at_a_downloader() {
    let share = Share::large(111, BYTES);
    let place = share.place("victim");
    let options = ["--stay", "-v"];
    let mut victim = TorrentPeer::start(&share.person("victim"), &share.torrent, &place, &[], &options);
    let (hostile, listen) = (Hostile::of(&share.torrent), victim.listen.clone());
    let process = victim.program.id();
    let toll = under_attack(process, &listen, &hostile, || {
        let options = ["--trust", "--stay", "--limit-up", RATE];
        let folder = share.seed_dir();
        let _honest =
            TorrentPeer::start(&share.person("honest"), &share.torrent, &folder, &[&listen], &options);
        victim.complete(LIMIT);
    });
    share.assert_arrived(&place);
    drop(victim.stop());
    check("a downloader", toll, &victim.program.errors());
}

fn download(share: &Share, place: &Path, from: &str) {
    let mut honest = TorrentPeer::start(&share.person("honest"), &share.torrent, place, &[from], &[]);
    honest.complete(LIMIT);
    share.assert_arrived(place);
}
