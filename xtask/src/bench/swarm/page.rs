//! The page `docs/bench-swarm.md`: medians, with the lowest and the highest of the runs.

use super::{
    Context,
    record::{Record, State, short},
    row::Row,
};
use crate::bench::measure::median;

/// The whole page.
pub(super) fn render(machine: &str, rows: &[Row], state: &State, context: &Context) -> String {
    format!(
        "# The swarm's figures\n\nMeasured by `cargo xtask bench swarm` on: {machine}. muster {}, libtorrent {}.\n\
         Medians, and the ends of the runs.\n\n{}\n\n{}",
        context.muster_label,
        context.libtorrent,
        METHOD,
        render_rows(rows, state, context)
    )
}

/// The rows that have runs, a table for each heading.
pub(super) fn render_rows(rows: &[Row], state: &State, context: &Context) -> String {
    let (mut text, mut heading, mut titles) = (String::new(), "", String::new());
    for row in rows {
        let lines: String = row
            .clients
            .iter()
            .map(|client| (client, state.runs(&row.name, *client, &client.identity(context))))
            .filter(|(_, runs)| !runs.is_empty())
            .map(|(client, runs)| line(row, client.name(), &runs))
            .collect();
        if lines.is_empty() {
            continue;
        }
        if row.kind.heading() != heading {
            heading = row.kind.heading();
            text += &std::mem::take(&mut titles);
            text += &head(row);
        }
        text += &lines;
        titles += &format!("\n- `{}`: {}", row.name, row.title);
    }
    text + &titles + "\n"
}

fn head(row: &Row) -> String {
    let titles: String = row.kind.columns().iter().map(|(title, _)| format!(" {title} |")).collect();
    let rules = "---|".repeat(row.kind.columns().len() + 4);
    format!("\n\n## {}\n\n| row | client | runs |{titles} load at start |\n|{rules}\n", row.kind.heading())
}

fn line(row: &Row, client: &str, runs: &[&Record]) -> String {
    let load = runs.iter().map(|run| run.load()).fold(0.0, f64::max);
    let cells: String = row
        .kind
        .columns()
        .iter()
        .map(|(_, name)| format!(" {} |", spread(runs.iter().filter_map(|run| run.figure(name)).collect())))
        .collect();
    format!("| {} | {client} | {} |{cells} ≤ {} |\n", row.name, runs.len(), short(load))
}

/// The median, and the ends where there are more.
fn spread(values: Vec<f64>) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match values.len() {
        0 => "–".to_owned(),
        1 => short(low),
        _ if short(low) == short(high) => short(low),
        _ => format!("**{}** ({}–{})", short(median(values)), short(low), short(high)),
    }
}

const METHOD: &str = "\
Flash crowds: one namespace a peer, all on one bridge; token buckets with a queue of 100 ms shape each link: origin up \
2 MiB/s, peers up 1 MiB/s and down 8 MiB/s, counted in whole Ethernet frames. A frame of 1,514 bytes \
carries 1,448 of payload, and every second one is acknowledged on an uplink that others need: 1.07 × the bound is the least \
that TCP can reach. No delay besides the queues. The bound is T* = max(F/us, F/di, \
N·F/(us + N·ui)). v2-only torrents, 128 KiB pieces, four files, incompressible, on a RAM disk; one opentracker for all; the \
origin is there before all peers start at one moment; everyone stays. Copies = frames' bytes that the origin sent up to the \
last completion ÷ F. Links used and bytes received count headers and acknowledgements too. What arrived is compared with what was published. libtorrent runs one process a peer, waits prepared \
for the start, and has its class for private addresses switched off; tuned = TCP only, unchoke every 5 s with 5 slots, a \
request queue of 1 s, pieces announced 200 ms ahead, web seeds asked for 1 MiB at once (by default for 16 MiB). A run over 4 × the bound is given up; the row then says how many \
peers were done.

Loopback: processor time until half a second after the end; v1 torrents for clients that know no other. Caps: IP bytes in \
the capped direction on an unshaped link, 25 s from 3 s after the first data, sampled each 10 ms, windows begin at every \
sample, one packet forgiven; the other side is libtorrent over TCP. Growth: ten seconds after the start of a transfer that \
is capped at 20 MiB/s; see `bench-grow-pieces.svg` and `bench-grow-peers.svg`.";
