//! The page `docs/bench-swarm.md`: medians, with the lowest and the highest of the runs.

use super::{
    Context,
    record::{Record, State, short},
    row::Row,
};
use crate::bench::measure::median;

const HEAD: &str = "| row | client | runs | last peer × bound | last ÷ median | origin copies | all done | \
                    load at start | processors busy |\n|---|---|---|---|---|---|---|---|---|\n";

/// The whole page.
pub(super) fn render(machine: &str, rows: &[Row], state: &State, context: &Context) -> String {
    format!(
        "# The swarm's figures\n\nMeasured by `cargo xtask bench swarm` on: {machine}. muster {}, libtorrent {}.\n\n{}\n\n{}",
        context.muster_label,
        context.libtorrent,
        METHOD,
        render_rows(rows, state, context)
    )
}

/// The rows that have runs.
pub(super) fn render_rows(rows: &[Row], state: &State, context: &Context) -> String {
    let mut text = String::from(HEAD);
    for row in rows {
        for client in row.clients {
            let runs = state.runs(row.name, *client, &client.identity(context));
            if !runs.is_empty() {
                text += &line(row, client.name(), &runs);
            }
        }
    }
    text.push('\n');
    rows.iter().for_each(|row| text += &format!("- `{}`: {}\n", row.name, row.title));
    text
}

fn line(row: &Row, client: &str, runs: &[&Record]) -> String {
    let all = |name| spread(runs.iter().filter_map(|run| run.figure(name)).collect());
    let whole = runs.iter().filter(|run| run.figure("done") == run.figure("peers")).count();
    let load = runs.iter().map(|run| run.load()).fold(0.0, f64::max);
    format!(
        "| {} | {client} | {} | {} | {} | {} | {whole} of {} | ≤ {} | {} |\n",
        row.name,
        runs.len(),
        all("last_over_bound"),
        all("last_over_median"),
        all("copies"),
        runs.len(),
        short(load),
        all("cpu_busy"),
    )
}

/// The median, and the ends where there are more.
fn spread(values: Vec<f64>) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match values.len() {
        0 => "–".to_owned(),
        1 => short(low),
        _ => format!("**{}** ({}–{})", short(median(values)), short(low), short(high)),
    }
}

const METHOD: &str = "\
One namespace a peer, all on one bridge; token buckets with a queue of 100 ms shape each link: origin up 2 MiB/s, peers up \
1 MiB/s and down 8 MiB/s, counted in whole Ethernet frames (1,448 bytes of payload in 1,514), so that 1.046 × the bound is \
the least that TCP can reach. No delay besides the queues. The bound is T* = max(F/us, F/di, N·F/(us + N·ui)). v2-only \
torrents, 128 KiB pieces, four files, incompressible, on a RAM disk; one opentracker for all; the origin is there before \
all peers start at one moment; everyone stays. Copies = frames' bytes that the origin sent up to the last completion ÷ F. \
libtorrent runs one process a peer, waits prepared for the start, and has its class for private addresses switched off; \
tuned = TCP only, unchoke every 5 s with 5 slots, a request queue of 1 s, pieces announced 200 ms ahead.";
