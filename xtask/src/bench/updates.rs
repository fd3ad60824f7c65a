//! `cargo xtask bench updates`: what an update costs in bytes, processor time and memory, ours beside other programs.
//!
//! Each figure is kept as soon as it is measured: ours by its binary's hash, a rival's by its name, until `--fresh` is said.
//! The table goes to the terminal and to `docs/bench-updates.md`.

mod ours;
mod page;
mod pairs;
mod rival;
mod state;

use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, cargo, command as program, run},
    setup,
    step::Steps,
};
use page::Line;
use pairs::Pair;
use state::State;

/// What `rivals.py` and the versions it runs mean by a figure; raise it when that changes.
const RIVALS: &str = "1";
const OURS: &str = "ours";

/// What was asked for.
#[derive(Default)]
struct Options {
    pairs: Vec<String>,
    own: Vec<Pair>,
    programs: Vec<String>,
    fresh: bool,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(Failure::Usage);
            match *word {
                "--pair" => match *value()? {
                    own if own.contains('=') => options.own.push(Pair::parse(own)?),
                    known => options.pairs.push(known.to_owned()),
                },
                "--program" => options.programs.push((*value()?).to_owned()),
                "--fresh" => options.fresh = true,
                _ => return Err(Failure::Usage),
            }
        }
        Ok(options)
    }

    fn wants(&self, program: &str) -> bool {
        self.programs.is_empty() || self.programs.iter().any(|wanted| wanted == program)
    }
}

/// Measures what is missing of the pairs and programs chosen, and writes the page.
pub(crate) fn command(words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    let mut steps = Steps::new();
    setup::for_updates(&mut steps)?;
    steps.run("release build of muster", || run(&mut cargo(&["build", "--release", "--package", "cli"])))?;
    let (identity, label) = muster()?;
    let mut state = State::open()?;
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for pair in chosen(&options, &mut failed) {
        let mut figures =
            |name: &str, identity: &str, measure: &dyn Fn() -> Result<serde_json::Value, Failure>| {
                let kept = state.find(&pair.name, name, identity).cloned();
                if !options.wants(name) || (kept.is_some() && !options.fresh) {
                    return Ok::<_, Failure>(kept);
                }
                match measure() {
                    Ok(figures) => {
                        println!("{:<12} {name:<10} {figures}", pair.name);
                        state.append(&pair.name, name, identity, figures.clone())?;
                        Ok(Some(figures))
                    }
                    Err(failure) => {
                        println!("{:<12} {name:<10} {failure}", pair.name);
                        failed.push(format!("{} on {}", name, pair.name));
                        Ok(None)
                    }
                }
            };
        let ours = figures(OURS, &identity, &|| ours::measure(&pair))?;
        let mut rivals = Vec::new();
        for name in rival::PATCHERS.into_iter().chain(rival::CHUNKERS) {
            if let Some(found) = figures(name, RIVALS, &|| rival::measure(name, &pair))? {
                rivals.push((name, found));
            }
        }
        lines.push(Line { pair: pair.name.clone(), ours, rivals });
    }
    let text = page::render(&super::machine()?, &label, &lines);
    println!("\n{text}");
    let path = place::root().join("docs/bench-updates.md");
    std::fs::write(&path, text).at(&path)?;
    println!("written to docs/bench-updates.md");
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Unexpected { what: format!("these gave no figure: {}", failed.join(", ")) })
}

/// The newer release of a pair that is known by name, unpacked.
pub(super) fn tree(name: &str) -> Result<std::path::PathBuf, Failure> {
    pairs::bring(name).map(|pair| pair.new)
}

/// The pairs asked for, or all that can be had here; one that cannot is named in `failed`.
fn chosen(options: &Options, failed: &mut Vec<String>) -> Vec<Pair> {
    let all = options.pairs.is_empty() && options.own.is_empty();
    let names = pairs::names().filter(|name| all || options.pairs.iter().any(|wanted| wanted == name));
    let mut chosen = Vec::new();
    for name in names {
        match pairs::bring(name) {
            Ok(pair) => chosen.push(pair),
            Err(failure) => {
                println!("{name}: {failure}");
                failed.push(format!("the pair {name}"));
            }
        }
    }
    chosen.extend(options.own.iter().cloned());
    chosen
}

/// The release build's hash, in short, and the commit it was built from.
fn muster() -> Result<(String, String), Failure> {
    let hash = capture(program("sha256sum").arg(place::built("release", "muster")))?;
    let commit = capture(program("git").args(["describe", "--always", "--dirty"]))?;
    Ok((hash.chars().take(16).collect(), commit.trim().to_owned()))
}
