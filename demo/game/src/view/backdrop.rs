//! The levels' backdrops. The first is read at once, the others in a thread while the title shows;
//! a level whose pictures are not there yet shows the one before.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use crate::files::FileError;
use crate::pixels::{Screen, Sprite};

struct Backdrop {
    sky: Sprite,
    far: Sprite,
    mid: Sprite,
    near: Sprite,
}

pub(super) struct Backdrops {
    ready: Vec<Option<Backdrop>>,
    coming: Receiver<(usize, Result<Backdrop, FileError>)>,
}

impl Backdrops {
    pub(super) fn read(folders: Vec<PathBuf>) -> Result<Self, FileError> {
        let mut ready: Vec<Option<Backdrop>> = folders.iter().map(|_| None).collect();
        if let (Some(slot), Some(folder)) = (ready.first_mut(), folders.first()) {
            *slot = Some(Backdrop::load(folder)?);
        }
        let (done, coming) = channel();
        std::thread::spawn(move || {
            for (index, folder) in folders.iter().enumerate().skip(1) {
                // A closed window drops the other end: then nobody needs the rest.
                if done.send((index, Backdrop::load(folder))).is_err() {
                    return;
                }
            }
        });
        Ok(Self { ready, coming })
    }

    pub(super) fn land(&mut self, screen: &mut Screen, level: usize, travelled: f32) {
        self.collect();
        if let Some(backdrop) = self.shown(level) {
            screen.cover(&backdrop.sky, travelled * 0.04);
            screen.cover_over(&backdrop.far, travelled * 0.14);
            screen.cover_over(&backdrop.mid, travelled * 0.38);
        }
    }

    pub(super) fn near(&self, screen: &mut Screen, level: usize, travelled: f32) {
        if let Some(backdrop) = self.shown(level) {
            screen.cover_over(&backdrop.near, travelled * 1.15);
        }
    }

    fn collect(&mut self) {
        while let Ok((index, result)) = self.coming.try_recv() {
            match (result, self.ready.get_mut(index)) {
                (Ok(backdrop), Some(slot)) => *slot = Some(backdrop),
                (Ok(_), None) => {}
                (Err(error), _) => eprintln!("emberfall: {error}"),
            }
        }
    }

    fn shown(&self, level: usize) -> Option<&Backdrop> {
        self.ready.get(..=level)?.iter().rev().flatten().next()
    }
}

impl Backdrop {
    fn load(folder: &Path) -> Result<Self, FileError> {
        let layer = |name: &str| Sprite::load(&folder.join(name), 1);
        Ok(Self {
            sky: layer("sky.png")?,
            far: layer("far.png")?,
            mid: layer("mid.png")?,
            near: layer("near.png")?,
        })
    }
}
