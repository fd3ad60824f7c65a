//! `muster refresh`: the short-lived signatures made anew, by a timer.

use crate::{Context, Done, error::CliError, places};
use chrono::{SecondsFormat, Utc};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use trust::{EditError, Editor, Expiries};

/// Words of `refresh`.
#[derive(Debug, Args)]
pub(crate) struct Refresh {
    /// The repository
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The private keys; the online key is enough [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
}

impl Refresh {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let keys = places::keys_dir(self.keys)?;
        let refreshing = tokio::task::spawn_blocking(move || -> Result<Expiries, EditError> {
            let mut editor = Editor::open(&self.repo, &keys)?;
            editor.refresh(Utc::now())?;
            Ok(editor.expiries())
        });
        let expiries = refreshing.await??;
        let text = |at: chrono::DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (timestamp, root) = (text(expiries.timestamp), text(expiries.root));
        context.output.say(format!("refreshed: good until {timestamp}; the root needs its keys by {root}"));
        let mut done = Done::default();
        if let Value::Object(fields) = json!({
            "expires": {
                "root": root,
                "targets": text(expiries.targets),
                "snapshot": text(expiries.snapshot),
                "timestamp": timestamp,
            },
        }) {
            done.fields = fields;
        }
        Ok(done)
    }
}
