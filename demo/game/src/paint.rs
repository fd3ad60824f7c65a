//! The painter's hand: skies, mountains, water, lights and figures of the game's world.
//!
//! Every part takes a [`Frame`], works in heights of the picture (`v` from 0 at the top to 1 at the
//! bottom, `u` along x in the same unit) and therefore looks the same at every size.

pub mod figures;
pub mod finish;
pub mod land;
pub mod lights;
pub mod shapes;
pub mod sky;

use crate::canvas::{Color, hex};
use crate::noise::Noise;

/// Where a picture begins, ends and perhaps meets itself again.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The right edge continues at the left edge.
    pub wraps: bool,
}

impl Frame {
    /// Width in heights.
    pub fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// A pixel's centre in heights.
    pub fn point(&self, x: usize, y: usize) -> (f32, f32) {
        let height = self.height as f32;
        ((x as f32 + 0.5) / height, (y as f32 + 0.5) / height)
    }

    /// A length in heights as pixels.
    pub fn pixels(&self, length: f32) -> f32 {
        length * self.height as f32
    }

    /// Distance along x, the short way round where the picture wraps.
    pub fn along(&self, from: f32, to: f32) -> f32 {
        let distance = to - from;
        if !self.wraps {
            return distance;
        }
        let aspect = self.aspect();
        distance - (distance / aspect).round() * aspect
    }

    /// A noise field of about `frequency` cells per height that repeats with the frame.
    pub fn field(&self, seed: u32, frequency: f32) -> Field {
        let cells = (frequency * self.aspect()).round().max(1.0);
        let noise = if self.wraps { Noise::periodic(seed, cells as u32) } else { Noise::new(seed) };
        Field { noise, scale: cells / self.aspect() }
    }
}

/// A noise field measured in heights of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    noise: Noise,
    scale: f32,
}

impl Field {
    /// Fractal noise, about -1 to 1.
    pub fn fbm(&self, u: f32, v: f32, octaves: u32) -> f32 {
        self.noise.fbm(u * self.scale, v * self.scale, octaves)
    }

    /// Fractal noise with crests, 0 to about 1.
    pub fn ridged(&self, u: f32, v: f32, octaves: u32) -> f32 {
        self.noise.ridged(u * self.scale, v * self.scale, octaves)
    }
}

/// The hour and season of a picture: its colours and its weather.
#[derive(Clone, Debug)]
pub struct Mood {
    /// Rising stops from the top of the sky to the horizon.
    pub sky: Vec<(f32, Color)>,
    /// The light of the horizon and of lit edges.
    pub glow: Color,
    /// Unlit and lit side of clouds.
    pub clouds: (Color, Color),
    /// Farthest and nearest mountain.
    pub land: (Color, Color),
    /// Air between the mountains.
    pub mist: Color,
    /// 0 = clear, 1 = closed.
    pub cover: f32,
    /// 0 = none, 1 = a sky full.
    pub stars: f32,
    /// 0 = bare rock, 1 = white slopes.
    pub snow: f32,
    /// 0 = none, 1 = bright curtains.
    pub aurora: f32,
}

impl Mood {
    /// An hour after sunset in late autumn: violet above an ember horizon.
    pub fn dusk() -> Self {
        Self {
            sky: stops(&[
                (0.0, 0x070c2a),
                (0.2, 0x15184a),
                (0.37, 0x3d2463),
                (0.49, 0x8a3a6c),
                (0.58, 0xd95c58),
                (0.66, 0xff9a56),
                (0.74, 0xffcf86),
            ]),
            glow: hex(0xff9a52),
            clouds: (hex(0x2a2050), hex(0xff9a6a)),
            land: (hex(0x64395f), hex(0x090b20)),
            mist: hex(0x9c4f70),
            cover: 0.58,
            stars: 0.6,
            snow: 0.0,
            aurora: 0.0,
        }
    }

    /// Midnight over the pines: deep teal with a cold light.
    pub fn midnight() -> Self {
        Self {
            sky: stops(&[(0.0, 0x040818), (0.3, 0x0a1c38), (0.55, 0x14465c), (0.74, 0x3f8a87)]),
            glow: hex(0x8fe0c8),
            clouds: (hex(0x0d2038), hex(0x4f95a0)),
            land: (hex(0x1f5266), hex(0x040a16)),
            mist: hex(0x3a7f88),
            cover: 0.4,
            stars: 1.0,
            snow: 0.0,
            aurora: 0.0,
        }
    }

    /// Over the fire fields: crimson smoke and a low burning light.
    pub fn cinder() -> Self {
        Self {
            sky: stops(&[
                (0.0, 0x14060f),
                (0.3, 0x3d0f1f),
                (0.52, 0x86222a),
                (0.66, 0xd8482c),
                (0.76, 0xffa24a),
            ]),
            glow: hex(0xff7a30),
            clouds: (hex(0x240c18), hex(0xd0552f)),
            land: (hex(0x5e1f2c), hex(0x0c0509)),
            mist: hex(0xa23c34),
            cover: 0.75,
            stars: 0.15,
            snow: 0.0,
            aurora: 0.0,
        }
    }

    /// A winter morning before the sun: rose and pale blue over snow.
    pub fn first_frost() -> Self {
        Self {
            sky: stops(&[
                (0.0, 0x1a3566),
                (0.25, 0x3f6aa0),
                (0.45, 0x86a3c9),
                (0.6, 0xe6b8c0),
                (0.74, 0xffe3bf),
            ]),
            glow: hex(0xffd2a0),
            clouds: (hex(0x6d86b4), hex(0xffd9cc)),
            land: (hex(0x8d9fc4), hex(0x16233f)),
            mist: hex(0xdfc9d4),
            cover: 0.45,
            stars: 0.15,
            snow: 0.9,
            aurora: 0.0,
        }
    }

    /// The polar night on the ridge: curtains of green and violet.
    pub fn aurora() -> Self {
        Self {
            sky: stops(&[(0.0, 0x050a20), (0.35, 0x0c1d44), (0.6, 0x1c3f6b), (0.74, 0x5a86a8)]),
            glow: hex(0x9fe8d0),
            clouds: (hex(0x10203f), hex(0x4d7fa0)),
            land: (hex(0x36597f), hex(0x071022)),
            mist: hex(0x6f9fbd),
            cover: 0.15,
            stars: 1.0,
            snow: 0.8,
            aurora: 1.0,
        }
    }
}

fn stops(list: &[(f32, u32)]) -> Vec<(f32, Color)> {
    list.iter().map(|&(at, rgb)| (at, hex(rgb))).collect()
}
