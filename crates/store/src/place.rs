//! Where a game must never be installed. Pure: the caller says where home and its like are.

use std::path::{Path, PathBuf};

/// Folders of this user that hold their own things.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The home folder.
    pub home: Option<PathBuf>,
    /// Desktop, documents, downloads, pictures, configuration…: each refused itself, while a new
    /// folder inside is fine.
    pub personal: Vec<PathBuf>,
}

/// Why a folder was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Relative paths mean another folder after the next start.
    #[error("the path is not absolute")]
    NotAbsolute,
    /// A whole drive or the root of the system.
    #[error("it is the top of a drive")]
    Root,
    /// The home folder or one above it.
    #[error("it is the home folder or holds it")]
    Home,
    /// Desktop, documents and the like.
    #[error("it is a personal folder; choose a new folder inside it")]
    Personal,
    /// A folder of the operating system.
    #[error("it belongs to the operating system")]
    System,
    /// A game folder lies further up.
    #[error("it lies inside another game's folder")]
    InsideGame,
    /// The folder of our own state, or inside it.
    #[error("it lies inside a .muster folder")]
    InsideState,
}

/// Folders of the operating system: they and everything inside are refused.
const SYSTEM_TREES: [&str; 11] =
    ["/bin", "/boot", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/System", "/usr/bin", "/usr/lib"];
/// Shared folders: refused themselves, while a folder inside is fine.
const SYSTEM_FOLDERS: [&str; 21] = [
    "/dev",
    "/dev/shm",
    "/home",
    "/root",
    "/tmp",
    "/var",
    "/var/tmp",
    "/usr",
    "/usr/local",
    "/usr/share",
    "/opt",
    "/srv",
    "/mnt",
    "/media",
    "/run",
    "/Users",
    "/Applications",
    "/Library",
    "/Volumes",
    "/private",
    "/usr/games",
];
/// Names at the top of a Windows drive: (name, whether everything inside is refused too).
const WINDOWS_FOLDERS: [(&str, bool); 6] = [
    ("windows", true),
    ("$recycle.bin", true),
    ("system volume information", true),
    ("program files", false),
    ("program files (x86)", false),
    ("users", false),
];

/// Whether a game may live in `dir` (absolute, links resolved), as far as its path tells.
///
/// # Errors
/// The first reason against it.
pub fn check(dir: &Path, places: &Places) -> Result<(), Refusal> {
    if !dir.is_absolute() {
        return Err(Refusal::NotAbsolute);
    }
    if dir.parent().is_none() {
        return Err(Refusal::Root);
    }
    if dir.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".muster")) {
        return Err(Refusal::InsideState);
    }
    if places.home.as_deref().is_some_and(|home| home.starts_with(dir)) {
        return Err(Refusal::Home);
    }
    if places.personal.iter().any(|personal| personal == dir) {
        return Err(Refusal::Personal);
    }
    if is_system(dir) || is_windows_system(&dir.to_string_lossy()) {
        return Err(Refusal::System);
    }
    Ok(())
}

fn is_system(dir: &Path) -> bool {
    SYSTEM_TREES.iter().any(|tree| dir.starts_with(tree))
        || SYSTEM_FOLDERS.iter().any(|folder| dir == Path::new(folder))
}

/// By text, so that the rule can be tested on every system.
fn is_windows_system(dir: &str) -> bool {
    let lower = dir.trim_start_matches(r"\\?\").to_lowercase();
    let mut parts = lower.split(['\\', '/']).filter(|part| !part.is_empty());
    let drive = parts.next().unwrap_or_default();
    if drive.len() != 2 || !drive.ends_with(':') {
        return false;
    }
    let Some(top) = parts.next() else { return true };
    let alone = parts.next().is_none();
    WINDOWS_FOLDERS.iter().any(|(name, inside)| *name == top && (alone || *inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn places_that_hold_other_things_are_refused() {
        let places = Places { home: Some("/home/ann".into()), personal: vec!["/home/ann/Desktop".into()] };
        for (dir, expected) in [
            ("games/x", Err(Refusal::NotAbsolute)),
            ("/", Err(Refusal::Root)),
            ("/home", Err(Refusal::Home)),
            ("/home/ann", Err(Refusal::Home)),
            ("/home/ann/Desktop", Err(Refusal::Personal)),
            ("/home/ann/Desktop/Ember", Ok(())),
            ("/home/ann/games/.muster/staging", Err(Refusal::InsideState)),
            ("/etc/game", Err(Refusal::System)),
            ("/usr/lib/game", Err(Refusal::System)),
            ("/tmp", Err(Refusal::System)),
            ("/tmp/game", Ok(())),
            ("/opt/games/ember", Ok(())),
            ("/root", Err(Refusal::System)),
        ] {
            assert_eq!(check(Path::new(dir), &places), expected, "{dir}");
        }
    }

    #[test]
    fn windows_folders_are_known_by_text() {
        for (dir, refused) in [
            (r"C:\Windows\System32", true),
            (r"\\?\C:\Windows", true),
            (r"D:\", true),
            (r"C:\Program Files", true),
            (r"C:\Program Files\Ember", false),
            (r"C:\Users", true),
            (r"D:\Games\Ember", false),
            (r"\\server\share\game", false),
        ] {
            assert_eq!(is_windows_system(dir), refused, "{dir}");
        }
    }
}
