//! F6: the signed documents that describe a release: manifest, channel, and the ids in them. A signature says who wrote
//! them, not that they are sound.

use crate::{input::Input, paths};
use release::{channel::Channel, manifest::Manifest};

/// The first byte says which document the rest is.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 2 {
        0 => manifest(input.rest()),
        _ => channel(input.rest()),
    }
}

fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let again = Manifest::parse(&manifest.encode()).expect("what was read can be written and read again");
    assert_eq!(again, manifest);
    let all = manifest.files.iter().map(|file| &file.path).chain(&manifest.empty_dirs);
    all.clone().for_each(|path| paths::nobody_misreads(path.as_str()));
    paths::no_two_are_one(all.map(|path| path.as_str()));
    paths::nobody_misreads(&manifest.torrent_name());
    let layout = manifest.layout().expect("a manifest that was read has a layout");
    assert_eq!(layout.total(), manifest.total_bytes());
    assert_eq!(manifest.infohash().ok(), again.infohash().ok());
    assert!(manifest.infohash().is_ok(), "a manifest that was read has an infohash");
    for launch in manifest.launch.values() {
        assert!(manifest.file(&launch.executable).is_some(), "what is started is of the release");
    }
    assert!(manifest.sets_by_root().len() <= manifest.files.len());
    let _bytes = release::leaves::encoded_bytes(&manifest);
}

fn channel(bytes: &[u8]) {
    let Ok(channel) = Channel::parse(bytes) else { return };
    let again = Channel::parse(&channel.encode()).expect("what was read can be written and read again");
    assert_eq!(again, channel);
    assert!(!channel.tracker_entries().is_empty() && !channel.mirror_entries().is_empty());
    let _sum =
        channel.patches.iter().map(release::channel::PatchOffer::download_bytes).fold(0, u64::saturating_add);
    for name in [
        release::target::channel(&channel.game, &channel.channel),
        release::target::manifest(&channel.game, &channel.version),
        release::target::torrent(&channel.game, &channel.version),
    ] {
        paths::nobody_misreads(&name);
    }
    if let Some(upcoming) = &channel.upcoming {
        let _whole = upcoming.whole();
        assert_eq!(upcoming.preload(None), upcoming.whole());
    }
}
