//! `muster keys show`: who may sign what, until when, and which private keys are here.

use super::{Place, blocking, day, moment, purpose, short};
use crate::{Context, Done, error::CliError, verb::refresh};
use chrono::Utc;
use clap::Args;
use serde_json::{Value, json};
use trust::ceremony::{self, Overview, RoleView};

/// Words of `keys show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let (repo, keys) = self.place.folders()?;
        let overview = blocking(move || ceremony::overview(&repo, &keys)).await?;
        context.output.say(words(&overview));
        let due = refresh::due(&overview.expiries, Utc::now());
        for warning in &due {
            context.output.say(format!("warning: {}", warning.words()));
        }
        let roles: Vec<Value> = overview.roles.iter().map(|role| role_json(&overview, role)).collect();
        let unnamed: Vec<Value> = (overview.unnamed.iter())
            .map(|held| json!({ "key": held.id, "file": held.path, "revoked": held.revoked }))
            .collect();
        let mut done = Done::default();
        if let Value::Object(fields) = json!({
            "root_version": overview.root_version,
            "root_sha256": overview.root_sha256,
            "roles": roles,
            "unnamed": unnamed,
            "warnings": due.iter().map(|warning| warning.code()).collect::<Vec<_>>(),
        }) {
            done.fields = fields;
        }
        Ok(done)
    }
}

fn role_json(overview: &Overview, role: &RoleView) -> Value {
    let keys: Vec<Value> = role.keys.iter().map(|(id, file)| json!({ "key": id, "file": file })).collect();
    json!({
        "role": role.role.name(),
        "threshold": role.threshold,
        "expires": moment(overview.expires(role.role)),
        "keys": keys,
    })
}

fn words(overview: &Overview) -> String {
    let mut words = format!(
        "root version {}, SHA-256 of what it says\n  {}",
        overview.root_version, overview.root_sha256
    );
    for role in &overview.roles {
        words += &format!(
            "\n{}: {}; {} of {} must sign; good until {}",
            role.role.name(),
            purpose(role.role),
            role.threshold,
            role.keys.len(),
            day(overview.expires(role.role)),
        );
        for (id, file) in &role.keys {
            let here = file.as_ref().map_or_else(|| "not here".to_owned(), |path| path.display().to_string());
            words += &format!("\n  {}  {here}", short(id));
        }
    }
    for held in &overview.unnamed {
        let why = if held.revoked { "revoked: it signs nothing any more" } else { "never named in a root" };
        words += &format!("\n  {}  {}: {why}", short(&held.id), held.path.display());
    }
    words
}
