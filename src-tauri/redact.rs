//! What must not stand in a log or a report: secrets, people's addresses, the name of the user's home folder.
//!
//! Invariant: [`Redactor::line`] leaves no bearer, token, password, query or user part of an address, no mail address, and no
//! network address but this machine's own (loopback, unspecified). It works on text alone and is applied before anything
//! reaches the disk. What it takes out it names, so that a line can still be read.

use regex::{Captures, Regex, Replacer};
use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// Stands for a secret.
const HIDDEN: &str = "[hidden]";

/// The rules, ready for use.
#[derive(Debug)]
pub(crate) struct Redactor {
    /// The user's home folder as it may be written, longest first.
    homes: Vec<String>,
    rules: Vec<(Regex, Rule)>,
}

/// What takes the place of a match.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// This text, with the groups of the match.
    Text(&'static str),
    /// `[address]`, where it is an address of somebody else.
    Address,
}

/// In this order: what holds a secret as a whole goes before what looks for parts.
const RULES: [(&str, Rule); 7] = [
    // User and password of an address, and its query: identity providers and trackers carry secrets there.
    (r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^/\s@\x22'<>]*@", Rule::Text("${1}[hidden]@")),
    (r"(?i)\b([a-z][a-z0-9+.-]{1,15}://[^\s?#\x22'<>]*)[?#][^\s\x22'<>]*", Rule::Text("${1}?[hidden]")),
    (r"(?i)\b(bearer|basic|digest)\s+[a-z0-9._~+/=-]{6,}", Rule::Text("${1} [hidden]")),
    // JSON web tokens begin like this, for `{"` in base64.
    (r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*", Rule::Text(HIDDEN)),
    (
        r#"(?i)\b((?:access|refresh|id|auth|session|device|launch)[_-]?(?:token|ticket|code)|token|ticket|client[_-]?secret|secret|pass(?:word|phrase|key)|code[_-]?(?:verifier|challenge)|authorization|cookie|nonce)("?\s*[=:]\s*)(?:Some\()?("[^"]*"|[^\s"&,;(){}\[\]]+)"#,
        Rule::Text("${1}${2}[hidden]"),
    ),
    (r"(?i)\b[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+\b", Rule::Text("[mail]")),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", Rule::Address),
];

impl Redactor {
    /// Rules for a user whose home folder is `home`.
    pub(crate) fn new(home: Option<&Path>) -> Self {
        let home = home.and_then(Path::to_str).filter(|home| home.len() > 1).map(str::to_owned);
        // As it is, as JSON and debug output write it where names are separated by backslashes, and with slashes.
        let mut homes: Vec<String> = home
            .into_iter()
            .flat_map(|home| [home.replace('\\', r"\\"), home.replace('\\', "/"), home])
            .collect();
        homes.sort_by_key(|home| std::cmp::Reverse(home.len()));
        homes.dedup();
        let rules = RULES.iter().map(|(pattern, rule)| (compiled(pattern), *rule)).collect();
        Self { homes, rules }
    }

    /// One line, or several.
    pub(crate) fn line<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let mut line = Cow::Borrowed(line);
        for home in &self.homes {
            if line.contains(home.as_str()) {
                line = Cow::Owned(line.replace(home.as_str(), "~"));
            }
        }
        for (pattern, rule) in &self.rules {
            if let Cow::Owned(changed) = pattern.replace_all(&line, *rule) {
                line = Cow::Owned(changed);
            }
        }
        line
    }
}

impl Replacer for Rule {
    fn replace_append(&mut self, found: &Captures<'_>, to: &mut String) {
        match self {
            Self::Text(text) => found.expand(text, to),
            Self::Address => {
                let text = found.get(0).map_or("", |found| found.as_str());
                to.push_str(if is_foreign(text) { "[address]" } else { text });
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "the patterns stand above, and every test compiles them")]
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that stands in this file")
}

/// Whether it is an address, and not of this machine alone.
fn is_foreign(text: &str) -> bool {
    let text = text.trim_end_matches(['.', ':']);
    let v4 = text.parse::<Ipv4Addr>().map(IpAddr::V4);
    match v4.or_else(|_| text.parse::<Ipv6Addr>().map(|v6| v6.to_canonical())) {
        Ok(ip) => !ip.is_loopback() && !ip.is_unspecified(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(Redactor::new(Some(Path::new("/home/ann"))).line(line), expected);
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        check(
            "Authorization: Bearer abc.def-123",
            "Authorization: [hidden] abc.def-123".replace(" abc.def-123", " [hidden]").as_str(),
        );
        check("got eyJhbGciOiJ.eyJzdWIiOiJ.c2ln from it", "got [hidden] from it");
        check(r#"{"refresh_token": "s3cr3t", "n": 1}"#, r#"{"refresh_token": [hidden], "n": 1}"#);
        check("refresh_token=s3cr3t&x=1", "refresh_token=[hidden]&x=1");
        check("code_verifier: abcdef", "code_verifier: [hidden]");
        check(
            "GET https://id.example/cb?code=s3cr3t&state=x HTTP/1.1",
            "GET https://id.example/cb?[hidden] HTTP/1.1",
        );
        check("https://ann:hunter2@studio.example/repo/", "https://[hidden]@studio.example/repo/");
        check("udp://t.example:6969/announce?passkey=1", "udp://t.example:6969/announce?[hidden]");
        check("password=\"two words\" end", "password=[hidden] end");
    }

    #[test]
    fn people_are_not_named() {
        check("peer 203.0.113.9:6881 and [2001:db8::1]:51413", "peer [address]:6881 and [[address]]:51413");
        check("lan 192.168.1.5, fe80::1", "lan [address], [address]");
        check("ann.lee@mail.example wrote", "[mail] wrote");
        check("/home/ann/Games/ember/data.pak", "~/Games/ember/data.pak");
    }

    #[test]
    fn what_helps_is_left() {
        for line in [
            "2026-11-24T03:04:05.678901Z  INFO launcher: version 1.2.3 at 12:34:56",
            "listening on 127.0.0.1:8080, [::1]:8080 and 0.0.0.0:51413, [::]:51413",
            r#"code="NETWORK" https://studio.example/repo/metadata/1.root.json answered 503"#,
            "Failure { code: \"DISK_FULL\", can_retry: true } engine::session::origin::run: mirror",
            "sha256 8e8e9117aa53:22 session=7 idle",
        ] {
            check(line, line);
        }
    }

    #[test]
    fn a_home_with_backslashes_is_known_in_each_way_of_writing() {
        let redactor = Redactor::new(Some(Path::new(r"C:\Users\Ann")));
        for line in [r"C:\Users\Ann\Games", r"C:/Users/Ann/Games", r"C:\\Users\\Ann\\Games"] {
            let said = redactor.line(line);
            assert!(said.starts_with('~') && !said.contains("Ann"), "{said}");
        }
        assert_eq!(Redactor::new(Some(Path::new("/"))).line("/games"), "/games");
    }
}
