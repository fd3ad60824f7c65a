//! Rust and Node come from the person; we check them first and name the command that brings them.

use crate::{
    failure::Failure,
    process::{capture, command},
};

const RUST_MIN: (u32, u32) = (1, 95);
const NODE_MIN: (u32, u32) = (20, 0);

/// Fails at once, with one command, where Rust or Node is missing or too old.
pub(super) fn check() -> Result<(), Failure> {
    need("rustc", RUST_MIN, "rustup toolchain install 1.95.0 --component rustfmt --component clippy")?;
    need("node", NODE_MIN, "sudo apt-get install -y npm && sudo npm install --global node@20")?;
    need("npm", (9, 0), "sudo apt-get install -y npm && sudo npm install --global npm@10")
}

fn need(program: &str, least: (u32, u32), bring: &str) -> Result<(), Failure> {
    let missing = |what: String| Failure::Missing { what, bring: bring.to_owned() };
    let text = capture(command(program).arg("--version"))
        .map_err(|_| missing(format!("{program} is not installed (needed: {}.{})", least.0, least.1)))?;
    let found = version(&text).ok_or_else(|| missing(format!("{program} tells no version: {text}")))?;
    if found < least {
        let what = format!("{program} is {}.{}, needed: {}.{}", found.0, found.1, least.0, least.1);
        return Err(missing(what));
    }
    println!("{program} {}.{}", found.0, found.1);
    Ok(())
}

/// The first `major.minor` in what a program says of itself.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().find(|word| word.contains('.'))?;
    let mut numbers = word.trim_start_matches('v').split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("rustc 1.95.0 (abc 2026-04-14)"), Some((1, 95)));
        assert_eq!(version("nonsense"), None);
    }
}
