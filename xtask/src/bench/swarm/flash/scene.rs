//! One run: who is started when, and when each was done.

use super::{
    super::{
        super::{
            fleet::Fleet,
            netns::{Carried, World},
            payload::Scratch,
        },
        Context,
        client::{Client, Job},
        goods::Goods,
        machine::{Shares, Ticks},
        origin,
    },
    Flash, Log, Source,
};
use crate::failure::Failure;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How often the counters of the links are read.
const SAMPLE: Duration = Duration::from_millis(100);
/// A run is over after so many times its bound.
const LIMIT_BOUNDS: f64 = 4.0;
const START_LIMIT: Duration = Duration::from_secs(60);
/// The origin has told the tracker of itself by then.
const ANNOUNCED: Duration = Duration::from_secs(1);

/// How it went.
pub(super) struct Outcome {
    /// Seconds from the start, of those who were done.
    pub(super) done: Vec<f64>,
    /// Bytes that the origin had sent by the last completion, or by the end.
    pub(super) origin_sent: u64,
    /// Bytes that all peers had sent and received by then.
    pub(super) peers_sent: u64,
    pub(super) peers_received: u64,
    /// Bytes that the origin, and all peers, had sent after each second.
    pub(super) timeline: Vec<(u64, u64)>,
    /// Seconds until the end.
    pub(super) seconds: f64,
    /// What the processors did.
    pub(super) shares: Shares,
}

/// One run under way.
pub(super) struct Scene<'a> {
    pub(super) flash: &'a Flash,
    pub(super) client: Client,
    pub(super) context: &'a Context,
    pub(super) scratch: &'a Scratch,
    pub(super) world: &'a World,
    pub(super) goods: &'a Goods,
}

impl Scene<'_> {
    /// From the tracker's start to the last byte compared.
    pub(super) fn play(&self, log: &mut Log) -> Result<Outcome, Failure> {
        let logs = self.scratch.folder("logs")?;
        let mut fleet = Fleet::new(&logs, &self.context.stop);
        let tracker = origin::tracker(&mut fleet, &self.world.middle, &self.goods.infohash, &logs)?;
        let inside = fleet.id(tracker);
        self.open_origin(&mut fleet, &logs)?;
        std::thread::sleep(ANNOUNCED);
        let (peers, started) = self.start_peers(&mut fleet)?;
        let outcome = self.watch(&mut fleet, &peers, started, inside, log)?;
        if outcome.done.len() == peers.len() {
            (0..peers.len()).try_for_each(|index| self.goods.compare(&self.folder(index)))?;
        }
        log.keep(&logs)?;
        Ok(outcome)
    }

    /// Whether the origin is a web server for this client.
    fn over_http(&self) -> bool {
        match self.flash.source {
            Source::Seed => false,
            Source::Http => true,
            Source::HttpForOurs => self.client == Client::Ours,
        }
    }

    fn job(&self) -> Job {
        let (tracker, http) = (origin::TRACKER_PORT, origin::HTTP_PORT);
        Job {
            torrent: self.goods.torrent.clone(),
            home: self.scratch.path("home"),
            tracker: Some(format!("http://{}:{tracker}/announce", self.world.middle.ip)),
            web_seed: self.over_http().then(|| format!("http://{}:{http}/", self.world.nodes[0].ip)),
            our_words: self.flash.our_words,
            ..Job::default()
        }
    }

    fn folder(&self, peer: usize) -> std::path::PathBuf {
        self.scratch.path(&format!("peer-{peer}"))
    }

    fn open_origin(&self, fleet: &mut Fleet, logs: &Path) -> Result<(), Failure> {
        let node = &self.world.nodes[0];
        if self.over_http() {
            return origin::http(fleet, node, &self.goods.home, logs).map(drop);
        }
        let job = Job { folder: self.goods.home.clone(), trust: true, ..self.job() };
        let seed = fleet.start("seed", &mut job.command(self.client, node, self.context))?;
        if self.client.waits_for_word() {
            fleet.all_said(&[seed], "prepared", START_LIMIT)?;
            fleet.tell(seed, "go")?;
        }
        fleet.all_said(&[seed], "ready", START_LIMIT).map(drop)
    }

    /// All at one moment, which is returned: the first program's start, or the word they waited for.
    fn start_peers(&self, fleet: &mut Fleet) -> Result<(Vec<usize>, Instant), Failure> {
        let mut commands = Vec::new();
        for (index, node) in self.world.nodes[1..].iter().enumerate() {
            let folder = self.scratch.folder(&format!("peer-{index}"))?;
            let home = self.scratch.folder(&format!("home-{index}"))?;
            commands.push(Job { folder, home, ..self.job() }.command(self.client, node, self.context));
        }
        let mut started = Instant::now();
        let peers = commands
            .iter_mut()
            .map(|command| fleet.start("peer", command))
            .collect::<Result<Vec<usize>, _>>()?;
        if self.client.waits_for_word() {
            fleet.all_said(&peers, "prepared", START_LIMIT)?;
            started = Instant::now();
            peers.iter().try_for_each(|peer| fleet.tell(*peer, "go"))?;
        }
        Ok((peers, started))
    }

    /// Until all are done, or the time is over.
    fn watch(
        &self,
        fleet: &mut Fleet,
        peers: &[usize],
        started: Instant,
        inside: u32,
        log: &mut Log,
    ) -> Result<Outcome, Failure> {
        let (limit, ticks) = (self.flash.bound() * LIMIT_BOUNDS, Ticks::now()?);
        let mut done: Vec<Option<f64>> = peers.iter().map(|_| None).collect();
        let (mut timeline, mut sampled) = (Vec::new(), Duration::ZERO);
        while done.iter().any(Option::is_none) && started.elapsed().as_secs_f64() < limit {
            if let Some(said) = fleet.next(SAMPLE / 4)? {
                log.said(started, &said)?;
                let complete = said.line.as_ref().is_some_and(|line| line["t"] == "complete");
                if let Some(peer) = peers.iter().position(|who| *who == said.who).filter(|_| complete) {
                    done[peer] = Some(said.at.saturating_duration_since(started).as_secs_f64());
                }
            }
            let now = started.elapsed();
            if now >= sampled + SAMPLE {
                sampled = now;
                let links = self.world.carried(inside)?;
                if now.as_secs() as usize > timeline.len() {
                    timeline.push((links[0].sent, sum(&links, |link| link.sent)));
                }
                log.carried(now, &links)?;
            }
        }
        // What the origin told the tracker before the start is counted too: some hundred bytes.
        let links = self.world.carried(inside)?;
        log.carried(started.elapsed(), &links)?;
        Ok(Outcome {
            done: done.into_iter().flatten().collect(),
            origin_sent: links[0].sent,
            peers_sent: sum(&links, |link| link.sent),
            peers_received: sum(&links, |link| link.received),
            timeline,
            seconds: started.elapsed().as_secs_f64(),
            shares: ticks.shares_since()?,
        })
    }
}

/// Over all peers; the first link is the origin's.
fn sum(links: &[Carried], one: fn(&Carried) -> u64) -> u64 {
    links[1..].iter().map(one).sum()
}
