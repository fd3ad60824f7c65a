//! Small swarms in which one thing is special: who has what, who lies, who leaves.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use std::time::Duration;

use sim::{Conduct, Content, Disk, NodeId, NodeSpec, Start, World};
use swarm::{Config, Event, Input, Stats, Time};

const MIB: u64 = 1024 * 1024;
const PIECE: u32 = 64 * 1024;

/// Three files: many pieces with a short last one, one piece, one block.
fn content() -> Content {
    Content::new(PIECE, &[4 * MIB + 5_000, 50_000, 9], 7).unwrap()
}

fn bytes(content: &Content) -> u64 {
    content.layout.total()
}

fn seed() -> NodeSpec {
    NodeSpec { start: Start::Complete, ..NodeSpec::default() }
}

fn banned(world: &World, node: NodeId) -> usize {
    world.events(node).iter().filter(|(_, event)| matches!(event, Event::PeerBanned { .. })).count()
}

/// Runs to completion and checks what must hold in every swarm.
fn complete(world: &mut World, nodes: &[NodeId], seconds: u64) -> Vec<Stats> {
    let done = world.run_to_completion(Time::from_secs(seconds));
    let stats: Vec<Stats> = nodes.iter().map(|node| world.stats(*node)).collect();
    assert!(done, "not complete after {seconds} s: {stats:#?}");
    for stats in &stats {
        assert_eq!(stats.pieces_have, stats.pieces_total);
        assert_eq!(stats.bytes_have, stats.bytes_total);
    }
    stats
}

#[test]
fn five_players_and_a_seed_complete_and_bytes_add_up() {
    let mut world = World::new(content(), 1);
    let total = bytes(&content());
    let nodes: Vec<NodeId> = (0..5).map(|_| world.add(NodeSpec::default())).collect();
    let seed = world.add(seed());
    world.introduce_all();
    let stats = complete(&mut world, &nodes, 60);
    let came: u64 = stats.iter().map(|s| s.downloaded.total()).sum();
    let wasted: u64 = stats.iter().map(|s| s.wasted_bytes).sum();
    assert_eq!(came, 5 * total + wasted);
    assert!(wasted * 20 < came, "{wasted} of {came} wasted");
    let went: u64 = nodes.iter().chain([&seed]).map(|node| world.sent(*node)).sum();
    assert!(went >= came && went - came < MIB, "{went} went, {came} came");
    assert!(stats.iter().all(|s| s.downloaded.origin == 0 && s.failed_pieces == 0));
    assert!(world.sent(seed) < 3 * total, "the seed sent {} copies", world.sent(seed) / total);
}

#[test]
fn lan_bytes_are_counted_apart() {
    let mut world = World::new(content(), 2);
    let player = world.add(NodeSpec::default());
    world.add(NodeSpec { class: swarm::Class::Lan, ..seed() });
    world.introduce_all();
    let stats = complete(&mut world, &[player], 60);
    assert_eq!((stats[0].downloaded.lan, stats[0].downloaded.players), (bytes(&content()), 0));
}

#[test]
fn piece_layers_come_from_peers_if_they_are_missing() {
    let mut world = World::new(content(), 3);
    let player = world.add(NodeSpec { knows_layers: false, ..NodeSpec::default() });
    world.add(seed());
    world.introduce_all();
    complete(&mut world, &[player], 60);
    assert!(world.swarm(player).layers().complete(&content().layout));
    assert!(world.events(player).iter().any(|(_, event)| *event == Event::LayerVerified { file: 0 }));
}

#[test]
fn a_large_layer_comes_in_parts_that_prove_themselves() {
    let content = Content::new(16 * 1024, &[20 * MIB], 4).unwrap();
    let mut world = World::new(content.clone(), 4);
    let player = world.add(NodeSpec { knows_layers: false, ..NodeSpec::default() });
    world.add(NodeSpec { up: 10 * MIB, ..seed() });
    world.introduce_all();
    complete(&mut world, &[player], 60);
    assert!(world.swarm(player).layers().complete(&content.layout));
}

