//! The page `docs/bench-wire.md`.

use super::{Figures, Goods, Wire, median};

const MIB: f64 = (1 << 20) as f64;

/// What all runs of one tree on one link gave: medians.
pub(super) struct Line {
    tree: String,
    link: &'static str,
    packs: bool,
    bytes: u64,
    zstd: u64,
    figures: Figures,
}

impl Line {
    pub(super) fn new(goods: &Goods, wire: Wire, packs: bool, all: &[Figures]) -> Self {
        let middle = |of: &dyn Fn(&Figures) -> f64| median(all.iter().map(of).collect());
        let figures = Figures {
            seconds: middle(&|run| run.seconds),
            down: middle(&|run| run.down as f64) as u64,
            up: middle(&|run| run.up as f64) as u64,
            seed_cpu: middle(&|run| run.seed_cpu),
            peer_cpu: middle(&|run| run.peer_cpu),
            seed_mib: middle(&|run| run.seed_mib),
            peer_mib: middle(&|run| run.peer_mib),
        };
        Self {
            tree: goods.name.clone(),
            link: wire.name,
            packs,
            bytes: goods.bytes,
            zstd: goods.zstd,
            figures,
        }
    }

    pub(super) fn row(&self) -> String {
        let Figures { seconds, down, up, seed_cpu, peer_cpu, seed_mib, peer_mib } = self.figures;
        let gib = self.bytes as f64 / MIB / 1024.0;
        format!(
            "| {} | {} | {} | {:.1} | {:.1} | {:.3} | {:.1} | {:.2} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} |",
            self.tree,
            self.link,
            if self.packs { "packed" } else { "plain" },
            self.bytes as f64 / MIB,
            down as f64 / MIB,
            down as f64 / self.zstd as f64,
            up as f64 / MIB,
            seconds,
            self.bytes as f64 / MIB / seconds,
            seed_cpu / gib,
            peer_cpu / gib,
            seed_mib,
            peer_mib,
        )
    }
}

/// The whole page.
pub(super) fn render(machine: &str, label: &str, lines: &[Line]) -> String {
    let rows: Vec<String> = lines.iter().map(Line::row).collect();
    format!(
        "# First installs between players\n\nMeasured by `cargo xtask bench wire` on: {machine}. muster {label}.\n\n\
         {METHOD}\n\n\
         | tree | link | blocks | content MiB | to the peer MiB | ÷ tar, zstd -9 | from the peer MiB | seconds | content MiB/s | \
         seed CPU s/GiB | peer CPU s/GiB | seed MiB | peer MiB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n{}\n",
        rows.join("\n")
    )
}

const METHOD: &str = "\
One seed and one peer, both `muster torrent get`, the peer with nothing, in two network namespaces; each side is bound to \
one core. Trees are the newer releases of `bench updates`, unpacked, in a v2 torrent with pieces of 1 MiB; `noise` is random \
bytes. Links are shaped in both directions, headers counted. Bytes are those of IP packets, TCP's headers, requests and \
acknowledgements included, from the peer's start until it said that it is complete. `÷ tar, zstd -9` compares what went to the \
peer with `tar | zstd -9` of the same tree, which has no headers at all: of full packets they are 3.6 %. On the fast link the \
median of three runs, on the slow one a single one. Memory is anonymous, the peak. What arrived was compared with what was \
sent.";
