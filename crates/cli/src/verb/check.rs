//! `muster check D`: is there an update?

use crate::{Context, Done, error::CliError, exit, job, output};
use clap::Args;
use engine::snapshot::Action;
use serde_json::json;
use std::path::PathBuf;

/// Words of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
}

impl Check {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let outcome = job::once(context, job::open_alone(&self.dir)?, Action::Retry).await?;
        let installed = outcome.release.clone().unwrap_or_default();
        let update = outcome.available.as_ref().filter(|available| available.version != installed);
        match update {
            Some(available) => context.output.say(format!(
                "{} is available, {installed} is installed: at most {} to download",
                available.version,
                output::bytes(available.download_bytes)
            )),
            None => context.output.say(format!("{installed} is up to date")),
        }
        let mut done = job::done(&outcome);
        done.fields.insert("update_available".to_owned(), json!(update.is_some()));
        if update.is_some() {
            done.exit = exit::UPDATE_AVAILABLE;
        }
        Ok(done)
    }
}
