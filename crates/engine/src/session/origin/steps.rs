//! A range of a file as it comes, in one answer or, under a low cap, in several.
//!
//! What a server sends ahead of what is read lies in buffers that are not ours to size, and has crossed the wire: of a
//! low cap that would be seconds. So no more is asked for than the cap lets pass in a moment. A server that ignores
//! ranges is asked once for all: each step would cost the whole file.

use super::{answer::Asked, body::Body, error::OriginError, lane::Lane};
use bytes::Bytes;
use std::ops::Range;
use url::Url;

/// See the module.
pub(super) struct Steps<'a> {
    lane: &'a Lane<'a>,
    url: &'a Url,
    /// Bytes of the file that were not asked for yet.
    left: Range<u64>,
    /// Of the file, where it is known.
    length: Option<u64>,
    body: Option<Body>,
    at_once: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(lane: &'a Lane<'a>, url: &'a Url, range: Range<u64>, length: Option<u64>) -> Self {
        Self { lane, url, left: range, length, body: None, at_once: false }
    }

    /// The next bytes; `None` at the end, and when nobody wants the rest.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, OriginError> {
        loop {
            let mut body = match self.body.take() {
                Some(body) => body,
                None if self.left.is_empty() || self.lane.run.rest().is_empty() => return Ok(None),
                None => self.ask().await?,
            };
            let data = self.lane.next(&mut body).await?;
            let ended = data.is_none() && body.left() == Some(0);
            self.body = Some(body).filter(|_| !ended);
            if !ended {
                return Ok(data);
            }
        }
    }

    async fn ask(&mut self) -> Result<Body, OriginError> {
        let step = self.lane.ground.scope.origin_step().filter(|_| !self.at_once).unwrap_or(u64::MAX);
        let end = self.left.end.min(self.left.start.saturating_add(step));
        let (mut body, ranged) = self.lane.ask(self.url, &self.asked(end)).await?;
        if ranged || end == self.left.end {
            self.left.start = end;
            return Ok(body);
        }
        self.at_once = true;
        body = self.lane.ask(self.url, &self.asked(self.left.end)).await?.0;
        self.left.start = self.left.end;
        Ok(body)
    }

    /// From where we are to `end`.
    fn asked(&self, end: u64) -> Asked {
        let range = self.left.start..end;
        match self.length {
            Some(length) if range == (0..length) => Asked::Whole { length: Some(length) },
            length => Asked::Range { range, length },
        }
    }
}
