//! What a game says on its standard output and errors: a file of its own, kept short, so that nothing is lost or blocked when the
//! launcher ends, as it would be with a pipe.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
};

/// A file over this is begun anew, its end kept beside it. It is looked at once a second while a launcher is there.
const BYTES_MAX: u64 = 2 << 20;
/// What is kept of one that was over it.
const KEPT: u64 = 256 << 10;
/// How much of its end is shown.
const TAIL_BYTES: u64 = 8 << 10;
/// Likewise, in lines, and the longest of them in letters.
const TAIL_LINES: usize = 40;
const LINE_LETTERS: usize = 300;

/// See the module.
#[derive(Debug)]
pub(crate) struct Words {
    dir: PathBuf,
}

impl Words {
    /// Begins a new file in `dir`; that of the run before stays beside it.
    pub(super) fn begin(dir: &Path) -> io::Result<Self> {
        let words = Self { dir: dir.to_owned() };
        if words.before().exists() {
            fs::remove_file(words.before())?;
        }
        if words.now().exists() {
            fs::rename(words.now(), words.last_run())?;
        }
        words.file()?;
        Ok(words)
    }

    /// The file of a run that goes on, if it has one.
    pub(super) fn open(dir: &Path) -> Option<Self> {
        let words = Self { dir: dir.to_owned() };
        words.now().exists().then_some(words)
    }

    /// An end for a process to write to. Everything is written at the end of the file, wherever that is by then.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        self.file().map(Stdio::from)
    }

    /// Keeps the file within its bound.
    pub(super) fn trim(&self) -> io::Result<()> {
        let mut file = File::open(self.now())?;
        let length = file.metadata()?.len();
        if length <= BYTES_MAX {
            return Ok(());
        }
        file.seek(SeekFrom::Start(length - KEPT))?;
        let mut kept = Vec::new();
        file.take(KEPT).read_to_end(&mut kept)?;
        fs::write(self.before(), kept)?;
        OpenOptions::new().write(true).open(self.now())?.set_len(0)
    }

    /// The last lines, without what is for terminals.
    pub(crate) fn tail(&self) -> Vec<String> {
        let mut bytes = end_of(&self.before());
        bytes.extend(end_of(&self.now()));
        let from = bytes.len().saturating_sub(TAIL_BYTES as usize);
        let text = String::from_utf8_lossy(&bytes[from..]);
        let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
    }

    fn file(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        // A game may say what is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.now())
    }

    fn now(&self) -> PathBuf {
        self.dir.join("game.log")
    }

    /// The end of what this run said until the file was begun anew.
    fn before(&self) -> PathBuf {
        self.dir.join("game.1.log")
    }

    fn last_run(&self) -> PathBuf {
        self.dir.join("game.last.log")
    }
}

fn end_of(path: &Path) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// A line without colours and other commands for a terminal (ECMA-48), at most so long.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // A sequence ends with the first letter of its alphabet; without `[` it is one more letter.
            if letters.next() == Some('[') {
                let _end = letters.by_ref().find(|letter| ('\u{40}'..='\u{7e}').contains(letter));
            }
        } else if letter == '\t' {
            plain.push(' ');
        } else if !letter.is_control() {
            plain.push(letter);
        }
        if plain.chars().count() == LINE_LETTERS {
            plain.push('…');
            break;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_a_game_says_is_bounded_and_its_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("game.log"), "of the run before\n").unwrap();
        let words = Words::begin(dir.path()).unwrap();
        assert!(words.tail().is_empty(), "a new run");
        let mut game = words.file().unwrap();
        let line = "x".repeat(99);
        for _ in 0..30_000 {
            writeln!(game, "{line}").unwrap();
        }
        writeln!(game, "\u{1b}[31mlast\twords\u{1b}[0m\r").unwrap();
        words.trim().unwrap();
        let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
        assert_eq!((size("game.log"), size("game.1.log")), (0, KEPT));
        assert_eq!(words.tail().last().map(String::as_str), Some("last words"));
        writeln!(game, "after that").unwrap();
        assert_eq!(size("game.log"), 11, "written at the new end");
        let tail = words.tail();
        assert_eq!(&tail[tail.len() - 2..], ["last words", "after that"]);
        assert!(tail.len() <= TAIL_LINES && tail.iter().all(|line| line.chars().count() <= LINE_LETTERS + 1));
    }
}
