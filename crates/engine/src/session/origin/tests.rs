//! Sources and the boxes before them, at their worst: each test has its threat's name. What every one shows: the bytes
//! are right in the end, an honest source beside a bad one suffices, and the bad one's cost is bounded.

mod scene;
mod server;

use super::Patience;
use crate::session::limiter::Caps;
use scene::{PIECE, Release, Scene, content, web_seed};
use server::{Manner, Server};
use std::{net::Ipv4Addr, time::Duration};

const PIECES: u32 = 96;

fn hasty() -> Patience {
    let ms = Duration::from_millis;
    Patience { answer: ms(800), window: ms(500), least: 1024 }
}

/// Everything from a bad source with an honest one beside it; the two servers, bad and good.
async fn beside(manner: Manner) -> (Scene, Server, Server) {
    let release = Release::new(PIECES);
    let bad = Server::start(manner, release.plain()).await;
    let good = Server::start(Manner::Honest, release.plain()).await;
    let sources = vec![web_seed(&bad), web_seed(&good)];
    let mut scene = Scene::new(release, sources, hasty());
    let pieces: Vec<u32> = scene.missing.iter().copied().collect();
    // As the core does: the first pieces, then the rest while they come.
    for some in pieces.chunks(16) {
        scene.ask(some.iter().copied());
        scene.step().await;
    }
    scene.finish().await;
    (scene, bad, good)
}

/// The bad source is named in the status, gave little, and no piece came false.
async fn check(manner: Manner, said: &str, sent_max: u64) -> (Scene, Server, Server) {
    let (scene, bad, good) = beside(manner).await;
    assert!(scene.missing.is_empty() && scene.false_pieces == 0);
    let status = &scene.statuses()[0];
    assert!(!status.ok && status.detail.contains(said), "{status:?}");
    assert!(scene.statuses()[1].ok, "{:?}", scene.statuses()[1]);
    assert!(bad.sent() <= sent_max, "{} bytes sent", bad.sent());
    assert!(good.sent() >= u64::from(PIECES - 32) * u64::from(PIECE));
    (scene, bad, good)
}

#[tokio::test]
async fn neighbours_travel_as_one_range_over_kept_connections() {
    for store in [false, true] {
        let release = Release::new(PIECES);
        let files = if store { release.content() } else { release.plain() };
        let server = Server::start(Manner::Honest, files).await;
        let source = if store { content(&server) } else { web_seed(&server) };
        let mut scene = Scene::new(release, vec![source], Patience::default());
        let pieces = scene.missing.clone();
        scene.ask(pieces.into_iter().rev());
        scene.finish().await;
        let seen = server.seen();
        assert!(seen.len() <= 12, "{} requests for {PIECES} pieces", seen.len());
        assert!(server.connections() <= 6, "{} connections", server.connections());
        assert_eq!((scene.false_pieces, scene.duplicates), (0, 0));
        let status = &scene.statuses()[0];
        assert!(status.ok && status.first_byte.is_some() && status.wire_bytes == server.sent(), "{status:?}");
        assert!(
            seen.iter()
                .any(|seen| seen.range.as_ref().is_some_and(|range| range.end - range.start > 300_000))
        );
    }
}

/// What a server sends ahead of what is read has crossed the wire, so little is asked for at once.
#[tokio::test]
async fn under_a_low_cap_ranges_are_short_and_nothing_comes_twice() {
    const CAP: u64 = 400_000;
    let caps = Caps { down: Some(CAP), ..Caps::default() };
    for store in [false, true] {
        let release = Release::new(24);
        let files = if store { release.content() } else { release.plain() };
        let server = Server::start(Manner::Honest, files).await;
        let source = if store { content(&server) } else { web_seed(&server) };
        let mut scene = Scene::capped(release, vec![source], Patience::default(), caps);
        scene.ask(scene.missing.clone());
        scene.finish().await;
        assert_eq!((scene.false_pieces, scene.duplicates), (0, 0));
        let ranges: Vec<u64> = server
            .seen()
            .iter()
            .filter_map(|seen| Some(seen.range.as_ref()?.end - seen.range.as_ref()?.start))
            .collect();
        assert!(ranges.len() >= 4 && ranges.iter().all(|length| *length <= CAP / 4), "{ranges:?}");
        assert!(server.connections() <= 6, "{} connections", server.connections());
    }
}

