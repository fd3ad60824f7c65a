//! Paths that a release may name.
//!
//! Rejected, never sanitised: a path that any of Linux, Windows or macOS could read as leaving the
//! game folder, as a device, or as another file is refused on all of them, because the one who
//! signed it is one publisher and anything odd is a mistake or an attack.

use crate::limits::{COMPONENT_BYTES_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX};
use serde::{Deserialize, Deserializer, Serialize};
use std::{cmp::Ordering, fmt, str::FromStr};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A relative path with `/` between components that stays inside the game folder on every system.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct GamePath(String);

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty path or component, or a leading, trailing or doubled separator.
    #[error("{0:?}: empty path component")]
    Empty(String),
    /// `.` or `..` as a component.
    #[error("{0:?}: leaves or repeats a folder")]
    Dots(String),
    /// A character that some system cannot store or reads as something else.
    #[error("{0:?}: character {1:?} is not portable")]
    Character(String, char),
    /// A device name of Windows (`CON`, `NUL`, `COM1`, …), with or without extension.
    #[error("{0:?}: {1:?} is a reserved device name on Windows")]
    Device(String, String),
    /// The component ends in a dot or a space, which Windows drops.
    #[error("{0:?}: a component ends in a dot or a space")]
    TrailingDotOrSpace(String),
    /// `NAME~1.EXT`: what Windows may call another file, or our own folder, for short.
    #[error("{0:?}: {1:?} may be the short name of another file on Windows")]
    ShortName(String, String),
    /// `..namedfork`, below which macOS shows the forks of a file.
    #[error("{0:?}: a fork of a file on macOS")]
    Fork(String),
    /// Not in Unicode normalization form C.
    #[error("{0:?}: not in Unicode form NFC")]
    NotNormalized(String),
    /// Longer than the bounds in [`crate::limits`].
    #[error("{0:?}: too long or too deep")]
    TooLong(String),
    /// Under `.muster`, which is ours.
    #[error("{0:?}: .muster is reserved")]
    Reserved(String),
}

impl GamePath {
    /// Checks every rule of every supported system.
    ///
    /// # Errors
    /// The first rule broken, with the path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let own = || text.to_owned();
        if text.len() > PATH_BYTES_MAX || text.split('/').count() > PATH_DEPTH_MAX {
            return Err(PathError::TooLong(own()));
        }
        if !is_nfc(text) {
            return Err(PathError::NotNormalized(own()));
        }
        for component in text.split('/') {
            check_component(component).map_err(|fault| fault.with(own(), component))?;
        }
        if fold(text.split('/').next().unwrap_or_default()) == ".muster" {
            return Err(PathError::Reserved(own()));
        }
        Ok(Self(own()))
    }

    /// From the components of a BEP 52 file tree.
    ///
    /// # Errors
    /// As [`GamePath::parse`]; a separator inside a component is refused.
    pub fn from_components<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let parts: Vec<&str> = parts.into_iter().collect();
        if let Some(part) = parts.iter().find(|part| part.contains('/')) {
            return Err(PathError::Character((*part).to_owned(), '/'));
        }
        Self::parse(&parts.join("/"))
    }

    /// The path with `/` between components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The name inside its folder.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder it lies in; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<GamePath> {
        self.0.rsplit_once('/').map(|(folder, _)| Self(folder.to_owned()))
    }

    /// Equal for two paths that some supported file system takes for the same file.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Case and normalization folded away. Upper then lower catches what one pass leaves (ſ, ß); lower before them, what has
/// no upper case but itself (ẞ).
fn fold(text: &str) -> String {
    text.to_lowercase().to_uppercase().to_lowercase().nfc().collect()
}

enum Fault {
    Empty,
    Dots,
    Character(char),
    Device,
    Trailing,
    ShortName,
    Fork,
    Long,
}

impl Fault {
    fn with(self, path: String, component: &str) -> PathError {
        match self {
            Fault::Empty => PathError::Empty(path),
            Fault::Dots => PathError::Dots(path),
            Fault::Character(c) => PathError::Character(path, c),
            Fault::Device => PathError::Device(path, component.to_owned()),
            Fault::Trailing => PathError::TrailingDotOrSpace(path),
            Fault::ShortName => PathError::ShortName(path, component.to_owned()),
            Fault::Fork => PathError::Fork(path),
            Fault::Long => PathError::TooLong(path),
        }
    }
}

