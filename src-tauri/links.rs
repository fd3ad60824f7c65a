//! What the launcher hands to the system to open: addresses from outside, and the game's own folder.
//!
//! Invariant: https anywhere, plain http on the loopback only (a demo, a test), no user name or password inside. Everything else,
//! `file:`, `javascript:`, a custom scheme, is refused before it reaches a browser or a socket.

pub(crate) use ::brand::address::{allowed, is_loopback};
use std::{
    io,
    path::{Path, PathBuf},
};
use url::Url;

/// Why a link was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// Not https, nor http on the loopback.
    #[error("only web addresses are opened, not {0}: addresses")]
    Refused(String),
    /// The system has no browser, or it did not start.
    #[error("no browser could be started: {0}")]
    Browser(#[from] io::Error),
}

/// Why a folder was not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// It is not there, or not a folder: opening a file could start it.
    #[error("{} is no folder", .0.display())]
    Missing(PathBuf),
    /// The system has no file manager, or it did not start.
    #[error("no file manager could be started: {0}")]
    FileManager(#[from] io::Error),
}

/// Opens an allowed address in the system's browser, which then lives its own life.
pub(crate) fn open_in_browser(url: &Url) -> Result<(), LinkError> {
    if !allowed(url) {
        return Err(LinkError::Refused(url.scheme().to_owned()));
    }
    if open_as_asked(url) {
        return Ok(());
    }
    Ok(open::that_detached(url.as_str())?)
}

/// Shows a folder in the system's file manager.
pub(crate) fn open_folder(dir: &Path) -> Result<(), FolderError> {
    if !dir.is_dir() {
        return Err(FolderError::Missing(dir.to_owned()));
    }
    Ok(open::that_detached(dir)?)
}

/// `BROWSER` names the programs a person wants on a Unix desktop, with colons between them; `xdg-open` looks at it only when no desktop
/// has an opinion. Entries with a place for the address in them are left to it.
#[cfg(all(unix, not(target_os = "macos")))]
fn open_as_asked(url: &Url) -> bool {
    let asked = std::env::var("BROWSER").unwrap_or_default();
    let programs = asked.split(':').filter(|program| !program.is_empty() && !program.contains('%'));
    programs.into_iter().any(|program| open::with_detached(url.as_str(), program).is_ok())
}

/// Other systems ask their settings.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn open_as_asked(_url: &Url) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_addresses() {
        let cases = [
            ("https://studio.example/news", true),
            ("http://127.0.0.1:8000/feed.json", true),
            ("http://[::1]:8000/feed.json", true),
            ("http://localhost/feed", true),
            ("http://studio.example/news", false),
            ("https://user:secret@studio.example/", false),
            ("http://localhost.studio.example/", false),
            ("http://10.0.0.1/", false),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("data:text/html,hello", false),
            ("muster://news/1", false),
            ("mailto:someone@studio.example", false),
        ];
        for (text, expected) in cases {
            assert_eq!(allowed(&Url::parse(text).unwrap()), expected, "{text}");
        }
        let refused = open_in_browser(&Url::parse("file:///etc/passwd").unwrap());
        assert!(matches!(refused, Err(LinkError::Refused(scheme)) if scheme == "file"));
    }

    #[test]
    fn only_a_folder_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("game");
        assert!(matches!(open_folder(&program), Err(FolderError::Missing(_))), "not there");
        std::fs::write(&program, b"#!/bin/sh").unwrap();
        assert!(
            matches!(open_folder(&program), Err(FolderError::Missing(path)) if path == program),
            "a program"
        );
    }
}
