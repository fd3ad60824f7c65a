//! Pieces come, true and false, are judged, wanted and lost.

use crate::driver::*;
use bytes::Bytes;
use release::hash::Hash32;
use release::merkle;
use std::time::Duration;
use swarm::wire::{ExtendedHandshake, HashRange, Message, RESERVED};
use swarm::{Bitfield, CloseReason, Event, Input, Output};

#[test]
fn a_download_from_one_peer_verifies_every_piece_and_tells_of_it() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.connect(OTHER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let outputs = deliver(&mut driver, asked, None);
    assert!(outputs.contains(&Output::Event(Event::Complete)));
    let told = messages(&outputs, OTHER).into_iter().filter(|m| matches!(m, Message::Have { .. })).count();
    assert_eq!(told as u32, PIECES);
    assert!(closed(&outputs, CloseReason::BothSeeds));
}

#[test]
fn a_false_piece_from_one_peer_alone_bans_its_house_and_not_its_name() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let Some(Message::Request { index, begin, .. }) = messages(&asked, PEER).first().cloned() else {
        panic!()
    };
    let outputs = deliver(&mut driver, asked, Some((index, begin / BLOCK)));
    assert!(outputs.contains(&Output::Event(Event::PieceFailed { piece: index })));
    assert!(closed(&outputs, CloseReason::Banned));
    assert!(closed(&driver.connect(PEER, RESERVED), CloseReason::Banned));
    // Its id is a claim: the peer that it was taken from comes in.
    assert!(!closed(&driver.connect_as(OTHER, [1; 20], false, RESERVED), CloseReason::Banned));
}

/// A disk garbled what we have: as soon as that shows we stop offering it, before others ban us for it.
#[test]
fn a_piece_that_the_disk_garbled_is_withdrawn_and_fetched_again() {
    let mut driver = Driver::seeding();
    driver.served(PEER);
    let pieces_root = content().root;
    let asked = HashRange { pieces_root, base_layer: 0, index: 4, length: 4, proof_layers: 0 };
    assert!(driver.hear(PEER, Message::HashRequest(asked)).contains(&Output::ReadLeaves { piece: 1 }));
    let leaves = Some(vec![Hash32([9; 32]); 4]);
    let outputs = driver.give(Input::PieceLeaves { piece: 1, leaves });
    assert_eq!(messages(&outputs, PEER).first(), Some(&Message::HashReject(asked)));
    assert!(outputs.contains(&Output::Event(Event::PieceLost { piece: 1 })));
    let outputs = driver.hear(PEER, request(1, 0, BLOCK));
    assert!(!outputs.iter().any(|output| matches!(output, Output::SendBlock { .. })), "{outputs:?}");
    driver.connect(OTHER, RESERVED);
    driver.hear(OTHER, Message::HaveAll);
    let asked = driver.hear(OTHER, Message::Unchoke);
    assert!(deliver(&mut driver, asked, None).contains(&Output::Event(Event::Complete)));
}

#[test]
fn the_origin_is_left_after_a_refusal_and_asked_again_after_a_pause() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let fetches = |outputs: &[Output]| -> Vec<u64> {
        let id = |o: &Output| if let Output::FetchOrigin { fetch, .. } = o { Some(*fetch) } else { None };
        outputs.iter().filter_map(id).collect()
    };
    let first = fetches(&driver.give(Input::SetOrigin { available: true }));
    assert!(!first.is_empty());
    for fetch in first {
        let retry_after = Some(Duration::from_secs(30));
        let outputs = driver.give(Input::OriginFailed { fetch, retry_after, permanent: false });
        assert_eq!(fetches(&outputs), [0; 0]);
    }
    assert_eq!(fetches(&driver.later(29)), [0; 0]);
    assert!(!fetches(&driver.later(2)).is_empty());
}

