//! `cargo xtask`: set-up, demo, test and bench, for people and for CI alike.
//!
//! Each command brings what it needs, says what it does and how long it took, and may be run again
//! at any time. Nothing here is needed at run time.
#![expect(clippy::print_stdout, reason = "speaking to the person at the terminal is this program's work")]

mod bench;
mod demo;
mod failure;
mod fuzz;
mod place;
mod process;
mod reproduce;
mod sbom;
mod setup;
mod step;
mod test;
mod torture;

use failure::Failure;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  setup [--unprivileged]    bring everything that build, test and demo need
  test [--unprivileged]     every check there is; --unprivileged leaves out what needs root
  demo [--once]             publish the demo game on loopback and open the launcher
                            (--once: end after the first picture of the window)
  demo --release-next       publish version 1.1 into the demo that is running
  bench [NAME]              print the figures of docs/bench.md, or one of:
                            origin, publish, launcher
  bench swarm [WORDS]       print the figures of docs/bench-swarm.md, ours beside its rivals on shaped
                            links; needs root; goes on where it was stopped. WORDS: --list,
                            --row NAME, --client NAME, --runs N, --fresh, --no-wait, --muster FILE
  bench updates [WORDS]     print the figures of docs/bench-updates.md: sizes and costs of updates, ours
                            beside other programs'. WORDS: --pair NAME, --pair NAME=OLD:NEW,
                            --program NAME, --fresh
  bench wire [WORDS]        measure, and write docs/bench-wire.md: what a first install between two of ours
                            costs on shaped links; needs root. WORDS: --tree NAME, --link NAME,
                            --runs N, --muster FILE
  torture [WORDS]           break disks and kill programs, round after round with new seeds, until stopped;
                            needs root. WORDS: --seed N, --minutes M
  fuzz [TARGET…] [WORDS]    give strangers' bytes to what reads them, f1 to f13 or some of these, and keep what
                            was found interesting for the next time. WORDS: --minutes M (for each target,
                            1), --jobs N (targets at a time, 2)
  reproduce                 build the headless program twice, from two copies of what is committed, and compare;
                            takes the time of two release builds
  sbom [--target TRIPLE]    list what each shipped program is made of (CycloneDX 1.5), into target/sbom
  fmt-check                 formatting alone
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage) { 2 } else { 1 })
        }
    }
}

fn dispatch(words: &[&str]) -> Result<(), Failure> {
    match words {
        ["setup"] => setup::command(true),
        ["setup", "--unprivileged"] => setup::command(false),
        ["test"] => test::everything(true),
        ["test", "--unprivileged"] => test::everything(false),
        ["demo"] => demo::command(false),
        ["demo", "--once"] => demo::command(true),
        ["demo", "--release-next"] => demo::release_next(),
        ["bench"] => bench::measure_all(None),
        ["bench", "swarm", words @ ..] => bench::swarm(words),
        ["bench", "updates", words @ ..] => bench::updates(words),
        ["bench", "wire", words @ ..] => bench::wire(words),
        ["bench", name] => bench::measure_all(Some(name)),
        ["torture", words @ ..] => torture::command_line(words),
        ["fuzz", words @ ..] => fuzz::command(words),
        ["reproduce"] => reproduce::command_line(),
        ["sbom", words @ ..] => sbom::command_line(words),
        ["fmt-check"] => test::format_check(),
        _ => {
            println!("{USAGE}");
            Err(Failure::Usage)
        }
    }
}
