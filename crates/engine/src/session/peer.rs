//! One connection: a reader and a writer task between the socket and the torrent's actor.
//!
//! The reader takes from the socket only what the download cap grants, the writer sends only what the
//! upload cap grants; a full channel to the actor stops the reader, so a slow disk stops the socket.

mod backlog;
mod frames;

use super::{
    disk::Pool,
    happening::{BlockRange, Happening},
    limiter::Flow,
    pack::{Content, Pace, Packer, Packs},
    slabs::Slabs,
    unpack,
};
use crate::piece_store::PieceStore;
pub(crate) use backlog::Backlog;
use bytes::BufMut;
use frames::Frames;
use release::layout::Layout;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use swarm::{
    PeerKey,
    alias::Alias,
    bandwidth::Direction,
    wire::{Decoder, Message, encode},
};
use tokio::{
    io::AsyncWriteExt,
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
};

/// A connection whose other end takes no byte for so long is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages passed on in one go: a flood of small ones must not stand before everybody else's.
const PASSED_ON_MAX: usize = 64;
/// Blocks read and sent at once: as many as leave within a moment, so that a fast peer costs few
/// calls, and the actor soon hears of what a slow one got.
const AT_ONCE_FIRST: usize = 4;
const AT_ONCE_MAX: usize = 16;
const BRISK: Duration = Duration::from_millis(10);
const SLOW: Duration = Duration::from_millis(100);
/// When a reader that waits for its turn acknowledges what came, each after the one before: with the first packets of a
/// line that is short, and of longer ones. Later the system does it by itself.
const ACKNOWLEDGED_AFTER_MILLIS: [u64; 4] = [2, 4, 8, 16];
/// A peer that gets nothing for so long has no stream any more.
const STREAM_RESTS_AFTER: Duration = Duration::from_secs(2);
/// Buffers for blocks to be sent that are kept for the next who sends: 2 MiB.
const FRAMES_KEPT_MAX: usize = 8;

/// What all connections of a session use in turn.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    slabs: Slabs,
    frames: Mutex<Vec<Frames>>,
    packs: Arc<Packs>,
    unpacked: Arc<unpack::Places>,
}

impl Buffers {
    /// What packing has in common.
    pub(crate) fn packs(&self) -> &Arc<Packs> {
        &self.packs
    }

    /// The places for streams that come.
    pub(crate) fn unpacked(&self) -> &Arc<unpack::Places> {
        &self.unpacked
    }

    fn frames(&self) -> MutexGuard<'_, Vec<Frames>> {
        // A list of buffers is never half changed.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the actor tells a writer.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send a message.
    Message(Message),
    /// Read a block and send it.
    Block(BlockRange),
    /// Read blocks, pack them and send them.
    Run(Run),
    /// Drop a block that was not sent yet.
    Cancel(BlockRange),
}

/// Blocks to be sent packed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) blocks: Vec<BlockRange>,
    /// The peer's number for the message.
    pub(crate) id: u8,
    /// They may continue its stream.
    pub(crate) solid: bool,
}

/// What waits in a writer.
#[derive(Debug)]
enum Waiting {
    Block(BlockRange),
    Run(Run),
}

/// What both tasks of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) peer: PeerKey,
    pub(crate) flow: Arc<Flow>,
    pub(crate) store: Arc<dyn PieceStore>,
    pub(crate) pool: Pool,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) content: Arc<Content>,
    /// Of a peer of another release: which of our pieces is which of its own.
    pub(crate) alias: Option<Arc<Alias>>,
    pub(crate) backlog: Arc<Backlog>,
    /// Messages, bounded: back-pressure.
    pub(crate) wire: mpsc::Sender<Happening>,
    /// Completions.
    pub(crate) done: mpsc::UnboundedSender<Happening>,
}

