//! `muster torrent get`: plain BitTorrent v2 (BEP 52), for interoperation and measurements.
//!
//! Nothing is signed here: the torrent file itself is what is believed.

use crate::{
    Context, Done,
    connections::{ConnectionWords, warn_of_few_files},
    error::CliError,
    origin::OriginWords,
    output::{self, Bar, PROGRESS_INTERVAL},
    places, rate,
};
use clap::{Args, Subcommand};
use engine::{
    session::{
        Caps, Exchange, OriginSource, OriginUse, Session, SessionConfig, Torrent as SharedTorrent,
        TorrentEvent, TorrentHandle, TorrentStatus, is_tracker,
    },
    torrent_folder::{CheckProgress, TorrentFolder},
};
use release::{limits::METAINFO_BYTES_MAX, metainfo::Metainfo};
use serde_json::{Map, Value, json};
use std::{
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use store::fs::RealFs;
use swarm::Bitfield;
use tokio::sync::mpsc;
use url::Url;

/// A clean end may take so long; then the program ends all the same.
const END_MAX: Duration = Duration::from_millis(1600);

/// What to do with torrents.
#[derive(Debug, Subcommand)]
pub(crate) enum Torrent {
    /// Fetch a torrent's files, or serve them
    ///
    /// Data already in D/<torrent name>/ is checked and served; what is missing is fetched. Ends when complete, or with
    /// --stay serves on until interrupted.
    Get(Get),
}

/// Words of `torrent get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// A BitTorrent v2 torrent file
    #[arg(value_name = "FILE.torrent")]
    file: PathBuf,
    /// The download folder: files lie at D/<torrent name>/…, or D/<torrent name> for a single file of that name
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// Where to listen for peers [default: every interface, any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A peer to connect to; may be repeated
    #[arg(long, value_name = "ADDR")]
    peer: Vec<SocketAddr>,
    /// A tracker besides those that the torrent names; may be repeated
    #[arg(long, value_name = "URL")]
    tracker: Vec<Url>,
    /// A file of the torrent that is fetched before the others, by its path in the torrent; may be repeated, and then in
    /// that order. In a crowd this is slow: players who all want the same have nothing to give to each other
    #[arg(long, value_name = "PATH")]
    first: Vec<String>,
    /// A web seed (BEP 19) besides those that the torrent names; may be repeated
    #[arg(long, value_name = "URL")]
    web_seed: Vec<Url>,
    #[command(flatten)]
    origin: OriginWords,
    /// Upload cap: bytes per second, or with KiB/s, MiB/s, kB/s, MB/s; 0 uploads nothing
    #[arg(long, value_name = "RATE", value_parser = rate::parse)]
    limit_up: Option<u64>,
    /// Download cap, web seeds included
    #[arg(long, value_name = "RATE", value_parser = rate::parse_nonzero)]
    limit_down: Option<u64>,
    /// No discovery on the local network; every peer counts as internet
    #[arg(long)]
    no_lan: bool,
    /// Ask the router for a port that peers outside reach (PCP, NAT-PMP or UPnP)
    #[arg(long)]
    map_port: bool,
    #[command(flatten)]
    connections: ConnectionWords,
    /// Send and take blocks packed where that makes them smaller, between peers that both say this; not the default while
    /// fast lines are slower for it
    #[arg(long)]
    compression: bool,
    /// Believe that all data is there and right, and check nothing
    #[arg(long)]
    trust: bool,
    /// When complete, serve on until interrupted
    #[arg(long)]
    stay: bool,
}

impl Torrent {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Get(get) => get.run(context).await,
        }
    }
}

/// What is being fetched or served.
struct Running {
    session: Session,
    handle: TorrentHandle,
    events: mpsc::UnboundedReceiver<TorrentEvent>,
    folder: Arc<TorrentFolder>,
    started: Instant,
}

impl Get {
    async fn run(self, context: &Context) -> Result<Done, CliError> {
        let metainfo = read(&self.file)?;
        let mut running = self.start(context, metainfo).await?;
        let outcome = self.follow(context, &mut running).await;
        context.output.clear();
        let ending = running.session.close();
        if tokio::time::timeout(END_MAX, ending).await.is_err() {
            tracing::warn!("the end took too long; what was verified is kept");
        }
        let fields = fields(&running);
        outcome.map_err(|error| error.with_fields(fields.clone()))?;
        Ok(Done { fields, exit: 0 })
    }

