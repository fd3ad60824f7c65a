use std::fs;

use release::channel::OriginProfile;

use crate::support::{Studio, run, tree};

#[test]
fn same_release_again_changes_nothing() {
    let studio = Studio::new();
    assert!(!studio.publish("1.0").already_published);
    let before = tree(&studio.repo());
    let report = studio.publish("1.0");
    assert!(report.already_published);
    assert_eq!((report.content_files_new, report.sequence), (0, 1));
    assert!(tree(&studio.repo()) == before);
}

#[test]
fn channel_can_be_pointed_back_and_keeps_its_hosts() {
    let studio = Studio::new();
    let mut request = studio.request("1.0");
    request.trackers = vec!["https://tracker.example/announce".to_owned()];
    run(&request).unwrap();
    studio.write("data/new", b"new");
    studio.publish("1.1");
    assert_eq!(studio.channel().trackers, request.trackers);
    fs::remove_file(studio.build().join("data/new")).unwrap();
    let back = studio.publish("1.0");
    assert!(!back.already_published);
    let channel = studio.channel();
    assert_eq!((channel.version.as_str(), channel.sequence), ("1.0", 3));
    assert_eq!(channel.previous, ["1.1".parse().unwrap()]);
}

#[test]
fn channel_says_how_the_origin_is_used_until_told_otherwise() {
    let studio = Studio::new();
    studio.publish("1.0");
    assert_eq!(studio.channel().origin, None);
    let config = studio.outside("other.toml");
    fs::write(&config, "[origin]\nprofile = \"thrifty\"\ndelay_background_ms = 60000\n").unwrap();
    let mut request = studio.request("1.1");
    request.config = Some(config);
    request.origin.floor_bytes_per_second = Some(1000);
    assert!(!run(&request).unwrap().already_published);
    let said = studio.channel().origin.unwrap();
    assert_eq!((said.profile, said.delay_background_ms), (OriginProfile::Thrifty, Some(60_000)));
    assert_eq!((said.delay_foreground_ms, said.floor_bytes_per_second), (None, Some(1000)));
    studio.publish("1.2");
    assert_eq!(studio.channel().origin, Some(said), "a publish that says nothing keeps it");
    let mut request = studio.request("1.2");
    request.origin.profile = Some(OriginProfile::Fast);
    run(&request).unwrap();
    assert_eq!(studio.channel().origin.map(|said| said.profile), Some(OriginProfile::Fast));
    request.origin.delay_foreground_ms = Some(3_600_001);
    assert_eq!(run(&request).unwrap_err().code(), "ORIGIN_INVALID");
}

#[test]
fn damaged_content_is_stored_anew() {
    let studio = Studio::new();
    studio.publish("1.0");
    let whole = tree(&studio.repo().join("content"));
    let mut files = whole.iter();
    let (cut, bytes) = files.next().unwrap();
    fs::write(cut, &bytes[..bytes.len() - 1]).unwrap();
    let (emptied, _) = files.next().unwrap();
    fs::write(emptied, b"").unwrap();
    let (gone, _) = files.next().unwrap();
    fs::remove_file(gone).unwrap();
    fs::write(studio.repo().join("content/.publishing-left-over.zst"), b"half a frame").unwrap();
    let report = studio.publish("1.0");
    assert_eq!(report.content_files_new, 3);
    assert!(tree(&studio.repo().join("content")) == whole);
}

#[test]
fn two_channels_share_content() {
    let studio = Studio::new();
    studio.publish("1.0");
    let mut request = studio.request("1.0");
    request.channel = "beta".parse().unwrap();
    let report = run(&request).unwrap();
    assert!(!report.already_published);
    assert_eq!((report.content_files_new, report.sequence), (0, 1));
    studio.target("ember~beta.json");
}
