//! `muster keys new`: one key, made on the machine where it stays.

use super::{blocking, short};
use crate::{Context, Done, error::CliError, places};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use trust::ceremony;

/// Words of `keys new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Name of its files: NAME.key is the private half, NAME.pub the public one
    name: String,
    /// Where they are made; never inside a repository [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
}

impl New {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let keys = places::keys_dir(self.keys)?;
        let made = blocking(move || ceremony::new_key(&keys, &self.name)).await?;
        context.output.say(format!(
            "key {}\n  {}: the private half stays here\n  {}: carry it to whoever prepares the next root, who names it by\n    \
             muster keys root prepare --add root={}",
            short(&made.id),
            made.private.display(),
            made.public.display(),
            made.public.file_name().unwrap_or_default().to_string_lossy(),
        ));
        let mut done = Done::default();
        if let Value::Object(fields) =
            json!({ "key": made.id, "private": made.private, "public": made.public })
        {
            done.fields = fields;
        }
        Ok(done)
    }
}
