//! A word on how many peers a torrent has at once.

use crate::Context;
use clap::Args;
use engine::session::{Connections, Session};
use serde_json::json;

/// See the module.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ConnectionWords {
    /// Peers to be connected to at once, 1 to 2000 [default: 80]
    #[arg(long, value_name = "N", value_parser = parse)]
    connections: Option<Connections>,
}

impl ConnectionWords {
    pub(crate) fn get(self) -> Connections {
        self.connections.unwrap_or_default()
    }
}

/// Says so when the system allows too few open files for as many peers as were asked for.
pub(crate) fn warn_of_few_files(context: &Context, session: &Session) {
    if session.open_files_are_few() {
        context.output.event("warning", json!({ "code": "OPEN_FILES_LOW" }));
        context
            .output
            .say("warning: the system allows too few open files for so many peers; see `ulimit -n`");
    }
}

/// # Errors
/// A sentence for the user.
fn parse(text: &str) -> Result<Connections, String> {
    let wrong = || format!("{text:?} is no number of peers: write 1 to {}", Connections::MAX);
    text.parse().ok().and_then(Connections::new).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_peers() {
        assert_eq!(parse("200").map(Connections::get), Ok(200));
        for wrong in ["", "0", "-1", "2001", "99999999", "many", "1.5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
