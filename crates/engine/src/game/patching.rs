//! An update through a patch: its payload comes as a torrent of its own, and each segment is applied as soon as its
//! stretch is here, while the rest still comes.
//!
//! Nothing here can fail a job but the disk, the player's word, or a transfer that does not go on: what a segment does
//! not yield stays missing, and the release torrent brings it afterwards.

mod workers;

use super::{
    Urgency,
    control::{Control, Scale, Step},
    error::GameError,
    fetch::{self, Wanted},
    jobs::{Work, blocking},
    offer::{Described, Release},
    outlook::plan_route,
    release_store::ReleaseStore,
    route::PatchPart,
};
use release::limits::PATCH_MEMORY_MAX;
use serde::Serialize;
use std::{collections::VecDeque, sync::Arc, thread::available_parallelism, time::Duration};
use store::{
    Staging, StoreError,
    patch::{Attempt, Made, Patching, cache::Cache},
    prepare::Prepared,
    space,
};
use tokio::{sync::watch, time::MissedTickBehavior};
use workers::Workers;

/// Memory that the segments being applied may take together, in bytes: as much as the largest that there may be.
const MEMORY_BYTES: u64 = PATCH_MEMORY_MAX;
/// How often it is looked for segments whose payload has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What came of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Patched {
    /// Segments that were worth it here.
    pub segments: u32,
    /// Segments of which nothing could be made.
    pub unusable: u32,
    /// Bytes that came out of the others and were not what the release says; they came as blocks.
    pub false_bytes: u64,
    /// Bytes of the release that were made here.
    pub made_bytes: u64,
    /// Bytes written while making them.
    pub written_bytes: u64,
}

/// What a patch took and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought {
    /// Bytes that it took on the bar.
    pub(super) on_bar: u64,
    /// Bytes of the release that it was to leave to the blocks.
    pub(super) uncovered: u64,
}

/// The patch and what of it is worth it.
type Chosen = (Described, PatchPart);

/// What it takes to apply segments: where everything lies, and where the payload comes to.
type Ground = (Arc<Patching>, Arc<Staging>);

impl Work {
    /// Applies the patch to `release` where that is the cheapest way; `None` where it is not.
    pub(super) async fn patch(
        &mut self,
        release: &Release,
        prepared: &Prepared,
        staging: &Arc<Staging>,
    ) -> Result<Option<Brought>, GameError> {
        let Some((described, part)) = self.choose(release, prepared, staging).await? else { return Ok(None) };
        self.control.enter(Step::Downloading);
        let (patching, payload) = self.open(release, &described, staging).await?;
        let layout = Arc::new(described.torrent.layout.clone());
        let store = ReleaseStore::fetching(Arc::clone(&layout), None, payload);
        let have = store.have();
        let excluded = (0..layout.piece_count()).filter(|piece| !part.pieces.contains(piece)).collect();
        // What is here already, also of other segments, counts as done: a resumed download looks like one.
        let on_bar =
            (0..layout.piece_count()).filter(|piece| part.pieces.contains(piece) || have.get(*piece));
        let total = on_bar.map(|piece| u64::from(layout.piece_bytes(piece))).sum();
        let wanted = Wanted {
            infohash: described.torrent.infohash,
            layers: described.torrent.layers.clone(),
            layout,
            store,
            excluded,
            ranks: Vec::new(),
            sources: self.offer.as_ref().map(|offer| offer.sources.clone()).unwrap_or_default(),
            scale: Scale { total: total + part.uncovered_bytes, after: part.uncovered_bytes },
            background: self.config.urgency == Urgency::Background,
            replaceable: true,
            older: None,
        };
        let come = watch::Sender::new(Come::OnItsWay);
        let fetching = async {
            let fetched = fetch::fetch(&self.session, &self.control, wanted).await;
            come.send_replace(if fetched.is_ok() { Come::Here } else { Come::Never });
            fetched
        };
        let applying = Applying::new(Arc::clone(&patching), &self.control, part.segments, come.subscribe());
        let (fetched, applied) = tokio::join!(fetching, applying.run());
        match fetched {
            // What was made until then is kept; the rest comes as blocks.
            Err(GameError::PatchNotGiven) => {
                tracing::warn!("no server gives the patch: files come as blocks")
            }
            fetched => fetched?,
        }
        let mut patched = applied?;
        patched.written_bytes = patching.written_bytes();
        self.outcome.patch = Some(patched);
        let staged = Arc::clone(staging);
        blocking(move || staged.flush()).await??;
        Ok(Some(Brought { on_bar: total, uncovered: part.uncovered_bytes }))
    }

    /// The patch, if it is the cheapest way and there is room for it.
    async fn choose(
        &mut self,
        release: &Release,
        prepared: &Prepared,
        staging: &Arc<Staging>,
    ) -> Result<Option<Chosen>, GameError> {
        let Some(described) = release.patch.clone() else { return Ok(None) };
        let (release, staged) = (release.clone(), staging.have());
        let (plan, need) = (prepared.plan.clone(), prepared.need_bytes);
        let channel = self.offer.as_ref().map(|offer| offer.channel.clone());
        self.in_folder(move |folder, _| {
            let route = plan_route(folder, &release, channel.as_ref(), &plan, &staged)?;
            if route.patch.segments.is_empty() {
                return Ok(None);
            }
            match space::check(folder, need + route.patch.missing_bytes) {
                Err(StoreError::NoSpace { need, have, .. }) => {
                    tracing::info!(need, have, "no room for the patch: files come as blocks");
                    Ok(None)
                }
                checked => checked.map(|()| Some((described, route.patch))).map_err(GameError::Store),
            }
        })
        .await
    }

