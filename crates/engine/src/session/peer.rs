//! One connection: a reader and a writer task between the socket and the torrent's actor.
//!
//! The reader takes from the socket only what the download cap grants, the writer sends only what the
//! upload cap grants; a full channel to the actor stops the reader, so a slow disk stops the socket.

use super::{
    happening::{BlockRange, Happening},
    limiter::Flow,
};
use crate::piece_store::PieceStore;
use bytes::BufMut;
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use swarm::{
    PeerKey,
    bandwidth::Direction,
    wire::{Decoder, Message, encode},
};
use tokio::{
    io::AsyncWriteExt,
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
};

/// Read from the socket at once at most.
const READ_BYTES: u32 = 64 * 1024;
/// Bytes of a piece message before its data: length, kind, piece, offset.
const FRAME_HEADER: usize = 13;
/// A connection whose other end takes no byte for so long is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages queued to a peer that does not read; beyond this it is closed.
const QUEUE_MAX: usize = 200_000;

/// What the actor tells a writer.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send a message.
    Message(Message),
    /// Read a block and send it.
    Block(BlockRange),
    /// Drop a block that was not sent yet.
    Cancel(BlockRange),
}

/// What both tasks of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) peer: PeerKey,
    pub(crate) flow: Arc<Flow>,
    pub(crate) store: Arc<dyn PieceStore>,
    /// Messages, bounded: back-pressure.
    pub(crate) wire: mpsc::Sender<Happening>,
    /// Completions.
    pub(crate) done: mpsc::UnboundedSender<Happening>,
}

/// Reads messages until the connection ends, then says so.
pub(crate) async fn read(link: Link, mut socket: OwnedReadHalf, piece_count: u32) {
    let mut decoder = Decoder::new(piece_count);
    if let Err(error) = read_messages(&link, &mut socket, &mut decoder).await {
        tracing::debug!(peer = link.peer.0, %error, "connection ended");
    }
    let _ = link.done.send(Happening::Closed { peer: link.peer });
}

async fn read_messages(link: &Link, socket: &mut OwnedReadHalf, decoder: &mut Decoder) -> io::Result<()> {
    loop {
        // Waiting for bytes before asking for a grant keeps an idle connection from holding a turn.
        link.flow.tune(Direction::Down, socket.as_ref());
        socket.readable().await?;
        let granted = link.flow.acquire(Direction::Down, READ_BYTES).await;
        decoder.buffer().reserve(granted as usize);
        let mut space = decoder.buffer().limit(granted as usize);
        let read = socket.try_read_buf(&mut space);
        let bytes = *read.as_ref().unwrap_or(&0) as u32;
        link.flow.settle(Direction::Down, granted, bytes);
        match read {
            Ok(0) => return Ok(()),
            // The system said too early that there is something.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            other => other.map(drop)?,
        }
        while let Some(message) = decoder.next().map_err(io::Error::other)? {
            let received = Happening::Received { peer: link.peer, message };
            if link.wire.send(received).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Sends what it is ordered until the connection ends.
pub(crate) async fn write(link: Link, mut socket: OwnedWriteHalf, orders: mpsc::UnboundedReceiver<Order>) {
    let mut writer = Writer { link: &link, orders, blocks: VecDeque::new(), buffer: Vec::new() };
    if let Err(error) = writer.run(&mut socket).await {
        tracing::debug!(peer = link.peer.0, %error, "connection ended");
    }
    let _ = link.done.send(Happening::Closed { peer: link.peer });
}

struct Writer<'a> {
    link: &'a Link,
    orders: mpsc::UnboundedReceiver<Order>,
    blocks: VecDeque<BlockRange>,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    async fn run(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        loop {
            if self.blocks.is_empty() && self.buffer.is_empty() {
                match self.orders.recv().await {
                    Some(order) => self.take(order),
                    None => return Ok(()),
                }
            }
            if self.orders.len() > QUEUE_MAX {
                return Err(io::Error::other("the peer does not read"));
            }
            while let Ok(order) = self.orders.try_recv() {
                self.take(order);
            }
            if !self.buffer.is_empty() {
                let buffer = std::mem::take(&mut self.buffer);
                self.link.flow.message(Direction::Up, buffer.len());
                send(socket, &buffer).await?;
            }
            if !self.blocks.is_empty() {
                self.send_blocks(socket).await?;
            }
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Message(message) => encode(&message, &mut self.buffer),
            Order::Block(block) => self.blocks.push_back(block),
            Order::Cancel(block) => {
                if let Some(at) = self.blocks.iter().position(|queued| *queued == block) {
                    self.blocks.remove(at);
                    let _ = self.link.done.send(Happening::Dropped { peer: self.link.peer, block });
                }
            }
        }
    }

    /// Sends the next block, or without a cap all that wait: under a cap a cancel should still find them.
    async fn send_blocks(&mut self, socket: &mut OwnedWriteHalf) -> io::Result<()> {
        let count = if self.link.flow.is_capped(Direction::Up) { 1 } else { self.blocks.len() };
        let blocks: Vec<BlockRange> = self.blocks.drain(..count).collect();
        let (store, peer) = (Arc::clone(&self.link.store), self.link.peer);
        let read = tokio::task::spawn_blocking(move || read_frames(&*store, &blocks));
        let (frames, outcomes) = read.await.map_err(io::Error::other)?;
        let mut rest = frames.as_slice();
        while !rest.is_empty() {
            self.link.flow.tune(Direction::Up, socket.as_ref());
            let granted = self.link.flow.acquire(Direction::Up, rest.len() as u32).await;
            let (now, later) = rest.split_at((granted as usize).min(rest.len()));
            send(socket, now).await?;
            self.link.flow.settle(Direction::Up, granted, now.len() as u32);
            rest = later;
        }
        for (block, readable) in outcomes {
            let happened = if readable {
                Happening::Sent { peer, block }
            } else {
                Happening::Unreadable { peer, block }
            };
            let _ = self.link.done.send(happened);
        }
        Ok(())
    }
}

/// Reads blocks into frames as they go over the wire, and says which could be read.
fn read_frames(store: &dyn PieceStore, blocks: &[BlockRange]) -> (Vec<u8>, Vec<(BlockRange, bool)>) {
    let mut frames =
        Vec::with_capacity(blocks.iter().map(|block| block.length as usize + FRAME_HEADER).sum());
    let mut outcomes = Vec::with_capacity(blocks.len());
    for block in blocks {
        let readable = match store.read(block.piece, block.begin, block.length) {
            Ok(data) if data.len() == block.length as usize => {
                let message = Message::Piece { index: block.piece, begin: block.begin, data: data.into() };
                encode(&message, &mut frames);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(piece = block.piece, %error, "a block could not be read for a peer");
                false
            }
        };
        outcomes.push((*block, readable));
    }
    (frames, outcomes)
}

async fn send(socket: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    tokio::time::timeout(WRITE_TIMEOUT, socket.write_all(bytes)).await.map_err(io::Error::other)?
}
