//! F11: strings that come from other programs on the machine.
//!
//! The launcher registers no scheme of its own, so there is no deep link to fuzz. What stands in its place: the request line of
//! the sign-in callback (any page can send one to the port while sign-in waits), and the names that a game, or whoever calls
//! `muster wait`, drops into `.muster/wanted`; and every address that is opened in a browser.

use crate::{
    callback::{Expected, Redirect, Verdict, judge},
    input::Input,
    links, paths,
};
use release::path::GamePath;
use url::Url;

const STATE: &str = "c2VjcmV0";
const HOST: &str = "127.0.0.1:4000";

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => callback(&String::from_utf8_lossy(input.rest())),
        1 => {
            // A request to the right host, so that what is behind that check is met.
            let line = String::from_utf8_lossy(input.rest()).into_owned();
            callback(&format!("GET /callback?{line} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        }
        2 => address(&String::from_utf8_lossy(input.rest())),
        _ => wanted(&String::from_utf8_lossy(input.rest())),
    }
}

fn callback(head: &str) {
    let issuer_required = head.len().is_multiple_of(2);
    let expected = Expected {
        state: STATE.into(),
        issuer: "https://id.example".into(),
        issuer_required,
        host: HOST.into(),
    };
    match judge(head, &expected) {
        Verdict::Answer(status) => assert!((400..500).contains(&status)),
        Verdict::Take(redirect) => {
            let line = head.split("\r\n").next().unwrap_or_default();
            assert!(line.starts_with("GET /callback?"), "{line:?}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            let plain = decoded(line);
            assert!(
                plain.contains(&format!("state={STATE}")),
                "nobody who does not know the state ends a sign-in"
            );
            assert!(head.contains(HOST), "nobody ends a sign-in under another host's name");
            if issuer_required {
                assert!(
                    plain.contains("iss=https://id.example"),
                    "an issuer that always names itself has named itself"
                );
            }
            if let Redirect::Denied(words) = redirect {
                assert!(words.chars().count() <= 200 && !words.chars().any(char::is_control));
            }
        }
    }
}

/// Percent signs taken out, byte by byte.
fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        let code = code.filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => (out.push(byte), rest = &more[2..]).1,
            None => (out.push(*first), rest = more).1,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn address(text: &str) {
    let Ok(url) = Url::parse(text) else { return };
    if links::allowed(&url) {
        let near = links::is_loopback(&url);
        assert!(url.scheme() == "https" || (url.scheme() == "http" && near), "{url}");
        assert!(url.username().is_empty() && url.password().is_none());
        assert!(url.host_str().is_some_and(|host| !host.is_empty()));
        assert!(
            !url.as_str().chars().any(|c| c.is_control() || c.is_whitespace()),
            "one word for whoever opens it"
        );
        assert!(!url.as_str().starts_with('-'), "no option for whoever opens it");
    }
}

fn wanted(text: &str) {
    let Ok(path) = GamePath::parse(text) else { return };
    paths::nobody_misreads(text);
    let name = store::wanted::name(&path).to_string();
    assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
