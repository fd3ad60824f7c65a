//! The demo game.
fn main() {}