/// Reads messages until the connection ends, then says so.
pub(crate) async fn read(link: Link, mut socket: OwnedReadHalf, piece_count: u32) {
    let _counted = link.buffers.slabs.count();
    let mut decoder = Decoder::new(piece_count);
    if let Err(error) = read_messages(&link, &mut socket, &mut decoder).await {
        tracing::debug!(peer = link.peer.0, %error, "connection ended");
    }
    let _ = link.done.send(Happening::Closed { peer: link.peer });
}

async fn read_messages(link: &Link, socket: &mut OwnedReadHalf, decoder: &mut Decoder) -> io::Result<()> {
    loop {
        link.backlog.room().await;
        // Waiting for bytes before asking for a grant keeps an idle connection from holding a turn.
        link.flow.tune(Direction::Down, socket.as_ref());
        socket.readable().await?;
        let room = link.buffers.slabs.make_room(decoder.buffer());
        let granted = turn(link, socket, room).await;
        let mut space = decoder.buffer().limit(granted as usize);
        let read = socket.try_read_buf(&mut space);
        let bytes = *read.as_ref().unwrap_or(&0) as u32;
        link.flow.settle(Direction::Down, granted, bytes);
        match read {
            Ok(0) => return Ok(()),
            // There is no more, or the system said too early that there is something.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                link.buffers.slabs.rest(decoder.buffer());
                continue;
            }
            other => other.map(drop)?,
        }
        if !tell(link, decoder).await? {
            return Ok(());
        }
    }
}

/// Waits for a grant. What comes meanwhile is acknowledged: the system would wait until it is read, and the other end
/// would take it for lost and send it again (RFC 8985, after twice the way there and back).
async fn turn(link: &Link, socket: &OwnedReadHalf, room: u32) -> u32 {
    let granted = link.flow.acquire(Direction::Down, room);
    tokio::pin!(granted);
    for wait in ACKNOWLEDGED_AFTER_MILLIS.map(Duration::from_millis) {
        tokio::select! {
            biased;
            granted = &mut granted => return granted,
            () = tokio::time::sleep(wait) => Flow::acknowledge(socket.as_ref()),
        }
    }
    granted.await
}

/// Passes on what came, many messages in one go: waking the actor for each would cost more than they do. False when
/// there is nobody left to tell.
async fn tell(link: &Link, decoder: &mut Decoder) -> io::Result<bool> {
    loop {
        let mut messages = Vec::new();
        let mut end = None;
        let mut dear = false;
        while end.is_none() && !dear && messages.len() < PASSED_ON_MAX {
            match decoder.next() {
                Ok(Some(message)) => {
                    // Its answer is a thousand times as long: few may be on their way before the answers count.
                    dear = matches!(message, Message::HashRequest(_));
                    messages.push(message);
                }
                Ok(None) => end = Some(Ok(())),
                Err(error) => end = Some(Err(io::Error::other(error))),
            }
        }
        let heard = messages.is_empty()
            || link.wire.send(Happening::Received { peer: link.peer, messages }).await.is_ok();
        match end {
            Some(Err(error)) => return Err(error),
            Some(Ok(())) => return Ok(heard),
            None if !heard => return Ok(false),
            None => link.backlog.room().await,
        }
    }
}

/// Sends what it is ordered until the connection ends.
pub(crate) async fn write(link: Link, mut socket: OwnedWriteHalf, orders: mpsc::UnboundedReceiver<Order>) {
    let mut writer = Writer {
        link: &link,
        orders,
        waiting: VecDeque::new(),
        packer: Some(Packer::new(&link.buffers.packs, &link.content)),
        pace: Pace::default(),
        buffer: Vec::new(),
        waits: 0,
        at_once: AT_ONCE_FIRST,
    };
    if let Err(error) = writer.run(&mut socket).await {
        tracing::debug!(peer = link.peer.0, %error, "connection ended");
    }
    let _ = link.done.send(Happening::Closed { peer: link.peer });
}

/// Blocks that were read, and if they were packed who did it and how long it took.
struct Read {
    frames: Frames,
    packed: Option<(Packer, Duration)>,
}

type Reading = Pin<Box<dyn Future<Output = Option<Read>> + Send>>;

