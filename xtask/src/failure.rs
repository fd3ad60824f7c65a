//! Why a command of `xtask` stopped, in a sentence for the person who typed it.

use std::{fmt, io, path::PathBuf};

/// Why it stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Not a command we know.
    Usage,
    /// A program is missing or too old; `bring` is the one command that brings it.
    Missing { what: String, bring: String },
    /// A program ended badly.
    Ended { program: String, how: String },
    /// A program could not be started.
    NotStarted { program: String, source: io::Error },
    /// A file or folder could not be used.
    File { path: PathBuf, source: io::Error },
    /// A step of a longer run failed.
    Step { name: String, source: Box<Failure> },
    /// Something did not happen within its time.
    Late { what: String, seconds: u64 },
    /// A program answered something we did not expect.
    Unexpected { what: String },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => write!(f, "no such command"),
            Self::Missing { what, bring } => write!(f, "{what}. This brings it:\n\n    {bring}\n"),
            Self::Ended { program, how } => write!(f, "`{program}` {how}"),
            Self::NotStarted { program, source } => write!(f, "`{program}` could not be started: {source}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Step { name, source } => write!(f, "step “{name}” failed: {source}"),
            Self::Late { what, seconds } => write!(f, "{what} did not happen within {seconds} s"),
            Self::Unexpected { what } => write!(f, "{what}"),
        }
    }
}

/// Names the path in the error of a file call.
pub(crate) trait AtPath<T> {
    /// The same result, the error carrying `path`.
    fn at(self, path: impl Into<PathBuf>) -> Result<T, Failure>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T, Failure> {
        self.map_err(|source| Failure::File { path: path.into(), source })
    }
}
