//! The connections of one torrent: their tasks, what goes to them and what comes.

use super::{Actor, others::Language};
use crate::session::{
    connections::Place,
    happening::BlockRange,
    peer::{self, Backlog, Link, Order, Run},
    unpack::{self, Unpacker},
};
use std::{net::SocketAddr, sync::Arc};
use swarm::{
    Block, Class, Input, PeerKey, Via,
    wire::{Handshake, Message},
};
use tokio::{net::TcpStream, sync::mpsc, task::AbortHandle};

/// What the actor holds of one connection.
#[derive(Debug)]
pub(super) struct PeerTasks {
    pub(super) class: Class,
    /// Of a player of another release.
    pub(super) language: Option<Language>,
    orders: mpsc::UnboundedSender<Order>,
    backlog: Arc<Backlog>,
    unpacker: Arc<Unpacker>,
    tasks: [AbortHandle; 2],
    _place: Place,
}

impl Actor {
    /// A connection stands: its tasks begin, and the core hears of it.
    pub(super) fn connected(
        &mut self,
        socket: TcpStream,
        handshake: &Handshake,
        addr: SocketAddr,
        outgoing: bool,
    ) -> Option<Input> {
        let via = self.via(&handshake.infohash).filter(|_| self.may_meet(addr.ip()));
        let Some((via, place)) = via.zip(self.session.places().take()) else {
            return outgoing.then_some(Input::ConnectFailed { addr });
        };
        let alias = self.alias(via);
        let piece_count = alias.as_ref().map_or(self.layout.piece_count(), |alias| alias.theirs_count());
        let class = self.session.class_of(addr.ip());
        let peer = self.session.next_peer();
        let (orders, orders_receiver) = mpsc::unbounded_channel();
        let link = Link {
            peer,
            flow: Arc::new(self.scope.peer(class, &socket)),
            store: Arc::clone(&self.store),
            pool: self.session.pool().clone(),
            buffers: Arc::clone(self.session.buffers()),
            layout: Arc::clone(&self.layout),
            content: Arc::clone(&self.content),
            alias,
            backlog: Arc::default(),
            wire: self.wire.clone(),
            done: self.done.clone(),
        };
        let backlog = Arc::clone(&link.backlog);
        let places = Arc::clone(self.session.buffers().unpacked());
        let pool = self.session.pool().clone();
        let unpacker = Unpacker::new(peer, pool, self.store_queue.clone(), places, self.done.clone());
        let (reader, writer) = socket.into_split();
        let read = tokio::spawn(peer::read(link.clone(), reader, piece_count));
        let write = tokio::spawn(peer::write(link, writer, orders_receiver));
        let tasks = [read.abort_handle(), write.abort_handle()];
        let (peer_id, reserved) = (handshake.peer_id, handshake.reserved);
        let language = self.language(via, &reserved);
        let tasks = PeerTasks { class, language, orders, backlog, unpacker, tasks, _place: place };
        self.peers.insert(peer, tasks);
        Some(Input::PeerConnected { peer, addr, via, outgoing, class, peer_id, reserved })
    }

    /// Messages of one peer, in order.
    pub(super) fn received(&mut self, peer: PeerKey, messages: Vec<Message>) {
        let foreign = self.peers.get(&peer).is_some_and(|tasks| tasks.language.is_some());
        for message in messages {
            let heard = if foreign { self.heard(peer, message) } else { Some(message) };
            if let Some(message) = heard {
                self.input(Input::Received { peer, message });
            }
        }
    }

    /// What the core says to a peer.
    pub(super) fn send(&mut self, peer: PeerKey, message: Message) {
        let language = self.peers.get_mut(&peer).and_then(|tasks| tasks.language.as_mut());
        let said = match language {
            None => Some(message),
            Some(language) => language.said(message),
        };
        if let Some(message) = said {
            self.tell(peer, message);
        }
    }

    /// Says something to a peer as it is.
    pub(super) fn tell(&self, peer: PeerKey, message: Message) {
        if let Some(tasks) = self.peers.get(&peer) {
            tasks.backlog.add(&message);
            let _ = tasks.orders.send(Order::Message(message));
        }
    }

    /// Whether a peer has a number for this piece of ours.
    pub(super) fn has_number(&self, peer: PeerKey, piece: u32) -> bool {
        let via = self.peers.get(&peer).map_or(Via::OWN, PeerTasks::via);
        self.alias(via).is_none_or(|alias| alias.theirs(piece).is_some())
    }

    /// Orders a block, or that it is not to be sent.
    pub(super) fn order(&self, peer: PeerKey, order: Order) {
        if let Some(tasks) = self.peers.get(&peer) {
            let _ = tasks.orders.send(order);
        }
    }

    /// Orders blocks as a run; those that the peer has no number for are not sent.
    pub(super) fn order_run(&mut self, peer: PeerKey, blocks: Vec<Block>, id: u8, solid: bool) {
        let mut run = Vec::with_capacity(blocks.len());
        for Block { piece, begin, length } in blocks {
            if !self.has_number(peer, piece) {
                self.next.push_back(Input::BlockDropped { peer, piece, begin, length });
                continue;
            }
            self.let_be_read(piece, begin, length);
            run.push(BlockRange { piece, begin, length });
        }
        if !run.is_empty() {
            self.order(peer, Order::Run(Run { blocks: run, id, solid }));
        }
    }

    /// What a peer sent packed is unpacked and stored.
    pub(super) fn store_packed(&mut self, peer: PeerKey, message: unpack::Message) {
        let wanted = message.wanted();
        match self.peers.get(&peer) {
            Some(tasks) => {
                self.writes += wanted.len();
                tasks.unpacker.push(message);
            }
            None => self.next.push_back(Input::PackedLost { peer, blocks: wanted }),
        }
    }

    pub(super) fn forget(&mut self, peer: PeerKey) -> Option<PeerTasks> {
        let tasks = self.peers.remove(&peer)?;
        tasks.tasks.iter().for_each(AbortHandle::abort);
        Some(tasks)
    }

    /// Leaves everybody who is meant.
    pub(super) fn leave(&mut self, meant: impl Fn(&PeerTasks) -> bool) {
        let leave = self.peers.iter().filter(|(_, tasks)| meant(tasks)).map(|(peer, _)| *peer);
        for peer in leave.collect::<Vec<PeerKey>>() {
            self.forget(peer);
            self.next.push_back(Input::PeerClosed { peer });
        }
    }
}
