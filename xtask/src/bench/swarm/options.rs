//! The words after `bench swarm`.

use super::client::Client;
use crate::failure::Failure;
use std::path::PathBuf;

/// What shall be measured.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// Name the rows and end.
    pub(super) list: bool,
    /// Forget earlier runs of the rows chosen.
    pub(super) fresh: bool,
    /// Only these rows; a name that ends in `*` means all that begin so.
    rows: Vec<String>,
    /// Only these clients.
    clients: Vec<Client>,
    /// So many runs instead of the row's own number.
    pub(super) runs: Option<usize>,
    /// Do not wait for a calm machine.
    pub(super) no_wait: bool,
    /// This `muster` instead of the release build, and no set-up.
    pub(super) muster: Option<PathBuf>,
}

impl Options {
    pub(super) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|word| (*word).to_owned()).ok_or(Failure::Usage);
            match *word {
                "--list" => options.list = true,
                "--no-wait" => options.no_wait = true,
                "--fresh" => options.fresh = true,
                "--row" => options.rows.push(value()?),
                "--client" => options.clients.push(Client::named(&value()?)?),
                "--runs" => options.runs = Some(value()?.parse().map_err(|_| Failure::Usage)?),
                "--muster" => options.muster = Some(PathBuf::from(value()?)),
                _ => return Err(Failure::Usage),
            }
        }
        Ok(options)
    }

    pub(super) fn wants_row(&self, name: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => wanted == name,
        };
        self.rows.is_empty() || self.rows.iter().any(fits)
    }

    pub(super) fn wants_client(&self, client: Client) -> bool {
        self.clients.is_empty() || self.clients.contains(&client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_name_or_beginning() {
        let options = Options::parse(&["--row", "seed-*", "--row", "http-8", "--client", "ours"]).ok();
        let options = options.unwrap_or_default();
        assert!(options.wants_row("seed-16") && options.wants_row("http-8") && !options.wants_row("http-16"));
        assert!(options.wants_client(Client::Ours) && !options.wants_client(Client::LibtorrentTuned));
        assert!(Options::parse(&["--runs"]).is_err());
    }
}
