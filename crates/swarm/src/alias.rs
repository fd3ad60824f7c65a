//! The same files in two releases: a peer of another release's swarm speaks that torrent's piece numbers.
//!
//! In BitTorrent v2 pieces begin with their file, so files with the same pieces root, length and piece length have the
//! same pieces (BEP 52). [`Alias`] says which piece of ours is which of theirs, and [`Translator`] turns what a peer
//! says into our numbers and what we say into its own. Hash messages name files by their root and pass through.
//!
//! Invariant: the map is one to one; what has no counterpart is dropped, and a request for it is rejected. This module
//! opens no connection and knows no tracker: whoever drives the swarm shakes hands under the other infohash.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use release::layout::Layout;
use thiserror::Error;

use crate::Bitfield;
use crate::wire::{self, BlockRun, ExtendedHandshake, Message, PackedMessage};

const NONE: u32 = u32::MAX;

/// Under which infohash somebody is met: our torrent's, or that of another release, by a number the driver gives it.
///
/// Whoever can be met under several is met under the lowest. Peers are told only of those met as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Via(pub u8);

impl Via {
    /// Our torrent's own infohash.
    pub const OWN: Self = Self(0);
}

/// Which pieces of two torrents are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    theirs_by_ours: Vec<u32>,
    ours_by_theirs: Vec<u32>,
    shared: u32,
}

/// A peer named a piece that its torrent does not have, or sent something no torrent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a peer of another release broke the protocol")]
pub struct AliasError;

/// What becomes of a message from a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The swarm is to hear this.
    Pass(Message),
    /// The peer is to be answered this, already in its own numbers; the swarm hears nothing.
    Answer(Message),
    /// It is about what only the other release has.
    Nothing,
}

impl Alias {
    /// The pieces that both have; `None` if there are none or the pieces are not of the same length.
    #[must_use]
    pub fn new(ours: &Layout, theirs: &Layout) -> Option<Self> {
        if ours.piece_length() != theirs.piece_length() {
            return None;
        }
        let mut by_content = BTreeMap::new();
        for (file, entry) in theirs.files().iter().enumerate() {
            if let Some(root) = entry.pieces_root {
                by_content.entry((root, entry.length)).or_insert(file);
            }
        }
        let mut theirs_by_ours = vec![NONE; ours.piece_count() as usize];
        let mut ours_by_theirs = vec![NONE; theirs.piece_count() as usize];
        let mut shared = 0;
        for (file, entry) in ours.files().iter().enumerate() {
            // Each file of theirs has one of ours: of files that are equal within a release, one takes part.
            let content = entry.pieces_root.map(|root| (root, entry.length));
            let Some(other) = content.and_then(|content| by_content.remove(&content)) else { continue };
            for (our, their) in ours.pieces_of(file).zip(theirs.pieces_of(other)) {
                theirs_by_ours[our as usize] = their;
                ours_by_theirs[their as usize] = our;
                shared += 1;
            }
        }
        (shared > 0).then_some(Self { theirs_by_ours, ours_by_theirs, shared })
    }

    /// How many pieces both have.
    #[must_use]
    pub fn shared(&self) -> u32 {
        self.shared
    }

    /// The pieces that both have, in our numbers.
    pub fn shared_ours(&self) -> impl Iterator<Item = u32> + '_ {
        let all = 0..self.ours_count();
        all.filter(|piece| self.theirs(*piece).is_some())
    }

    /// Pieces of our torrent.
    #[must_use]
    pub fn ours_count(&self) -> u32 {
        // No layout has more pieces than fit in 32 bits.
        self.theirs_by_ours.len() as u32
    }

    /// Pieces of theirs.
    #[must_use]
    pub fn theirs_count(&self) -> u32 {
        self.ours_by_theirs.len() as u32
    }

    /// Our number of a piece of theirs.
    #[must_use]
    pub fn ours(&self, theirs: u32) -> Option<u32> {
        look_up(&self.ours_by_theirs, theirs)
    }

    /// Their number of a piece of ours.
    #[must_use]
    pub fn theirs(&self, ours: u32) -> Option<u32> {
        look_up(&self.theirs_by_ours, ours)
    }
}

fn look_up(map: &[u32], piece: u32) -> Option<u32> {
    map.get(piece as usize).copied().filter(|other| *other != NONE)
}

/// The pieces of `from` that the other side has too, in its numbers.
fn carry(from: impl Iterator<Item = u32>, map: &[u32], other: &[u32]) -> Message {
    // No layout has more pieces than fit in 32 bits.
    let mut to = Bitfield::empty(other.len() as u32);
    from.filter_map(|piece| look_up(map, piece)).for_each(|piece| {
        to.set(piece);
    });
    Message::Bitfield(Bytes::copy_from_slice(to.as_bytes()))
}

