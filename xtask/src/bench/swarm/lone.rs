//! A player without peers: one download from nginx over a link of 50 MiB/s, ours against curl.

use super::{
    super::{
        fleet::Fleet,
        netns::{Link, World},
        payload::Scratch,
    },
    Context,
    client::{Client, Job},
    goods::{Goods, Tree},
    origin,
};
use crate::failure::Failure;
use serde_json::{Map, Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 512 * MIB;
const FILES: u64 = 4;
const PIECE_LENGTH: u64 = MIB;
const RATE: u64 = 50 * MIB;
const LIMIT: Duration = Duration::from_secs(60);

/// One run.
pub(super) fn measure(client: Client, context: &Context) -> Result<Map<String, Value>, Failure> {
    let scratch = Scratch::of_this_process("lone")?;
    let goods = Goods::make(&scratch, Tree::Even(FILES), SIZE, PIECE_LENGTH)?;
    let world = World::new(&[Some(Link { up: RATE, down: RATE }), None])?;
    let logs = scratch.folder("logs")?;
    let mut fleet = Fleet::new(&logs, &context.stop);
    let (server, player) = (&world.nodes[0], &world.nodes[1]);
    origin::http(&mut fleet, server, &goods.home, &logs)?;
    let (folder, home) = (scratch.folder("peer")?, scratch.folder("home")?);
    let url = format!("http://{}:{}/", server.ip, origin::HTTP_PORT);
    let mut command = if client == Client::Curl {
        curl(player.command("curl"), &url, &folder)
    } else {
        let job = Job {
            torrent: goods.torrent.clone(),
            web_seed: Some(url),
            folder: folder.clone(),
            home,
            ..Job::default()
        };
        job.command(client, player, context)
    };
    let mut started = Instant::now();
    let who = fleet.start_to_end(client.name(), &mut command)?;
    if client.waits_for_word() {
        fleet.all_said(&[who], "prepared", LIMIT)?;
        started = Instant::now();
        fleet.tell(who, "go")?;
    }
    let ended = loop {
        let said = fleet.next(Duration::from_millis(100))?;
        if let Some(said) = said.filter(|said| said.who == who)
            && said.line.as_ref().is_none_or(|line| line["t"] == "complete")
        {
            break said.at;
        }
        if started.elapsed() > LIMIT {
            return Err(Failure::Late {
                what: format!("{}'s download", client.name()),
                seconds: LIMIT.as_secs(),
            });
        }
    };
    let seconds = ended.saturating_duration_since(started).as_secs_f64();
    goods.compare(&folder)?;
    let mib_per_second = goods.size as f64 / MIB as f64 / seconds;
    let figures = json!({
        "seconds": seconds,
        "mib_per_second": mib_per_second,
        "of_link": mib_per_second * MIB as f64 / RATE as f64,
    });
    Ok(figures.as_object().cloned().unwrap_or_default())
}

fn curl(mut curl: Command, url: &str, folder: &Path) -> Command {
    curl.args(["--silent", "--show-error", "--fail", "--create-dirs", "--output-dir"])
        .arg(folder.join("share"));
    for file in 0..FILES {
        curl.args(["--output", &format!("{file}.pak"), &format!("{url}share/{file}.pak")]);
    }
    curl
}
