//! The desk against a server of its own: what a player sees, fresh, offline and under attack.

use super::*;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use futures_util::stream;
use std::{convert::Infallible, io::Cursor, path::Path};

const FEED: &str = r#"{ "version": "https://jsonfeed.org/version/1.1", "title": "News", "items": [
    { "id": "a", "url": "https://studio.example/a", "title": "First", "summary": "One", "image": "/a.png" },
    { "id": "b", "title": "Second", "image": "/missing.png" } ] }"#;

/// Serves `router` until the test ends.
async fn serve(router: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}/feed")).unwrap()
}

/// The first news that are not just the beginning.
async fn settled(desk: &NewsDesk, done: impl Fn(&News) -> bool) -> News {
    desk.watch().wait_for(|news| done(news)).await.unwrap().clone()
}

fn not_loading(news: &News) -> bool {
    news.state != NewsState::Loading
}

async fn news_from(router: Router, cache: &Path) -> News {
    let desk = NewsDesk::start(Some(serve(router).await), cache.to_owned(), directly()).unwrap();
    settled(&desk, not_loading).await
}

async fn feed_with_tag(headers: HeaderMap) -> impl IntoResponse {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"1\"");
    if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::ETAG, "\"1\"")], FEED).into_response()
    }
}

async fn picture() -> impl IntoResponse {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(1_000, 500).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn cards_first_then_pictures_then_the_copy_without_a_network() {
    let dir = tempfile::tempdir().unwrap();
    let router = Router::new().route("/feed", get(feed_with_tag)).route("/a.png", get(picture));
    let feed = serve(router).await;
    let desk = NewsDesk::start(Some(feed.clone()), dir.path().to_owned(), directly()).unwrap();
    let news = settled(&desk, |news| news.cards.iter().any(|card| card.image.is_some())).await;
    let [first, second] = &news.cards[..] else { panic!("two cards") };
    assert_eq!((first.title.as_str(), first.summary.as_str(), first.link), ("First", "One", true));
    assert_eq!(first.image.as_deref(), Some(format!("muster://news/{}", first.id).as_str()));
    assert!(second.image.is_none() && !second.link);
    assert_eq!(desk.link(&first.id).unwrap().as_str(), "https://studio.example/a");
    assert!(desk.link(&second.id).is_none() && desk.link("../../x").is_none());
    assert_eq!(desk.picture(&first.id).unwrap().0, "image/jpeg");
    assert!(desk.picture("../news.json").is_none());

    let again = NewsDesk::start(Some(feed.clone()), dir.path().to_owned(), directly()).unwrap();
    let unchanged = settled(&again, |news| news.state == NewsState::Fresh).await;
    assert_eq!(unchanged.cards, news.cards, "304 is the copy, with its pictures");

    // The same address, nobody there any more: port 1 of the loopback, with the copy moved over.
    let gone = Url::parse("http://127.0.0.1:1/feed").unwrap();
    let index = dir.path().join("news.json");
    let text = std::fs::read_to_string(&index).unwrap().replace(feed.as_str(), gone.as_str());
    std::fs::write(&index, text).unwrap();
    let offline = NewsDesk::start(Some(gone), dir.path().to_owned(), directly()).unwrap();
    let news = settled(&offline, not_loading).await;
    assert_eq!((news.state, news.cards.len()), (NewsState::OfflineCopy, 2));
    assert!(news.fetched.is_some());
    assert_eq!(news.failure.unwrap().code, "FEED_UNREACHABLE");
}

#[tokio::test]
async fn what_is_not_a_feed_has_a_name() {
    let html = || async { ([(header::CONTENT_TYPE, "text/html")], "<html>Welcome to our hotel</html>") };
    let words = || async { "just words" };
    let error = || async { (StatusCode::INTERNAL_SERVER_ERROR, FEED) };
    // Ten megabytes without a length, so that only counting finds out.
    let huge = || async {
        let chunk = || Ok::<_, Infallible>(vec![b' '; 64 * 1024]);
        Body::from_stream(stream::iter((0..160).map(move |_| chunk())))
    };
    let cases = [
        (Router::new().route("/feed", get(html)), "FEED_HTML"),
        (Router::new().route("/feed", get(words)), "FEED_UNREADABLE"),
        (Router::new().route("/feed", get(error)), "FEED_UNREACHABLE"),
        (Router::new().route("/feed", get(huge)), "FEED_TOO_BIG"),
    ];
    for (router, code) in cases {
        let dir = tempfile::tempdir().unwrap();
        let news = news_from(router, dir.path()).await;
        assert_eq!(news.state, NewsState::Unavailable, "{code}");
        assert_eq!(news.failure.unwrap().code, code);
        assert!(!dir.path().join("news.json").exists(), "nothing of it is kept");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_delays_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let silent = || async { std::future::pending::<&str>().await };
    let feed = serve(Router::new().route("/feed", get(silent))).await;
    let store = Store::new(dir.path().to_owned());
    let card = NewsCard { id: "0".repeat(16), title: "Old".into(), ..NewsCard::default() };
    let items = vec![Item { card, link: None, picture: None }];
    store.save(&copy::Copy::new(feed.clone(), chrono::Utc::now(), items)).unwrap();
    let desk = NewsDesk::start(Some(feed), dir.path().to_owned(), directly()).unwrap();
    let news = settled(&desk, |news| !news.cards.is_empty()).await;
    assert_eq!((news.state, news.cards[0].title.as_str()), (NewsState::Loading, "Old"));
}

#[tokio::test]
async fn redirects_stay_within_the_rule() {
    let away = || async { (StatusCode::FOUND, [(header::LOCATION, "http://studio.example/feed")]) };
    let dir = tempfile::tempdir().unwrap();
    let news = news_from(Router::new().route("/feed", get(away)), dir.path()).await;
    assert_eq!(news.failure.unwrap().code, "FEED_UNREACHABLE");
    let near = || async { (StatusCode::FOUND, [(header::LOCATION, "/real")]) };
    let router = Router::new().route("/feed", get(near)).route("/real", get(|| async { FEED }));
    let news = news_from(router, dir.path()).await;
    assert_eq!(news.cards.len(), 2);
}

#[tokio::test]
async fn a_brand_without_a_feed_has_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let desk = NewsDesk::start(None, dir.path().to_owned(), directly()).unwrap();
    let news = desk.look();
    assert_eq!((news.state, news.failure), (NewsState::Unavailable, None));
}

/// No proxy, whatever the system says.
fn directly() -> watch::Receiver<Proxy> {
    watch::channel(Proxy::None).1
}
