//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, on the stable toolchain.
//!
//! libFuzzer wants coverage counters, which the compiler puts in by flags alone. They go into the workspace's own crates by a
//! wrapper around the compiler ([`wrapper`]), as `clippy` does it: crates from the registry are those of any build, and what the
//! wrapper compiled is kept apart from what is shipped. Overflow checks and debug assertions are on, as in every dev build.

mod run;
mod wrapper;

use crate::{
    failure::{AtPath as _, Failure},
    place,
    process::{cargo, run as run_to_the_end},
};
use run::{Outcome, Run};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};

/// Names, as `fuzz/src/lib.rs` has them.
const TARGETS: [&str; 13] =
    ["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13"];
/// How long each target runs in `cargo xtask test`.
const SHORT: Duration = Duration::from_secs(10);
/// How long each target runs on `cargo xtask fuzz` without `--minutes`.
const LONG: Duration = Duration::from_secs(60);
/// Targets at the same time in `cargo xtask test`: they are processes of one thread.
const JOBS: usize = 2;

/// What `cargo xtask fuzz` was asked for.
#[derive(Debug)]
struct Wish {
    targets: Vec<&'static str>,
    time: Duration,
    jobs: usize,
}

/// `cargo xtask fuzz [TARGET…] [--minutes M] [--jobs N]`.
pub(crate) fn command(words: &[&str]) -> Result<(), Failure> {
    let wish = wish(words)?;
    build()?;
    let outcomes = all(&wish, Keep::Corpus)?;
    for outcome in &outcomes {
        println!("{outcome}");
    }
    judge(outcomes)
}

/// Builds the program that holds all targets.
pub(crate) fn build() -> Result<(), Failure> {
    let mut build = cargo(&["build", "--quiet", "--workspace", "--locked"]);
    build.args(["--features", "fuzz/libfuzzer", "--example", "libfuzzer"]);
    build.env("RUSTC_WORKSPACE_WRAPPER", wrapper::write()?);
    run_to_the_end(&mut build)
}

/// The short runs make the same choices every time, so that a change is judged by what it changed. `cargo xtask fuzz` makes
/// others each time.
const SEED: u32 = 20_261_123;

/// Every target for a short while, from the seeds in the repository: the step of `cargo xtask test`.
pub(crate) fn short() -> Result<Vec<Outcome>, Failure> {
    let outcomes = all(&Wish { targets: TARGETS.to_vec(), time: SHORT, jobs: JOBS }, Keep::Nothing)?;
    judge(outcomes.clone())?;
    Ok(outcomes)
}

/// The line of the summary: runs by target.
pub(crate) fn summary(outcomes: &[Outcome]) -> String {
    let one = |outcome: &Outcome| format!("{} {}", outcome.target.to_uppercase(), outcome.runs);
    outcomes.iter().map(one).collect::<Vec<_>>().join("  ")
}

/// What becomes of the inputs that a run finds interesting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// They are thrown away.
    Nothing,
    /// They stay for the next run, without what others cover.
    Corpus,
}

/// All targets of a wish, so many at a time, in their order.
fn all(wish: &Wish, keep: Keep) -> Result<Vec<Outcome>, Failure> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..wish.jobs.min(wish.targets.len()) {
            scope.spawn(|| {
                while let Some(target) = wish.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = one(target, wish.time, keep);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push(outcome);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut outcomes: Vec<Outcome> = done.into_iter().collect::<Result<_, _>>()?;
    outcomes.sort_by_key(|outcome| wish.targets.iter().position(|target| *target == outcome.target));
    Ok(outcomes)
}

fn one(target: &'static str, time: Duration, keep: Keep) -> Result<Outcome, Failure> {
    let scratch = scratch(target)?;
    let (program, seeds, artifacts) = (program(), seeds(target), ours(&format!("broken/{target}"))?);
    let run = Run { target, program, seeds, artifacts, scratch: scratch.clone() };
    let found = scratch.join("found");
    std::fs::create_dir_all(&found).at(&found)?;
    let outcome = match keep {
        Keep::Nothing => run.fuzz(&found, time, Some(SEED))?,
        Keep::Corpus => {
            let corpus = ours(&format!("corpus/{target}"))?;
            let outcome = run.fuzz(&corpus, time, None)?;
            if outcome.broken.is_none() {
                run.minimise(&corpus)?;
            }
            outcome
        }
    };
    std::fs::remove_dir_all(&scratch).at(&scratch)?;
    Ok(outcome)
}

/// An empty folder for one run, where a sync costs nothing if the system has such a place.
fn scratch(target: &str) -> Result<PathBuf, Failure> {
    let shared = Path::new("/dev/shm");
    let above = if shared.is_dir() { shared.to_owned() } else { ours("scratch")? };
    let dir = above.join(format!("muster-fuzz-{target}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).at(&dir)?;
    Ok(dir)
}

/// An error where a target broke, with what to do about it.
fn judge(outcomes: Vec<Outcome>) -> Result<(), Failure> {
    let broken: Vec<String> = outcomes.into_iter().filter_map(|outcome| outcome.broken).collect();
    if broken.is_empty() { Ok(()) } else { Err(Failure::Unexpected { what: broken.join("\n") }) }
}

fn program() -> PathBuf {
    place::target().join("debug/examples/libfuzzer")
}

fn seeds(target: &str) -> PathBuf {
    place::root().join("fuzz/corpus").join(target)
}

/// A folder for fuzzing under cargo's output.
fn ours(name: &str) -> Result<PathBuf, Failure> {
    let dir = place::target().join("fuzz").join(name);
    std::fs::create_dir_all(&dir).at(&dir)?;
    Ok(dir)
}

/// A path as people type it in the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(place::root()).unwrap_or(path).display().to_string()
}

fn wish(words: &[&str]) -> Result<Wish, Failure> {
    let mut wish = Wish { targets: Vec::new(), time: LONG, jobs: JOBS };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|number| number.parse::<f64>().ok()).filter(|number| *number > 0.0);
        match *word {
            "--minutes" => wish.time = Duration::from_secs_f64(60.0 * number().ok_or(Failure::Usage)?),
            "--jobs" => wish.jobs = number().ok_or(Failure::Usage)? as usize,
            name => {
                let known = TARGETS.iter().find(|target| target.eq_ignore_ascii_case(name));
                wish.targets.push(known.ok_or(Failure::Usage)?);
            }
        }
    }
    if wish.targets.is_empty() {
        wish.targets = TARGETS.to_vec();
    }
    wish.jobs = wish.jobs.max(1);
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_targets_and_numbers() {
        let wish = wish(&["F7", "--minutes", "0.5", "f1", "--jobs", "3"]).ok();
        let wish = wish.map(|wish| (wish.targets, wish.time, wish.jobs));
        assert_eq!(wish, Some((vec!["f7", "f1"], Duration::from_secs(30), 3)));
        for bad in [&["f14"][..], &["--minutes"], &["--minutes", "-1"], &["--jobs", "x"]] {
            assert!(super::wish(bad).is_err(), "{bad:?}");
        }
        assert!(super::wish(&[]).is_ok_and(|wish| wish.targets.len() == 13));
    }

    #[test]
    fn the_list_is_that_of_the_targets() {
        let text = std::fs::read_to_string(place::root().join("fuzz/src/lib.rs")).unwrap_or_default();
        let named =
            text.lines().filter_map(|line| line.trim().strip_prefix("Target { name: \"")?.split('"').next());
        assert_eq!(named.collect::<Vec<_>>(), TARGETS);
    }
}
