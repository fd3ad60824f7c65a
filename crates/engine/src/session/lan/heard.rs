//! Who was heard on a local network, for as long as that means something.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Addresses that are remembered.
const HEARD_MAX: usize = 1024;

/// Addresses, each with when it was heard last.
#[derive(Debug)]
pub(super) struct Heard {
    life: Duration,
    addresses: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Heard {
    /// Who is not heard for `life` is forgotten.
    pub(super) fn new(life: Duration) -> Self {
        Self { life, addresses: Mutex::default() }
    }

    /// Takes note of an address and says whether it is news. Past the bound nobody new is noted.
    pub(super) fn note(&self, ip: IpAddr, now: Instant) -> bool {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.retain(|_, at| now.duration_since(*at) < self.life);
        let known = addresses.contains_key(&ip);
        let room = known || addresses.len() < HEARD_MAX;
        if room {
            addresses.insert(ip, now);
        }
        room && !known
    }

    /// Whether it was heard.
    pub(super) fn contains(&self, ip: IpAddr, now: Instant) -> bool {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.get(&ip).is_some_and(|at| now.duration_since(*at) < self.life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_for_long_is_forgotten_and_a_flood_is_bounded() {
        let heard = Heard::new(Duration::from_secs(60));
        let ip = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let now = Instant::now();
        assert!(heard.note(ip(1), now) && !heard.note(ip(1), now) && heard.contains(ip(1), now));
        let taken = (0..5_000).filter(|n| heard.note(ip(*n + 2), now)).count();
        assert_eq!(taken, HEARD_MAX - 1);
        let later = now + Duration::from_secs(61);
        assert!(!heard.contains(ip(1), later) && heard.note(ip(1), later));
    }
}
