//! The `muster` command: publish a game, serve it, install it, keep it whole, and plain BitTorrent v2 besides.
//!
//! Each verb is a file of its own below `verb`. With `--json`, stdout carries JSON Lines for programs and nothing else;
//! everything for people goes to stderr.

mod connections;
mod error;
mod exit;
mod job;
mod origin;
mod output;
mod places;
mod rate;
mod signals;
mod transport;
mod verb;

use clap::{Parser, Subcommand, error::ErrorKind};
use error::CliError;
use output::Output;
use serde_json::{Map, Value};
use signals::Signals;
use std::{process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// What still runs when a verb is done is given up after so long.
const RUNTIME_END: Duration = Duration::from_millis(200);

/// Publishes games, serves them, and installs them from a swarm of players.
///
/// A studio signs releases into a repository, a plain folder that any web server can carry. Players' programs verify
/// every byte against that signature and pass what they have on to each other over BitTorrent v2.
#[derive(Debug, Parser)]
#[command(name = "muster", version, arg_required_else_help = true, after_long_help = EXAMPLES)]
struct Cli {
    /// Print JSON Lines on stdout: events while it runs, last a line with "t":"result"
    #[arg(long, global = true, display_order = 900)]
    json: bool,
    /// Say more on stderr (-v what happens, -vv every detail); MUSTER_LOG sets filters
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 901)]
    verbose: u8,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples, from nothing to an installed game on one machine:

  # Once: make the keys (keep them out of the repository!) and an empty signed repository
  muster keys init --repo ./repository --keys ./keys

  # Publish the folder ./build as version 1.0 of the game \"rocket\"
  muster publish ./build --repo ./repository --keys ./keys --game rocket --version 1.0

  # Serve it: files, tracker and seed (or copy ./repository to any web server)
  muster serve --repo ./repository --listen 0.0.0.0:8080

  # Look at it as a player's program does
  muster repo check https://games.example/rocket/ --as-client --root ./repository/metadata/1.root.json

  # Install, update, and pass on what is installed
  muster install https://games.example/rocket/ --game rocket --dir /games/rocket --limit-up 2MiB/s
  muster update /games/rocket
  muster seed /games/rocket

  # Daily, by a timer, on the machine that has the online key: signatures expire
  muster refresh --repo ./repository --keys ./keys

Exit codes: 0 done, 1 unexpected, 2 usage, 10 an update is available (check), 11 network, 12 signature or manifest
refused, 13 content damaged, 14 no space, 15 busy, 16 game running or files locked, 17 no permission, 19 clock or TLS,
20 unsupported, 21 partial (run again), 22 folder refused, 23 address in use, 24 torrent refused,
25 no file of this release, 26 nobody fetches it, 27 not within the time (wait), 28 a signing key is missing, revoked or
another one, 29 signatures run out soon (repo check --expires-within), 30 something is bad
(diagnose, brand check), 130/143 interrupted.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make, show, exchange and revoke signing keys
    #[command(subcommand)]
    Keys(verb::keys::Keys),
    /// Turn a build folder into a signed release
    Publish(verb::publish::Publish),
    /// Serve a repository: files, tracker, seed, figures
    Serve(verb::serve::Serve),
    /// At its hour, let players open a sealed release; or take it back
    Unlock(verb::unlock::Unlock),
    /// Look after a studio's brand
    #[command(subcommand)]
    Brand(verb::brand::Verb),
    /// Look after a repository
    #[command(subcommand)]
    Repo(verb::repo::Repo),
    /// Sign the repository's short-lived documents anew; run it daily
    Refresh(verb::refresh::Refresh),
    /// Install a game into a folder
    Install(verb::install::Install),
    /// Ask whether there is an update (exit code 10 when there is)
    Check(verb::check::Check),
    /// Bring an installed game to its channel's release
    Update(verb::update::Update),
    /// Have a sealed release before its hour
    Preload(verb::preload::Preload),
    /// Hash every file and say what is damaged; changes nothing
    Verify(verb::verify::Verify),
    /// Bring damaged and missing files back
    Repair(verb::repair::Repair),
    /// Remove a game: its own files and nothing else
    Uninstall(verb::uninstall::Uninstall),
    /// Pass an installed game on until interrupted
    Seed(verb::seed::Seed),
    /// Start an installed game and wait for it
    Play(verb::play::Play),
    /// Wait until a file of a game that is still coming is in place; it comes next
    Wait(verb::wait::Wait),
    /// Say what is installed in a folder; asks nobody
    Status(verb::status::Status),
    /// Look at network, servers, clock, tracker, port and folder (exit code 30 when something keeps a game from coming)
    Diagnose(verb::diagnose::Diagnose),
    /// Plain BitTorrent v2
    #[command(subcommand)]
    Torrent(verb::torrent::Torrent),
}

