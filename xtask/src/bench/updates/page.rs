//! The page `docs/bench-updates.md`.

use super::rival::{CHUNKERS, PATCHERS};
use serde_json::Value;

/// A pair's figures: ours, if there are any, and those of each rival that has some.
pub(super) struct Line {
    pub(super) pair: String,
    pub(super) ours: Option<Value>,
    pub(super) rivals: Vec<(&'static str, Value)>,
}

impl Line {
    /// The smallest patch of a rival: each file alone, or all as one.
    fn best_patch(&self) -> Option<(f64, String)> {
        let all =
            self.rivals.iter().filter(|(name, _)| PATCHERS.contains(name)).flat_map(|(name, figures)| {
                ["per_file", "solid"].into_iter().filter_map(move |kind| {
                    Some((figures[kind].as_f64()?, format!("{name}, {}", kind.replace('_', " "))))
                })
            });
        all.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// What the best of the chunkers' players fetch.
    fn best_chunks(&self) -> Option<f64> {
        let chunkers = self.rivals.iter().filter(|(name, _)| CHUNKERS.contains(name));
        chunkers.filter_map(|(_, figures)| least(figures)).min_by(f64::total_cmp)
    }

    fn ours(&self, name: &str) -> Option<f64> {
        self.ours.as_ref()?[name].as_f64()
    }

    /// Ours over the best rival's patch.
    fn ratio(&self) -> Option<f64> {
        Some(self.ours("patch_bytes")? / self.best_patch()?.0)
    }
}

fn least(figures: &Value) -> Option<f64> {
    figures.as_object()?.values().filter_map(Value::as_f64).min_by(f64::total_cmp)
}

/// The whole page.
pub(super) fn render(machine: &str, label: &str, lines: &[Line]) -> String {
    let mut text = format!(
        "# The sizes of updates\n\nMeasured by `cargo xtask bench updates` on: {machine}. muster {label}.\n\n{METHOD}\n\n\
         ## Bytes\n\n| pair | changed | ours | best rival | ours ÷ best | best of the chunkers | ours ÷ chunks | fetched in all |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for line in lines {
        let best = line.best_patch();
        let cells = [
            bytes(line.ours("changed_bytes").or_else(|| line.rivals.first()?.1["changed_bytes"].as_f64())),
            bytes(line.ours("patch_bytes")),
            best.as_ref().map_or_else(dash, |(size, name)| format!("{} ({name})", bytes(Some(*size)))),
            number(line.ratio(), 3),
            bytes(line.best_chunks()),
            number(line.ours("patch_bytes").zip(line.best_chunks()).map(|(ours, chunks)| ours / chunks), 3),
            bytes(line.ours("fetched_bytes")),
        ];
        text += &format!("| {} | {} |\n", line.pair, cells.join(" | "));
    }
    let ratios: Vec<f64> = lines.iter().filter_map(Line::ratio).collect();
    if !ratios.is_empty() {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        text += &format!("\nGeometric mean of ours ÷ best over {} pairs: {mean:.3}.\n", ratios.len());
    }
    text + &costs(lines) + &rivals(lines)
}

fn costs(lines: &[Line]) -> String {
    let mut text = "\n## What ours costs\n\n| pair | publisher: CPU s per MB changed | peak MiB | player: CPU s per 100 MB changed | \
         peak MiB | seconds |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for line in lines {
        let per = |cost: &str, each: f64| {
            Some(line.ours(cost)? / (line.ours("changed_bytes").filter(|changed| *changed > 0.0)? / each))
        };
        let cells = [
            number(per("publisher_cpu", 1e6), 2),
            number(line.ours("publisher_peak_mib"), 0),
            number(per("player_cpu", 1e8), 2),
            number(line.ours("player_peak_mib"), 0),
            number(line.ours("player_seconds"), 2),
        ];
        text += &format!("| {} | {} |\n", line.pair, cells.join(" | "));
    }
    text
}

fn rivals(lines: &[Line]) -> String {
    let mut text = "\n## Each rival\n\n| pair | program | per file | solid | CPU s | chunks of 4, 16, 64 KiB |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for line in lines {
        for (name, figures) in &line.rivals {
            let cpu = |kind: &str| figures[format!("{kind}_cpu")].as_f64();
            let chunks: Vec<String> =
                ["4k", "16k", "64k"].iter().map(|size| bytes(figures[*size].as_f64())).collect();
            text += &format!(
                "| {} | {name} | {} | {} | {} | {} |\n",
                line.pair,
                bytes(figures["per_file"].as_f64()),
                bytes(figures["solid"].as_f64()),
                number(cpu("per_file").map(|alone| alone + cpu("solid").unwrap_or(0.0)), 1),
                chunks.join(", "),
            );
        }
    }
    text
}

fn dash() -> String {
    "–".to_owned()
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(dash, |value| format!("{value:.digits$}"))
}

/// Exact: hotfixes differ by single bytes.
fn bytes(value: Option<f64>) -> String {
    let Some(value) = value else { return dash() };
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

const METHOD: &str = "\
Pairs are two consecutive releases of real games as their registries carry them, unpacked, links left out. A rival gets the \
changed files, each against the old file at the same path, and once more all of them as one stream against the old versions \
and what is gone (`solid`); its better one counts. New files cost it zstd -19, files that merely moved nothing. zstd: -19 \
--long=31 --patch-from; xdelta3: -9 with LZMA and the whole old file as window; bsdiff as it is; HDiffPatch with LZMA2; \
zucchini for programs, with xz -9e over its patch, and bsdiff for the rest. casync (zstd) and bita (brotli, as it is set): the bytes of the chunks \
that the old stream has not, without any index. Ours is the signed description and the payload, with the manifest's \
difference and the new piece layers in it. `fetched in all` is what `muster update` counted, TUF metadata included.";
