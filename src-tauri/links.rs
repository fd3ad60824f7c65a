//! What the launcher hands to the system to open: addresses from outside, and the game's own folder.
//!
//! Invariant: https anywhere, plain http on the loopback only (a demo, a test), no user name or password inside. Everything else,
//! `file:`, `javascript:`, a custom scheme, is refused before it reaches a browser or a socket.

pub(crate) use ::brand::address::{allowed, is_loopback};
use std::{
    io,
    path::{Path, PathBuf},
};
#[cfg(all(unix, not(target_os = "macos")))]
use std::{
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
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

/// Opens an allowed address in the system's browser, which then lives its own life. Takes up to a few seconds to be sure of it.
pub(crate) fn open_in_browser(url: &Url) -> Result<(), LinkError> {
    if !allowed(url) {
        return Err(LinkError::Refused(url.scheme().to_owned()));
    }
    Ok(start_browser(url)?)
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
fn start_browser(url: &Url) -> io::Result<()> {
    let asked = std::env::var("BROWSER").unwrap_or_default();
    let programs = asked.split(':').filter(|program| !program.is_empty() && !program.contains('%'));
    let wanted = programs.map(|program| open::with_command(url.as_str(), program));
    start_first(wanted.chain(open::commands(url.as_str())), OPENING)
}

/// Other systems know by themselves, and say at once when they cannot.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn start_browser(url: &Url) -> io::Result<()> {
    open::that_detached(url.as_str())
}

/// How long a program that opens pages is watched: one that finds no browser says so within this time.
#[cfg(all(unix, not(target_os = "macos")))]
const OPENING: Duration = Duration::from_secs(2);

/// Starts the first of these that does not fail at once; it then lives its own life, outside our terminal's group.
#[cfg(all(unix, not(target_os = "macos")))]
fn start_first(commands: impl Iterator<Item = Command>, watched: Duration) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in commands {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let ended = command.spawn().and_then(|child| ended_within(child, watched));
        match ended {
            Ok(Some(status)) if !status.success() => last = io::Error::other(status.to_string()),
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// How it ended, if it did within `limit`; one that goes on is waited for beside, so that nothing of it is left over.
#[cfg(all(unix, not(target_os = "macos")))]
fn ended_within(mut child: Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let (end, ended) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("browser".to_owned()).spawn(move || end.send(child.wait()))?;
    ended.recv_timeout(limit).ok().transpose()
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

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn a_program_that_finds_no_browser_is_noticed_and_the_next_one_asked() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let shell = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).arg("sh").arg(&mark);
            command
        };
        let long = Duration::from_secs(60);
        let none = start_first([shell("exit 3"), Command::new("/nonexistent/browser")].into_iter(), long);
        assert!(none.is_err(), "neither is a browser");
        start_first([shell("exit 3"), shell(": > \"$1\"")].into_iter(), long).unwrap();
        assert!(mark.exists(), "the second was asked");
        // A browser that stays is one that was started.
        start_first([shell("sleep 1; exit 3")].into_iter(), Duration::ZERO).unwrap();
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
