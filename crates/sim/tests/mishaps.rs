//! Each scenario has one thing that goes wrong; an honest swarm completes, within a bound and without much waste.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use sim::agreement::{Agreement, compare_tiers};
use sim::scenario::{Report, parse_with, run};

/// Twenty players and 4 MiB over slow lines: quick to play, long enough for things to go wrong.
const FILE: &str = "
name = 'mishap'
limit_seconds = 1200
[content]
kib = 4096
piece_kib = 64
[origin]
kind = 'seed'
up_kib = 512
[[players]]
count = 20
up_kib = 256
down_kib = 2048
";

/// What comes twice in the endgame weighs much in so small a release.
const WASTED: f64 = 0.25;

fn play(set: &[(&str, &str)], more: &str) -> Report {
    play_seeded(set, more, 1)
}

fn play_seeded(set: &[(&str, &str)], more: &str, seed: u64) -> Report {
    let set: Vec<(String, String)> =
        set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    run(&parse_with(&format!("{FILE}{more}"), &set).unwrap(), seed).unwrap()
}

/// Everybody is done in so many times the bound, and little came in vain.
fn check(report: &Report, bounds: f64, wasted_share: f64) {
    assert_eq!(report.completed, report.players, "{report:#?}");
    assert!(report.last_of_present() <= bounds, "{} × the bound: {report:#?}", report.last_of_present());
    assert!(report.wasted_share <= wasted_share, "{} wasted: {report:#?}", report.wasted_share);
}

fn with(conduct: &str) -> String {
    format!("[[players]]\ncount = 6\nconduct = '{conduct}'\n")
}

#[test]
fn nothing_goes_wrong() {
    check(&play(&[], ""), 2.0, WASTED);
}

#[test]
fn the_same_seed_gives_the_same_run_with_everything_going_wrong() {
    let set = [
        ("players.0.failures", "1.0"),
        ("players.0.loss", "0.01"),
        ("players.0.reachable", "0.7"),
        ("players.0.delay_spread_ms", "40"),
        ("players.0.leaves_after_seconds", "1.0"),
        ("players.0.disk.failing", "0.01"),
        ("content.kib", "1024"),
        ("limit_seconds", "100"),
    ];
    for tier in ["full", "policy"] {
        let set = [&set[..], &[("tier", tier)]].concat();
        let first = Report { wall_seconds: 0.0, ..play(&set, "") };
        assert_eq!(Report { wall_seconds: 0.0, ..play(&set, "") }, first);
        let other = parse_with(FILE, &[("tier".to_owned(), tier.to_owned())]).unwrap();
        assert_ne!(run(&other, 2).unwrap().trace, run(&other, 3).unwrap().trace);
    }
}

#[test]
fn sixty_that_fail_and_leave_at_once_when_done() {
    let set = [
        ("players.0.count", "60"),
        ("players.0.failures", "0.5"),
        ("players.0.leaves_after_seconds", "0.0"),
        ("content.kib", "2048"),
    ];
    let report = play(&set, "");
    assert!(report.failures > 10, "{report:#?}");
    check(&report, 6.0, WASTED);
}

#[test]
fn a_third_cannot_be_reached() {
    check(&play(&[("players.0.reachable", "0.67")], ""), 2.5, WASTED);
}

#[test]
fn a_third_uploads_nothing() {
    check(&play(&[("players.0.uploading", "0.67")], ""), 2.5, WASTED);
}

#[test]
fn the_origin_is_away_for_the_middle_third() {
    for kind in ["seed", "http"] {
        check(&play(&[("origin.kind", kind), ("origin.down", "[0.3333, 0.6667]")], ""), 4.0, WASTED);
    }
}

#[test]
fn a_peer_that_chokes_forever() {
    check(&play(&[], &with("chokes-forever")), 3.0, WASTED);
}

#[test]
fn a_peer_that_sends_one_byte_a_second() {
    check(&play(&[], &with("trickles")), 4.0, WASTED);
}

#[test]
fn a_peer_that_answers_nothing() {
    check(&play(&[], &with("silent")), 4.0, WASTED);
}

#[test]
fn a_peer_that_claims_what_it_has_not() {
    check(&play(&[], &with("claims-all")), 4.0, WASTED);
}

#[test]
fn a_peer_that_sends_false_blocks() {
    check(&play(&[], &with("false-blocks")), 4.0, 0.5);
}

#[test]
fn packets_get_lost() {
    // One crowd may be lucky, five are not.
    let seconds = |loss: &str| -> f64 {
        let set = [("players.0.delay_ms", "30"), ("players.0.loss", loss)];
        let runs = (1..=5).map(|seed| play_seeded(&set, "", seed));
        runs.inspect(|report| check(report, 4.0, WASTED)).map(|report| report.p50_seconds).sum()
    };
    let (clean, lossy) = (seconds("0.0"), seconds("0.02"));
    assert!(lossy > clean, "loss costs nothing: {clean} s, {lossy} s");
}

#[test]
fn a_slow_disk_slows_its_owner_and_wastes_nothing() {
    let report = play(&[("players.0.disk.write_kib", "64")], "");
    check(&report, 6.0, WASTED);
    // 4 MiB at 64 KiB a second.
    assert!(report.last_seconds > 60.0, "{report:#?}");
}

#[test]
fn writes_that_fail_are_done_again() {
    check(&play(&[("players.0.disk.failing", "0.05")], ""), 3.0, WASTED);
}

#[test]
fn the_policy_tier_completes_what_the_full_one_does() {
    for set in [
        &[("tier", "policy")][..],
        &[("tier", "policy"), ("origin.kind", "http")],
        &[("tier", "policy"), ("players.0.failures", "0.5"), ("players.0.leaves_after_seconds", "0.0")],
        &[("tier", "policy"), ("players.0.uploading", "0.7"), ("players.0.reachable", "0.7")],
        &[("tier", "policy"), ("origin.down", "[0.3333, 0.6667]")],
    ] {
        check(&play(set, ""), 6.0, WASTED);
    }
}

#[test]
fn the_policy_tier_says_what_the_full_one_does() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/flash-16-seed.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let runs = |tier: &str| -> Vec<Report> {
        let scenario = parse_with(&text, &[("tier".to_owned(), tier.to_owned())]).unwrap();
        (1..=2).map(|seed| run(&scenario, seed).unwrap()).collect()
    };
    let figures = compare_tiers(&runs("full"), &runs("policy"));
    assert!(figures.len() == 3 && figures.iter().all(Agreement::agrees), "{figures:?}");
}

#[test]
fn every_scenario_file_can_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let read = parse_with(&std::fs::read_to_string(&path).unwrap(), &[]);
        assert!(read.is_ok(), "{}: {read:?}", path.display());
        files += 1;
    }
    assert!(files >= 8, "{files} files");
}
