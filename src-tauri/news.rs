//! The news column: a feed fetched, cleaned and kept in Rust; the window gets plain cards.
//!
//! Invariant: nothing waits for news. The last copy is shown at once, the fetch runs beside, and a slow, huge or hostile feed ends
//! at a bound with a failure that the window can name. The window opens links by card id only.

mod copy;
mod feed;
mod pictures;
mod text;
mod worker;

use crate::{failure::Failure, http::HttpError};
use copy::Store;
use engine::proxy::Proxy;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};
use tokio::sync::{mpsc, watch};
use ts_rs::TS;
use url::Url;
use worker::Worker;

/// One card, all of it plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct NewsCard {
    /// Sixteen hexadecimal digits.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    /// RFC 3339.
    pub(crate) published: Option<String>,
    /// The picture's address in the launcher's own scheme.
    pub(crate) image: Option<String>,
    /// Whether the card can be opened in the browser.
    pub(crate) link: bool,
}

/// How current the cards are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NewsState {
    /// Nothing yet.
    Loading,
    /// The server was asked and these are what it has.
    Fresh,
    /// The server was not reached, or not asked yet; the cards are from an earlier day.
    OfflineCopy,
    /// No cards and no server.
    Unavailable,
}

/// The news as the window shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub(crate) struct News {
    pub(crate) state: NewsState,
    /// When the server last confirmed these cards; RFC 3339.
    pub(crate) fetched: Option<String>,
    pub(crate) cards: Vec<NewsCard>,
    pub(crate) failure: Option<Failure>,
}

/// A card with what the window does not get to see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    card: NewsCard,
    link: Option<Url>,
    picture: Option<Url>,
}

/// The handle others hold: the last news, and a way to ask for newer ones.
#[derive(Clone, Debug)]
pub(crate) struct NewsDesk {
    news: watch::Receiver<News>,
    links: watch::Receiver<Links>,
    wake: mpsc::Sender<()>,
    store: Store,
}

/// Where each card leads, by its id.
type Links = BTreeMap<String, Url>;

impl NewsDesk {
    /// Starts the desk on the current runtime: it shows the copy in `cache`, then fetches. Without a feed there is never any news.
    /// They are asked for through the last proxy that `proxies` told.
    pub(crate) fn start(
        feed: Option<Url>,
        cache: PathBuf,
        proxies: watch::Receiver<Proxy>,
    ) -> Result<Self, HttpError> {
        let store = Store::new(cache);
        let state = if feed.is_some() { NewsState::Loading } else { NewsState::Unavailable };
        let (news_out, news) =
            watch::channel(News { state, fetched: None, cards: Vec::new(), failure: None });
        let (links_out, links) = watch::channel(Links::new());
        let (wake, woken) = mpsc::channel(1);
        if let Some(feed) = feed {
            let worker = Worker::new(feed, store.clone(), news_out, links_out, proxies)?;
            tokio::spawn(worker.run(woken));
        }
        Ok(Self { news, links, wake, store })
    }

    /// The news as they stand, and every later state.
    pub(crate) fn watch(&self) -> watch::Receiver<News> {
        self.news.clone()
    }

    /// The news as they stand. Asks the server again when the last time is a while ago.
    pub(crate) fn look(&self) -> News {
        // A full queue means that the desk is about to look anyway; a closed one that there is no feed.
        let _asked = self.wake.try_send(());
        self.news.borrow().clone()
    }

    /// Where a card leads.
    pub(crate) fn link(&self, id: &str) -> Option<Url> {
        self.links.borrow().get(id).cloned()
    }

    /// A card's picture with its content type. `id` comes from an address, so it is checked here.
    pub(crate) fn picture(&self, id: &str) -> Option<(&'static str, Vec<u8>)> {
        is_card_id(id).then(|| self.store.picture(id)).flatten()
    }
}

/// Whether `id` has the form every card's id has.
fn is_card_id(id: &str) -> bool {
    id.len() == feed::ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