/// Another of the origin's servers may have it right: a few times, then the piece is left to the players.
#[test]
fn a_piece_that_the_origin_had_wrong_is_asked_of_it_again_within_bounds() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let mut todo = driver.give(Input::SetOrigin { available: true });
    let (mut asked, mut told, mut ticks) = (Vec::new(), 0, 0);
    while ticks < 100 {
        let Some(output) = todo.pop() else {
            ticks += 1;
            todo = driver.later(1);
            continue;
        };
        match output {
            Output::FetchOrigin { fetch, piece, blocks } => {
                asked.push(piece);
                for block in blocks {
                    let wrong = Bytes::from(vec![99; BLOCK as usize]);
                    let data = if piece == 0 { wrong } else { block_data(piece, block) };
                    let leaf = merkle::leaf(&data);
                    todo.extend(driver.give(Input::OriginBlock { fetch, block, data }));
                    todo.extend(driver.give(Input::BlockStored { piece, block, leaf }));
                }
            }
            Output::Event(Event::OriginFalse { piece, block }) => {
                assert_eq!((piece, block), (0, None));
                told += 1;
            }
            _ => {}
        }
    }
    let of_false = asked.iter().filter(|piece| **piece == 0).count();
    assert_eq!((of_false, told), (9, 9), "{asked:?}");
    assert_eq!(driver.swarm.have().count(), PIECES - 1);
}

/// The game's first level is to be played while the rest comes.
#[test]
fn what_comes_first_is_asked_for_in_order_ahead_of_the_rest() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(Input::SetFirst { order: vec![4, 99, 2] });
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let outputs = deliver(&mut driver, asked, None);
    let mut came: Vec<u32> = Vec::new();
    for output in &outputs {
        if let Output::StoreBlock { piece, .. } = output
            && !came.contains(piece)
        {
            came.push(*piece);
        }
    }
    assert_eq!((came.len(), driver.swarm.is_complete()), (PIECES as usize, true));
    assert!(came[..2].contains(&4) && came[..2].contains(&2), "{came:?}");
}

#[test]
fn what_comes_first_is_asked_of_the_origin_first_and_a_peer_without_it_gives_what_it_has() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(Input::SetFirst { order: vec![3, 1] });
    let outputs = driver.give(Input::SetOrigin { available: true });
    let fetched = |outputs: &[Output]| -> Vec<u32> {
        let piece = |output: &Output| match output {
            Output::FetchOrigin { piece, .. } => Some(*piece),
            _ => None,
        };
        outputs.iter().filter_map(piece).collect()
    };
    assert_eq!(fetched(&outputs), [3, 1]);
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::Bitfield(Bytes::copy_from_slice(bits(&[5]).as_bytes())));
    let asked = messages(&driver.hear(PEER, Message::Unchoke), PEER);
    assert!(asked.iter().any(|m| matches!(m, Message::Request { index: 5, .. })), "{asked:?}");
}

/// One file is the player's own: nobody fetches it, and the rest is all.
#[test]
fn pieces_that_are_not_wanted_are_not_asked_for_and_not_awaited() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(Input::SetUnwanted { unwanted: bits(&[1, 4]) });
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let outputs = deliver(&mut driver, asked, None);
    let requested = |n| move |o: &Output| matches!(o, Output::Send { message: Message::Request { index, .. }, .. } if *index == n);
    assert!((0..PIECES).all(|n| outputs.iter().any(requested(n)) != [1, 4].contains(&n)));
    assert!(outputs.contains(&Output::Event(Event::Complete)) && driver.swarm.is_complete());
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stats.pieces_have, stats.pieces_total, stats.pieces_unwanted), (4, 4, 2));
    assert_eq!(stats.bytes_have, stats.bytes_total);
    // BEP 21, and a partial bitfield: we have not everything and want nothing.
    assert!(closed(&outputs, CloseReason::BothSeeds));
    let said = messages(&driver.connect(OTHER, RESERVED), OTHER);
    assert_eq!(said[0], Message::Bitfield(Bytes::from_static(&[0b1011_0100])));
    let Some(Message::Extended { id: 0, payload }) = said.get(1) else { panic!("{said:?}") };
    assert!(ExtendedHandshake::parse(payload).unwrap().upload_only);
}

