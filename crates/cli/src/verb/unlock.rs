//! `muster unlock`: the key of a sealed release is laid into the repository, or the release is taken back.

use crate::{Context, Done, error::CliError, places};
use chrono::Utc;
use clap::Args;
use publisher::{UnlockRequest, Unlocked};
use release::id::{ChannelName, GameId, Version};
use serde_json::Value;
use std::path::PathBuf;

/// Words of `unlock`.
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// The repository
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The game's id
    #[arg(long, value_name = "ID")]
    game: GameId,
    /// The sealed release, if it shall be no other
    #[arg(long, value_name = "V")]
    version: Option<Version>,
    /// The channel
    #[arg(long, default_value = "live")]
    channel: ChannelName,
    /// The private keys; only --withdraw needs them [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Where the release's own key waits [default: the folder unlock in the private keys]
    #[arg(long, value_name = "DIR")]
    unlock_key: Option<PathBuf>,
    /// Unlock although its hour has not come
    #[arg(long, conflicts_with = "withdraw")]
    now: bool,
    /// Take the sealed release back: nobody will ever open it
    #[arg(long)]
    withdraw: bool,
}

/// Where the keys of sealed releases wait unless the words say otherwise.
pub(crate) fn key_dir(given: Option<PathBuf>, keys: &std::path::Path) -> PathBuf {
    given.unwrap_or_else(|| keys.join("unlock"))
}

impl Unlock {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let keys_dir = places::keys_dir(self.keys)?;
        let request = UnlockRequest {
            repo_dir: self.repo,
            key_dir: key_dir(self.unlock_key, &keys_dir),
            keys_dir,
            game: self.game,
            channel: self.channel,
            version: self.version,
            before_its_hour: self.now,
            now: Utc::now(),
        };
        let withdraw = self.withdraw;
        let working = tokio::task::spawn_blocking(move || {
            if withdraw { publisher::withdraw(&request) } else { publisher::unlock(&request) }
        });
        let done = working.await??;
        context.output.say(words(&done));
        let fields = match serde_json::to_value(&done) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        Ok(Done { fields, exit: 0 })
    }
}

fn words(done: &Unlocked) -> String {
    match &done.file {
        Some(file) => format!(
            "{} is unlocked: {} is there. Upload it, and publish the build once more without --unlock, so that those who \
             come later find the release in the open",
            done.version,
            file.display()
        ),
        None => format!("{} is withdrawn; nobody will open what was preloaded of it", done.version),
    }
}
