//! The embedded origin behind `muster serve`: the repository's files over HTTP, a tracker that knows only the
//! repository's torrents, and a seed that serves them to peers.
//!
//! Everything a player needs can as well come from any static web host, any tracker and any v2 seed; this is the one
//! command that is all three. It writes nothing into the repository, and what it serves is what the repository's signed
//! list says. It knows no TLS: put it behind a web server for that, and then let players reach its tracker directly, for
//! behind a proxy every peer seems to have the proxy's address.

mod catalog;
mod content;
mod files;
mod metrics;
mod patient;
mod seed;
mod server;
mod tracker;
mod unescape;

use axum::{
    Extension, Router,
    extract::{RawQuery, Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use catalog::{Catalog, CatalogError};
use engine::session::SessionError;
use files::Files;
use metrics::{Metrics, Page};
use seed::{Seed, SeedFigures};
use server::Ends;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracker::{Tracker, announce};
use url::Url;

/// How often peers are asked to announce, unless configured otherwise.
pub const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(120);
/// How often the repository is looked at for a new release.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a repository that cannot be believed now is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// The repository's folder.
    pub repo: PathBuf,
    /// Where HTTP is listened on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where the seed listens for peers; `None`: the same address, any free port.
    pub peer_listen: Option<SocketAddr>,
    /// Run a tracker at `announce`.
    pub tracker: bool,
    /// Seed the repository's releases.
    pub seed: bool,
    /// How often peers announce; they are forgotten after twice that. At least a second.
    pub announce_interval: Duration,
}

impl ServeConfig {
    /// Everything on, [`ANNOUNCE_INTERVAL`].
    #[must_use]
    pub fn new(repo: PathBuf, listen: SocketAddr) -> Self {
        let announce_interval = ANNOUNCE_INTERVAL;
        Self { repo, listen, peer_listen: None, tracker: true, seed: true, announce_interval }
    }
}

/// Why a repository is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The folder is no repository, or cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Repository {
        /// What could not be read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A private key lies where it would be served.
    #[error("{path} is a private key: move it out of the repository before serving it", path = path.display())]
    KeysInRepository {
        /// The key.
        path: PathBuf,
    },
    /// The folder could not be searched for keys.
    #[error("{0}")]
    Edit(trust::EditError),
    /// Players would not believe the repository.
    #[error("{0}")]
    Trust(trust::Error),
    /// The port is taken.
    #[error("address {addr} is in use")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The seed did not start.
    #[error("the seed: {0}")]
    Seed(#[from] SessionError),
    /// The runtime is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl ServeError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repository { source, .. } if source.kind() == io::ErrorKind::NotFound => "REPO_MISSING",
            Self::Repository { .. } => "REPO_IO",
            Self::KeysInRepository { .. } => "KEYS_IN_REPOSITORY",
            Self::Edit(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::AddressInUse { .. } => "ADDRESS_IN_USE",
            Self::Listen { .. } => "LISTEN",
            Self::Seed(error) => error.code(),
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

/// A repository being served, until [`Serving::shutdown`].
#[derive(Debug)]
pub struct Serving {
    url: Url,
    tracker: Option<Url>,
    peer: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Serving {
    /// The repository's URL, which ends in `/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where peers announce, if the tracker runs.
    #[must_use]
    pub fn tracker(&self) -> Option<&Url> {
        self.tracker.as_ref()
    }

    /// Where the seed listens, if it runs.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Ends; transfers under way have a second to finish.
    pub async fn shutdown(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the origin ended badly");
            }
        }
    }
}

/// Serves a repository.
///
/// An expired repository is served all the same, with a warning: it becomes believable again when it is refreshed.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub async fn serve(config: ServeConfig) -> Result<Serving, ServeError> {
    let mut catalog = open(&config).await?;
    let releases = first_read(&mut catalog).await?;
    let listener = listen(config.listen).await?;
    let addr = listener.local_addr().map_err(|source| ServeError::Listen { addr: config.listen, source })?;
    let url = url_of(addr);
    // A relative reference that is a plain word.
    let announce = url.join("announce").unwrap_or_else(|_| url.clone());

    let metrics = Arc::new(Metrics::default());
    let files = Files::new(&config.repo, Arc::clone(&metrics));
    let files = files.map_err(|source| ServeError::Repository { path: config.repo.clone(), source })?;
    let peer_listen = config.peer_listen.unwrap_or(SocketAddr::new(addr.ip(), 0));
    let seed = config.seed.then(|| Seed::start(&config.repo, peer_listen)).transpose()?;
    let interval = config.announce_interval.max(Duration::from_secs(1));
    let app = Arc::new(App {
        files: Arc::new(files),
        metrics,
        tracker: config.tracker.then(|| Mutex::new(Tracker::new(interval, fastrand::u64(..)))),
        started: Instant::now(),
        seed_addr: seed.as_ref().map(Seed::addr),
        seed_figures: seed.as_ref().map(Seed::figures),
    });

    let stop = CancellationToken::new();
    let serving = Serving {
        tracker: config.tracker.then(|| announce.clone()),
        peer: app.seed_addr,
        stop: stop.clone(),
        tasks: [tokio::spawn(server::run(listener, router(&app), stop.clone())), {
            let mut keeper = Keeper { catalog, app, seed, announce };
            keeper.adopt(&releases).await;
            tokio::spawn(keeper.run(stop))
        }],
        url,
    };
    Ok(serving)
}

async fn open(config: &ServeConfig) -> Result<Catalog, ServeError> {
    let repo = config.repo.clone();
    let opening = tokio::task::spawn_blocking(move || {
        trust::keys::refuse_keys_in_repository(&repo).map_err(|error| match error {
            trust::EditError::KeyInRepository { path } => ServeError::KeysInRepository { path },
            trust::EditError::Disk(disk) => ServeError::Repository { path: disk.path, source: disk.source },
            other => ServeError::Edit(other),
        })?;
        Catalog::open(&repo).map_err(ServeError::from)
    });
    opening.await.map_err(|_| ServeError::Interrupted)?
}

async fn first_read(catalog: &mut Catalog) -> Result<Vec<Arc<catalog::Release>>, ServeError> {
    match catalog.read().await {
        Err(CatalogError::Trust(expired @ trust::Error::Expired { .. })) => {
            tracing::error!(error = %expired, "players refuse this repository: run `muster refresh`");
            Ok(Vec::new())
        }
        outcome => Ok(outcome?),
    }
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(addr).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::AddressInUse { addr },
        _ => ServeError::Listen { addr, source },
    })
}