struct Writer<'a> {
    link: &'a Link,
    orders: mpsc::UnboundedReceiver<Order>,
    waiting: VecDeque<Waiting>,
    /// At rest; while a run is being packed it is away.
    packer: Option<Packer>,
    pace: Pace,
    buffer: Vec<u8>,
    /// What the messages in the buffer count in the backlog.
    waits: usize,
    /// Blocks that leave within a moment.
    at_once: usize,
}

impl Writer<'_> {
    async fn run(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        loop {
            if self.waiting.is_empty() && self.buffer.is_empty() {
                match self.next_order().await {
                    Some(order) => self.take(order),
                    None => return Ok(()),
                }
            }
            self.send_messages(socket).await?;
            self.send_blocks(socket).await?;
        }
    }

    /// The next order; a stream is not kept for a peer that gets nothing for long.
    async fn next_order(&mut self) -> Option<Order> {
        if let Some(packer) = self.packer.as_mut().filter(|packer| packer.has_stream()) {
            match tokio::time::timeout(STREAM_RESTS_AFTER, self.orders.recv()).await {
                Ok(order) => return order,
                Err(_) => packer.rest(),
            }
        }
        self.orders.recv().await
    }

    /// Takes what is ordered and sends what needs no disk.
    async fn send_messages(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        while let Ok(order) = self.orders.try_recv() {
            self.take(order);
        }
        if !self.buffer.is_empty() {
            self.link.flow.message(Direction::Up, self.buffer.len());
            send(socket, &mut [IoSlice::new(&self.buffer)]).await?;
            self.buffer.clear();
            self.buffer.shrink_to(4096);
            self.link.backlog.remove(std::mem::take(&mut self.waits));
        }
        Ok(())
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Message(message) => {
                self.waits += backlog::cost(&message);
                encode(&message, &mut self.buffer);
            }
            Order::Block(block) => self.waiting.push_back(Waiting::Block(block)),
            Order::Run(run) => self.waiting.push_back(Waiting::Run(run)),
            Order::Cancel(block) => {
                if self.withdraw(block) {
                    let _ = self.link.done.send(Happening::Dropped { peer: self.link.peer, block });
                }
            }
        }
    }

    /// Whether a block waited, which then waits no more.
    fn withdraw(&mut self, block: BlockRange) -> bool {
        for at in 0..self.waiting.len() {
            match &mut self.waiting[at] {
                Waiting::Block(queued) if *queued == block => {
                    self.waiting.remove(at);
                    return true;
                }
                Waiting::Run(run) => {
                    if let Some(place) = run.blocks.iter().position(|queued| *queued == block) {
                        run.blocks.remove(place);
                        return true;
                    }
                }
                Waiting::Block(_) => {}
            }
        }
        false
    }

    /// Sends the blocks that wait. While some go out, the next are read and packed.
    async fn send_blocks(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        let mut reading = self.read_next();
        while let Some(read) = reading {
            let panicked = || io::Error::other("reading blocks ended by a panic");
            let Read { frames, packed } = read.await.ok_or_else(panicked)?;
            let packed = packed.map(|(packer, took)| {
                self.packer = Some(packer);
                took
            });
            self.send_messages(socket).await?;
            reading = self.read_next();
            let began = Instant::now();
            self.send_frames(socket, &frames).await?;
            if let Some(packing) = packed {
                // The packer may be at the next run already.
                self.pace.went(frames.content(), packing);
            }
            self.tell_sent(frames);
            let took = began.elapsed();
            if took <= BRISK {
                self.at_once = (self.at_once * 2).min(AT_ONCE_MAX);
            } else if took >= SLOW {
                self.at_once = (self.at_once / 2).max(1);
            }
        }
        Ok(())
    }

    /// Begins to read the next blocks, under a cap only one: a cancel should still find the others. A run is read and
    /// packed as it was ordered.
    fn read_next(&mut self) -> Option<Reading> {
        match self.waiting.front()? {
            Waiting::Block(_) => Some(Box::pin(self.read_blocks())),
            Waiting::Run(_) => {
                let Some(Waiting::Run(run)) = self.waiting.pop_front() else { return None };
                let mut packer = self.packer.take()?;
                packer.step = self.pace.step();
                Some(Box::pin(self.read_run(run, packer)))
            }
        }
    }

    fn read_blocks(&mut self) -> impl Future<Output = Option<Read>> + Send + use<> {
        let most = if self.link.flow.is_capped(Direction::Up) { 1 } else { self.at_once };
        let block = |waiting: &Waiting| if let Waiting::Block(block) = waiting { Some(*block) } else { None };
        let blocks: Vec<BlockRange> = self.waiting.iter().map_while(block).take(most).collect();
        self.waiting.drain(..blocks.len());
        let read = self.reader(blocks);
        self.link.pool.ask(move || Read { frames: read(), packed: None })
    }

    fn read_run(&self, run: Run, mut packer: Packer) -> impl Future<Output = Option<Read>> + Send + use<> {
        let (pool, turns) = (self.link.pool.clone(), packer.turns());
        let Run { blocks, id, solid } = run;
        let (layout, alias) = (Arc::clone(&self.link.layout), self.link.alias.clone());
        let read = self.reader(blocks);
        let began = Instant::now();
        // Begun at once, not when it is awaited: it is packed while what came before goes out.
        let packed = tokio::spawn(async move {
            // It is never closed; and without a turn there is only more to do at once.
            let turn = turns.acquire_owned().await.ok();
            pool.ask(move || {
                let mut frames = read();
                frames.pack(&mut packer, id, solid, &layout, alias.as_deref());
                drop(turn);
                Read { frames, packed: Some((packer, began.elapsed())) }
            })
            .await
        });
        async move { packed.await.ok().flatten() }
    }

    /// What reads these blocks.
    fn reader(&self, blocks: Vec<BlockRange>) -> impl FnOnce() -> Frames + Send + use<> {
        let (store, layout) = (Arc::clone(&self.link.store), Arc::clone(&self.link.layout));
        let alias = self.link.alias.clone();
        let mut frames = self.link.buffers.frames().pop().unwrap_or_default();
        move || {
            // Only blocks that have a number there are ordered.
            let shown = |piece| alias.as_ref().and_then(|alias| alias.theirs(piece)).unwrap_or(piece);
            frames.read(&*store, &blocks, |piece| layout.piece_bytes(piece), shown);
            frames
        }
    }

    async fn send_frames(&self, socket: &mut OwnedWriteHalf, frames: &Frames) -> io::Result<()> {
        let flow = &self.link.flow;
        let (mut sent, length) = (0, frames.length());
        while sent < length {
            flow.tune(Direction::Up, (*socket).as_ref());
            let granted = flow.acquire(Direction::Up, (length - sent) as u32).await;
            let end = length.min(sent + granted as usize);
            send(socket, &mut frames.slices(sent, end)).await?;
            flow.settle(Direction::Up, granted, (end - sent) as u32);
            sent = end;
        }
        Ok(())
    }

    fn tell_sent(&self, mut frames: Frames) {
        let peer = self.link.peer;
        let blocks = frames.sent();
        if !blocks.is_empty() {
            let _ = self.link.done.send(Happening::Sent { peer, blocks });
        }
        for block in frames.unreadable.drain(..) {
            let _ = self.link.done.send(Happening::Unreadable { peer, block });
        }
        let mut kept = self.link.buffers.frames();
        if kept.len() < FRAMES_KEPT_MAX {
            kept.push(frames);
        }
    }
}

/// Sends all of it; a connection that takes nothing for long is an error.
async fn send(socket: &mut OwnedWriteHalf, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let write = socket.write_vectored(slices);
        match tokio::time::timeout(WRITE_TIMEOUT, write).await.map_err(io::Error::other)?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => IoSlice::advance_slices(&mut slices, sent),
        }
    }
    Ok(())
}
