//! What was verified becomes durable: files synced, then names, then the log that speaks of them.
//!
//! The disk is waited for without the lock that writers and readers need. So what is written down is
//! what was verified before the first sync began; what came meanwhile is the next flush's.

use super::{Inner, Staging, log::Log};
use crate::{
    error::{At, Result},
    ranges::Ranges,
};
use release::hash::Hash32;
use std::{
    collections::{BTreeMap, BTreeSet},
    mem::take,
};

/// What one flush has to do. Whatever it does not get done goes back.
#[derive(Debug, Default)]
struct Work {
    /// Files to be synced.
    dirty: BTreeSet<Hash32>,
    /// Names were made since the folder was synced.
    names: bool,
    /// Verified since the last flush.
    had: BTreeMap<Hash32, Ranges>,
    /// Found bad since the last flush, before anything in `had`.
    lost: Vec<(Hash32, u64, u64)>,
}

impl Staging {
    /// Makes everything verified so far survive a power cut: syncs the files written since the
    /// last flush, then writes down what they hold. The driver calls it often enough to lose no
    /// more than 16 MiB or 2 s of work. Others write and read meanwhile; a second flush waits.
    ///
    /// # Errors
    /// As the disk says. What could not be synced is no longer had: bytes that a failed sync
    /// dropped look written to every later call.
    pub fn flush(&self) -> Result<()> {
        let mut log = self.log();
        let mut work = self.lock().begin_flush();
        let done = self.work_off(&mut work, &mut log);
        if done.is_err() {
            self.lock().resume(work);
        }
        done
    }

    fn work_off(&self, work: &mut Work, log: &mut Log) -> Result<()> {
        while let Some(root) = work.dirty.pop_first() {
            if let Err(error) = self.sync(&root) {
                work.had
                    .remove(&root)
                    .into_iter()
                    .for_each(|doubtful| self.lock().drop_had(&root, &doubtful));
                self.lock().distrust(&root);
                return Err(error);
            }
        }
        if work.names {
            self.disk.sync_dir(&self.dir)?;
            work.names = false;
        }
        // Found bad while the disk was waited for: not to be believed after a restart either.
        for (root, start, end) in &self.lock().lost {
            if let Some(had) = work.had.get_mut(root) {
                had.remove(*start, *end);
            }
        }
        log.append(&work.lost, &work.had)
    }

    fn sync(&self, root: &Hash32) -> Result<()> {
        let path = self.path(root);
        let file = self.lock().open(*root, || self.disk.open_write(&path), false)?;
        file.sync().at(&path)
    }
}

impl Inner {
    fn begin_flush(&mut self) -> Work {
        Work {
            dirty: take(&mut self.dirty),
            names: take(&mut self.names_dirty),
            had: take(&mut self.unflushed),
            lost: take(&mut self.lost),
        }
    }

    /// Takes back what a flush did not get done.
    fn resume(&mut self, work: Work) {
        let Work { dirty, names, mut had, mut lost } = work;
        for (root, start, end) in &self.lost {
            if let Some(had) = had.get_mut(root) {
                had.remove(*start, *end);
            }
        }
        for (root, ranges) in had {
            let unflushed = self.unflushed.entry(root).or_default();
            ranges.iter().for_each(|(start, end)| unflushed.insert(start, end));
        }
        self.dirty.extend(dirty);
        self.names_dirty |= names;
        lost.append(&mut self.lost);
        self.lost = lost;
    }

    /// Forgets what a failed sync may have dropped, also of what was verified while it ran.
    fn distrust(&mut self, root: &Hash32) {
        self.open.remove(root);
        let doubtful = self.unflushed.remove(root).unwrap_or_default();
        self.drop_had(root, &doubtful);
    }

    fn drop_had(&mut self, root: &Hash32, doubtful: &Ranges) {
        if let Some(have) = self.have.get_mut(root) {
            doubtful.iter().for_each(|(start, end)| have.remove(start, end));
        }
    }
}
