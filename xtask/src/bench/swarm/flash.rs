//! A flash crowd: an origin, and many who start at the same moment, on shaped links.

mod log;
mod scene;

use super::{
    super::{
        measure::median,
        netns::{Link, World},
        payload::Scratch,
    },
    Context,
    client::Client,
    goods::{Goods, Tree},
};
use crate::failure::Failure;
use log::Log;
use scene::{Outcome, Scene};
use serde_json::{Map, Value, json};

const MIB: u64 = 1 << 20;
const PIECE_LENGTH: u64 = 128 * 1024;
const FILES: u64 = 4;
const PEER_UP: u64 = MIB;
const PEER_DOWN: u64 = 8 * MIB;

/// What the origin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A seed of the same client.
    Seed,
    /// A plain web server.
    Http,
    /// A plain web server for ours, a seed of their own for the others.
    HttpForOurs,
}

/// One scenario.
#[derive(Debug, Clone)]
pub(super) struct Flash {
    peers: usize,
    bytes: u64,
    /// What the origin can send.
    origin_up: u64,
    /// What the bound supposes.
    bound_up: u64,
    source: Source,
    /// Further words for `muster`.
    our_words: &'static [&'static str],
}

impl Flash {
    pub(super) fn new(peers: usize, bytes: u64, origin_up: u64, source: Source) -> Self {
        Self { peers, bytes, origin_up, bound_up: origin_up, source, our_words: &[] }
    }

    /// The same, judged by the same bound, with an origin that could send more.
    pub(super) fn able_to_send(self, origin_up: u64, our_words: &'static [&'static str]) -> Self {
        Self { origin_up, our_words, ..self }
    }

    /// The fluid bound in seconds (Kumar and Ross 2006).
    fn bound(&self) -> f64 {
        let (size, peers, up) = (self.bytes as f64, self.peers as f64, self.bound_up as f64);
        let all = peers * size / (up + peers * PEER_UP as f64);
        (size / up).max(size / PEER_DOWN as f64).max(all)
    }

    /// One run; its lines and the links' counters go to a log named `tag`.
    pub(super) fn measure(
        &self,
        client: Client,
        context: &Context,
        tag: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let scratch = Scratch::of_this_process("swarm")?;
        let goods = Goods::make(&scratch, Tree::Even(FILES), self.bytes, PIECE_LENGTH)?;
        let origin_link = Link { up: self.origin_up, down: PEER_DOWN };
        let peer_link = Link { up: PEER_UP, down: PEER_DOWN };
        let links: Vec<_> =
            std::iter::once(origin_link).chain((0..self.peers).map(|_| peer_link)).map(Some).collect();
        let world = World::new(&links)?;
        let scene = Scene { flash: self, client, context, scratch: &scratch, world: &world, goods: &goods };
        let outcome = scene.play(&mut Log::open(tag)?)?;
        Ok(self.figures(&outcome))
    }

    fn figures(&self, outcome: &Outcome) -> Map<String, Value> {
        let bound = self.bound();
        let whole = outcome.done.len() == self.peers;
        let last = outcome.done.iter().copied().fold(0.0, f64::max);
        let middle = median(outcome.done.clone());
        let mut figures = Map::new();
        let mut put = |name: &str, value: Value| figures.insert(name.to_owned(), value);
        put("peers", json!(self.peers));
        put("done", json!(outcome.done.len()));
        put("bound", json!(bound));
        put("cpu_busy", json!(outcome.shares.busy));
        put("cpu_giving_way", json!(outcome.shares.giving_way));
        put("copies", json!(outcome.origin_sent as f64 / self.bytes as f64));
        put("seconds", json!(outcome.done));
        let (all_peers, seconds) = (self.peers as f64, if whole { last } else { outcome.seconds });
        put("origin_use", json!(outcome.origin_sent as f64 / (self.origin_up as f64 * seconds)));
        put("peers_use", json!(outcome.peers_sent as f64 / (PEER_UP as f64 * all_peers * seconds)));
        put("received_over_needed", json!(outcome.peers_received as f64 / (all_peers * self.bytes as f64)));
        put("use_by_second", json!(self.use_by_second(&outcome.timeline)));
        if whole {
            put("last", json!(last));
            put("last_over_bound", json!(last / bound));
            put("last_over_median", json!(last / middle));
        } else {
            put("given_up_after", json!(outcome.seconds));
        }
        figures
    }

    /// Shares of the uplinks that were in use in each second, in per cent: the origin's, and all peers' together.
    fn use_by_second(&self, timeline: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let peers_up = PEER_UP * self.peers as u64;
        let starts = std::iter::once(&(0, 0)).chain(timeline);
        let each = starts.zip(timeline).map(|(before, now)| (now.0 - before.0, now.1 - before.1));
        each.map(|(origin, peers)| (origin * 100 / self.origin_up, peers * 100 / peers_up)).collect()
    }
}
