//! Local discovery (BEP 14) between machines on real local networks, with libtorrent too; needs root for the networks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tests::{
    child::Running,
    muster::{Outcome, Person, Repository, text},
    netns::{Family, Machine, World},
    programs,
    share::Share,
    tree,
};

const READY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(60);
/// Discovery takes far less than this, so who is alone for so long is not found.
const ALONE: Duration = Duration::from_secs(6);

/// `muster torrent get` on a machine, listening wherever it has an address.
fn get(machine: &Machine, person: &Person, share: &Share, dir: &Path, options: &[&str]) -> Running {
    let mut words = vec!["torrent", "get", text(&share.torrent), "--dir", text(dir)];
    words.extend(options);
    let mut running = Running::start("muster", &mut machine.run(&person.command(&words)));
    running.wait_for_json(READY, "ready");
    running
}

fn seed(machine: &Machine, share: &Share, options: &[&str]) -> Running {
    let options: Vec<&str> = ["--trust", "--stay"].iter().chain(options).copied().collect();
    get(machine, &share.person("seed"), share, &share.seed_dir(), &options)
}

/// Lets it end by itself, and returns its bytes by source.
fn downloaded(mut running: Running) -> Value {
    let status = running.wait(LIMIT);
    let result = Outcome::of(&mut running, status.code()).result();
    result["downloaded_bytes"].clone()
}

/// Fails when a peer appears within [`ALONE`].
fn stays_alone(running: &mut Running) {
    let until = Instant::now() + ALONE;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(200));
        for line in running.lines_so_far() {
            let line: Value = serde_json::from_str(&line).unwrap();
            assert!(line["peers"].as_u64().unwrap_or(0) == 0, "found somebody: {line}");
        }
    }
}

fn two_find_each_other(family: Family) {
    let world = World::new(family, &[2]);
    let share = Share::large(61, 6 * 1024 * 1024);
    let mut seed = seed(&world.machines[0][0], &share, &[]);
    let place = share.place("ours");
    let leech = get(&world.machines[0][1], &share.person("a"), &share, &place, &[]);
    let from = downloaded(leech);
    share.assert_arrived(&place);
    let total = tree::total(&share.folder);
    assert!(from["lan"].as_u64().unwrap() >= total, "{from} of {total}");
    assert_eq!((&from["players"], &from["origin"]), (&0.into(), &0.into()), "{from}");
    assert!(seed.end().success());
}

#[test]
fn two_on_one_network_find_each_other_and_count_as_lan_needs_root() {
    two_find_each_other(Family::V4);
}

#[test]
fn two_on_an_ipv6_network_find_each_other_needs_root() {
    two_find_each_other(Family::V6);
}

/// The other segment can be reached, so it is discovery that does not find it, and what is then told by hand is internet.
#[test]
fn a_peer_on_another_segment_is_not_found_needs_root() {
    let world = World::new(Family::V4, &[1, 1]);
    let share = Share::grown(62);
    let mut seed = seed(&world.machines[0][0], &share, &["--listen", "0.0.0.0:7001"]);
    let place = share.place("alone");
    let mut alone = get(&world.machines[1][0], &share.person("a"), &share, &place, &[]);
    stays_alone(&mut alone);
    alone.end();
    let there = format!("{}:7001", world.machines[0][0].ip);
    let told =
        get(&world.machines[1][0], &share.person("b"), &share, &share.place("told"), &["--peer", &there]);
    let from = downloaded(told);
    assert!(from["players"].as_u64().unwrap() >= tree::total(&share.folder), "{from}");
    assert_eq!(from["lan"], 0, "{from}");
    assert!(seed.end().success());
}

