//! The rows: what is measured, how often, and who takes part.

use super::{
    Context,
    client::Client,
    flash::{Flash, Source},
};
use crate::failure::Failure;
use serde_json::{Map, Value};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// What the origin sends a second, and what a thrifty one could.
const ORIGIN_UP: u64 = 2 * MIB;
const ORIGIN_UP_FAT: u64 = 16 * MIB;

/// One row of the bars.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: String,
    /// Of which the median counts.
    pub(super) runs: usize,
    pub(super) clients: &'static [Client],
    pub(super) kind: Kind,
}

/// How a row is measured.
pub(super) enum Kind {
    /// Many start at once on shaped links.
    Flash(Flash),
}

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
        }
    }
}

/// Every row, in the order of the page.
pub(super) fn all() -> Vec<Row> {
    vec![
        flash("seed-8", 8, 32, Source::Seed, 3),
        flash("seed-16", 16, 32, Source::Seed, 5),
        flash("seed-32", 32, 32, Source::Seed, 3),
        flash("seed-16-64", 16, 64, Source::Seed, 5),
        flash("http-8", 8, 32, Source::Http, 3),
        flash("http-16", 16, 32, Source::Http, 5),
        flash("http-32", 32, 32, Source::Http, 3),
        flash("http-16-64", 16, 64, Source::Http, 5),
        thrifty(),
    ]
}

fn flash(name: &'static str, peers: usize, mib: u64, source: Source, runs: usize) -> Row {
    let from = if source == Source::Seed { "a seed" } else { "plain HTTP (nginx)" };
    Row {
        name,
        title: format!("flash crowd, N = {peers}, {mib} MiB, origin = {from} at 2 MiB/s"),
        runs,
        clients: &[Client::Ours, Client::LibtorrentDefault, Client::LibtorrentTuned],
        kind: Kind::Flash(Flash::new(peers, mib * MIB, ORIGIN_UP, source)),
    }
}

/// Time is judged by the bound of the slow origin, whatever this one could send.
fn thrifty() -> Row {
    Row {
        name: "thrifty-16",
        title: "flash crowd, N = 16, 32 MiB, origin could send 16 MiB/s (ours: HTTP, theirs: a seed); \
                bound of a 2 MiB/s origin"
            .to_owned(),
        runs: 5,
        clients: &[Client::Ours, Client::LibtorrentDefault, Client::LibtorrentTuned],
        kind: Kind::Flash(
            Flash::new(16, 32 * MIB, ORIGIN_UP, Source::HttpForOurs).able_to_send(ORIGIN_UP_FAT),
        ),
    }
}
