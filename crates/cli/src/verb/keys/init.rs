//! `muster keys init`: the private keys of a studio, and an empty repository signed with them.

use crate::{Context, Done, error::CliError, places};
use chrono::Utc;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use trust::keys::{self as trust_keys, InitOptions, InitReport};

/// Words of `keys init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where the repository is made; this folder is what will be uploaded
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// Where the private keys are made; never inside the repository [default: in this user's configuration folder]
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    /// Throw-away keys for trying things out: one of each, no questions
    #[arg(long)]
    demo: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

impl Init {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let keys = places::keys_dir(self.keys)?;
        if !self.demo && !self.yes && context.output.can_ask() && !agreed(context, &keys, &self.repo).await? {
            return Err(CliError::new("CANCELLED", "nothing was made"));
        }
        let (keys_dir, repo, demo) = (keys.clone(), self.repo.clone(), self.demo);
        let making = tokio::task::spawn_blocking(move || {
            trust_keys::init(&keys_dir, &repo, InitOptions { demo }, Utc::now())
        });
        let report = making.await??;
        context.output.say(words(&report, &keys, &self.repo, demo));
        let mut done = Done::default();
        if let Value::Object(fields) = json!({
            "repository": self.repo,
            "keys": keys,
            "root_sha256": report.root_sha256,
            "root_keys": report.root_keys,
            "targets_keys": report.targets_keys,
            "online_key": report.online_key,
        }) {
            done.fields = fields;
        }
        Ok(done)
    }
}

/// Tells what is about to happen, and asks.
async fn agreed(context: &Context, keys: &Path, repo: &Path) -> Result<bool, CliError> {
    context.output.say(format!(
        "This makes the identity of your studio:\n  private keys in  {}\n  a repository in  {}\n\n\
         Players' programs believe what is signed with these keys, and nothing else. Who has them can publish in your\n\
         name; if they are lost, your players cannot be given updates. They are not protected by a password: keep the\n\
         folder private, and back it up.",
        keys.display(),
        repo.display()
    ));
    super::agreed(context, "Make them?").await
}

fn words(report: &InitReport, keys: &Path, repo: &Path, demo: bool) -> String {
    let mut words = format!(
        "The repository is {}, its root's SHA-256 is\n  {}\nPrivate keys are in {}.\n",
        repo.display(),
        report.root_sha256,
        keys.display()
    );
    if demo {
        words += "These keys are for trying things out: one of each, and nothing to carry away.";
        return words;
    }
    let name =
        |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = |paths: &[PathBuf]| paths.iter().map(name).collect::<Vec<_>>().join(", ");
    words += &format!(
        "  {}: after your first release, move each to a place of its own, off this machine\n  \
         {}: whoever publishes needs one of them\n  {}: stays with the machine that runs `muster refresh` daily\n\
         Players get {} with your launcher, or as --root of `muster install`.",
        names(&report.root_keys),
        names(&report.targets_keys),
        name(&report.online_key),
        repo.join("metadata").join("1.root.json").display()
    );
    words
}
