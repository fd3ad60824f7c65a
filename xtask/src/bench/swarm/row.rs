//! The rows: what is measured, how often, and who takes part.

use super::{
    Context,
    cap::{Cap, Way},
    client::Client,
    flash::{Flash, Source},
    grow::Grow,
    lone, pair, quick,
};
use crate::failure::Failure;
use serde_json::{Map, Value};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// What the origin sends a second, and what a thrifty one could.
const ORIGIN_UP: u64 = 2 * MIB;
const ORIGIN_UP_FAT: u64 = 16 * MIB;
/// What makes `muster` thrifty, as a publisher would.
const THRIFTY_WORDS: &[&str] = &["--origin-profile", "thrifty"];
/// The caps, with the word for them.
const CAPS: [(u64, &str); 3] = [(64 * KIB, "64k"), (500 * KIB, "500k"), (5 * MIB, "5m")];

/// One row of the bars.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) title: String,
    /// Of which the median counts.
    pub(super) runs: usize,
    pub(super) clients: &'static [Client],
    pub(super) kind: Kind,
}

/// How a row is measured.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Many start at once on shaped links.
    Flash(Flash),
    /// One seed, one peer, loopback.
    Pair,
    /// One player, no peers.
    Lone,
    /// A cap, on the wire.
    Cap(Cap),
    /// Start to first block, stop to silence.
    Quick,
    /// More pieces, or more peers.
    Grow(Grow),
}

/// A column of the page: its title, and the figure in it.
pub(super) type Column = (&'static str, &'static str);

impl Kind {
    /// One run; `tag` names its log.
    pub(super) fn measure(
        &self,
        client: Client,
        context: &Context,
        tag: &str,
    ) -> Result<Map<String, Value>, Failure> {
        match self {
            Self::Flash(flash) => flash.measure(client, context, tag),
            Self::Pair => pair::measure(client, context, context.wares()?),
            Self::Lone => lone::measure(client, context),
            Self::Cap(cap) => cap.measure(client, context),
            Self::Quick => quick::measure(client, context),
            Self::Grow(grow) => grow.measure(client, context),
        }
    }

    /// The heading on the page; rows of one heading share a table.
    pub(super) fn heading(&self) -> &'static str {
        match self {
            Self::Flash(_) => "Flash crowds on shaped links",
            Self::Pair => "One seed to one peer over loopback, 2 GiB in 4 large and 2,000 small files",
            Self::Lone => "No peers: nginx over a link of 50 MiB/s",
            Self::Cap(_) => "Caps on the wire",
            Self::Quick => "Start and stop",
            Self::Grow(_) => "More pieces, more peers",
        }
    }

    /// What the page shows of it.
    pub(super) fn columns(&self) -> &'static [Column] {
        match self {
            Self::Flash(_) => &[
                ("last peer × bound", "last_over_bound"),
                ("last ÷ median", "last_over_median"),
                ("origin copies", "copies"),
                ("peers done", "done"),
                ("origin's link used", "origin_use"),
                ("peers' uplinks used", "peers_use"),
                ("received ÷ needed", "received_over_needed"),
                ("processors busy", "cpu_busy"),
            ],
            Self::Pair => &[
                ("MiB/s", "mib_per_second"),
                ("CPU-s/GiB, peer", "peer_cpu_per_gib"),
                ("CPU-s/GiB, seed", "seed_cpu_per_gib"),
                ("anonymous MiB, peer", "peer_anonymous_mib"),
                ("anonymous MiB, seed", "seed_anonymous_mib"),
            ],
            Self::Lone => &[("MiB/s", "mib_per_second"), ("of the link", "of_link")],
            Self::Cap(_) => &[
                ("mean ÷ cap", "mean"),
                ("worst second", "worst_second"),
                ("least second", "least_second"),
                ("worst 100 ms", "worst_100ms"),
                ("data after, s", "flow_after_s"),
            ],
            Self::Quick => &[("first block, ms", "first_block_ms"), ("silence after stop, ms", "silence_ms")],
            Self::Grow(_) => &[
                ("seed MiB, least", "seed_mib_first"),
                ("seed MiB, most", "seed_mib_last"),
                ("seed CPU-s, least", "seed_cpu_s_first"),
                ("seed CPU-s, most", "seed_cpu_s_last"),
                ("peer MiB, most", "peer_mib_last"),
                ("peer CPU-s, most", "peer_cpu_s_last"),
                ("connected, most", "connected_last"),
            ],
        }
    }
}

