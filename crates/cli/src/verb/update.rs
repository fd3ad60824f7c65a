//! `muster update D`: to the release that the channel names.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::Action;
use std::path::PathBuf;

/// Words of `update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    transfer: job::Transfer,
}

impl Update {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let opened = job::open(&self.dir, None, &self.transfer, false)?;
        let outcome = job::once(context, opened, Action::Update).await?;
        let verb = if outcome.changed { "updated to" } else { "up to date:" };
        context.output.say(job::sentence(verb, &outcome));
        Ok(job::done(&outcome))
    }
}
