//! How bytes come from an origin. The caller brings the transport (HTTP in the programs, a folder for `repo check`);
//! this crate only says what it asks for and how much it takes.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

use crate::disk;

/// Fetches files of one repository.
#[async_trait]
pub trait Transport: Debug + Send + Sync {
    /// Fetches `path`, which is relative to the repository's URL, with `/` between its parts and nothing escaped.
    ///
    /// At most `limit` bytes are taken; what is longer is [`FetchError::TooLarge`] and must not be buffered whole.
    /// The transport owns time limits, redirects (never to another host) and waiting between attempts.
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError>;
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The origin says there is no such file (HTTP 403, 404 or 410).
    #[error("not found")]
    NotFound,
    /// Longer than the limit.
    #[error("longer than {limit} bytes")]
    TooLarge {
        /// The limit that was passed in.
        limit: u64,
    },
    /// A web page came instead of the file.
    #[error("a web page came instead")]
    Html,
    /// Anything else: no connection, time out, server error, broken transfer.
    #[error("{source}")]
    Network {
        /// The transport's own error.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// True if the bytes look like a web page. No file of a repository begins like one.
pub(crate) fn looks_like_html(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'<')
}

/// Reads a repository from a folder, as a client would over HTTP.
#[derive(Debug, Clone)]
pub struct FolderTransport {
    folder: PathBuf,
}

impl FolderTransport {
    /// Reads below `folder`, the one that holds `metadata` and `targets`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

#[async_trait]
impl Transport for FolderTransport {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        if path.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.contains('\\')) {
            return Err(FetchError::NotFound);
        }
        let file = self.folder.join(path);
        let read = tokio::task::spawn_blocking(move || disk::read(&file, limit)).await;
        match read {
            Ok(Ok(bytes)) => Ok(bytes.into()),
            Ok(Err(error)) => Err(match error.source.kind() {
                io::ErrorKind::NotFound => FetchError::NotFound,
                io::ErrorKind::FileTooLarge => FetchError::TooLarge { limit },
                _ => FetchError::Network { source: error.into() },
            }),
            Err(stopped) => Err(FetchError::Network { source: stopped.into() }),
        }
    }
}
