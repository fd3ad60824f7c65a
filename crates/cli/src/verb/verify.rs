//! `muster verify D`: every file against the signed manifest; nothing is changed.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::Action;
use std::path::PathBuf;

/// Words of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
}

impl Verify {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let outcome = job::once(context, job::open_alone(&self.dir)?, Action::Verify).await?;
        if outcome.bad_files.is_empty() {
            let version = outcome.release.as_deref().unwrap_or_default();
            context.output.say(format!("every file is as {version} was published"));
            return Ok(job::done(&outcome));
        }
        for path in &outcome.bad_files {
            context.output.say(format!("  {path}"));
        }
        let message =
            format!("{} file(s) are damaged or missing: run `muster repair`", outcome.bad_files.len());
        Err(CliError::new("CONTENT_BAD", message).with_fields(job::fields(&outcome)))
    }
}
