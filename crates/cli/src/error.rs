//! Why a verb did not do its work, as people and programs hear it: a stable code, a sentence, whether to try again.

use crate::signals::Signal;
use engine::{piece_store::PieceStoreError, session::SessionError, snapshot::Failure};
use serde_json::{Map, Value};
use std::{io, path::Path};

/// See the module.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    /// Stable code; [`crate::exit`] makes the exit code of it.
    pub(crate) code: String,
    /// One sentence.
    pub(crate) message: String,
    /// Whether the same words may work later.
    pub(crate) can_retry: bool,
    /// More fields of the result line.
    pub(crate) fields: Map<String, Value>,
}

impl CliError {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), can_retry: false, fields: Map::new() }
    }

    /// The words do not fit together in a way that the parser cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("USAGE", message)
    }

    /// A file or folder named on the command line.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "NO_PERMISSION",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "DISK_FULL",
            io::ErrorKind::NotFound => "FILE_MISSING",
            _ => "DISK_ERROR",
        };
        Self::new(code, format!("{}: {error}", path.display()))
    }

    /// A signal ended it; what came is kept.
    pub(crate) fn interrupted(signal: Signal) -> Self {
        let code = match signal {
            Signal::Interrupt => "INTERRUPTED",
            Signal::Terminate => "TERMINATED",
        };
        Self { can_retry: true, ..Self::new(code, "interrupted; what was done so far is kept") }
    }

    pub(crate) fn with_fields(mut self, fields: Map<String, Value>) -> Self {
        self.fields = fields;
        self
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self { can_retry: failure.can_retry, ..Self::new(failure.code, failure.message) }
    }
}

impl From<publisher::PublishError> for CliError {
    fn from(error: publisher::PublishError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<trust::EditError> for CliError {
    fn from(error: trust::EditError) -> Self {
        let can_retry = matches!(error, trust::EditError::Busy { .. });
        Self { can_retry, ..Self::new(error.code(), error.to_string()) }
    }
}

impl From<trust::Error> for CliError {
    fn from(error: trust::Error) -> Self {
        let can_retry = matches!(error, trust::Error::Network { .. } | trust::Error::Html { .. });
        Self { can_retry, ..Self::new(error.code(), error.to_string()) }
    }
}

impl From<origin::ServeError> for CliError {
    fn from(error: origin::ServeError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<PieceStoreError> for CliError {
    fn from(error: PieceStoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A background thread that died; the message is the runtime's.
impl From<tokio::task::JoinError> for CliError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new("INTERNAL", error.to_string())
    }
}
