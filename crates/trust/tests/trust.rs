//! The repository from both sides: what the editor writes, a client reads; what an attacker serves, it refuses. One
//! module per threat.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "trust/ceremony.rs"]
mod ceremony;
#[path = "trust/clock.rs"]
mod clock;
#[path = "trust/expired.rs"]
mod expired;
#[path = "trust/keys_guard.rs"]
mod keys_guard;
#[path = "trust/origin_failures.rs"]
mod origin_failures;
#[path = "trust/oversize.rs"]
mod oversize;
#[path = "trust/revoked_key.rs"]
mod revoked_key;
#[path = "trust/rollback.rs"]
mod rollback;
#[path = "trust/round_trip.rs"]
mod round_trip;
#[path = "trust/shared_state.rs"]
mod shared_state;
#[path = "trust/state_lost.rs"]
mod state_lost;
#[path = "trust/support.rs"]
mod support;
#[path = "trust/tampered.rs"]
mod tampered;