#[tokio::test]
async fn proxy_that_answers_200_to_a_range_is_not_asked_in_steps_under_a_low_cap() {
    let caps = Caps { down: Some(400_000), ..Caps::default() };
    let release = Release::new(24);
    let server = Server::start(Manner::IgnoresRanges, release.plain()).await;
    let mut scene = Scene::capped(release, vec![web_seed(&server)], Patience::default(), caps);
    scene.ask(scene.missing.clone());
    scene.finish().await;
    assert!(scene.missing.is_empty() && scene.false_pieces == 0);
    assert!(server.seen().len() <= 12, "{} answers", server.seen().len());
}

#[tokio::test]
async fn a_called_off_piece_costs_no_connection() {
    let release = Release::new(PIECES);
    let server = Server::start(Manner::Slow(8 * 1024), release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&server)], Patience::default());
    let ids = scene.ask(0..8);
    while server.sent() < 40_000 {
        scene.step().await;
    }
    for id in &ids[3..5] {
        scene.origin.cancel(*id);
    }
    scene.missing.retain(|piece| *piece < 8 && !(3..5).contains(piece));
    scene.finish().await;
    assert!(server.connections() <= 2, "the pieces between were read over");
    assert!(server.seen().iter().all(|seen| seen.connection < 2));
    // Much that nobody wants is not read to its end.
    let before = server.sent();
    let ids = scene.ask(20..90);
    while server.sent() < before + 40_000 {
        scene.step().await;
    }
    ids.into_iter().for_each(|id| scene.origin.cancel(id));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (after, all) = (server.sent() - before, 70 * u64::from(PIECE));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(after < all && server.sent() - before <= after + 16 * 1024, "{after} of {all} bytes");
}

#[tokio::test]
async fn proxy_that_answers_200_to_a_range() {
    // Two MiB and more of skipping is refused, so the far end of the file comes from elsewhere.
    let (scene, bad, _) = beside(Manner::IgnoresRanges).await;
    assert!(scene.missing.is_empty() && scene.false_pieces == 0);
    assert!(scene.statuses()[0].detail.contains("ignores ranges"), "{:?}", scene.statuses()[0]);
    let (taken, requests) = (scene.statuses()[0].wire_bytes, bad.seen().len());
    assert!(taken <= 12 * 1024 * 1024 && requests <= 20, "{taken} bytes in {requests} answers");
    // Alone, it gives what lies near the beginning, and says why the rest cannot be had.
    let release = Release::new(PIECES);
    let alone = Server::start(Manner::IgnoresRanges, release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&alone)], hasty());
    scene.ask(0..2);
    scene.ask([60]);
    scene.missing.retain(|piece| [0, 1, 60].contains(piece));
    scene.finish().await;
    assert!(scene.missing.iter().eq(&[60]) && scene.refused.iter().eq(&[60]));
    assert!(scene.statuses()[0].detail.contains("ignores ranges"));
}

#[tokio::test]
async fn wrong_content_range() {
    check(Manner::WrongRange, "another range", 2_000_000).await;
}

#[tokio::test]
async fn wrong_length() {
    check(Manner::WrongLength, "announced", 2_000_000).await;
}

#[tokio::test]
async fn transparent_compressing_proxy() {
    check(Manner::Compresses, "came as gzip", 100_000).await;
}

#[tokio::test]
async fn captive_portal_login_page() {
    check(Manner::Portal, "web page", 10_000).await;
}

