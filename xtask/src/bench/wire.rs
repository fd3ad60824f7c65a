//! `cargo xtask bench wire`: what a first install between two of ours costs on the wire, and how long it takes.
//!
//! One seed, one peer, two network namespaces with shaped links, each side bound to one core. Bytes are those of IP
//! packets, as the bridge's port counts them. The table goes to the terminal and to `docs/bench-wire.md`.

mod page;

use super::{
    fleet::Fleet,
    measure::{anonymous_mib, cpu_seconds, median},
    netns::{Carried, Link, Node, World},
    payload::{Scratch, fill_evenly},
    updates,
};
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, cargo, command as program, run, succeeds},
    setup,
    step::Steps,
};
use page::Line;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// Games of each kind: many small files, libraries, packs, media; and what zstd makes no smaller.
const TREES: [&str; 5] = ["arcade", "panda3d", "freedoom", "wesnoth", NOISE_NAME];
const NOISE_NAME: &str = "noise";
const PORT: u16 = 6881;
const PIECE_LENGTH: &str = "1048576";
/// Bytes that Ethernet adds to each packet.
const ETHERNET: u64 = 14;
/// Files that zstd makes no smaller: so many of so many bytes in all.
const NOISE: (u64, u64) = (16, 256 << 20);
const START_LIMIT: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(300);
const GLANCE: Duration = Duration::from_millis(5);

/// A link between the two.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wire {
    name: &'static str,
    /// Bytes a second from the seed.
    rate: u64,
}

const WIRES: [Wire; 2] =
    [Wire { name: "1 Gbit/s", rate: 125_000_000 }, Wire { name: "2 MiB/s up", rate: 2 << 20 }];

/// What was asked for.
struct Options {
    trees: Vec<String>,
    wires: Vec<Wire>,
    runs: usize,
    muster: Option<PathBuf>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self { trees: Vec::new(), wires: Vec::new(), runs: 3, muster: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(Failure::Usage);
            match *word {
                "--tree" => options.trees.push((*value()?).to_owned()),
                "--link" => {
                    let wanted = *value()?;
                    let wire = WIRES.into_iter().find(|wire| wire.name.starts_with(wanted));
                    options.wires.push(wire.ok_or(Failure::Usage)?);
                }
                "--runs" => options.runs = value()?.parse().map_err(|_| Failure::Usage)?,
                "--muster" => options.muster = Some(PathBuf::from(value()?)),
                _ => return Err(Failure::Usage),
            }
        }
        if options.wires.is_empty() {
            options.wires = WIRES.to_vec();
        }
        Ok(options)
    }

    fn wants(&self, tree: &str) -> bool {
        self.trees.is_empty() || self.trees.iter().any(|wanted| wanted == tree)
    }
}

/// A folder that is shared.
struct Goods {
    name: String,
    folder: PathBuf,
    torrent: PathBuf,
    bytes: u64,
    /// What `tar | zstd -9` makes of it.
    zstd: u64,
}

/// What one run gave.
#[derive(Debug, Clone, Copy)]
struct Figures {
    seconds: f64,
    /// Of IP packets to the peer, and from it.
    down: u64,
    up: u64,
    seed_cpu: f64,
    peer_cpu: f64,
    seed_mib: f64,
    peer_mib: f64,
}

/// Measures all that was chosen and writes the page.
pub(crate) fn command(words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    let mut steps = Steps::new();
    setup::for_updates(&mut steps)?;
    let muster = match &options.muster {
        Some(muster) => muster.clone(),
        None => {
            let build = || run(&mut cargo(&["build", "--release", "--package", "cli"]));
            steps.run("release build of muster", build)?;
            place::built("release", "muster")
        }
    };
    let scratch = Scratch::of_this_process("wire")?;
    let mut lines = Vec::new();
    for name in TREES.into_iter().filter(|name| options.wants(name)) {
        let goods = goods(name, &scratch)?;
        for wire in &options.wires {
            for packs in [true, false] {
                // Bytes hardly differ between runs, and a slow link's time is its bytes.
                let runs = if wire.rate == WIRES[0].rate { options.runs } else { 1 };
                let mut all = Vec::new();
                for _ in 0..runs {
                    all.push(measure(&muster, &goods, *wire, packs, &scratch)?);
                }
                let line = Line::new(&goods, *wire, packs, &all);
                println!("{}", line.row());
                lines.push(line);
            }
        }
    }
    let commit = capture(program("git").args(["describe", "--always", "--dirty"]))?;
    let text = page::render(&super::machine()?, commit.trim(), &lines);
    println!("\n{text}");
    let path = place::root().join("docs/bench-wire.md");
    std::fs::write(&path, text).at(&path)?;
    println!("written to docs/bench-wire.md");
    Ok(())
}

