//! `muster check D`: is there an update?

use crate::{Context, Done, error::CliError, exit, job, output};
use clap::Args;
use engine::snapshot::{Action, Available, Way};
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
            Some(available) => context.output.say(sentence(&installed, available)),
            None => context.output.say(format!("{installed} is up to date")),
        }
        if let Some(offered) = &outcome.preload {
            context.output.say(super::preload::words(offered));
        }
        let mut done = job::done(&outcome);
        done.fields.insert("update_available".to_owned(), json!(update.is_some()));
        if update.is_some() {
            done.exit = exit::UPDATE_AVAILABLE;
        }
        Ok(done)
    }
}

fn sentence(installed: &str, available: &Available) -> String {
    let ways: Vec<String> = (available.alternatives.iter())
        .map(|other| format!("{} {}", output::bytes(other.bytes), words(other.way)))
        .collect();
    let others = if ways.is_empty() { String::new() } else { format!(" (instead of {})", ways.join(", ")) };
    let early = available.playable_bytes.filter(|bytes| *bytes < available.download_bytes);
    let early =
        early.map_or_else(String::new, |bytes| format!(", {} until it can be played", output::bytes(bytes)));
    format!(
        "{} is available, {installed} is installed: {} to download {}{early}{others}; {} of disk are needed",
        available.version,
        output::bytes(available.download_bytes),
        words(available.way),
        output::bytes(available.need_bytes),
    )
}

fn words(way: Way) -> &'static str {
    match way {
        Way::Full => "as a whole",
        Way::Blocks => "as changed files",
        Way::Patch => "as a patch",
    }
}
