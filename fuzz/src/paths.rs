//! F9: path rules. Beside the parser stands an oracle that was written from the systems' own rules, not from ours: whatever the
//! parser accepts, neither Linux nor Windows nor macOS may read as another file, another folder, or a device.
//!
//! Sources: Windows, "Naming Files, Paths, and Namespaces" and the 8.3 aliases of [MS-FSCC] §2.1.5.2.1; macOS, HFS Plus (TN1150,
//! ignored and decomposed characters) and APFS (case folding over form D); Linux, NUL and the separator.

use release::{metainfo::check_collisions, path::GamePath};
use unicode_normalization::UnicodeNormalization as _;

/// Paths, one a line.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut accepted = Vec::new();
    for line in text.split('\n') {
        let Ok(path) = GamePath::parse(line) else { continue };
        assert_eq!(path.as_str(), line, "accepted as it is, or not at all");
        nobody_misreads(line);
        assert_eq!(GamePath::from_components(line.split('/')).ok().as_ref(), Some(&path));
        accepted.push(path);
    }
    if check_collisions(accepted.iter()).is_ok() {
        no_two_are_one(accepted.iter().map(GamePath::as_str));
    }
}

/// Panics where some system misreads the path.
pub(crate) fn nobody_misreads(path: &str) {
    assert!(!path.is_empty() && path.len() <= 1024, "{path:?}: length");
    assert!(!path.starts_with('/') && !path.contains('\0'), "{path:?}: Linux");
    for (depth, part) in path.split('/').enumerate() {
        assert!(!matches!(part, "" | "." | ".."), "{path:?}: leaves the folder");
        assert!(part.len() <= 255, "{path:?}: too long for ext4");
        assert!(part.encode_utf16().count() <= 255, "{path:?}: too long for NTFS");
        windows(path, part);
        macos(path, part);
        if depth == 0 {
            let ours = "under our own folder";
            assert!(!folds_windows(part).eq(".MUSTER") && folds_macos(part) != ".muster", "{path:?}: {ours}");
        }
    }
}

fn windows(path: &str, part: &str) {
    let forbidden = |c: char| c < ' ' || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*');
    assert!(!part.chars().any(forbidden), "{path:?}: no file name on Windows");
    // The Win32 layer drops these from the end, and what is left is another name.
    assert!(!part.ends_with(' ') && !part.ends_with('.'), "{path:?}: Windows drops its end");
    let stem: String = part.chars().take_while(|c| *c != '.').collect();
    let stem = stem.trim_end_matches(' ').to_ascii_uppercase();
    let device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str())
        || ["COM", "LPT"].iter().any(|port| {
            let number = stem.strip_prefix(port);
            number.is_some_and(|number| {
                let mut digits = number.chars();
                digits.next().is_some_and(|digit| "0123456789¹²³".contains(digit)) && digits.next().is_none()
            })
        });
    assert!(!device, "{path:?}: a device on Windows");
    assert!(!may_be_short_alias(part), "{path:?}: what NTFS may call another file for short");
}

/// `NAME~1.EXT`: eight characters, a dot and three, with a tilde and a number at the end of the eight.
fn may_be_short_alias(part: &str) -> bool {
    let (stem, extension) = part.split_once('.').unwrap_or((part, ""));
    let Some((_, number)) = stem.rsplit_once('~') else { return false };
    stem.chars().count() <= 8
        && extension.chars().count() <= 3
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn macos(path: &str, part: &str) {
    // HFS Plus ignores some of these when it compares; people do not see any of them.
    assert!(!part.chars().any(is_ignorable), "{path:?}: an invisible character");
    assert!(!part.chars().any(is_direction), "{path:?}: turns its reader's direction");
    let composed: String = part.nfc().collect();
    assert_eq!(composed, part, "two spellings on Linux, one on macOS");
    // The resource fork of a file is reached by a name below it.
    assert!(!part.eq_ignore_ascii_case("..namedfork"), "{path:?}: a fork on macOS");
}

/// Default_Ignorable_Code_Point of Unicode.
fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfff8 | 0x1bca0..=0x1bca3
        | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Bidi_Control of Unicode, and what breaks a line.
fn is_direction(c: char) -> bool {
    matches!(u32::from(c), 0x61c | 0x200e | 0x200f | 0x2028 | 0x2029 | 0x202a..=0x202e | 0x2066..=0x2069)
}

/// NTFS compares by upper case, code unit for code unit.
fn folds_windows(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// APFS compares by form D with case folded; lower case of upper case of lower case is that, letter for letter.
fn folds_macos(text: &str) -> String {
    let fold = |c: char| -> String {
        c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
    };
    text.nfd().map(fold).collect::<String>().nfd().collect()
}

/// Panics where some system takes two of these files for one.
pub(crate) fn no_two_are_one<'a>(paths: impl Iterator<Item = &'a str>) {
    let paths: Vec<&str> = paths.collect();
    for fold in [folds_windows, folds_macos] {
        let mut folded: Vec<(String, &str)> = paths.iter().map(|path| (fold(path), *path)).collect();
        folded.sort_unstable();
        for two in folded.windows(2) {
            assert_ne!(two[0].0, two[1].0, "{:?} and {:?} are one file", two[0].1, two[1].1);
        }
    }
}
