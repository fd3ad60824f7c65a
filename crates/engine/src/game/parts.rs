//! A first install that can be played before it is whole: sets are fetched in order, each is put in place by a journaled
//! apply of its own as soon as it is here, and then the rest file by file.
//!
//! Only where nothing or a part of the same release stands. An update stays one step, because two releases must never be
//! mixed.

use super::{
    asked::Asked,
    coming::Coming,
    error::GameError,
    fetch::{self, Wanted},
    jobs::{Work, layout},
    offer::Release,
};
use crate::snapshot::{SetName, SetProgress, Sets};
use release::{
    layout::Layout,
    manifest::{FileSet, Manifest},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use store::{
    GameFolder, Job, Staging, StoreError,
    apply::apply_part,
    fs::Lock,
    partial::{Part, has_parts},
    prepare::Prepared,
};
use swarm::Bitfield;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often it is looked for sets that are here.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often it is looked for requests of games where the system does not tell of them.
const ASKED_INTERVAL: Duration = Duration::from_secs(1);
/// Files that nobody asked for are put in place so often at most …
const BATCH_INTERVAL: Duration = Duration::from_secs(5);
/// … and take at most one part in so many of the time.
const BATCH_SHARE: u32 = 20;

/// Whether `wanted` may stand in part in `folder`.
pub(super) fn may_come_in_parts(folder: &GameFolder, wanted: &Manifest) -> bool {
    let nothing_else = folder.installed().is_none_or(|stands| stands == wanted && folder.partial().is_some());
    nothing_else && has_parts(wanted)
}

impl Work {
    /// The release that stands, if something of it is still to come.
    pub(super) async fn rest(&mut self) -> Result<Option<Release>, GameError> {
        let partial = self.folder.as_ref().is_some_and(|folder| folder.partial().is_some());
        if partial { self.standing_release().await.map(Some) } else { Ok(None) }
    }

    /// Fetches what is missing, and puts it in place as it comes. The last files are left to the apply that ends the job;
    /// until then what is given back says to others that somebody fetches.
    pub(super) async fn fetch_in_parts(
        &mut self,
        release: &Release,
        prepared: &Prepared,
        staging: &Arc<Staging>,
        mut wanted: Wanted,
    ) -> Result<Option<Lock>, GameError> {
        let manifest = Arc::clone(&release.manifest);
        let complete =
            self.folder.as_ref().and_then(|folder| folder.partial()).map(|partial| partial.complete);
        let pieces = Pieces::of(&manifest, &wanted.layout, &wanted.excluded);
        wanted.ranks = pieces.ranks();
        // What stands already is on the bar too: the marks stay where they are.
        wanted.scale.total = pieces.totals.iter().sum();
        self.control.parts.begin(&manifest, pieces, complete);
        let coming = Coming::new(&manifest, &prepared.plan.files, complete);
        let ended = CancellationToken::new();
        let (session, control) = (self.session.clone(), Arc::clone(&self.control));
        let fetching = async {
            let outcome = fetch::fetch(&session, &control, wanted).await;
            ended.cancel();
            outcome
        };
        let (fetched, placed) =
            tokio::join!(fetching, self.place_as_they_come(release, staging, coming, &ended));
        fetched?;
        placed
    }

    /// Puts in place what is due until the transfer ends. What goes wrong is tried again: the transfer goes on meanwhile, and
    /// its end tries for the last time.
    async fn place_as_they_come(
        &mut self,
        release: &Release,
        staging: &Arc<Staging>,
        mut coming: Coming,
        ended: &CancellationToken,
    ) -> Result<Option<Lock>, GameError> {
        let manifest = Arc::clone(&release.manifest);
        let seen = Arc::clone(&manifest);
        let mut asked = self.in_folder(move |folder, _| Ok(Asked::start(folder, &seen))).await?;
        let mut fetching: Option<Lock> = None;
        let noticed = asked.noticed();
        let (mut looked, mut next_batch) = (None::<Instant>, Instant::now() + BATCH_INTERVAL);
        let mut wait_until = Instant::now();
        let mut tick = tokio::time::interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                () = ended.cancelled() => return Ok(fetching),
                () = noticed.notified() => true,
                _ = tick.tick() => false,
            };
            if fetching.is_none() {
                fetching = self.say_fetching().await;
            }
            if told || looked.is_none_or(|at| at.elapsed() >= ASKED_INTERVAL) {
                looked = Some(Instant::now());
                self.look_at_requests(&mut asked, &coming, &manifest).await;
            }
            let now = Instant::now();
            if now < wait_until {
                continue;
            }
            let is_here = |root: &_| staging.is_complete(root);
            let Some(part) = coming.due(is_here, asked.front(), now >= next_batch) else { continue };
            match self.place(release, staging, &part).await {
                Ok(()) => {
                    coming.placed(&part);
                    self.control.parts.placed(part.complete);
                    self.look_at_requests(&mut asked, &coming, &manifest).await;
                }
                Err(GameError::Cancelled) => {}
                Err(error) => {
                    tracing::warn!(%error, "files are not put in place yet");
                    wait_until = Instant::now() + BATCH_INTERVAL;
                }
            }
            next_batch = Instant::now() + BATCH_INTERVAL.max(now.elapsed() * BATCH_SHARE);
        }
    }

    /// While somebody looks whether it is said, it cannot be said: the next look does.
    async fn say_fetching(&mut self) -> Option<Lock> {
        let said = self.in_folder(|folder, _| Ok(folder.try_say_fetching()?)).await;
        said.unwrap_or_else(|error| {
            tracing::warn!(%error, "games cannot see that files are on their way");
            None
        })
    }

    /// Brings to the front of the transfer what games wait for.
    async fn look_at_requests(&self, asked: &mut Asked, coming: &Coming, manifest: &Manifest) {
        let placed = |index: usize| {
            manifest.files.get(index).is_none_or(|file| coming.is_placed(index, file.set))
                // Of a set that does not stand yet nothing does.
                && coming.complete().is_some()
        };
        if let Err(error) = asked.look(placed).await {
            tracing::warn!(%error, "requests of games cannot be looked at");
        }
        if let (Some(torrent), Ok(layout)) = (self.control.torrent(), layout(manifest))
            && let Some(front) = asked.untold()
        {
            tracing::info!(files = front.len(), "games wait for files");
            torrent.set_first(front.iter().flat_map(|index| layout.pieces_of(*index)).collect());
        }
    }

    async fn place(
        &mut self,
        release: &Release,
        staging: &Arc<Staging>,
        part: &Part,
    ) -> Result<(), GameError> {
        let (manifest, layers) = (Arc::clone(&release.manifest), release.layers.clone());
        let (staged, part) = (Arc::clone(staging), part.clone());
        let placed = self
            .in_folder(move |folder, control| {
                // The transfer's own progress is what is shown meanwhile.
                let job =
                    Job { progress: &|_| {}, cancel: &control.cancel, threads: store::hashing::THREADS };
                if folder.partial().is_none() {
                    folder.save_layers(&layers)?;
                }
                Ok(apply_part(folder, &staged, &manifest, &layers, &part, SystemTime::now(), &job)?)
            })
            .await;
        if let Err(GameError::Store(StoreError::ContentBad { .. })) = &placed {
            self.fetch_again(&release.manifest, staging);
        }
        let applied = placed?;
        tracing::info!(version = %applied.version, files = applied.placed, "put in place");
        self.outcome
            .moved_aside
            .extend(applied.moved_aside.iter().map(|(from, to)| format!("{from} -> {to}")));
        Ok(())
    }

    /// What read back wrong is lost in staging; the transfer hears of it.
    fn fetch_again(&self, manifest: &Manifest, staging: &Staging) {
        let (Some(torrent), Ok(layout)) = (self.control.torrent(), layout(manifest)) else { return };
        let had = torrent.status().borrow().have.clone();
        let lost = |piece: &u32| {
            let place = layout.piece(*piece);
            let root = layout.files()[place.file].pieces_root;
            let staged = root.is_some_and(|root| staging.staged_bytes_of(&root) > 0);
            let had = had.get(*piece as usize / 8).is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0);
            had && staged && root.is_some_and(|root| !staging.has(&root, place.offset, place.length.into()))
        };
        torrent.pieces_lost((0..layout.piece_count()).filter(lost).collect());
    }

    /// The whole release is in place: so is whatever games asked for.
    pub(super) async fn requests_are_settled(&mut self) {
        let settled = self.in_folder(|folder, _| Ok(Asked::settle_all(folder)?)).await;
        if let Err(error) = settled {
            tracing::warn!(%error, "requests of games stay");
        }
    }
}

