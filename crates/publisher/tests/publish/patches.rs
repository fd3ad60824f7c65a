//! Patches between releases: what they make, what they cost, which are kept.

use std::collections::BTreeMap;
use std::fs;

use delta::Method;
use release::manifest::Manifest;
use release::metainfo::Metainfo;
use release::patch::{self, Patch, Payload, Span};

use crate::support::{Studio, noise, run, text, tree};

/// The build's files by path.
type Files = BTreeMap<String, Vec<u8>>;

fn files(studio: &Studio) -> Files {
    let base = studio.build();
    let relative = |path: &std::path::Path| {
        path.strip_prefix(&base)
            .unwrap()
            .components()
            .map(|part| part.as_os_str().to_str().unwrap())
            .collect::<Vec<_>>()
            .join("/")
    };
    tree(&base).iter().map(|(path, bytes)| (relative(path), bytes.clone())).collect()
}

fn names(studio: &Studio) -> Vec<String> {
    studio.target_names().into_iter().filter(|name| name.ends_with(".patch")).collect()
}

fn read(studio: &Studio, from: &str, to: &str) -> (Vec<u8>, Manifest, Manifest, Patch) {
    let description = studio.target(&format!("ember~{from}~{to}.patch"));
    let (old, new) = (studio.manifest(from), studio.manifest(to));
    let patch = Patch::parse(&description, &old, &new).unwrap();
    (description, old, new, patch)
}

/// Applies a patch as a player would and expects the new build's bytes wherever it has targets. Returns what was made.
fn check(studio: &Studio, from: &str, to: &str, before: &Files) -> BTreeMap<String, u64> {
    let (description, old, new, patch) = read(studio, from, to);
    let manifest = studio.target(&format!("ember~{to}.manifest"));
    let old_bytes = studio.target(&format!("ember~{from}.manifest"));
    assert_eq!(patch::manifest(&description, &old_bytes, manifest.len() as u64).as_ref(), Ok(&manifest));
    let payload = zstd::decode_all(fs::File::open(studio.content(&patch.payload.root)).unwrap()).unwrap();
    assert_eq!(Payload::of(&payload), patch.payload);
    let torrent = Metainfo::parse(&studio.target(&format!("ember~{from}~{to}.patch.torrent"))).unwrap();
    let (game, versions) = (&new.game, [&old.version, &new.version]);
    let name = Payload::torrent_name(game, versions[0], versions[1]);
    assert_eq!(torrent.infohash, patch.payload.metainfo(&name, vec![], vec![]).unwrap().infohash);
    let after = files(studio);
    let join = |spans: &[Span], manifest: &Manifest, files: &Files| -> Vec<u8> {
        let part = |span: &Span| {
            let bytes = &files[manifest.files[span.file as usize].path.as_str()];
            bytes[span.offset as usize..span.end() as usize].to_vec()
        };
        spans.iter().flat_map(part).collect()
    };
    let mut made = BTreeMap::new();
    for segment in &patch.segments {
        let start = segment.payload_offset as usize;
        let payload = &payload[start..start + segment.payload_length as usize];
        let method = Method::try_from(segment.method).unwrap();
        let bytes = join(&segment.sources, &old, before);
        let bytes = delta::decode(method, &bytes, payload, segment.new_bytes() as usize).unwrap();
        assert!(bytes == join(&segment.targets, &new, &after), "{segment:?}");
        for span in &segment.targets {
            let path = new.files[span.file as usize].path.to_string();
            *made.entry(path).or_default() += span.length;
        }
    }
    made
}

/// A file with a few bytes changed and some put in.
fn edited(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[10] ^= 1;
    bytes.splice(middle..middle, *b"put in");
    bytes
}