fn carry_runs(runs: Vec<BlockRun>, map: &[u32]) -> Vec<BlockRun> {
    let there = |run: BlockRun| Some(BlockRun { piece: look_up(map, run.piece)?, ..run });
    runs.into_iter().filter_map(there).collect()
}

/// Stands between the swarm and one peer of the other torrent.
#[derive(Debug, Clone)]
pub struct Translator {
    alias: Arc<Alias>,
    /// The peer knows what a reject is (BEP 6).
    fast: bool,
    /// The peer's own numbers for the extensions whose payloads name pieces (BEP 10).
    lt_donthave: Option<u8>,
    mu_blocks: Option<u8>,
}

impl Translator {
    /// For a peer that said nothing yet but its handshake, with these feature bits.
    #[must_use]
    pub fn new(alias: Arc<Alias>, reserved: &[u8; 8]) -> Self {
        Self { alias, fast: wire::speaks_fast(reserved), lt_donthave: None, mu_blocks: None }
    }

    /// What the peer says, for the swarm.
    ///
    /// # Errors
    /// [`AliasError`] if it names a piece its torrent does not have: the connection is to be closed.
    pub fn heard(&mut self, message: Message) -> Result<Heard, AliasError> {
        let alias = Arc::clone(&self.alias);
        let map = &alias.ours_by_theirs;
        let known =
            |piece: u32| if (piece as usize) < map.len() { Ok(look_up(map, piece)) } else { Err(AliasError) };
        let passed = match message {
            Message::Bitfield(bytes) => {
                let theirs = Bitfield::from_bytes(&bytes, map.len() as u32).ok_or(AliasError)?;
                Some(carry(theirs.iter(), map, &alias.theirs_by_ours))
            }
            Message::HaveAll => Some(carry(0..map.len() as u32, map, &alias.theirs_by_ours)),
            Message::Request { index, begin, length } => match known(index)? {
                Some(index) => Some(Message::Request { index, begin, length }),
                None if !self.fast => None,
                None => return Ok(Heard::Answer(Message::Reject { index, begin, length })),
            },
            Message::Have { piece } => known(piece)?.map(|piece| Message::Have { piece }),
            Message::Suggest { piece } => known(piece)?.map(|piece| Message::Suggest { piece }),
            Message::AllowedFast { piece } => known(piece)?.map(|piece| Message::AllowedFast { piece }),
            Message::Piece { index, begin, data } => {
                known(index)?.map(|index| Message::Piece { index, begin, data })
            }
            Message::Cancel { index, begin, length } => {
                known(index)?.map(|index| Message::Cancel { index, begin, length })
            }
            Message::Reject { index, begin, length } => {
                known(index)?.map(|index| Message::Reject { index, begin, length })
            }
            Message::Extended { id, payload } => self.heard_extended(id, payload)?,
            other => Some(other),
        };
        Ok(passed.map_or(Heard::Nothing, Heard::Pass))
    }

    fn heard_extended(&mut self, id: u8, payload: Bytes) -> Result<Option<Message>, AliasError> {
        let map = &self.alias.ours_by_theirs;
        let payload = match id {
            0 => {
                if let Ok(said) = ExtendedHandshake::parse(&payload) {
                    (self.lt_donthave, self.mu_blocks) = (said.lt_donthave, said.mu_blocks);
                }
                payload
            }
            wire::LT_DONTHAVE => {
                let lost = wire::lost_piece(&payload).filter(|piece| (*piece as usize) < map.len());
                match look_up(map, lost.ok_or(AliasError)?) {
                    Some(piece) => wire::lost_piece_payload(piece),
                    None => return Ok(None),
                }
            }
            wire::MU_BLOCKS => {
                let told = wire::block_runs(&payload).ok_or(AliasError)?;
                if told.iter().any(|run| run.piece as usize >= map.len()) {
                    return Err(AliasError);
                }
                let runs = carry_runs(told, map);
                if runs.is_empty() {
                    return Ok(None);
                }
                wire::block_runs_payload(&runs)
            }
            wire::MU_ZSTD => self.heard_packed(&payload)?,
            _ => payload,
        };
        Ok(Some(Message::Extended { id, payload }))
    }

    /// Only blocks that both have can have been asked for.
    fn heard_packed(&self, payload: &Bytes) -> Result<Bytes, AliasError> {
        let Some(PackedMessage::Blocks { packing, runs, data }) = wire::packed(payload) else {
            return Ok(payload.clone());
        };
        let ours = carry_runs(runs.clone(), &self.alias.ours_by_theirs);
        if ours.len() < runs.len() {
            return Err(AliasError);
        }
        let mut out = wire::packed_head(packing, &ours);
        out.extend_from_slice(&data);
        Ok(out.into())
    }

