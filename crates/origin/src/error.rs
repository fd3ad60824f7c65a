//! Why a repository is not served, with the stable codes that people and programs get.

use crate::catalog::CatalogError;
use engine::session::SessionError;
use std::{io, net::SocketAddr, path::PathBuf};

/// Why a repository is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The folder is no repository, or cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Repository {
        /// What could not be read.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A private key lies where it would be served.
    #[error("{path} is a private key: move it out of the repository before serving it", path = path.display())]
    KeysInRepository {
        /// The key.
        path: PathBuf,
    },
    /// The folder could not be searched for keys.
    #[error("{0}")]
    Edit(trust::EditError),
    /// Players would not believe the repository.
    #[error("{0}")]
    Trust(trust::Error),
    /// The port is taken.
    #[error("address {addr} is in use")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The seed did not start.
    #[error("the seed: {0}")]
    Seed(#[from] SessionError),
    /// The runtime is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl ServeError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repository { source, .. } if source.kind() == io::ErrorKind::NotFound => "REPO_MISSING",
            Self::Repository { .. } => "REPO_IO",
            Self::KeysInRepository { .. } => "KEYS_IN_REPOSITORY",
            Self::Edit(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::AddressInUse { .. } => "ADDRESS_IN_USE",
            Self::Listen { .. } => "LISTEN",
            Self::Seed(error) => error.code(),
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

impl From<CatalogError> for ServeError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Io { path, source } => Self::Repository { path, source },
            CatalogError::Trust(error) => Self::Trust(error),
        }
    }
}