#[tokio::test]
async fn redirects_in_a_circle_and_to_elsewhere() {
    let (_, bad, _) = check(Manner::RedirectsToItself, "404", 0).await;
    assert!(bad.seen().len() < 100, "{} requests", bad.seen().len());
    let release = Release::new(2);
    let forbidden = Server::start(Manner::Honest, vec![("f".to_owned(), release.files[0].clone())]).await;
    check(Manner::RedirectsAway(forbidden.port), "answered 302", 0).await;
    assert!(forbidden.seen().is_empty(), "a source may not send us to another service of this machine");
}

const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn source_that_sends_us_to_a_content_network() {
    for store in [false, true] {
        let release = Release::new(PIECES);
        let files = if store { release.content() } else { release.plain() };
        let publisher = Server::start(Manner::RedirectsTo(ELSEWHERE), files.clone()).await;
        let network = Server::start_at((ELSEWHERE, publisher.port), Manner::Honest, files).await;
        let source = if store { content(&publisher) } else { web_seed(&publisher) };
        let mut scene = Scene::new(release, vec![source], Patience::default());
        scene.ask(0..=PIECES);
        scene.finish().await;
        assert!(scene.missing.is_empty() && scene.false_pieces == 0);
        assert_eq!(publisher.seen().len(), network.seen().len());
        assert_eq!((publisher.sent(), scene.statuses()[0].wire_bytes), (0, network.sent()));
    }
}

#[tokio::test]
async fn sources_that_send_us_to_each_other() {
    let release = Release::new(PIECES);
    let one = Server::start(Manner::RedirectsTo(ELSEWHERE), release.plain()).await;
    let back = Manner::RedirectsTo(Ipv4Addr::LOCALHOST);
    let other = Server::start_at((ELSEWHERE, one.port), back, release.plain()).await;
    let good = Server::start(Manner::Honest, release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&one), web_seed(&good)], hasty());
    scene.ask(0..8);
    scene.missing.retain(|piece| *piece < 8);
    scene.finish().await;
    assert!(scene.statuses()[0].detail.contains("answered 302"), "{:?}", scene.statuses()[0]);
    // Six answers a request, and a source that fails is asked ever more seldom.
    let asked = one.seen().len() + other.seen().len();
    assert!((6..=48).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn connection_that_stalls_at_a_byte_now_and_then() {
    let (_, bad, _) = check(Manner::Trickles, "next to nothing", 1000).await;
    assert!(bad.seen().len() <= 12, "{} requests", bad.seen().len());
}

#[tokio::test]
async fn body_cut_short() {
    let (scene, ..) = check(Manner::CutsShort, "", 3_000_000).await;
    assert_eq!(scene.duplicates, 0, "what came before the cut is not asked for again");
}

#[tokio::test]
async fn body_cut_short_by_the_only_source() {
    let release = Release::new(4);
    let server = Server::start(Manner::CutsShort, release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&server)], hasty());
    scene.ask(0..2);
    scene.missing.retain(|piece| *piece < 2);
    // A block is not cut: the half of the last one never comes.
    while scene.statuses()[0].ok {
        scene.step().await;
    }
    assert!(scene.statuses()[0].rests.is_some() && scene.duplicates == 0);
}

#[tokio::test]
async fn retry_after_is_honoured_while_others_go_on() {
    let release = Release::new(PIECES);
    let busy = Server::start(Manner::BusyAtFirst, release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&busy)], Patience::default());
    scene.ask(0..PIECES);
    scene.missing.retain(|piece| *piece < PIECES);
    scene.finish().await;
    let seen = busy.seen();
    let first = seen[0].at;
    let early = seen.iter().filter(|seen| seen.at - first < Duration::from_millis(990)).count();
    assert!(early <= 6, "{early} requests were made before it was time");
    assert!(seen.last().is_some_and(|last| last.at - first >= Duration::from_millis(990)));
    let (_, busy, _) = beside(Manner::BusyAtFirst).await;
    assert!(busy.seen().len() <= 6, "the other one went on");
}