    /// What the swarm says, for the peer; `None` if it is about what only our release has.
    #[must_use]
    pub fn said(&self, message: Message) -> Option<Message> {
        let alias = &*self.alias;
        let map = &alias.theirs_by_ours;
        Some(match message {
            Message::Bitfield(bytes) => {
                let ours = Bitfield::from_bytes(&bytes, map.len() as u32)?;
                carry(ours.iter(), map, &alias.ours_by_theirs)
            }
            Message::HaveAll => carry(0..map.len() as u32, map, &alias.ours_by_theirs),
            Message::Have { piece } => Message::Have { piece: alias.theirs(piece)? },
            Message::Suggest { piece } => Message::Suggest { piece: alias.theirs(piece)? },
            Message::AllowedFast { piece } => Message::AllowedFast { piece: alias.theirs(piece)? },
            Message::Request { index, begin, length } => {
                Message::Request { index: alias.theirs(index)?, begin, length }
            }
            Message::Piece { index, begin, data } => {
                Message::Piece { index: alias.theirs(index)?, begin, data }
            }
            Message::Cancel { index, begin, length } => {
                Message::Cancel { index: alias.theirs(index)?, begin, length }
            }
            Message::Reject { index, begin, length } => {
                Message::Reject { index: alias.theirs(index)?, begin, length }
            }
            Message::Extended { id, payload } => self.said_extended(id, payload)?,
            other => other,
        })
    }

