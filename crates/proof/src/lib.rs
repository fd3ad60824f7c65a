//! What tests have proved, counted: each test says how many of its attempts went as promised, and
//! `cargo xtask test` prints the sums at its end.
//!
//! Invariant: a line stands for cases that really ran in this run. A test that was run again (a
//! flaky one) replaces what its first attempt said. Without [`DIR`] in the environment nothing is
//! kept; the count is printed all the same. Never shipped: only tests depend on it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The environment variable that names the folder in which counts are kept.
pub const DIR: &str = "MUSTER_PROOFS";

/// What is counted. The order is that of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// Errors, kills, short writes and lies injected into the store: the game stood afterwards.
    Faults,
    /// Power cuts, in the model and of real file systems: the game stood afterwards.
    PowerCuts,
    /// TUF repositories on which our client and python-tuf came to the same verdict.
    TufVerdicts,
    /// Hostile metainfo, manifests and patches that were refused.
    TorrentsRefused,
    /// Peers that sent a false block and were banned.
    LiarsBanned,
    /// Honest peers in attacked swarms that were not banned.
    HonestKept,
    /// MiB of memory that a flood cost at most (the worst of the tests).
    FloodMemory,
    /// Bytes that were wasted on liars, in thousandths of the download (the worst of the tests).
    Wasted,
}

/// All, in the order of the summary.
pub const LINES: [Line; 8] = [
    Line::Faults,
    Line::PowerCuts,
    Line::TufVerdicts,
    Line::TorrentsRefused,
    Line::LiarsBanned,
    Line::HonestKept,
    Line::FloodMemory,
    Line::Wasted,
];

impl Line {
    /// Its name in a file.
    fn key(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::PowerCuts => "power-cuts",
            Self::TufVerdicts => "tuf-verdicts",
            Self::TorrentsRefused => "torrents-refused",
            Self::LiarsBanned => "liars-banned",
            Self::HonestKept => "honest-kept",
            Self::FloodMemory => "flood-memory",
            Self::Wasted => "wasted",
        }
    }

    /// Whether the worst of the tests counts, and not their sum.
    fn is_worst(self) -> bool {
        matches!(self, Self::FloodMemory | Self::Wasted)
    }
}

impl Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Faults => "faults survived",
            Self::PowerCuts => "power cuts survived",
            Self::TufVerdicts => "TUF verdicts equal",
            Self::TorrentsRefused => "hostile torrents refused",
            Self::LiarsBanned => "liars banned",
            Self::HonestKept => "honest peers not banned",
            Self::FloodMemory => "memory under flood, MiB",
            Self::Wasted => "wasted on liars, per mille",
        })
    }
}

/// So many of so many; for a worst value, the value and its bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many went as promised.
    pub good: u64,
    /// How many were tried.
    pub of: u64,
}

/// Adds a test's count to a line, and prints it. A test may say it often.
///
/// # Panics
/// Where the folder of counts cannot be written: a count that is lost must not pass for none.
#[expect(clippy::print_stdout, reason = "what a test proved belongs into its output")]
pub fn count(line: Line, good: u64, of: u64) {
    static SAID: Mutex<BTreeMap<(String, &'static str), Count>> = Mutex::new(BTreeMap::new());
    println!("{line}: {good}/{of}");
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let test = test_name();
    let mut said = SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let sum = said.entry((test.clone(), line.key())).or_default();
    *sum = if line.is_worst() {
        if good > sum.good { Count { good, of } } else { *sum }
    } else {
        Count { good: sum.good + good, of: sum.of + of }
    };
    let written = write(&dir, &test, line, *sum);
    assert!(written.is_ok(), "{}: {written:?}", dir.display());
}

/// The sums of all that was counted in a folder, a line each; a line that nobody counted is absent.
///
/// # Errors
/// As the system says; [`io::ErrorKind::InvalidData`] for what [`count`] did not write.
pub fn sums(dir: &Path) -> io::Result<BTreeMap<Line, Count>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let Some(line) = LINES.into_iter().find(|line| line.key() == ending) else { continue };
        let Count { good, of } = read(&path)?;
        let sum: &mut Count = sums.entry(line).or_default();
        *sum = if line.is_worst() {
            if good >= sum.good { Count { good, of } } else { *sum }
        } else {
            Count { good: sum.good + good, of: sum.of + of }
        };
    }
    Ok(sums)
}

/// The program and the test that runs in it: what is said again replaces what stands under it.
fn test_name() -> String {
    let program = std::env::current_exe().ok();
    let program =
        program.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let thread = std::thread::current();
    let name = format!("{}.{}", program.unwrap_or_default(), thread.name().unwrap_or("unnamed"));
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn write(dir: &Path, test: &str, line: Line, count: Count) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(format!("{test}.{}", line.key())), format!("{} {}\n", count.good, count.of))
}

fn read(path: &Path) -> io::Result<Count> {
    let text = fs::read_to_string(path)?;
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(good)), Some(Ok(of)), None) => Ok(Count { good, of }),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {text:?}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_replaces_and_tests_add_up() {
        let dir = std::env::temp_dir().join(format!("proof-{}", std::process::id()));
        for (test, good, of) in [("a", 3, 4), ("a", 4, 4), ("b", 1, 2)] {
            write(&dir, test, Line::Faults, Count { good, of }).unwrap();
        }
        for (test, good) in [("a", 30), ("b", 7)] {
            write(&dir, test, Line::FloodMemory, Count { good, of: 64 }).unwrap();
        }
        fs::write(dir.join("a.unknown"), "nothing").unwrap();
        let sums = sums(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let faults = Count { good: 5, of: 6 };
        let memory = Count { good: 30, of: 64 };
        assert_eq!(sums, BTreeMap::from([(Line::Faults, faults), (Line::FloodMemory, memory)]));
    }

    #[test]
    fn a_torn_count_is_an_error() {
        let dir = std::env::temp_dir().join(format!("proof-torn-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.faults"), "3").unwrap();
        let torn = sums(&dir).map_err(|error| error.kind());
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(torn, Err(io::ErrorKind::InvalidData));
    }
}
