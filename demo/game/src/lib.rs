//! Emberfall, the demo's game: its rules, its pictures, its sounds and its world file.
//!
//! Everything that can be decided without a window is decided here and tested here. Pictures and
//! sounds are made by code from seeds; nothing is downloaded. The programs of this crate are thin:
//! the game itself, `demo-assets` (a build folder) and `demo-art` (pictures for launcher and news).

pub mod art;
pub mod assets;
pub mod audio;
pub mod canvas;
pub mod files;
pub mod glyph;
pub mod icon;
pub mod noise;
pub mod paint;
pub mod pilot;
pub mod pixels;
pub mod rules;
pub mod save;
pub mod sound;
pub mod sprites;
pub mod view;
pub mod world;