    fn said_extended(&self, id: u8, payload: Bytes) -> Option<Message> {
        let payload = match id {
            0 => payload,
            id if Some(id) == self.lt_donthave => {
                wire::lost_piece_payload(self.alias.theirs(wire::lost_piece(&payload)?)?)
            }
            id if Some(id) == self.mu_blocks => {
                let runs = carry_runs(wire::block_runs(&payload)?, &self.alias.theirs_by_ours);
                if runs.is_empty() {
                    return None;
                }
                wire::block_runs_payload(&runs)
            }
            _ => payload,
        };
        Some(Message::Extended { id, payload })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use release::hash::Hash32;
    use release::layout::FileEntry;

    use super::*;

    const PIECE: u32 = 64 * 1024;

    /// Files by what they hold: equal numbers are equal files, of as many pieces as the number's last digit says.
    fn layout(contents: &[u8]) -> Layout {
        let entry = |(at, content): (usize, &u8)| FileEntry {
            path: format!("{at:04}").parse().unwrap(),
            length: u64::from(content % 4) * u64::from(PIECE) + 1,
            pieces_root: Some(Hash32([*content; 32])),
            executable: false,
        };
        Layout::new(PIECE, contents.iter().enumerate().map(entry).collect()).unwrap()
    }

    fn message(kind: u8, piece: u32, pieces: u32) -> Message {
        let (begin, length) = (0, 16 * 1024);
        match kind {
            0 => Message::Have { piece },
            1 => Message::Request { index: piece, begin, length },
            2 => Message::Piece { index: piece, begin, data: Bytes::from_static(b"data") },
            3 => Message::Cancel { index: piece, begin, length },
            4 => Message::Reject { index: piece, begin, length },
            5 => Message::Suggest { piece },
            6 => Message::Extended { id: wire::LT_DONTHAVE, payload: wire::lost_piece_payload(piece) },
            7 => {
                let runs = [BlockRun { piece, first: 1, count: 2 }];
                Message::Extended { id: wire::MU_BLOCKS, payload: wire::block_runs_payload(&runs) }
            }
            8 => Message::HaveAll,
            9 => Message::HaveNone,
            10 => Message::Choke,
            _ => {
                let mut bits = Bitfield::empty(pieces);
                bits.set(piece);
                Message::Bitfield(Bytes::copy_from_slice(bits.as_bytes()))
            }
        }
    }

    fn translator(alias: Alias) -> Translator {
        let mut translator = Translator::new(Arc::new(alias), &wire::RESERVED);
        let ours = ExtendedHandshake {
            lt_donthave: Some(wire::LT_DONTHAVE),
            mu_blocks: Some(wire::MU_BLOCKS),
            ..ExtendedHandshake::default()
        };
        let hello = Message::Extended { id: 0, payload: ours.encode() };
        assert_eq!(translator.heard(hello.clone()), Ok(Heard::Pass(hello)));
        translator
    }

    proptest! {
        #[test]
        fn what_is_shared_goes_there_and_back_and_nothing_else_does(
            ours in proptest::collection::vec(0u8..12, 1..12),
            theirs in proptest::collection::vec(0u8..12, 1..12),
            said in proptest::collection::vec((0u8..12, 0u32..60), 0..60),
        ) {
            let (a, b) = (layout(&ours), layout(&theirs));
            let common = ours.iter().any(|content| theirs.contains(content));
            let alias = Alias::new(&a, &b);
            prop_assert_eq!(alias.is_some(), common);
            let Some(alias) = alias else { return Ok(()) };
            let back = Alias::new(&b, &a).unwrap();
            prop_assert_eq!(alias.shared(), back.shared());
            for piece in 0..a.piece_count() + 3 {
                let Some(other) = alias.theirs(piece) else { continue };
                prop_assert_eq!(alias.ours(other), Some(piece));
                prop_assert!(other < b.piece_count());
                prop_assert_eq!(a.piece_bytes(piece), b.piece_bytes(other));
                let root = |layout: &Layout, piece| layout.files()[layout.piece(piece).file].pieces_root;
                prop_assert_eq!(root(&a, piece), root(&b, other));
            }
            let mut translator = translator(alias.clone());
            for (kind, piece) in said {
                let is_there = alias.theirs(piece).is_some();
                let message = message(kind, piece, a.piece_count());
                let there = translator.said(message.clone());
                match kind {
                    0..=7 => {
                        prop_assert_eq!(there.is_some(), is_there);
                        if let Some(there) = there {
                            prop_assert_eq!(translator.heard(there), Ok(Heard::Pass(message)));
                        }
                    }
                    8..=10 => prop_assert!(there.is_some()),
                    _ => {
                        let Some(Message::Bitfield(bytes)) = there else { panic!() };
                        let there = Bitfield::from_bytes(&bytes, b.piece_count()).unwrap();
                        prop_assert_eq!(there.iter().next(), alias.theirs(piece));
                        prop_assert!(there.count() <= 1);
                    }
                }
            }
        }

        #[test]
        fn whatever_a_peer_says_stays_within_bounds(
            said in proptest::collection::vec((0u8..12, any::<u32>(), 0u32..20), 0..60),
        ) {
            let (a, b) = (layout(&[1, 2, 3, 7]), layout(&[3, 9, 1]));
            let mut translator = translator(Alias::new(&a, &b).unwrap());
            for (kind, wild, near) in said {
                for piece in [wild, near] {
                    let out_of_bounds = kind <= 7 && piece >= b.piece_count();
                    let heard = translator.heard(message(kind, piece, b.piece_count()));
                    prop_assert_eq!(heard.is_err(), out_of_bounds);
                    match heard {
                        Ok(Heard::Pass(Message::Have { piece } | Message::Request { index: piece, .. })) => {
                            prop_assert!(piece < a.piece_count());
                        }
                        Ok(Heard::Answer(answer)) => {
                            let rejects = matches!(answer, Message::Reject { index, .. } if index == piece);
                            prop_assert!(rejects);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn one_that_has_all_of_its_release_has_what_both_have_and_no_more() {
        let (a, b) = (layout(&[0, 1, 2]), layout(&[2, 5, 0, 0]));
        let mut translator = translator(Alias::new(&a, &b).unwrap());
        let Ok(Heard::Pass(Message::Bitfield(bytes))) = translator.heard(Message::HaveAll) else { panic!() };
        let has = Bitfield::from_bytes(&bytes, a.piece_count()).unwrap();
        let both: Vec<u32> = a.pieces_of(0).chain(a.pieces_of(2)).collect();
        assert_eq!(has.iter().collect::<Vec<_>>(), both);
        let bad = Message::Bitfield(Bytes::from_static(&[0xff; 9]));
        assert_eq!(translator.heard(bad), Err(AliasError));
    }

    #[test]
    fn who_knows_no_reject_is_not_sent_one() {
        let (a, b) = (layout(&[1]), layout(&[5, 1]));
        let alias = Arc::new(Alias::new(&a, &b).unwrap());
        let request = message(1, 0, b.piece_count());
        let heard = |reserved| Translator::new(Arc::clone(&alias), reserved).heard(request.clone());
        assert_eq!(heard(&[0; 8]), Ok(Heard::Nothing));
        assert_eq!(heard(&wire::RESERVED), Ok(Heard::Answer(message(4, 0, b.piece_count()))));
    }

    #[test]
    fn other_piece_lengths_and_other_files_have_nothing_in_common() {
        let ours = layout(&[1, 2]);
        assert_eq!(Alias::new(&ours, &layout(&[5, 6])), None);
        let files = ours.files().to_vec();
        assert_eq!(Alias::new(&ours, &Layout::new(2 * PIECE, files).unwrap()), None);
    }
}
