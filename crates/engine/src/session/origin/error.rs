//! Why a source did not give what was asked of it, and what follows from that.

use crate::http::HttpError;
use std::time::Duration;

/// Why a request to one source failed. The source's name stands beside it in the status.
#[derive(Debug, thiserror::Error)]
pub(in crate::session) enum OriginError {
    /// No connection, or one that broke.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A status that is no success.
    #[error("answered {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    /// The whole file where a part far into it was asked for.
    #[error("ignores ranges, so that a part of a large file cannot be had")]
    NoRanges,
    /// A part that was not asked for, or none that is named.
    #[error("answered another range than asked for")]
    Range,
    /// A length that cannot be.
    #[error("announced {sent} bytes where {expected} were due")]
    Length { sent: u64, expected: u64 },
    /// A captive portal, or a proxy's own page.
    #[error("answered with a web page: is a login to this network needed?")]
    Html,
    /// Something on the way compresses.
    #[error("content was changed on its way: it came as {encoding}")]
    Encoded { encoding: String },
    /// Nothing, or next to nothing.
    #[error("sends next to nothing")]
    Stalled,
    /// The body ended early.
    #[error("broke off {missing} bytes before the end")]
    CutShort { missing: u64 },
    /// More than there can be.
    #[error("sends more than the file can have")]
    TooLong,
    /// Bytes that are no content of ours.
    #[error("has other content than this release")]
    Content,
}

/// What follows for the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It does not have this file.
    Lacks,
    /// It has something else under this file's name.
    Lies,
    /// It is left alone: for as long as it said, or for longer each time.
    Rest(Option<Duration>),
}

impl OriginError {
    pub(super) fn consequence(&self) -> Consequence {
        match self {
            // 403 is how object stores name what is not there.
            Self::Status { status: 403 | 404 | 410 | 416, retry_after: None } => Consequence::Lacks,
            Self::Status { retry_after, .. } => Consequence::Rest(*retry_after),
            Self::Content | Self::TooLong => Consequence::Lies,
            Self::NoRanges => Consequence::Lacks,
            _ => Consequence::Rest(None),
        }
    }
}
