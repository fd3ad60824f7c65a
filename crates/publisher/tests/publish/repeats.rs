use std::fs;

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
