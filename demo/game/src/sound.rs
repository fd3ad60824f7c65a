//! Sound without a device: a small synthesiser, 16-bit WAV files, and the mixer that plays them.

pub mod mixer;
pub mod synth;
pub mod wav;
