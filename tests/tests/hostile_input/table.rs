//! Hostile metainfo as bytes, and the same as a manifest: what a strict parser must refuse, and for which reason.

use release::bencode::Writer;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One of them.
pub(super) struct Case {
    /// Which of P1–P12, and what it does.
    pub name: String,
    /// As a `.torrent`, and what the refusal says of it.
    pub torrent: Option<(Vec<u8>, &'static str)>,
    /// As a manifest, and what the refusal says of it.
    pub manifest: Option<(Vec<u8>, &'static str)>,
}

/// A file as somebody hostile writes it.
#[derive(Clone)]
struct Entry {
    names: Vec<Vec<u8>>,
    length: String,
    root: Option<Vec<u8>>,
    more: Vec<(&'static str, &'static str)>,
}

fn entry(path: &str) -> Entry {
    let names = path.split('/').map(|name| name.as_bytes().to_vec()).collect();
    Entry { names, length: "1".into(), root: Some(vec![0xab; 32]), more: vec![] }
}

/// A torrent as somebody hostile writes it; numbers are written as they stand here.
#[derive(Clone)]
struct Torrent {
    name: Vec<u8>,
    piece_length: String,
    version: Option<&'static str>,
    files: Vec<Entry>,
    more: Vec<(&'static str, Vec<u8>)>,
}

fn torrent(files: Vec<Entry>) -> Torrent {
    Torrent { name: b"share".to_vec(), piece_length: "16384".into(), version: Some("2"), files, more: vec![] }
}

#[derive(Default)]
struct Node {
    leaf: Option<Entry>,
    inner: BTreeMap<Vec<u8>, Node>,
}

impl Node {
    fn write(&self, out: &mut Writer) {
        out.dict();
        if let Some(leaf) = &self.leaf {
            let mut fields: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
            fields.insert("length", format!("i{}e", leaf.length).into_bytes());
            if let Some(root) = &leaf.root {
                fields.insert("pieces root", string(root));
            }
            fields.extend(leaf.more.iter().map(|(key, value)| (*key, string(value.as_bytes()))));
            out.bytes("").dict();
            fields.iter().for_each(|(key, value)| _ = out.bytes(key).raw(value));
            out.end();
        }
        for (name, node) in &self.inner {
            out.bytes(name);
            node.write(out);
        }
        out.end();
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

impl Torrent {
    fn info(&self) -> Vec<u8> {
        let mut tree = Node::default();
        for file in &self.files {
            let place =
                file.names.iter().fold(&mut tree, |node, name| node.inner.entry(name.clone()).or_default());
            place.leaf = Some(file.clone());
        }
        let mut out = Writer::new();
        tree.write(&mut out);
        let mut fields: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        fields.insert("file tree", out.finish());
        fields.insert("name", string(&self.name));
        fields.insert("piece length", format!("i{}e", self.piece_length).into_bytes());
        if let Some(version) = self.version {
            fields.insert("meta version", format!("i{version}e").into_bytes());
        }
        fields.extend(self.more.iter().map(|(key, value)| (*key, value.clone())));
        dict(&fields)
    }

    fn bytes(&self) -> Vec<u8> {
        [&b"d4:info"[..], &self.info(), b"e"].concat()
    }
}

fn dict(fields: &BTreeMap<&str, Vec<u8>>) -> Vec<u8> {
    let inner: Vec<u8> =
        fields.iter().flat_map(|(key, value)| [string(key.as_bytes()), value.clone()].concat()).collect();
    [&b"d"[..], &inner, b"e"].concat()
}

/// A manifest with these files; numbers are written as they stand here.
fn manifest(piece_length: &str, files: &[(Value, &str)]) -> Vec<u8> {
    let root = "ab".repeat(32);
    let file = |(path, size): &(Value, &str)| {
        let root = if *size == "0" { String::new() } else { format!(r#","pieces_root":"{root}""#) };
        format!(r#"{{"path":{path},"size":{size}{root}}}"#)
    };
    let files: Vec<String> = files.iter().map(file).collect();
    format!(
        r#"{{"format":1,"game":"game","version":"1.0","title":"G","piece_length":{piece_length},"files":[{}]}}"#,
        files.join(",")
    )
    .into_bytes()
}

/// A torrent and a manifest with these paths, in the order of the tree.
fn paths(what: &str, paths: &[&str], why: &'static str) -> Case {
    let mut sorted = paths.to_vec();
    sorted.sort_by(|one, other| one.split('/').cmp(other.split('/')));
    let files: Vec<(Value, &str)> = sorted.iter().map(|path| (json!(path), "1")).collect();
    Case {
        name: format!("{what}: {paths:?}"),
        torrent: Some((torrent(paths.iter().map(|path| entry(path)).collect()).bytes(), why)),
        manifest: Some((manifest("16384", &files), why)),
    }
}

fn bytes(what: &str, torrent: impl Into<Vec<u8>>, why: &'static str) -> Case {
    Case { name: what.to_owned(), torrent: Some((torrent.into(), why)), manifest: None }
}

fn document(what: &str, manifest: impl Into<Vec<u8>>, why: &'static str) -> Case {
    Case { name: what.to_owned(), torrent: None, manifest: Some((manifest.into(), why)) }
}

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    [path_cases(), collisions(), sizes(), structure(), encoding(), documents()]
        .into_iter()
        .flatten()
        .collect()
}

/// P1–P6: paths that leave the folder, or that some system reads as something else.
fn path_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut each = |what: &str, why: &'static str, list: &[&str]| {
        cases.extend(list.iter().map(|path| paths(what, &[path, "zz"], why)));
    };
    each("P1 leaves", "leaves or repeats a folder", &["..", "../evil", "a/../../b", "a/..", "./a", "a/./b"]);
    each("P1 macOS fork", "leaves or repeats a folder", &["a/..namedfork/rsrc", "a/..NAMEDFORK/data"]);
    each("P2 absolute", "empty path component", &["/etc/passwd"]);
    each("P2 drive", "not portable", &["C:/x", "c:x", "\\\\server\\share", "\\\\?\\C:\\x", "a\\b"]);
    each("P3 stream", "not portable", &["a.exe:stream", "a::$DATA", "a:$I30:$INDEX_ALLOCATION"]);
    each("P3 wild", "not portable", &["a?", "a*", "a<b", "a>b", "a|b", "a\"b"]);
    each("P4 control", "not portable", &["a\0b", "a\nb", "a\rb", "a\u{1b}[2J", "a\u{7f}", "a\u{85}b"]);
    each(
        "P4 direction",
        "not portable",
        &["a\u{202e}gpj.exe", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{2028}b", "a\u{2029}b"],
    );
    each(
        "P4 invisible",
        "not portable",
        &[
            "a\u{200b}b",
            "\u{feff}a",
            "a\u{ad}b",
            "a\u{fe0f}",
            "a\u{e0041}",
            "a\u{3164}",
            "a\u{180e}",
            "a\u{34f}b",
        ],
    );
    each(
        "P4 no character",
        "not portable",
        &["a\u{fdd0}", "a\u{1fffe}", "a\u{e000}", "a\u{f0000}", "a\u{fffd}"],
    );
    each(
        "P5 device",
        "reserved device name",
        &[
            "CON",
            "con.txt",
            "Aux",
            "aux.c",
            "PRN.tar.gz",
            "NUL",
            "nul .txt",
            "COM1",
            "com9.log",
            "LPT1",
            "COM0",
            "COM\u{b9}",
            "LPT\u{b2}.x",
            "com\u{b3}.a.b",
            "CONIN$",
            "conout$",
            "CLOCK$",
            "dir/CON/x",
        ],
    );
    each("P5 trailing", "ends in a dot or a space", &["a.", "a ", " a", "dir./a", "dir /a", "a. ."]);
    each(
        "P5 short name",
        "short name",
        &["PROGRA~1", "a/LONGN~12.TXT", "muster~1/state.json", "A1B2~1", "~1"],
    );
    each(
        "P6 decomposed",
        "not in Unicode form NFC",
        &["e\u{301}", "\u{212a}elvin", "\u{2126}", "\u{1100}\u{1161}"],
    );
    each(
        "P6 ours",
        "reserved",
        &[
            ".muster",
            ".muster/state.json",
            ".MUSTER/x",
            ".muſter/x",
            ".Muster",
            "muster-moved-2026-01-01/a",
            "MUSTER-MOVED-x",
        ],
    );
    let long =
        ["a".repeat(256), "ä".repeat(128), ["a"; 60].join("/"), ["abcdefghijklmnopqrstu"; 48].join("/")];
    each("P6 long", "too long or too deep", &[&long[0], &long[1], &long[3]]);
    // Refused by its depth before its names are looked at.
    cases.push(Case {
        torrent: Some((torrent(vec![entry(&long[2])]).bytes(), "too many")),
        ..paths("P6 deep", &[&long[2]], "too long or too deep")
    });
    // In a file tree (BEP 52) an empty name says that its parent is a file.
    for path in ["a//b", "a/"] {
        let empty = paths("P2 empty name", &[path, "zz"], "empty path component");
        cases.push(Case { torrent: empty.torrent.map(|(bytes, _)| (bytes, "malformed")), ..empty });
    }
    for name in ["a/b", "/etc/passwd", "../x"] {
        let mut file = entry("x");
        file.names = vec![name.as_bytes().to_vec()];
        cases.push(bytes(
            &format!("P2 a name with a slash: {name}"),
            torrent(vec![file]).bytes(),
            "unsafe path",
        ));
    }
    for name in [&b"\xff\xfe"[..], b"\xc0\xae\xc0\xae", b"\xed\xa0\x80"] {
        let mut file = entry("x");
        file.names = vec![name.to_vec()];
        let text = [&br#"{"format":1,"game":"game","version":"1.0","title":"G","piece_length":16384,"files":[{"path":""#[..], name, br#"","size":0}]}"#].concat();
        cases.push(Case {
            name: format!("P4 no UTF-8: {name:x?}"),
            torrent: Some((torrent(vec![file]).bytes(), "malformed")),
            manifest: Some((text, "unicode")),
        });
    }
    for (name, why) in [
        (&b".."[..], "leaves"),
        (b"../evil", "not portable"),
        (b"CON", "reserved device name"),
        (b"a/b", "not portable"),
        (b"", "empty"),
        (b"a:b", "not portable"),
        (b".muster", "reserved"),
        (b"\xff", "malformed"),
    ] {
        let hostile = Torrent { name: name.to_vec(), ..torrent(vec![entry("a")]) };
        cases.push(bytes(&format!("P1 torrent name {name:x?}"), hostile.bytes(), why));
    }
    cases
}

/// P7: two paths that some file system takes for one, and files where folders are needed.
fn collisions() -> Vec<Case> {
    let two = [
        ["A", "a"],
        ["data/File", "data/file"],
        ["Data/a", "data/b"],
        ["straße", "STRASSE"],
        ["straẞe", "straße"],
        ["straẞe", "strasse"],
        ["İx", "i̇x"],
        ["ıx", "Ix"],
        ["ﬁle", "file"],
        ["ſo", "so"],
        ["ος", "οσ"],
        ["Ǆ", "ǆ"],
        ["ǅ", "ǆ"],
        ["Ꭰ", "ꭰ"],
        ["É", "é"],
        ["a", "a/b"],
        ["A", "a/b"],
        ["x/a/b", "x/A"],
    ];
    let mut cases: Vec<Case> = two
        .iter()
        .filter(|two| **two != ["a", "a/b"])
        .map(|two| paths("P7 collide", two, "collide"))
        .collect();
    // A node of the tree cannot be both, as the field of the file says.
    let both = paths("P7 file and folder", &["a", "a/b"], "collide");
    cases.push(Case { torrent: both.torrent.map(|(bytes, _)| (bytes, "malformed")), ..both });
    cases
}

/// P8, P9: lengths of pieces and files that cannot be.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    let power = "is not a power of two";
    for (length, why, in_json) in [
        ("0", power, power),
        ("1", power, power),
        ("8192", power, power),
        ("16383", power, power),
        ("24576", power, power),
        ("33554432", power, power),
        ("4294967295", power, power),
        ("4294967296", "malformed", "invalid value"),
        ("1099511627776", "malformed", "invalid value"),
        ("-16384", "malformed", "invalid value"),
        ("9223372036854775808", "bad number", "invalid value"),
    ] {
        let hostile = Torrent { piece_length: length.into(), ..torrent(vec![entry("a")]) };
        cases.push(Case {
            name: format!("P8 pieces of {length}"),
            torrent: Some((hostile.bytes(), why)),
            manifest: Some((manifest(length, &[(json!("a"), "1")]), in_json)),
        });
    }
    for (length, why, in_json) in [
        ("-1", "malformed", "invalid value"),
        ("-9223372036854775808", "malformed", "invalid value"),
        ("4611686018427387904", "too many", "too many"),
        ("9223372036854775807", "too many", "too many"),
        ("1125899906842625", "too many", "too many"),
        ("18446744073709551615", "bad number", "too many"),
        ("18446744073709551616", "bad number", "invalid"),
    ] {
        let hostile = torrent(vec![Entry { length: length.into(), ..entry("a") }]);
        cases.push(Case {
            name: format!("P9 a file of {length}"),
            torrent: Some((hostile.bytes(), why)),
            manifest: Some((manifest("16384", &[(json!("a"), length)]), in_json)),
        });
    }
    // Each is small enough, all together are not.
    let names: Vec<String> = (0..40).map(|n| format!("f{n:02}")).collect();
    let large = "1125899906842624";
    let files = names.iter().map(|name| Entry { length: large.into(), ..entry(name) }).collect();
    let listed: Vec<(Value, &str)> = names.iter().map(|name| (json!(name), large)).collect();
    cases.push(Case {
        name: "P9 a sum beyond bounds".into(),
        torrent: Some((Torrent { piece_length: "16777216".into(), ..torrent(files) }.bytes(), "too many")),
        manifest: Some((manifest("16777216", &listed), "too many")),
    });
    for (what, length, root, why) in [
        ("P9 bytes without a root", "1", None, "exactly when it has bytes"),
        ("P9 a root without bytes", "0", Some(32), "exactly when it has bytes"),
        ("P9 a short root", "1", Some(31), "malformed"),
        ("P9 a long root", "1", Some(33), "malformed"),
        ("P9 an empty root", "1", Some(0), "malformed"),
    ] {
        let file = Entry { length: length.into(), root: root.map(|length| vec![0xab; length]), ..entry("a") };
        cases.push(bytes(what, torrent(vec![file]).bytes(), why));
    }
    cases
}

/// P10, P11: what is not a v2 torrent of files.
fn structure() -> Vec<Case> {
    let one = || vec![entry("a")];
    let with = |key: &'static str, value: &[u8]| {
        let mut hostile = torrent(one());
        hostile.more.push((key, value.to_vec()));
        hostile.bytes()
    };
    let version = |version| Torrent { version, ..torrent(one()) }.bytes();
    let attribute = |more| torrent(vec![Entry { more, ..entry("a") }]).bytes();
    let top = |key: &str, value: &[u8]| {
        let mut fields = BTreeMap::from([("info", torrent(one()).info())]);
        fields.insert(key, value.to_vec());
        dict(&fields)
    };
    let layer = |root: u8, row: &[u8]| {
        top("piece layers", &[&b"d"[..], &string(&[root; 32]), &string(row), b"e"].concat())
    };
    let mut v1 = torrent(one());
    v1.version = None;
    v1.more.push(("pieces", string(&[1; 20])));
    v1.more.push(("length", b"i1e".to_vec()));
    let large = torrent(vec![Entry { length: "100000".into(), ..entry("a") }]);
    let false_layer = [
        &b"d4:info"[..],
        &large.info(),
        b"12:piece layersd",
        &string(&[0xab; 32]),
        &string(&[7; 7 * 32]),
        b"ee",
    ]
    .concat();
    vec![
        bytes("P10 version 1", v1.bytes(), "version 1"),
        bytes("P10 hybrid", with("pieces", &string(&[1; 20])), "hybrid"),
        bytes("P10 a newer version", version(Some("3")), "newer version"),
        bytes("P10 version 1 as a number", version(Some("1")), "BitTorrent v2"),
        bytes("P10 no version", version(None), "meta version"),
        bytes("P10 a link", attribute(vec![("attr", "l"), ("symlink path", "x")]), "malformed"),
        bytes("P10 a link by its path", attribute(vec![("symlink path", "/etc/passwd")]), "malformed"),
        bytes("P10 a link by its attribute", attribute(vec![("attr", "xl")]), "malformed"),
        bytes("P10 no files", torrent(vec![]).bytes(), "malformed"),
        bytes("P10 no info", b"d4:infoi1ee".as_slice(), "malformed"),
        bytes("P10 a list", b"le".as_slice(), "malformed"),
        bytes("P11 layers of nobody", layer(1, &[7; 64]), "malformed"),
        bytes("P11 layers of a file of one piece", layer(0xab, &[7; 32]), "malformed"),
        bytes("P11 layers of odd length", layer(0xab, &[7; 33]), "malformed"),
        bytes("P11 false layers", false_layer, "layer"),
        bytes("P11 trackers that are no list", top("announce-list", b"i1e"), "malformed"),
        bytes("P11 a tracker that is no text", top("announce", b"2:\xff\xfe"), "malformed"),
        bytes("P11 web seeds that are no list", top("url-list", b"i1e"), "malformed"),
    ]
}

/// P12: bencode that is not canonical, or never ends.
fn encoding() -> Vec<Case> {
    let good = torrent(vec![entry("a")]).bytes();
    let number = |text: &str| Torrent { piece_length: text.into(), ..torrent(vec![entry("a")]) }.bytes();
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat().into_bytes();
    vec![
        bytes("P12 bytes behind", [&good[..], b"x"].concat(), "bytes after"),
        bytes("P12 a second value", [&good[..], b"de"].concat(), "bytes after"),
        bytes("P12 cut", good[..good.len() - 1].to_vec(), "truncated"),
        bytes("P12 nothing", vec![], "truncated"),
        bytes("P12 a key twice", b"d1:ai1e1:ai2ee".as_slice(), "repeated"),
        bytes("P12 keys unsorted", b"d1:bi1e1:ai2ee".as_slice(), "unsorted"),
        bytes("P12 a key that is a number", b"di1ei2ee".as_slice(), "unexpected"),
        bytes("P12 minus zero", number("-0"), "bad number"),
        bytes("P12 leading zeros", number("0016384"), "bad number"),
        bytes("P12 a plus", number("+16384"), "bad number"),
        bytes("P12 a space", number(" 16384"), "bad number"),
        bytes("P12 no digits", number(""), "bad number"),
        bytes("P12 a fraction", number("16384.0"), "bad number"),
        bytes("P12 endless digits", number(&"9".repeat(100_000)), "bad number"),
        bytes("P12 a length with zeros", b"d4:info04:spame".as_slice(), "bad number"),
        bytes("P12 a negative length", b"d4:info-4:spame".as_slice(), "unexpected"),
        bytes("P12 a length beyond the end", b"d4:info99999999999:spame".as_slice(), "truncated"),
        bytes("P12 a length beyond numbers", b"d4:info99999999999999999999:ae".as_slice(), "bad number"),
        bytes("P12 deep lists", deep("l", "e"), "too deep"),
        bytes("P12 deep dictionaries", deep("d1:a", "e"), "too deep"),
        bytes("P12 lists that never close", "l".repeat(1_000_000), "too deep"),
        bytes("P12 HTML", b"<html><body>Welcome</body></html>".as_slice(), "unexpected"),
    ]
}

/// P12 for manifests: JSON that is not ours.
fn documents() -> Vec<Case> {
    let good = String::from_utf8(manifest("16384", &[(json!("a"), "1")])).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let end = |more: &str| format!("{},{more}}}", &good[..good.len() - 1]);
    let launch =
        |path: &str| end(&format!(r#""launch":{{"linux-x86_64":{{"executable":{}}}}}"#, json!(path)));
    let root = "ab".repeat(32);
    vec![
        document("P12 bytes behind", format!("{good}x"), "trailing"),
        document("P12 cut", &good.as_bytes()[..good.len() - 1], "EOF"),
        document("P12 nothing", "", "EOF"),
        document("P12 a field twice", end(r#""piece_length":32768"#), "duplicate field"),
        document("P12 a newer format", with("\"format\":1", "\"format\":2"), "newer"),
        document("P12 deep", end(&format!("\"x\":{}", "[".repeat(100_000))), "expected value"),
        document("P12 no list of files", with("\"files\":[", "\"files\":{\"x\":["), "expected"),
        document("P12 a size that is a fraction", with("\"size\":1", "\"size\":1.5"), "invalid type"),
        document("P12 a size that is a text", with("\"size\":1", "\"size\":\"1\""), "invalid type"),
        document("P9 a short root", with(&root, &root[..62]), "manifest"),
        document("P9 a root that is no hex", with(&root, &"zz".repeat(32)), "manifest"),
        document("P9 a root without bytes", with("\"size\":1", "\"size\":0"), "exactly when it has bytes"),
        document("P1 an empty folder outside", end(r#""empty_dirs":["../x"]"#), "leaves"),
        document(
            "P5 an empty folder that is a device",
            end(r#""empty_dirs":["a/nul"]"#),
            "reserved device name",
        ),
        document("P7 an empty folder that is a file", end(r#""empty_dirs":["A"]"#), "collide"),
        document("P7 a folder twice", end(r#""empty_dirs":["b","B"]"#), "collide"),
        document("P1 a program outside", launch("../../bin/sh"), "leaves"),
        document("P2 a program by its absolute path", launch("/bin/sh"), "empty path component"),
        document("P1 a program that is not in the release", launch("b"), "not in the release"),
        document(
            "P12 an unsorted list",
            manifest("16384", &[(json!("b"), "1"), (json!("a"), "1")]),
            "order of the tree",
        ),
        document("P7 a path twice", manifest("16384", &[(json!("a"), "1"), (json!("a"), "1")]), "collide"),
    ]
}