#[test]
fn a_liar_among_honest_peers_is_banned_and_no_honest_one_is() {
    for run in 0..10 {
        let mut world = World::new(content(), 100 + run);
        let player = world.add(NodeSpec::default());
        world.add(seed());
        world.add(seed());
        let liar = world.add(NodeSpec { conduct: Conduct::FalseBlocks, ..seed() });
        world.introduce_all();
        complete(&mut world, &[player], 120);
        let bans: Vec<Event> = world
            .events(player)
            .iter()
            .map(|(_, event)| *event)
            .filter(|event| matches!(event, Event::PeerBanned { .. }))
            .collect();
        let by_liar =
            |e: &Event| matches!(e, Event::PeerBanned { addr } if addr.ip() == world.addr(liar).ip());
        assert!(bans.len() == 1 && bans.iter().all(by_liar), "run {run}: {bans:?}");
    }
}

#[test]
fn what_a_liar_on_a_fast_line_costs_is_bounded_however_long_it_takes_to_find_out() {
    let mut world = World::new(content(), 4);
    // A piece is judged when it is written: after four seconds.
    let disk = Disk { bytes_per_second: 16 * 1024, ..Disk::default() };
    let player = world.add(NodeSpec { disk, down: 100 * MIB, ..NodeSpec::default() });
    let liar = world.add(NodeSpec { conduct: Conduct::FalseBlocks, up: 100 * MIB, ..seed() });
    world.introduce_all();
    assert!(world.run_until(Time::from_secs(30), |world| banned(world, player) == 1), "nobody noticed");
    let sent = world.sent(liar);
    assert!((u64::from(PIECE)..=MIB).contains(&sent), "{sent} bytes of a liar were taken");
}

#[test]
fn nine_liars_of_ten_do_not_stop_a_download() {
    let mut world = World::new(content(), 5);
    let player = world.add(NodeSpec::default());
    let honest = world.add(seed());
    let liars: Vec<NodeId> =
        (0..9).map(|_| world.add(NodeSpec { conduct: Conduct::FalseBlocks, ..seed() })).collect();
    world.introduce_all();
    complete(&mut world, &[player], 300);
    let honest = world.addr(honest).ip();
    for (_, event) in world.events(player) {
        assert!(
            !matches!(event, Event::PeerBanned { addr } if addr.ip() == honest),
            "an honest peer is banned"
        );
    }
    assert!(banned(&world, player) >= liars.len() - 1, "{} banned", banned(&world, player));
}

#[test]
fn two_halves_make_a_whole() {
    let content = content();
    let pieces = content.layout.piece_count();
    let half = |rest| Start::Pieces((0..pieces).filter(|piece| piece % 2 == rest).collect());
    let mut world = World::new(content.clone(), 6);
    let nodes = [
        world.add(NodeSpec { start: half(0), ..NodeSpec::default() }),
        world.add(NodeSpec { start: half(1), ..NodeSpec::default() }),
        world.add(NodeSpec::default()),
    ];
    world.introduce_all();
    let stats = complete(&mut world, &nodes, 60);
    let came: u64 = stats.iter().map(|s| s.downloaded.players).sum();
    let wasted: u64 = stats.iter().map(|s| s.wasted_bytes).sum();
    assert_eq!(came - wasted, 2 * bytes(&content));
}