#[test]
fn what_is_not_wanted_any_more_is_taken_back_and_what_is_wanted_again_is_asked_for() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = messages(&driver.hear(PEER, Message::Unchoke), PEER);
    let Some(Message::Request { index, .. }) = asked.first().cloned() else { panic!("{asked:?}") };
    let outputs = driver.give(Input::SetUnwanted { unwanted: bits(&[index]) });
    let cancelled = |m: &&Message| matches!(m, Message::Cancel { index: gone, .. } if *gone == index);
    let said = messages(&outputs, PEER);
    assert_eq!(said.iter().filter(cancelled).count(), asked.len());
    assert!(said.iter().any(|m| matches!(m, Message::Request { index: other, .. } if *other != index)));
    // A block that was on its way is thrown away, not begun anew.
    let late = driver.hear(PEER, Message::Piece { index, begin: 0, data: block_data(index, 0) });
    assert!(!late.iter().any(|o| matches!(o, Output::StoreBlock { .. })));
    let others: Vec<u32> = (0..PIECES).filter(|piece| *piece != index).collect();
    let outputs = driver.give(Input::SetUnwanted { unwanted: bits(&others) });
    assert!(messages(&outputs, PEER).iter().all(|m| !matches!(m, Message::NotInterested)));
    let again = driver.later(30);
    let of = |m: &Message| matches!(m, Message::Request { index: now, .. } if *now == index);
    assert!(messages(&outputs, PEER).iter().chain(&messages(&again, PEER)).any(of));
}

#[test]
fn nothing_wanted_is_no_interest_and_no_origin_and_a_twin_is_had_all_the_same() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let outputs = driver.give(Input::SetUnwanted { unwanted: Bitfield::full(PIECES) });
    assert_eq!(outputs, [Output::Event(Event::Complete)]);
    assert_eq!(driver.give(Input::SetOrigin { available: true }), []);
    driver.connect(PEER, RESERVED);
    let outputs = driver.give(Input::PieceAvailable { piece: 2 });
    assert!(messages(&outputs, PEER).contains(&Message::Have { piece: 2 }));
    assert!(!outputs.contains(&Output::Event(Event::Complete)), "it was complete before");
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stats.pieces_have, stats.pieces_total, stats.pieces_unwanted), (1, 1, PIECES - 1));
    let outputs = driver.hear(PEER, Message::Have { piece: 3 });
    assert_eq!(messages(&outputs, PEER), []);
    driver.give(Input::PiecesLost { pieces: vec![2] });
    assert!(driver.swarm.is_complete());
}

/// Blocks on their way when a download is paused are kept: they were paid for.
#[test]
fn blocks_that_come_after_a_pause_are_stored_and_not_fetched_twice() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = messages(&driver.hear(PEER, Message::Unchoke), PEER);
    driver.give(Input::SetDownload { enabled: false });
    let mut stored = Vec::new();
    for message in &asked {
        let Message::Request { index, begin, .. } = *message else { continue };
        let data = block_data(index, begin / BLOCK);
        let leaf = merkle::leaf(&data);
        let outputs = driver.hear(PEER, Message::Piece { index, begin, data });
        assert!(outputs.iter().any(|o| matches!(o, Output::StoreBlock { .. })), "{outputs:?}");
        driver.give(Input::BlockStored { piece: index, block: begin / BLOCK, leaf });
        stored.push((index, begin));
    }
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stored.len(), stats.wasted_bytes), (4, 0));
    let again = driver.give(Input::SetDownload { enabled: true });
    let outputs = deliver(&mut driver, again, None);
    let twice = |m: &Message| matches!(m, Message::Request { index, begin, .. } if stored.contains(&(*index, *begin)));
    assert!(!messages(&outputs, PEER).iter().any(twice));
    assert!(driver.swarm.is_complete());
}

