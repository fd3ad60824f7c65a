//! A feed's bytes to news items: JSON Feed, RSS or Atom, whichever it is.
//!
//! Pure: no clock, no socket. Invariant: at most [`ITEMS_MAX`] items, every text plain and short, every address absolute and
//! allowed by [`links::allowed`].

use super::{Item, NewsCard, text};
use crate::links;
use feed_rs::{
    model::{Entry, Feed, FeedType, Text},
    parser,
};
use serde::Deserialize;
use std::collections::BTreeSet;
use url::Url;

/// Cards shown; a launcher's news column is no archive.
pub(crate) const ITEMS_MAX: usize = 20;
/// Characters of a title.
const TITLE_MAX: usize = 120;
/// Characters of a summary.
const SUMMARY_MAX: usize = 320;
/// Hexadecimal digits of a card's id, as many as tell twenty cards apart beyond doubt.
pub(crate) const ID_DIGITS: usize = 16;

/// Why bytes are not a feed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// A web page, as a captive portal sends it.
    #[error("a web page stands where the feed was expected")]
    Html,
    /// None of the three formats.
    #[error("the feed cannot be read: {0}")]
    Unreadable(#[from] parser::ParseFeedError),
}

/// Reads the feed at `base`. `content_type` is the server's word and only used to recognise a web page.
pub(crate) fn parse(bytes: &[u8], content_type: &str, base: &Url) -> Result<Vec<Item>, FeedError> {
    if looks_like_html(bytes, content_type) {
        return Err(FeedError::Html);
    }
    let feed = parser::Builder::new().base_uri(Some(base.as_str())).build().parse(bytes)?;
    let plain = feed.feed_type == FeedType::JSON;
    let pictures = if plain { json_pictures(bytes) } else { Vec::new() };
    Ok(items(feed, plain, &pictures, base))
}

/// The items in feed order, without repetitions.
fn items(feed: Feed, plain: bool, pictures: &[Option<String>], base: &Url) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    feed.entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let named = pictures.get(index).and_then(Option::as_deref);
            item(entry, plain, named, base)
        })
        .filter(|item| !item.card.title.is_empty() || !item.card.summary.is_empty())
        .filter(|item| seen.insert(item.card.id.clone()))
        .take(ITEMS_MAX)
        .collect()
}

fn item(entry: &Entry, plain: bool, named_picture: Option<&str>, base: &Url) -> Item {
    let body = entry.content.as_ref().and_then(|content| content.body.as_deref());
    let body_is_html =
        !plain || entry.content.as_ref().is_some_and(|content| content.content_type.subty() == "html");
    let read = |text: &Text, limit| render(&text.content, !plain, limit);
    let summary = match (&entry.summary, body) {
        (Some(summary), _) => read(summary, SUMMARY_MAX),
        (None, Some(body)) => render(body, body_is_html, SUMMARY_MAX),
        (None, None) => String::new(),
    };
    let link = entry
        .links
        .iter()
        .find(|link| link.media_type.is_none() && link.rel.as_deref().unwrap_or("alternate") == "alternate")
        .and_then(|link| address(base, &link.href));
    let date = entry.published.or(entry.updated);
    let card = NewsCard {
        id: id(&entry.id),
        title: entry.title.as_ref().map(|title| read(title, TITLE_MAX)).unwrap_or_default(),
        summary,
        published: date.map(|date| date.to_rfc3339()),
        image: None,
        link: link.is_some(),
    };
    Item { card, link, picture: picture(entry, named_picture, base) }
}

fn render(text: &str, html: bool, limit: usize) -> String {
    if html { text::from_html(text, limit) } else { text::from_plain(text, limit) }
}

/// A name for the card that is safe in a file name and in an address, whatever the feed calls it.
fn id(entry: &str) -> String {
    let mut digits = release::hash::sha256(entry.as_bytes()).to_string();
    digits.truncate(ID_DIGITS);
    digits
}

