//! Many liars at once, over real sockets: everything arrives, everyone who gave a false block is banned and nobody else,
//! and what they cost is a small share of the download. The same with more of them and every pace is in `sim`'s `liars`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proof::Line;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tests::{
    liar::{Manner, Outcome, Truth},
    share::Share,
    siege::Siege,
    tree,
};

const MIB: usize = 1 << 20;
/// Thousandths of a download that may come in vain where half of the peers lie.
const WASTED_MAX: u64 = 50;
/// Longest that everything takes.
const LIMIT: Duration = Duration::from_secs(60);
/// A lie so shortly before the end may be about a block that came from elsewhere meanwhile: nobody judges it.
const JUDGED_WITHIN: Duration = Duration::from_millis(500);

/// Where liars come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    OneAddress,
    ManyAddresses,
}

/// Liars in these manners meet the victim first, then so many honest seeds; whoever is banned comes back at once, so
/// often. Returns the thousandths that came in vain.
fn lift(mib: usize, honest: usize, manners: &[Manner], from: From, returns: usize) -> u64 {
    let share = Share::filled(MIB, |folder| {
        tree::write(&folder.join("large.bin"), mib * MIB, &mut fastrand::Rng::with_seed(mib as u64));
        tree::write(&folder.join("small.bin"), 100_000, &mut fastrand::Rng::with_seed(7));
    });
    let total = share.total();
    let mut siege = Siege::lay_for(share, |share| share.torrent.clone(), &[], &[]);
    let truth = Truth::of(&siege.hostile, &siege.share.folder);
    let (hostile, victim) = (siege.hostile.clone(), siege.victim.listen.clone());
    let over = AtomicBool::new(false);
    let live = |number: usize, manner: Manner| -> Vec<Outcome> {
        let last = if from == From::OneAddress { 1 } else { 2 + number as u8 };
        let here = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let mut lives = Vec::new();
        while lives.len() <= returns && !over.load(Ordering::Relaxed) {
            let Some(mut line) = hostile.dial_from(here, &victim) else { break };
            lives.push(truth.serve(&mut line, manner, &over));
        }
        lives
    };
    let (outcomes, seeds, ended) = std::thread::scope(|scope| {
        let _over_in_the_end = OnDrop(&over);
        let live = &live;
        let liars: Vec<_> =
            (0..).zip(manners).map(|(number, manner)| scope.spawn(move || live(number, *manner))).collect();
        std::thread::sleep(Duration::from_millis(100));
        let seeds = siege.honest_crowd(honest);
        siege.victim.complete(LIMIT);
        let ended = Instant::now();
        over.store(true, Ordering::Relaxed);
        let outcomes = liars.into_iter().flat_map(|liar| liar.join().unwrap()).collect::<Vec<_>>();
        (outcomes, seeds, ended)
    });
    let toll = siege.hold_out_completed();
    let lied = |outcome: &&Outcome| {
        let early = outcome.lied_at.is_some_and(|at| at + JUDGED_WITHIN < ended);
        early || toll.banned.contains(&outcome.addr)
    };
    let judged: Vec<SocketAddr> = outcomes.iter().filter(lied).map(|outcome| outcome.addr).collect();
    let found = judged.iter().filter(|addr| toll.banned.contains(addr)).count();
    let any_lie = |addr: &&SocketAddr| {
        outcomes.iter().any(|outcome| outcome.addr == **addr && outcome.lied_at.is_some())
    };
    let wrongly = toll.banned.iter().filter(|addr| !any_lie(addr)).count();
    proof::count(Line::LiarsBanned, found as u64, judged.len() as u64);
    proof::count(Line::HonestKept, (seeds.len() - wrongly.min(seeds.len())) as u64, seeds.len() as u64);
    let wasted = (toll.wasted * 1_000).div_ceil(total);
    let false_bytes: u64 = outcomes.iter().map(|outcome| outcome.false_bytes).sum();
    eprintln!(
        "{} of {} lied; {false_bytes} false bytes sent, {wasted} ‰ in vain",
        judged.len(),
        outcomes.len()
    );
    assert_eq!((found, wrongly), (judged.len(), 0), "{:?}", toll.banned);
    assert!(manners.iter().all(|manner| *manner == Manner::Proofs) || !judged.is_empty());
    wasted
}

/// Ends the attack also when the test fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn half_of_the_peers_of_a_large_download_lie() {
    let manners = [Manner::Always, Manner::After(40), Manner::OneOf(100), Manner::Always, Manner::Proofs];
    let wasted = lift(256, 5, &manners, From::ManyAddresses, 0);
    proof::count(Line::Wasted, wasted, WASTED_MAX);
    assert!(wasted <= WASTED_MAX, "{wasted} ‰");
}

#[test]
fn nine_liars_from_one_address_and_one_honest_seed() {
    lift(32, 1, &[Manner::Always; 9], From::OneAddress, 0);
}

#[test]
fn nine_liars_from_nine_addresses_and_one_honest_seed() {
    let manners = [[Manner::Always; 3], [Manner::After(20); 3], [Manner::OneOf(50); 3]].concat();
    lift(32, 1, &manners, From::ManyAddresses, 0);
}

/// Where addresses are near, a port is all that tells them apart, so a liar may come again.
#[test]
fn liars_that_come_again_and_again() {
    lift(32, 2, &[Manner::Always; 4], From::OneAddress, 25);
}
