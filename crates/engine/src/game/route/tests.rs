use super::*;
use release::{
    channel::Downloads,
    layout::PieceLayers,
    patch::{Payload, Span},
    path::GamePath,
};

const PIECE: u64 = 16_384;

fn manifest(version: &str, files: &[(&str, u8, u64)]) -> Manifest {
    let file = |(path, root, size): &(&str, u8, u64)| {
        let root = format!("{root:02x}").repeat(32);
        format!(r#"{{"path":"{path}","size":{size},"pieces_root":"{root}"}}"#)
    };
    let files: Vec<String> = files.iter().map(file).collect();
    let text = format!(
        r#"{{"format":1,"game":"g","version":"{version}","title":"G","piece_length":{PIECE},"files":[{}]}}"#,
        files.join(",")
    );
    Manifest::parse(text.as_bytes()).expect("good")
}

fn channel(patches: &[PatchOffer]) -> Channel {
    let text = r#"{"format":1,"game":"g","channel":"live","sequence":1,"version":"1.1","published":"now"}"#;
    let mut channel = Channel::parse(text.as_bytes()).expect("good");
    channel.patches = patches.to_vec();
    // With patches, the least of all ways.
    let least = if patches.is_empty() { 70_000 } else { 34_100 };
    let from = BTreeMap::from([("1.0".parse().expect("good"), least)]);
    channel.downloads = Some(Downloads { fresh_bytes: 100_000, from });
    channel
}

fn offered() -> PatchOffer {
    PatchOffer {
        from: "1.0".parse().expect("good"),
        to: "1.1".parse().expect("good"),
        description_bytes: 100,
        payload_bytes: 30_000,
        uncovered_bytes: 4_000,
    }
}

/// A patch of two segments: file 0 of 40,000 bytes from 1,000, file 1 of 100,000 bytes from 29,000 bytes of payload. File
/// 2 is in neither.
fn patch() -> Patch {
    let segment = |file, length, payload_offset, payload_length| Segment {
        method: 1,
        sources: Vec::new(),
        made: Vec::new(),
        targets: vec![Span { file, offset: 0, length }],
        payload_offset,
        payload_length,
        memory_bytes: 0,
    };
    Patch {
        payload: Payload::of(&[7; 30_000]),
        segments: vec![segment(0, 40_000, 0, 1_000), segment(1, 100_000, 1_000, 29_000)],
        layers: PieceLayers::default(),
    }
}

struct Case {
    old: Manifest,
    new: Manifest,
    channel: Option<Channel>,
    standing: Vec<(&'static str, u8)>,
}

impl Case {
    fn new() -> Self {
        Self {
            old: manifest("1.0", &[("a", 1, 41_000), ("b", 2, 99_000), ("d", 9, 60_000)]),
            new: manifest("1.1", &[("a", 3, 40_000), ("b", 4, 100_000), ("c", 5, 8_000), ("d", 9, 60_000)]),
            channel: Some(channel(&[offered()])),
            standing: vec![("d", 9)],
        }
    }

    fn plan(&self, installed: bool, patch: Option<&Patch>) -> Route {
        let present: Vec<release::plan::Present> = (self.standing.iter())
            .map(|(path, root)| release::plan::Present {
                path: path.parse::<GamePath>().expect("good"),
                pieces_root: Some(Hash32([*root; 32])),
                executable: false,
            })
            .collect();
        let old = installed.then_some(&self.old);
        let none = Have::default();
        let plan_of = release::plan::plan(old, &present, &BTreeSet::new(), &self.new);
        plan(&Facts {
            installed: old,
            wanted: &self.new,
            plan: &plan_of,
            staged: &none,
            patch: patch.map(|patch| (patch, &none)),
            channel: self.channel.as_ref(),
        })
    }
}

fn ways(route: &Route) -> Vec<(Way, u64)> {
    let chosen = WayCost { way: route.way, bytes: route.bytes };
    std::iter::once(&chosen).chain(&route.alternatives).map(|cost| (cost.way, cost.bytes)).collect()
}

#[test]
fn the_cheapest_way_by_signed_sizes() {
    let route = Case::new().plan(true, Some(&patch()));
    assert_eq!(ways(&route), [(Way::Patch, 34_000), (Way::Blocks, 71_153), (Way::Full, 100_000)]);
    assert_eq!(route.patch.segments, [0, 1]);
    assert_eq!(route.patch.pieces, BTreeSet::from([0, 1]));
    assert_eq!((route.patch.missing_bytes, route.patch.uncovered_bytes), (30_000, 8_000));
}

#[test]
fn without_a_patch_files_come_as_blocks_and_without_a_release_all_of_them() {
    let mut case = Case::new();
    case.channel = Some(channel(&[]));
    assert_eq!(ways(&case.plan(true, None)), [(Way::Blocks, 70_000), (Way::Full, 100_000)]);
    case.standing.clear();
    assert_eq!(ways(&case.plan(false, None)), [(Way::Full, 100_000)]);
    // What a publisher did not sign is counted as it is.
    case.channel = None;
    assert_eq!(ways(&case.plan(false, None)), [(Way::Full, 208_000)]);
}

#[test]
fn what_stands_here_already_is_neither_patched_nor_fetched() {
    let mut case = Case::new();
    case.standing.push(("b", 4));
    let route = case.plan(true, Some(&patch()));
    assert_eq!((route.way, &route.patch.segments[..]), (Way::Patch, &[0][..]));
    // Only the payload's first piece, and the 8,000 bytes that no segment makes, at the release's average.
    assert_eq!(route.patch.pieces, BTreeSet::from([0]));
    assert_eq!(route.patch.missing_bytes, PIECE);
    assert_eq!(route.bytes, PIECE + 8_000 * 100_000 / 208_000);
}

#[test]
fn a_segment_that_saves_nothing_is_left_out() {
    let mut patch = patch();
    patch.segments[1].payload_length = 100_000;
    patch.payload.size = 101_000;
    let route = Case::new().plan(true, Some(&patch));
    assert_eq!(route.patch.segments, [0]);
    assert_eq!(route.patch.uncovered_bytes, 108_000);
    patch.segments[0].payload_length = 90_000;
    assert_eq!(Case::new().plan(true, Some(&patch)).way, Way::Blocks);
}

#[test]
fn a_segment_whose_new_bytes_no_chosen_one_makes_is_left_out_with_it() {
    let mut patch = patch();
    patch.segments[1].made = vec![Span { file: 0, offset: 10, length: 30_000 }];
    assert_eq!(Case::new().plan(true, Some(&patch)).patch.segments, [0, 1]);
    patch.segments[0].payload_length = 90_000;
    assert_eq!(Case::new().plan(true, Some(&patch)).way, Way::Blocks);
}