const CROWD: &[Client] = &[Client::Ours, Client::LibtorrentDefault, Client::LibtorrentTuned];
const PAIR: &[Client] =
    &[Client::Ours, Client::LibtorrentV2, Client::LibtorrentV1, Client::Aria2, Client::Rqbit, Client::Curl];
const TWO: &[Client] = &[Client::Ours, Client::LibtorrentV2];

/// Every row, in the order of the page.
pub(super) fn all() -> Vec<Row> {
    let mut rows = vec![
        flash(8, 32, Source::Seed, 3),
        flash(16, 32, Source::Seed, 5),
        flash(32, 32, Source::Seed, 3),
        flash(16, 64, Source::Seed, 5),
        flash(8, 32, Source::Http, 3),
        flash(16, 32, Source::Http, 5),
        flash(32, 32, Source::Http, 3),
        flash(16, 64, Source::Http, 5),
        thrifty(),
        row(
            "pair",
            "one seed to one peer; curl: plain HTTP from nginx, SHA-256 after it",
            3,
            PAIR,
            Kind::Pair,
        ),
        row("lone", "512 MiB from nginx, without a swarm", 3, &[Client::Ours, Client::Curl], Kind::Lone),
    ];
    rows.extend(caps());
    rows.push(row(
        "quick",
        "program start to first block; SIGTERM to the seed's last frame",
        5,
        TWO,
        Kind::Quick,
    ));
    rows.push(row("grow-pieces", "1,024 to 1,048,576 pieces", 1, TWO, Kind::Grow(Grow::Pieces)));
    rows.push(row("grow-peers", "10 to 500 peers", 1, TWO, Kind::Grow(Grow::Peers)));
    rows
}

fn row(name: &str, title: &str, runs: usize, clients: &'static [Client], kind: Kind) -> Row {
    Row { name: name.to_owned(), title: title.to_owned(), runs, clients, kind }
}

/// `seed-16` is 16 peers and 32 MiB, `seed-16-64` has 64 MiB.
fn flash(peers: usize, mib: u64, source: Source, runs: usize) -> Row {
    let (word, from) =
        if source == Source::Seed { ("seed", "a seed") } else { ("http", "plain HTTP (nginx)") };
    let size = if mib == 32 { String::new() } else { format!("-{mib}") };
    Row {
        name: format!("{word}-{peers}{size}"),
        title: format!("flash crowd, N = {peers}, {mib} MiB, origin = {from} at 2 MiB/s"),
        runs,
        clients: CROWD,
        kind: Kind::Flash(Flash::new(peers, mib * MIB, ORIGIN_UP, source)),
    }
}

/// Time is judged by the bound of the slow origin, whatever this one could send.
fn thrifty() -> Row {
    let flash =
        Flash::new(16, 32 * MIB, ORIGIN_UP, Source::HttpForOurs).able_to_send(ORIGIN_UP_FAT, THRIFTY_WORDS);
    let title = "flash crowd, N = 16, 32 MiB, origin could send 16 MiB/s (ours: HTTP, theirs: a seed); bound of a \
                 2 MiB/s origin";
    row("thrifty-16", title, 5, CROWD, Kind::Flash(flash))
}

fn caps() -> Vec<Row> {
    let mut rows = Vec::new();
    for (way, word) in [(Way::Up, "up"), (Way::Down, "down")] {
        for (rate, size) in CAPS {
            for peers in [1, 20] {
                let name = format!("cap-{word}-{size}-{peers}");
                let title = format!("{word} capped at {} KiB/s, {peers} peers", rate / KIB);
                rows.push(row(&name, &title, 3, TWO, Kind::Cap(Cap { way, rate, peers })));
            }
        }
    }
    rows
}
