//! One seed to one peer over loopback: speed, processor time of each side, memory.
//!
//! The same 2 GiB of files for all; v1 torrents where the rival knows no other. Processor time is read half a second
//! after the end, so that what is written late is counted. What arrived is compared with what was published.

mod sides;

use super::{
    super::{
        fleet::Fleet,
        measure::{anonymous_mib, cpu_seconds},
        netns::World,
        payload::Scratch,
    },
    Context,
    client::Client,
    goods::{Goods, Tree},
};
use crate::{
    failure::Failure,
    place,
    process::{capture, command},
};
use serde_json::{Map, Value, json};
use sides::Sides;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const SIZE: u64 = 2 << 30;
const SMALL_FILES: u64 = 2000;
const PIECE_LENGTH: u64 = 1 << 20;
const GIB: f64 = (1u64 << 30) as f64;
const LIMIT: Duration = Duration::from_secs(300);
/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(5);
/// Until late writes are done.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// What all runs of this row share; made once.
pub(super) struct Wares {
    /// Removed with the wares.
    _scratch: Scratch,
    goods: Goods,
    v1: PathBuf,
    v1_infohash: String,
}

impl Wares {
    /// 2 GiB on the RAM disk, and both torrents.
    pub(super) fn make() -> Result<Self, Failure> {
        let scratch = Scratch::of_this_process("pair")?;
        let goods = Goods::make(&scratch, Tree::Mixed(SMALL_FILES), SIZE, PIECE_LENGTH)?;
        let v1 = scratch.path("share-v1.torrent");
        goods.torrent(&v1, "v1", PIECE_LENGTH)?;
        let hash = "import libtorrent as lt, sys; print(lt.torrent_info(sys.argv[1]).info_hashes().v1)";
        let mut python = command(place::from_venv("python"));
        let v1_infohash = capture(python.args(["-W", "ignore", "-c", hash]).arg(&v1))?.trim().to_owned();
        Ok(Self { _scratch: scratch, goods, v1, v1_infohash })
    }

    /// The torrent that this client understands.
    fn torrent(&self, client: Client) -> &Path {
        match client {
            Client::LibtorrentV1 | Client::Rqbit | Client::Aria2 => &self.v1,
            _ => &self.goods.torrent,
        }
    }
}

/// The most that each side had.
#[derive(Debug, Clone, Copy, Default)]
struct Peaks {
    peer: f64,
    seed: f64,
}

/// One run.
pub(super) fn measure(
    client: Client,
    context: &Context,
    wares: &Wares,
) -> Result<Map<String, Value>, Failure> {
    // A network of its own, so that nothing else is met; both sides at its loopback.
    let world = World::new(&[None])?;
    let run = Scratch::of_this_process("pair-run")?;
    let logs = run.folder("logs")?;
    let mut fleet = Fleet::new(&logs, &context.stop);
    let sides = Sides { client, context, wares, run: &run, node: &world.nodes[0] };
    let seed = sides.start_seed(&mut fleet, &logs)?;
    // What a seed did to check its files is not the transfer's.
    let seed_before = cpu_seconds(fleet.id(seed))?;
    let (peer, started) = sides.start_peer(&mut fleet)?;
    let mut peaks = Peaks::default();
    let seconds = loop {
        let said = fleet.next(GLANCE)?;
        let raise = |peak: &mut f64, who| *peak = peak.max(anonymous_mib(who).unwrap_or(0.0));
        raise(&mut peaks.peer, fleet.id(peer));
        raise(&mut peaks.seed, fleet.id(seed));
        if let Some(said) = said.filter(|said| said.who == peer)
            && said.line.as_ref().is_none_or(|line| line["t"] == "complete")
        {
            break said.at.saturating_duration_since(started).as_secs_f64();
        }
        if started.elapsed() > LIMIT {
            return Err(Failure::Late { what: "the whole of it".into(), seconds: LIMIT.as_secs() });
        }
    };
    std::thread::sleep(AFTERWARDS);
    let gib = wares.goods.size as f64 / GIB;
    let hash = if client == Client::Curl { hash_seconds(&run.path("peer"))? } else { 0.0 };
    let figures = json!({
        "seconds": seconds,
        "mib_per_second": gib * 1024.0 / seconds,
        "peer_cpu_per_gib": (cpu_seconds(fleet.id(peer))? + hash) / gib,
        "seed_cpu_per_gib": (cpu_seconds(fleet.id(seed))? - seed_before) / gib,
        "peer_anonymous_mib": peaks.peer,
        "seed_anonymous_mib": peaks.seed,
    });
    wares.goods.compare(&run.path("peer"))?;
    Ok(figures.as_object().cloned().unwrap_or_default())
}

/// Processor seconds of hashing all files below `folder` with the processor's own instructions.
fn hash_seconds(folder: &Path) -> Result<f64, Failure> {
    let script = "import hashlib, os, resource, sys\n\
                  for place, _, names in os.walk(sys.argv[1]):\n\
                  \x20   for name in names:\n\
                  \x20       with open(os.path.join(place, name), 'rb') as file:\n\
                  \x20           hashlib.file_digest(file, 'sha256')\n\
                  used = resource.getrusage(resource.RUSAGE_SELF)\n\
                  print(used.ru_utime + used.ru_stime)";
    let seconds = capture(command(place::from_venv("python")).args(["-c", script]).arg(folder))?;
    seconds.trim().parse().map_err(|_| Failure::Unexpected { what: format!("{seconds} is no time") })
}
