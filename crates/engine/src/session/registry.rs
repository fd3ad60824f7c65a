//! Which torrent of a session an infohash leads to.
//!
//! A torrent stands under its own infohash and under those of other releases whose swarms it also meets. Invariant: one
//! torrent answers for an infohash, the one whose own it is or else the one that stood there first; the others rest
//! until it is gone. Nobody meets a peer twice from one session under one infohash.

use super::{handle::TorrentHandle, happening::Happening};
use release::hash::Hash32;
use std::collections::BTreeMap;

/// Infohashes as handshakes name them.
type Short = [u8; 20];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeMap<Short, Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    /// The torrent by its own infohash.
    owner: Short,
    handle: TorrentHandle,
}

/// Torrents that answer for an infohash now that another has gone.
#[derive(Debug, Default)]
pub(super) struct Heirs(Vec<(TorrentHandle, Short)>);

impl Heirs {
    /// Lets them begin.
    pub(super) fn begin(self) {
        for (handle, infohash) in self.0 {
            handle.deliver(Happening::Answers { infohash, answers: true });
        }
    }
}

impl Registry {
    /// A torrent under its own infohash; who answered for it as for another release's rests.
    pub(super) fn add(&mut self, infohash: &Hash32, handle: TorrentHandle) {
        let owner = infohash.truncated();
        let entries = self.0.entry(owner).or_default();
        entries.retain(|entry| entry.owner != owner);
        if let Some(first) = entries.first() {
            first.handle.deliver(Happening::Answers { infohash: owner, answers: false });
        }
        entries.insert(0, Entry { owner, handle });
    }

    /// The torrent `owner` would also meet peers of another release; whether it is the one that does.
    pub(super) fn add_other(&mut self, owner: &Hash32, other: &Hash32, handle: TorrentHandle) -> bool {
        let owner = owner.truncated();
        let entries = self.0.entry(other.truncated()).or_default();
        if !entries.iter().any(|entry| entry.owner == owner) {
            entries.push(Entry { owner, handle });
        }
        entries.first().is_some_and(|first| first.owner == owner)
    }

    /// A torrent ended: under all its infohashes.
    pub(super) fn forget(&mut self, infohash: &Hash32) -> Heirs {
        let owner = infohash.truncated();
        let mut heirs = Heirs::default();
        for (infohash, entries) in &mut self.0 {
            let answered = entries.first().is_some_and(|first| first.owner == owner);
            entries.retain(|entry| entry.owner != owner);
            if let Some(heir) = entries.first().filter(|_| answered) {
                heirs.0.push((heir.handle.clone(), *infohash));
            }
        }
        self.0.retain(|_, entries| !entries.is_empty());
        heirs
    }

    /// The torrent that answers for an infohash.
    pub(super) fn answers(&self, infohash: &Short) -> Option<TorrentHandle> {
        Some(self.0.get(infohash)?.first()?.handle.clone())
    }

    /// Every torrent.
    pub(super) fn all(&self) -> Vec<TorrentHandle> {
        let own = |(infohash, entries): (&Short, &Vec<Entry>)| {
            entries.iter().find(|entry| entry.owner == *infohash).map(|entry| entry.handle.clone())
        };
        self.0.iter().filter_map(own).collect()
    }
}
