//! How soon the first block is there after a start, and how soon silence after a stop, on the wire.
//!
//! Two namespaces with unshaped links: counters show what a loopback interface would hide. The start is the program's
//! start for ours, and the word to take up its torrent for a program that waits prepared.

use super::{
    super::{
        fleet::Fleet,
        netns::{Carried, World},
        payload::Scratch,
    },
    Context,
    client::{Client, Job, PEER_PORT},
    goods::{Goods, Tree},
};
use crate::failure::Failure;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

const SIZE: u64 = 2 << 30;
const PIECE_LENGTH: u64 = 1 << 20;
/// A block of 16 KiB, and what comes around it.
const FIRST_BLOCK: u64 = 17 * 1024;
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long data flows before the stop.
const FLOW: Duration = Duration::from_millis(300);
/// Nothing for so long is silence.
const SILENCE: Duration = Duration::from_secs(2);
const SAMPLE: Duration = Duration::from_millis(1);

/// One run.
pub(super) fn measure(client: Client, context: &Context) -> Result<Map<String, Value>, Failure> {
    let scratch = Scratch::of_this_process("quick")?;
    let goods = Goods::make(&scratch, Tree::Even(4), SIZE, PIECE_LENGTH)?;
    let world = World::new(&[None, None])?;
    let mut fleet = Fleet::new(&scratch.folder("logs")?, &context.stop);
    let idle = fleet.start("idle", world.middle.command("sleep").arg("600"))?;
    let inside = fleet.id(idle);
    let job = Job {
        torrent: goods.torrent.clone(),
        folder: goods.home.clone(),
        home: scratch.folder("home")?,
        trust: true,
        ..Job::default()
    };
    let seed = fleet.start("seed", &mut job.command(client, &world.nodes[0], context))?;
    if client.waits_for_word() {
        fleet.all_said(&[seed], "prepared", START_LIMIT)?;
        fleet.tell(seed, "go")?;
    }
    fleet.all_said(&[seed], "ready", START_LIMIT)?;
    let known = format!("{}:{PEER_PORT}", world.nodes[0].ip);
    let job = Job { folder: scratch.folder("peer")?, trust: false, peers: vec![known], ..job };
    let mut command = job.command(client, &world.nodes[1], context);
    let mut started = Instant::now();
    let peer = fleet.start("peer", &mut command)?;
    if client.waits_for_word() {
        fleet.all_said(&[peer], "prepared", START_LIMIT)?;
        started = Instant::now();
        fleet.tell(peer, "go")?;
    }
    let before = world.carried(inside)?[1].received;
    let first = loop {
        if world.carried(inside)?[1].received > before + FIRST_BLOCK {
            break started.elapsed();
        }
        if started.elapsed() > START_LIMIT {
            return Err(Failure::Late { what: "the first block".into(), seconds: START_LIMIT.as_secs() });
        }
        std::thread::sleep(SAMPLE);
    };
    std::thread::sleep(FLOW);
    let flowed = world.carried(inside)?[0].sent;
    let asked = Instant::now();
    fleet.ask_to_end(seed)?;
    let silence = last_change(&world, inside, asked)?;
    let figures = json!({
        "first_block_ms": first.as_secs_f64() * 1000.0,
        "silence_ms": silence.as_secs_f64() * 1000.0,
        "mib_before_stop": flowed as f64 / (1 << 20) as f64,
    });
    Ok(figures.as_object().cloned().unwrap_or_default())
}

/// From `asked` until the seed's last frame.
fn last_change(world: &World, inside: u32, asked: Instant) -> Result<Duration, Failure> {
    let (mut last, mut seen) = (asked, Carried::default());
    while last.elapsed() < SILENCE {
        let now = world.carried(inside)?[0];
        if now.sent_frames != seen.sent_frames {
            (last, seen) = (Instant::now(), now);
        }
        std::thread::sleep(SAMPLE);
    }
    Ok(last - asked)
}
