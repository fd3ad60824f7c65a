//! A folder becomes a signed release.
//!
//! [`publish`] walks a build, hashes it, stores each file's bytes once as compressed frames, makes patches from older
//! releases out of what is stored of them, and signs manifest, torrent, leaves, patches and channel into a TUF repository. Until the last rename of that commit every reader sees the old release.
//!
//! Invariants: no private key and no `muster.toml` is ever published; a file is never held in memory whole; a version
//! that was published keeps its content for ever.
//!
//! It does not serve what it writes, and it opens no sockets.

mod assemble;
mod closer;
mod config;
mod content;
mod disk;
mod error;
mod glob;
mod hashing;
mod lint;
mod parallel;
mod patch;
mod picture;
mod plain;
mod publish;
mod report;
mod share;
mod upcoming;
mod walk;

pub use config::{Config, FileRule, Origin};
pub use disk::DiskError;
pub use error::PublishError;
pub use lint::{Finding, Habit};
pub use publish::{PublishRequest, publish};
pub use report::{Phase, Progress, PublishReport, UpcomingReport, UpdateCost};
pub use upcoming::{Unlock, UnlockRequest, Unlocked, unlock, withdraw};
