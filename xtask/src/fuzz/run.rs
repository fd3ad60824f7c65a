//! One target's run under libFuzzer: its bounds, its figures, and what to do with an input that broke it.

use super::shown;
use crate::{
    failure::{AtPath as _, Failure},
    process::command,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// An input that takes longer is a hang. No input takes a tenth of a second on an idle machine, but CI's is seldom idle.
const HANG_SECONDS: u32 = 5;
/// Memory of the whole process, and of one allocation, at most: MiB.
const MEMORY_MAX: u32 = 512;
const ALLOCATION_MAX: u32 = 256;

/// What a run needs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) target: &'static str,
    pub(super) program: PathBuf,
    /// The seeds of the repository.
    pub(super) seeds: PathBuf,
    /// Where an input is put that broke the target.
    pub(super) artifacts: PathBuf,
    /// For the target's temporary files; in memory, where the system has such a folder.
    pub(super) scratch: PathBuf,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) target: &'static str,
    /// Inputs that were tried.
    pub(crate) runs: u64,
    per_second: u64,
    /// Edges of our own code that some input reached.
    edges: u64,
    memory_mib: u64,
    /// What broke and how to replay it.
    pub(super) broken: Option<String>,
}

impl Run {
    /// Fuzzes for `time`, with the same choices where a seed is given. New inputs go to `corpus`.
    pub(super) fn fuzz(&self, corpus: &Path, time: Duration, seed: Option<u32>) -> Result<Outcome, Failure> {
        let mut fuzzer = self.fuzzer();
        if let Some(seed) = seed {
            fuzzer.arg(format!("-seed={seed}"));
        }
        // libFuzzer writes into the first folder it is given.
        fuzzer.arg(corpus).arg(&self.seeds);
        let (is_well, text) = said(fuzzer.arg(format!("-max_total_time={}", time.as_secs().max(1))))?;
        let figure = |name: &str| figure(&text, name);
        let edges = text.lines().rev().filter_map(|line| after(line, "cov: ")).find_map(number);
        let broken = if is_well { None } else { Some(self.broken(&text)?) };
        Ok(Outcome {
            target: self.target,
            runs: figure("stat::number_of_executed_units:"),
            per_second: figure("stat::average_exec_per_sec:"),
            edges: edges.unwrap_or(0),
            memory_mib: figure("stat::peak_rss_mb:"),
            broken,
        })
    }

    /// Leaves in `corpus` only what together covers what it covered.
    pub(super) fn minimise(&self, corpus: &Path) -> Result<(), Failure> {
        let small = corpus.with_extension("small");
        if small.exists() {
            std::fs::remove_dir_all(&small).at(&small)?;
        }
        std::fs::create_dir_all(&small).at(&small)?;
        let (is_well, text) = said(self.fuzzer().arg("-merge=1").arg(&small).arg(&self.seeds).arg(corpus))?;
        if !is_well {
            return Err(Failure::Unexpected { what: self.broken(&text)? });
        }
        std::fs::remove_dir_all(corpus).at(corpus)?;
        std::fs::rename(&small, corpus).at(corpus)
    }

    fn fuzzer(&self) -> Command {
        let mut fuzzer = command(&self.program);
        fuzzer.env("MUSTER_FUZZ_TARGET", self.target).env("RUST_BACKTRACE", "0").env("TMPDIR", &self.scratch);
        fuzzer.args([
            format!("-timeout={HANG_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_MAX}"),
            format!("-malloc_limit_mb={ALLOCATION_MAX}"),
            format!("-artifact_prefix={}/", self.artifacts.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        fuzzer
    }

    /// What broke, where the input lies, how to see it again and where it belongs once it is mended.
    fn broken(&self, text: &str) -> Result<String, Failure> {
        let log = self.artifacts.join("log");
        std::fs::write(&log, text).at(&log)?;
        let input = text.lines().find_map(|line| after(line, "Test unit written to "));
        let why = text
            .lines()
            .skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: libFuzzer"));
        let why = why.take(3).collect::<Vec<_>>().join("\n    ");
        let Some(input) = input else {
            return Ok(format!("{}: {why}\n  (no input was written; see {})", self.target, shown(&log)));
        };
        let (program, input) = (shown(&self.program), shown(Path::new(input)));
        Ok(format!(
            "{target}: {why}\n  input:  {input}\n  replay: MUSTER_FUZZ_TARGET={target} {program} {input}\n  \
             mended: keep it as fuzz/regressions/{target}/WHAT-IT-WAS",
            target = self.target
        ))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, runs, per_second, edges, memory_mib, .. } = self;
        write!(f, "{target:<4}{runs:>11} runs{per_second:>9} a second{edges:>7} edges{memory_mib:>5} MiB")
    }
}

/// Whether it ended well, and what it said.
fn said(fuzzer: &mut Command) -> Result<(bool, String), Failure> {
    let output = fuzzer.stdin(Stdio::null()).output().map_err(|source| Failure::NotStarted {
        program: fuzzer.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn figure(text: &str, name: &str) -> u64 {
    text.lines().rev().filter_map(|line| line.strip_prefix(name)).find_map(number).unwrap_or(0)
}

fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest.trim())
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
