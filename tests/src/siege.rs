//! One of ours downloads while hostile peers do their worst and an honest seed does its best.

use crate::{
    cost,
    hostile::{Hostile, Line},
    muster::TorrentPeer,
    share::Share,
    tree,
};
use release::merkle;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use swarm::wire::{BLOCK_LENGTH, HashRange, Message, Pex, UT_PEX};

/// The victim answers a word that needs no thought within this.
pub const SOON: Duration = Duration::from_secs(2);
/// What a download of these few MiB costs by itself, with room to spare: memory in MiB.
pub const MEMORY_MIB: u64 = 16;
/// The same, processor time in seconds.
pub const CPU: f64 = 2.0;
/// The honest seed alone needs about a second; an attack may add this.
pub const DELAY_MAX: Duration = Duration::from_secs(12);
/// A port that a player could have and nobody listens at.
const NOBODYS_PORT: u16 = 1_025;
/// Connections that say nothing: more than are let in at once, fewer than the system keeps waiting besides.
pub const SILENT: usize = 150;

/// Longest the whole download may take once the honest seed is there.
const LIMIT: Duration = Duration::from_secs(30);
/// The honest seed is slow enough that the attack goes on for a while beside it.
const HONEST_RATE: &str = "4 MiB/s";
const MIB: usize = 1 << 20;

/// A downloader that has nothing yet and stays when complete.
#[derive(Debug)]
pub struct Siege {
    /// What it downloads.
    pub share: Share,
    /// Somebody who attacks it.
    pub hostile: Hostile,
    /// The downloader.
    pub victim: TorrentPeer,
    place: PathBuf,
    memory_before: u64,
}

/// What it came to.
#[derive(Debug)]
pub struct Toll {
    /// From the arrival of the honest seed to the last byte.
    pub time: Duration,
    /// Whom the victim banned.
    pub banned: Vec<SocketAddr>,
    /// Payload bytes that came in vain.
    pub wasted: u64,
    /// How much its memory had grown at most since before the attack, bytes.
    pub memory: u64,
    /// Processor time of the victim, seconds.
    pub cpu: f64,
}

impl Siege {
    /// A downloader of a small mixed tree.
    #[must_use]
    pub fn lay(seed: u64) -> Self {
        Self::lay_with(seed, &[], &[])
    }

    /// The same with these peers and options.
    #[must_use]
    pub fn lay_with(seed: u64, peers: &[&str], options: &[&str]) -> Self {
        Self::lay_for(Share::mixed(seed, 2 * MIB), |share| share.torrent.clone(), peers, options)
    }

    /// A downloader of two files with layers of 512.
    #[must_use]
    pub fn layered(seed: u64) -> Self {
        let share = Share::filled(BLOCK_LENGTH as usize, |folder| {
            let mut random = fastrand::Rng::with_seed(seed);
            tree::write(&folder.join("a.bin"), 512 * BLOCK_LENGTH as usize, &mut random);
            tree::write(&folder.join("b.bin"), 512 * BLOCK_LENGTH as usize, &mut random);
        });
        Self::lay_for(share, |share| share.torrent.clone(), &[], &[])
    }

    /// A question for the whole layer of each file: asked in turn, no answer can be kept for the next.
    #[must_use]
    pub fn layer_requests(&self) -> Vec<Message> {
        let layout = &self.hostile.layout;
        let base_layer = merkle::piece_height(layout.piece_length());
        let whole =
            |pieces_root| HashRange { pieces_root, base_layer, index: 0, length: 512, proof_layers: 0 };
        let roots = layout.files().iter().filter_map(|file| file.pieces_root);
        roots.map(|pieces_root| Message::HashRequest(whole(pieces_root))).collect()
    }

    /// A downloader of `share` with this torrent file, these peers and options.
    pub fn lay_for(
        share: Share,
        torrent: impl FnOnce(&Share) -> PathBuf,
        peers: &[&str],
        options: &[&str],
    ) -> Self {
        let torrent = torrent(&share);
        let place = share.place("victim");
        let options = [&["--stay", "-v"], options].concat();
        let victim = TorrentPeer::start(&share.person("victim"), &torrent, &place, peers, &options);
        let memory_before = cost::peak_memory(victim.program.id());
        Self { hostile: Hostile::of(&torrent), share, victim, place, memory_before }
    }

    /// A hostile connection to the victim.
    #[must_use]
    pub fn dial(&self) -> Line {
        self.hostile.dial(&self.victim.listen)
    }

