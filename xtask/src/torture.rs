//! `cargo xtask torture`: the tests that break things, round after round with new seeds, until somebody stops it.
//!
//! It runs the same test programs as `cargo xtask test`, so that a failure is repeated with the seed alone.

use crate::{
    failure::{AtPath as _, Failure},
    place,
    process::{command, run},
    setup,
    step::Steps,
    test,
};
use proof::Count;
use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Counts of one round.
const PROOFS: &str = "torture";
/// In a round: lives of a game in each of two threads, and kills of the real program.
const HISTORIES: u64 = 1000;
const KILLS: u64 = 125;
/// One in so many steps of the kernel's file systems is tried, each round others.
const STRIDE: u64 = 8;

/// What the words ask for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    seed: u64,
    time: Option<Duration>,
}

impl Wish {
    fn of(words: &[&str], seed: u64) -> Option<Self> {
        let mut wish = Self { seed, time: None };
        for pair in words.chunks(2) {
            match pair {
                ["--seed", seed] => wish.seed = seed.parse().ok()?,
                ["--minutes", minutes] => {
                    let minutes: u64 = minutes.parse().ok().filter(|minutes| *minutes > 0)?;
                    wish.time = Some(Duration::from_secs(minutes.checked_mul(60)?));
                }
                _ => return None,
            }
        }
        Some(wish)
    }
}

/// Runs until it is stopped, a test fails, or the time is over.
pub(crate) fn command_line(words: &[&str]) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let wish = Wish::of(words, now).ok_or(Failure::Usage)?;
    let mut steps = Steps::new();
    setup::everything(&mut steps, true)?;
    test::build()?;
    let begun = Instant::now();
    let mut sums: BTreeMap<proof::Line, Count> = BTreeMap::new();
    println!("Ctrl-C ends it. --seed {} repeats it from the start.", wish.seed);
    // Seeds of a round's histories follow each other.
    for (round, seed) in (1_u64..).zip((wish.seed..).step_by(HISTORIES as usize * 2)) {
        if let Err(failure) = one(seed) {
            println!("\nfailed in round {round}: cargo xtask torture --seed {seed}");
            return Err(failure);
        }
        let dir = place::ours(PROOFS)?;
        for (line, count) in proof::sums(&dir).at(&dir)? {
            let sum = sums.entry(line).or_default();
            *sum = Count { good: sum.good + count.good, of: sum.of + count.of };
        }
        println!("round {round}, seed {seed}, {} s:", begun.elapsed().as_secs());
        sums.iter()
            .for_each(|(line, Count { good, of })| println!("  {:<30}{good} of {of}", line.to_string()));
        if wish.time.is_some_and(|time| begun.elapsed() >= time) {
            break;
        }
    }
    Ok(())
}

fn one(seed: u64) -> Result<(), Failure> {
    let dir = place::ours(PROOFS)?;
    std::fs::remove_dir_all(&dir).at(&dir)?;
    let mut tests = command(place::from_venv("cargo-nextest"));
    tests.args(["nextest", "run", "--profile", "torture", "--locked", "--workspace", "-E"]);
    tests.arg("package(store) & (test(histories::) | test(kernel::) | test(random::)) | test(killed_at_random_times)");
    // Ctrl-C reaches the tests too, which take their mounts away; nothing is tried again, nothing shown but failures.
    tests.args(["--status-level", "fail", "--final-status-level", "fail"]);
    say(&mut tests, seed, place::ours(PROOFS)?);
    run(test::with_programs(&mut tests)?)
}

fn say(tests: &mut Command, seed: u64, proofs: std::path::PathBuf) {
    tests.env(proof::DIR, proofs).env("MUSTER_SEED", seed.to_string());
    tests.env("MUSTER_HISTORIES", HISTORIES.to_string()).env("MUSTER_KILLS", KILLS.to_string());
    tests.env("MUSTER_STRIDE", STRIDE.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_or_refused() {
        let wish = |words: &[&str]| Wish::of(words, 5);
        assert_eq!(wish(&[]), Some(Wish { seed: 5, time: None }));
        let whole = Wish { seed: 9, time: Some(Duration::from_secs(120)) };
        assert_eq!(wish(&["--minutes", "2", "--seed", "9"]), Some(whole));
        for words in [&["--seed"][..], &["--seed", "x"], &["--minutes", "0"], &["--more", "1"]] {
            assert_eq!(wish(words), None, "{words:?}");
        }
    }
}
