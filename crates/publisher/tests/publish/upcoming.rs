//! A sealed release: what the repository shows before its hour, what is there at it, and what may follow.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use publisher::{PublishReport, PublishRequest, Unlock, UnlockRequest, unlock, withdraw};

use crate::support::*;

fn hour() -> DateTime<Utc> {
    now() + TimeDelta::hours(6)
}

/// 1.0 is in the open, 1.1 is built: one file changed, one with a name of its own added.
fn studio() -> Studio {
    let studio = Studio::new();
    studio.publish("1.0");
    studio.write("data/noise.pak", &[&noise(1, 300_000)[..], &noise(5, 50_000)].concat());
    studio.write("data/zanzibar-quest.pak", &noise(6, 90_000));
    studio
}

fn sealed(studio: &Studio, version: &str) -> PublishRequest {
    let unlock = Unlock { at: hour(), key_dir: keys(studio) };
    PublishRequest { unlock: Some(unlock), ..studio.request(version) }
}

fn keys(studio: &Studio) -> PathBuf {
    studio.outside("keys").join("unlock")
}

fn at(studio: &Studio, now: DateTime<Utc>) -> UnlockRequest {
    UnlockRequest {
        repo_dir: studio.repo(),
        keys_dir: studio.outside("keys"),
        key_dir: keys(studio),
        game: "ember".parse().unwrap(),
        channel: "live".parse().unwrap(),
        version: None,
        before_its_hour: false,
        now,
    }
}

/// Where in the repository what only 1.1 has can be read.
fn shown(studio: &Studio) -> Vec<PathBuf> {
    let needles = [&noise(6, 90_000)[1000..1032], b"zanzibar", &noise(5, 50_000)[2000..2032]];
    let holds = |bytes: &[u8]| needles.iter().any(|n| bytes.windows(n.len()).any(|part| part == *n));
    let files = tree(&studio.repo()).into_iter();
    files
        .filter(|(path, bytes)| holds(bytes) || holds(path.to_str().unwrap().as_bytes()))
        .map(|(path, _)| path)
        .collect()
}

fn key_file(report: &PublishReport) -> PathBuf {
    report.upcoming.as_ref().unwrap().key_file.clone()
}

