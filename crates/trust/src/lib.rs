//! Whom to believe: the signed repository (TUF, The Update Framework 1.0) as a player's program reads it and as a
//! publisher's program writes it.
//!
//! Flat target names, consistent snapshots, no delegations, Ed25519 only. The verification itself is done by `tough`;
//! [`Client`] adds what that library leaves open: it continues from the newest root ever verified, replaces its state in
//! one atomic step, judges the clock by a rule of its own, and says when a newer root could not be asked for.
//! [`Editor`] signs and writes; [`ceremony`] exchanges keys; the order of its writes lets a reader see the old repository or the new one.
//!
//! Invariant: no byte leaves [`Client::target`] that was not named, by length and SHA-256, in metadata signed by the
//! keys of the newest root.
//!
//! This crate opens no sockets: the caller gives a [`Transport`]. It does not know what the targets mean.

pub mod ceremony;
mod client;
mod disk;
mod editor;
mod error;
mod keyring;
pub mod keys;
pub mod limits;
mod name;
mod role;
mod transport;

pub use client::{Client, LoadRequest, TargetEntry, Warning};
pub use disk::DiskError;
pub use editor::{Editor, Expiries};
pub use error::{EditError, Error};
pub use transport::{FetchError, FolderTransport, Transport};

/// SHA-256 of a byte string, in lower-case hex: how a root is shown to a person and pinned.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    hex::encode(role::sha256(bytes))
}
