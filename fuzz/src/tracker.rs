//! F5: what trackers answer, over HTTP (BEP 3, 7, 23) and UDP (BEP 15), and what neighbours on the network say (BEP 14).
//!
//! Promised: few peers, none of them where that tracker may not point, waiting times within their bounds.

use crate::input::Input;
use engine::fuzzing;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use swarm::address::{Reach, may_name, reach};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte();
    let source = match how >> 4 {
        0..=4 => None,
        5 => Some(IpAddr::from([127, 0, 0, 1])),
        6 => Some(IpAddr::from([10, 0, 0, 1])),
        _ => Some(IpAddr::from([198, 51, 100, 1])),
    };
    match how % 4 {
        0 => {
            let Ok((peers, interval, interval_min)) = fuzzing::tracker_answer(input.rest(), source) else {
                return;
            };
            are_believable(&peers, source);
            for wait in [Some(interval), interval_min].into_iter().flatten() {
                assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&wait));
            }
        }
        1 => datagram(&mut input, true),
        2 => datagram(&mut input, false),
        _ => {
            if let Some((port, infohashes)) = fuzzing::lan_datagram(input.rest()) {
                assert!(port != 0 && (1..=20).contains(&infohashes));
            }
        }
    }
}

fn datagram(input: &mut Input<'_>, over_v6: bool) {
    let (asked, transaction) = (u32::from(input.byte() % 3), input.word());
    let bytes = input.rest();
    let Some(peers) = fuzzing::tracker_datagram(bytes, asked, transaction, over_v6) else { return };
    assert!(bytes.len() >= 8 && bytes[4..8] == transaction.to_be_bytes(), "only an answer to what was asked");
    assert!(peers <= bytes.len() / 6);
}

fn are_believable(peers: &[SocketAddr], source: Option<IpAddr>) {
    assert!(peers.len() <= 200);
    for peer in peers {
        match source {
            Some(source) => assert!(may_name(source, *peer)),
            None => assert_eq!(reach(peer.ip()), Reach::Global),
        }
    }
}
