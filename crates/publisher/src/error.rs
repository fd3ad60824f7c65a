//! Why nothing was published. Every variant has a stable code; the repository is as it was.

use std::path::PathBuf;

use release::channel::ChannelError;
use release::id::Version;
use release::layout::LayerError;
use release::manifest::ManifestError;
use release::metainfo::MetainfoError;
use release::patch::PatchError;
use release::path::{GamePath, PathError};
use release::sealed::SealedError;

use crate::disk::DiskError;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A file call failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The repository or its keys.
    #[error(transparent)]
    Repository(#[from] trust::EditError),
    /// The build folder holds no file to publish.
    #[error("{path} holds no files to publish", path = path.display())]
    EmptyBuild {
        /// Build folder.
        path: PathBuf,
    },
    /// Repository or keys lie in the build folder, or the build in the repository.
    #[error("{inner} must not lie inside {outer}", inner = inner.display(), outer = outer.display())]
    Nested {
        /// The folder inside.
        inner: PathBuf,
        /// The folder around it.
        outer: PathBuf,
    },
    /// Links do not travel: they mean different things on different systems.
    #[error("{path} is a link; releases hold files and folders only", path = path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A pipe, a socket or a device.
    #[error("{path} is neither file nor folder", path = path.display())]
    Special {
        /// The thing.
        path: PathBuf,
    },
    /// A name that some player's system cannot hold, or that is reserved.
    #[error("{path} cannot be part of a release: {source}", path = path.display())]
    Name {
        /// The file or folder.
        path: PathBuf,
        /// The rule it breaks.
        source: PathError,
    },
    /// A name that is no Unicode text.
    #[error("{path} cannot be part of a release: its name is no Unicode text", path = path.display())]
    NotUnicode {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file was written to while it was read.
    #[error("{path} changed while it was published: publish again when the build is finished", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The configuration cannot be understood.
    #[error("{path}: {reason}", path = path.display())]
    Config {
        /// Configuration file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A launch command names a program that is not in the build.
    #[error("the launch command for {platform} starts {executable}, which is not in the build")]
    LaunchMissing {
        /// Platform of the command.
        platform: String,
        /// What it starts.
        executable: GamePath,
    },
    /// A launch command starts a program that comes only after the game was started.
    #[error(
        "the launch command for {platform} starts {executable}, which is in the set optional; it must be required or playable"
    )]
    LaunchOptional {
        /// Platform of the command.
        platform: String,
        /// What it starts.
        executable: GamePath,
    },
    /// The release breaks a rule of the format: collisions, too many files, texts too long.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The torrent cannot be built.
    #[error(transparent)]
    Torrent(#[from] MetainfoError),
    /// Piece layers that do not match: a defect, not an input.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The channel's document in the repository cannot be read.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// This version was published before, with other content.
    #[error("version {version} is already published with other content: choose another version")]
    VersionTaken {
        /// The version.
        version: Version,
    },
    /// A tracker or mirror is no address.
    #[error("{entry:?} is no {kind}: give an http, https or udp address, or one relative to the repository")]
    Address {
        /// `tracker` or `mirror`.
        kind: &'static str,
        /// What was given.
        entry: String,
    },
    /// A number for the origin is out of bounds.
    #[error("the origin's delay is at most an hour and its floor at most 1 GiB/s")]
    OriginBounds,
    /// A patch was asked for from a release that the repository does not hold, or from the very one to publish.
    #[error("no patch can be made from {version}: the repository holds no other release of that version")]
    PatchFrom {
        /// The version.
        version: Version,
    },
    /// A patch cannot be described.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A segment of a patch cannot be encoded: a defect, not an input.
    #[error(transparent)]
    Delta(#[from] delta::EncodeError),
    /// Content that a release in the repository is made of is missing or damaged.
    #[error("{path} is missing or damaged: publish its release again from its build", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The hour of a sealed release is over already.
    #[error("the hour of unlocking, {unlock}, is not in the future")]
    UnlockPast {
        /// The hour, RFC 3339.
        unlock: String,
    },
    /// Publishing this now would show players what is sealed until its hour.
    #[error("{version} is sealed until {unlock}: wait, or withdraw it first (muster unlock --withdraw)")]
    UnlockEarly {
        /// The release.
        version: Version,
        /// Its hour, RFC 3339.
        unlock: String,
    },
    /// A channel needs a release that players can have until the hour.
    #[error("the channel has no release yet: publish one first, then a sealed one beside it")]
    UpcomingAlone,
    /// Another channel of the game has a sealed release of this version.
    #[error("channel {channel} has {version} sealed already: names in a repository are taken once")]
    UpcomingTaken {
        /// The channel.
        channel: String,
        /// The version.
        version: Version,
    },
    /// The channel has no sealed release, or another one than was named.
    #[error("the channel has no such sealed release")]
    UpcomingMissing,
    /// The key of the sealed release is not where it was put.
    #[error("{path}: the key of the sealed release is not there", path = path.display())]
    UnlockKeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A bundle cannot be sealed, or a key is not the release's.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a key")]
    Random,
    /// Compression failed inside its library.
    #[error("compressing {path}: {reason}", path = path.display())]
    Compression {
        /// The file.
        path: PathBuf,
        /// The library's words.
        reason: String,
    },
}

impl PublishError {
    /// Stable code for programs and for translation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) => "BUILD_IO",
            Self::Repository(error) => error.code(),
            Self::EmptyBuild { .. } => "BUILD_EMPTY",
            Self::Nested { .. } => "FOLDERS_NESTED",
            Self::Link { .. } => "BUILD_LINK",
            Self::Special { .. } => "BUILD_SPECIAL",
            Self::Name { .. } | Self::NotUnicode { .. } => "BUILD_NAME",
            Self::Changed { .. } => "BUILD_CHANGED",
            Self::Config { .. } => "CONFIG_INVALID",
            Self::LaunchMissing { .. } => "LAUNCH_MISSING",
            Self::LaunchOptional { .. } => "LAUNCH_OPTIONAL",
            Self::Manifest(_) | Self::Torrent(_) | Self::Layer(_) => "RELEASE_INVALID",
            Self::Channel(_) => "CHANNEL_INVALID",
            Self::VersionTaken { .. } => "VERSION_TAKEN",
            Self::Address { .. } => "ADDRESS_INVALID",
            Self::OriginBounds => "ORIGIN_INVALID",
            Self::PatchFrom { .. } => "PATCH_FROM_UNKNOWN",
            Self::Patch(error) => error.code(),
            Self::Delta(_) => "PATCH_ENCODING",
            Self::Content { .. } => "CONTENT_DAMAGED",
            Self::UnlockPast { .. } => "UNLOCK_PAST",
            Self::UnlockEarly { .. } => "UNLOCK_EARLY",
            Self::UpcomingAlone => "UPCOMING_ALONE",
            Self::UpcomingTaken { .. } => "VERSION_TAKEN",
            Self::UpcomingMissing => "UPCOMING_MISSING",
            Self::UnlockKeyMissing { .. } => "UNLOCK_KEY_MISSING",
            Self::Sealed(error) => error.code(),
            Self::Random => "CRYPTO",
            Self::Compression { .. } => "COMPRESSION",
        }
    }
}
