//! `muster install URL --game ID --dir D`: a game out of a repository into a folder of its own.

use crate::{Context, Done, error::CliError, job, places, transport::as_folder};
use clap::Args;
use engine::{
    game::{GameLink, Import, TrustedRoot},
    snapshot::Action,
};
use release::id::{ChannelName, GameId};
use serde_json::Value;
use std::path::{Path, PathBuf};
use url::Url;

/// Largest root that is read.
const ROOT_BYTES_MAX: u64 = 1024 * 1024;

/// Words of `install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The repository's URL
    url: Url,
    /// The game's id
    #[arg(long, value_name = "ID")]
    game: GameId,
    /// The folder that the game is installed into: empty, missing, this game's already, or with
    /// `--import` a copy that something else installed
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// The channel to follow
    #[arg(long, value_name = "C", default_value = "live")]
    channel: ChannelName,
    /// The repository's root, version 1, as its publisher gave it to you; without it, the root is taken over https or from
    /// this machine on first use and pinned
    #[arg(long, value_name = "ROOT.json")]
    root: Option<PathBuf>,
    /// D may hold a copy of the game that something else installed, of any version: what is right of it stays, the rest
    /// is brought, and what the release does not name is left alone
    #[arg(long)]
    import: bool,
    /// Another folder on this machine with a copy of the game, whole or not: it is only read; may be repeated
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    #[command(flatten)]
    transfer: job::Transfer,
    /// When it is installed, pass it on until interrupted
    #[arg(long)]
    stay: bool,
}

impl Install {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let root = match &self.root {
            Some(path) => TrustedRoot::Given(read_root(path)?),
            None => TrustedRoot::PinOnFirstUse,
        };
        let link = GameLink { repository: as_folder(self.url), game: self.game, channel: self.channel, root };
        let from = self.from.iter().map(|dir| readable(dir)).collect::<Result<_, _>>()?;
        let import = Import { in_place: self.import, from };
        let opened = job::open_importing(&self.dir, Some(link), &self.transfer, self.stay, import)?;
        let installed = opened.perform(context, Action::Install).await;
        let outcome = match installed {
            Ok(outcome) => outcome,
            Err(error) => {
                opened.close().await;
                return Err(error);
            }
        };
        if let Some(root) = &outcome.root_pinned_first_use {
            context.output.say(format!(
                "The repository's root was trusted on first use. Its SHA-256 is\n  {root}\nCompare it with what the \
                 publisher says; from now on only this root and its successors are believed."
            ));
        }
        context.output.say(job::sentence("installed", &outcome));
        if self.stay {
            context.output.event("complete", Value::Object(job::fields(&outcome)));
            opened.stay(context).await?;
        }
        opened.close().await;
        Ok(job::done(&outcome))
    }
}

/// A folder to take files from. One that is not there is a slip of the keyboard, not a copy that holds nothing.
fn readable(dir: &Path) -> Result<PathBuf, CliError> {
    let dir = places::absolute(dir)?;
    std::fs::read_dir(&dir).map_err(|error| CliError::file(&dir, &error))?;
    Ok(dir)
}

/// A root as its publisher gave it, bounded.
pub(super) fn read_root(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::file(path, &error);
    if path.metadata().map_err(failed)?.len() > ROOT_BYTES_MAX {
        return Err(CliError::new("ROOT_INVALID", format!("{}: too large to be a root", path.display())));
    }
    std::fs::read(path).map_err(failed)
}
