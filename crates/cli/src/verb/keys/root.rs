//! `muster keys root`, `rotate` and `revoke`: the next root from its preparation to its publication.

use super::{Place, agreed, blocking, day, moment, purpose, short};
use crate::{Context, Done, error::CliError};
use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use trust::ceremony::{self, Change, Draft, KeyRole, PublicKey, Summary};

/// What to do with the next root.
#[derive(Debug, Subcommand)]
pub(crate) enum RootVerb {
    /// Make the next root as an unsigned file; without any change it only lives longer
    Prepare(Prepare),
    /// Say what a prepared root changes, and who has signed it; needs neither repository nor network
    Show(Show),
    /// Sign a prepared root with one root key; needs neither repository nor network
    Sign(Sign),
    /// Put a root that enough keys have signed into the repository
    Publish(Publish),
}

/// Where a prepared root goes, and how long it lives.
#[derive(Debug, Args)]
pub(crate) struct Out {
    /// The file that is made, to be carried to each root key [default: root-N.json in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Days until the next root expires
    #[arg(long, value_name = "DAYS", default_value_t = trust::limits::ROOT_LIFE_DAYS,
        value_parser = clap::value_parser!(i64).range(1..=3660))]
    days: i64,
}

/// Words of `keys root prepare`.
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    place: Place,
    /// Name a key for a role, by the public half that `keys new` made: root=alice-2.pub
    #[arg(long, value_name = "ROLE=FILE", value_parser = role_and_file)]
    add: Vec<(KeyRole, PathBuf)>,
    /// Take a key out, by the beginning of its id
    #[arg(long, value_name = "KEYID")]
    remove: Vec<String>,
    /// Give a role new keys, made in KEYS: targets or online
    #[arg(long, value_name = "ROLE", value_parser = role)]
    rotate: Vec<KeyRole>,
    #[command(flatten)]
    out: Out,
}

/// Words of `keys rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// targets or online
    #[arg(required = true, value_name = "ROLE", value_parser = role)]
    roles: Vec<KeyRole>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    out: Out,
}

/// Words of `keys revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key, by the beginning of its id, as `keys show` says it
    #[arg(required = true, value_name = "KEYID")]
    ids: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    out: Out,
}

/// Words of `keys root show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The prepared root
    file: PathBuf,
}

/// Words of `keys root sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The prepared root; the signature is added to it
    file: PathBuf,
    /// The private root key
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

/// Words of `keys root publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The signed root
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl RootVerb {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Prepare(verb) => verb.run(context).await,
            Self::Show(verb) => {
                let draft = blocking(move || Draft::read(&verb.file)).await?;
                let summary = draft.summary()?;
                context.output.say(words(&summary));
                Ok(Done { fields: fields(&summary), ..Done::default() })
            }
            Self::Sign(verb) => verb.run(context).await,
            Self::Publish(verb) => verb.run(context).await,
        }
    }
}

impl Prepare {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        let mut change = Change { remove: self.remove, rotate: self.rotate, ..Change::default() };
        for (role, file) in self.add {
            change.add.push((role, PublicKey::read(&file)?));
        }
        prepare(context, self.place, change, self.out).await
    }
}

impl Rotate {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let change = Change { rotate: self.roles, ..Change::default() };
        prepare(context, self.place, change, self.out).await
    }
}

impl Revoke {
    pub(super) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let change = Change { remove: self.ids, ..Change::default() };
        prepare(context, self.place, change, self.out).await
    }
}

async fn prepare(context: &Context, place: Place, mut change: Change, out: Out) -> Result<Done, CliError> {
    let (repo, keys) = place.folders()?;
    change.life_days = out.days;
    let (summary, file, made) = tokio::task::spawn_blocking(move || {
        let next = ceremony::overview(&repo, &keys)?.root_version + 1;
        let file = out.out.unwrap_or_else(|| PathBuf::from(format!("root-{next}.json")));
        refuse_existing(&file)?;
        let (draft, made) = ceremony::prepare(&repo, &keys, &change, Utc::now())?;
        draft.write(&file)?;
        Ok::<_, CliError>((draft.summary()?, file, made))
    })
    .await??;
    context.output.say(words(&summary));
    for key in &made {
        context.output.say(format!("  new: {}", key.display()));
    }
    context.output.say(format!(
        "{} is not signed yet. Carry it to each root key:\n  muster keys root sign {} --key ROOT.key",
        file.display(),
        file.display()
    ));
    let mut fields = fields(&summary);
    fields.insert("file".to_owned(), json!(file));
    fields.insert("new_keys".to_owned(), json!(made));
    Ok(Done { fields, ..Done::default() })
}

/// A draft may carry signatures already; it is never overwritten by another one.
fn refuse_existing(file: &Path) -> Result<(), CliError> {
    match file.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => {
            let message = format!("{} exists already: name another file with --out", file.display());
            Err(CliError::new("FILE_EXISTS", message))
        }
        Err(error) => Err(CliError::file(file, &error)),
    }
}

