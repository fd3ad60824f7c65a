//! `cargo xtask reproduce`: builds the headless program twice, from two copies of the committed tree in two folders, and compares
//! the two byte for byte.
//!
//! Each copy is built as a release is: the release profile, the lock file as it stands, no debug symbols, and the folders of the
//! machine replaced by names (`--remap-path-prefix`), so that neither the copy's place nor the home folder is in the program.

use crate::{
    failure::{AtPath as _, Failure},
    place,
    process::{capture, command, run},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// The two copies; their lengths differ, so that a path in the program would move what follows it.
const COPIES: [&str; 2] = ["a", "another/place"];
/// What is built and compared.
const PROGRAM: &str = "muster";

/// Builds both and compares them; an error where they differ.
pub(crate) fn command_line() -> Result<(), Failure> {
    let above = place::target().join("reproduce");
    let date = capture(git().args(["log", "-1", "--format=%ct"]))?.trim().to_owned();
    let programs: Vec<PathBuf> =
        COPIES.iter().map(|name| build(&above.join(name), &date)).collect::<Result<_, _>>()?;
    let images: Vec<Vec<u8>> =
        programs.iter().map(|path| std::fs::read(path).at(path)).collect::<Result<_, _>>()?;
    for path in &programs {
        print!("{}", capture(command("sha256sum").arg(path))?);
    }
    names_no_folder(&images[0])?;
    if images[0] == images[1] {
        println!("equal: {} bytes", images[0].len());
        return Ok(());
    }
    Err(Failure::Unexpected { what: difference(&images[0], &images[1]) })
}

/// A copy of what is committed, and the program built in it.
fn build(dir: &Path, date: &str) -> Result<PathBuf, Failure> {
    let (tree, target) = (dir.join("tree"), dir.join("target"));
    if tree.exists() {
        std::fs::remove_dir_all(&tree).at(&tree)?;
    }
    std::fs::create_dir_all(&tree).at(&tree)?;
    let archive = dir.join("tree.tar");
    run(git().arg("archive").arg("--output").arg(&archive).arg("HEAD"))?;
    run(command("tar").arg("-xf").arg(&archive).arg("-C").arg(&tree))?;
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", "cli"]).current_dir(&tree);
    cargo.env("CARGO_TARGET_DIR", &target).env("SOURCE_DATE_EPOCH", date).env("CARGO_INCREMENTAL", "0");
    // Rust's own flags separate words by a character that no path has.
    let flags: Vec<String> =
        remapped(&tree, &target).map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let flags: Vec<String> =
        remapped(&tree, &target).map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    cargo.env("CFLAGS", flags.join(" "));
    run(&mut cargo)?;
    Ok(target.join("release").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX)))
}

/// Folders of this machine, and what stands for them in the program; where several match, compilers take the last.
fn remapped(tree: &Path, target: &Path) -> impl Iterator<Item = (String, &'static str)> {
    let cargo_home =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".cargo")));
    [
        (home(), "/home"),
        (cargo_home, "/cargo"),
        (Some(target.to_owned()), "/target"),
        (Some(tree.to_owned()), "/muster"),
    ]
    .into_iter()
    .filter_map(|(from, to)| Some((from?.to_string_lossy().into_owned(), to)))
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.parent().is_some())
}

fn git() -> Command {
    command("git")
}

/// Neither the repository's folder nor the home folder stands in the program.
fn names_no_folder(image: &[u8]) -> Result<(), Failure> {
    for folder in [Some(place::root()), home()].into_iter().flatten() {
        let name = format!("{}/", folder.display());
        if image.windows(name.len()).any(|window| window == name.as_bytes()) {
            return Err(Failure::Unexpected {
                what: format!("{PROGRAM} names the folder {name} of this machine"),
            });
        }
    }
    Ok(())
}

/// What differs, by section where the program is an ELF image of 64 bits.
fn difference(one: &[u8], other: &[u8]) -> String {
    let mut words = vec![format!("the two differ: {} and {} bytes", one.len(), other.len())];
    if let Some(at) = one.iter().zip(other).position(|(a, b)| a != b) {
        words.push(format!("first at byte {at}"));
    }
    match (sections(one), sections(other)) {
        (Some(one), Some(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            words.extend(names.into_iter().filter(|name| one.get(*name) != other.get(*name)).map(|name| {
                let length =
                    |sections: &BTreeMap<String, &[u8]>| sections.get(name).map_or(0, |bytes| bytes.len());
                format!("section {name}: {} and {} bytes", length(&one), length(&other))
            }));
        }
        _ => words.push("no ELF images: sections are not told apart".to_owned()),
    }
    words.join("\n  ")
}

/// The sections of a little-endian ELF image of 64 bits by name; nothing where it is none.
fn sections(image: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let number = |bytes: &[u8], at: usize, length: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        usize::try_from(bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))).ok()
    };
    if !image.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, entry) = (number(image, 40, 8)?, number(image, 58, 2)?);
    let (count, names) = (number(image, 60, 2)?, number(image, 62, 2)?);
    let header = |index: usize| image.get(table.checked_add(index * entry)?..);
    let content = |header: &[u8]| -> Option<&[u8]> {
        let (kind, at, length) = (number(header, 4, 4)?, number(header, 24, 8)?, number(header, 32, 8)?);
        // Sections of zeros take no place in the file.
        if kind == 8 { Some(&[]) } else { image.get(at..at.checked_add(length)?) }
    };
    let names = content(header(names)?)?;
    let mut sections = BTreeMap::new();
    for index in 0..count {
        let header = header(index)?;
        let name = names.get(number(header, 0, 4)?..)?.split(|byte| *byte == 0).next()?;
        sections.insert(String::from_utf8_lossy(name).into_owned(), content(header)?);
    }
    Some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_by_its_section() {
        let image = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        let Some(all) = sections(&image) else {
            assert!(!image.starts_with(b"\x7fELF\x02\x01"), "an ELF image has sections");
            return;
        };
        assert!(all.contains_key(".text") && all.contains_key(".rodata"), "{:?}", all.keys());
        let mut other = image.clone();
        let text = all[".rodata"];
        let at = text.as_ptr() as usize - image.as_ptr() as usize;
        other[at + text.len() / 2] ^= 1;
        let words = difference(&image, &other);
        assert!(words.contains("section .rodata") && !words.contains("section .text"), "{words}");
        assert!(difference(b"no program", b"another").contains("first at byte 0"));
    }
}