/// Sets of a release, piece by piece.
#[derive(Debug)]
struct Pieces {
    /// Set and bytes of each piece.
    pieces: Vec<(FileSet, u32)>,
    /// Bytes of each set.
    totals: [u64; 3],
}

impl Pieces {
    /// Those that are not to be fetched have no bytes.
    fn of(manifest: &Manifest, layout: &Layout, excluded: &[u32]) -> Self {
        let sets = manifest.sets_by_root();
        let excluded: BTreeSet<&u32> = excluded.iter().collect();
        let bytes = |piece: u32| if excluded.contains(&piece) { 0 } else { layout.piece_bytes(piece) };
        let mut totals = [0; 3];
        let set_of = |piece: u32| {
            let root = layout.files()[layout.piece(piece).file].pieces_root;
            root.and_then(|root| sets.get(&root)).copied().unwrap_or_default()
        };
        let pieces = (0..layout.piece_count()).map(|piece| (set_of(piece), bytes(piece)));
        let pieces: Vec<(FileSet, u32)> = pieces.collect();
        for (set, bytes) in &pieces {
            totals[*set as usize] += u64::from(*bytes);
        }
        Self { pieces, totals }
    }

    /// What goes before the rest.
    fn ranks(&self) -> Vec<Bitfield> {
        let rank = |rank: FileSet| {
            let mut bits = Bitfield::empty(self.pieces.len() as u32);
            for (piece, _) in (0..).zip(&self.pieces).filter(|(_, (set, _))| *set == rank) {
                bits.set(piece);
            }
            bits
        };
        [FileSet::Required, FileSet::Playable].map(rank).into_iter().filter(|rank| !rank.is_empty()).collect()
    }