impl Sign {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        let file = self.file.clone();
        let mut draft = blocking(move || Draft::read(&file)).await?;
        context.output.say(words(&draft.summary()?));
        context
            .output
            .say("Compare the SHA-256 with whoever signs beside you, not by the same way the file came.");
        if !self.yes {
            if !context.output.can_ask() {
                return Err(CliError::usage("nobody is there to be asked: look at it, and say --yes"));
            }
            if !agreed(context, "Sign it?").await? {
                return Err(CliError::new("CANCELLED", "nothing was signed"));
            }
        }
        let (file, key) = (self.file.clone(), self.key);
        let (signature, summary) = blocking(move || {
            let signature = draft.sign(&key)?;
            if signature.added {
                draft.write(&file)?;
            }
            Ok((signature, draft.summary()?))
        })
        .await?;
        let did = if signature.added { "has signed" } else { "had signed already" };
        context.output.say(format!("key {} {did}; {}", short(&signature.key), missing(&summary)));
        let mut fields = fields(&summary);
        fields.insert("key".to_owned(), json!(signature.key));
        fields.insert("added".to_owned(), json!(signature.added));
        Ok(Done { fields, ..Done::default() })
    }
}

impl Publish {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        let (repo, keys) = self.place.folders()?;
        let file = self.file;
        let published = blocking(move || {
            let draft = Draft::read(&file)?;
            ceremony::publish(&repo, &keys, &draft, Utc::now())
        })
        .await?;
        let anew = match (published.targets_signed, published.online_signed) {
            (true, _) => "targets, snapshot and timestamp were signed anew",
            (false, true) => "snapshot and timestamp were signed anew",
            (false, false) => "nothing else had to be signed anew",
        };
        context.output.say(format!("root version {} is published; {anew}", published.version));
        if !published.seamless {
            context.output.say("the old keys were not here: upload all of metadata/ at once, or players are refused in between");
        }
        let mut done = Done::default();
        if let Value::Object(fields) = json!({
            "version": published.version,
            "sha256": published.sha256,
            "targets_signed": published.targets_signed,
            "online_signed": published.online_signed,
            "seamless": published.seamless,
        }) {
            done.fields = fields;
        }
        Ok(done)
    }
}

fn words(summary: &Summary) -> String {
    let mut words = format!(
        "root version {}, good until {} (version {}: until {})\n  SHA-256 of what is signed  {}\n  of the root before         {}",
        summary.version,
        day(summary.expires),
        summary.version - 1,
        day(summary.previous_expires),
        summary.sha256,
        summary.previous_sha256,
    );
    for role in &summary.roles {
        let all = role.kept.len() + role.added.len();
        let name = role.role.name();
        words += &format!("\n{name}: {}; {} of {all} must sign", purpose(role.role), role.threshold.1);
        if role.threshold.0 != role.threshold.1 {
            words += &format!(" (was {})", role.threshold.0);
        }
        let lists = [(" ", &role.kept), ("+", &role.added), ("-", &role.removed)];
        for (mark, id) in lists.iter().flat_map(|(mark, ids)| ids.iter().map(move |id| (mark, id))) {
            words += &format!("\n {mark} {}", short(id));
        }
    }
    let scarce = |role: &ceremony::RoleChange| {
        let all = (role.kept.len() + role.added.len()) as u64;
        role.role == KeyRole::Root && role.threshold.1 > 1 && all == role.threshold.1
    };
    if summary.roles.iter().any(scarce) {
        words += "\nno root key to spare: if one more is lost, the repository can never have another root";
    }
    if summary.roles.iter().all(|role| !role.is_change()) {
        words += "\nno key changes";
    }
    for id in &summary.signed_by {
        words += &format!("\nsigned by {}", short(id));
    }
    words + "\n" + &missing(summary)
}

fn missing(summary: &Summary) -> String {
    match (summary.old_missing, summary.new_missing) {
        (0, 0) => "enough keys have signed: muster keys root publish".to_owned(),
        (old, new) => format!(
            "still to sign: {old} of the present root's keys, {new} of the next one's (a key of both counts for both)"
        ),
    }
}

fn fields(summary: &Summary) -> Map<String, Value> {
    let roles: Vec<Value> = (summary.roles.iter())
        .map(|role| {
            json!({
                "role": role.role.name(),
                "threshold": role.threshold.1,
                "kept": role.kept,
                "added": role.added,
                "removed": role.removed,
            })
        })
        .collect();
    let fields = json!({
        "version": summary.version,
        "sha256": summary.sha256,
        "previous_sha256": summary.previous_sha256,
        "expires": moment(summary.expires),
        "roles": roles,
        "signed_by": summary.signed_by,
        "old_missing": summary.old_missing,
        "new_missing": summary.new_missing,
    });
    if let Value::Object(fields) = fields { fields } else { Map::new() }
}

fn role(text: &str) -> Result<KeyRole, String> {
    KeyRole::named(text).ok_or_else(|| format!("{text:?} is no role: write root, targets or online"))
}

fn role_and_file(text: &str) -> Result<(KeyRole, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or_else(|| format!("{text:?}: write ROLE=FILE"))?;
    Ok((role(name)?, PathBuf::from(file)))
}