#[test]
fn who_wants_no_discovery_neither_finds_nor_is_found_needs_root() {
    let world = World::new(Family::V4, &[2]);
    let share = Share::grown(63);
    let mut quiet = seed(&world.machines[0][0], &share, &["--no-lan", "--listen", "0.0.0.0:7002"]);
    let mut alone = get(&world.machines[0][1], &share.person("a"), &share, &share.place("alone"), &[]);
    stays_alone(&mut alone);
    alone.end();
    let there = format!("{}:7002", world.machines[0][0].ip);
    let options = ["--no-lan", "--peer", &there];
    let told = get(&world.machines[0][1], &share.person("b"), &share, &share.place("told"), &options);
    let from = downloaded(told);
    assert_eq!(from["lan"], 0, "without discovery everybody is internet: {from}");
    assert!(quiet.end().success());
}

#[test]
fn libtorrent_finds_us_and_is_found_needs_root() {
    let world = World::new(Family::V4, &[2]);
    let share = Share::large(64, 3 * 1024 * 1024);
    let [one, other] = [&world.machines[0][0], &world.machines[0][1]];
    {
        let _seed = seed(one, &share, &[]);
        let mut theirs = libtorrent(other, &share.torrent, &share.place("theirs"), &[]);
        theirs.wait_for_json(LIMIT, "complete");
        tree::assert_same(&share.folder, &share.place("theirs").join("share"));
    }
    let _seed = libtorrent(one, &share.torrent, &share.seed_dir(), &["--trust"]);
    // It is ready somewhat before it listens to announces, and it makes its own rarely.
    std::thread::sleep(Duration::from_secs(3));
    let place = share.place("ours");
    let mut ours = get(other, &share.person("a"), &share, &place, &[]);
    assert!(ours.wait(LIMIT).success());
    share.assert_arrived(&place);
}

fn libtorrent(machine: &Machine, torrent: &Path, folder: &Path, options: &[&str]) -> Running {
    let mut script = programs::script("lan_peer.py");
    script.args([torrent, folder]).args(options);
    let mut running = Running::start("libtorrent", &mut machine.run(&script));
    running.wait_for_json(READY, "ready");
    running
}

const GAME: &str = "lan-game";

/// *Local network only*: no tracker is asked and nobody on the internet is met, but players on the network serve each
/// other, and the origin gives what they lack.
#[test]
fn local_network_only_takes_from_the_origin_and_from_players_nearby_needs_root() {
    let world = World::new(Family::V4, &[2, 1]);
    let base = tempfile::tempdir().unwrap();
    let build = base.path().join("build");
    std::fs::create_dir_all(&build).unwrap();
    let mut random = fastrand::Rng::with_seed(65);
    tree::write(&build.join("content.bin"), 24 * 1024 * 1024, &mut random);
    let repository = Repository::init(base.path());
    repository.publish(&build, GAME, "1.0", &[]);
    let origin = &world.machines[1][0];
    let listen = format!("{}:8000", origin.ip);
    let words = ["serve", "--repo", text(&repository.dir), "--listen", &listen];
    let mut serve = Running::start("serve", &mut origin.run(&repository.publisher().command(&words)));
    serve.wait_for_json(READY, "ready");
    let url = format!("http://{listen}/");

    let install = |machine: &Machine, name: &str, options: &[&str]| {
        let dir = base.path().join(name);
        let root = repository.root();
        let mut words = vec!["install", &url, "--game", GAME, "--dir", text(&dir), "--root", text(&root)];
        words.extend(["--p2p", "lan"]);
        words.extend(options);
        let person = Person::at(&base.path().join("homes").join(name));
        Running::start(name, &mut machine.run(&person.command(&words)))
    };
    let mut first = install(&world.machines[0][0], "first", &["--stay"]);
    first.wait_for_json(LIMIT, "ready");
    let from = downloaded(install(&world.machines[0][1], "second", &[]));
    let lan = from["lan"].as_u64().unwrap();
    assert!(lan > 4 * 1024 * 1024, "nothing of note came from the player beside us: {from}");
    assert_eq!(from["players"], 0, "the origin's own seed is no player of the local network: {from}");
    tree::assert_same(&build, &base.path().join("second"));
    assert!(first.end().success() && serve.end().success());
}