    /// Listens first, so that a taken port is said before a long check.
    async fn start(&self, context: &Context, metainfo: Metainfo) -> Result<Running, CliError> {
        let started = Instant::now();
        let first = self.first(&metainfo)?;
        let origin_use = OriginUse { settings: self.origin.settings()?, background: false };
        let dir = places::absolute(&self.dir)?;
        std::fs::create_dir_all(&dir).map_err(|error| CliError::file(&dir, &error))?;
        let caps = Caps { up: self.limit_up, down: self.limit_down, ..Caps::default() };
        let session = Session::start(&SessionConfig {
            listen: self.listen,
            caps,
            lan: !self.no_lan,
            port_mapping: self.map_port,
            connections: self.connections.get(),
            compression: self.compression,
            ..SessionConfig::default()
        })?;
        warn_of_few_files(context, &session);
        let folder = Arc::new(TorrentFolder::new(Arc::new(RealFs), &dir, &metainfo));
        let have = if self.trust {
            Bitfield::full(metainfo.layout.piece_count())
        } else {
            check(context, &folder, &metainfo).await?
        };
        let (trackers, origins) = (self.trackers(&metainfo), self.web_seeds(&metainfo));
        let (handle, events) = session.add(SharedTorrent {
            infohash: metainfo.infohash,
            layout: folder.layout(),
            layers: metainfo.layers,
            have,
            excluded: Vec::new(),
            store: folder.clone(),
            trackers,
            origins,
            origin_use,
            peers: self.peer.clone(),
            exchange: Exchange::Everybody,
            upload: true,
        });
        handle.set_first(first);
        let listen = session.local_addr().to_string();
        context.output.event("ready", json!({ "listen": listen }));
        context.output.say(format!("{}: listening at {listen}", metainfo.name));
        Ok(Running { session, handle, events, folder, started })
    }

    /// The tiers that the torrent names, after those given here, each a tier of its own.
    fn trackers(&self, metainfo: &Metainfo) -> Vec<Vec<Url>> {
        let parsed = |tier: &Vec<String>| tier.iter().filter_map(|text| Url::parse(text).ok()).collect();
        let named: Vec<Vec<Url>> = metainfo.announce.iter().map(parsed).collect();
        let given = self.tracker.iter().map(|url| vec![url.clone()]);
        let asked = |tier: Vec<Url>| -> Vec<Url> {
            tier.into_iter()
                .filter(|url| {
                    let asked = is_tracker(url);
                    if !asked {
                        tracing::info!(%url, "only http, https and udp trackers are asked");
                    }
                    asked
                })
                .collect()
        };
        given.chain(named).map(asked).filter(|tier| !tier.is_empty()).collect()
    }

    /// The pieces of the files that come first.
    fn first(&self, metainfo: &Metainfo) -> Result<Vec<u32>, CliError> {
        let mut pieces = Vec::new();
        for path in &self.first {
            let file = metainfo.layout.files().iter().position(|file| file.path.as_str() == path);
            let file = file.ok_or_else(|| {
                CliError::new("USAGE", format!("--first {path}: the torrent has no such file"))
            })?;
            pieces.extend(metainfo.layout.pieces_of(file));
        }
        Ok(pieces)
    }