/// The first usable picture: what the feed names as one, an enclosure, the first in the text.
fn picture(entry: &Entry, named: Option<&str>, base: &Url) -> Option<Url> {
    let is_picture = |kind: &str| kind.starts_with("image/");
    let thumbnails = entry.media.iter().flat_map(|media| &media.thumbnails);
    let contents = entry.media.iter().flat_map(|media| &media.content);
    let from_media = thumbnails.map(|thumbnail| thumbnail.image.uri.clone()).chain(
        contents
            .filter(|content| content.content_type.as_ref().is_some_and(|kind| kind.ty() == "image"))
            .filter_map(|content| content.url.as_ref().map(Url::to_string)),
    );
    let from_links = entry
        .links
        .iter()
        .filter(|link| link.media_type.as_deref().is_some_and(is_picture))
        .map(|link| link.href.clone());
    let body = entry.content.as_ref().and_then(|content| content.body.as_deref());
    let summary = entry.summary.as_ref().map(|summary| summary.content.as_str());
    let from_text = || [body, summary].into_iter().flatten().find_map(text::first_picture);
    named
        .map(str::to_owned)
        .into_iter()
        .chain(from_media)
        .chain(from_links)
        .chain(std::iter::once_with(from_text).flatten())
        .find_map(|text| address(base, &text))
}

/// An absolute address the launcher may use; a page elsewhere may not point at this machine.
fn address(base: &Url, text: &str) -> Option<Url> {
    let url = base.join(text).ok()?;
    let may = links::allowed(&url) && (links::is_loopback(base) || !links::is_loopback(&url));
    may.then_some(url)
}

/// JSON Feed's `image` of each item, which the parser does not carry over.
fn json_pictures(bytes: &[u8]) -> Vec<Option<String>> {
    #[derive(Deserialize)]
    struct JsonFeed {
        items: Vec<JsonItem>,
    }
    #[derive(Deserialize)]
    struct JsonItem {
        image: Option<String>,
        banner_image: Option<String>,
    }
    let feed: Result<JsonFeed, _> = serde_json::from_slice(bytes);
    feed.map(|feed| feed.items.into_iter().map(|item| item.image.or(item.banner_image)).collect())
        .unwrap_or_default()
}

