//! One of ours downloads while hostile peers do their worst and an honest seed does its best.

use crate::{
    cost,
    hostile::{Hostile, Line},
    muster::TorrentPeer,
    share::Share,
};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use swarm::wire::{Message, Pex, UT_PEX};

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
        Self::lay_for(Share::mixed(seed, 2 * MIB), |share| share.torrent.clone(), &[], &[])
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

    /// The honest seed comes; everything must arrive.
    #[must_use]
    pub fn lift(self) -> Toll {
        self.lift_during(|_| ()).0
    }

    /// The same, with all that the victim said on stderr.
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
