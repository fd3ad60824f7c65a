//! What a server's answer is worth before its body is read.
//!
//! Boxes between us and the server change answers: they drop ranges, compress, ask for a login. Each such answer is
//! told from content by its head alone; what a head cannot tell, the core's hashes do.

use super::error::OriginError;
use crate::http;
use chrono::Utc;
use release::limits::FILE_BYTES_MAX;
use reqwest::{
    StatusCode,
    header::{self, HeaderMap},
};
use std::ops::Range;

/// Most bytes of a whole file that are read and thrown away to reach a range that the server ignored.
pub(super) const SKIP_MAX: u64 = 1024 * 1024;
/// What breaking off an answer costs besides: bytes that are on their way already.
const BREAK_OFF: u64 = 512 * 1024;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) enum Asked {
    /// The whole of a file, whose length we may know.
    Whole { length: Option<u64> },
    /// A range of a file whose length we may know.
    Range { range: Range<u64>, length: Option<u64> },
    /// The last bytes of a file.
    Tail { bytes: u64 },
}

/// How an answer is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::session) struct Admitted {
    /// Bytes to throw away first.
    pub(in crate::session) skip: u64,
    /// Bytes to take then; `None`: to its end, which only a whole file of unknown length has.
    pub(in crate::session) take: Option<u64>,
    /// Bytes that travel for nothing at most.
    pub(in crate::session) waste: u64,
}

impl Asked {
    /// Value of the `Range` header, if one is needed.
    pub(super) fn header(&self) -> Option<String> {
        match self {
            Self::Whole { .. } => None,
            Self::Range { range, .. } => Some(format!("bytes={}-{}", range.start, range.end - 1)),
            Self::Tail { bytes } => Some(format!("bytes=-{bytes}")),
        }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Whole { length } | Self::Range { length, .. } => *length,
            Self::Tail { .. } => None,
        }
    }
}

/// Reads the head of an answer.
pub(in crate::session) fn admit(
    status: StatusCode,
    headers: &HeaderMap,
    asked: &Asked,
) -> Result<Admitted, OriginError> {
    let retry_after = http::retry_after(headers, Utc::now());
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(OriginError::Status { status: status.as_u16(), retry_after });
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(encoding) =
        text(header::CONTENT_ENCODING).filter(|name| !name.eq_ignore_ascii_case("identity"))
    {
        return Err(OriginError::Encoded { encoding: encoding.to_owned() });
    }
    let sent = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = text(header::CONTENT_RANGE).and_then(content_range).ok_or(OriginError::Range)?;
        partial(&range, sent, asked)
    } else {
        // A game may well hold web pages; a portal's page has not just their length.
        if http::is_html(headers) && (sent.is_none() || sent != asked.length()) {
            return Err(OriginError::Html);
        }
        whole(sent, asked)
    }
}

/// A part of a file, as `Content-Range` names it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    range: Range<u64>,
    total: Option<u64>,
}

fn content_range(text: &str) -> Option<Part> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = (total != "*").then(|| total.trim().parse()).transpose().ok()?;
    let good = first <= last && last < FILE_BYTES_MAX && total.is_none_or(|total| last < total);
    good.then_some(Part { range: first..last + 1, total })
}

fn partial(part: &Part, sent: Option<u64>, asked: &Asked) -> Result<Admitted, OriginError> {
    let length = part.range.end - part.range.start;
    let right = match asked {
        Asked::Whole { .. } => false,
        Asked::Range { range, .. } => *range == part.range,
        // A file shorter than the tail is sent whole.
        Asked::Tail { bytes } => {
            part.total == Some(part.range.end)
                && (length == *bytes || (length < *bytes && part.range.start == 0))
        }
    };
    if !right {
        return Err(OriginError::Range);
    }
    if let Some(sent) = sent.filter(|sent| *sent != length) {
        return Err(OriginError::Length { sent, expected: length });
    }
    Ok(Admitted { skip: 0, take: Some(length), waste: 0 })
}