#[tokio::test]
async fn server_that_fails_is_asked_ever_more_seldom() {
    let (_, broken, _) = check(Manner::Broken, "answered 500", 0).await;
    assert!(broken.seen().len() <= 8, "{} requests", broken.seen().len());
}

#[tokio::test]
async fn server_without_the_files_is_asked_once_for_each() {
    let (_, empty, _) = check(Manner::Empty, "answered 404", 0).await;
    assert!(empty.seen().len() <= 7, "{} requests", empty.seen().len());
    let release = Release::new(4);
    let alone = Server::start(Manner::Empty, release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&alone)], Patience::default());
    scene.ask(0..5);
    scene.finish().await;
    assert_eq!(scene.refused.len(), 5, "the core hears that it is for good");
}

#[tokio::test]
async fn false_bytes() {
    let (scene, liar, good) = beside(Manner::Lies).await;
    assert!(scene.missing.is_empty());
    let status = &scene.statuses()[0];
    assert!(!status.ok && status.detail.contains("false bytes"), "{status:?}");
    // What was on its way when it was found out, and nothing after.
    assert!(liar.sent() <= 3_200_000 && scene.false_pieces <= PIECES, "{}", liar.sent());
    assert!(good.sent() >= u64::from(PIECES - 1) * u64::from(PIECE));
}

/// Two sources that are right but for a piece each, or the same piece: the outcome.
async fn wrong_at(first: u32, second: u32) -> (Scene, Server, Server) {
    let release = Release::new(PIECES);
    let at = |piece: u32| (piece * PIECE + 7) as usize;
    let one = Server::start(Manner::LiesAt(at(first)), release.plain()).await;
    let other = Server::start(Manner::LiesAt(at(second)), release.plain()).await;
    let mut scene = Scene::new(release, vec![web_seed(&one), web_seed(&other)], hasty());
    let pieces: Vec<u32> = scene.missing.iter().copied().collect();
    for some in pieces.chunks(16) {
        scene.ask(some.iter().copied());
        scene.step().await;
    }
    scene.finish().await;
    (scene, one, other)
}

#[tokio::test]
async fn a_piece_that_one_source_has_wrong_comes_from_another() {
    let (scene, one, other) = wrong_at(5, 60).await;
    assert!(scene.missing.is_empty() && scene.refused.is_empty(), "{:?}", scene.refused);
    assert!((1..=4).contains(&scene.false_pieces), "{} false pieces", scene.false_pieces);
    assert!(scene.statuses()[0].detail.contains("false bytes"), "{:?}", scene.statuses()[0]);
    // One wrong piece does not end a source.
    let (one, other) = (one.sent(), other.sent());
    assert!(one > 1_000_000 && other >= u64::from(PIECE), "{one} and {other} bytes");
}

#[tokio::test]
async fn a_piece_that_every_source_has_wrong_is_given_up_and_no_other() {
    let (scene, ..) = wrong_at(5, 5).await;
    assert!(scene.missing.iter().eq(&[5]) && scene.refused.iter().eq(&[5]), "{:?}", scene.refused);
    assert!((2..=4).contains(&scene.false_pieces), "{} false pieces", scene.false_pieces);
}

#[tokio::test]
async fn content_store_with_a_false_seek_table() {
    let release = Release::new(PIECES);
    let mut files = release.content();
    // Every frame claims to be as long as a frame can be named.
    let length = files[0].1.len();
    let entries = release.files[0].len().div_ceil(50_000);
    for entry in 0..entries {
        let at = length - 9 - (entries - entry) * 8;
        files[0].1[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    let bad = Server::start(Manner::Honest, files).await;
    let good = Server::start(Manner::Honest, release.content()).await;
    let mut scene = Scene::new(release, vec![content(&bad), content(&good)], hasty());
    scene.ask(0..=PIECES);
    scene.finish().await;
    assert!(scene.missing.is_empty());
    assert!(scene.statuses()[0].detail.contains("other content"), "{:?}", scene.statuses()[0]);
    assert!(bad.sent() < 100_000, "{}", bad.sent());
}