    fn done(&self, have: &[u8]) -> [u64; 3] {
        let mut done = [0; 3];
        for (at, (set, bytes)) in self.pieces.iter().enumerate() {
            if have.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0) {
                done[*set as usize] += u64::from(*bytes);
            }
        }
        done
    }
}

/// What a job tells of its sets.
#[derive(Debug, Default)]
pub(crate) struct Parts(Mutex<Option<Telling>>);

#[derive(Debug)]
struct Telling {
    version: String,
    pieces: Pieces,
    complete: Option<FileSet>,
    done: [u64; 3],
}

impl Parts {
    fn begin(&self, manifest: &Manifest, pieces: Pieces, complete: Option<FileSet>) {
        let version = manifest.version.to_string();
        *self.lock() = Some(Telling { version, pieces, complete, done: [0; 3] });
    }

    fn placed(&self, complete: FileSet) {
        self.lock().iter_mut().for_each(|telling| telling.complete = Some(complete));
    }

    /// Whether a release comes in parts.
    pub(crate) fn are_coming(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether the game can be started while the rest comes.
    pub(crate) fn are_playable(&self) -> bool {
        self.lock().as_ref().is_some_and(Telling::is_playable)
    }

    /// The version that can be played while the rest of it comes.
    pub(crate) fn playable_version(&self) -> Option<String> {
        self.lock().as_ref().filter(|telling| telling.is_playable()).map(|telling| telling.version.clone())
    }

    /// How far each set is, with the pieces that are here; without, as it was told last.
    pub(crate) fn view(&self, have: Option<&[u8]>) -> Option<Sets> {
        let mut telling = self.lock();
        let telling = telling.as_mut()?;
        if let Some(have) = have {
            telling.done = telling.pieces.done(have);
        }
        Some(telling.view())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Telling>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telling {
    fn is_playable(&self) -> bool {
        self.complete >= Some(FileSet::Playable)
    }

    fn view(&self) -> Sets {
        let progress = |set: FileSet| SetProgress {
            set: name(set),
            total_bytes: self.pieces.totals[set as usize],
            done_bytes: self.done[set as usize],
            in_place: self.complete >= Some(set),
        };
        let sets: Vec<SetProgress> =
            FileSet::ALL.map(progress).into_iter().filter(|set| set.total_bytes > 0).collect();
        let under_way = sets.iter().find(|set| set.done_bytes < set.total_bytes).or(sets.last());
        let fetching = under_way.map_or(SetName::Optional, |set| set.set);
        Sets { fetching, playable: self.is_playable(), sets }
    }
}

fn name(set: FileSet) -> SetName {
    match set {
        FileSet::Required => SetName::Required,
        FileSet::Playable => SetName::Playable,
        FileSet::Optional => SetName::Optional,
    }
}
