//! `muster status D`: what stands in a folder. Nobody is asked over the network.

use crate::{Context, Done, error::CliError, job};
use clap::Args;
use engine::snapshot::{Phase, Snapshot};
use serde_json::{Map, json};
use std::path::PathBuf;

/// Words of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The game folder
    #[arg(value_name = "D")]
    dir: PathBuf,
}

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let opened = job::open_alone(&self.dir)?;
        let settled = tokio::select! {
            settled = opened.settled() => settled,
            signal = context.signals.wait() => Err(CliError::interrupted(signal)),
        };
        opened.close().await;
        let snapshot = settled?;
        if let Phase::Failed { failure } = snapshot.phase {
            return Err(failure.into());
        }
        context.output.say(words(&snapshot));
        let fields = Map::from_iter([
            ("release".to_owned(), json!(snapshot.installed)),
            ("snapshot".to_owned(), json!(snapshot)),
        ]);
        Ok(Done { fields, exit: 0 })
    }
}

fn words(snapshot: &Snapshot) -> String {
    let game = &snapshot.game;
    let mut words = match &snapshot.installed {
        Some(version) => format!("{} {version} (channel {}) in {}", game.title, game.channel, game.dir),
        None => format!("no game is installed in {}", game.dir),
    };
    if !matches!(snapshot.phase, Phase::Ready | Phase::NotInstalled) {
        words += &format!("\nnow: {}", job::phase_word(&snapshot.phase));
    }
    for path in &snapshot.repair_offered {
        words += &format!("\nchanged since it was installed: {path}");
    }
    words
}
