//! `muster keys`: who may sign what, and how that changes. Private keys stay where they were made; a new root travels as a
//! file between the machines that have a root key.

mod init;
mod new;
mod root;
mod show;

use crate::{Context, Done, error::CliError, places};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use std::{
    io::{BufRead as _, Write as _},
    path::PathBuf,
};
use trust::ceremony::KeyRole;

/// Digits of a key's id that people are shown.
const ID_SHOWN: usize = 12;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make private keys, and an empty repository signed with them
    ///
    /// Three root keys (two have to sign), two keys for releases, one for the daily refresh. Carry the root keys off this
    /// machine after the first release; they are needed to replace other keys and once a year.
    Init(init::Init),
    /// Say who may sign what and until when, and which private keys are here
    Show(show::Show),
    /// Make one key, without a repository: a root key on the machine where it stays
    New(new::New),
    /// Prepare a root that gives a role new keys: targets, online, or both
    Rotate(root::Rotate),
    /// Prepare a root without a key: one that was stolen or lost
    Revoke(root::Revoke),
    /// The next root: prepared here, signed on each offline machine, published here
    #[command(subcommand)]
    Root(root::RootVerb),
}

/// A repository and the keys beside it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The repository
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The private keys [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
}

impl Keys {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Init(verb) => verb.run(context).await,
            Self::Show(verb) => verb.run(context).await,
            Self::New(verb) => verb.run(context).await,
            Self::Rotate(verb) => verb.run(context).await,
            Self::Revoke(verb) => verb.run(context).await,
            Self::Root(verb) => verb.run(context).await,
        }
    }
}

impl Place {
    fn folders(self) -> Result<(PathBuf, PathBuf), CliError> {
        Ok((self.repo, places::keys_dir(self.keys)?))
    }
}

/// Work on files, off the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, trust::EditError> + Send + 'static,
) -> Result<T, CliError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Asks a person at the terminal.
async fn agreed(context: &Context, question: &'static str) -> Result<bool, CliError> {
    let asking = tokio::task::spawn_blocking(move || {
        // A prompt that cannot be shown is answered by what can be read.
        let _ = write!(std::io::stderr(), "{question} [y/N] ").and_then(|()| std::io::stderr().flush());
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = asking => answer?.map_err(|error| CliError::new("CANCELLED", error.to_string()))?,
        signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
    };
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// As much of an id as people compare.
fn short(id: &str) -> &str {
    id.get(..ID_SHOWN).unwrap_or(id)
}

/// What a role's keys sign, for people.
fn purpose(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Root => "says which keys may sign what",
        KeyRole::Targets => "signs releases",
        KeyRole::Online => "signs snapshot and timestamp, daily",
    }
}
