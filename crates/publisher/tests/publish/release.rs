use std::fs;

use release::leaves::{self, Leaf};
use release::manifest::{FileSet, Kind};
use release::seektable::SeekTable;

use crate::support::{Studio, noise, run, text, tree};

#[test]
fn players_read_what_the_build_holds() {
    let studio = Studio::new();
    let report = studio.publish("1.0");
    let manifest = studio.manifest("1.0");
    let paths: Vec<_> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let expected =
        ["bin/game", "data/empty", "data/noise.pak", "data/text.pak", "extra/song.ogg", "saves/default.sav"];
    assert_eq!(paths, expected, "no muster.toml, no symbols, no cache");
    assert_eq!(manifest.title, "Ember Fall");
    assert_eq!(manifest.notes, "First light.");
    assert_eq!(manifest.empty_dirs, ["mods".parse().unwrap()]);
    assert_eq!(manifest.launch["linux-x86_64"].arguments, ["--from", "muster"]);
    let file = |path: &str| manifest.file(&path.parse().unwrap()).unwrap();
    assert!(file("bin/game").executable, "a launch command makes it so");
    assert!(!file("data/text.pak").executable);
    assert_eq!(file("saves/default.sav").kind, Kind::User);
    assert_eq!(file("extra/song.ogg").set, FileSet::Optional);
    assert_eq!(file("data/empty").pieces_root, None);
    assert_eq!((report.files, report.raw_bytes), (6, manifest.total_bytes()));

    let torrent = studio.torrent("1.0");
    assert_eq!(torrent.infohash, report.infohash);
    assert_eq!(torrent.infohash, manifest.infohash().unwrap(), "programs derive it from the manifest");
    assert!(torrent.layers.complete(&torrent.layout));
    let channel = studio.channel();
    assert_eq!((channel.version.as_str(), channel.sequence, channel.rollout_percent), ("1.0", 1, 100));
}

#[test]
fn the_side_file_has_every_leaf_of_the_build() {
    let studio = Studio::new();
    studio.write("data/again.pak", &fs::read(studio.build().join("data/noise.pak")).unwrap());
    studio.publish("1.0");
    let manifest = studio.manifest("1.0");
    let contents = leaves::parse(&studio.target("ember~1.0.leaves"), &manifest).unwrap();
    let (noise, count) = (manifest.file(&"data/noise.pak".parse().unwrap()).unwrap(), contents.len());
    let noise = contents.iter().find(|file| Some(file.pieces_root) == noise.pieces_root).unwrap();
    let original = fs::read(studio.build().join("data/noise.pak")).unwrap();
    let expected: Vec<Leaf> = original.chunks(16_384).map(Leaf::of).collect();
    assert!(noise.leaves == expected && expected.iter().any(|leaf| leaf.weak != 0));
    // Neither the empty file, nor the player's, nor the same content twice.
    assert_eq!(count, 4);
}

#[test]
fn content_is_one_frame_a_piece_and_the_files_bytes() {
    let studio = Studio::new();
    studio.publish("1.0");
    let manifest = studio.manifest("1.0");
    assert_eq!(manifest.piece_length, 16_384);
    for file in &manifest.files {
        let Some(root) = file.pieces_root else { continue };
        let stored = fs::read(studio.content(&root)).unwrap();
        let original = fs::read(studio.build().join(file.path.as_str())).unwrap();
        assert_eq!(zstd::decode_all(&stored[..]).unwrap(), original, "any zstd tool reads it");
        let table = SeekTable::parse_tail(&stored).unwrap();
        assert_eq!(table.frames().len() as u64, file.size.div_ceil(16_384));
        let mut at = 0;
        for (frame, piece) in table.frames().iter().zip(original.chunks(16_384)) {
            let end = at + frame.compressed as usize;
            assert_eq!(zstd::bulk::decompress(&stored[at..end], piece.len()).unwrap(), piece);
            at = end;
        }
    }
}

#[test]
fn large_files_cross_batches_and_small_ones_share_them() {
    let studio = Studio::new();
    studio.write("data/large.pak", &[text(3, 40_000_000), noise(3, 40_000_000)].concat());
    for number in 0..1500 {
        studio.write(&format!("many/{number}.txt"), format!("file {number}").as_bytes());
    }
    studio.publish("1.0");
    let manifest = studio.manifest("1.0");
    assert_eq!(manifest.piece_length, 256 * 1024);
    for path in ["data/large.pak", "many/0.txt", "many/1499.txt"] {
        let root = manifest.file(&path.parse().unwrap()).unwrap().pieces_root.unwrap();
        let stored = fs::read(studio.content(&root)).unwrap();
        assert!(
            zstd::decode_all(&stored[..]).unwrap() == fs::read(studio.build().join(path)).unwrap(),
            "{path}"
        );
    }
}

#[test]
fn plain_files_are_the_build_and_name_a_web_seed() {
    let studio = Studio::new();
    let mut request = studio.request("1.0");
    request.plain = true;
    request.mirrors = vec!["https://cdn.example/ember/content/".to_owned(), "content/".to_owned()];
    request.trackers = vec!["announce".to_owned(), "udp://tracker.example:6969".to_owned()];
    run(&request).unwrap();
    let plain = studio.repo().join("plain/ember-1.0");
    assert_eq!(tree(&plain).len(), 6);
    assert_eq!(fs::read(plain.join("data/text.pak")).unwrap(), text(1, 300_000));
    let torrent = studio.torrent("1.0");
    assert_eq!(torrent.url_list, ["https://cdn.example/ember/plain/"]);
    assert_eq!(torrent.announce, [["udp://tracker.example:6969"]]);
    assert_eq!(studio.channel().trackers, request.trackers);
    assert!(run(&request).unwrap().already_published);
}

#[test]
fn configuration_from_elsewhere_is_used_and_not_shipped() {
    let studio = Studio::new();
    studio.write("studio.toml", b"title = \"From inside\"");
    let outside = studio.outside("release.toml");
    fs::write(&outside, "title = \"From outside\"\nignore = [\"*.pdb\"]").unwrap();
    for (version, config, title) in
        [("1", studio.build().join("studio.toml"), "From inside"), ("2", outside, "From outside")]
    {
        let mut request = studio.request(version);
        request.config = Some(config);
        run(&request).unwrap();
        let manifest = studio.manifest(version);
        assert_eq!(manifest.title, title);
        assert!(manifest.file(&"muster.toml".parse().unwrap()).is_none());
        assert_eq!(manifest.file(&"studio.toml".parse().unwrap()).is_some(), version == "2");
    }
}
