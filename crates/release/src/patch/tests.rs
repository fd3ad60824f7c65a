//! Descriptions as they should be, and each way in which they should not.

use super::{wire::put, *};
use crate::{
    hash::{Hash32, sha256},
    limits::{PATCH_LIST_BYTES_MAX, PATCH_MEMORY_MAX, PATCH_SEGMENTS_MAX, PATCH_SPANS_MAX},
    manifest::{Kind, ManifestFile},
    merkle::pieces_root_of_layer,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PIECE: u64 = 16_384;

/// A release whose files are (path, bytes, content); files over a piece get layers from [`layer`].
fn release(version: &str, files: &[(&str, u64, u8)]) -> Manifest {
    let files = files.iter().map(|(path, size, content)| ManifestFile {
        path: path.parse().expect("good path"),
        size: *size,
        executable: false,
        pieces_root: (*size > 0).then(|| root(*size, *content)),
        kind: if *content == USER { Kind::User } else { Kind::Content },
        set: Default::default(),
    });
    let manifest = Manifest {
        format: crate::manifest::FORMAT,
        game: "g".parse().expect("good id"),
        version: version.parse().expect("good version"),
        title: "G".to_owned(),
        piece_length: PIECE as u32,
        files: files.collect(),
        empty_dirs: vec![],
        launch: BTreeMap::new(),
        notes: String::new(),
    };
    manifest.check().expect("good manifest");
    manifest
}

const USER: u8 = 255;

fn layer(size: u64, content: u8) -> Vec<Hash32> {
    (0..size.div_ceil(PIECE)).map(|piece| sha256(&[content, piece as u8])).collect()
}

fn root(size: u64, content: u8) -> Hash32 {
    if size > PIECE {
        pieces_root_of_layer(&layer(size, content), PIECE as u32)
    } else {
        Hash32([content; 32])
    }
}

fn old() -> Manifest {
    release("1.0", &[("a", 100, 1), ("b", 5 * PIECE + 7, 2), ("c", 300, 3), ("save", 50, USER)])
}

fn new() -> Manifest {
    release("1.1", &[("a", 120, 4), ("b", 5 * PIECE + 9, 5), ("c", 300, 3), ("d", 10, 6), ("save", 60, USER)])
}

fn span(file: u32, offset: u64, length: u64) -> Span {
    Span { file, offset, length }
}

fn segment(sources: Vec<Span>, targets: Vec<Span>, payload_offset: u64, payload_length: u64) -> Segment {
    let own: u64 = sources.iter().chain(&targets).map(|span| span.length).sum();
    let memory_bytes = own + payload_length + 1000;
    Segment { method: 2, sources, made: vec![], targets, payload_offset, payload_length, memory_bytes }
}

fn layers(from: &Manifest, to: &Manifest) -> PieceLayers {
    let (layout, mut layers) = (to.layout().expect("good"), PieceLayers::default());
    for file in lacking_layers(from, to).expect("good") {
        let content =
            (0..=255).find(|content| to.files[file].pieces_root == Some(root(to.files[file].size, *content)));
        layers
            .insert(&layout, file, layer(to.files[file].size, content.expect("one of ours")))
            .expect("good");
    }
    layers
}

/// Two segments: the small files from their old versions, and the large one in two windows.
fn patch() -> Patch {
    let segments = vec![
        segment(vec![span(0, 0, 100)], vec![span(0, 0, 120), span(3, 0, 10)], 0, 40),
        segment(vec![span(1, 3, 2 * PIECE)], vec![span(1, 0, 2 * PIECE)], 40, 0),
        segment(vec![], vec![span(1, 2 * PIECE, 3 * PIECE + 9)], 40, 3 * PIECE),
    ];
    let size = 40 + 3 * PIECE as usize;
    Patch { payload: Payload::of(&vec![9; size]), segments, layers: layers(&old(), &new()) }
}

fn encode(patch: &Patch) -> Vec<u8> {
    // Past the check, as somebody else's program could write it.
    write::write(patch, &old(), &new(), &delta()).expect("short enough")
}

fn delta() -> Vec<u8> {
    manifest_delta(&old().encode(), &new().encode()).expect("short enough")
}

/// Spoils a good patch and expects `code` from the reader.
fn refused(code: &str, spoil: impl FnOnce(&mut Patch)) {
    let mut patch = patch();
    spoil(&mut patch);
    let error = Patch::parse(&encode(&patch), &old(), &new()).expect_err("must be refused");
    assert_eq!(error.code(), code, "{error}");
    proof::count(proof::Line::TorrentsRefused, 1, 1);
}

fn refused_bytes(code: &str, bytes: &[u8]) {
    let error = Patch::parse(bytes, &old(), &new()).expect_err("must be refused");
    assert_eq!(error.code(), code, "{error}");
    proof::count(proof::Line::TorrentsRefused, 1, 1);
}

#[test]
fn a_patch_and_the_new_manifest_come_back_as_they_were() {
    let bytes = patch().encode(&old(), &new(), &delta()).expect("good");
    assert_eq!(Patch::parse(&bytes, &old(), &new()), Ok(patch()));
    let whole = new().encode();
    assert_eq!(manifest(&bytes, &old().encode(), whole.len() as u64), Ok(whole));
}

#[test]
fn a_hotfix_is_described_in_few_bytes() {
    let files: Vec<(String, u64)> = (0..1000).map(|n| (format!("assets/{n:04}.png"), 900 + n)).collect();
    let list = |changed: u8| -> Vec<(&str, u64, u8)> {
        files
            .iter()
            .map(|(path, size)| (path.as_str(), *size, if size % 100 == 0 { changed } else { 1 }))
            .collect()
    };
    let (from, to) = (release("1.0", &list(2)), release("1.1", &list(3)));
    let changed = (0..1000).filter(|n| to.files[*n].size % 100 == 0);
    let targets: Vec<Span> = changed.map(|n| span(n as u32, 0, to.files[n].size)).collect();
    let segments = vec![segment(targets.clone(), targets, 0, 3000)];
    let patch = Patch { payload: Payload::of(&[7; 3000]), segments, layers: PieceLayers::default() };
    let bytes = patch.encode(&from, &to, &[]).expect("good").len();
    assert!(bytes < 85, "{bytes} bytes for ten small files");
}

#[test]
fn the_payloads_torrent_is_derived_alike_by_everybody() {
    let name = Payload::torrent_name(&old().game, &old().version, &new().version);
    assert_eq!(name, "g-1.0-1.1.patch");
    let torrent = patch().payload.metainfo(&name, vec![], vec![]).expect("good");
    assert!(torrent.is_single_file() && torrent.layers.complete(&torrent.layout));
    let parsed = crate::metainfo::Metainfo::parse(&torrent.encode()).expect("good");
    assert_eq!(parsed.infohash, torrent.infohash);
}

#[test]
fn layers_are_those_that_the_old_release_lacks() {
    assert_eq!(lacking_layers(&old(), &new()), Ok(vec![1]));
    assert_eq!(lacking_layers(&old(), &old()), Ok(vec![]));
    let mut coarser = old();
    coarser.piece_length *= 2;
    assert_eq!(lacking_layers(&coarser, &old()), Ok(vec![1]));
}

#[test]
fn overlapping_targets_are_refused() {
    refused("PATCH_OVERLAP", |patch| patch.segments[2].targets = vec![span(1, PIECE, 4 * PIECE + 9)]);
    refused("PATCH_OVERLAP", |patch| patch.segments[0].targets.push(span(0, 0, 120)));
}

#[test]
fn sources_outside_their_files_are_refused() {
    refused("PATCH_SPAN", |patch| patch.segments[0].sources = vec![span(0, 1, 100)]);
    refused("PATCH_SPAN", |patch| patch.segments[0].sources = vec![span(0, u64::MAX, 2)]);
    refused("PATCH_SPAN", |patch| patch.segments[0].sources = vec![span(0, 5, 0)]);
}

#[test]
fn targets_outside_their_files_are_refused() {
    refused("PATCH_SPAN", |patch| patch.segments[0].targets = vec![span(0, 0, PIECE)]);
}

#[test]
fn foreign_files_are_refused() {
    refused("PATCH_FILE", |patch| patch.segments[0].sources = vec![span(4, 0, 1)]);
    refused("PATCH_FILE", |patch| patch.segments[0].targets = vec![span(5, 0, 1)]);
    refused("PATCH_FILE", |patch| patch.segments[0].targets = vec![span(u32::MAX, 0, 1)]);
}

#[test]
fn files_of_the_player_are_neither_source_nor_target() {
    refused("PATCH_FILE", |patch| patch.segments[0].sources = vec![span(3, 0, 50)]);
    refused("PATCH_FILE", |patch| patch.segments[0].targets.push(span(4, 0, 60)));
}

#[test]
fn targets_that_are_not_whole_pieces_are_refused() {
    refused("PATCH_PIECES", |patch| patch.segments[1].targets = vec![span(1, 1, PIECE)]);
    refused("PATCH_PIECES", |patch| patch.segments[1].targets = vec![span(1, 0, PIECE + 1)]);
    refused("PATCH_PIECES", |patch| patch.segments[1].targets.clear());
}

#[test]
fn payloads_that_do_not_add_up_are_refused() {
    refused("PATCH_SUM", |patch| patch.segments[0].payload_length -= 1);
    refused("PATCH_SUM", |patch| patch.segments[2].payload_length += 1);
    // Lengths whose sum no number holds.
    refused("PATCH_SUM", |patch| {
        patch.segments[0].payload_length = u64::MAX;
        patch.segments[2].payload_length = u64::MAX;
    });
}

#[test]
fn segments_that_need_too_much_memory_are_refused() {
    refused("PATCH_MEMORY", |patch| patch.segments[0].memory_bytes = PATCH_MEMORY_MAX + 1);
    refused("PATCH_MEMORY", |patch| patch.segments[0].memory_bytes = u64::MAX);
}

#[test]
fn the_same_source_again_and_again_counts_as_memory_each_time() {
    refused("PATCH_MEMORY", |patch| patch.segments[0].sources = vec![span(1, 0, 5 * PIECE + 7); 1000]);
}

#[test]
fn new_bytes_are_sources_only_behind_the_segments_that_make_them() {
    // The second window of the large file from its first, and the small files from both.
    let dependent = |from: usize, taken: Span| {
        let mut patch = patch();
        patch.segments[from].made = vec![taken];
        patch.segments[from].memory_bytes += taken.length;
        patch
    };
    let good = dependent(2, span(1, 5, 2 * PIECE - 5));
    let bytes = good.encode(&old(), &new(), &delta()).expect("good");
    assert_eq!(Patch::parse(&bytes, &old(), &new()), Ok(good));
    for (segment, taken) in [
        (2, span(1, 2 * PIECE - 1, 2)),
        (2, span(1, 2 * PIECE, PIECE)),
        (1, span(1, 0, 1)),
        (0, span(0, 0, 120)),
        (0, span(1, 0, 10)),
        (2, span(2, 0, 300)),
    ] {
        let error = Patch::parse(&encode(&dependent(segment, taken)), &old(), &new()).expect_err("a circle");
        assert_eq!(error, PatchError::Order { segment, file: taken.file }, "{taken:?}");
        assert_eq!(error.code(), "PATCH_ORDER");
    }
    for (taken, code) in [(span(4, 0, 5), "PATCH_FILE"), (span(1, 6 * PIECE, 1), "PATCH_SPAN")] {
        refused(code, |patch| *patch = dependent(2, taken));
    }
}

#[test]
fn neighbouring_targets_are_one_range_of_new_bytes() {
    let mut patch = patch();
    let more = segment(vec![], vec![span(2, 0, 300)], 40 + 3 * PIECE, 0);
    patch.segments.push(more);
    let taken = span(1, PIECE, 3 * PIECE);
    patch.segments[3].made = vec![taken];
    patch.segments[3].memory_bytes += taken.length;
    assert_eq!(patch.check(&old(), &new()), Ok(()));
    patch.segments.swap(1, 3);
    patch.segments[1].payload_offset = 40;
    patch.segments[3].payload_offset = 40 + 3 * PIECE;
    assert_eq!(patch.check(&old(), &new()), Err(PatchError::Order { segment: 1, file: 1 }));
}

#[test]
fn a_patch_from_a_release_to_itself_or_to_another_game_is_refused() {
    let cyclic = Patch::parse(&encode(&patch()), &old(), &old()).expect_err("must be refused");
    assert_eq!(cyclic.code(), "PATCH_RELEASE");
    let (mut elsewhere, good) = (new(), patch());
    elsewhere.game = "h".parse().expect("good");
    assert_eq!(good.check(&old(), &elsewhere), Err(PatchError::Release));
    let mut same = new();
    same.version = old().version;
    assert_eq!(good.check(&old(), &same), Err(PatchError::Release));
}

#[test]
fn a_patch_for_another_version_is_refused() {
    let other = release("1.2", &[("a", 1, 1)]);
    for (from, to) in [(&old(), &other), (&other, &new()), (&new(), &old())] {
        assert_eq!(Patch::parse(&encode(&patch()), from, to), Err(PatchError::Release));
    }
}

#[test]
fn a_newer_format_is_said_to_be_one() {
    let mut bytes = encode(&patch());
    bytes[0] = FORMAT + 1;
    refused_bytes("PATCH_FORMAT", &bytes);
}

#[test]
fn a_description_cut_short_anywhere_is_refused() {
    let bytes = encode(&patch());
    for length in 0..bytes.len() {
        assert!(Patch::parse(&bytes[..length], &old(), &new()).is_err(), "{length} of {}", bytes.len());
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = encode(&patch());
    bytes.push(0);
    refused_bytes("PATCH_MALFORMED", &bytes);
    // Also behind a compressed list.
    let mut bytes = front();
    bytes.push(wire::LIST_COMPRESSED);
    bytes.extend(zstd::bulk::compress(&[0; 100], 3).expect("compresses"));
    bytes.push(0);
    refused_bytes("PATCH_MALFORMED", &bytes);
}

#[test]
fn a_list_that_expands_past_its_bound_is_refused() {
    let mut bytes = front();
    bytes.push(wire::LIST_COMPRESSED);
    bytes.extend(zstd::bulk::compress(&vec![0; PATCH_LIST_BYTES_MAX + 1], 3).expect("compresses"));
    assert!(bytes.len() < 10_000, "a bomb is small");
    refused_bytes("PATCH_BOUNDS", &bytes);
    // One that does not say how long it gets.
    let mut bytes = front();
    bytes.push(wire::LIST_COMPRESSED);
    bytes.extend(zstd::stream::encode_all(&vec![0; 1 << 20][..], 3).expect("compresses"));
    refused_bytes("PATCH_MALFORMED", &bytes);
}

#[test]
fn a_manifest_that_expands_past_its_signed_length_is_refused() {
    let bytes = encode(&patch());
    let from = old().encode();
    let length = new().encode().len() as u64;
    for wrong in [length - 1, length + 1, 0, u64::MAX] {
        assert!(manifest(&bytes, &from, wrong).is_err(), "{wrong}");
    }
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).expect("compresses");
    let bytes = write::write(&patch(), &old(), &new(), &bomb).expect("short enough");
    assert_eq!(
        manifest(&bytes, &from, 100 << 20).map(drop),
        Err(PatchError::Bounds("the manifest's length"))
    );
    assert!(manifest(&bytes, &from, length).is_err());
}

#[test]
fn a_manifest_made_from_another_one_has_another_hash_or_none() {
    let bytes = encode(&patch());
    let whole = new().encode();
    let made = manifest(&bytes, &new().encode()[1..], whole.len() as u64);
    assert_ne!(made.ok(), Some(whole));
}

#[test]
fn counts_beyond_bounds_are_refused() {
    for list in [
        numbers(&[PATCH_SEGMENTS_MAX as u64 + 1]),
        numbers(&[1, 0, PATCH_SPANS_MAX as u64 + 1]),
        numbers(&[1, 0, 1, 1 << 2, 4 * PATCH_SPANS_MAX as u64 + 4]),
        numbers(&[0]),
    ] {
        refused_bytes("PATCH_BOUNDS", &with_list(&list));
    }
    for list in [numbers(&[1, 256]), numbers(&[1, 0, PATCH_SPANS_MAX as u64]), vec![0x80, 0], vec![0xff; 11]]
    {
        refused_bytes("PATCH_MALFORMED", &with_list(&list));
    }
}

#[test]
fn more_ranges_than_the_bound_in_all_are_refused() {
    // Every segment stays below the bound, all together do not.
    let many = PATCH_SPANS_MAX / 2;
    let mut list = numbers(&[3]);
    for segment in 0..3 {
        list.extend(numbers(&[0, 1, if segment == 0 { 1 << 2 } else { 0 }]));
        put(&mut list, (many as u64) << wire::FLAGS);
        // The first file, then the same one again and again.
        list.push(if segment == 0 { 1 << 2 } else { 0 });
        list.extend(vec![0; many - 1]);
        list.extend(numbers(&[0, 0]));
    }
    refused_bytes("PATCH_BOUNDS", &with_list(&list));
}

#[test]
fn false_piece_layers_are_refused() {
    let good = encode(&patch());
    let layer: Vec<u8> = layer(5 * PIECE + 9, 5).iter().flat_map(|node| node.0).collect();
    let at = good.windows(layer.len()).position(|bytes| bytes == layer).expect("it is there");
    let mut bytes = good.clone();
    bytes[at] ^= 1;
    refused_bytes("PATCH_LAYER", &bytes);
    // The payload's own.
    let node = patch().payload.layer[0].0;
    let at = good.windows(32).position(|bytes| bytes == node).expect("it is there");
    let mut bytes = good;
    bytes[at] ^= 1;
    refused_bytes("PATCH_LAYER", &bytes);
}

#[test]
fn payload_sizes_that_lie_are_refused() {
    refused("PATCH_BOUNDS", |patch| {
        patch.payload = Payload { size: 0, ..Payload::of(&[1]) };
        patch.segments.truncate(1);
        patch.segments[0].payload_length = 0;
    });
    refused("PATCH_MALFORMED", |patch| patch.payload.size = u64::MAX);
    refused("PATCH_BOUNDS", |patch| patch.payload.piece_length = 1 << 13);
    refused("PATCH_BOUNDS", |patch| patch.payload.piece_length = 1 << 25);
}

#[test]
fn what_breaks_a_rule_is_not_signed() {
    let mut bad = patch();
    bad.segments[0].targets.clear();
    assert_eq!(bad.encode(&old(), &new(), &[]).map_err(|error| error.code()), Err("PATCH_PIECES"));
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    numbers.iter().for_each(|number| put(&mut out, *number));
    out
}

/// A description up to its list of segments.
fn front() -> Vec<u8> {
    let mut bytes = encode(&Patch { segments: vec![], ..patch() });
    assert_eq!(bytes.split_off(bytes.len() - 2), [wire::LIST_PLAIN, 0]);
    bytes
}

fn with_list(list: &[u8]) -> Vec<u8> {
    let mut bytes = front();
    bytes.push(wire::LIST_PLAIN);
    bytes.extend(list);
    bytes
}

proptest! {
    #[test]
    fn every_patch_round_trips(
        cuts in prop::collection::vec(1..6_u64, 0..4),
        sources in prop::collection::vec((0..3_u32, 0..90_u64, 1..10_u64), 0..20),
        methods in prop::collection::vec(any::<u8>(), 6),
        lengths in prop::collection::vec(0..3000_u64, 6),
        beyond in 0..1_000_000_u64,
    ) {
        let mut borders: Vec<u64> = cuts.iter().map(|cut| cut * PIECE).collect();
        borders.extend([0, 5 * PIECE + 9]);
        borders.sort_unstable();
        borders.dedup();
        let mut targets: Vec<Vec<Span>> =
            borders.windows(2).map(|two| vec![span(1, two[0], two[1] - two[0])]).collect();
        targets.push(vec![span(3, 0, 10), span(0, 0, 120)]);
        let sources: Vec<Span> = sources.iter().map(|(file, offset, length)| span(*file, *offset, *length)).collect();
        let (mut segments, mut at) = (Vec::new(), 0);
        for (index, targets) in targets.into_iter().enumerate() {
            let own = sources.iter().skip(index).copied().collect();
            let length = lengths[index] + u64::from(index == 0);
            let mut made = segment(own, targets, at, length);
            made.method = methods[index];
            made.memory_bytes += beyond;
            at += length;
            segments.push(made);
        }
        let patch = Patch { payload: Payload::of(&vec![3; at as usize]), segments, layers: layers(&old(), &new()) };
        let bytes = patch.encode(&old(), &new(), &delta()).expect("good");
        prop_assert_eq!(Patch::parse(&bytes, &old(), &new()), Ok(patch));
    }

    #[test]
    fn bytes_that_changed_anywhere_never_panic(at in any::<prop::sample::Index>(), xor in 1..=255_u8) {
        let mut bytes = encode(&patch());
        let at = at.index(bytes.len());
        bytes[at] ^= xor;
        if let Ok(patch) = Patch::parse(&bytes, &old(), &new()) {
            prop_assert!(patch.check(&old(), &new()).is_ok());
        }
        let _ = manifest(&bytes, &old().encode(), new().encode().len() as u64);
    }
}
