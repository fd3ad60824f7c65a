//! `muster serve`: the embedded origin.

use crate::{Context, Done, error::CliError};
use clap::Args;
use origin::ServeConfig;
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf};

/// Words of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The repository
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// Where to listen; port 0 takes any free one. Plain HTTP: put a web server in front for https
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the seed listens for peers [default: the same address, any free port]
    #[arg(long, value_name = "ADDR")]
    peer_listen: Option<SocketAddr>,
    /// No tracker at <URL>/announce
    #[arg(long)]
    no_tracker: bool,
    /// No seed: files only over HTTP
    #[arg(long)]
    no_seed: bool,
}

impl Serve {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let config = ServeConfig {
            peer_listen: self.peer_listen,
            tracker: !self.no_tracker,
            seed: !self.no_seed,
            ..ServeConfig::new(self.repo, self.listen)
        };
        let serving = tokio::select! {
            serving = origin::serve(config) => serving?,
            signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
        };
        context.output.event(
            "ready",
            json!({
                "url": serving.url().as_str(),
                "tracker": serving.tracker().map(|url| url.as_str()),
                "tracker_udp": serving.tracker_udp().map(|url| url.as_str()),
                "peer": serving.peer().map(|peer| peer.to_string()),
            }),
        );
        let mut words = format!("serving {}\n  figures  {}metrics", serving.url(), serving.url());
        for tracker in serving.tracker().into_iter().chain(serving.tracker_udp()) {
            words += &format!("\n  tracker  {tracker}");
        }
        if let Some(peer) = serving.peer() {
            words += &format!("\n  seed     {peer}");
        }
        context.output.say(words + "\nCtrl-C ends");
        context.signals.wait().await;
        serving.shutdown().await;
        Ok(Done::default())
    }
}
