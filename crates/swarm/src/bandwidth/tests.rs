//! The tree and its queue in virtual time: what passes is listed packet by packet and summed over every window.

use proptest::prelude::*;
use std::time::Duration;

use super::*;

const ETHERNET: Framing = Framing { segment: 1448, header: 52 };
const CAPS: [u64; 3] = [64 << 10, 500 << 10, 5 << 20];
const INTERNET: Path = Path { link: Link::Internet, game: GameKey(1), priority: Priority::Foreground };

fn path(link: Link, game: u32, priority: Priority) -> Path {
    Path { link, game: GameKey(game), priority }
}

/// Flows that ask again as soon as they were served, for as much as `want` says.
struct Crowd {
    queue: Queue,
    flows: Vec<Path>,
    want: u32,
    passed: Vec<(Time, usize, u64)>,
    /// The driver wakes only at multiples of this, like a real timer, and sometimes misses some.
    tick: Duration,
}

impl Crowd {
    fn new(queue: Queue, flows: Vec<Path>) -> Self {
        let mut crowd =
            Self { queue, flows, want: 16 * 1024, passed: Vec::new(), tick: Duration::from_millis(1) };
        for flow in 0..crowd.flows.len() {
            crowd.ask(flow);
        }
        crowd
    }

    fn ask(&mut self, flow: usize) {
        self.queue.ask(Direction::Up, FlowKey(flow as u64), self.flows[flow], ETHERNET, self.want);
    }

    /// Runs until `end` and returns what time it is then.
    fn run(&mut self, from: Time, end: Time) -> Time {
        let mut now = from;
        while now < end {
            match self.queue.next(now, Direction::Up) {
                Ok((FlowKey(flow), bytes)) => {
                    self.passed.push((now, flow as usize, ETHERNET.wire_bytes(bytes)));
                    self.ask(flow as usize);
                }
                Err(Some(at)) => {
                    let tick = self.tick.as_micros() as u64;
                    now = Time::from_micros(at.as_micros().div_ceil(tick) * tick).max(now + self.tick);
                }
                Err(None) => return end,
            }
        }
        end
    }

    fn total(&self, flow: usize) -> u64 {
        self.passed.iter().filter(|(_, other, _)| *other == flow).map(|(_, _, bytes)| bytes).sum()
    }

    fn all(&self) -> u64 {
        self.passed.iter().map(|(_, _, bytes)| bytes).sum()
    }

    /// The most that passed in any window of this length, wherever it begins.
    fn most_in(&self, window: Duration) -> u64 {
        let (mut most, mut sum, mut first) = (0, 0, 0);
        for &(at, _, bytes) in &self.passed {
            sum += bytes;
            while at.since(self.passed[first].0) >= window {
                sum -= self.passed[first].2;
                first += 1;
            }
            most = most.max(sum);
        }
        most
    }
}

fn capped(node: Node, cap: u64) -> Queue {
    let mut queue = Queue::default();
    queue.tree.set_cap(node, Direction::Up, Some(cap));
    queue
}