#[test]
fn a_patch_makes_what_changed_out_of_what_was_there() {
    let studio = Studio::new();
    studio.publish("1.0");
    let before = files(&studio);
    studio.write("data/noise.pak", &edited(&before["data/noise.pak"]));
    studio.write("bin/game", &edited(&before["bin/game"]));
    studio.write("data/added.txt", &text(7, 5000));
    studio.write("saves/default.sav", b"hp=99");
    let report = studio.publish("1.1");
    let made = check(&studio, "1.0", "1.1", &before);
    assert_eq!(made.keys().collect::<Vec<_>>(), ["bin/game", "data/added.txt", "data/noise.pak"]);
    assert_eq!(made["data/noise.pak"], 300_006);
    let cost = &report.updates[0];
    assert!(cost.blocks_bytes > 300_000);
    assert_eq!(cost.patch_bytes, Some(cost.download_bytes));
    assert!(cost.download_bytes < 4_000, "{}", cost.download_bytes);
    assert_eq!(cost.patch_route, ["1.1".parse().unwrap()]);
    assert!(cost.patch_cpu_seconds > 0.0);
    let channel = studio.channel();
    assert_eq!(channel.patches.len(), 1);
    assert_eq!(channel.patches[0].download_bytes(), cost.download_bytes);
    assert_eq!(channel.downloads.unwrap().from.into_values().collect::<Vec<_>>(), [cost.download_bytes]);
    let description = studio.target("ember~1.0~1.1.patch").len() as u64;
    assert_eq!(report.patch_bytes_new, description + channel.patches[0].payload_bytes);
}

#[test]
fn a_file_that_moved_and_changed_is_made_of_its_old_self() {
    let studio = Studio::new();
    studio.publish("1.0");
    let before = files(&studio);
    // Under another name, in another folder, with another extension.
    fs::remove_file(studio.build().join("data/noise.pak")).unwrap();
    studio.write("base/all.bin", &edited(&before["data/noise.pak"]));
    // Under the same name elsewhere.
    fs::remove_file(studio.build().join("extra/song.ogg")).unwrap();
    studio.write("music/song.ogg", &edited(&before["extra/song.ogg"]));
    // Only moved: no business of a patch.
    fs::rename(studio.build().join("data/text.pak"), studio.build().join("data/words.pak")).unwrap();
    let report = studio.publish("1.1");
    let made = check(&studio, "1.0", "1.1", &before);
    assert_eq!(made.keys().collect::<Vec<_>>(), ["base/all.bin", "music/song.ogg"]);
    assert!(report.updates[0].download_bytes < 1_500, "{:?}", report.updates);
}

#[test]
fn what_a_patch_cannot_make_smaller_is_left_to_the_release() {
    let studio = Studio::new();
    studio.publish("1.0");
    let before = files(&studio);
    studio.write("data/noise.pak", &edited(&before["data/noise.pak"]));
    studio.write("data/more.pak", &noise(77, 2_000_000));
    let report = studio.publish("1.1");
    let made = check(&studio, "1.0", "1.1", &before);
    assert_eq!(made.keys().collect::<Vec<_>>(), ["data/noise.pak"]);
    let offer = &studio.channel().patches[0];
    assert!(offer.uncovered_bytes > 1_999_000 && offer.uncovered_bytes < 2_010_000, "{offer:?}");
    assert_eq!(report.updates[0].download_bytes, offer.download_bytes());
    // Nothing to save at all: no patch.
    studio.write("data/more.pak", &noise(78, 2_000_000));
    let report = studio.publish("1.2");
    assert_eq!(report.updates[0].patch_bytes, None);
    assert!(!names(&studio).contains(&"ember~1.1~1.2.patch".to_owned()));
}