    /// How much the victim's memory has grown, bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        cost::peak_memory(self.victim.program.id()) - self.memory_before
    }

    /// Processor time the victim has used, seconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        cost::cpu_seconds(self.victim.program.id())
    }

    /// An honest seed that comes to the victim by itself.
    #[must_use]
    pub fn honest(&self) -> TorrentPeer {
        let options = ["--trust", "--stay", "--limit-up", HONEST_RATE];
        let (person, folder) = (self.share.person("honest"), self.share.seed_dir());
        TorrentPeer::start(&person, &self.share.torrent, &folder, &[&self.victim.listen], &options)
    }

    /// An honest seed that waits to be found.
    #[must_use]
    pub fn honest_elsewhere(&self) -> TorrentPeer {
        let options = ["--trust", "--stay", "--limit-up", HONEST_RATE];
        let (person, folder) = (self.share.person("honest"), self.share.seed_dir());
        TorrentPeer::start(&person, &self.share.torrent, &folder, &[], &options)
    }

    /// So many honest seeds that come to the victim by themselves, each as fast as it can.
    #[must_use]
    pub fn honest_crowd(&self, seeds: usize) -> Vec<TorrentPeer> {
        let options = ["--trust", "--stay"];
        let seed = |number| {
            let (person, folder) = (self.share.person(&format!("honest-{number}")), self.share.seed_dir());
            TorrentPeer::start(&person, &self.share.torrent, &folder, &[&self.victim.listen], &options)
        };
        (0..seeds).map(seed).collect()
    }

    /// Somebody tells the victim of `peer`, by peer exchange.
    #[must_use]
    pub fn introduce(&self, peer: &str) -> Line {
        let mut line = self.dial();
        let payload = Pex { added: vec![peer.parse().unwrap()], dropped: vec![] }.encode();
        assert!(line.say(&Message::Extended { id: UT_PEX, payload }), "the victim listens");
        line
    }

    /// Waits until everything has arrived.
    #[must_use]
    pub fn hold_out(mut self) -> Toll {
        let started = Instant::now();
        self.victim.complete(LIMIT);
        self.reckon(started.elapsed())
    }

    /// Everything has arrived already.
    #[must_use]
    pub fn hold_out_completed(self) -> Toll {
        self.reckon(Duration::ZERO)
    }

    /// The honest seed comes; everything must arrive.
    #[must_use]
    pub fn lift(self) -> Toll {
        self.lift_during(|_| ()).0
    }

    /// The honest seed comes while those who were there before stay and say nothing more; everything must arrive.
    #[must_use]
    pub fn lift_beside<T: Send>(self, others: T) -> Toll {
        let wait = |over: &AtomicBool| {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let toll = self.lift_during(wait).0;
        drop(others);
        toll
    }

    /// The same as [`Siege::lift`], with all that the victim said on stderr.
    #[must_use]
    pub fn lift_logged(mut self) -> (Toll, String) {
        let _honest = self.honest();
        let started = Instant::now();
        self.victim.complete(LIMIT);
        self.reckon_logged(started.elapsed())
    }

    /// The honest seed comes while `attack` goes on until its argument is set; everything must arrive.
    pub fn lift_during<T: Send>(self, attack: impl FnOnce(&AtomicBool) -> T + Send) -> (Toll, T) {
        self.lift_after(Duration::ZERO, attack)
    }

    /// The same, but the attack is alone with the victim for a while.
    pub fn lift_after<T: Send>(
        mut self,
        head_start: Duration,
        attack: impl FnOnce(&AtomicBool) -> T + Send,
    ) -> (Toll, T) {
        let over = AtomicBool::new(false);
        let (time, attacked) = std::thread::scope(|scope| {
            let _over_in_the_end = OnDrop(&over);
            let attack = scope.spawn(|| attack(&over));
            std::thread::sleep(head_start);
            let _honest = self.honest();
            let started = Instant::now();
            self.victim.complete(LIMIT);
            over.store(true, Ordering::Relaxed);
            (started.elapsed(), attack.join().unwrap())
        });
        (self.reckon(time), attacked)
    }

    fn reckon(self, time: Duration) -> Toll {
        self.reckon_logged(time).0
    }

    fn reckon_logged(mut self, time: Duration) -> (Toll, String) {
        self.share.assert_arrived(&self.place);
        let (memory, cpu) = (self.memory(), self.cpu());
        let wasted = self.victim.stop()["wasted_bytes"].as_u64().unwrap();
        let log = self.victim.program.errors();
        let toll = Toll { time, banned: banned(&log), wasted, memory, cpu };
        eprintln!("{toll:?}");
        (toll, log)
    }
}

impl Toll {
    /// Nobody was banned, and the whole cost the victim at most this.
    pub fn assert_cheap(&self, memory_mib: u64, cpu_seconds: f64, wasted: u64) {
        assert_eq!(self.banned, [], "nobody gave false bytes");
        assert!(self.memory <= memory_mib << 20, "{} bytes of memory", self.memory);
        assert!(self.cpu <= cpu_seconds, "{} s of processor time", self.cpu);
        assert!(self.wasted <= wasted, "{} bytes in vain", self.wasted);
    }
}

/// Tells the victim of fifty addresses of loopback in each of so many messages; nobody listens there.
pub fn tell_of_nobody(line: &mut Line, messages: u32) {
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 0));
    for message in 0..messages {
        let host =
            |number| SocketAddr::new(Ipv4Addr::from(first + message * 50 + number).into(), NOBODYS_PORT);
        let payload = Pex { added: (1..=50).map(host).collect(), dropped: vec![] }.encode();
        if !line.say(&Message::Extended { id: UT_PEX, payload }) {
            break;
        }
    }
}

/// Ends the attack also when the test fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The addresses that the log calls banned.
fn banned(log: &str) -> Vec<SocketAddr> {
    let lines = log.lines().filter(|line| line.contains("is banned"));
    lines.filter_map(|line| line.split_once("addr=")?.1.split_whitespace().next()?.parse().ok()).collect()
}
