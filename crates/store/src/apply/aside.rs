//! What came in the way after the journal was written, hours later perhaps, when an apply that was cut short is finished:
//! it is not ours, so it is moved to the dated folder and reported, like what stood in the way before.

use crate::{
    error::{Result, StoreError},
    fs::Kind,
    journal::Journal,
    tree::{Tree, ancestors},
};
use release::path::GamePath;

/// Moves things aside and remembers which.
pub(super) struct Late<'a> {
    tree: &'a Tree,
    journal: &'a Journal,
    /// From where to where.
    pub(super) moved: Vec<(GamePath, GamePath)>,
}

impl<'a> Late<'a> {
    pub(super) fn new(tree: &'a Tree, journal: &'a Journal) -> Self {
        Self { tree, journal, moved: Vec::new() }
    }

    /// Makes `path` a folder.
    pub(super) fn make_dir(&mut self, path: &GamePath) -> Result<()> {
        let at = self.tree.at(path);
        match self.tree.disk.kind(&at)? {
            Some(Kind::Dir) => return Ok(()),
            Some(_) => self.evict(path)?,
            None => {}
        }
        self.tree.disk.ensure_dir(&at).map(|_| ())
    }

    /// Makes way for a file of ours; `replaces` where one of ours was to be replaced there.
    pub(super) fn make_way(&mut self, path: &GamePath, replaces: bool) -> Result<()> {
        match self.tree.disk.kind(&self.tree.at(path))? {
            None => Ok(()),
            Some(Kind::File) if replaces => Ok(()),
            Some(_) => self.evict(path),
        }
    }

    fn evict(&mut self, path: &GamePath) -> Result<()> {
        let from = self.tree.at(path);
        if self.journal.aside_dir.is_empty() {
            return Err(StoreError::broken(&from, "in the way of the release"));
        }
        let to = self.free_name(path)?;
        for dir in ancestors(&to) {
            self.tree.disk.ensure_dir(&self.tree.at(&dir))?;
        }
        self.tree.disk.rename(&from, &self.tree.at(&to))?;
        self.moved.push((path.clone(), to));
        Ok(())
    }

    fn free_name(&self, path: &GamePath) -> Result<GamePath> {
        let base = &self.journal.aside_dir;
        let names = std::iter::once(format!("{base}/{path}"));
        // What went aside before may bear the name, or stand in its way; some paths are too long for it.
        for name in
            names.chain((1..=self.journal.place.len() + 1).map(|number| format!("{base}/late-{number}")))
        {
            let Ok(name) = GamePath::parse_moved(&name) else { continue };
            let blocked = self.tree.blocked_at(&name)?.is_some();
            if !blocked && self.tree.lstat(&name)?.is_none() {
                return Ok(name);
            }
        }
        Err(StoreError::broken(&self.tree.at(path), "no free name for what stands in the way"))
    }
}
