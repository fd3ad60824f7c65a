//! A port of the router, asked for, announced and given back: against routers of our own in network namespaces.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;
use tests::{
    child::Running,
    muster::text,
    netns::{Family, World},
    programs,
    share::Share,
};

const LIMIT: Duration = Duration::from_secs(30);
/// An address that is somewhere on the internet, as the router says.
const EXTERNAL: &str = "203.0.113.7";

/// One that has all and stays: it asks for a port, announces it, and gives it back at the end.
fn is_mapped_and_given_back(kind: &str, router_chooses: bool) {
    let world = World::new(Family::V4, &[1]);
    let router = world.router(Family::V4);
    let mut script = programs::script("gateway.py");
    script.args([router.ip.as_str(), kind, EXTERNAL]);
    let mut gateway = Running::start("the router", &mut router.run(&script));
    gateway.wait_for_json(LIMIT, "ready");

    let share = Share::grown(81);
    let (machine, place) = (&world.machines[0][0], share.seed_dir());
    let words = ["torrent", "get", text(&share.torrent), "--dir", text(&place), "--trust", "--stay"];
    let options = ["--no-lan", "--map-port", "--listen", "0.0.0.0:7003"];
    let words: Vec<&str> = words.iter().chain(&options).copied().collect();
    let mut ours = Running::start("muster", &mut machine.run(&share.person("a").command(&words)));
    ours.wait_for_json(LIMIT, "ready");
    let mapped = gateway.wait_for_json(LIMIT, "mapped");
    assert_eq!((&mapped["protocol"], &mapped["internal"]), (&"tcp".into(), &7003.into()), "{mapped}");
    assert!(mapped["lifetime"].as_u64().unwrap() > 0, "{mapped}");
    let external = mapped["external"].as_u64().unwrap();
    assert_eq!(
        external != 7003,
        router_chooses,
        "the same number, unless the router gives another: {mapped}"
    );
    assert!(ours.end().success());
    let gone = gateway.wait_for_json(LIMIT, "unmapped");
    assert_eq!(gone["protocol"], "tcp", "{gone}");
}

#[test]
fn nat_pmp_maps_and_unmaps_needs_root() {
    is_mapped_and_given_back("nat-pmp", true);
}

#[test]
fn upnp_maps_and_unmaps_needs_root() {
    is_mapped_and_given_back("upnp", false);
}
