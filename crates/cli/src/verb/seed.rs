//! `muster seed D`: an installed game passed on to other players, without a window.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::{Action, Phase};
use serde_json::{Map, json};
use std::path::PathBuf;

/// Words of `seed`.
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    transfer: job::Transfer,
}

impl Seed {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let opened = job::open(&self.dir, None, &self.transfer, true)?;
        let outcome = seed(context, &opened).await;
        let uploaded = opened.game.snapshot().borrow().uploaded_bytes;
        opened.close().await;
        outcome?;
        let fields = Map::from_iter([("uploaded_bytes".to_owned(), json!(uploaded))]);
        Ok(Done { fields, exit: 0 })
    }
}

async fn seed(context: &Context, opened: &job::Opened) -> Result<(), CliError> {
    let snapshot = tokio::select! {
        snapshot = opened.settled() => snapshot?,
        signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
    };
    match &snapshot.phase {
        Phase::Failed { failure } => Err(failure.clone().into()),
        Phase::Blocked { by } => Err(CliError::new("LOCKED", format!("the folder is in use by {by}"))),
        Phase::FolderMissing { dir } => Err(CliError::new("FOLDER_MISSING", format!("{dir} is not there"))),
        _ if snapshot.installed.is_none() => {
            Err(CliError::new("NOT_INSTALLED", "no game is installed in this folder"))
        }
        _ => {
            // The channel says where the trackers are; the game is passed on from here.
            opened.perform(context, Action::Retry).await?;
            opened.stay(context).await
        }
    }
}
