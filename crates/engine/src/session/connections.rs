//! How many peers a session has at once, and the open files that they take.
//!
//! Each torrent has its bound, kept by its core; all of a session together have one that this module counts. A peer is a
//! socket, which on Unix is an open file, and files of the game, of HTTP and of the system are open besides: where too few
//! are allowed, more are asked for, and if those do not come the bound is lower. The one place with a word on open files.

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Torrents that may all be at their bound at the same time.
const FULL_TORRENTS: usize = 4;
/// Files that are open besides peers: a game's, the disk threads', HTTP, attempts to connect, greetings under way.
const OTHER_FILES: usize = 256;
/// What every system allows without being asked.
const FILES_ANYWHERE: u64 = 256;

/// How many peers one torrent has at once: 1 to 2,000, by default 80.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections(NonZeroU16);

impl Connections {
    /// The most there may be.
    pub const MAX: u16 = 2_000;

    /// `None` if out of range.
    #[must_use]
    pub fn new(peers: u16) -> Option<Self> {
        NonZeroU16::new(peers).filter(|peers| peers.get() <= Self::MAX).map(Self)
    }

    /// So many peers.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The core's figures: half of the connections are looked for, a tenth of them at a time.
    pub(super) fn applied_to(self, config: swarm::Config, places: &Places) -> swarm::Config {
        let max = usize::from(self.get()).min(places.max);
        let connecting_max = (max / 10).clamp(config.connecting_max.min(max), CONNECTING_MAX);
        swarm::Config { connections_max: max, connections_wanted: max.div_ceil(2), connecting_max, ..config }
    }
}

/// Attempts to connect at a time, however many peers there may be.
const CONNECTING_MAX: usize = 32;
/// Peers of a torrent unless somebody says otherwise.
const DEFAULT: NonZeroU16 = NonZeroU16::new(80).unwrap();

impl Default for Connections {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

/// The places for peers of one session.
#[derive(Debug)]
pub(super) struct Places {
    taken: AtomicUsize,
    max: usize,
    files_are_few: bool,
}

/// One of them, free again when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Places {
    /// For torrents of so many peers each; asks the system for open files if that is more than it allows.
    pub(super) fn new(each: Connections) -> Arc<Self> {
        let wanted = FULL_TORRENTS * usize::from(each.get());
        // On a system without such a limit it is as wanted.
        let files = rlimit::increase_nofile_limit((wanted + OTHER_FILES) as u64).unwrap_or_else(|error| {
            tracing::warn!(%error, "the number of open files cannot be raised");
            FILES_ANYWHERE
        });
        let places = Self::within(each, usize::try_from(files).unwrap_or(usize::MAX));
        if places.files_are_few {
            tracing::warn!(files, peers = places.max, "too few open files are allowed for all peers");
        }
        Arc::new(places)
    }

    fn within(each: Connections, files: usize) -> Self {
        let each = usize::from(each.get());
        // With hardly any files there is still one peer in two files.
        let max = (FULL_TORRENTS * each).min(files.saturating_sub(OTHER_FILES).max(files / 2)).max(1);
        Self { taken: AtomicUsize::new(0), max, files_are_few: max < each }
    }

    /// Whether one torrent cannot have as many peers as were asked for.
    pub(super) fn files_are_few(&self) -> bool {
        self.files_are_few
    }

    /// A place, if one is free.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let more = |taken: usize| (taken < self.max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peers: u16) -> Connections {
        Connections::new(peers).expect("in range")
    }

    #[test]
    fn one_to_two_thousand() {
        assert_eq!((Connections::new(0), Connections::new(2_001)), (None, None));
        assert_eq!((of(1).get(), of(2_000).get(), Connections::default().get()), (1, 2_000, 80));
    }

    #[test]
    fn open_files_bound_the_places() {
        for (peers, files, max, few) in [
            (80, 1_024, 320, false),
            (80, 256, 128, false),
            (200, 256, 128, true),
            (500, 1_024, 768, false),
            (2_000, 1_024, 768, true),
            (1, 1, 1, false),
        ] {
            let places = Places::within(of(peers), files);
            assert_eq!((places.max, places.files_are_few), (max, few), "{peers} peers, {files} files");
        }
    }

    #[test]
    fn a_place_is_free_again_when_its_peer_is_gone() {
        let places = Arc::new(Places::within(of(1), 1_024));
        let taken: Vec<Place> = std::iter::from_fn(|| places.take()).take(100).collect();
        assert_eq!(taken.len(), 4);
        drop(taken);
        assert!(places.take().is_some());
    }

    #[test]
    fn the_default_is_the_cores_own() {
        let core = swarm::Config::default();
        let places = Places::within(Connections::default(), 1_024);
        let ours = Connections::default().applied_to(core.clone(), &places);
        let figures = |config: &swarm::Config| {
            (config.connections_max, config.connections_wanted, config.connecting_max)
        };
        assert_eq!(figures(&ours), figures(&core));
        let one = of(1).applied_to(core, &places);
        assert_eq!(figures(&one), (1, 1, 1));
    }
}
