//! A peer that serves a torrent it really has, and lies in its own manner.

use crate::hostile::{Hostile, Line};
use bytes::Bytes;
use release::hash::Hash32;
use std::{
    fs::File,
    net::SocketAddr,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};
use swarm::wire::Message;

/// In which answers it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// In every block.
    Always,
    /// In every block after so many.
    After(u32),
    /// In one block of so many, the last of them.
    OneOf(u32),
    /// In hashes alone; its blocks are true.
    Proofs,
}

/// What it has.
#[derive(Debug)]
pub struct Truth {
    hostile: Hostile,
    files: Vec<File>,
}

/// What became of one connection of a liar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Where the victim saw it.
    pub addr: SocketAddr,
    /// When it sent its first false block.
    pub lied_at: Option<Instant>,
    /// Bytes of false blocks that it sent.
    pub false_bytes: u64,
}

impl Truth {
    /// The files of a torrent in the folder of its name.
    #[must_use]
    pub fn of(hostile: &Hostile, folder: &Path) -> Self {
        let open = |file: &release::layout::FileEntry| File::open(folder.join(file.path.as_str())).unwrap();
        Self { hostile: hostile.clone(), files: hostile.layout.files().iter().map(open).collect() }
    }

    fn block(&self, index: u32, begin: u32, length: u32) -> Vec<u8> {
        let piece = self.hostile.layout.piece(index);
        let mut data = vec![0; length as usize];
        self.files[piece.file].read_exact_at(&mut data, piece.offset + u64::from(begin)).unwrap();
        data
    }

    /// Serves everybody who asks over `line` in this manner until the victim goes or it is over.
    pub fn serve(&self, line: &mut Line, manner: Manner, over: &AtomicBool) -> Outcome {
        let mut outcome = Outcome { addr: line.local(), lied_at: None, false_bytes: 0 };
        let mut sent = 0_u32;
        line.pose_as_seed();
        line.answer(
            || over.load(Ordering::Relaxed),
            |line, message| match message {
                Message::Request { index, begin, length } => {
                    let mut data = self.block(index, begin, length);
                    let lies = match manner {
                        Manner::Always => true,
                        Manner::After(blocks) => sent >= blocks,
                        Manner::OneOf(blocks) => (sent + 1).is_multiple_of(blocks),
                        Manner::Proofs => false,
                    };
                    sent += 1;
                    if lies {
                        data[0] ^= 1;
                    }
                    let said = line.say(&Message::Piece { index, begin, data: Bytes::from(data) });
                    if lies && said {
                        outcome.false_bytes += u64::from(length);
                        outcome.lied_at.get_or_insert_with(Instant::now);
                    }
                    said
                }
                Message::HashRequest(range) if manner == Manner::Proofs => {
                    let hashes = vec![Hash32([7; 32]); range.hash_count() as usize];
                    line.say(&Message::Hashes { range, hashes })
                }
                Message::HashRequest(range) => line.say(&Message::HashReject(range)),
                _ => true,
            },
        );
        outcome
    }
}
