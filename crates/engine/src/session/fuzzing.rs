//! Doors to the parsers of this crate for `fuzz`, which gives them any bytes; no part of the crate's interface.
//!
//! Nothing is decided here: each function calls the one that meets strangers' bytes in the field and says what came of it in
//! terms of the standard library.

use super::{
    lan::message,
    origin::{
        answer::{self, Asked},
        error::OriginError,
        frames,
    },
    tracker::{http, udp::packet::Reply},
};
use release::seektable::{Covering, SeekTable};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::{
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

/// How an answer of a web server is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes to throw away first.
    pub skip: u64,
    /// Bytes to take then.
    pub take: Option<u64>,
    /// Bytes that travel for nothing at most.
    pub waste: u64,
}

/// Peers, interval and least interval out of an HTTP tracker's answer (BEP 3) from a server at `source`.
///
/// # Errors
/// The refusal in words.
pub fn tracker_answer(
    body: &[u8],
    source: Option<IpAddr>,
) -> Result<(Vec<SocketAddr>, Duration, Option<Duration>), String> {
    let answer = http::parse(body, source).map_err(|error| error.to_string())?;
    Ok((answer.peers, answer.interval, answer.interval_min))
}

/// Number of peers in a UDP tracker's answer (BEP 15) to the request with this action and transaction id.
#[must_use]
pub fn tracker_datagram(bytes: &[u8], asked: u32, transaction: u32, over_v6: bool) -> Option<usize> {
    Some(match Reply::parse(bytes, asked, transaction, over_v6)? {
        Reply::Announced(announced) => announced.peers.len(),
        Reply::Connected(_) | Reply::Failed(_) => 0,
    })
}

/// Port and number of infohashes in a discovery datagram (BEP 14).
#[must_use]
pub fn lan_datagram(bytes: &[u8]) -> Option<(u16, usize)> {
    message::parse(bytes).map(|said| (said.port, said.infohashes.len()))
}

/// What the head of an answer to a request for `asked`, of a file of `total` bytes, is worth.
///
/// # Errors
/// Refused; with how long the server wants to be left alone.
pub fn origin_head(
    status: u16,
    headers: &[(&str, &[u8])],
    asked: &Range<u64>,
    total: Option<u64>,
) -> Result<Taken, Option<Duration>> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    let status = StatusCode::from_u16(status).map_err(|_| None)?;
    let asked = Asked::Range { range: asked.clone(), length: total };
    match answer::admit(status, &map, &asked) {
        Ok(admitted) => Ok(Taken { skip: admitted.skip, take: admitted.take, waste: admitted.waste }),
        Err(OriginError::Status { retry_after, .. }) => Err(retry_after),
        Err(_) => Err(None),
    }
}

/// The frames for a range of a file of `file` bytes out of a mirror's seek table, where the table is plausible.
#[must_use]
pub fn seek_table(tail: &[u8], file: u64, start: u64, length: u64) -> Option<Covering> {
    let table = SeekTable::parse_tail(tail).ok()?;
    if frames::is_plausible(&table, file) { table.covering(start, length) } else { None }
}