    async fn open(
        &mut self,
        release: &Release,
        described: &Described,
        staging: &Arc<Staging>,
    ) -> Result<Ground, GameError> {
        let (release, described, staging) = (release.clone(), described.clone(), Arc::clone(staging));
        self.in_folder(move |folder, _| {
            let payload = Arc::new(Cache::of(folder).open(&described.torrent)?);
            let releases = (described.from, release.manifest);
            let kept = Arc::clone(&payload);
            let patching = Patching::new(folder, releases, release.layers, described.patch, kept, staging);
            Ok((Arc::new(patching), payload))
        })
        .await
    }
}

/// Whether the payload is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Come {
    OnItsWay,
    Here,
    /// The transfer ended without it.
    Never,
}

/// Applies segments on threads that may block, as many at once as memory allows.
struct Applying<'a> {
    patching: Arc<Patching>,
    control: &'a Control,
    come: watch::Receiver<Come>,
    waiting: VecDeque<usize>,
    workers: Workers,
    /// What those that run take, in bytes.
    memory: u64,
    /// Bytes of new files, dealt with and in all.
    bytes: (u64, u64),
    threads: usize,
    done: Patched,
}

impl<'a> Applying<'a> {
    fn new(
        patching: Arc<Patching>,
        control: &'a Control,
        segments: Vec<usize>,
        come: watch::Receiver<Come>,
    ) -> Self {
        let done =
            Patched { segments: u32::try_from(segments.len()).unwrap_or(u32::MAX), ..Patched::default() };
        let threads = available_parallelism().map_or(1, usize::from);
        Self {
            control,
            come,
            bytes: (0, segments.iter().map(|segment| patching.new_bytes(*segment)).sum()),
            waiting: segments.into(),
            workers: Workers::start(&patching, threads),
            memory: 0,
            patching,
            threads,
            done,
        }
    }

    /// Until every segment was tried; nothing runs any more when it ends, however it ends.
    async fn run(mut self) -> Result<Patched, GameError> {
        let worked = self.work().await;
        self.workers.end().await;
        worked.map(|()| self.done)
    }

    async fn work(&mut self) -> Result<(), GameError> {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            let come = *self.come.borrow();
            match come {
                Come::Never => return self.finish_running().await,
                Come::Here if !std::mem::replace(&mut told, true) => self.control.enter(Step::Preparing),
                Come::Here | Come::OnItsWay => {}
            }
            self.start_what_is_ready(come);
            if self.workers.running() == 0 && self.waiting.is_empty() {
                return Ok(());
            }
            tokio::select! {
                ended = self.workers.next() => {
                    let (segment, result) = ended?;
                    self.memory -= self.patching.memory(segment);
                    self.bytes.0 += self.patching.new_bytes(segment);
                    self.tell();
                    self.ended(result)?;
                }
                _ = look.tick() => {}
                // An end of the transfer shows at the next turn; its sender lives as long as this does.
                Ok(()) = self.come.changed() => {}
                () = self.control.cancelled.cancelled() => return Err(GameError::Cancelled),
            }
        }
    }

    /// While the payload comes, the bar is the download's.
    fn tell(&self) {
        if *self.come.borrow() == Come::Here {
            let (bytes_done, bytes_total) = self.bytes;
            self.control.hashed(store::Progress { bytes_done, bytes_total, ..store::Progress::default() });
        }
    }

    /// What was begun counts, also where the transfer ended.
    async fn finish_running(&mut self) -> Result<(), GameError> {
        while self.workers.running() > 0 {
            let (_, result) = self.workers.next().await?;
            self.ended(result)?;
        }
        Ok(())
    }

    /// A player who holds the download is spared the work too.
    fn is_held(&self) -> bool {
        self.control.pause.borrow().is_some()
    }

    fn start_what_is_ready(&mut self, come: Come) {
        if self.is_held() {
            return;
        }
        for _ in 0..self.waiting.len() {
            let Some(segment) = self.waiting.pop_front() else { return };
            let memory = self.patching.memory(segment);
            let fits = self.workers.running() == 0 || self.memory + memory <= MEMORY_BYTES;
            if !fits || self.workers.running() >= self.threads {
                // It goes first the next time, so that a large one is not passed over for ever.
                return self.waiting.push_front(segment);
            }
            // Once all has come, one that is not ready never will be: it is tried, and says why not.
            let ready = come == Come::Here || self.patching.is_ready(segment);
            if ready && (self.patching.is_fed(segment) || !self.may_be_fed(segment)) {
                self.memory += memory;
                self.workers.give(segment);
            } else {
                self.waiting.push_back(segment);
            }
        }
    }

    /// Whether a segment before this one is still to be applied: what it takes of new files, those make.
    fn may_be_fed(&self, segment: usize) -> bool {
        self.workers.running() > 0 || self.waiting.iter().any(|earlier| *earlier < segment)
    }

    fn ended(&mut self, result: store::error::Result<Attempt<Made>>) -> Result<(), GameError> {
        match result? {
            Ok(made) => {
                self.done.made_bytes += made.good_bytes;
                self.done.false_bytes += made.false_bytes;
                if made.false_bytes > 0 {
                    tracing::warn!(bytes = made.false_bytes, "a segment of the patch yields false bytes");
                }
            }
            Err(unusable) => {
                self.done.unusable += 1;
                tracing::warn!(code = unusable.code(), error = %unusable, "a segment of the patch is of no use");
            }
        }
        Ok(())
    }
}
