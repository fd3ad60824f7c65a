//! The swarm: ours and libtorrent, in both directions and together; the origin alone and half-way.

use release::layout::PieceLayers;
use std::{
    fs,
    time::{Duration, Instant},
};
use tests::{
    child::eventually,
    libtorrent::Peer,
    muster::TorrentPeer,
    share::{PIECE, Share},
    tree,
    web::WebServer,
};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn from_libtorrent_to_us() {
    let share = Share::grown(11);
    let seed = Peer::seed(&share.torrent, &share.seed_dir());
    let place = share.place("ours");
    let mut ours = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[&seed.listen], &[]);
    ours.complete(LIMIT);
    assert!(ours.program.wait(LIMIT).success());
    share.assert_arrived(&place);
}

#[test]
fn from_us_to_libtorrent() {
    let share = Share::grown(12);
    let seed = TorrentPeer::seed(&share.person("a"), &share.torrent, &share.seed_dir());
    let place = share.place("theirs");
    let mut theirs = Peer::start(&share.torrent, &place, &[&seed.listen], &[]);
    theirs.complete(LIMIT);
    share.assert_arrived(&place);
}

/// A file that is to be used before the whole is there comes first, from us and from others.
#[test]
fn a_file_that_is_wanted_first_is_there_long_before_the_rest() {
    let share = Share::filled(PIECE, |folder| {
        let mut random = fastrand::Rng::with_seed(31);
        (0..6).for_each(|n| tree::write(&folder.join(format!("level-{n}.bin")), 1024 * 1024, &mut random));
    });
    let seed =
        Peer::start(&share.torrent, &share.seed_dir(), &[], &["--trust", "--stay", "--limit-up", "1500000"]);
    let place = share.place("ours");
    let words = ["--first", "level-4.bin"];
    let ours = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[&seed.listen], &words);
    let whole = fs::read(share.folder.join("level-4.bin")).unwrap();
    let arrived = place.join("share/level-4.bin");
    eventually(LIMIT, "the file that is wanted first", || {
        fs::read(&arrived).is_ok_and(|bytes| bytes == whole)
    });
    let others = (0..6).filter(|n| *n != 4).filter(|n| {
        let name = format!("level-{n}.bin");
        fs::read(share.folder.join(&name)).ok() == fs::read(place.join("share").join(&name)).ok()
    });
    assert_eq!(others.count(), 0);
    drop(ours);
}

/// A torrent without piece layers can only be checked with hashes that a peer serves (BEP 52).
#[test]
fn piece_layers_that_are_missing_are_asked_of_libtorrent_and_of_us() {
    let share = Share::large(18, 6 * 1024 * 1024);
    let torrent = share.variant("bare.torrent", |bare| bare.layers = PieceLayers::default());
    let theirs = Peer::seed(&share.torrent, &share.seed_dir());
    let ours = TorrentPeer::seed(&share.person("seed"), &share.torrent, &share.seed_dir());
    for (name, seed) in [("of-libtorrent", &theirs.listen), ("of-us", &ours.listen)] {
        let place = share.place(name);
        let mut leech = TorrentPeer::start(&share.person(name), &torrent, &place, &[seed], &[]);
        leech.complete(LIMIT);
        share.assert_arrived(&place);
    }
}

#[test]
fn three_of_ours_and_one_libtorrent_in_one_swarm() {
    let share = Share::large(13, 6 * 1024 * 1024);
    // Slow enough that nobody has all of it from the seed before the others help.
    let seed =
        Peer::start(&share.torrent, &share.seed_dir(), &[], &["--trust", "--stay", "--limit-up", "3000000"]);
    let mut known = vec![seed.listen.clone()];
    let mut ours = Vec::new();
    for name in ["a", "b", "c"] {
        let place = share.place(name);
        let peers: Vec<&str> = known.iter().map(String::as_str).collect();
        let peer = TorrentPeer::start(&share.person(name), &share.torrent, &place, &peers, &["--stay"]);
        known.push(peer.listen.clone());
        ours.push((peer, place));
    }
    let place = share.place("theirs");
    let peers: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut theirs = Peer::start(&share.torrent, &place, &peers, &[]);
    theirs.complete(LIMIT);
    share.assert_arrived(&place);
    for (mut peer, place) in ours {
        peer.complete(LIMIT);
        share.assert_arrived(&place);
        let asked = Instant::now();
        peer.program.end();
        assert!(asked.elapsed() < Duration::from_secs(2), "gone within two seconds");
    }
}

#[test]
fn the_origin_alone() {
    let share = Share::grown(14);
    let origin = WebServer::folder(&share.seed_dir());
    let place = share.place("ours");
    let web_seed = ["--web-seed", &origin.url()];
    let mut ours = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[], &web_seed);
    ours.complete(LIMIT);
    share.assert_arrived(&place);
    let total = share.total();
    assert!(origin.sent() <= total + total / 10, "{} sent for {total}", origin.sent());
}

#[test]
fn an_origin_that_stops_half_way_with_peers_present() {
    let share = Share::large(15, 8 * 1024 * 1024);
    let half = share.total() / 2;
    let origin = WebServer::folder_that_stops_after(&share.seed_dir(), half);
    // The peer is slow, so that the origin has work to do before it stops.
    let options = ["--trust", "--stay", "--limit-up", "1500000"];
    let seed = Peer::start(&share.torrent, &share.seed_dir(), &[], &options);
    let place = share.place("ours");
    let web_seed = ["--web-seed", &origin.url()];
    let mut ours = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[&seed.listen], &web_seed);
    ours.complete(LIMIT);
    share.assert_arrived(&place);
}

#[test]
fn a_kill_costs_little_and_nothing_is_hashed_into_doubt() {
    let share = Share::large(16, 24 * 1024 * 1024);
    let total = share.total();
    let origin = WebServer::folder(&share.seed_dir());
    let (place, person) = (share.place("ours"), share.person("a"));
    let slowly = ["--web-seed", &origin.url(), "--limit-down", "4 MiB/s"];
    let first = TorrentPeer::start(&person, &share.torrent, &place, &[], &slowly);
    eventually(LIMIT, "two thirds sent", || origin.sent() > total * 2 / 3);
    first.program.signal("KILL");
    drop(first);
    let before = origin.sent();
    let web_seed = ["--web-seed", &origin.url()];
    let mut second = TorrentPeer::start(&person, &share.torrent, &place, &[], &web_seed);
    second.complete(LIMIT);
    share.assert_arrived(&place);
    let again = origin.sent() - before;
    assert!(again <= total / 3 + total / 5, "{again} of {total} bytes fetched after a kill at two thirds");
}

#[test]
fn what_is_there_is_checked_and_what_is_wrong_is_fetched() {
    let share = Share::grown(17);
    let seed = Peer::seed(&share.torrent, &share.seed_dir());
    let place = share.place("ours");
    let person = share.person("a");
    let mut first = TorrentPeer::start(&person, &share.torrent, &place, &[&seed.listen], &[]);
    first.complete(LIMIT);
    drop(first);
    let victim = place.join(format!("share/edge/8-{}.bin", 2 * PIECE));
    let mut bytes = fs::read(&victim).unwrap();
    bytes[PIECE + 5] ^= 1;
    fs::write(&victim, bytes).unwrap();
    let mut second = TorrentPeer::start(&person, &share.torrent, &place, &[&seed.listen], &[]);
    second.complete(LIMIT);
    share.assert_arrived(&place);
}