#[test]
fn direct_patches_are_kept_only_where_smaller_than_the_chain_and_old_ones_go() {
    let studio = Studio::new();
    let mut builds = vec![];
    let base = files(&studio);
    studio.publish("1.0");
    builds.push(files(&studio));
    // Each release changes another file, so a direct patch saves nothing but descriptions.
    studio.write("data/noise.pak", &[&base["data/noise.pak"][..], &noise(3, 20_000)].concat());
    studio.publish("1.1");
    builds.push(files(&studio));
    // The same file again, back to what it was: a patch from 1.0 is smaller than both in a row.
    studio.write("data/noise.pak", &edited(&base["data/noise.pak"]));
    let report = studio.publish("1.2");
    assert_eq!(report.updates.len(), 2);
    assert_eq!(names(&studio), ["ember~1.0~1.2.patch", "ember~1.1~1.2.patch"]);
    check(&studio, "1.0", "1.2", &builds[0]);
    check(&studio, "1.1", "1.2", &builds[1]);
    builds.push(files(&studio));
    // Something else altogether: the way from 1.1 leads over 1.2, unless direct costs less.
    studio.write("extra/song.ogg", &[&base["extra/song.ogg"][..], &noise(4, 30_000)].concat());
    let report = studio.publish("1.3");
    let routes: Vec<usize> = report.updates.iter().map(|update| update.patch_route.len()).collect();
    let offered: Vec<String> = studio
        .channel()
        .patches
        .iter()
        .map(|offer| format!("ember~{}~{}.patch", offer.from, offer.to))
        .collect();
    assert_eq!(names(&studio).iter().collect::<std::collections::BTreeSet<_>>(), offered.iter().collect());
    assert!(!offered.contains(&"ember~1.0~1.2.patch".to_owned()), "1.0 is beyond what is kept: {offered:?}");
    for (update, steps) in report.updates.iter().zip(routes) {
        let direct = format!("ember~{}~1.3.patch", update.from);
        assert_eq!(offered.contains(&direct), steps == 1, "{update:?}");
    }
    // The payloads that stand are those of patches that stand.
    let payloads: Vec<_> = studio
        .channel()
        .patches
        .iter()
        .map(|offer| read(&studio, offer.from.as_str(), offer.to.as_str()).3.payload.root)
        .collect();
    let mut roots: Vec<_> = ["1.0", "1.1", "1.2", "1.3"]
        .iter()
        .flat_map(|version| studio.manifest(version).files)
        .filter_map(|file| file.pieces_root)
        .chain(payloads)
        .collect();
    roots.sort();
    roots.dedup();
    assert_eq!(tree(&studio.repo().join("content")).len(), roots.len());
}

#[test]
fn patches_are_made_from_the_releases_that_are_named() {
    let studio = Studio::new();
    let base = files(&studio);
    for (version, seed) in [("1.0", 1), ("1.1", 2), ("1.2", 3)] {
        studio.write("data/noise.pak", &[&base["data/noise.pak"][..], &noise(seed, 500)].concat());
        studio.publish(version);
    }
    studio.write("data/noise.pak", &base["data/noise.pak"]);
    let mut request = studio.request("1.3");
    request.patch_from = vec!["1.0".parse().unwrap()];
    let report = run(&request).unwrap();
    let from: Vec<_> = report.updates.iter().map(|update| update.from.as_str()).collect();
    assert_eq!(from, ["1.2", "1.1", "1.0"]);
    assert!(report.updates[2].patch_bytes.is_some());
    assert_eq!(report.updates[0].patch_bytes, None);
    assert_eq!(names(&studio), ["ember~1.0~1.3.patch"]);
    // Publishing the same again with nothing named fills in the rest, and then nothing changes.
    assert!(!studio.publish("1.3").already_published);
    assert!(names(&studio).contains(&"ember~1.2~1.3.patch".to_owned()));
    let stands = tree(&studio.repo());
    let report = studio.publish("1.3");
    assert!(report.already_published && report.patch_bytes_new == 0);
    assert!(report.updates.iter().all(|update| update.patch_cpu_seconds == 0.0));
    assert!(tree(&studio.repo()) == stands);
}

#[test]
fn keep_zero_makes_no_patches() {
    let studio = Studio::new();
    studio.publish("1.0");
    studio.write("muster.toml", b"keep = 0");
    studio.write("bin/game", b"other");
    let report = studio.publish("1.1");
    assert_eq!(report.updates, []);
    assert!(names(&studio).is_empty());
}

