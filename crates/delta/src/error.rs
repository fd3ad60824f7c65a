//! Why a segment could not be made or read. Codes are stable: tests and people see them.

use crate::Method;

/// A payload could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The old and the new bytes differ, or the old ones are too few: *copy* cannot say that.
    #[error("the new bytes are not the first of the old ones")]
    NotCopy,
    /// Neither image may be longer than [`crate::LENGTH_MAX`] bytes.
    #[error("{bytes} bytes are more than a segment holds")]
    TooLong {
        /// Length of the longer image.
        bytes: u64,
    },
    /// The old or the new bytes are no program that *program* understands.
    #[error("not a program of a known kind")]
    NotProgram,
    /// The compression library refused.
    #[error("compression failed: {0}")]
    Library(&'static str),
}

impl EncodeError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCopy => "delta-not-copy",
            Self::TooLong { .. } => "delta-too-long",
            Self::NotProgram => "delta-not-program",
            Self::Library(_) => "delta-library",
        }
    }
}

/// A payload does not yield new bytes of the announced length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The number stands for no method of this version.
    #[error("method {0} is not known")]
    UnknownMethod(u8),
    /// An announced length is beyond [`crate::LENGTH_MAX`].
    #[error("{bytes} bytes are more than a segment holds")]
    TooLong {
        /// The length that is too great.
        bytes: u64,
    },
    /// The payload ends too early, is too long, or says what cannot be.
    #[error("the payload of method {method:?} is malformed: {what}")]
    Malformed {
        /// The method that read it.
        method: Method,
        /// Which rule it breaks.
        what: &'static str,
    },
}

impl DecodeError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownMethod(_) => "delta-method-unknown",
            Self::TooLong { .. } => "delta-too-long",
            Self::Malformed { .. } => "delta-malformed",
        }
    }
}
