//! How well a cap holds, on the wire.
//!
//! One client with a cap, and one or many libtorrent peers without; links are unshaped. The counters of the client's
//! link are read every 10 ms, and 25 s are judged, from 3 s after the first data on. Bytes are those of IP packets, in
//! the capped direction, whatever they carry; of each window one packet is forgiven.

use super::{
    super::{
        fleet::Fleet,
        netns::{Node, World},
        payload::Scratch,
    },
    Context,
    client::{Client, Job, PEER_PORT},
    goods::{Goods, Tree},
};
use crate::failure::Failure;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

const PIECE_LENGTH: u64 = 256 * 1024;
/// Bytes of Ethernet around an IP packet.
const ETHERNET: u64 = 14;
/// The largest IP packet.
const PACKET: f64 = 1500.0;
/// More than a greeting: from here on data flows.
const FLOWS: u64 = 8 * 1024;
const SAMPLE: Duration = Duration::from_millis(10);
const START_LIMIT: Duration = Duration::from_secs(60);
const FLOW_LIMIT: Duration = Duration::from_secs(40);
/// What a start may take before the cap must hold.
const GRACE: f64 = 3.0;
const JUDGED: f64 = 25.0;
/// There is data for so many seconds at the cap.
const DATA_SECONDS: u64 = 45;

/// Which way is capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cap {
    pub(super) way: Way,
    /// Bytes a second.
    pub(super) rate: u64,
    pub(super) peers: usize,
}

/// IP bytes in the capped direction so far, at a second.
type Sample = (f64, u64);

impl Cap {
    /// One run.
    pub(super) fn measure(self, client: Client, context: &Context) -> Result<Map<String, Value>, Failure> {
        let scratch = Scratch::of_this_process("cap")?;
        let size = (self.rate * DATA_SECONDS).next_multiple_of(1 << 20).max(16 << 20);
        let goods = Goods::make(&scratch, Tree::Even(2), size, PIECE_LENGTH)?;
        let world = World::new(&vec![None; self.peers + 1])?;
        let logs = scratch.folder("logs")?;
        let mut fleet = Fleet::new(&logs, &context.stop);
        let stage = Stage { cap: self, client, context, scratch: &scratch, goods: &goods, world: &world };
        let (inside, told) = stage.start(&mut fleet)?;
        let (samples, flow) = self.watch(&mut fleet, &world, inside, told)?;
        Ok(self.judge(&samples, flow))
    }

    /// Reads the counters until the judged time is over; the second is when data began to flow.
    fn watch(
        self,
        fleet: &mut Fleet,
        world: &World,
        inside: u32,
        told: Instant,
    ) -> Result<(Vec<Sample>, f64), Failure> {
        let carried = || -> Result<u64, Failure> {
            let link = world.carried(inside)?[0];
            Ok(match self.way {
                Way::Up => link.sent - link.sent_frames * ETHERNET,
                Way::Down => link.received - link.received_frames * ETHERNET,
            })
        };
        let (before, mut samples, mut flow) = (carried()?, Vec::new(), None);
        loop {
            // Also notices an end or a signal.
            while fleet.next(Duration::ZERO)?.is_some() {}
            let (second, bytes) = (told.elapsed().as_secs_f64(), carried()? - before);
            samples.push((second, bytes));
            if flow.is_none() && bytes > FLOWS {
                flow = Some(second);
            }
            if flow.is_none() && second > FLOW_LIMIT.as_secs_f64() {
                return Err(Failure::Late { what: "any data".into(), seconds: FLOW_LIMIT.as_secs() });
            }
            if let Some(flow) = flow.filter(|flow| second > flow + GRACE + JUDGED) {
                return Ok((samples, flow));
            }
            std::thread::sleep(SAMPLE);
        }
    }

    fn judge(self, samples: &[Sample], flow: f64) -> Map<String, Value> {
        let judged: Vec<Sample> =
            samples.iter().copied().filter(|(second, _)| *second >= flow + GRACE).collect();
        let (rate, span) = (self.rate as f64, judged.last().map_or(0.0, |last| last.0) - flow - GRACE);
        let all = judged.last().map_or(0, |last| last.1) - judged.first().map_or(0, |first| first.1);
        let (_, worst_second) = windows(&judged, 1.0);
        let (least_second, _) = windows(&judged, 1.0);
        let (_, worst_tenth) = windows(&judged, 0.1);
        let figures = json!({
            "mean": all as f64 / span / rate,
            "worst_second": (worst_second - PACKET) / rate,
            "least_second": (least_second + PACKET) / rate,
            "worst_100ms": (worst_tenth - PACKET) / (rate * 0.1),
            "flow_after_s": flow,
        });
        figures.as_object().cloned().unwrap_or_default()
    }
}

