//! Memory and processor time as a torrent has more pieces, and as a seed has more peers.
//!
//! Pieces: one seed, capped at 20 MiB/s, and one peer, of a file of zeros with pieces of 16 KiB that lies on the disk as
//! a hole; both are looked at ten seconds after the peer began. Peers: one seed with the same cap, and so many
//! connections from a small program that asks for blocks and throws them away.

use super::{
    super::{
        fleet::Fleet,
        measure::{anonymous_mib, cpu_seconds},
        netns::World,
        payload::Scratch,
    },
    Context,
    client::{Client, Job, PEER_PORT},
};
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, command},
};
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

const PIECES: [u64; 6] = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20];
const PEERS: [u64; 6] = [10, 50, 100, 200, 350, 500];
/// The torrent of the row with many peers.
const PIECES_FOR_PEERS: u64 = 1 << 14;
const PIECE_LENGTH: u64 = 16 * 1024;
const RATE: u64 = 20 << 20;
const LOOK_AFTER: Duration = Duration::from_secs(10);
const START_LIMIT: Duration = Duration::from_secs(120);

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grow {
    Pieces,
    Peers,
}

impl Grow {
    /// One run through all sizes: a list of points, each with its `n`.
    pub(super) fn measure(self, client: Client, context: &Context) -> Result<Map<String, Value>, Failure> {
        let sizes = if self == Self::Pieces { PIECES } else { PEERS };
        let points = sizes
            .into_iter()
            .map(|n| self.point(n, client, context))
            .collect::<Result<Vec<Value>, Failure>>()?;
        let (first, last) = (&points[0], &points[points.len() - 1]);
        let mut figures = Map::new();
        for name in ["seed_mib", "seed_cpu_s", "peer_mib", "peer_cpu_s", "connected"] {
            for (end, point) in [("first", first), ("last", last)] {
                if !point[name].is_null() {
                    figures.insert(format!("{name}_{end}"), point[name].clone());
                }
            }
        }
        figures.insert("points".into(), json!(points));
        Ok(figures)
    }

    fn point(self, n: u64, client: Client, context: &Context) -> Result<Value, Failure> {
        let scratch = Scratch::of_this_process("grow")?;
        let pieces = if self == Self::Pieces { n } else { PIECES_FOR_PEERS };
        let (home, torrent) = (scratch.folder("origin")?, scratch.path("zeros.torrent"));
        let infohash = zeros(&home, &torrent, pieces)?;
        let world = World::new(&[None])?;
        let mut fleet = Fleet::new(&scratch.folder("logs")?, &context.stop);
        let node = &world.nodes[0];
        let job = Job {
            torrent,
            folder: home,
            home: scratch.folder("home")?,
            listen: Some(format!("127.0.0.1:{PEER_PORT}")),
            limit_up: Some(RATE),
            connections: Some(2 * PEERS[PEERS.len() - 1]),
            trust: true,
            ..Job::default()
        };
        let seed = enter(&mut fleet, client, &mut job.command(client, node, context))?;
        let known = format!("127.0.0.1:{PEER_PORT}");
        let other = match self {
            Self::Pieces => {
                let job = Job {
                    folder: scratch.folder("peer")?,
                    listen: Some(format!("127.0.0.1:{}", PEER_PORT + 1)),
                    peers: vec![known],
                    limit_up: None,
                    trust: false,
                    ..job
                };
                enter(&mut fleet, client, &mut job.command(client, node, context))?
            }
            Self::Peers => {
                let script = place::root().join("tests/interop/bench_crowd.py");
                let mut crowd = node.command(place::from_venv("python"));
                crowd.arg(script).args([&known, &infohash, &n.to_string(), &pieces.to_string()]);
                fleet.start("crowd", &mut crowd)?
            }
        };
        let mut connected = Value::Null;
        let until = Instant::now() + LOOK_AFTER;
        while Instant::now() < until {
            if let Some(said) = fleet.next(Duration::from_millis(100))?
                && let Some(line) = said.line.filter(|line| line["t"] == "crowd")
            {
                connected = line["connected"].clone();
            }
        }
        let mut point = json!({
            "n": n,
            "seed_mib": anonymous_mib(fleet.id(seed)),
            "seed_cpu_s": cpu_seconds(fleet.id(seed))?,
        });
        if self == Self::Pieces {
            point["peer_mib"] = json!(anonymous_mib(fleet.id(other)));
            point["peer_cpu_s"] = json!(cpu_seconds(fleet.id(other))?);
        } else {
            point["connected"] = connected;
        }
        println!("  {} of {n}: {point}", client.name());
        Ok(point)
    }
}

fn enter(fleet: &mut Fleet, client: Client, command: &mut std::process::Command) -> Result<usize, Failure> {
    let who = fleet.start(client.name(), command)?;
    if client.waits_for_word() {
        fleet.all_said(&[who], "prepared", START_LIMIT)?;
        fleet.tell(who, "go")?;
    }
    fleet.all_said(&[who], "ready", START_LIMIT)?;
    Ok(who)
}

/// A file of zeros that takes no room, and its torrent; returns the infohash.
fn zeros(folder: &Path, torrent: &Path, pieces: u64) -> Result<String, Failure> {
    let path = folder.join("zeros");
    File::create(&path).and_then(|file| file.set_len(pieces * PIECE_LENGTH)).at(&path)?;
    let script = place::root().join("tests/interop/bench_zeros.py");
    let mut make = command(place::from_venv("python"));
    let infohash = capture(make.args(["-W", "ignore"]).arg(script).arg(torrent).arg(pieces.to_string()))?;
    Ok(infohash.trim().to_owned())
}