#[test]
fn a_lost_piece_is_not_asked_of_who_lost_it_and_comes_from_another() {
    let mut world = World::new(content(), 8);
    let player = world.add(NodeSpec::default());
    let forgetful = world.add(NodeSpec { up: 2 * MIB, ..seed() });
    world.tell(forgetful, Input::SetDownload { enabled: false });
    world.introduce_all();
    world.run_until(Time::from_secs(1), |_| false);
    let lost: Vec<u32> =
        (0..content().layout.piece_count()).filter(|p| !world.swarm(player).have().get(*p)).collect();
    assert!(!lost.is_empty(), "the player was too fast for this test");
    world.tell(forgetful, Input::PiecesLost { pieces: lost.clone() });
    world.run_until(Time::from_secs(30), |_| false);
    let stats = world.stats(player);
    assert!(stats.pieces_unavailable > 0);
    assert_eq!(stats.pieces_unavailable, stats.pieces_total - stats.pieces_have);
    let helper = world.add(seed());
    world.introduce(player, &[helper], Duration::ZERO);
    assert!(world.run_until(Time::from_secs(60), |world| world.swarm(player).is_complete()));
}

#[test]
fn the_origin_alone_is_used_at_full_speed() {
    let content = Content::new(PIECE, &[32 * MIB], 9).unwrap();
    let mut world = World::new(content, 9);
    let player = world.add(NodeSpec { down: 100 * MIB, ..NodeSpec::default() });
    world.add_origin(8 * MIB, Duration::from_millis(20));
    let stats = complete(&mut world, &[player], 60);
    assert_eq!(stats[0].downloaded.origin, 32 * MIB);
    // 4 s of payload, 4.7 % of headers, and the way of the first few requests.
    let seconds = world.completed(player).unwrap().as_micros() as f64 / 1e6;
    assert!(seconds < 4.0 * 1.047 * 1.02 + 0.2, "{seconds} s");
}

#[test]
fn an_origin_that_stops_half_way_is_replaced_by_peers() {
    let content = Content::new(PIECE, &[16 * MIB], 10).unwrap();
    let mut world = World::new(content, 10);
    let player = world.add(NodeSpec { down: 100 * MIB, ..NodeSpec::default() });
    world.add_origin(4 * MIB, Duration::from_millis(20));
    world.run_until(Time::from_secs(2), |_| false);
    world.stop_origin();
    let others: Vec<NodeId> = (0..2).map(|_| world.add(NodeSpec { up: 4 * MIB, ..seed() })).collect();
    world.introduce(player, &others, Duration::from_millis(500));
    let stats = complete(&mut world, &[player], 30);
    assert!(stats[0].downloaded.origin > 5 * MIB && stats[0].downloaded.players > 5 * MIB, "{stats:#?}");
    assert_eq!(stats[0].downloaded.total() - stats[0].wasted_bytes, 16 * MIB);
}

#[test]
fn fast_peers_leave_the_origin_alone() {
    let content = Content::new(PIECE, &[64 * MIB], 11).unwrap();
    let mut world = World::new(content, 11);
    let player = world.add(NodeSpec { down: 100 * MIB, ..NodeSpec::default() });
    for _ in 0..3 {
        world.add(NodeSpec { up: 4 * MIB, ..seed() });
    }
    world.introduce_all();
    world.run_until(Time::from_millis(500), |_| false);
    world.add_origin(8 * MIB, Duration::from_millis(20));
    let stats = complete(&mut world, &[player], 60);
    assert_eq!(stats[0].downloaded.origin, 0);
}

#[test]
fn starving_players_are_helped_by_the_origin() {
    let mut world = World::new(content(), 12);
    let player = world.add(NodeSpec::default());
    world.add(NodeSpec { up: 10_000, ..seed() });
    world.introduce_all();
    world.run_until(Time::from_millis(500), |_| false);
    world.add_origin(8 * MIB, Duration::from_millis(20));
    let stats = complete(&mut world, &[player], 30);
    assert!(stats[0].downloaded.origin > 3 * MIB, "{:?}", stats[0].downloaded);
}

