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
    /// `.` or `..` as a component, or a component that begins with `..` (macOS reads forks of a file by `..namedfork`).
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
    /// A name that Windows makes up for a longer one (`PROGRA~1`), so it may be another file.
    #[error("{0:?}: {1:?} may be the short name of another file on Windows")]
    ShortName(String, String),
    /// Not in Unicode normalization form C.
    #[error("{0:?}: not in Unicode form NFC")]
    NotNormalized(String),
    /// Longer than the bounds in [`crate::limits`].
    #[error("{0:?}: too long or too deep")]
    TooLong(String),
    /// Under `.muster`, which is ours, or where files of the player's are moved that stood in the way.
    #[error("{0:?}: .muster and muster-moved-… are reserved")]
    Reserved(String),
}

impl GamePath {
    /// Checks every rule of every supported system.
    ///
    /// # Errors
    /// The first rule broken, with the path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path = Self::portable(text)?;
        let top = path.folded_top();
        if top == STATE_FOLDER || top.starts_with(MOVED_FOLDER) {
            return Err(PathError::Reserved(text.to_owned()));
        }
        Ok(path)
    }

    /// A path below the folder that takes what of the player's stood in the way of a release (`muster-moved-…`), which no
    /// release can name.
    ///
    /// # Errors
    /// As [`GamePath::parse`]; [`PathError::Reserved`] for a path that leads elsewhere.
    pub fn parse_moved(text: &str) -> Result<Self, PathError> {
        let path = Self::portable(text)?;
        if path.folded_top().starts_with(MOVED_FOLDER) {
            Ok(path)
        } else {
            Err(PathError::Reserved(text.to_owned()))
        }
    }

    /// The rules of the systems, without ours.
    fn portable(text: &str) -> Result<Self, PathError> {
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
        Ok(Self(own()))
    }

    fn folded_top(&self) -> String {
        fold(self.components().next().unwrap_or_default())
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

/// Our state, and the beginning of the folder that takes what stood in the way, at the top of a game folder.
const STATE_FOLDER: &str = ".muster";
const MOVED_FOLDER: &str = "muster-moved-";

/// Case and normalization folded away. Lower before upper catches what has a capital only (ẞ is SS as ß is), upper before
/// lower what has several small letters (ſ, ς).
fn fold(text: &str) -> String {
    text.to_lowercase().to_uppercase().to_lowercase().nfc().collect()
}

enum Fault {
    Empty,
    Dots,
    Character(char),
    Device,
    ShortName,
    Trailing,
    Long,
}

impl Fault {
    fn with(self, path: String, component: &str) -> PathError {
        match self {
            Fault::Empty => PathError::Empty(path),
            Fault::Dots => PathError::Dots(path),
            Fault::Character(c) => PathError::Character(path, c),
            Fault::Device => PathError::Device(path, component.to_owned()),
            Fault::ShortName => PathError::ShortName(path, component.to_owned()),
            Fault::Trailing => PathError::TrailingDotOrSpace(path),
            Fault::Long => PathError::TooLong(path),
        }
    }
}

fn check_component(component: &str) -> Result<(), Fault> {
    if component.is_empty() {
        return Err(Fault::Empty);
    }
    if component == "." || component.starts_with("..") {
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
    Ok(())
}

/// Whether Windows could have made this name up for a longer one: up to eight characters that end in a tilde and digits, and
/// up to three after a dot. `MUSTER~1` would be our own state folder, `LONGNA~1.TXT` another file of the release.
fn is_short_name(component: &str) -> bool {
    // Whichever dot is taken for the one before the extension.
    let splits = [component.split_once('.'), component.rsplit_once('.')];
    splits.into_iter().map(|split| split.unwrap_or((component, ""))).any(|(stem, extension)| {
        let number = stem.rsplit_once('~').map(|(_, number)| number);
        let numbered = number
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        numbered && stem.chars().count() <= 8 && extension.chars().count() <= 3
    })
}

/// Characters that all three systems store as they are and no reader takes for a direction change.
fn is_portable(c: char) -> bool {
    // What Unicode lets a renderer leave out (Default_Ignorable_Code_Point), which ext4, HFS+ and people do when they
    // compare names; marks of direction among them.
    let ignorable = matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{ffff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}');
    // Ends of lines and paragraphs, private use (systems keep characters there that Windows cannot), and what is no
    // character at all.
    let unusable = matches!(c, '\u{2028}' | '\u{2029}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..)
        || u32::from(c) & 0xfffe == 0xfffe;
    let invisible = ignorable || unusable;
    !c.is_control() && !invisible && !matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '/')
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
    fn what_is_moved_aside_lies_where_no_release_reaches() {
        let moved = "muster-moved-2026-11-23/data/mine.txt";
        assert_eq!(GamePath::parse_moved(moved).map(|path| path.to_string()), Ok(moved.to_owned()));
        assert!(GamePath::parse(moved).is_err());
        for elsewhere in ["data/mine.txt", ".muster/state.json", "muster-moved-1/../x", "muster-moved-1/CON"]
        {
            assert!(GamePath::parse_moved(elsewhere).is_err(), "{elsewhere}");
        }
    }

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
            "a~1b",
            "backup~",
            "longer-name~1",
            "data/muster-moved-2026",
            "a/.muster",
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
            "a\u{61c}b",
            "a\u{2028}b",
            "a\u{fe0f}",
            "a\u{fdd0}",
            "a\u{1ffff}",
            "PROGRA~1",
            "data/longn~12.txt",
            "MUSTER~1/state.json",
            "file/..namedfork/rsrc",
            "...x",
            "muster-moved-2026-01-01/save",
            "Muster-Moved-x",
        ] {
            assert!(GamePath::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(GamePath::from_components(["a/b"]).is_err());
    }

    #[test]
    fn order_is_that_of_the_file_tree() {
        let [a, b, c] = ["a/b", "a.b", "a/c"].map(|p| GamePath::parse(p).expect("good"));
        assert!(a < b && c < b && a < c);
        for same in [["Straße", "STRASSE"], ["Straẞe", "straße"], ["ﬁ", "FI"], ["ΌΣΟΣ", "όσος"], ["ſo", "SO"]]
        {
            let [one, other] = same.map(|path| GamePath::parse(path).expect("good").folded());
            assert_eq!(one, other, "{same:?}");
        }
        assert_eq!(
            GamePath::parse("Straße").expect("good").folded(),
            GamePath::parse("STRASSE").expect("good").folded()
        );
    }
}
