//! A stretch of new bytes that follows a stretch of old bytes.

/// `len` bytes of the new image at `new` resemble the old image's at `old`; they need not be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// First byte in the new image.
    pub new: u32,
    /// First byte in the old image.
    pub old: u32,
    /// Bytes, at least one.
    pub len: u32,
}

/// Where the bytes of `new` are found, exactly or nearly, in `old`: ordered by `new`, not overlapping there.
///
/// For the publisher's choice of the old ranges that a window of new bytes needs. Coarse: stretches shorter than a few
/// dozen bytes are not looked for.
#[must_use]
pub fn matches(old: &[u8], new: &[u8]) -> Vec<Run> {
    crate::coarse::matches(old, new)
}
