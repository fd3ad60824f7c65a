//! Waiting for one file of a game that is still on its way, from outside: what `muster wait` does, and what a game can do by
//! itself with nothing but files (`docs/play-before-complete.md`).
//!
//! Invariant: the folder is only looked at; the one thing written is the request, which is taken back if the wait ends without
//! the file.

use super::{error::GameError, jobs::blocking};
use release::path::GamePath;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{StoreError, fs::RealFs, glance::Glance, wanted};
use tokio::time::Instant;

/// How often it is looked whether the file is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The folder is looked at as a whole when the file appears, and so often besides.
const GLANCE_INTERVAL: Duration = Duration::from_secs(2);
/// A launcher that has just been started reads the repository before it fetches.
const NOBODY_GRACE: Duration = Duration::from_secs(5);

/// Waits until `path` stands verified in the game folder `dir`; whoever fetches the game brings it next.
///
/// # Errors
/// [`GameError::FileNotListed`], [`GameError::NobodyFetches`], [`GameError::WaitTimeout`]; as the disk says.
pub async fn wait_for_file(dir: &Path, path: &GamePath, limit: Option<Duration>) -> Result<(), GameError> {
    let mut waiting = Waiting::begin(dir, path, limit);
    loop {
        match waiting.look().await {
            Ok(false) => tokio::time::sleep(LOOK_INTERVAL).await,
            Ok(true) => return waiting.end(Ok(())).await,
            Err(error) => return waiting.end(Err(error)).await,
        }
    }
}

struct Waiting {
    dir: PathBuf,
    path: GamePath,
    /// Where the file will be.
    target: PathBuf,
    until: Option<(Instant, Duration)>,
    glance: Option<Arc<Glance>>,
    glanced_at: Instant,
    /// Whether something stood at the target when the folder was looked at.
    stood: bool,
    /// We asked; how often the request was found to be gone since.
    asked: Option<u32>,
    nobody_since: Option<Instant>,
}

/// What a look at the folder says.
enum Seen {
    Here,
    NotListed,
    Waits {
        fetching: bool,
        asks: bool,
        listed: bool,
    },
    /// Files are being put in place just now.
    Changing,
}

impl Waiting {
    fn begin(dir: &Path, path: &GamePath, limit: Option<Duration>) -> Self {
        Self {
            dir: dir.to_owned(),
            path: path.clone(),
            target: path.components().fold(dir.to_owned(), |dir, part| dir.join(part)),
            until: limit.map(|limit| (Instant::now() + limit, limit)),
            glance: None,
            glanced_at: Instant::now(),
            stood: false,
            asked: None,
            nobody_since: None,
        }
    }

    /// Whether the file is there.
    async fn look(&mut self) -> Result<bool, GameError> {
        let path = self.path.to_string();
        match self.see().await? {
            Seen::Here => return Ok(true),
            Seen::NotListed => return Err(GameError::FileNotListed { path }),
            Seen::Changing => {}
            Seen::Waits { fetching, asks, listed } => {
                if fetching {
                    self.nobody_since = None;
                } else if self.nobody_since.get_or_insert_with(Instant::now).elapsed() >= NOBODY_GRACE {
                    return Err(GameError::NobodyFetches { path });
                }
                if !asks {
                    // Before anything stands, only who fetches knows the release: it takes away what is not of it.
                    let gone = self.asked.map_or(0, |gone| gone + 1);
                    if gone > 1 && !listed {
                        return Err(GameError::FileNotListed { path });
                    }
                    self.ask().await?;
                    self.asked = Some(gone);
                }
            }
        }
        match self.until {
            Some((until, limit)) if Instant::now() >= until => {
                Err(GameError::WaitTimeout { path, seconds: limit.as_secs() })
            }
            _ => Ok(false),
        }
    }

    async fn see(&mut self) -> Result<Seen, GameError> {
        let stands = tokio::fs::symlink_metadata(&self.target).await.is_ok();
        let due =
            self.glance.is_none() || stands != self.stood || self.glanced_at.elapsed() >= GLANCE_INTERVAL;
        if due {
            let dir = self.dir.clone();
            match blocking(move || Glance::at(Arc::new(RealFs), &dir)).await? {
                Err(StoreError::ApplyPending { .. }) => return Ok(Seen::Changing),
                glance => self.glance = Some(Arc::new(glance?)),
            }
            (self.stood, self.glanced_at) = (stands, Instant::now());
        }
        let Some(glance) = self.glance.clone() else { return Ok(Seen::Changing) };
        let path = self.path.clone();
        blocking(move || seen(&glance, &path)).await?
    }

    async fn ask(&self) -> Result<(), GameError> {
        let Some(glance) = self.glance.clone() else { return Ok(()) };
        let path = self.path.clone();
        Ok(blocking(move || glance.requests().ask(&path)).await??)
    }

    /// Takes the request back, if it is still there.
    async fn end(self, outcome: Result<(), GameError>) -> Result<(), GameError> {
        if let (Some(glance), Some(_)) = (self.glance, self.asked) {
            let settled = blocking(move || glance.requests().settle(&wanted::name(&self.path))).await?;
            if let Err(error) = settled {
                tracing::warn!(%error, "the request stays");
            }
        }
        outcome
    }
}

fn seen(glance: &Glance, path: &GamePath) -> Result<Seen, GameError> {
    let file = match glance.installed() {
        Some(manifest) => match manifest.file(path) {
            Some(file) => Some(file),
            None => return Ok(Seen::NotListed),
        },
        None => None,
    };
    if let Some(file) = file
        && glance.has(file)?
    {
        return Ok(Seen::Here);
    }
    let asks = glance.requests().asks(path)?;
    Ok(Seen::Waits { fetching: glance.somebody_fetches()?, asks, listed: file.is_some() })
}
