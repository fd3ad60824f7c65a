//! Why a job on a game failed, each with the stable code that people and programs get.

use crate::{http::HttpError, snapshot::Failure};
use release::{
    channel::ChannelError, id::Version, manifest::ManifestError, metainfo::MetainfoError, patch::PatchError,
    sealed::SealedError,
};
use store::{StoreError, preload::Unopened};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum GameError {
    /// The folder.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The signed repository.
    #[error("{0}")]
    Trust(#[from] trust::Error),
    /// HTTP outside the repository's metadata.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// A signed document that this program cannot accept.
    #[error("{0}")]
    Channel(#[from] ChannelError),
    /// Likewise.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// Likewise.
    #[error("{0}")]
    Metainfo(#[from] MetainfoError),
    /// A patch's description that this program cannot accept; the update then goes another way.
    #[error("{0}")]
    Patch(#[from] PatchError),
    /// A document that speaks of another game, version or torrent than asked for.
    #[error("{what} does not belong to this release")]
    Mismatch {
        /// Which document.
        what: String,
    },
    /// The channel is older than one accepted before.
    #[error("the channel went back from {seen} to {found}: an old copy is being replayed")]
    ChannelRollback {
        /// Sequence accepted before.
        seen: u64,
        /// Sequence found now.
        found: u64,
    },
    /// Without a root given, only https or loopback is taken.
    #[error("{url}: without --root, a repository is trusted on first use only over https or on this machine")]
    InsecureFirstUse {
        /// The repository.
        url: String,
    },
    /// The root found is not the one that was pinned.
    #[error("the repository's first root is not the one that was pinned")]
    RootChanged,
    /// Nothing is installed here, so there is nothing to do this with.
    #[error("no game is installed in this folder")]
    NotInstalled,
    /// The folder has no game and no repository was named.
    #[error("this folder does not say where its game comes from")]
    NoLink,
    /// Another job is under way.
    #[error("another job is under way")]
    Busy,
    /// The player stopped it.
    #[error("stopped")]
    Cancelled,
    /// Swarm and origin failed to store what came.
    #[error("{message}")]
    Transfer {
        /// Stable code.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// A sealed release whose key is not there.
    #[error("{version} is sealed; its key comes at {unlock}")]
    UnlockNotYet {
        /// The release.
        version: Version,
        /// Its hour, RFC 3339.
        unlock: String,
    },
    /// A key or a sealed bundle that is of no use.
    #[error("{0}")]
    Sealed(#[from] SealedError),
    /// Likewise.
    #[error("{0}")]
    Unopened(#[from] Unopened),
    /// Every server answers, and none gives it; there is another way.
    #[error("no server gives this patch")]
    PatchNotGiven,
    /// Content stays false after it was fetched again.
    #[error("{files} file(s) are still damaged after repair")]
    StillBad {
        /// How many.
        files: usize,
    },
    /// The release names no launch command for this system.
    #[error("this release has no launch command for {platform}")]
    NoLaunch {
        /// The platform.
        platform: String,
    },
    /// A game waits for a file that its release does not have.
    #[error("{path} is no file of this release")]
    FileNotListed {
        /// The file.
        path: String,
    },
    /// A game waits for a file that nobody fetches.
    #[error("{path} is not here, and nothing fetches it: start the launcher, or repair the game")]
    NobodyFetches {
        /// The file.
        path: String,
    },
    /// A game waited long enough.
    #[error("{path} did not come within {seconds} s")]
    WaitTimeout {
        /// The file.
        path: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// What the game needs to begin is still on its way.
    #[error("the game cannot be started yet: the files it needs to begin are still on their way")]
    NotPlayableYet,
    /// The game's program is not what was published.
    #[error("{path} is damaged; repair the game first")]
    ExecutableBad {
        /// The program.
        path: String,
    },
    /// The system did not start it.
    #[error("{path} could not be started: {source}{}", hint(source))]
    Start {
        /// The program.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The game runs.
    #[error("the game is running")]
    Running,
    /// A task of ours ended unexpectedly.
    #[error("internal: {0}")]
    Internal(String),
}

/// What to look at when the system refuses to start a program whose bytes are right.
fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; the system lets no program run from there: is the volume mounted without that right, or does a security program hold it back?"
        }
        _ => "",
    }
}

impl GameError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Http(error) => error.code(),
            Self::Channel(_) => "CHANNEL_INVALID",
            Self::Manifest(_) | Self::Metainfo(_) => "MANIFEST_INVALID",
            Self::Patch(error) => error.code(),
            Self::Mismatch { .. } => "MANIFEST_MISMATCH",
            Self::ChannelRollback { .. } => "META_ROLLBACK",
            Self::InsecureFirstUse { .. } => "ROOT_NEEDED",
            Self::RootChanged => "ROOT_CHANGED",
            Self::NotInstalled => "NOT_INSTALLED",
            Self::NoLink => "FOLDER_NOT_OURS",
            Self::Busy => "BUSY",
            Self::Cancelled => "CANCELLED",
            Self::Transfer { code, .. } => code,
            Self::UnlockNotYet { .. } => "UNLOCK_NOT_YET",
            Self::Sealed(error) => error.code(),
            Self::Unopened(error) => error.code(),
            Self::PatchNotGiven => "PATCH_NOT_GIVEN",
            Self::StillBad { .. } => "CONTENT_BAD",
            Self::NoLaunch { .. } => "NO_LAUNCH",
            Self::FileNotListed { .. } => "FILE_NOT_LISTED",
            Self::NobodyFetches { .. } => "NOBODY_FETCHES",
            Self::WaitTimeout { .. } => "WAIT_TIMEOUT",
            Self::NotPlayableYet => "NOT_PLAYABLE_YET",
            Self::ExecutableBad { .. } => "EXECUTABLE_BAD",
            Self::Start { .. } => "START_FAILED",
            Self::Running => "GAME_RUNNING",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Whether trying again can help without changing anything.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        match self {
            Self::Store(error) => error.can_retry(),
            Self::Http(_) | Self::Busy | Self::Cancelled | Self::Transfer { .. } | Self::Running => true,
            Self::NotPlayableYet | Self::NobodyFetches { .. } | Self::WaitTimeout { .. } => true,
            Self::UnlockNotYet { .. } => true,
            Self::Trust(error) => matches!(error.code(), "NETWORK" | "ORIGIN_HTML" | "ORIGIN_NOT_FOUND"),
            _ => false,
        }
    }

    /// Whether it means that the repository cannot be reached.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        matches!(self.code(), "NETWORK" | "ORIGIN_HTML")
    }
}

impl From<&GameError> for Failure {
    fn from(error: &GameError) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), can_retry: error.can_retry() }
    }
}
