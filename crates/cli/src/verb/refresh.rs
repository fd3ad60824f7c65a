//! `muster refresh`: the short-lived signatures made anew, by a timer.

use crate::{Context, Done, error::CliError, places};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use trust::{EditError, Editor, Expiries, limits};

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
        // That it warns is no failure: what stands behind it in a script, the upload, must still happen.
        let expiries = refreshing.await??;
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (timestamp, root) = (text(expiries.timestamp), text(expiries.root));
        context.output.say(format!("refreshed: good until {timestamp}; the root needs its keys by {root}"));
        let due = due(&expiries, Utc::now());
        for warning in &due {
            context.output.say(format!("warning: {}", warning.words()));
        }
        let mut done = Done::default();
        if let Value::Object(fields) = json!({
            "expires": {
                "root": root,
                "targets": text(expiries.targets),
                "snapshot": text(expiries.snapshot),
                "timestamp": timestamp,
            },
            "warnings": due.iter().map(Due::code).collect::<Vec<_>>(),
        }) {
            done.fields = fields;
        }
        Ok(done)
    }
}

/// Signatures that `refresh` does not renew and that run out soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Root(DateTime<Utc>),
    Targets(DateTime<Utc>),
}

impl Due {
    /// Stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Root(_) => "ROOT_EXPIRES_SOON",
            Self::Targets(_) => "TARGETS_EXPIRE_SOON",
        }
    }

    /// What to do, and who must.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Root(at) => format!(
                "the root runs out on {}: prepare the next one (`muster keys root prepare`) and have it signed by the \
                 holders of the root keys",
                at.format("%Y-%m-%d")
            ),
            Self::Targets(at) => format!(
                "the list of releases runs out on {}: whoever has a targets key runs `muster refresh` with it, or publishes",
                at.format("%Y-%m-%d")
            ),
        }
    }
}

/// Who must act soon.
pub(crate) fn due(expiries: &Expiries, now: DateTime<Utc>) -> Vec<Due> {
    let soon = |at: DateTime<Utc>, days| at - now < TimeDelta::days(days);
    let root = soon(expiries.root, limits::ROOT_WARN_DAYS).then_some(Due::Root(expiries.root));
    let targets = soon(expiries.targets, limits::TARGETS_WARN_DAYS).then_some(Due::Targets(expiries.targets));
    root.into_iter().chain(targets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must_act_is_said_in_time() {
        let now = Utc::now();
        let at = |days| now + TimeDelta::days(days);
        let of = |root, targets| {
            let expiries =
                Expiries { root: at(root), targets: at(targets), snapshot: at(30), timestamp: at(14) };
            due(&expiries, now).iter().map(Due::code).collect::<Vec<_>>()
        };
        assert!(of(61, 26).is_empty());
        assert_eq!(of(59, 26), ["ROOT_EXPIRES_SOON"]);
        assert_eq!(of(-1, 24), ["ROOT_EXPIRES_SOON", "TARGETS_EXPIRE_SOON"]);
    }
}