    fn web_seeds(&self, metainfo: &Metainfo) -> Vec<OriginSource> {
        let named = metainfo.url_list.iter().filter_map(|text| Url::parse(text).ok());
        let mut sources: Vec<OriginSource> = Vec::new();
        for url in
            self.web_seed.iter().cloned().chain(named).filter(|url| matches!(url.scheme(), "http" | "https"))
        {
            let (name, single_file) = (metainfo.name.clone(), metainfo.is_single_file());
            let source = OriginSource::WebSeed { url, name, single_file };
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }

    /// Until complete, and with `--stay` until a signal.
    async fn follow(&self, context: &Context, running: &mut Running) -> Result<(), CliError> {
        let mut complete = false;
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        let mut status = running.handle.status();
        loop {
            tokio::select! {
                event = running.events.recv() => match event {
                    Some(TorrentEvent::Complete) if complete => {}
                    Some(TorrentEvent::Complete) => {
                        self.finish(running).await?;
                        context.output.event("complete", json!({}));
                        context.output.say("complete");
                        complete = true;
                        if !self.stay {
                            return Ok(());
                        }
                    }
                    Some(TorrentEvent::StoreFailed { code, message }) => return Err(CliError::new(code, message)),
                    None => return Err(CliError::new("INTERNAL", "the transfer ended by itself")),
                },
                _ = tick.tick() => {
                    if status.has_changed().unwrap_or(false) {
                        progress(context, &status.borrow_and_update());
                    }
                }
                signal = context.signals.wait() => {
                    return if self.stay { Ok(()) } else { Err(CliError::interrupted(signal)) };
                }
            }
        }
    }

    /// Files without bytes, and executable bits; data that was only believed is left alone.
    async fn finish(&self, running: &Running) -> Result<(), CliError> {
        if self.trust {
            return Ok(());
        }
        let folder = Arc::clone(&running.folder);
        Ok(tokio::task::spawn_blocking(move || folder.finish()).await??)
    }
}

/// Reads and parses a torrent file, bounded.
fn read(path: &Path) -> Result<Metainfo, CliError> {
    let refused = |reason: String| CliError::new("TORRENT_REFUSED", format!("{}: {reason}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(METAINFO_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(error.to_string()))?;
    Metainfo::parse(&bytes).map_err(|error| refused(error.to_string()))
}

/// Hashes what is there.
async fn check(
    context: &Context,
    folder: &Arc<TorrentFolder>,
    metainfo: &Metainfo,
) -> Result<Bitfield, CliError> {
    let done = Arc::new(CheckProgress::default());
    let mut checking = {
        let (folder, layers, done) = (Arc::clone(folder), metainfo.layers.clone(), Arc::clone(&done));
        tokio::task::spawn_blocking(move || folder.check(&layers, &done))
    };
    let total = metainfo.layout.total();
    let (mut tick, mut said) = (tokio::time::interval(PROGRESS_INTERVAL), 0);
    loop {
        tokio::select! {
            have = &mut checking => {
                context.output.clear();
                return Ok(have?);
            }
            _ = tick.tick() => {
                let now = done.done.load(Ordering::Relaxed);
                if std::mem::replace(&mut said, now) != now {
                    let progress = json!({ "phase": { "kind": "verifying" }, "done_bytes": now, "total_bytes": total });
                    context.output.event("progress", progress);
                    let what = "checking".to_owned();
                    context.output.bar(&Bar { what, bytes: Some((now, total)), detail: String::new() });
                }
            }
            signal = context.signals.wait() => {
                done.cancel.store(true, Ordering::Relaxed);
                return Err(CliError::interrupted(signal));
            }
        }
    }
}

fn progress(context: &Context, status: &TorrentStatus) {
    let stats = &status.stats;
    let complete = stats.bytes_have == stats.bytes_total;
    let phase = if complete { "seeding" } else { "downloading" };
    let (down, up) = (stats.download_rate.total(), stats.upload_rate.total());
    context.output.event(
        "progress",
        json!({
            "phase": { "kind": phase },
            "done_bytes": stats.bytes_have,
            "total_bytes": stats.bytes_total,
            "downloaded": downloaded(status),
            "uploaded_bytes": stats.uploaded.total(),
            "rates": { "down": down, "up": up },
            "peers": stats.peers.len(),
        }),
    );
    let detail = format!("{} peers, {} down, {} up", stats.peers.len(), output::rate(down), output::rate(up));
    let bytes = (!complete).then_some((stats.bytes_have, stats.bytes_total));
    context.output.bar(&Bar { what: phase.to_owned(), bytes, detail });
}

/// Bytes by source; the origin's as they travelled.
fn downloaded(status: &TorrentStatus) -> Value {
    let from = &status.stats.downloaded;
    json!({ "origin": status.origin_wire_bytes, "players": from.players, "lan": from.lan })
}

fn fields(running: &Running) -> Map<String, Value> {
    let status = running.handle.status();
    let status = status.borrow();
    Map::from_iter([
        ("downloaded_bytes".to_owned(), downloaded(&status)),
        ("uploaded_bytes".to_owned(), json!(status.stats.uploaded.total())),
        ("content_from_peers_bytes".to_owned(), json!(status.stats.content_from_peers)),
        ("content_to_peers_bytes".to_owned(), json!(status.stats.content_to_peers)),
        ("wasted_bytes".to_owned(), json!(status.stats.wasted_bytes)),
        ("seconds".to_owned(), json!(running.started.elapsed().as_secs_f64())),
    ])
}
