//! How a server of the publisher answers: by name, over a connection, as itself, and part by part.

use super::{CHECK_MAX, milliseconds, shown};
use crate::{
    http,
    snapshot::{Check, Finding, FindingCode, Verdict},
};
use chrono::{DateTime, Utc};
use reqwest::{Client, Response, StatusCode, header};
use std::{error::Error, io};
use tokio::time::{Instant, timeout};
use url::Url;

/// The document that every repository has under a name that never changes.
const DOCUMENT: &str = "metadata/timestamp.json";

/// What asking came to.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) finding: Finding,
    /// The server's own time.
    pub(super) date: Option<DateTime<Utc>>,
}

/// Asks a repository for the first byte of its shortest document.
pub(super) async fn repository(client: &Client, repository: &Url) -> Asked {
    let url = repository.join(DOCUMENT).unwrap_or_else(|_| repository.clone());
    ask(client, repository, url, true).await
}

/// Asks a mirror for nothing in particular: that it answers is what can be known without a release.
pub(super) async fn mirror(client: &Client, mirror: &Url) -> Finding {
    ask(client, mirror, mirror.clone(), false).await.finding
}

async fn ask(client: &Client, server: &Url, url: Url, is_document: bool) -> Asked {
    let begun = Instant::now();
    let request = client.get(url).header(header::RANGE, "bytes=0-0");
    let answer = timeout(CHECK_MAX, request.send()).await;
    let milliseconds = Some(milliseconds(begun));
    let (code, figure, date) = match answer {
        Err(_) => (FindingCode::OriginLate, None, None),
        Ok(Err(error)) => (cause(&error), None, None),
        Ok(Ok(response)) => {
            let (code, figure) = judged(&response, is_document);
            (code, figure, date_of(&response))
        }
    };
    let verdict = match code {
        FindingCode::OriginAnswers => Verdict::Good,
        FindingCode::OriginRange => Verdict::Note,
        // A mirror that is away is no harm while another gives.
        _ if !is_document => Verdict::Note,
        _ => Verdict::Bad,
    };
    let finding = Finding::new(Check::Origin, verdict, code).about(shown(server));
    Asked { finding: Finding { milliseconds, figure, ..finding }, date }
}

/// What an answer says of its server.
fn judged(response: &Response, is_document: bool) -> (FindingCode, Option<u64>) {
    let status = response.status();
    let html = http::is_html(response.headers());
    let figure = Some(status.as_u16().into());
    // 511 is a portal's own word for itself (RFC 6585).
    let portal = status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED;
    if portal || status.is_redirection() || (status.is_success() && html) {
        return (FindingCode::OriginPortal, figure);
    }
    match status {
        StatusCode::PARTIAL_CONTENT => (FindingCode::OriginAnswers, None),
        StatusCode::OK if is_document => (FindingCode::OriginRange, figure),
        // A mirror's top folder is nothing that a web server must show.
        _ if !is_document && !status.is_server_error() => (FindingCode::OriginAnswers, None),
        _ => (FindingCode::OriginRefuses, figure),
    }
}

fn date_of(response: &Response) -> Option<DateTime<Utc>> {
    let text = response.headers().get(header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc))
}

/// Why no answer came, by the errors below the client's.
fn cause(error: &reqwest::Error) -> FindingCode {
    if error.is_timeout() {
        return FindingCode::OriginLate;
    }
    let mut below: Option<&(dyn Error + 'static)> = error.source();
    while let Some(one) = below {
        // Names that are not found are an error of the system's resolver without a kind.
        if one.to_string().starts_with("dns error") {
            return FindingCode::OriginUnresolved;
        }
        if one.downcast_ref::<io::Error>().is_some_and(speaks_otherwise) {
            return FindingCode::OriginTls;
        }
        below = one.source();
    }
    FindingCode::OriginUnreachable
}

/// Secure connections that fail are invalid data to the system's streams, some wrapped in another error of theirs, which does
/// not name it as its source.
fn speaks_otherwise(error: &io::Error) -> bool {
    let inside = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    error.kind() == io::ErrorKind::InvalidData || inside.is_some_and(speaks_otherwise)
}
