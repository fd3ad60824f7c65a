//! The launcher's log: a few files of bounded size in the state folder.
//!
//! Invariant: at most [`FILES`] files of about [`FILE_MAX`] bytes each. Every line goes through the [`Redactor`] before it reaches the
//! disk, whoever wrote it; a log line that cannot be written is dropped, for there is nowhere left to say so.

use crate::redact::Redactor;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Read, Seek, SeekFrom, Write},
    panic,
    path::{Path, PathBuf},
    sync::Mutex,
};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Bytes of one file.
const FILE_MAX: u64 = 5 * 1024 * 1024;
/// The file being written and those before it.
const FILES: u32 = 5;
/// What is written unless `MUSTER_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,hyper=warn,reqwest=warn,zbus=warn,html5ever=error";

/// Starts the log in `dir`, with people's lines on stderr when somebody looks at it. Panics go into it too.
pub(crate) fn start(dir: &Path, filter: Option<&str>, redactor: Redactor) -> io::Result<()> {
    let filter = EnvFilter::new(filter.unwrap_or(DEFAULT_FILTER));
    let file = Mutex::new(Redacted { redactor, file: RollingFile::open(dir.to_owned())? });
    let to_file = fmt::layer().with_ansi(false).with_writer(file);
    let watched = io::stderr().is_terminal();
    let to_people = watched.then(|| fmt::layer().compact().with_writer(io::stderr).boxed());
    tracing_subscriber::registry().with(filter).with(to_file).with(to_people).init();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tracing::error!(%info, "a thread panicked");
        before(info);
    }));
    Ok(())
}

/// The last whole lines of a log file, at most `limit` bytes; `number` 0 is the one being written.
pub(crate) fn tail(dir: &Path, number: u32, limit: u64) -> io::Result<String> {
    let mut file = File::open(path(dir, number))?;
    let skipped = file.metadata()?.len().saturating_sub(limit);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = if skipped == 0 { Some(&*text) } else { text.split_once('\n').map(|(_, whole)| whole) };
    Ok(whole.unwrap_or_default().to_owned())
}

/// A log file that no secret reaches. A write is a whole event: the layer above writes none in parts.
#[derive(Debug)]
struct Redacted {
    redactor: Redactor,
    file: RollingFile,
}

impl Write for Redacted {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.file.write_all(self.redactor.line(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// `launcher.log`, with `launcher.1.log` and so on before it.
#[derive(Debug)]
struct RollingFile {
    dir: PathBuf,
    file: File,
    length: u64,
}

impl RollingFile {
    fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let file = OpenOptions::new().create(true).append(true).open(path(&dir, 0))?;
        let length = file.metadata()?.len();
        Ok(Self { dir, file, length })
    }

    /// Every file moves one number up, the last one goes.
    fn roll(&mut self) -> io::Result<()> {
        for number in (0..FILES - 1).rev() {
            match fs::rename(path(&self.dir, number), path(&self.dir, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        *self = Self::open(std::mem::take(&mut self.dir))?;
        Ok(())
    }
}

impl Write for RollingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length >= FILE_MAX {
            self.roll()?;
        }
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn path(dir: &Path, number: u32) -> PathBuf {
    match number {
        0 => dir.join("launcher.log"),
        _ => dir.join(format!("launcher.{number}.log")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_reaches_the_disk_and_the_end_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = RollingFile::open(dir.path().to_owned()).unwrap();
        let mut log = Redacted { redactor: Redactor::new(None), file };
        writeln!(log, "first").unwrap();
        writeln!(log, "from 203.0.113.9 with token=canary").unwrap();
        let written = fs::read_to_string(path(dir.path(), 0)).unwrap();
        assert_eq!(written, "first\nfrom [address] with token=[hidden]\n");
        assert_eq!(tail(dir.path(), 0, 1000).unwrap(), written);
        assert_eq!(tail(dir.path(), 0, 40).unwrap(), "from [address] with token=[hidden]\n");
        assert!(tail(dir.path(), 1, 45).is_err());
    }

    #[test]
    fn never_more_than_five_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = RollingFile::open(dir.path().join("logs")).unwrap();
        for round in 0..8 {
            log.length = FILE_MAX;
            writeln!(log, "round {round}").unwrap();
        }
        let names = fs::read_dir(dir.path().join("logs")).unwrap().count();
        assert_eq!(names, FILES as usize);
        let last = fs::read_to_string(path(&dir.path().join("logs"), 0)).unwrap();
        assert_eq!(last, "round 7\n");
    }
}
