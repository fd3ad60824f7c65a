//! Hostile metainfo, manifests and patches (P1–P12): each is refused for its own reason, with the rules of all systems on
//! every one; nothing is mended and nothing is written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use chrono::Utc;
use proof::Line;
use release::{manifest::Manifest, metainfo::Metainfo, patch};
use serde_json::json;
use std::{fs, path::Path};
use table::cases;
use tests::{
    muster::{Person, text},
    tree,
    web::WebServer,
};
use trust::{Editor, keys};

/// Says which cases did not hold, and fails if any.
fn judge(faults: Vec<String>, given: usize) {
    proof::count(Line::TorrentsRefused, (given - faults.len()) as u64, given as u64);
    assert!(faults.is_empty(), "{} of {given}:\n{}", faults.len(), faults.join("\n"));
}

/// A refusal must say why.
fn fault<T>(name: &str, why: &str, parsed: Result<T, impl std::fmt::Display>) -> Option<String> {
    match parsed {
        Ok(_) => Some(format!("{name}: accepted")),
        Err(error) if error.to_string().contains(why) => None,
        Err(error) => Some(format!("{name}: {:.300} (not: {why})", error.to_string())),
    }
}

#[test]
fn every_hostile_torrent_is_refused_for_its_reason() {
    let (mut given, mut faults) = (0, Vec::new());
    for case in cases() {
        let Some((bytes, why)) = &case.torrent else { continue };
        given += 1;
        faults.extend(fault(&case.name, why, Metainfo::parse(bytes)));
    }
    assert!(given > 120, "{given}");
    judge(faults, given);
}

#[test]
fn every_hostile_manifest_is_refused_for_its_reason() {
    let (mut given, mut faults) = (0, Vec::new());
    for case in cases() {
        let Some((bytes, why)) = &case.manifest else { continue };
        given += 1;
        faults.extend(fault(&case.name, why, Manifest::parse(bytes)));
    }
    assert!(given > 120, "{given}");
    judge(faults, given);
}

/// A patch brings the new manifest as a difference to the old one: what comes out is judged like any.
#[test]
fn every_hostile_manifest_is_refused_when_a_patch_brings_it() {
    let old = r#"{"format":1,"game":"game","version":"1.0","title":"G","piece_length":16384,"files":[]}"#
        .as_bytes();
    let from = Manifest::parse(old).unwrap();
    let file = format!(r#"{{"path":"a","size":10,"pieces_root":"{}"}}]"#, "ab".repeat(32));
    let to = String::from_utf8_lossy(old)
        .replace(r#""version":"1.0""#, r#""version":"1.1""#)
        .replace("[]", &format!("[{file}"));
    let to = Manifest::parse(to.as_bytes()).unwrap();
    let segment = patch::Segment {
        method: 0,
        sources: vec![],
        made: vec![],
        targets: vec![patch::Span { file: 0, offset: 0, length: 10 }],
        payload_offset: 0,
        payload_length: 10,
        memory_bytes: 1_000,
    };
    let (mut given, mut faults) = (0, Vec::new());
    for case in cases() {
        let Some((bytes, why)) = &case.manifest else { continue };
        given += 1;
        let delta = patch::manifest_delta(old, bytes).unwrap();
        let (payload, layers) = (patch::Payload::of(&[7; 10]), release::layout::PieceLayers::default());
        let description = patch::Patch { payload, segments: vec![segment.clone()], layers };
        let Ok(description) = description.encode(&from, &to, &delta) else {
            panic!("{}: a patch of nothing can be written", case.name)
        };
        let brought = patch::manifest(&description, old, bytes.len() as u64).unwrap();
        assert!(brought == *bytes, "{}: another manifest was brought", case.name);
        faults.extend(fault(&case.name, why, Manifest::parse(&brought)));
    }
    judge(faults, given);
}

/// Through the program that people use: a sentence, a stable code, and nothing in the folder or beside it.
#[test]
fn hostile_torrents_leave_nothing_behind() {
    let base = tempfile::tempdir().unwrap();
    let person = Person::at(&base.path().join("home"));
    let (mut given, mut faults) = (0, Vec::new());
    for (number, case) in cases().into_iter().enumerate() {
        // A process takes longer than a parser: one in three, another third for each half of the table.
        let Some((bytes, _)) = case.torrent.filter(|_| number % 3 == 0) else { continue };
        given += 1;
        let (file, place) = (base.path().join("hostile.torrent"), base.path().join("place"));
        fs::write(&file, bytes).unwrap();
        fs::create_dir_all(&place).unwrap();
        let (before, dir) = (tree::read(base.path()), place.join("dir"));
        let get = ["torrent", "get", text(&file), "--dir", text(&dir), "--listen", "127.0.0.1:0", "--no-lan"];
        let outcome = person.run(&get);
        let said = outcome.result();
        if (outcome.code, &said["code"]) != (24, &json!("TORRENT_REFUSED")) {
            faults.push(format!("{}: {said}", case.name));
        } else if tree::read(base.path()) != before {
            faults.push(format!("{}: something was written", case.name));
        }
    }
    judge(faults, given);
}

/// The same for manifests that a stolen key signed: one of each kind.
#[test]
fn hostile_manifests_leave_nothing_behind() {
    let base = tempfile::tempdir().unwrap();
    let kinds: Vec<String> = (1..=12).map(|number| format!("P{number} ")).collect();
    let one_of = |kind: &String| {
        cases().into_iter().find(|case| case.name.starts_with(kind.as_str()) && case.manifest.is_some())
    };
    let (mut given, mut faults) = (0, Vec::new());
    for (number, case) in kinds.iter().filter_map(one_of).enumerate() {
        given += 1;
        let base = base.path().join(number.to_string());
        let (repository, root) = signed(&base, case.manifest.unwrap().0);
        let origin = WebServer::folder(&repository);
        let (person, dir) = (Person::at(&base.join("home")), base.join("place/game"));
        fs::create_dir_all(base.join("place")).unwrap();
        let (url, root) = (origin.url(), text(&root).to_owned());
        let words = ["install", &url, "--game", "game", "--dir", text(&dir), "--root", &root, "--no-lan"];
        let outcome = person.run(&words);
        let said = outcome.result();
        if (outcome.code, &said["code"]) != (12, &json!("MANIFEST_INVALID")) {
            faults.push(format!("{}: {said}", case.name));
        } else if !tree::read(&base.join("place")).is_empty() {
            faults.push(format!("{}: something was written", case.name));
        }
    }
    assert!(given >= 9, "{given}");
    judge(faults, given);
}

/// A repository whose only release has this manifest.
fn signed(base: &Path, manifest: Vec<u8>) -> (std::path::PathBuf, std::path::PathBuf) {
    let (dir, keys_dir, when) = (base.join("signed"), base.join("keys"), Utc::now());
    fs::create_dir_all(base).unwrap();
    keys::init(&keys_dir, &dir, keys::InitOptions { demo: true }, when).unwrap();
    let mut editor = Editor::open(&dir, &keys_dir).unwrap();
    let channel = json!({
        "format": 1, "game": "game", "channel": "live", "sequence": 1, "version": "1.0",
        "published": when.to_rfc3339()
    });
    editor.put_target("game~live.json", channel.to_string().into_bytes()).unwrap();
    editor.put_target("game~1.0.manifest", manifest).unwrap();
    assert!(editor.commit(when).unwrap());
    let root = dir.join("metadata/1.root.json");
    (dir, root)
}
