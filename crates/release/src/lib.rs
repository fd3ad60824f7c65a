//! What was published: ids, bencode, metainfo (BitTorrent v2, BEP 52), merkle trees, layout,
//! manifest, channel, safe paths, the plan that follows from them, and the description of a patch.
//!
//! Invariant: a value of a type in this crate has been checked; whoever holds one need not check
//! again. The crate takes bytes and returns decisions: it has no files, sockets, clock, threads or
//! randomness.

pub mod bencode;
pub mod channel;
pub mod hash;
pub mod id;
pub mod layout;
pub mod leaves;
pub mod limits;
pub mod manifest;
pub mod merkle;
pub mod metainfo;
pub mod patch;
pub mod path;
pub mod plan;
pub mod rolling;
pub mod sealed;
pub mod seektable;
pub mod target;
