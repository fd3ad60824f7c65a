//! The one task that asks the news server and says what came of it.
//!
//! Invariant: it owns the copy; what it publishes is the copy's cards with the server's last word on them. It never holds anyone up:
//! cards go out before their pictures are fetched.

use super::{
    Item, Links, News, NewsState,
    copy::{Copy, Store},
    feed::{self, FeedError},
    pictures,
};
use crate::{
    failure::{Code, Failure},
    http::{self, HttpError},
    protocol,
};
use chrono::{DateTime, Utc};
use engine::proxy::Proxy;
use futures_util::{StreamExt, stream};
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use url::Url;

/// Bytes of a feed; twenty cards are some ten kilobytes.
pub(super) const FEED_MAX: usize = 1024 * 1024;
/// From the request to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A look at the news asks the server again only after this time.
const REFRESH_AFTER: Duration = Duration::from_secs(10 * 60);
/// Pictures fetched side by side.
const PICTURES_AT_ONCE: usize = 4;

/// Why there is nothing fresh.
#[derive(Debug, thiserror::Error)]
enum NewsError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("reading the feed was interrupted")]
    Interrupted,
}

impl NewsError {
    fn failure(&self) -> Failure {
        let code = match self {
            Self::Http(HttpError::TooBig(_)) => Code::FeedTooBig,
            Self::Http(_) => Code::FeedUnreachable,
            Self::Feed(FeedError::Html) => Code::FeedHtml,
            Self::Feed(_) | Self::Interrupted => Code::FeedUnreadable,
        };
        code.failure(self.to_string())
    }
}

/// The task's state.
#[derive(Debug)]
pub(super) struct Worker {
    feed: Url,
    client: Client,
    store: Store,
    news: watch::Sender<News>,
    links: watch::Sender<Links>,
    proxies: watch::Receiver<Proxy>,
    copy: Option<Copy>,
}

impl Worker {
    pub(super) fn new(
        feed: Url,
        store: Store,
        news: watch::Sender<News>,
        links: watch::Sender<Links>,
        mut proxies: watch::Receiver<Proxy>,
    ) -> Result<Self, HttpError> {
        let client = http::client(TIMEOUT, true, &proxies.borrow_and_update())?;
        Ok(Self { feed, client, store, news, links, proxies, copy: None })
    }

    /// Shows the kept copy, asks the server, then asks again whenever somebody looks and the last answer is old. Ends with the desk.
    pub(super) async fn run(mut self, mut woken: mpsc::Receiver<()>) {
        self.copy = self.store.load(&self.feed);
        self.publish(NewsState::Loading, None);
        self.refresh().await;
        let mut asked = Instant::now();
        while woken.recv().await.is_some() {
            if asked.elapsed() >= REFRESH_AFTER || self.goes_another_way() {
                self.refresh().await;
                asked = Instant::now();
            }
        }
    }

    /// Whether the news are to be asked for through another proxy from now on.
    fn goes_another_way(&mut self) -> bool {
        if !self.proxies.has_changed().unwrap_or(false) {
            return false;
        }
        let client = http::client(TIMEOUT, true, &self.proxies.borrow_and_update());
        match client {
            Ok(client) => self.client = client,
            Err(error) => tracing::warn!(%error, "the news cannot be asked for through this proxy"),
        }
        true
    }

    /// One round: the feed, the cards, their pictures.
    async fn refresh(&mut self) {
        match self.fetch(Utc::now()).await {
            Ok(copy) => {
                self.copy = Some(copy);
                self.keep();
                self.publish(NewsState::Fresh, None);
                if self.fetch_pictures().await {
                    self.publish(NewsState::Fresh, None);
                }
            }
            Err(error) => {
                tracing::warn!(feed = %self.feed, %error, "no fresh news");
                let state = if self.copy.is_some() { NewsState::OfflineCopy } else { NewsState::Unavailable };
                self.publish(state, Some(error.failure()));
            }
        }
    }

    /// The feed as it is now; an unchanged one is the copy with a new date.
    async fn fetch(&self, now: DateTime<Utc>) -> Result<Copy, NewsError> {
        let mut request = self.client.get(self.feed.clone());
        if let Some(copy) = &self.copy {
            for (name, value) in [(IF_NONE_MATCH, &copy.etag), (IF_MODIFIED_SINCE, &copy.last_modified)] {
                request = value.iter().fold(request, |request, value| request.header(&name, value));
            }
        }
        let response = request.send().await.map_err(HttpError::from)?;
        if let (StatusCode::NOT_MODIFIED, Some(copy)) = (response.status(), &self.copy) {
            return Ok(Copy { fetched: now, ..copy.clone() });
        }
        self.read(response, now).await
    }

    async fn read(&self, response: Response, now: DateTime<Utc>) -> Result<Copy, NewsError> {
        if !response.status().is_success() {
            return Err(HttpError::Status(response.status().as_u16()).into());
        }
        let headers = response.headers();
        let etag = header(headers, &ETAG);
        let last_modified = header(headers, &LAST_MODIFIED);
        let content_type = header(headers, &CONTENT_TYPE).unwrap_or_default();
        let base = response.url().clone();
        let bytes = http::body(response, FEED_MAX).await?;
        let items = tokio::task::spawn_blocking(move || feed::parse(&bytes, &content_type, &base))
            .await
            .map_err(|_| NewsError::Interrupted)??;
        let copy = Copy::new(self.feed.clone(), now, items);
        Ok(Copy { etag, last_modified, ..copy })
    }

    /// Fetches the pictures that are not kept yet; says whether any came.
    async fn fetch_pictures(&self) -> bool {
        let wanted: Vec<(String, Url)> = self
            .items()
            .iter()
            .filter(|item| !self.store.has(&item.card.id))
            .filter_map(|item| Some((item.card.id.clone(), item.picture.clone()?)))
            .collect();
        let kept = stream::iter(wanted)
            .map(|(id, url)| async move { self.fetch_picture(&id, &url).await })
            .buffer_unordered(PICTURES_AT_ONCE)
            .filter(|kept| std::future::ready(*kept))
            .count()
            .await;
        kept > 0
    }

    async fn fetch_picture(&self, id: &str, url: &Url) -> bool {
        let picture = match pictures::fetch(&self.client, url).await {
            Ok(picture) => picture,
            Err(error) => {
                tracing::info!(%url, %error, "a news picture is left out");
                return false;
            }
        };
        let kept = self.store.keep(id, &picture);
        kept.inspect_err(|error| tracing::warn!(%error, "a news picture cannot be kept")).is_ok()
    }

    fn keep(&self) {
        if let Some(copy) = &self.copy
            && let Err(error) = self.store.save(copy)
        {
            tracing::warn!(%error, "the news cannot be kept for a day without a network");
        }
    }

    fn items(&self) -> &[Item] {
        self.copy.as_ref().map_or(&[], |copy| &copy.items)
    }

    fn publish(&self, state: NewsState, failure: Option<Failure>) {
        let cards = self.items().iter().map(|item| {
            let mut card = item.card.clone();
            card.image = self.store.has(&card.id).then(|| protocol::news_address(&card.id));
            card
        });
        let links = self.items().iter().filter_map(|item| Some((item.card.id.clone(), item.link.clone()?)));
        self.links.send_replace(links.collect());
        let fetched = self.copy.as_ref().map(|copy| copy.fetched.to_rfc3339());
        self.news.send_replace(News { state, fetched, cards: cards.collect(), failure });
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