fn check_component(component: &str) -> Result<(), Fault> {
    if component.is_empty() {
        return Err(Fault::Empty);
    }
    if component == "." || component == ".." {
        return Err(Fault::Dots);
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(Fault::Long);
    }
    if let Some(c) = component.chars().find(|c| !is_portable(*c)) {
        return Err(Fault::Character(c));
    }
    if component.ends_with(['.', ' ']) || component.starts_with(' ') {
        return Err(Fault::Trailing);
    }
    if is_device(component) {
        return Err(Fault::Device);
    }
    if is_short_name(component) {
        return Err(Fault::ShortName);
    }
    if component.eq_ignore_ascii_case("..namedfork") {
        return Err(Fault::Fork);
    }
    Ok(())
}

/// Characters that all three systems store as they are, that everybody sees, and that turn no reader's direction.
fn is_portable(c: char) -> bool {
    // Breaks a line, or stands for nothing: separators, private use, specials, no characters.
    let odd = matches!(u32::from(c), 0x2028 | 0x2029 | 0xe000..=0xf8ff | 0xfff0..=0xffff)
        || u32::from(c) & 0xfffe == 0xfffe;
    !c.is_control()
        && !odd
        && !is_ignorable(c)
        && !matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '/')
}

/// Unicode's `Default_Ignorable_Code_Point`, in which all that turn the direction (`Bidi_Control`) are: not seen by people,
/// and left out by some file systems when they compare.
fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff)
}

/// Eight characters, a dot and three, the eight ending in a tilde and a number: such names Windows gives to longer ones, so
/// that `MUSTER~1` may be `.muster`.
fn is_short_name(component: &str) -> bool {
    let (stem, extension) = component.split_once('.').unwrap_or((component, ""));
    let number = stem.rsplit_once('~').map(|(_, number)| number);
    stem.chars().count() <= 8
        && extension.chars().count() <= 3
        && number
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn is_device(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$") {
        return true;
    }
    let mut rest = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).unwrap_or_default().chars();
    matches!((rest.next(), rest.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
}

/// Order of a BEP 52 file tree walked depth first: component by component, by bytes.
impl Ord for GamePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.components().cmp(other.components())
    }
}

impl PartialOrd for GamePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for GamePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for GamePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for GamePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GamePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for good in [
            "game",
            "data/a.png",
            "été/ñ.txt",
            "a b/c-d_e+f",
            ".hidden",
            "日本/語.bin",
            "console.log",
            "com/port",
            "backup~",
            "a~b.txt",
            "a-long-name~1.txt",
            "..hidden",
        ] {
            assert_eq!(GamePath::parse(good).map(|p| p.as_str().to_owned()), Ok(good.to_owned()));
        }
    }

    #[test]
    fn paths_that_some_system_misreads_are_refused() {
        let long = "a".repeat(256);
        let deep = vec!["a"; 60].join("/");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "../x",
            "a/../../b",
            "a/./b",
            "c:/x",
            "a\\b",
            "a:stream",
            "nul\0l",
            "CON",
            "con.txt",
            "sub/Aux.tar.gz",
            "COM1",
            "lpt9.log",
            "COM\u{b9}",
            "x.",
            "x ",
            " x",
            "a?",
            "a*",
            "e\u{301}",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{feff}a",
            ".muster",
            ".MUSTER/x",
            ".muſter/x",
            &long,
            &deep,
            "a\nb",
            "MUSTER~1/journal.json",
            "data/LEVELS~2.PAK",
            "~9",
            "save.dat/..namedfork/rsrc",
            "a\u{61c}b",
            "a\u{2028}b",
            "a\u{34f}b",
            "\u{3164}",
            "a\u{e0041}b",
            "a\u{1fffe}b",
        ] {
            assert!(GamePath::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(GamePath::from_components(["a/b"]).is_err());
    }

    #[test]
    fn order_is_that_of_the_file_tree() {
        let [a, b, c] = ["a/b", "a.b", "a/c"].map(|p| GamePath::parse(p).expect("good"));
        assert!(a < b && c < b && a < c);
        assert_eq!(
            GamePath::parse("Straße").expect("good").folded(),
            GamePath::parse("STRASSE").expect("good").folded()
        );
        let sharp = ["GROẞ", "groß", "GROSS"].map(|text| GamePath::parse(text).expect("good").folded());
        assert!(sharp.iter().all(|folded| *folded == sharp[0]), "one file on macOS: {sharp:?}");
    }
}
