//! `muster uninstall D`: the files of the manifest and our own state; whatever else lies there stays.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::Action;
use std::path::PathBuf;

/// Words of `uninstall`.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
}

impl Uninstall {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let outcome = job::once(context, job::open_alone(&self.dir)?, Action::Uninstall).await?;
        context.output.say(format!("removed the game from {}", self.dir.display()));
        for path in &outcome.left {
            context.output.say(format!("  left, because it is not the game's: {path}"));
        }
        Ok(job::done(&outcome))
    }
}
