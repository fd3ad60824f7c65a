//! The origin: pieces over HTTP from the publisher's servers.
//!
//! Two ways: our content store (`content/<pieces root>.zst`, zstd frames with a seek table) and a plain
//! web seed (BEP 19). Nothing that comes is believed: the core checks every block's leaf.
//!
//! What the core asks for waits here until a source has a lane free; neighbours then travel as one range. Sources are
//! ranked by what they give; one that fails rests while the others go on.

pub(super) mod answer;
mod blame;
mod body;
mod dispatch;
pub(super) mod error;
pub(super) mod frames;
mod lane;
mod mirrors;
mod queue;
mod redirect;
mod run;
mod spread;
mod steps;
#[cfg(test)]
mod tests;
mod usage;

use super::{happening::Happening, limiter::Scope};
use crate::proxy::Proxy;
pub(crate) use body::Patience;
use dispatch::Dispatch;
use lane::{Gauge, Ground};
use mirrors::Figures;
pub(crate) use queue::Fetch;
use release::layout::Layout;
use reqwest::Client;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
pub use usage::OriginUse;

/// One place that has the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginSource {
    /// Our content store; the URL ends in `/`.
    Content(Url),
    /// A plain web seed (BEP 19). For a URL that ends in `/`, torrent name and path are appended.
    WebSeed {
        /// The URL of the `url-list`.
        url: Url,
        /// The torrent's name.
        name: String,
        /// The torrent is a single file that bears its name.
        single_file: bool,
    },
}

impl OriginSource {
    /// Its URL, for people.
    #[must_use]
    pub fn url(&self) -> &Url {
        match self {
            Self::Content(url) | Self::WebSeed { url, .. } => url,
        }
    }
}

/// How one source is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginStatus {
    /// Its URL.
    pub url: String,
    /// The last request went well, or none was made.
    pub ok: bool,
    /// The last failure in words, empty when well.
    pub detail: String,
    /// Bytes per second that it gives now; zero while nothing is asked of it.
    pub rate_bytes_per_second: u64,
    /// Bytes per second that it was measured to give, also while it is not in use; `None` before it was used.
    pub measured_bytes_per_second: Option<u64>,
    /// Time from a request to its answer, averaged.
    pub first_byte: Option<Duration>,
    /// Bytes that came from it, as they travelled.
    pub wire_bytes: u64,
    /// It failed, or asked for rest, and is left alone for so long.
    pub rests: Option<Duration>,
}

/// What reaches the dispatcher.
#[derive(Debug)]
enum Order {
    Fetch(Vec<Fetch>),
    Cancel(u64),
    Verified(u32),
    False(u32, Option<u32>),
}

/// What it takes to fetch from the sources of one torrent.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) client: Client,
    pub(crate) proxy: Proxy,
    pub(crate) layout: Arc<Layout>,
    pub(crate) scope: Scope,
    pub(crate) sources: Vec<OriginSource>,
    pub(crate) patience: Patience,
    /// Seeds the spreading of retries.
    pub(crate) seed: u64,
}

/// The hold on the sources of one torrent; what is under way ends with it.
#[derive(Debug)]
pub(crate) struct Origin {
    ground: Arc<Ground>,
    orders: mpsc::UnboundedSender<Order>,
    figures: watch::Receiver<Vec<Figures>>,
    task: AbortOnDropHandle<()>,
}

impl Origin {
    /// Starts the dispatcher, which hands blocks and failures to `wire`.
    pub(crate) fn start(setup: Setup, wire: mpsc::Sender<Happening>) -> Self {
        let Setup { client, proxy, layout, scope, sources, patience, seed } = setup;
        let well = vec![Figures { ok: true, ..Figures::default() }; sources.len()];
        let gauges = sources.iter().map(|_| Gauge::default()).collect();
        let tables = frames::Tables::default();
        let redirects = redirect::Redirects::new(proxy);
        let ground = Arc::new(Ground { client, redirects, layout, scope, sources, gauges, tables, patience });
        let (orders, receiver) = mpsc::unbounded_channel();
        let (sender, figures) = watch::channel(well);
        let dispatch = Dispatch::new(Arc::clone(&ground), seed, wire, sender);
        let task = AbortOnDropHandle::new(tokio::spawn(dispatch.run(receiver)));
        Self { ground, orders, figures, task }
    }

    /// Asks for blocks. Each fetch ends with its last block or with one `OriginFailed`, unless it is cancelled.
    pub(crate) fn fetch(&self, fetches: Vec<Fetch>) {
        if !fetches.is_empty() {
            self.order(Order::Fetch(fetches));
        }
    }

    /// What is on its way may still come.
    pub(crate) fn cancel(&self, fetch: u64) {
        self.order(Order::Cancel(fetch));
    }

    /// The piece is right, whoever gave it.
    pub(crate) fn verified(&self, piece: u32) {
        if !self.ground.sources.is_empty() {
            self.order(Order::Verified(piece));
        }
    }

    /// The piece came false from here: this block of it, or some. Whoever gave it is not asked for the piece again.
    pub(crate) fn was_false(&self, piece: u32, block: Option<u32>) {
        self.order(Order::False(piece, block));
    }

    /// Ends what is under way; nothing is delivered any more.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }

    pub(crate) fn statuses(&self) -> Vec<OriginStatus> {
        let figures = self.figures.borrow();
        let rows = self.ground.sources.iter().zip(&self.ground.gauges).zip(figures.iter());
        let status = |((source, gauge), figures): ((&OriginSource, &Gauge), &Figures)| OriginStatus {
            url: source.url().to_string(),
            ok: figures.ok,
            detail: figures.detail.clone(),
            rate_bytes_per_second: figures.rate.filter(|_| figures.in_use).unwrap_or_default(),
            measured_bytes_per_second: figures.rate,
            first_byte: figures.first_byte,
            wire_bytes: gauge.wire_bytes.load(Ordering::Relaxed),
            rests: figures.rests,
        };
        rows.map(status).collect()
    }

    /// Bytes that came over HTTP, as they travelled.
    pub(crate) fn wire_bytes(&self) -> u64 {
        self.ground.gauges.iter().map(|gauge| gauge.wire_bytes.load(Ordering::Relaxed)).sum()
    }

    fn order(&self, order: Order) {
        // The dispatcher ends with this handle only.
        let _ = self.orders.send(order);
    }
}