/// The whole file, also where a range was asked for.
fn whole(sent: Option<u64>, asked: &Asked) -> Result<Admitted, OriginError> {
    if let (Some(sent), Some(expected)) = (sent, asked.length())
        && sent != expected
    {
        return Err(OriginError::Length { sent, expected });
    }
    let sent = sent.or(asked.length());
    match asked {
        Asked::Whole { .. } => Ok(Admitted { skip: 0, take: sent, waste: 0 }),
        Asked::Range { range, .. } => {
            if let Some(sent) = sent.filter(|sent| *sent < range.end) {
                return Err(OriginError::Length { sent, expected: range.end });
            }
            if range.start > SKIP_MAX {
                return Err(OriginError::NoRanges);
            }
            let behind = sent.map_or(BREAK_OFF, |sent| (sent - range.end).min(BREAK_OFF));
            let take = Some(range.end - range.start);
            Ok(Admitted { skip: range.start, take, waste: range.start + behind })
        }
        Asked::Tail { bytes } => {
            let sent = sent.ok_or(OriginError::NoRanges)?;
            let skip = sent.saturating_sub(*bytes);
            if skip > SKIP_MAX {
                return Err(OriginError::NoRanges);
            }
            Ok(Admitted { skip, take: Some(sent - skip), waste: skip })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(&str, &str)], asked: &Asked) -> Result<Admitted, String> {
        let headers = headers.iter().map(|(name, text)| {
            let name: header::HeaderName = name.parse().expect("a name");
            (name, text.parse().expect("a value"))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        admit(status, &headers.collect(), asked).map_err(|error| format!("{error:?}"))
    }

    fn range(range: Range<u64>, length: u64) -> Asked {
        Asked::Range { range, length: Some(length) }
    }

    #[test]
    fn a_range_as_asked_is_taken() {
        let asked = range(100..200, 1000);
        let good = Admitted { skip: 0, take: Some(100), waste: 0 };
        let headers = [("content-range", "bytes 100-199/1000"), ("content-length", "100")];
        assert_eq!(check(206, &headers, &asked), Ok(good.clone()));
        assert_eq!(check(206, &[("content-range", "bytes 100-199/*")], &asked), Ok(good));
        for other in
            ["bytes 0-99/1000", "bytes 100-198/1000", "bytes 100-200/1000", "bytes 100-199", "100-199/1", ""]
        {
            assert_eq!(check(206, &[("content-range", other)], &asked), Err("Range".into()), "{other}");
        }
        let multipart = [("content-type", "multipart/byteranges; boundary=x")];
        assert_eq!(check(206, &multipart, &asked), Err("Range".into()));
        let long = [("content-range", "bytes 100-199/1000"), ("content-length", "101")];
        assert!(check(206, &long, &asked).is_err_and(|error| error.starts_with("Length")));
    }

    #[test]
    fn an_ignored_range_is_skipped_to_within_bounds() {
        let near = check(200, &[("content-length", "1000")], &range(100..200, 1000));
        assert_eq!(near, Ok(Admitted { skip: 100, take: Some(100), waste: 900 }));
        let far = range(SKIP_MAX + 1..SKIP_MAX + 2, 1 << 30);
        assert_eq!(check(200, &[], &far), Err("NoRanges".into()));
        assert!(check(200, &[("content-length", "150")], &range(100..200, 1000)).is_err());
        let tail = Asked::Tail { bytes: 10 };
        let whole = check(200, &[("content-length", "15")], &tail);
        assert_eq!(whole, Ok(Admitted { skip: 5, take: Some(10), waste: 5 }));
        assert_eq!(check(200, &[("content-length", "99999999")], &tail), Err("NoRanges".into()));
        assert_eq!(check(206, &[("content-range", "bytes 5-14/15")], &tail).map(|a| a.take), Ok(Some(10)));
        assert_eq!(check(206, &[("content-range", "bytes 0-7/8")], &tail).map(|a| a.take), Ok(Some(8)));
        assert_eq!(check(206, &[("content-range", "bytes 0-9/15")], &tail), Err("Range".into()));
    }

    #[test]
    fn web_pages_are_content_only_at_their_own_length() {
        let html = ("content-type", "text/html; charset=utf-8");
        let asked = Asked::Whole { length: Some(500) };
        assert!(check(200, &[html, ("content-length", "500")], &asked).is_ok());
        assert_eq!(check(200, &[html, ("content-length", "501")], &asked), Err("Html".into()));
        assert_eq!(check(200, &[html], &asked), Err("Html".into()));
        assert_eq!(check(200, &[html], &Asked::Whole { length: None }), Err("Html".into()));
        let part = [html, ("content-range", "bytes 0-9/500")];
        assert!(check(206, &part, &range(0..10, 500)).is_ok());
    }

    #[test]
    fn what_was_changed_on_its_way_is_refused() {
        let asked = Asked::Whole { length: Some(500) };
        assert!(check(200, &[("content-encoding", "gzip")], &asked).is_err_and(|e| e.starts_with("Encoded")));
        assert!(check(200, &[("content-encoding", "identity"), ("content-length", "500")], &asked).is_ok());
        let busy = check(503, &[("retry-after", "3")], &asked);
        assert_eq!(busy, Err("Status { status: 503, retry_after: Some(3s) }".into()));
        assert!(check(302, &[("location", "http://elsewhere/")], &asked).is_err());
    }
}
