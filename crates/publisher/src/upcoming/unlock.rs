//! The hour: the key's file is laid into the repository. Nothing is signed. Or the sealed release is taken back.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use release::channel::{Channel, Upcoming};
use release::id::{ChannelName, GameId, Version};
use release::limits::UNLOCK_KEY_BYTES_MAX;
use release::sealed::ReleaseKey;
use release::target;
use serde::Serialize;
use trust::Editor;

use super::{forget, hour};
use crate::content::Store;
use crate::{PublishError, assemble, disk};

/// Which sealed release is meant.
#[derive(Debug, Clone)]
pub struct UnlockRequest {
    /// Repository.
    pub repo_dir: PathBuf,
    /// Private keys; to unlock none is needed.
    pub keys_dir: PathBuf,
    /// Where the release's key waits.
    pub key_dir: PathBuf,
    /// Game.
    pub game: GameId,
    /// Channel.
    pub channel: ChannelName,
    /// Version, if the channel's sealed release shall be no other.
    pub version: Option<Version>,
    /// Unlock although the hour has not come by this machine's clock.
    pub before_its_hour: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What was unlocked or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlocked {
    /// The release.
    pub version: Version,
    /// Its hour, RFC 3339.
    pub unlock: String,
    /// The file that is there now; none after a withdrawal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// Lays the key into the repository, so that players open what they have.
///
/// # Errors
/// [`PublishError::UpcomingMissing`], [`PublishError::UnlockEarly`], [`PublishError::UnlockKeyMissing`], and for a key file
/// with other bytes than were signed [`PublishError::Sealed`] or [`PublishError::Repository`].
pub fn unlock(request: &UnlockRequest) -> Result<Unlocked, PublishError> {
    let editor = Editor::open(&request.repo_dir, &request.keys_dir)?;
    let (_, upcoming) = find(&editor, request)?;
    let (version, unlock) = (upcoming.version.clone(), hour(&upcoming));
    if request.now.timestamp() < upcoming.unlock_seconds && !request.before_its_hour {
        return Err(PublishError::UnlockEarly { version, unlock });
    }
    let name = target::unlock_key(&request.game, &version);
    let file = editor.target_file(&name)?.ok_or(PublishError::UpcomingMissing)?;
    let path = waiting(&request.key_dir, &file);
    let limit = UNLOCK_KEY_BYTES_MAX as u64;
    let bytes = disk::read_text(&path, limit)?.ok_or(PublishError::UnlockKeyMissing { path })?;
    ReleaseKey::parse(bytes.as_bytes(), &request.game, &version)?;
    editor.release_target(&name, bytes.as_bytes())?;
    Ok(Unlocked { version, unlock, file: Some(file) })
}

/// Takes a sealed release back: its bundles leave the repository, and its key is destroyed. Who preloaded it keeps bytes
/// that nothing opens, until the next check removes them.
///
/// # Errors
/// [`PublishError::UpcomingMissing`]; as a publish.
pub fn withdraw(request: &UnlockRequest) -> Result<Unlocked, PublishError> {
    let mut editor = Editor::open(&request.repo_dir, &request.keys_dir)?;
    let (before, upcoming) = find(&editor, request)?;
    let file = editor.target_file(&target::unlock_key(&request.game, &upcoming.version))?;
    let mut channel = Channel { upcoming: None, ..before.clone() };
    assemble::number(&mut channel, Some(&before), request.now);
    let roots = forget(&mut editor, &request.game, &upcoming, None)?;
    editor.put_target(&target::channel(&request.game, &request.channel), channel.encode())?;
    editor.commit(request.now)?;
    let store = Store::new(&request.repo_dir);
    roots.iter().try_for_each(|root| store.remove(root))?;
    if let Some(path) = file.map(|file| waiting(&request.key_dir, &file))
        && disk::exists(&path)?
    {
        disk::remove(&path)?;
    }
    Ok(Unlocked { unlock: hour(&upcoming), version: upcoming.version, file: None })
}

fn find(editor: &Editor, request: &UnlockRequest) -> Result<(Channel, Upcoming), PublishError> {
    let bytes = editor.target(&target::channel(&request.game, &request.channel))?;
    let channel = Channel::parse(&bytes.ok_or(PublishError::UpcomingMissing)?)?;
    let upcoming = channel.upcoming.clone().ok_or(PublishError::UpcomingMissing)?;
    if request.version.as_ref().is_some_and(|version| *version != upcoming.version) {
        return Err(PublishError::UpcomingMissing);
    }
    Ok((channel, upcoming))
}

/// The key waits under the name that it will have.
fn waiting(key_dir: &Path, file: &Path) -> PathBuf {
    key_dir.join(file.file_name().unwrap_or_default())
}
