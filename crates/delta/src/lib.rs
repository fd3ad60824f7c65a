//! Old bytes and a small payload become new bytes: the methods of a patch's segments.
//!
//! Pure: no files, clock, threads or random state. Whoever decodes trusts nothing: a payload may be hostile, and costs
//! at most the memory and time that its lengths announce.

mod program;
mod run;

pub use run::Run;
