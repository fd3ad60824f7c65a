//! What is on the disk and how it changes without ever being broken.
//!
//! Invariant: at any kill, power cut, full disk or error, the game folder holds exactly the old
//! release or the new one after the next [`folder::GameFolder::open`]; verified bytes that were
//! flushed are never fetched again; files that no manifest names are never changed. Only
//! [`apply`] writes where the game lives, and only after its journal is synced; everything else
//! works below `.muster`. All calls go through the seam in [`mod@fs`]. Nothing here waits for
//! anything but the disk: no sockets, no async, no clock.

pub mod apply;
pub mod assign;
mod disk;
pub mod error;
pub mod fill;
pub mod folder;
pub mod fs;
pub mod glance;
pub mod hashing;
mod import;
pub mod installed;
mod journal;
mod layers;
pub mod look;
pub mod partial;
pub mod patch;
pub mod place;
pub mod preload;
pub mod prepare;
mod ranges;
pub mod records;
pub mod space;
pub mod staging;
pub mod state;
mod tree;
pub mod uninstall;
pub mod verify;
pub mod wanted;

pub use error::{Result, StoreError};
pub use folder::GameFolder;
pub use hashing::{Job, Progress};
pub use installed::InstalledTree;
pub use staging::Staging;
