//! A body as it streams in: cut to what was asked for, through the download cap, given up when it stalls.

use super::{answer::Admitted, error::OriginError};
use crate::{http::HttpError, session::limiter::Flow};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use reqwest::Response;
use std::{pin::Pin, time::Duration};
use swarm::bandwidth::Direction;
use tokio::time::Instant;
use url::Url;

/// When an answer is given up. The swarm core gives a silent fetch 30 s; a source is found out before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the head of an answer.
    pub(super) answer: Duration,
    /// Time spent waiting for the source after which `least` bytes must have come.
    pub(super) window: Duration,
    /// Bytes that a window must bring.
    pub(super) least: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(20), window: Duration::from_secs(15), least: 16 * 1024 }
    }
}

/// Tells a source that keeps a connection open from one that sends. Only time spent waiting for the source counts: a
/// cap or a full disk is not its fault.
#[derive(Debug)]
struct Pace {
    patience: Patience,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(patience: Patience) -> Self {
        Self { patience, waited: Duration::ZERO, bytes: 0 }
    }

    /// How long may be waited for the next bytes.
    fn left(&self) -> Duration {
        self.patience.window.saturating_sub(self.waited)
    }

    /// True if what came is too little.
    fn is_stalled(&mut self, waited: Duration, bytes: u64) -> bool {
        (self.waited, self.bytes) = (self.waited + waited, self.bytes + bytes);
        if self.bytes >= self.patience.least {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
        self.waited >= self.patience.window
    }
}

/// See the module.
pub(super) struct Body {
    url: Url,
    flow: Flow,
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    skip: u64,
    take: Option<u64>,
    pace: Pace,
    /// Bytes that were read, and how many of them the cap has let through: kept here, so that whoever stops waiting
    /// loses nothing.
    held: Option<(Bytes, u32)>,
}

/// What one read brought.
pub(super) struct Came {
    /// Bytes as they travelled, those thrown away included.
    pub(super) wire: u64,
    /// Bytes of what was asked for; may be empty.
    pub(super) data: Bytes,
}

impl Body {
    pub(super) fn new(
        url: &Url,
        flow: Flow,
        response: Response,
        admitted: &Admitted,
        patience: Patience,
    ) -> Self {
        Self {
            url: url.clone(),
            flow,
            stream: Box::pin(response.bytes_stream()),
            skip: admitted.skip,
            take: admitted.take,
            pace: Pace::new(patience),
            held: None,
        }
    }

    /// The next bytes; `None` once all came. Whoever stops waiting may call it again.
    pub(super) async fn next(&mut self) -> Result<Option<Came>, OriginError> {
        if self.take == Some(0) {
            // Its end is looked at, so that the connection can carry the next request.
            drop(self.stream.next().now_or_never());
            return Ok(None);
        }
        if self.held.is_none() {
            let asked_at = Instant::now();
            let next = tokio::time::timeout(self.pace.left(), self.stream.next()).await;
            let Some(part) = next.map_err(|_| OriginError::Stalled)? else {
                return match self.take {
                    None => Ok(None),
                    Some(missing) => Err(OriginError::CutShort { missing }),
                };
            };
            let data = part.map_err(|error| HttpError::from_reqwest(&self.url, &error))?;
            if self.pace.is_stalled(asked_at.elapsed(), data.len() as u64) {
                return Err(OriginError::Stalled);
            }
            self.held = Some((data, 0));
        }
        while let Some((data, granted)) = &mut self.held
            && (*granted as usize) < data.len()
        {
            let want = u32::try_from(data.len()).unwrap_or(u32::MAX) - *granted;
            let passed = self.flow.acquire(Direction::Down, want).await.min(want);
            self.flow.settle(Direction::Down, passed, passed);
            *granted += passed;
            self.flow.look();
        }
        let Some((mut data, _)) = self.held.take() else { return Ok(None) };
        let wire = data.len() as u64;
        let skipped = wire.min(self.skip);
        self.skip -= skipped;
        let _ = data.split_to(skipped as usize);
        if let Some(take) = &mut self.take {
            data.truncate(usize::try_from(*take).unwrap_or(usize::MAX));
            *take -= data.len() as u64;
        }
        Ok(Some(Came { wire, data }))
    }

    /// Bytes that are still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.take.map(|take| take + self.skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_a_second_is_a_stall_and_a_slow_line_is_none() {
        let check = |every: Duration, bytes: u64| {
            let mut pace = Pace::new(Patience::default());
            (0..1000).any(|_| pace.is_stalled(every, bytes))
        };
        assert!(check(Duration::from_secs(1), 1));
        assert!(check(Duration::from_secs(1), 1000));
        assert!(!check(Duration::from_secs(1), 2000));
        assert!(!check(Duration::from_millis(1), 1400));
        assert!(!check(Duration::from_secs(14), 16 * 1024));
        assert!(check(Duration::from_secs(16), 15 * 1024));
    }
}