/// The fewest and the most bytes in any window of this length; windows begin at every sample.
///
/// Samples do not lie exactly a window apart: bytes are scaled from the nearest longer span.
fn windows(samples: &[Sample], length: f64) -> (f64, f64) {
    let (mut least, mut most, mut end) = (f64::INFINITY, 0.0_f64, 0);
    for (second, bytes) in samples {
        while samples.get(end).is_some_and(|later| later.0 < second + length) {
            end += 1;
        }
        let Some((later, more)) = samples.get(end) else { break };
        let scaled = (more - bytes) as f64 * length / (later - second);
        (least, most) = (least.min(scaled), most.max(scaled));
    }
    (least, most)
}

/// One run's people.
struct Stage<'a> {
    cap: Cap,
    client: Client,
    context: &'a Context,
    scratch: &'a Scratch,
    goods: &'a Goods,
    world: &'a World,
}

impl Stage<'_> {
    /// Seeds first; returns a process in the middle's network, and when the last were told to start.
    fn start(&self, fleet: &mut Fleet) -> Result<(u32, Instant), Failure> {
        let idle = fleet.start("idle", self.world.middle.command("sleep").arg("600"))?;
        let (measured, others) = (&self.world.nodes[0], &self.world.nodes[1..]);
        let others: Vec<(Client, &Node)> = others.iter().map(|node| (Client::LibtorrentV2, node)).collect();
        let (seeds, peers) = match self.cap.way {
            Way::Up => (vec![(self.client, measured)], others),
            Way::Down => (others, vec![(self.client, measured)]),
        };
        self.enter(fleet, &seeds, &[])?;
        let known: Vec<String> = seeds.iter().map(|(_, node)| format!("{}:{PEER_PORT}", node.ip)).collect();
        let told = self.enter(fleet, &peers, &known)?;
        Ok((fleet.id(idle), told))
    }

    /// Starts all of one side; without anyone to connect to they are seeds.
    fn enter(
        &self,
        fleet: &mut Fleet,
        who: &[(Client, &Node)],
        known: &[String],
    ) -> Result<Instant, Failure> {
        let (mut waiting, mut all) = (Vec::new(), Vec::new());
        let mut told = Instant::now();
        for (client, node) in who {
            let folder = match known {
                [] => self.goods.home.clone(),
                _ => self.scratch.folder(&format!("files-{}", node.ip))?,
            };
            let capped = node.ip == self.world.nodes[0].ip;
            let limit = |way| (capped && self.cap.way == way).then_some(self.cap.rate);
            let job = Job {
                torrent: self.goods.torrent.clone(),
                folder,
                home: self.scratch.folder("home")?,
                peers: known.to_vec(),
                trust: known.is_empty(),
                limit_up: limit(Way::Up),
                limit_down: limit(Way::Down),
                ..Job::default()
            };
            let number = fleet.start(client.name(), &mut job.command(*client, node, self.context))?;
            if client.waits_for_word() {
                waiting.push(number);
            }
            all.push(number);
        }
        if !waiting.is_empty() {
            fleet.all_said(&waiting, "prepared", START_LIMIT)?;
            told = Instant::now();
            waiting.iter().try_for_each(|number| fleet.tell(*number, "go"))?;
        }
        fleet.all_said(&all, "ready", START_LIMIT)?;
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_shows_in_its_window_and_an_even_flow_in_none() {
        let even: Vec<Sample> = (0..500).map(|at| (f64::from(at) * 0.01, at as u64 * 1000)).collect();
        let (least, most) = windows(&even, 1.0);
        assert!((least - 100_000.0).abs() < 1.0 && (most - 100_000.0).abs() < 1.0, "{least} {most}");
        let burst = |(second, bytes)| (second, if second > 2.0 { bytes + 50_000 } else { bytes });
        let (_, most) = windows(&even.iter().copied().map(burst).collect::<Vec<_>>(), 0.1);
        assert!((most - 60_000.0).abs() < 1.0, "{most}");
    }
}
