//! `muster diagnose D` and `muster diagnose URL --game ID`: what would keep a game from coming.

use super::install::read_root;
use crate::{Context, Done, error::CliError, exit, places, transport::as_folder};
use clap::Args;
use engine::{
    diagnose::{self, Question},
    game::{GameLink, TrustedRoot},
    session::{Session, SessionConfig},
    snapshot::{Diagnosis, Finding, Verdict},
};
use release::id::{ChannelName, GameId};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use url::Url;

/// Words of `diagnose`.
#[derive(Debug, Args)]
pub(crate) struct Diagnose {
    /// An installed game's folder, or a repository's URL
    #[arg(value_name = "D|URL")]
    place: String,
    /// The game's id, with a URL
    #[arg(long, value_name = "ID")]
    game: Option<GameId>,
    /// The channel, with a URL
    #[arg(long, value_name = "C", default_value = "live")]
    channel: ChannelName,
    /// The repository's root, version 1, with a URL; as with `install`
    #[arg(long, value_name = "ROOT.json")]
    root: Option<PathBuf>,
    /// No look at the local network
    #[arg(long)]
    no_lan: bool,
    /// Ask the router for a port, and see whether it gives one; it is given back
    #[arg(long)]
    map_port: bool,
}

impl Diagnose {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let session = Session::start(&SessionConfig {
            lan: !self.no_lan,
            port_mapping: self.map_port,
            ..SessionConfig::default()
        })?;
        let question = self.question()?;
        let diagnosis = tokio::select! {
            diagnosis = diagnose::run(question, &session) => Ok(diagnosis),
            signal = context.signals.wait() => Err(CliError::interrupted(signal)),
        };
        session.close().await;
        let diagnosis = diagnosis?;
        for finding in &diagnosis.findings {
            context.output.event("finding", json!(finding));
            context.output.say(line(finding));
        }
        Ok(done(&diagnosis))
    }

    fn question(self) -> Result<Question, CliError> {
        // A drive letter is no scheme: an address has `//`.
        let url = self.place.contains("://").then(|| Url::parse(&self.place)).transpose();
        let url = url.map_err(|error| CliError::usage(format!("{}: {error}", self.place)))?;
        let (link, dir) = match url {
            Some(url) => (Some(self.link(url)?), None),
            None => {
                let dir = places::absolute(Path::new(&self.place))?;
                (GameLink::of_folder(&dir), Some(dir))
            }
        };
        let title = link.as_ref().map(|link| link.game.to_string()).unwrap_or_default();
        Ok(Question { link, dir, title, state_dir: places::state_dir()?, places: places::of_user() })
    }

    fn link(self, url: Url) -> Result<GameLink, CliError> {
        let game = self.game.ok_or_else(|| CliError::usage("with a URL, --game says which game"))?;
        let root = match &self.root {
            Some(path) => TrustedRoot::Given(read_root(path)?),
            None => TrustedRoot::PinOnFirstUse,
        };
        Ok(GameLink { repository: as_folder(url), game, channel: self.channel, root })
    }
}

fn done(diagnosis: &Diagnosis) -> Done {
    let fields = Map::from_iter([
        ("at".to_owned(), json!(diagnosis.at)),
        ("verdict".to_owned(), json!(diagnosis.verdict)),
        ("findings".to_owned(), Value::from(diagnosis.findings.len())),
    ]);
    let exit = if diagnosis.verdict == Verdict::Bad { exit::SOMETHING_BAD } else { 0 };
    Done { fields, exit }
}

/// `bad   repository  https://… : …`
fn line(finding: &Finding) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let (verdict, check) = (word(json!(finding.verdict)), word(json!(finding.check)));
    let about = finding.about.as_ref().map(|about| format!("{about}: ")).unwrap_or_default();
    let took = finding.milliseconds.map(|milliseconds| format!(" ({milliseconds} ms)")).unwrap_or_default();
    format!("{verdict:<5} {check:<11} {about}{finding}{took}")
}
