//! A studio's face as data: names, colours, pictures, words, licence, links, default limits.
//!
//! A brand is a folder of few files with fixed names; whoever reads it brings the bytes, so the same rules hold for a folder on a
//! studio's disk, for one that a build carries, and for one that came signed. Nothing in it is code, and nothing in it can change
//! whom a launcher believes: address and root of a repository count only in builds that have none of their own.
//!
//! Invariant: a [`Brand`] that was made passed every rule that a launcher needs ([`Brand::read`]). What would only look bad is found
//! by [`check::findings`], for `muster brand check`.

pub mod address;
pub mod check;
pub mod colour;
mod config;
mod folder;
pub mod icu;
mod words;

pub use config::{Config, Defaults, Links, Sharing};
pub use folder::{Asset, Brand, BrandError, Found};
pub use words::{LANGUAGES, Words};
