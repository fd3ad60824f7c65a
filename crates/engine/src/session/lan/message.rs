//! The datagram of BEP 14 as text: `BT-SEARCH`, a port, infohashes, a cookie.

use std::fmt::Write as _;

/// Infohashes in one datagram, so that it fits a packet of 1,400 bytes.
pub(super) const INFOHASHES_MAX: usize = 20;
/// Longest datagram that is read.
pub(super) const DATAGRAM_MAX: usize = 2048;
const FIRST_LINE: &str = "BT-SEARCH * HTTP/1.1";

/// What somebody on the network says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) struct Said {
    /// Where it listens.
    pub(in crate::session) port: u16,
    /// First 20 bytes of what it takes part in (BEP 52 for v2).
    pub(in crate::session) infohashes: Vec<[u8; 20]>,
    /// By which a program knows its own datagrams.
    pub(super) cookie: Option<String>,
}

/// At most [`INFOHASHES_MAX`] of `infohashes` are said.
pub(super) fn encode(group: &str, port: u16, infohashes: &[[u8; 20]], cookie: &str) -> Vec<u8> {
    let mut text = format!("{FIRST_LINE}\r\nHost: {group}\r\nPort: {port}\r\n");
    for infohash in infohashes.iter().take(INFOHASHES_MAX) {
        let _ = write!(text, "Infohash: {}\r\n", hex::encode(infohash));
    }
    let _ = write!(text, "cookie: {cookie}\r\n\r\n\r\n");
    text.into_bytes()
}

/// Nothing where it is no such datagram, or names no port or nothing to take part in.
pub(in crate::session) fn parse(datagram: &[u8]) -> Option<Said> {
    let text = std::str::from_utf8(datagram.get(..datagram.len().min(DATAGRAM_MAX))?).ok()?;
    let mut lines = text.split("\r\n");
    if !lines.next()?.trim_end().eq_ignore_ascii_case(FIRST_LINE) {
        return None;
    }
    let (mut port, mut infohashes, mut cookie) = (None, Vec::new(), None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "port" => port = value.parse().ok().filter(|port| *port != 0),
            "infohash" if infohashes.len() < INFOHASHES_MAX => {
                let mut infohash = [0; 20];
                hex::decode_to_slice(value, &mut infohash).ok()?;
                infohashes.push(infohash);
            }
            "cookie" => cookie = Some(value.to_owned()),
            _ => {}
        }
    }
    (!infohashes.is_empty()).then_some(())?;
    Some(Said { port: port?, infohashes, cookie })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_fits_a_packet() {
        let infohashes: Vec<[u8; 20]> = (0..30).map(|n| [n; 20]).collect();
        let datagram = encode("[ff15::efc0:988f]:6771", 65_535, &infohashes, "0123456789abcdef");
        assert!(datagram.len() <= 1_400, "{}", datagram.len());
        let said = Said {
            port: 65_535,
            infohashes: infohashes[..INFOHASHES_MAX].to_vec(),
            cookie: Some("0123456789abcdef".to_owned()),
        };
        assert_eq!(parse(&datagram), Some(said));
    }

    #[test]
    fn the_example_of_the_proposal_in_another_hand() {
        let theirs = b"BT-SEARCH * HTTP/1.1\r\nhost: 239.192.152.143:6771\r\nPORT: 6881\r\n\
            Infohash: AABBccddeeff00112233445566778899AABBCCDD\r\n\r\n\r\n";
        let said = parse(theirs).expect("well formed");
        assert_eq!(
            (said.port, said.infohashes[0][..3].to_vec(), said.cookie),
            (6881, vec![0xaa, 0xbb, 0xcc], None)
        );
    }

    #[test]
    fn anything_else_is_nothing() {
        let good = String::from_utf8(encode("h", 1, &[[1; 20]], "c")).expect("text");
        assert!(parse(good.as_bytes()).is_some());
        for (from, to) in [
            ("BT-SEARCH", "M-SEARCH"),
            ("Port: 1", "Port: 0"),
            ("Port: 1", "Port: 65536"),
            ("Port: 1\r\n", ""),
            ("0101", "01"),
            ("0101", "zz01"),
            ("Infohash", "Hash"),
            ("Host: h", "Host h"),
        ] {
            assert_eq!(parse(good.replacen(from, to, 1).as_bytes()), None, "{from} → {to}");
        }
        assert_eq!(parse(b""), None);
        assert_eq!(parse(&[0xff; 64]), None);
        let mut random = fastrand::Rng::with_seed(14);
        for _ in 0..20_000 {
            let mut bytes = good.clone().into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..=bytes.len()));
            let _ = parse(&bytes);
        }
        let flood = good.replace("cookie", &"Infohash: ".repeat(1_000));
        assert!(parse(flood.as_bytes()).is_none_or(|said| said.infohashes.len() <= INFOHASHES_MAX));
    }
}
