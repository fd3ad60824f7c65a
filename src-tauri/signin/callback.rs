//! What the browser's request to the loopback means. Pure: bytes in, a decision out.
//!
//! Invariant: only `GET /callback` with our own `state` can end a sign-in. A stray page that guesses the port, a favicon, a pre-opened
//! connection: all get an answer and change nothing.

use release::hash::sha256;
use std::collections::BTreeMap;
use url::Url;

/// The one path of the redirect.
pub(crate) const PATH: &str = "/callback";

/// What a good redirect brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The provider agreed; the code is exchanged for tokens.
    Code(String),
    /// The provider, or the person there, said no.
    Denied(String),
}

/// What to do with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The sign-in ends.
    Take(Redirect),
    /// An answer with this status, and the waiting goes on.
    Answer(u16),
}

/// What a redirect must carry.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Our random value, sent along to the provider.
    pub(crate) state: String,
    /// The provider, as it names itself (RFC 9207).
    pub(crate) issuer: String,
    /// Whether the provider has said that it always names itself.
    pub(crate) issuer_required: bool,
    /// Our address and port, as the browser must have asked for it.
    pub(crate) host: String,
}

/// Judges the head of a request.
pub(crate) fn judge(head: &str, expected: &Expected) -> Verdict {
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (request.next(), request.next().unwrap_or_default());
    let ends_well = matches!((request.next(), request.next()), (Some("HTTP/1.1" | "HTTP/1.0"), None));
    let host = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    // A name that was made to point here (DNS rebinding) is not the literal we gave out.
    if host != Some(expected.host.as_str()) {
        return Verdict::Answer(400);
    }
    let Some(url) = parse(target).filter(|url| url.path() == PATH) else {
        return Verdict::Answer(404);
    };
    if method != Some("GET") {
        return Verdict::Answer(405);
    }
    if !ends_well {
        return Verdict::Answer(400);
    }
    judge_query(&url, expected)
}

fn judge_query(url: &Url, expected: &Expected) -> Verdict {
    let mut query = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        if query.insert(name.into_owned(), value.into_owned()).is_some() {
            return Verdict::Answer(400);
        }
    }
    // Hashes are compared, so that the time taken tells nothing about the value.
    let ours = |state: &String| sha256(state.as_bytes()) == sha256(expected.state.as_bytes());
    if !query.get("state").is_some_and(ours) {
        return Verdict::Answer(400);
    }
    match query.get("iss") {
        Some(issuer) if *issuer != expected.issuer => return Verdict::Answer(400),
        None if expected.issuer_required => return Verdict::Answer(400),
        _ => {}
    }
    match (query.get("code"), query.get("error")) {
        (_, Some(error)) => {
            let more = query.get("error_description").map(|text| format!(": {text}"));
            Verdict::Take(Redirect::Denied(printable(&format!("{error}{}", more.unwrap_or_default()))))
        }
        (Some(code), None) => Verdict::Take(Redirect::Code(code.clone())),
        (None, None) => Verdict::Answer(400),
    }
}

/// A request's target is visible ASCII (RFC 9112 §3.2); of anything else the URL parser would leave out line breaks.
fn parse(target: &str) -> Option<Url> {
    let is_target = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic());
    is_target.then(|| Url::parse(&format!("http://loopback{target}")).ok()).flatten()
}

/// Text from the provider as one short printable line.
fn printable(text: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    text.chars().filter(|c| !c.is_control()).take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            state: "s3cret".into(),
            issuer: "https://id.example".into(),
            issuer_required: false,
            host: "127.0.0.1:4000".into(),
        }
    }

    fn head(line: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nAccept: */*\r\n\r\n")
    }

    #[test]
    fn table_of_requests() {
        let code = |text: &str| Verdict::Take(Redirect::Code(text.into()));
        let denied = |text: &str| Verdict::Take(Redirect::Denied(text.into()));
        let cases = [
            ("GET /callback?code=c1&state=s3cret", code("c1")),
            ("GET /callback?state=s3cret&code=a%20b&iss=https%3A%2F%2Fid.example", code("a b")),
            ("GET /callback?error=access_denied&state=s3cret", denied("access_denied")),
            ("GET /callback?error=x&error_description=no%0Away&state=s3cret", denied("x: noway")),
            ("GET /callback?code=c1&state=guess", Verdict::Answer(400)),
            ("GET /callback?code=c1", Verdict::Answer(400)),
            ("GET /callback?error=access_denied", Verdict::Answer(400)),
            ("GET /callback?code=c1&code=c2&state=s3cret", Verdict::Answer(400)),
            ("GET /callback?code=c1&state=s3cret&iss=https://evil.example", Verdict::Answer(400)),
            ("GET /callback?state=s3cret", Verdict::Answer(400)),
            ("GET /callback", Verdict::Answer(400)),
            ("GET /callback?code=c1&state=\ns3cret", Verdict::Answer(404)),
            ("GET /callback?code=c1&state=s3\tcret", Verdict::Answer(404)),
            ("GET /callback?code=é&state=s3cret", Verdict::Answer(404)),
            ("GET /callback?code=c1&state=s3cret and more", Verdict::Answer(400)),
            ("GET /favicon.ico", Verdict::Answer(404)),
            ("GET /callback/?code=c1&state=s3cret", Verdict::Answer(404)),
            ("GET /other?code=c1&state=s3cret", Verdict::Answer(404)),
            ("POST /callback?code=c1&state=s3cret", Verdict::Answer(405)),
            ("GET http://127.0.0.1:4000/callback?code=c1&state=s3cret", Verdict::Answer(404)),
            ("", Verdict::Answer(404)),
        ];
        for (line, verdict) in cases {
            assert_eq!(judge(&head(line), &expected()), verdict, "{line}");
        }
    }

    #[test]
    fn another_host_or_a_missing_issuer() {
        let line = "GET /callback?code=c1&state=s3cret";
        for host in ["evil.example:4000", "localhost:4000", "127.0.0.1:4001"] {
            let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(judge(&head, &expected()), Verdict::Answer(400), "{host}");
        }
        assert_eq!(judge(&format!("{line} HTTP/1.1\r\n\r\n"), &expected()), Verdict::Answer(400));
        let strict = Expected { issuer_required: true, ..expected() };
        assert_eq!(judge(&head(line), &strict), Verdict::Answer(400));
    }
}
