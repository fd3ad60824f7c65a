//! F12: the launcher's news feed: JSON Feed, RSS or Atom from a web server to a handful of plain cards.

use crate::{input::Input, links};
use serde::{Deserialize, Serialize};
use url::Url;

#[path = "../../src-tauri/news/feed.rs"]
mod feed;
#[path = "../../src-tauri/news/text.rs"]
mod text;

/// As the launcher's `news` has it; a field more or less there does not compile here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewsCard {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) published: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) link: bool,
}

/// A card with its addresses, as the launcher's `news` has it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    card: NewsCard,
    link: Option<Url>,
    picture: Option<Url>,
}

/// The first byte says what the server calls it.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = match input.byte() % 4 {
        0 => "application/feed+json",
        1 => "application/xml",
        2 => "text/html; charset=utf-8",
        _ => "",
    };
    let base = Url::parse("https://studio.example/news/feed").unwrap();
    let Ok(items) = feed::parse(input.rest(), kind, &base) else { return };
    assert!(items.len() <= feed::ITEMS_MAX);
    items.iter().for_each(is_harmless);
    let mut ids: Vec<&str> = items.iter().map(|item| item.card.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), items.len(), "no card stands twice");
}

fn is_harmless(item: &Item) {
    let card = &item.card;
    assert!(card.id.len() == feed::ID_DIGITS && card.id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(card.title.chars().count() <= 120 && card.summary.chars().count() <= 320);
    for c in card.title.chars().chain(card.summary.chars()) {
        assert!(
            !c.is_control()
                && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
        );
    }
    assert_eq!(card.link, item.link.is_some());
    for url in [&item.link, &item.picture].into_iter().flatten() {
        assert!(links::allowed(url) && !links::is_loopback(url), "{url}");
    }
}