#[test]
fn the_last_piece_does_not_wait_for_a_peer_that_fell_silent() {
    let mut world = World::new(content(), 13);
    let config = Config { origin_floor_bytes_per_second: 0, ..Config::default() };
    let player = world.add(NodeSpec { config, ..NodeSpec::default() });
    world.add(NodeSpec { up: 400_000, ..seed() });
    // Takes requests and then needs a minute for each block.
    world.add(NodeSpec { up: 300, ..seed() });
    world.introduce_all();
    world.run_until(Time::from_millis(500), |_| false);
    world.add_origin(8 * MIB, Duration::from_millis(20));
    complete(&mut world, &[player], 25);
}

#[test]
fn seeds_part_from_seeds_and_stay_with_players() {
    let mut world = World::new(content(), 14);
    let seeds = [world.add(seed()), world.add(seed())];
    let player = world.add(NodeSpec::default());
    world.introduce_all();
    complete(&mut world, &[player], 60);
    let later = world.now() + Duration::from_secs(5);
    world.run_until(later, |_| false);
    for node in [seeds[0], seeds[1], player] {
        assert_eq!(world.stats(node).peers.len(), 0);
    }
}

#[test]
fn peers_hear_of_peers_from_peers() {
    let mut world = World::new(content(), 15);
    let one = world.add(NodeSpec::default());
    let other = world.add(NodeSpec::default());
    let known = world.add(NodeSpec { up: 200_000, ..seed() });
    world.introduce(one, &[known], Duration::ZERO);
    world.introduce(other, &[known], Duration::from_secs(1));
    world.run_until(Time::from_secs(10), |_| false);
    assert_eq!(world.stats(one).peers.len(), 2);
}

#[test]
fn who_may_not_upload_serves_nobody() {
    let mut world = World::new(content(), 16);
    let player = world.add(NodeSpec::default());
    let mute = world.add(seed());
    world.tell(mute, Input::SetUpload { enabled: false });
    world.introduce_all();
    world.run_until(Time::from_secs(20), |_| false);
    assert_eq!((world.sent(mute), world.stats(player).pieces_have), (0, 0));
    world.tell(mute, Input::SetUpload { enabled: true });
    complete(&mut world, &[player], 60);
}

#[test]
fn a_disk_that_writes_false_blocks_is_noticed() {
    let mut world = World::new(content(), 17);
    let disk = Disk { garbling: 0.01, ..Disk::default() };
    let player = world.add(NodeSpec { disk, ..NodeSpec::default() });
    (0..4).for_each(|_| _ = world.add(seed()));
    world.introduce_all();
    let noticed = |world: &World| world.stats(player).failed_pieces > 0;
    assert!(world.run_until(Time::from_secs(60), noticed), "no false block was noticed");
}

#[test]
fn a_peer_whose_disk_reads_back_false_blocks_does_not_spoil_the_swarm() {
    let mut world = World::new(content(), 18);
    let disk = Disk { lying: 0.05, ..Disk::default() };
    let player = world.add(NodeSpec::default());
    let spoiled = world.add(NodeSpec { disk, ..seed() });
    world.add(seed());
    world.introduce_all();
    let stats = complete(&mut world, &[player], 60);
    assert!(stats[0].failed_pieces > 0 && banned(&world, player) == 1, "{stats:#?}");
    let spoiled = world.addr(spoiled).ip();
    let only = |event: &Event| !matches!(event, Event::PeerBanned { addr } if addr.ip() != spoiled);
    assert!(world.events(player).iter().all(|(_, event)| only(event)));
}

#[test]
fn a_full_disk_stops_its_owner_alone() {
    let mut world = World::new(content(), 19);
    let disk = Disk { full_after: Some(MIB), ..Disk::default() };
    let full = world.add(NodeSpec { disk, ..NodeSpec::default() });
    let player = world.add(NodeSpec::default());
    world.add(seed());
    world.introduce_all();
    world.run_until(Time::from_secs(60), |world| world.swarm(player).is_complete());
    assert!(world.swarm(player).is_complete());
    assert!(world.stats(full).bytes_have <= MIB);
}
