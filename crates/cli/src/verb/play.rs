//! `muster play D`: the game's own program, checked just before; its exit status goes into the result.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::Action;
use std::path::PathBuf;

/// Words of `play`.
#[derive(Debug, Args)]
pub(crate) struct Play {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
}

impl Play {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let outcome = job::once(context, job::open_alone(&self.dir)?, Action::Play).await?;
        match outcome.exit_code {
            Some(0) => context.output.say("the game ended"),
            Some(code) => context.output.say(format!("the game ended with exit code {code}")),
            None => context.output.say("the game was ended by a signal"),
        }
        Ok(job::done(&outcome))
    }
}
