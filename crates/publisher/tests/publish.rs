//! A build goes in, a repository comes out: what players read, what is stored once, what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "publish/figures.rs"]
mod figures;
#[path = "publish/lint.rs"]
mod lint;
#[path = "publish/patches.rs"]
mod patches;
#[path = "publish/refusals.rs"]
mod refusals;
#[path = "publish/release.rs"]
mod release_content;
#[path = "publish/repeats.rs"]
mod repeats;
#[path = "publish/support.rs"]
mod support;
#[path = "publish/upcoming.rs"]
mod upcoming;
