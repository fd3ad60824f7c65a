//! Whose turn it is to break, and what a break leaves.

use super::{
    Call, Fault,
    bytes::Unsynced,
    names::{self, Undo},
};
use crate::fs::File;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Done at a sync.
#[derive(Clone)]
pub(super) struct Hook(pub(super) Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

/// What happens to a call.
pub(super) enum Verdict {
    Go,
    Break(Fault),
    /// Nothing happens any more.
    Dead,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) calls: u64,
    plan: Option<(u64, Fault)>,
    dead: bool,
    pub(super) struck: bool,
    unsynced: Vec<Unsynced>,
    pub(super) names: Vec<Undo>,
    pub(super) stashed: u64,
    /// Files can be cloned here.
    pub(super) clones: bool,
    pub(super) recorded: Option<Vec<(Call, PathBuf)>>,
}

pub(super) fn killed() -> io::Error {
    io::Error::other("killed")
}

impl State {
    pub(super) fn arm(&mut self, at: u64, fault: Fault) {
        self.plan = Some((self.calls + at, fault));
        self.struck = false;
    }

    pub(super) fn revive(&mut self) {
        *self = Self { calls: self.calls, stashed: self.stashed, clones: self.clones, ..Self::default() };
    }

    /// Counts the call and says what becomes of it.
    pub(super) fn judge(&mut self, call: Call, path: &Path) -> Verdict {
        self.calls += 1;
        if self.dead {
            return Verdict::Dead;
        }
        if let Some(recorded) = &mut self.recorded {
            recorded.push((call, path.to_owned()));
        }
        let Some((at, fault)) = self.plan.filter(|(at, _)| self.calls >= *at) else { return Verdict::Go };
        let breaks = match fault {
            Fault::Error(_) | Fault::Kill | Fault::PowerCut { .. } | Fault::Scatter { .. } => {
                at == self.calls
            }
            Fault::ErrorsFrom(_) => call.changes(),
            Fault::Lie(_) => call == Call::Write,
            Fault::FlipRead { .. } => call == Call::Read,
            Fault::FailedSync => call == Call::Sync,
        };
        if breaks { Verdict::Break(fault) } else { Verdict::Go }
    }

    /// The fault has happened, and was the only one.
    pub(super) fn done(&mut self) {
        self.struck = true;
        self.plan = None;
    }

    /// Breaks; the error that the caller sees.
    pub(super) fn strike(&mut self, fault: Fault) -> io::Error {
        self.struck = true;
        match fault {
            Fault::ErrorsFrom(kind) => return kind.into(),
            Fault::Error(kind) => {
                self.plan = None;
                return kind.into();
            }
            Fault::PowerCut { names } => self.cut(names),
            Fault::Scatter { seed } => self.scatter(seed),
            // The others break reads, writes or syncs, which look after them themselves; set_len can lie about nothing.
            Fault::Kill | Fault::Lie(_) | Fault::FlipRead { .. } | Fault::FailedSync => {}
        }
        self.dead = true;
        killed()
    }

    fn cut(&mut self, names: bool) {
        let lost = std::mem::take(&mut self.unsynced).into_iter().try_for_each(Unsynced::forget);
        lost.expect("the disk below a test works");
        let undo = std::mem::take(&mut self.names);
        if names {
            undo.into_iter().rev().try_for_each(Undo::run).expect("the disk below a test works");
        }
    }

    fn scatter(&mut self, seed: u64) {
        let mut chance = Chance::new(seed);
        for lost in std::mem::take(&mut self.unsynced) {
            lost.scatter(&mut chance).expect("the disk below a test works");
        }
        let undo = std::mem::take(&mut self.names);
        names::scatter(undo, &mut chance).expect("the disk below a test works");
    }

    /// What of this file a power cut would lose.
    pub(super) fn unsynced(&mut self, file: &Arc<fs::File>) -> io::Result<&mut Unsynced> {
        let meta = File::meta(&**file)?.stamp;
        let known = self.unsynced.iter().position(|entry| entry.inode == meta.inode);
        let index = known.unwrap_or_else(|| {
            self.unsynced.push(Unsynced::new(Arc::clone(file), meta.inode, meta.size));
            self.unsynced.len() - 1
        });
        Ok(&mut self.unsynced[index])
    }

    pub(super) fn synced(&mut self, file: &fs::File) -> io::Result<()> {
        self.take(file).map(|_| ())
    }

    /// A sync failed: what it was to make durable is dropped, and nobody will hear of it again.
    pub(super) fn forget(&mut self, file: &fs::File) -> io::Result<()> {
        self.take(file)?.map_or(Ok(()), Unsynced::forget)
    }

    fn take(&mut self, file: &fs::File) -> io::Result<Option<Unsynced>> {
        let inode = File::meta(file)?.stamp.inode;
        let known = self.unsynced.iter().position(|entry| entry.inode == inode);
        Ok(known.map(|at| self.unsynced.remove(at)))
    }
}

/// Numbers by seed (xorshift); a test prints the seed.
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds are to differ, and zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 63 == 1
    }
}