#[test]
fn nothing_of_a_sealed_release_is_in_the_repository_before_its_key() {
    let studio = studio();
    let report = run(&sealed(&studio, "1.1")).unwrap();
    assert_eq!(shown(&studio), Vec::<PathBuf>::new());
    let channel = studio.channel();
    assert_eq!((channel.version.as_str(), channel.sequence), ("1.0", 2));
    let upcoming = channel.upcoming.unwrap();
    assert_eq!((upcoming.version.as_str(), upcoming.unlock_seconds), ("1.1", hour().timestamp()));
    let from: Vec<Option<&str>> =
        upcoming.preloads.iter().map(|offer| offer.from.as_ref().map(|v| v.as_str())).collect();
    assert_eq!(from, [None, Some("1.0")]);
    let [whole, update] = &upcoming.preloads[..] else { panic!() };
    assert!(update.bytes < 160_000 && whole.bytes > 500_000, "{upcoming:?}");
    for offer in &upcoming.preloads {
        assert!(studio.content(&offer.root).is_file());
    }
    let names = studio.target_names();
    for name in ["ember~1.1.unlock", "ember~1.1.sealed.torrent", "ember~1.0~1.1.sealed.torrent"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(!names.contains(&"ember~1.1.manifest".to_owned()));
    // The key is private, and what was made on the way is gone.
    let key = key_file(&report);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(tree(&keys(&studio)).into_keys().collect::<Vec<_>>(), [key]);
}

#[test]
fn at_the_hour_one_file_appears_and_nothing_is_signed() {
    let studio = studio();
    let report = run(&sealed(&studio, "1.1")).unwrap();
    let before = tree(&studio.repo());
    let early = unlock(&at(&studio, hour() - TimeDelta::seconds(1))).unwrap_err();
    assert_eq!(early.code(), "UNLOCK_EARLY");
    assert_eq!(tree(&studio.repo()), before);
    let done = unlock(&at(&studio, hour())).unwrap();
    let mut after = tree(&studio.repo());
    let key = after.remove(&done.file.unwrap()).unwrap();
    assert_eq!(after, before);
    // A plain copy to the place that the report names would have done the same.
    let upcoming = report.upcoming.unwrap();
    assert_eq!(fs::read(studio.repo().join(upcoming.key_target)).unwrap(), key);
    assert_eq!(studio.target("ember~1.1.unlock"), key);
}

#[test]
fn a_key_file_with_wrong_bytes_or_none_does_not_unlock() {
    let studio = studio();
    let report = run(&sealed(&studio, "1.1")).unwrap();
    let (key, before) = (key_file(&report), tree(&studio.repo()));
    let good = fs::read_to_string(&key).unwrap();
    for (bytes, code) in [
        ("", "UNLOCK_KEY"),
        (&good[1..], "UNLOCK_KEY"),
        (&good.replace("key\":\"", "key\":\"0")[..], "UNLOCK_KEY"),
    ] {
        fs::write(&key, bytes).unwrap();
        assert_eq!(unlock(&at(&studio, hour())).unwrap_err().code(), code);
    }
    let (start, digit) = good.split_at(good.len() - 3);
    let other =
        if digit.starts_with('0') { digit.replacen('0', "1", 1) } else { format!("0{}", &digit[1..]) };
    fs::write(&key, format!("{start}{other}")).unwrap();
    assert_eq!(unlock(&at(&studio, hour())).unwrap_err().code(), "REPO_DAMAGED");
    fs::remove_file(&key).unwrap();
    assert_eq!(unlock(&at(&studio, hour())).unwrap_err().code(), "UNLOCK_KEY_MISSING");
    assert_eq!(tree(&studio.repo()), before);
}

#[test]
fn the_release_comes_into_the_open_after_its_hour_and_the_seal_goes_with_the_next() {
    let studio = studio();
    run(&sealed(&studio, "1.1")).unwrap();
    let early = run(&studio.request("1.1")).unwrap_err();
    assert_eq!(early.code(), "UNLOCK_EARLY");
    assert_eq!(shown(&studio), Vec::<PathBuf>::new());
    unlock(&at(&studio, hour())).unwrap();
    run(&PublishRequest { now: hour(), ..studio.request("1.1") }).unwrap();
    let channel = studio.channel();
    let upcoming = channel.upcoming.clone().unwrap();
    assert_eq!(channel.version, upcoming.version);
    assert_eq!(release::hash::sha256(&studio.target("ember~1.1.manifest")), upcoming.manifest_sha256);
    assert!(!shown(&studio).is_empty(), "the search finds what is in the open");
    // Publishing it once more changes nothing; the release after it takes the seal away.
    run(&PublishRequest { now: hour(), ..studio.request("1.1") }).unwrap();
    assert_eq!(studio.channel(), channel);
    studio.write("data/more.pak", &noise(8, 1000));
    run(&PublishRequest { now: hour(), ..studio.request("1.2") }).unwrap();
    assert_eq!(studio.channel().upcoming, None);
    assert!(studio.target_names().iter().all(|name| !name.contains("sealed") && !name.contains("unlock")));
    for offer in &upcoming.preloads {
        assert!(!studio.content(&offer.root).exists());
    }
}

#[test]
fn another_release_meanwhile_keeps_the_seal_and_says_so() {
    let studio = studio();
    run(&sealed(&studio, "1.1")).unwrap();
    let upcoming = studio.channel().upcoming;
    fs::remove_file(studio.build().join("data/zanzibar-quest.pak")).unwrap();
    studio.write("data/noise.pak", &noise(1, 300_001));
    let report = run(&studio.request("1.0.1")).unwrap();
    assert_eq!((studio.channel().version.as_str(), studio.channel().upcoming), ("1.0.1", upcoming.clone()));
    assert!(report.warnings.iter().any(|words| words.contains("1.1 stays sealed")), "{:?}", report.warnings);
    assert_eq!(shown(&studio), Vec::<PathBuf>::new());
    // Sealed again: under a new key, and nothing of the old seal is left.
    studio.write("data/zanzibar-quest.pak", &noise(6, 90_000));
    run(&sealed(&studio, "1.1")).unwrap();
    let again = studio.channel().upcoming.unwrap();
    assert!(again.preloads.iter().any(|offer| offer.from.as_ref().is_some_and(|v| v.as_str() == "1.0.1")));
    let old = upcoming.unwrap();
    assert!(old.preloads.iter().all(|offer| !studio.content(&offer.root).exists()));
    assert_eq!(shown(&studio), Vec::<PathBuf>::new());
}

#[test]
fn a_withdrawn_release_leaves_nothing() {
    let studio = studio();
    let before = tree(&studio.repo().join("content"));
    let report = run(&sealed(&studio, "1.1")).unwrap();
    withdraw(&at(&studio, now())).unwrap();
    assert_eq!(studio.channel().upcoming, None);
    assert_eq!(tree(&studio.repo().join("content")), before);
    assert!(!key_file(&report).exists());
    assert_eq!(withdraw(&at(&studio, now())).unwrap_err().code(), "UPCOMING_MISSING");
    assert_eq!(unlock(&at(&studio, hour())).unwrap_err().code(), "UPCOMING_MISSING");
}

#[test]
fn what_cannot_be_sealed_is_refused_and_the_repository_is_as_it_was() {
    let studio = studio();
    let before = tree(&studio.repo());
    let refused = |request: PublishRequest| run(&request).unwrap_err().code();
    let with = |at, key_dir| PublishRequest { unlock: Some(Unlock { at, key_dir }), ..studio.request("1.1") };
    assert_eq!(refused(with(now(), keys(&studio))), "UNLOCK_PAST");
    assert_eq!(refused(with(hour(), studio.repo().join("unlock"))), "FOLDERS_NESTED");
    assert_eq!(
        refused(PublishRequest { channel: "beta".parse().unwrap(), ..sealed(&studio, "1.1") }),
        "UPCOMING_ALONE"
    );
    assert_eq!(refused(sealed(&studio, "1.0")), "VERSION_TAKEN");
    run(&PublishRequest { dry_run: true, ..sealed(&studio, "1.1") }).unwrap();
    assert_eq!(tree(&studio.repo()), before);
}