fn ranks(ranks: &[&[u32]]) -> Input {
    let rank = |pieces: &&[u32]| {
        let mut bits = Bitfield::empty(PIECES);
        pieces.iter().for_each(|piece| {
            bits.set(*piece);
        });
        bits
    };
    Input::SetRanks { ranks: ranks.iter().map(rank).collect() }
}

/// Pieces that a peer is asked for, in the order of the first request for each.
fn pieces_asked(outputs: &[Output], peer: swarm::PeerKey) -> Vec<u32> {
    let mut asked = Vec::new();
    for message in messages(outputs, peer) {
        if let Message::Request { index, .. } = message
            && !asked.contains(&index)
        {
            asked.push(index);
        }
    }
    asked
}

#[test]
fn ranks_come_one_after_the_other_from_a_peer_that_has_all() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(ranks(&[&[4, 1], &[5]]));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let mut todo = driver.hear(PEER, Message::Unchoke);
    let mut asked = Vec::new();
    while !todo.is_empty() {
        for piece in pieces_asked(&todo, PEER) {
            if !asked.contains(&piece) {
                asked.push(piece);
            }
        }
        let requests = messages(&todo, PEER).into_iter().filter_map(|message| match message {
            Message::Request { index, begin, .. } => Some((index, begin)),
            _ => None,
        });
        let requests: Vec<(u32, u32)> = requests.collect();
        todo = Vec::new();
        for (index, begin) in requests {
            let data = block_data(index, begin / BLOCK);
            todo.extend(driver.hear(PEER, Message::Piece { index, begin, data }));
        }
    }
    assert_eq!(asked.len(), PIECES as usize, "everything is asked for: {asked:?}");
    let mut first = asked[..2].to_vec();
    first.sort_unstable();
    assert_eq!((first, asked[2]), (vec![1, 4], 5), "{asked:?}");
}

#[test]
fn who_can_give_nothing_of_a_rank_is_asked_for_the_next_and_never_left_idle() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(ranks(&[&[0, 1], &[2]]));
    driver.connect(PEER, RESERVED);
    let mut has = Bitfield::empty(PIECES);
    [2, 3].iter().for_each(|piece| {
        has.set(*piece);
    });
    driver.hear(PEER, Message::Bitfield(Bytes::copy_from_slice(has.as_bytes())));
    let asked = pieces_asked(&driver.hear(PEER, Message::Unchoke), PEER);
    assert_eq!(asked.first(), Some(&2), "the next rank");
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(ranks(&[&[0, 1, 2]]));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::Bitfield(Bytes::copy_from_slice(has.as_bytes())));
    let asked = driver.hear(PEER, Message::Unchoke);
    assert_eq!(pieces_asked(&asked, PEER).first(), Some(&2), "the rank first");
    let outputs = deliver(&mut driver, asked, None);
    let told = outputs.iter().filter(|output| matches!(output, Output::Event(Event::PieceVerified { .. })));
    assert_eq!(told.count(), 2, "and then the rest of what it has");
}

#[test]
fn the_origin_is_asked_rank_by_rank() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(ranks(&[&[3], &[5]]));
    let fetched = driver.give(Input::SetOrigin { available: true });
    let pieces: Vec<u32> = fetched
        .iter()
        .filter_map(|output| if let Output::FetchOrigin { piece, .. } = output { Some(*piece) } else { None })
        .collect();
    assert!(pieces.starts_with(&[3, 5]) || pieces == [3], "{pieces:?}");
}

#[test]
fn ranks_of_another_length_and_too_many_change_nothing() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(Input::SetRanks { ranks: vec![Bitfield::full(PIECES + 1); 9] });
    driver.give(ranks(&[&[0], &[1], &[2], &[3], &[4], &[5]]));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    assert_eq!(pieces_asked(&asked, PEER).first(), Some(&0));
    assert!(deliver(&mut driver, asked, None).contains(&Output::Event(Event::Complete)));
}
