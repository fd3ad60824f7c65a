//! What can go wrong: for a reader of the repository ([`Error`]) and for its writer ([`EditError`]). Every variant has a
//! stable code that a user interface turns into words.

use std::error::Error as StdError;
use std::path::PathBuf;

use tough::TransportErrorKind;
use tough::error::Error as TufError;

use crate::disk::DiskError;
use crate::transport::FetchError;

/// Why a repository, or one target of it, is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Correctly signed but out of date. An installed game still starts; a new version is not installed.
    #[error("the {role} metadata of the repository expired on {expired}")]
    Expired {
        /// Role that ran out: `root`, `timestamp`, `snapshot` or `targets`.
        role: &'static str,
        /// When it ran out, RFC 3339.
        expired: String,
    },
    /// Not signed by the keys we trust, or not the bytes that were signed.
    #[error("{what} is not what the publisher signed: {reason}")]
    Signature {
        /// Role or target.
        what: String,
        /// The library's own words.
        reason: String,
    },
    /// Signed, but older than what was seen before.
    #[error("the repository offers something older than was seen before: {reason}")]
    Rollback {
        /// The library's own words.
        reason: String,
    },
    /// Metadata that cannot be read at all.
    #[error("the repository's metadata cannot be read: {reason}")]
    Malformed {
        /// The library's own words.
        reason: String,
    },
    /// The root given by the caller is no valid, self-signed root.
    #[error("the trusted root is not usable: {reason}")]
    TrustedRoot {
        /// The library's own words.
        reason: String,
    },
    /// Larger than allowed: a bound of [`crate::limits`], of the metadata, or of the caller.
    #[error("{what} is larger than the {limit} bytes allowed")]
    Size {
        /// Role or target.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// More new roots at once than [`crate::limits::ROOT_STEPS_MAX`].
    #[error("the repository offers more than {limit} new roots at once")]
    RootSteps {
        /// The bound.
        limit: u64,
    },
    /// A web page came where a file was expected: a captive portal or a wrong address.
    #[error("a web page came instead of {what}")]
    Html {
        /// Role or target.
        what: String,
    },
    /// The origin answered that there is no such file.
    #[error("the origin has no {what}")]
    NotFound {
        /// Role or target.
        what: String,
    },
    /// The origin could not be reached, or the connection broke.
    #[error("{what} could not be fetched: {reason}")]
    Network {
        /// Role or target.
        what: String,
        /// The transport's words.
        reason: String,
    },
    /// The signed list holds no target of this name.
    #[error("the repository has no target named {name}")]
    NoSuchTarget {
        /// Name asked for.
        name: String,
    },
    /// The trust state could not be read or written.
    #[error("trust state: {0}")]
    Disk(#[from] DiskError),
    /// A background task was torn down while it worked.
    #[error("loading the repository was interrupted")]
    Interrupted,
}

impl Error {
    /// Stable code for programs and for translation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "META_EXPIRED",
            Self::Signature { .. } => "META_SIGNATURE",
            Self::Rollback { .. } => "META_ROLLBACK",
            Self::Malformed { .. } => "META_INVALID",
            Self::TrustedRoot { .. } => "ROOT_INVALID",
            Self::Size { .. } | Self::RootSteps { .. } => "META_SIZE",
            Self::Html { .. } => "ORIGIN_HTML",
            Self::NotFound { .. } => "ORIGIN_NOT_FOUND",
            Self::Network { .. } => "NETWORK",
            Self::NoSuchTarget { .. } => "TARGET_MISSING",
            Self::Disk(_) => "TRUST_STATE_IO",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// What failed to arrive, with the fetch error turned into ours.
    pub(crate) fn from_fetch(what: &str, error: &FetchError) -> Self {
        let what = what.to_owned();
        match error {
            FetchError::NotFound => Self::NotFound { what },
            FetchError::TooLarge { limit } => Self::Size { what, limit: *limit },
            FetchError::Html => Self::Html { what },
            FetchError::Network { source } => Self::Network { what, reason: source.to_string() },
        }
    }

    /// Sorts the library's errors into the few that a caller treats differently.
    pub(crate) fn from_tuf(error: &TufError) -> Self {
        let reason = error.to_string();
        match error {
            TufError::Transport { url, source, .. } => Self::from_transport(url.path(), source),
            TufError::VerifyMetadata { role, .. } => Self::Signature { what: role.to_string(), reason },
            TufError::VersionMismatch { role, .. } => Self::Signature { what: role.to_string(), reason },
            TufError::OlderMetadata { .. }
            | TufError::OlderSnapshotInTimestamp { .. }
            | TufError::SnapshotRoleRollback { .. }
            | TufError::SnapshotRoleMissing { .. } => Self::Rollback { reason },
            TufError::ParseTrustedMetadata { .. } | TufError::VerifyTrustedMetadata { .. } => {
                Self::TrustedRoot { reason }
            }
            TufError::MaxUpdatesExceeded { .. } => Self::RootSteps { limit: crate::limits::ROOT_STEPS_MAX },
            _ => Self::Malformed { reason },
        }
    }

    /// The cause of a failed fetch lies in the chain of sources: our own transport's word, or the library's check of
    /// length or hash on the way in.
    fn from_transport(url_path: &str, error: &tough::TransportError) -> Self {
        let what = url_path.rsplit('/').next().unwrap_or(url_path).to_owned();
        let mut cause: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(source) = cause {
            if let Some(fetch) = source.downcast_ref::<FetchError>() {
                return Self::from_fetch(&what, fetch);
            }
            match source.downcast_ref::<TufError>() {
                Some(TufError::MaxSizeExceeded { max_size, .. }) => {
                    return Self::Size { what, limit: *max_size };
                }
                Some(tuf @ TufError::HashMismatch { .. }) => {
                    return Self::Signature { what, reason: tuf.to_string() };
                }
                _ => cause = source.source(),
            }
        }
        match error.kind() {
            TransportErrorKind::FileNotFound => Self::NotFound { what },
            _ => Self::Network { what, reason: error.to_string() },
        }
    }
}

/// Why a repository was not made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// A file call failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The keys folder already holds keys; they are never overwritten.
    #[error("{path} already holds keys; they are never overwritten", path = path.display())]
    KeysExist {
        /// Keys folder.
        path: PathBuf,
    },
    /// The folder already holds a repository.
    #[error("{path} already holds a repository", path = path.display())]
    RepositoryExists {
        /// Repository folder.
        path: PathBuf,
    },
    /// The folder holds no repository.
    #[error("{path} holds no repository: run `keys init` first", path = path.display())]
    NoRepository {
        /// Repository folder.
        path: PathBuf,
    },
    /// A private key lies in the repository, from where it would be published.
    #[error("{path} is a private key inside the repository: move it away and replace the key", path = path.display())]
    KeyInRepository {
        /// The key.
        path: PathBuf,
    },
    /// The keys folder lies inside the repository, or the other way round.
    #[error("the keys folder {path} must lie outside the repository", path = path.display())]
    KeysFolderInRepository {
        /// Keys folder.
        path: PathBuf,
    },
    /// A file with the name of a key is none.
    #[error("{path} is no Ed25519 private key in DER PKCS#8", path = path.display())]
    KeyUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// The keys folder lacks keys that this step has to sign with.
    #[error("the keys folder {path} lacks the keys to sign {role}", path = path.display())]
    MissingKey {
        /// Role to be signed.
        role: String,
        /// Keys folder.
        path: PathBuf,
    },
    /// The key that is at hand was taken out of the root: it signs nothing any more.
    #[error(
        "{path} is revoked: the newest root names other keys for {role}",
        path = path.display()
    )]
    KeyRevoked {
        /// Role to be signed.
        role: String,
        /// The key.
        path: PathBuf,
    },
    /// A key that the root does not name for this.
    #[error("key {key} {reason}")]
    KeyNotNamed {
        /// Its id, or as much of it as was said.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that is no draft of a root.
    #[error("this is no root to be signed: {reason}")]
    Draft {
        /// What is wrong with it.
        reason: String,
    },
    /// A draft whose content was changed after somebody had signed it.
    #[error(
        "the root was changed after key {key} had signed it: do not sign it, and find out who changed it"
    )]
    DraftChanged {
        /// Id of the key whose signature does not fit any more.
        key: String,
    },
    /// A draft that does not follow the repository's newest root.
    #[error(
        "version {version} was prepared on top of another root than the repository's newest, {newest}: prepare it anew"
    )]
    DraftStale {
        /// The draft's version.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// A root's version must follow that of the one before.
    #[error("the root after version {previous} cannot have version {version}")]
    RootVersion {
        /// Version of the root before.
        previous: u64,
        /// The draft's version.
        version: u64,
    },
    /// Fewer signatures than must be.
    #[error(
        "the root is not signed by enough keys yet: {old_missing} more of the present root's, {new_missing} more of its own"
    )]
    RootUnsigned {
        /// Signatures that the present root still demands.
        old_missing: u64,
        /// Signatures that the new root still demands.
        new_missing: u64,
    },
    /// The change would leave a role that cannot be signed, or that fewer people could sign than it seems.
    #[error("{role}: {reason}")]
    RootRoles {
        /// The role.
        role: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What lies in the repository is not signed by its own root.
    #[error("{file} in the repository is damaged or not signed by its keys: {reason}")]
    Damaged {
        /// Metadata file or target.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The root ran out and has to be signed anew first.
    #[error("the repository's root expired on {expired}: renew it with the root keys first")]
    RootExpired {
        /// When, RFC 3339.
        expired: String,
    },
    /// Not a flat, portable target name.
    #[error("{name:?} is no target name: letters, digits and -_.~+, not starting with a dot")]
    TargetName {
        /// The name.
        name: String,
    },
    /// Readers would refuse a metadata file of this size.
    #[error("{role} metadata would have {length} bytes, and readers take {limit}: remove old releases first")]
    TooLarge {
        /// Role.
        role: String,
        /// Its size.
        length: u64,
        /// The bound.
        limit: u64,
    },
    /// Another process is changing the repository.
    #[error("another process is changing the repository {path}", path = path.display())]
    Busy {
        /// Repository folder.
        path: PathBuf,
    },
    /// Making or using a key failed inside the cryptography library, or a time is out of its range.
    #[error("{what} failed: {reason}")]
    Crypto {
        /// What was tried.
        what: &'static str,
        /// The library's words.
        reason: String,
    },
}

impl EditError {
    /// Stable code for programs and for translation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) => "REPO_IO",
            Self::KeysExist { .. } => "KEYS_EXIST",
            Self::RepositoryExists { .. } => "REPO_EXISTS",
            Self::NoRepository { .. } => "REPO_MISSING",
            Self::KeyInRepository { .. } | Self::KeysFolderInRepository { .. } => "KEY_IN_REPO",
            Self::KeyUnreadable { .. } => "KEY_INVALID",
            Self::MissingKey { .. } => "KEY_MISSING",
            Self::KeyRevoked { .. } => "KEY_REVOKED",
            Self::KeyNotNamed { .. } => "KEY_NOT_NAMED",
            Self::Draft { .. } => "ROOT_DRAFT",
            Self::DraftChanged { .. } => "ROOT_DRAFT_CHANGED",
            Self::DraftStale { .. } => "ROOT_DRAFT_STALE",
            Self::RootVersion { .. } => "ROOT_VERSION",
            Self::RootUnsigned { .. } => "ROOT_UNSIGNED",
            Self::RootRoles { .. } => "ROOT_ROLES",
            Self::Damaged { .. } => "REPO_DAMAGED",
            Self::RootExpired { .. } => "META_EXPIRED",
            Self::TargetName { .. } => "TARGET_NAME",
            Self::TooLarge { .. } => "META_SIZE",
            Self::Busy { .. } => "REPO_BUSY",
            Self::Crypto { .. } => "CRYPTO",
        }
    }
}
