//! One torrent's actor: owns its core, feeds it what happens and does what it asks for.
//!
//! One input, then every output, then the next. Completions come before new bytes; new bytes wait
//! while too many blocks are on their way to the disk, which in the end stops the sockets.

mod exchange;
mod others;
mod peers;

use super::{
    Session, announcer,
    disk::{Block, Stored, Writes},
    handle::{Exchange, Torrent, TorrentEvent, TorrentHandle, TorrentStatus, TrackerStatus},
    happening::{Announced, BlockRange, Happening},
    limiter::Scope,
    origin::{self, Fetch, Origin},
    pack::Content,
    peer::Order,
    unpack,
};
use crate::piece_store::{PieceStore, PieceStoreError};
use futures_util::future::OptionFuture;
use others::Other;
use peers::PeerTasks;
use release::{
    hash::Hash32,
    layout::Layout,
    merkle::{BLOCK, leaf},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use swarm::{Bitfield, Class, Event, Input, Output, PeerKey, PeerSource, Swarm, Via};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// What was read from sockets and the origin at once and waits for the actor.
const WIRE_QUEUE: usize = 32;
/// Blocks on their way to the disk; 16 KiB each, so 4 MiB.
const WRITES_MAX: usize = 256;
/// Happenings handled before timers are looked at again.
const BATCH: usize = 16;
/// How often the status is told.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);
/// How often what was verified is made durable.
const FLUSH_INTERVAL: Duration = Duration::from_secs(2);
/// How long the origin waits for a tracker's word on how many fetch the same.
const CROWD_PATIENCE: Duration = Duration::from_secs(1);

/// Starts the actor of `torrent`.
pub(super) fn start(
    session: &Session,
    torrent: Torrent,
) -> (TorrentHandle, mpsc::UnboundedReceiver<TorrentEvent>) {
    let (wire_sender, wire) = mpsc::channel(WIRE_QUEUE);
    let (done_sender, done) = mpsc::unbounded_channel();
    let (event_sender, events) = mpsc::unbounded_channel();
    let (status_sender, status) = watch::channel(TorrentStatus::default());
    let scope = Scope::new(session.limiter());
    let handle = TorrentHandle::new(done_sender.clone(), status, scope.clone());
    let actor = Actor::new(session, scope, torrent, wire_sender, done_sender, event_sender, status_sender);
    tokio::spawn(actor.run(wire, done));
    (handle, events)
}

struct Actor {
    session: Session,
    scope: Scope,
    swarm: Swarm,
    infohash: Hash32,
    layout: Arc<Layout>,
    content: Arc<Content>,
    store: Arc<dyn PieceStore>,
    origin: Origin,
    peers: BTreeMap<PeerKey, PeerTasks>,
    /// What the core asked of the origin in this drain.
    to_fetch: Vec<Fetch>,
    writes: usize,
    /// Blocks that came in this batch.
    to_store: Vec<Block>,
    store_queue: Writes,
    dirty: bool,
    flushing: bool,
    complete: bool,
    failed: bool,
    have: Bitfield,
    excluded: Vec<u32>,
    /// What peers may owe, as the core knows it, by class.
    ahead: [(Option<u64>, Option<u64>); 2],
    /// Inputs that an output led to.
    next: VecDeque<Input>,
    exchange: Exchange,
    /// Trackers as they were given.
    tiers: Vec<Vec<Url>>,
    trackers: Vec<TrackerStatus>,
    announcer: Option<announcer::Handle>,
    /// Other releases whose players are met too; the core knows the first as `Via(1)`.
    others: Vec<Other>,
    /// The origin is not open yet, see `open_origin`.
    origin_waits: bool,
    wire: mpsc::Sender<Happening>,
    done: mpsc::UnboundedSender<Happening>,
    events: mpsc::UnboundedSender<TorrentEvent>,
    status: watch::Sender<TorrentStatus>,
    ending: CancellationToken,
}

impl Actor {
    fn new(
        session: &Session,
        scope: Scope,
        torrent: Torrent,
        wire: mpsc::Sender<Happening>,
        done: mpsc::UnboundedSender<Happening>,
        events: mpsc::UnboundedSender<TorrentEvent>,
        status: watch::Sender<TorrentStatus>,
    ) -> Self {
        let have = torrent.have.clone();
        let layout = torrent.layout;
        let content = Content::new(session.buffers().packs(), layout.total());
        scope.set_background(torrent.origin_use.background);
        let (config, seed) = (torrent.origin_use.applied_to(session.swarm_config()), fastrand::u64(..));
        let mut swarm = Swarm::new(config, Arc::clone(&layout), torrent.layers, torrent.have, seed);
        let now = session.limiter().now();
        let origin_waits =
            !torrent.origins.is_empty() && torrent.trackers.iter().any(|tier| !tier.is_empty());
        if origin_waits {
            let done = done.clone();
            tokio::spawn(async move {
                tokio::time::sleep(CROWD_PATIENCE).await;
                let _ = done.send(Happening::OpenOrigin);
            });
        }
        let available = !torrent.origins.is_empty() && !origin_waits;
        let mut unwanted = Bitfield::empty(layout.piece_count());
        torrent.excluded.iter().for_each(|piece| {
            unwanted.set(*piece);
        });
        swarm.handle(now, Input::SetUnwanted { unwanted });
        let complete = swarm.is_complete();
        swarm.handle(now, Input::SetOrigin { available });
        swarm.handle(now, Input::SetUpload { enabled: torrent.upload });
        let (addrs, source) = (torrent.peers, PeerSource::Manual);
        swarm.handle(now, Input::PeersFound { addrs, source, via: Via::OWN });
        let origin = origin::Setup {
            client: session.http().clone(),
            proxy: session.proxy().clone(),
            layout: Arc::clone(&layout),
            scope: scope.clone(),
            sources: torrent.origins,
            patience: origin::Patience::default(),
            seed: fastrand::u64(..),
        };
        let store_queue = Writes::new(session.pool().clone(), Arc::clone(&torrent.store), done.clone());
        let mut actor = Self {
            session: session.clone(),
            scope,
            swarm,
            infohash: torrent.infohash,
            layout,
            content,
            store: torrent.store,
            origin: Origin::start(origin, wire.clone()),
            peers: BTreeMap::new(),
            to_fetch: Vec::new(),
            writes: 0,
            to_store: Vec::new(),
            store_queue,
            dirty: false,
            flushing: false,
            complete,
            failed: false,
            have,
            excluded: torrent.excluded,
            ahead: [(None, None); 2],
            next: VecDeque::new(),
            exchange: torrent.exchange,
            tiers: torrent.trackers,
            trackers: Vec::new(),
            announcer: None,
            others: Vec::new(),
            origin_waits,
            wire,
            done,
            events,
            status,
            ending: CancellationToken::new(),
        };
        actor.set_exchange(torrent.exchange);
        actor
    }

    async fn run(
        mut self,
        mut wire: mpsc::Receiver<Happening>,
        mut done: mpsc::UnboundedReceiver<Happening>,
    ) {
        let mut status_timer = tokio::time::interval(STATUS_INTERVAL);
        let mut flush_timer = tokio::time::interval(FLUSH_INTERVAL);
        status_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        flush_timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.keep_pace();
        self.drain();
        if self.complete {
            let _ = self.events.send(TorrentEvent::Complete);
        }
        let stopped = loop {
            let deadline = self.swarm.deadline().map(|at| self.session.limiter().instant(at));
            let tick = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let first = tokio::select! {
                biased;
                Some(happening) = done.recv() => happening,
                _ = status_timer.tick() => { self.keep_pace(); self.tell_status(); continue }
                _ = flush_timer.tick() => { self.flush(false); continue }
                Some(happening) = wire.recv(), if self.writes < WRITES_MAX => happening,
                () = tick => Happening::Command(Input::Tick),
                () = self.session.ended() => break None,
            };
            if let Happening::Stop(stopped) = first {
                break Some(stopped);
            }
            self.happened(first);
            let mut batch = 0;
            while batch < BATCH && self.writes < WRITES_MAX {
                let Ok(happening) = wire.try_recv() else { break };
                self.happened(happening);
                batch += 1;
            }
            self.store_queue.push(&mut self.to_store);
        };
        self.end(stopped).await;
    }

    fn happened(&mut self, happening: Happening) {
        let input = match happening {
            Happening::Connected { socket, handshake, addr, outgoing } => {
                match self.connected(socket, &handshake, addr, outgoing) {
                    Some(input) => input,
                    None => return,
                }
            }
            Happening::ConnectFailed { addr } => Input::ConnectFailed { addr },
            Happening::Received { peer, messages } => return self.received(peer, messages),
            Happening::Closed { peer } => {
                if self.forget(peer).is_none() {
                    return;
                }
                Input::PeerClosed { peer }
            }
            Happening::Stored(blocks) => {
                for block in blocks {
                    let input = self.stored(block);
                    self.input(input);
                }
                return;
            }
            Happening::Leaves { piece, leaves } => Input::PieceLeaves { piece, leaves },
            Happening::Sent { peer, blocks } => {
                for (BlockRange { piece, begin, length }, wire) in blocks {
                    self.input(Input::BlockSent { peer, piece, begin, length, wire });
                }
                return;
            }
            Happening::Dropped { peer, block: BlockRange { piece, begin, length } } => {
                Input::BlockDropped { peer, piece, begin, length }
            }
            Happening::Unreadable { peer, block: BlockRange { piece, begin, length } } => {
                self.have.clear(piece);
                Input::BlockUnreadable { peer, piece, begin, length }
            }
            Happening::PackedFalse { peer, blocks } => {
                tracing::debug!(peer = peer.0, "packed blocks are not what they stand for");
                self.writes -= blocks.len();
                Input::PackedFalse { peer, blocks }
            }
            Happening::PackedLost { peer, blocks } => {
                self.writes -= blocks.len();
                Input::PackedLost { peer, blocks }
            }
            Happening::OriginBlock { fetch, block, data } => Input::OriginBlock { fetch, block, data },
            Happening::OriginFailed { fetch, retry_after, permanent } => {
                Input::OriginFailed { fetch, retry_after, permanent }
            }
            Happening::Announced(announced) => self.announced(announced),
            Happening::FoundOnLan { addr, infohash } => match self.via(&infohash) {
                Some(via) => Input::PeersFound { addrs: vec![addr], source: PeerSource::Lan, via },
                None => return,
            },
            Happening::OpenOrigin => return self.open_origin(),
            Happening::Flushed { complete, outcome } => return self.flushed(complete, outcome),
            Happening::Command(input) => input,
            Happening::Other(other, handle) => {
                self.add_other(other, handle);
                return self.drain();
            }
            Happening::Answers { infohash, answers } => {
                self.answer_for(infohash, answers);
                return self.drain();
            }
            Happening::Exchange(exchange) => {
                self.set_exchange(exchange);
                return self.drain();
            }
            // Handled by the loop.
            Happening::Stop(_) => return,
        };
        self.input(input);
    }

    /// Tells the core what the caps allow to be asked for ahead, where that changed.
    fn keep_pace(&mut self) {
        for class in [Class::Internet, Class::Lan] {
            let (bytes, cap) = (self.scope.ahead(class), self.scope.cap(class));
            if std::mem::replace(&mut self.ahead[class as usize], (bytes, cap)) != (bytes, cap) {
                self.input(Input::SetAhead { class, bytes, cap });
            }
        }
    }

    /// What a tracker knows of another release says nothing of the crowd that fetches ours.
    fn announced(&mut self, Announced { via, index, status, peers }: Announced) -> Input {
        if via == Via::OWN {
            if status.ok {
                self.input(Input::Crowd { players: status.leechers });
            }
            self.open_origin();
            // An answer may come after the tracker was left.
            if let Some(tracker) = self.trackers.get_mut(index) {
                *tracker = status;
            }
        }
        Input::PeersFound { addrs: peers, source: PeerSource::Tracker, via }
    }

    /// Whoever asks the origin before a tracker told of the crowd asks together with all the others of it.
    fn open_origin(&mut self) {
        if std::mem::take(&mut self.origin_waits) {
            self.input(Input::SetOrigin { available: true });
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.session.limiter().now();
        self.swarm.handle(now, input);
        self.drain();
    }

    fn stored(&mut self, Stored { piece, block, outcome }: Stored) -> Input {
        self.writes -= 1;
        match outcome {
            Ok(leaf) => Input::BlockStored { piece, block, leaf },
            Err(error) => {
                self.store_failed(&error);
                Input::StoreFailed { piece, block }
            }
        }
    }

    /// A disk that does not take what we fetch: hold the download and tell the owner, once.
    fn store_failed(&mut self, error: &PieceStoreError) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::error!(%error, "the download is held");
            let event = TorrentEvent::StoreFailed { code: error.code(), message: error.to_string() };
            let _ = self.events.send(event);
            let now = self.session.limiter().now();
            self.swarm.handle(now, Input::SetDownload { enabled: false });
        }
    }

    fn drain(&mut self) {
        loop {
            while let Some(output) = self.swarm.poll() {
                self.perform(output);
            }
            let Some(input) = self.next.pop_front() else { break };
            if let Input::PieceAvailable { piece } = &input {
                self.have.set(*piece);
            }
            self.swarm.handle(self.session.limiter().now(), input);
        }
        self.origin.fetch(std::mem::take(&mut self.to_fetch));
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { peer, message } => self.send(peer, message),
            Output::SendBlock { peer, piece, begin, length } if !self.has_number(peer, piece) => {
                self.next.push_back(Input::BlockDropped { peer, piece, begin, length });
            }
            Output::SendBlock { peer, piece, begin, length } => {
                self.let_be_read(piece, begin, length);
                self.order(peer, Order::Block(BlockRange { piece, begin, length }));
            }
            Output::SendRun { peer, blocks, id, solid } => self.order_run(peer, blocks, id, solid),
            Output::CancelBlock { peer, piece, begin, length } => {
                self.order(peer, Order::Cancel(BlockRange { piece, begin, length }));
            }
            Output::Close { peer, reason } => {
                tracing::debug!(peer = peer.0, ?reason, "closing");
                self.forget(peer);
            }
            Output::Connect { addr, via } => match self.infohash_of(via).filter(|_| self.may_meet(addr.ip()))
            {
                Some(infohash) => self.session.connect(addr, infohash, self.done.clone()),
                None => self.next.push_back(Input::ConnectFailed { addr }),
            },
            Output::StoreBlock { piece, block, data } => {
                self.writes += 1;
                self.to_store.push(Block { piece, block, data });
            }
            Output::StorePacked { peer, packing, blocks, data } => {
                self.store_packed(peer, unpack::Message { packing, blocks, data });
            }
            Output::ReadLeaves { piece } => self.read_leaves(piece),
            Output::FetchOrigin { fetch, piece, blocks } => {
                self.to_fetch.push(Fetch { fetch, piece, blocks });
            }
            Output::CancelOrigin { fetch } => {
                self.to_fetch.retain(|asked| asked.fetch != fetch);
                self.origin.cancel(fetch);
            }
            Output::Event(event) => self.told(event),
        }
    }

    /// The core hands on blocks of a piece that is on its way once their leaves prove them.
    fn let_be_read(&self, piece: u32, begin: u32, length: u32) {
        if !self.have.get(piece) {
            self.store.block_verified(piece, begin, length);
        }
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::PieceVerified { piece } => {
                self.have.set(piece);
                self.store.verified(piece);
                self.origin.verified(piece);
                self.dirty = true;
                let twins = self.store.twins(piece).into_iter().filter(|twin| !self.have.get(*twin));
                self.next.extend(twins.map(|piece| Input::PieceAvailable { piece }));
            }
            Event::PieceLost { piece } => {
                self.have.clear(piece);
                self.complete = false;
            }
            Event::Complete => self.flush(true),
            Event::PieceFailed { piece } => tracing::info!(piece, "a piece came false"),
            Event::PeerBanned { addr } => tracing::info!(%addr, "a peer sent false bytes and is banned"),
            Event::OriginFalse { piece, block } => self.origin.was_false(piece, block),
            Event::LayerVerified { file } => tracing::debug!(file, "piece layer verified"),
        }
    }

    fn read_leaves(&self, piece: u32) {
        let (store, done) = (Arc::clone(&self.store), self.done.clone());
        let length = self.layout.piece_bytes(piece);
        self.session.pool().run(move || {
            let read = store.read(piece, 0, length);
            let leaves = read.ok().map(|data| data.chunks(BLOCK as usize).map(leaf).collect());
            let _ = done.send(Happening::Leaves { piece, leaves });
        });
    }

    fn flush(&mut self, complete: bool) {
        if !complete && (!self.dirty || self.flushing) {
            return;
        }
        (self.dirty, self.flushing) = (false, true);
        let (store, done) = (Arc::clone(&self.store), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let _ = done.send(Happening::Flushed { complete, outcome: store.flush() });
        });
    }

    fn flushed(&mut self, complete: bool, outcome: Result<(), PieceStoreError>) {
        self.flushing = false;
        if let Err(error) = outcome {
            self.dirty = true;
            self.store_failed(&error);
        } else if complete && !self.complete {
            self.complete = true;
            self.tell_status();
            self.announcer.iter().for_each(announcer::Handle::completed);
            let _ = self.events.send(TorrentEvent::Complete);
        }
    }

    fn tell_status(&self) {
        let stats = self.swarm.stats(self.session.limiter().now());
        let mut have = self.have.clone();
        self.excluded.iter().for_each(|piece| {
            have.set(*piece);
        });
        self.status.send_replace(TorrentStatus {
            stats,
            origins: self.origin.statuses(),
            trackers: self.trackers.clone(),
            origin_wire_bytes: self.origin.wire_bytes(),
            have: have.as_bytes().to_vec(),
        });
    }

    async fn end(mut self, stopped: Option<oneshot::Sender<()>>) {
        self.ending.cancel();
        let heirs = self.session.forget(&self.infohash);
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            self.forget(peer);
        }
        self.origin.stop();
        self.tell_status();
        let goodbye = self.announcer.take().map(announcer::Handle::stop);
        let store = Arc::clone(&self.store);
        let flush = tokio::task::spawn_blocking(move || store.flush());
        let others = self.leave_others();
        let (flushed, _, ()) = tokio::join!(flush, OptionFuture::from(goodbye), others);
        heirs.begin();
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "what was verified last could not be made durable");
        }
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }
}