#[test]
fn another_channels_patches_stay() {
    let studio = Studio::new();
    let base = files(&studio);
    let publish = |version: &str, channel: &str, seed| {
        studio.write("data/noise.pak", &[&base["data/noise.pak"][..], &noise(seed, 100)].concat());
        let mut request = studio.request(version);
        request.channel = channel.parse().unwrap();
        run(&request).unwrap()
    };
    publish("1.0", "live", 1);
    publish("1.1", "live", 2);
    publish("2.0", "beta", 3);
    publish("2.1", "beta", 4);
    publish("2.2", "beta", 5);
    assert!(names(&studio).contains(&"ember~1.0~1.1.patch".to_owned()), "{:?}", names(&studio));
    assert!(names(&studio).contains(&"ember~2.1~2.2.patch".to_owned()));
}

#[test]
fn old_content_that_is_gone_costs_a_patch_and_not_the_release() {
    let studio = Studio::new();
    studio.publish("1.0");
    let root = studio.manifest("1.0").file(&"data/noise.pak".parse().unwrap()).unwrap().pieces_root.unwrap();
    studio.write("data/noise.pak", &noise(8, 300_000));
    // What does not compress lies there as it is, so a bit that turned is still a frame.
    let mut turned = fs::read(studio.content(&root)).unwrap();
    turned[20_000] ^= 1;
    for spoil in [&turned[..], b"not a seek table", b""] {
        fs::write(studio.content(&root), spoil).unwrap();
        let mut request = studio.request("1.1");
        request.patch_from = vec!["1.0".parse().unwrap()];
        request.dry_run = true;
        assert_eq!(run(&request).unwrap_err().code(), "CONTENT_DAMAGED");
        request.patch_from.clear();
        let report = run(&request).unwrap();
        assert!(
            report.warnings.iter().any(|warning| warning.contains("no patch from 1.0")),
            "{:?}",
            report.warnings
        );
        assert_eq!(report.updates[0].patch_bytes, None);
    }
    fs::remove_file(studio.content(&root)).unwrap();
    assert!(studio.publish("1.1").warnings.iter().any(|warning| warning.contains("no patch from 1.0")));
    assert!(studio.channel().patches.is_empty());
}

#[test]
fn a_release_that_goes_back_gets_a_patch_too() {
    let studio = Studio::new();
    let base = files(&studio);
    studio.publish("1.0");
    studio.write("data/noise.pak", &[&base["data/noise.pak"][..], &noise(5, 50_000)].concat());
    studio.publish("1.1");
    let newer = files(&studio);
    studio.write("data/noise.pak", &base["data/noise.pak"]);
    let report = studio.publish("1.0");
    assert_eq!(report.updates[0].from.as_str(), "1.1");
    assert!(report.updates[0].download_bytes < 1_000, "{:?}", report.updates);
    check(&studio, "1.1", "1.0", &newer);
}

#[test]
fn the_piece_length_of_the_channel_is_kept_while_it_makes_for_a_good_swarm() {
    let studio = Studio::new();
    studio.write("data/bulk.pak", &noise(1, 7_500_000));
    assert_eq!(studio.publish("1.0").piece_length, 16_384);
    // Past the threshold of 250 pieces of 32 KiB, where a first release would take larger ones.
    studio.write("data/bulk.pak", &noise(1, 9_000_000));
    assert_eq!(studio.publish("1.1").piece_length, 16_384);
    let other = Studio::new();
    other.write("data/bulk.pak", &noise(1, 9_000_000));
    assert_eq!(other.publish("1.1").piece_length, 32_768);
    // Far below it again: too few pieces.
    other.write("data/bulk.pak", &noise(1, 1_000_000));
    assert_eq!(other.publish("1.2").piece_length, 16_384);
    // The same version is the same release, whatever the channel points at by now.
    other.write("data/bulk.pak", &noise(1, 9_000_000));
    assert_eq!(other.publish("1.1").piece_length, 32_768);
}
