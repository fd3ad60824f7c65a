//! Old bytes and a small payload become new bytes: the methods of a patch's segments.
//!
//! Pure: no files, clock, threads or random state. Whoever decodes trusts nothing: a payload may be hostile, and costs
//! at most the memory and time that its lengths announce. What comes out is not verified here: it has the announced
//! length, and the pieces' hashes say whether it is right.

mod coarse;
mod coder;
mod container;
mod control;
mod difference;
mod error;
mod finder;
mod follower;
mod hints;
mod literal;
mod logistic;
mod method;
mod parse;
mod program;
mod reference;
mod run;
mod suffix;
mod symbol;
mod warm;

pub use error::{DecodeError, EncodeError};
pub use method::{Effort, LENGTH_MAX, Method, best, decode, decode_memory, encode};
pub use run::{Run, matches};
