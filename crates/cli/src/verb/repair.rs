//! `muster repair D`: what is damaged or missing is fetched again, and only that.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::Action;
use std::path::PathBuf;

/// Words of `repair`.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    transfer: job::Transfer,
}

impl Repair {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let opened = job::open(&self.dir, None, &self.transfer, false)?;
        let outcome = job::once(context, opened, Action::Repair).await?;
        for path in &outcome.bad_files {
            context.output.say(format!("  brought back: {path}"));
        }
        context.output.say(job::sentence("whole again:", &outcome));
        Ok(job::done(&outcome))
    }
}