/// Where this machine reaches it: an unspecified address is everywhere, so loopback stands for it.
fn url_of(addr: SocketAddr) -> Url {
    let ip = if addr.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { addr.ip() };
    let text = format!("http://{}/", SocketAddr::new(ip, addr.port()));
    Url::parse(&text).expect("an address and a port make a URL")
}

impl From<CatalogError> for ServeError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Io { path, source } => Self::Repository { path, source },
            CatalogError::Trust(error) => Self::Trust(error),
        }
    }
}

/// What the routes share.
#[derive(Debug)]
struct App {
    files: Arc<Files>,
    metrics: Arc<Metrics>,
    tracker: Option<Mutex<Tracker>>,
    started: Instant,
    seed_addr: Option<SocketAddr>,
    seed_figures: Option<SeedFigures>,
}

fn router(app: &Arc<App>) -> Router {
    let routes = Router::new().route("/metrics", get(figures));
    let routes = if app.tracker.is_some() { routes.route("/announce", get(announced)) } else { routes };
    routes.fallback(file).with_state(Arc::clone(app))
}

async fn file(State(app): State<Arc<App>>, request: Request) -> Response {
    files::serve(&app.files, request).await
}

async fn announced(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    RawQuery(query): RawQuery,
) -> Response {
    let outcome = announce::Announce::parse(query.as_deref().unwrap_or_default());
    let outcome = outcome.and_then(|say| match &app.tracker {
        Some(tracker) => {
            let mut tracker = tracker.lock().unwrap_or_else(PoisonError::into_inner);
            tracker.announce(app.started.elapsed(), &say, ends.peer, app.own_seed(ends))
        }
        None => Err(tracker::Refusal::UnknownTorrent),
    });
    app.metrics.announce(outcome.is_ok());
    let headers = [(header::CONTENT_TYPE, "text/plain"), (header::CACHE_CONTROL, "no-store")];
    (headers, announce::encode(&outcome)).into_response()
}

async fn figures(State(app): State<Arc<App>>) -> Response {
    let mut page = Page::default();
    app.metrics.render(&mut page);
    if let Some(tracker) = &app.tracker {
        let figures = tracker.lock().unwrap_or_else(PoisonError::into_inner).figures(app.started.elapsed());
        page.family("muster_tracker_peers", "gauge", "Peers known, by torrent and state.");
        for torrent in &figures {
            let name = ("torrent", torrent.name.as_str());
            page.sample("muster_tracker_peers", &[name, ("state", "complete")], torrent.complete.into());
            page.sample("muster_tracker_peers", &[name, ("state", "incomplete")], torrent.incomplete.into());
        }
        page.family("muster_tracker_completed_total", "counter", "Peers that said they became complete.");
        for torrent in &figures {
            let name = ("torrent", torrent.name.as_str());
            page.sample("muster_tracker_completed_total", &[name], torrent.completed.into());
        }
    }
    if let Some(seed) = &app.seed_figures {
        seed.render(&mut page);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page.finish()).into_response()
}

impl App {
    /// The own seed as the one who asks reaches it: under the address it reached us at.
    fn own_seed(&self, ends: Ends) -> Option<SocketAddr> {
        let seed = self.seed_addr?;
        let ip = if seed.ip().is_unspecified() { ends.local } else { seed.ip() };
        Some(SocketAddr::new(ip, seed.port()))
    }
}

/// Looks for new releases and hands them to tracker and seed.
#[derive(Debug)]
struct Keeper {
    catalog: Catalog,
    app: Arc<App>,
    seed: Option<Seed>,
    announce: Url,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        let mut seen = self.catalog.stamp();
        let mut retry: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                () = stop.cancelled() => break,
            }
            let now = self.catalog.stamp();
            if now == seen && retry.is_none_or(|at| at > Instant::now()) {
                continue;
            }
            seen = now;
            retry = match self.catalog.read().await {
                Ok(releases) => {
                    self.adopt(&releases).await;
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "the repository cannot be believed; what was known goes on");
                    Some(Instant::now() + RETRY_INTERVAL)
                }
            };
        }
        if let Some(seed) = &self.seed {
            seed.close().await;
        }
    }

    async fn adopt(&mut self, releases: &[Arc<catalog::Release>]) {
        if let Some(seed) = &mut self.seed {
            seed.set_releases(releases, &self.announce).await;
        }
        if let Some(tracker) = &self.app.tracker {
            let torrents =
                releases.iter().map(|release| (release.infohash.truncated(), release.name.clone()));
            tracker.lock().unwrap_or_else(PoisonError::into_inner).set_torrents(&torrents.collect());
        }
    }
}
