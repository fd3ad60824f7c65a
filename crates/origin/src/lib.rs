//! The embedded origin behind `muster serve`: the repository's files over HTTP, a tracker that knows only the
//! repository's torrents, and a seed that serves them to peers.
//!
//! Everything a player needs can as well come from any static web host, any tracker and any v2 seed; this is the one
//! command that is all three. It writes nothing into the repository, and what it serves is what the repository's signed
//! list says. It knows no TLS: put it behind a web server for that, and then let players reach its tracker directly, for
//! behind a proxy every peer seems to have the proxy's address.

mod catalog;
mod content;
mod error;
mod files;
mod keeper;
mod metrics;
mod patient;
mod seed;
mod server;
mod tracker;
mod udp;
mod unescape;

pub use error::ServeError;

use axum::{
    Extension, Router,
    extract::{RawQuery, Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use catalog::{Catalog, CatalogError};
use files::Files;
use keeper::Keeper;
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
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracker::{Refusal, Tracker, announce};
use url::Url;

/// How often peers are asked to announce, unless configured otherwise.
pub const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(120);
/// Who announces a torrent that is not known waits so long at most for a look at the repository.
const LOOK_WAIT: Duration = Duration::from_secs(2);

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

/// A repository being served, until [`Serving::shutdown`].
#[derive(Debug)]
pub struct Serving {
    url: Url,
    tracker: Option<Url>,
    tracker_udp: Option<Url>,
    peer: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
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

    /// Where peers announce over UDP (BEP 15), if the tracker runs and the port was free: of the same number as HTTP's.
    #[must_use]
    pub fn tracker_udp(&self) -> Option<&Url> {
        self.tracker_udp.as_ref()
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
        look: Notify::new(),
        looks: watch::Sender::new(0),
    });

    let stop = CancellationToken::new();
    let mut tasks = vec![tokio::spawn(server::run(listener, router(&app), stop.clone()))];
    let udp = if config.tracker { listen_udp(addr).await } else { None };
    let tracker_udp = udp.as_ref().and_then(|_| udp_url_of(&url));
    tasks.extend(udp.map(|socket| tokio::spawn(udp::run(socket, Arc::clone(&app), stop.clone()))));
    let (tracker, peer) = (config.tracker.then(|| announce.clone()), app.seed_addr);
    let mut keeper = Keeper { catalog, app, seed, announce };
    keeper.adopt(&releases).await;
    tasks.push(tokio::spawn(keeper.run(stop.clone())));
    Ok(Serving { url, tracker, tracker_udp, peer, stop, tasks })
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

/// The port of the same number; without it the tracker is there over HTTP alone.
async fn listen_udp(addr: SocketAddr) -> Option<UdpSocket> {
    let bound = UdpSocket::bind(addr).await;
    bound.inspect_err(|error| tracing::warn!(%addr, %error, "no tracker over UDP")).ok()
}

fn udp_url_of(url: &Url) -> Option<Url> {
    Url::parse(&format!("udp://{}:{}/announce", url.host_str()?, url.port_or_known_default()?)).ok()
}

/// Where this machine reaches it: an unspecified address is everywhere, so loopback stands for it.
fn url_of(addr: SocketAddr) -> Url {
    let ip = if addr.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { addr.ip() };
    let text = format!("http://{}/", SocketAddr::new(ip, addr.port()));
    Url::parse(&text).expect("an address and a port make a URL")
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
    /// Asks the keeper to look at the repository now.
    look: Notify,
    /// How often it has looked.
    looks: watch::Sender<u64>,
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
    let outcome = match announce::Announce::parse(query.as_deref().unwrap_or_default()) {
        Ok(say) => match app.announce(&say, ends) {
            Err(Refusal::UnknownTorrent) => {
                // The first players of a release may be here before it was noticed.
                app.look_now().await;
                app.announce(&say, ends)
            }
            outcome => outcome,
        },
        Err(refusal) => Err(refusal),
    };
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
    fn announce(&self, say: &announce::Announce, ends: Ends) -> Result<tracker::Answer, Refusal> {
        let tracker = self.tracker.as_ref().ok_or(Refusal::UnknownTorrent)?;
        let mut tracker = tracker.lock().unwrap_or_else(PoisonError::into_inner);
        tracker.announce(self.started.elapsed(), say, ends.peer, self.own_seed(ends))
    }

    /// Has the repository looked at. One look serves everyone who waits, and costs little where nothing changed.
    async fn look_now(&self) {
        let mut looks = self.looks.subscribe();
        self.look.notify_one();
        // Without an answer the torrent stays unknown, as it would have been.
        let _ = tokio::time::timeout(LOOK_WAIT, looks.changed()).await;
    }

    /// The own seed as the one who asks reaches it: under the address it reached us at.
    fn own_seed(&self, ends: Ends) -> Option<SocketAddr> {
        let seed = self.seed_addr?;
        let ip = if seed.ip().is_unspecified() { ends.local } else { seed.ip() };
        Some(SocketAddr::new(ip, seed.port()))
    }
}