/// Whether this is a web page, by what the server says and by how it starts.
fn looks_like_html(bytes: &[u8], content_type: &str) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins =
        |what: &str| start.get(..what.len()).is_some_and(|head| head.eq_ignore_ascii_case(what.as_bytes()));
    let xml = begins("<?xml") || begins("<rss") || begins("<feed") || begins("<rdf");
    begins("<!doctype html")
        || begins("<html")
        || (content_type.starts_with("text/html") && !xml && !begins("{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://studio.example/news/feed").unwrap()
    }

    fn read(text: &str) -> Vec<Item> {
        parse(text.as_bytes(), "application/xml", &base()).unwrap()
    }

    #[test]
    fn json_feed_with_pictures() {
        let items = read(
            r#"{ "version": "https://jsonfeed.org/version/1.1", "title": "News", "items": [
                { "id": "a", "url": "/a", "title": "Fish & <chips>", "content_html": "<p>Hello <b>you</b></p>",
                  "image": "art/a.png", "date_published": "2026-01-02T03:04:05Z" },
                { "id": "b", "title": "Second", "content_text": "1 < 2", "url": "javascript:alert(1)" } ] }"#,
        );
        let [first, second] = &items[..] else { panic!("two items") };
        assert_eq!(first.card.title, "Fish & <chips>", "plain in this format");
        assert_eq!(first.card.summary, "Hello you");
        assert_eq!(first.card.published.as_deref(), Some("2026-01-02T03:04:05+00:00"));
        assert_eq!(first.link.as_ref().unwrap().as_str(), "https://studio.example/a");
        assert_eq!(first.picture.as_ref().unwrap().as_str(), "https://studio.example/news/art/a.png");
        assert_eq!(second.card.summary, "1 < 2");
        assert!(!second.card.link, "only web addresses are links");
    }

    #[test]
    fn rss_with_an_enclosure_and_markup() {
        let items = read(
            r#"<?xml version="1.0"?><rss version="2.0"><channel><title>N</title><link>https://studio.example</link>
            <description>d</description><item><title>One &amp;amp; two</title><link>https://studio.example/1</link>
            <guid>g1</guid><pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate>
            <description>&lt;p onclick="x()"&gt;Text&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</description>
            <enclosure url="https://cdn.example/1.jpg" length="10" type="image/jpeg"/></item></channel></rss>"#,
        );
        let [item] = &items[..] else { panic!("one item") };
        assert_eq!(item.card.title, "One & two");
        assert_eq!(item.card.summary, "Text");
        assert!(item.card.link && item.card.published.is_some());
        assert_eq!(item.picture.as_ref().unwrap().as_str(), "https://cdn.example/1.jpg");
    }

    #[test]
    fn atom_with_a_picture_in_the_text() {
        let items = read(
            r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>N</title><id>f</id><updated>2026-01-01T00:00:00Z</updated>
            <entry><id>e</id><title>T</title><updated>2026-01-01T00:00:00Z</updated><link href="page"/>
            <content type="html">&lt;img src="p.webp"&gt; Body</content></entry></feed>"#,
        );
        let [item] = &items[..] else { panic!("one item") };
        assert_eq!(item.card.summary, "Body");
        assert_eq!(item.link.as_ref().unwrap().as_str(), "https://studio.example/news/page");
        assert_eq!(item.picture.as_ref().unwrap().as_str(), "https://studio.example/news/p.webp");
    }

    #[test]
    fn a_web_page_is_called_one() {
        for page in ["<!DOCTYPE HTML><p>Log in</p>", " \n<html><body>Log in", "<p>Log in to the hotel</p>"] {
            let refused = parse(page.as_bytes(), "text/html; charset=utf-8", &base());
            assert!(matches!(refused, Err(FeedError::Html)), "{page}");
        }
        let other = parse(b"just words", "text/plain", &base());
        assert!(matches!(other, Err(FeedError::Unreadable(_))));
    }

    #[test]
    fn hostile_feeds_are_small_and_harmless() {
        let many: String =
            (0..500).map(|n| format!("<item><guid>{n}</guid><title>{n}</title></item>")).collect();
        let rss = |body: &str| {
            format!(
                "<rss version=\"2.0\"><channel><title>t</title><link>l</link><description>d</description>{body}</channel></rss>"
            )
        };
        assert_eq!(read(&rss(&many)).len(), ITEMS_MAX);

        let links = "<item><guid>x</guid><title>t</title><link>file:///etc/passwd</link>\
            <enclosure url=\"http://127.0.0.1:631/\" type=\"image/png\" length=\"1\"/></item>";
        let items = read(&rss(links));
        assert!(items[0].link.is_none() && items[0].picture.is_none());

        let same = "<item><guid>x</guid><title>a</title></item>".repeat(3);
        assert_eq!(read(&rss(&same)).len(), 1);

        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
        let text = rss("<item><guid>x</guid><title>&b;</title></item>");
        if let Ok(items) = parse(format!("{bomb}{text}").as_bytes(), "text/xml", &base()) {
            assert!(items.iter().all(|item| item.card.title.len() < 200));
        }
    }

    /// The parser below counts levels in sixteen bits and stops by a panic where overflow is checked; the desk takes that as an
    /// unreadable feed. What must not happen is an exhausted stack, which would end the launcher.
    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = "<a>".repeat(300_000);
        let item = format!("<item><guid>x</guid><title>{deep}</title></item>");
        let cases = [
            format!("<rss version=\"2.0\"><channel>{item}"),
            format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><content type=\"xhtml\">{deep}"),
            "[".repeat(1_000_000),
            format!("{{\"version\":{}", "[".repeat(900_000)),
        ];
        for text in cases {
            let read = std::panic::catch_unwind(|| parse(text.as_bytes(), "text/xml", &base()));
            assert!(!matches!(read, Ok(Ok(items)) if items.len() > ITEMS_MAX));
        }
    }
}