/// Jain's index: 1 when all got the same, 1/n when one got all.
fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|share| *share as f64).sum();
    let squares: f64 = shares.iter().map(|share| (*share as f64).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn without_caps_everything_passes_at_once() {
    let mut tree = Tree::new();
    let grant = tree.take(Time::ZERO, INTERNET, Direction::Down, ETHERNET, 1 << 30);
    assert_eq!(grant, Grant::Bytes(1 << 30));
}

#[test]
fn what_the_wire_carries_is_what_the_cap_says() {
    for cap in CAPS {
        for peers in [1, 20] {
            let mut crowd = Crowd::new(capped(Node::Root, cap), vec![INTERNET; peers]);
            crowd.run(Time::from_secs(3), Time::from_secs(33));
            let packet = 1_600;
            let share = crowd.all() as f64 / (cap * 30) as f64;
            assert!((0.995..=1.005).contains(&share), "{share} of {cap} with {peers}");
            let second = crowd.most_in(Duration::from_secs(1));
            assert!(second <= cap * 105 / 100 + packet, "{second} in a second at {cap}");
            let tenth = crowd.most_in(Duration::from_millis(100));
            assert!(tenth <= cap * 13 / 100 + packet, "{tenth} in 100 ms at {cap}");
        }
    }
}

#[test]
fn a_driver_that_wakes_late_makes_good_and_sends_no_burst() {
    for cap in CAPS {
        let mut crowd = Crowd::new(capped(Node::Root, cap), vec![INTERNET]);
        crowd.tick = Duration::from_millis(10);
        crowd.run(Time::from_secs(3), Time::from_secs(13));
        let share = crowd.all() as f64 / (cap * 10) as f64;
        assert!((0.97..=1.01).contains(&share), "{share} of {cap}");
        let tenth = crowd.most_in(Duration::from_millis(100));
        assert!(tenth <= cap * 15 / 100 + 1_600, "{tenth} in 100 ms at {cap}");
    }
}

#[test]
fn twenty_backlogged_peers_share_equally() {
    for cap in CAPS {
        let mut crowd = Crowd::new(capped(Node::Root, cap), vec![INTERNET; 20]);
        crowd.run(Time::ZERO, Time::from_secs(10));
        let shares: Vec<u64> = (0..20).map(|flow| crowd.total(flow)).collect();
        assert!(jain(&shares) >= 0.99, "{} at {cap}: {shares:?}", jain(&shares));
    }
}

#[test]
fn downloads_take_turns_of_a_block_and_share_equally_in_the_end() {
    let mut queue = Queue::default();
    queue.tree.set_cap(Node::Root, Direction::Down, Some(500 << 10));
    let ask =
        |queue: &mut Queue, flow| queue.ask(Direction::Down, FlowKey(flow), INTERNET, ETHERNET, 64 << 10);
    (0..20).for_each(|flow| ask(&mut queue, flow));
    let (mut now, mut shares, mut turns) = (Time::ZERO, vec![0_u64; 20], 0);
    let mut last = None;
    while now < Time::from_secs(60) {
        match queue.next(now, Direction::Down) {
            Ok((FlowKey(flow), bytes)) => {
                shares[flow as usize] += u64::from(bytes);
                turns += u64::from(last.replace(flow) != Some(flow));
                ask(&mut queue, flow);
            }
            Err(at) => now = at.unwrap_or(Time::from_secs(60)),
        }
    }
    assert!(jain(&shares) >= 0.99, "{shares:?}");
    let turn = shares.iter().sum::<u64>() / turns;
    assert!((16_000..20_000).contains(&turn), "{turn} bytes a turn");
}

#[test]
fn what_nobody_takes_is_counted() {
    let mut tree = Tree::new();
    tree.set_cap(Node::Root, Direction::Down, Some(100_000));
    let idle = |tree: &mut Tree, at| tree.idle_bytes(Time::from_secs(at), Node::Root, Direction::Down);
    let begun = idle(&mut tree, 10);
    assert_eq!(idle(&mut tree, 12) - begun, 200_000);
    let mut crowd = Crowd::new(capped(Node::Root, 100_000), vec![INTERNET]);
    crowd.run(Time::ZERO, Time::from_secs(10));
    let idle = crowd.queue.tree.idle_bytes(Time::from_secs(10), Node::Root, Direction::Up);
    assert!(idle < 1_000, "{idle} of a cap that is used up");
    assert_eq!(Tree::new().idle_bytes(Time::from_secs(5), Node::Root, Direction::Up), 0);
}

#[test]
fn a_small_wish_does_not_overtake_a_large_one_for_ever() {
    let mut crowd = Crowd::new(capped(Node::Root, 20_000), vec![INTERNET; 2]);
    let flows = crowd.flows.clone();
    for second in 0..20 {
        // The second flow wants crumbs, and asks at once each time.
        crowd.queue.ask(Direction::Up, FlowKey(1), flows[1], ETHERNET, 100);
        crowd.run(Time::from_secs(second), Time::from_secs(second + 1));
    }
    assert!(crowd.total(0) > 20 * 20_000 * 2 / 5, "{}", crowd.total(0));
}

#[test]
fn a_flow_that_is_stopped_elsewhere_holds_up_nobody() {
    let mut queue = capped(Node::Root, 100_000);
    queue.tree.set_cap(Node::Game(GameKey(7)), Direction::Up, Some(0));
    queue.tree.set_cap(Node::Origin, Direction::Up, Some(5_000));
    let flows = vec![
        path(Link::Internet, 7, Priority::Foreground),
        path(Link::Origin, 1, Priority::Foreground),
        INTERNET,
    ];
    let mut crowd = Crowd::new(queue, flows);
    crowd.run(Time::ZERO, Time::from_secs(10));
    assert_eq!(crowd.total(0), 0, "a cap of zero stops");
    assert!((45_000..=55_000).contains(&crowd.total(1)), "{}", crowd.total(1));
    let rest = crowd.total(1) + crowd.total(2);
    assert!((990_000..=1_010_000).contains(&rest), "the cap is used up: {rest}");
}

#[test]
fn the_background_goes_after_the_foreground_but_not_without() {
    let flows = vec![INTERNET, path(Link::Internet, 2, Priority::Background)];
    let mut crowd = Crowd::new(capped(Node::Root, 500_000), flows.clone());
    crowd.run(Time::ZERO, Time::from_secs(10));
    let share = crowd.total(1) as f64 / crowd.all() as f64;
    assert!((0.1..=0.15).contains(&share), "{share}");

    // Alone it has everything, but for a cap of its own.
    let mut queue = capped(Node::Root, 500_000);
    queue.tree.set_cap(Node::Background, Direction::Up, Some(50_000));
    let mut crowd = Crowd::new(queue, flows);
    crowd.queue.withdraw(Direction::Up, FlowKey(0));
    crowd.run(Time::ZERO, Time::from_secs(10));
    assert!((490_000..=510_000).contains(&crowd.total(1)), "{}", crowd.total(1));
}

#[test]
fn a_lan_is_exempt_unless_it_is_not() {
    let lan = path(Link::Lan, 1, Priority::Foreground);
    let mut tree = Tree::new();
    tree.set_cap(Node::Root, Direction::Up, Some(10_000));
    assert_eq!(tree.cap(lan, Direction::Up), None);
    assert_eq!(tree.take(Time::ZERO, lan, Direction::Up, ETHERNET, 1 << 20), Grant::Bytes(1 << 20));
    tree.set_cap(Node::Lan, Direction::Up, Some(1_000_000));
    assert_eq!(tree.cap(lan, Direction::Up), Some(1_000_000));
    tree.set_lan_capped(true);
    assert_eq!(tree.cap(lan, Direction::Up), Some(10_000));
    assert_eq!(tree.cap(lan, Direction::Down), None, "directions are apart");
}

#[test]
fn acknowledgements_count_but_leave_half() {
    // Ten times the cap in acknowledgements: blocks still get half of it.
    let mut crowd = Crowd::new(capped(Node::Root, 100_000), vec![INTERNET]);
    for tenth in 0..100 {
        let from = Time::from_millis(tenth * 100);
        crowd.queue.tree.charge(from, INTERNET, Direction::Up, 100_000);
        crowd.run(from, from + Duration::from_millis(100));
    }
    assert!((450_000..=560_000).contains(&crowd.all()), "{}", crowd.all());

    // A few are taken from what blocks get, to the byte.
    let mut crowd = Crowd::new(capped(Node::Root, 100_000), vec![INTERNET]);
    for tenth in 0..100 {
        let from = Time::from_millis(tenth * 100);
        crowd.queue.tree.charge(from, INTERNET, Direction::Up, 2_000);
        crowd.run(from, from + Duration::from_millis(100));
    }
    assert!((795_000..=806_000).contains(&crowd.all()), "{}", crowd.all());
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let mut tree = Tree::new();
    tree.set_cap(Node::Root, Direction::Down, Some(1_000_000));
    let now = Time::from_secs(1);
    let take = |tree: &mut Tree| tree.take(now, INTERNET, Direction::Down, ETHERNET, 2_896);
    let mut grants = 0;
    while take(&mut tree) == Grant::Bytes(2_896) {
        grants += 1;
    }
    assert!((1..=10).contains(&grants), "bursts are small: {grants}");
    assert!(matches!(take(&mut tree), Grant::Wait { node: Node::Root, until: Some(_) }));
    tree.give_back(INTERNET, Direction::Down, ETHERNET, 2_896, 0);
    assert_eq!(take(&mut tree), Grant::Bytes(2_896));
    assert!(matches!(take(&mut tree), Grant::Wait { .. }));
}

#[test]
fn lifting_a_cap_serves_those_who_wait() {
    let mut queue = capped(Node::Root, 0);
    queue.ask(Direction::Up, FlowKey(1), INTERNET, ETHERNET, 9_000);
    assert_eq!(queue.next(Time::from_secs(9), Direction::Up), Err(None), "time alone does not help");
    queue.tree.set_cap(Node::Root, Direction::Up, None);
    assert_eq!(queue.next(Time::from_secs(9), Direction::Up), Ok((FlowKey(1), 9_000)));
    assert!(queue.is_empty(Direction::Up));
}

#[test]
fn headers_and_acknowledgements_are_what_packets_cost() {
    assert_eq!(ETHERNET.wire_bytes(1), 53);
    assert_eq!(ETHERNET.wire_bytes(1448), 1500);
    assert_eq!(ETHERNET.wire_bytes(16_397), 16_397 + 12 * 52);
    assert_eq!(ETHERNET.acknowledgement_bytes(16_397), 12 * 26);
    assert_eq!(ETHERNET.wire_bytes(0), 0);
}

proptest! {
    #[test]
    fn no_window_passes_the_cap_whatever_is_wanted(
        root in 5_000u64..8_000_000, leaf in 5_000u64..8_000_000, want in 1u32..200_000, peers in 1usize..30,
    ) {
        let mut queue = capped(Node::Root, root);
        queue.tree.set_cap(Node::Internet, Direction::Up, Some(leaf));
        let mut crowd = Crowd::new(queue, Vec::new());
        crowd.want = want;
        crowd.flows = vec![INTERNET; peers];
        (0..peers).for_each(|flow| crowd.ask(flow));
        crowd.run(Time::ZERO, Time::from_secs(6));
        let cap = root.min(leaf);
        prop_assert!(crowd.most_in(Duration::from_secs(1)) <= cap * 105 / 100 + 1_600);
        prop_assert!(crowd.all() >= cap * 6 * 98 / 100 - 1_600, "work is conserved: {}", crowd.all());
    }

    #[test]
    fn caps_that_change_hold_from_then_on(caps in proptest::collection::vec(5_000u64..4_000_000, 2..6)) {
        let mut crowd = Crowd::new(Queue::default(), vec![INTERNET; 3]);
        let mut now = Time::ZERO;
        crowd.queue.tree.set_cap(Node::Root, Direction::Up, Some(caps[0]));
        for cap in caps {
            crowd.queue.tree.set_cap(Node::Root, Direction::Up, Some(cap));
            crowd.passed.clear();
            now = crowd.run(now, now + Duration::from_secs(4));
            prop_assert!(crowd.most_in(Duration::from_secs(1)) <= cap * 105 / 100 + 1_600);
        }
    }

    #[test]
    fn shares_are_equal_for_any_number_of_peers(cap in 20_000u64..2_000_000, peers in 2usize..40) {
        let mut crowd = Crowd::new(capped(Node::Root, cap), vec![INTERNET; peers]);
        crowd.run(Time::ZERO, Time::from_secs(20));
        let shares: Vec<u64> = (0..peers).map(|flow| crowd.total(flow)).collect();
        prop_assert!(jain(&shares) >= 0.95, "{shares:?}");
    }
}
