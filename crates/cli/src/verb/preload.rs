//! `muster preload D`: the next release before its hour.

use crate::{Context, Done, error::CliError, job, output};
use clap::Args;
use engine::{
    game::Outcome,
    snapshot::{Action, Phase, Preload as Offered, PreloadState},
};
use serde_json::Value;
use std::path::PathBuf;

/// Words of `preload`.
#[derive(Debug, Args)]
pub(crate) struct Preload {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    transfer: job::Transfer,
    /// Pass it on until its hour, then unlock it and make it the release that stands
    #[arg(long)]
    wait: bool,
}

impl Preload {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        if !self.wait {
            let opened = job::open(&self.dir, None, &self.transfer, false)?;
            let outcome = job::once(context, opened, Action::Preload).await?;
            context.output.say(sentence(&outcome));
            return Ok(job::done(&outcome));
        }
        let opened = job::open_until_its_hour(&self.dir, &self.transfer)?;
        let waited = wait(context, &opened).await;
        opened.close().await;
        waited
    }
}

async fn wait(context: &Context, opened: &job::Opened) -> Result<Done, CliError> {
    let outcome = opened.perform(context, Action::Preload).await?;
    context.output.say(sentence(&outcome));
    let Some(offered) = &outcome.preload else { return Ok(job::done(&outcome)) };
    context.output.event("preloaded", Value::Object(job::fields(&outcome)));
    let mut snapshot = opened.game.snapshot();
    let stands = snapshot.wait_for(|snapshot| {
        snapshot.installed.as_ref() == Some(&offered.version)
            || matches!(snapshot.phase, Phase::Failed { .. })
    });
    let phase = tokio::select! {
        stands = stands => stands.map_err(|_| CliError::new("CLOSED", "the game was closed"))?.phase.clone(),
        signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
    };
    if let Phase::Failed { failure } = phase {
        return Err(failure.into());
    }
    let release = Some(offered.version.clone());
    context.output.say(format!("{} is unlocked and stands", offered.version));
    Ok(job::done(&Outcome { release, changed: true, preload: None, ..outcome }))
}

fn sentence(outcome: &Outcome) -> String {
    match &outcome.preload {
        None => "there is nothing to preload".to_owned(),
        Some(offered) => words(offered),
    }
}

/// A preload in words.
pub(crate) fn words(offered: &Offered) -> String {
    let Offered { version, unlock, .. } = offered;
    match offered.state {
        PreloadState::Preloaded | PreloadState::Waiting => {
            format!("{version} is preloaded and unlocks at {unlock}")
        }
        PreloadState::Unlocking => format!("{version} is being unlocked"),
        PreloadState::Offered | PreloadState::Preloading | PreloadState::Held => format!(
            "{version} can be preloaded: {} of {} are here; {} of disk are needed; it unlocks at {unlock}",
            output::bytes(offered.have_bytes),
            output::bytes(offered.bytes),
            output::bytes(offered.need_bytes),
        ),
    }
}