fn goods(name: &str, scratch: &Scratch) -> Result<Goods, Failure> {
    let folder = if name == NOISE_NAME {
        let folder = scratch.path(NOISE_NAME);
        fill_evenly(&folder, NOISE.0, NOISE.1)?;
        folder
    } else {
        updates::tree(name)?
    };
    let torrent = scratch.path(&format!("{name}.torrent"));
    let mut make = program(place::from_venv("python"));
    make.args(["-W", "ignore"]).arg(place::root().join("tests/interop/torrent.py")).arg("make");
    make.arg(&folder).arg(&torrent).args(["--flavour", "v2", "--piece-length", PIECE_LENGTH]);
    capture(&mut make)?;
    let count = |script: &str| -> Result<u64, Failure> {
        let said = capture(program("sh").args(["-c", script, "sh"]).arg(&folder))?;
        said.trim().parse().map_err(|_| Failure::Unexpected { what: format!("{said} is no number") })
    };
    Ok(Goods {
        bytes: count("find \"$1\" -type f -printf '%s\\n' | awk '{sum += $1} END {printf \"%d\", sum}'")?,
        zstd: count("tar -C \"$1\" --sort=name -c . | zstd -9 -T1 -q | wc -c")?,
        name: name.to_owned(),
        folder,
        torrent,
    })
}

/// One install.
fn measure(
    muster: &Path,
    goods: &Goods,
    wire: Wire,
    packs: bool,
    scratch: &Scratch,
) -> Result<Figures, Failure> {
    let link = Link { up: wire.rate, down: wire.rate };
    let world = World::new(&[Some(link), Some(link)])?;
    let place = scratch.folder("peer")?;
    let mut fleet = Fleet::new(&scratch.folder("logs")?, &Arc::default());
    // Somebody in the middle, by whose eyes the ports are read.
    let middle = fleet.start_to_end("sleep", world.middle.command("sleep").arg("1000"))?;
    let home = scratch.path("home");
    let job = |node: &Node, core: &str, folder: &Path| {
        let mut job = node.command("taskset");
        job.args(["-c", core]).arg(muster);
        place::at_home(&mut job, &home);
        job.args(["torrent", "get"]).arg(&goods.torrent).arg("--dir").arg(folder);
        job.args(["--no-lan", "--stay", "--json", "--listen", &format!("{}:{PORT}", node.ip)]);
        if packs {
            job.arg("--compression");
        }
        job
    };
    let parent = goods.folder.parent().unwrap_or(&goods.folder);
    let seed = fleet.start("seed", job(&world.nodes[0], "0", parent).arg("--trust"))?;
    fleet.all_said(&[seed], "ready", START_LIMIT)?;
    let (before, seed_before) = (carried(&world, fleet.id(middle))?, cpu_seconds(fleet.id(seed))?);
    let mut job: Command = job(&world.nodes[1], "1", &place);
    let started = Instant::now();
    let peer = fleet.start("peer", job.args(["--peer", &format!("{}:{PORT}", world.nodes[0].ip)]))?;
    let (mut seed_mib, mut peer_mib) = (0.0_f64, 0.0_f64);
    let seconds = loop {
        let said = fleet.next(GLANCE)?;
        seed_mib = seed_mib.max(anonymous_mib(fleet.id(seed)).unwrap_or(0.0));
        peer_mib = peer_mib.max(anonymous_mib(fleet.id(peer)).unwrap_or(0.0));
        let done = said.filter(|said| said.who == peer);
        if let Some(said) = done.filter(|said| said.line.as_ref().is_none_or(|line| line["t"] == "complete"))
        {
            break said.at.saturating_duration_since(started).as_secs_f64();
        }
        if started.elapsed() > LIMIT {
            return Err(Failure::Late { what: "the whole of it".into(), seconds: LIMIT.as_secs() });
        }
    };
    let after = carried(&world, fleet.id(middle))?;
    let ip = |bytes: u64, frames: u64| bytes - ETHERNET * frames;
    let figures = Figures {
        seconds,
        down: ip(after.received - before.received, after.received_frames - before.received_frames),
        up: ip(after.sent - before.sent, after.sent_frames - before.sent_frames),
        seed_cpu: cpu_seconds(fleet.id(seed))? - seed_before,
        peer_cpu: cpu_seconds(fleet.id(peer))?,
        seed_mib,
        peer_mib,
    };
    drop(fleet);
    let name = goods.folder.file_name().unwrap_or_default();
    let same = succeeds(program("diff").arg("-rq").arg(&goods.folder).arg(place.join(name)));
    std::fs::remove_dir_all(&place).at(&place)?;
    if same {
        return Ok(figures);
    }
    Err(Failure::Unexpected { what: format!("{} did not arrive as it is", goods.name) })
}

/// What the peer's link carried so far.
fn carried(world: &World, inside: u32) -> Result<Carried, Failure> {
    Ok(world.carried(inside)?.get(1).copied().unwrap_or_default())
}
