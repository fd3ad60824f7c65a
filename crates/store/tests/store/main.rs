//! What the store promises, proved on real files with faults put in.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests may panic, and look at the disk behind the store's back"
)]

mod attacked;
mod cloned;
mod cut;
mod faults;
mod filled;
mod folders;
mod histories;
mod intruder;
#[cfg(target_os = "linux")]
mod kernel;
mod life;
mod order;
mod parts;
mod patched;
mod preloaded;
mod random;
mod recovery_time;
mod serving;
mod space;
mod spoiled;
mod staged;
#[cfg(target_os = "linux")]
mod volume;
mod ways;
mod world;