/// What every verb gets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) signals: Signals,
}

/// How a verb that did its work ended.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Fields of the result line.
    pub(crate) fields: Map<String, Value>,
    /// Exit code; only the verbs that judge something have another than 0.
    pub(crate) exit: u8,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    log_to_stderr(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CliError::new("INTERNAL", format!("the runtime does not start: {error}"));
            return ExitCode::from(Output::new(cli.json).end(Err(error)));
        }
    };
    let exit = runtime.block_on(run(cli));
    runtime.shutdown_timeout(RUNTIME_END);
    ExitCode::from(exit)
}

async fn run(cli: Cli) -> u8 {
    let output = Output::new(cli.json);
    let outcome = match Signals::listen() {
        Ok(signals) => {
            let context = Context { output: output.clone(), signals };
            cli.verb.run(&context).await
        }
        Err(error) => Err(CliError::new("INTERNAL", format!("signals cannot be caught: {error}"))),
    };
    output.end(outcome)
}

impl Verb {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Keys(verb) => verb.run(context).await,
            Self::Publish(verb) => verb.run(context).await,
            Self::Serve(verb) => verb.run(context).await,
            Self::Unlock(verb) => verb.run(context).await,
            Self::Repo(verb) => verb.run(context).await,
            Self::Refresh(verb) => verb.run(context).await,
            Self::Install(verb) => verb.run(context).await,
            Self::Check(verb) => verb.run(context).await,
            Self::Update(verb) => verb.run(context).await,
            Self::Preload(verb) => verb.run(context).await,
            Self::Verify(verb) => verb.run(context).await,
            Self::Repair(verb) => verb.run(context).await,
            Self::Uninstall(verb) => verb.run(context).await,
            Self::Seed(verb) => verb.run(context).await,
            Self::Play(verb) => verb.run(context).await,
            Self::Wait(verb) => verb.run(context).await,
            Self::Status(verb) => verb.run(context).await,
            Self::Brand(verb) => verb.run(context),
            Self::Diagnose(verb) => verb.run(context).await,
            Self::Torrent(verb) => verb.run(context).await,
        }
    }
}

/// Wrong words, or a question for help. The parser has not told us about `--json` then, so it is looked for.
fn usage(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    // A closed pipe is no reason to fail at saying why we fail.
    let _ = error.print();
    if !asked && std::env::args_os().any(|word| word == "--json") {
        let first = error.to_string().lines().next().unwrap_or_default().to_owned();
        let message = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
        Output::new(true).result(Err(&CliError::usage(message)));
    }
    ExitCode::from(error.exit_code().try_into().unwrap_or(2))
}

fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        // What fails a job is the result, which is said anyway.
        0 => "warn,engine::game::actor=error",
        1 => "warn,cli=info,engine=info,origin=info,publisher=info,store=info,swarm=info,trust=info",
        _ => "info,cli=debug,engine=debug,origin=debug,publisher=debug,store=debug,swarm=debug,trust=debug",
    };
    let filter = EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_are_consistent() {
        Cli::command().debug_assert();
    }
}
