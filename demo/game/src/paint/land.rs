//! What stands below the sky: mountains, mist, water, pines.

use super::{Frame, Mood};
use crate::canvas::{Canvas, Color, dim, hex, mix};
use crate::noise::{Noise, lerp, smooth, unit};

/// One range of mountains or hills.
#[derive(Clone, Copy, Debug)]
pub struct Ridge {
    /// Seed of its outline.
    pub seed: u32,
    /// Foot of its outline, in heights from the top.
    pub base: f32,
    /// How far its peaks rise above the base.
    pub rise: f32,
    /// Peaks per height of the picture.
    pub frequency: f32,
    /// 0 = round hills, 1 = crags.
    pub crags: f32,
    /// 0 = the farthest range, 1 = the nearest.
    pub nearness: f32,
}

impl Ridge {
    /// The outline at `u`, in heights from the top.
    pub fn outline(&self, frame: Frame, u: f32) -> f32 {
        let field = frame.field(self.seed, self.frequency);
        let crag = field.ridged(u, 0.37, 6);
        let hill = field.fbm(u, 0.71, 5) * 0.75 + 0.45;
        self.base - self.rise * lerp(hill, crag, self.crags)
    }
}

/// Paints a range down to the bottom of the picture, lit from `light_u`.
pub fn ridge(canvas: &mut Canvas, frame: Frame, mood: &Mood, range: &Ridge, light_u: f32) {
    let facets = frame.field(range.seed ^ 0x5f, range.frequency * 2.2);
    let top = mix(mood.land.0, mood.land.1, range.nearness);
    let foot = mix(mix(top, mood.mist, 0.55), top, range.nearness);
    let snow = mix(mix(hex(0xeaf2ff), mood.mist, 0.25), mood.land.1, range.nearness * 0.55);
    for x in 0..frame.width {
        let (u, _) = frame.point(x, 0);
        let line = range.outline(frame, u);
        let side = side_of(frame, light_u, u);
        let slope = (range.outline(frame, u + 0.004) - line) / 0.004;
        let facing = smooth(-0.4, 1.2, -slope * side * 0.8 + 0.25);
        let near_light = (-frame.along(light_u, u).abs() / 0.75).exp();
        let first = (frame.pixels(line) - 1.0).max(0.0) as usize;
        for y in first.min(frame.height)..frame.height {
            let (_, v) = frame.point(x, y);
            let depth = v - line;
            let cover = (frame.pixels(depth) + 0.5).clamp(0.0, 1.0);
            let shade = relief(&facets, u, depth, side);
            let mut color = mix(top, foot, smooth(0.0, range.rise * 1.4 + 0.05, depth));
            let frost = smooth(0.16, 0.42, shade + 0.45 - depth / (range.rise + 0.04) * 0.55) * mood.snow;
            color = mix(color, snow, frost * (1.0 - range.nearness * 0.5));
            color = dim(color, 0.58 + 0.84 * shade);
            canvas.over(x, y, color, cover);
            let rim = (-depth.max(0.0) / 0.011).exp() * facing * near_light * (1.0 - range.nearness * 0.55);
            let flank =
                shade * shade * (-depth.max(0.0) / (range.rise * 0.7 + 0.02)).exp() * near_light * facing;
            canvas.add(x, y, mood.glow, (rim * 0.5 + flank * 0.3) * cover);
        }
    }
}

/// On which side of the light a point stands, -1 to 1, without a jump below the light or, where the
/// picture wraps, opposite to it.
fn side_of(frame: Frame, light_u: f32, u: f32) -> f32 {
    const TURN: f32 = 0.3;
    let along = frame.along(light_u, u);
    let opposite = if frame.wraps { frame.aspect() / 2.0 - along.abs() } else { TURN };
    (along / TURN).clamp(-1.0, 1.0) * (opposite / TURN).clamp(0.0, 1.0)
}

/// How much a slope faces the light, 0 to 1: the difference of a crested field along the light.
fn relief(facets: &super::Field, u: f32, depth: f32, side: f32) -> f32 {
    let lean = depth * 0.3;
    let here = facets.ridged(u + lean, depth, 4);
    let there = facets.ridged(u + lean - side * 0.009, depth + 0.012, 4);
    ((here - there) * 2.2 + 0.42).clamp(0.0, 1.0)
}

/// A bank of mist around height `v`.
pub fn mist(
    canvas: &mut Canvas,
    frame: Frame,
    color: Color,
    v: f32,
    thickness: f32,
    density: f32,
    seed: u32,
) {
    let field = frame.field(seed, 1.8);
    let reach = thickness * 2.2;
    let first = frame.pixels((v - reach).max(0.0)) as usize;
    let last = (frame.pixels(v + reach) as usize).min(frame.height);
    for y in first..last {
        for x in 0..frame.width {
            let (u, pv) = frame.point(x, y);
            let wave = field.fbm(u, pv * 4.0, 4);
            let offset = (pv - v - wave * thickness * 0.5) / thickness;
            let alpha = density * (-offset * offset).exp() * (0.75 + wave * 0.7).clamp(0.0, 1.0);
            canvas.over(x, y, color, alpha.min(1.0));
        }
    }
}

/// Still water from `v` downwards: what is above, mirrored, broken by ripples and tinted.
pub fn lake(canvas: &mut Canvas, frame: Frame, mood: &Mood, v: f32, light_u: f32, seed: u32) {
    let tint = dim(mood.land.1, 1.6);
    let above = canvas.clone();
    let ripple = frame.field(seed, 7.0);
    let shore = frame.pixels(v);
    for y in shore as usize..frame.height {
        for x in 0..frame.width {
            let (u, pv) = frame.point(x, y);
            let depth = pv - v;
            let fine = ripple.fbm(u * 0.6, pv * 9.0 / (0.35 + depth * 2.0), 4);
            let sway = fine * (0.006 + depth * 0.11);
            let mirror = v - 0.02 - depth * 1.75 - (fine * 0.02 * depth * 8.0).abs();
            let light = above.sample(frame.pixels(u + sway), frame.pixels(mirror.max(0.0)));
            let color = mix([light[0], light[1], light[2]], tint, 0.1 + depth * 0.9);
            let crest = smooth(0.16, 0.42, fine) * 0.3;
            let color = std::array::from_fn(|i| color[i] * (0.78 + crest));
            let edge = (frame.pixels(pv) - shore).clamp(0.0, 1.0);
            canvas.over(x, y, color, edge);
            let path = frame.along(light_u, u) / (0.07 + depth * 0.5);
            let glitter = smooth(0.05, 0.4, fine) * (-path * path).exp();
            canvas.add(x, y, mood.glow, glitter * edge * 0.9);
        }
    }
}

/// The colours of trees and where their light comes from.
#[derive(Clone, Copy, Debug)]
pub struct Needles {
    /// The body, nearly a silhouette.
    pub color: Color,
    /// The side turned to the light.
    pub rim: Color,
    /// Where the light stands along x.
    pub light_u: f32,
}

/// A pine: foot at (`u`, `v`), `tall` heights high.
pub fn pine(canvas: &mut Canvas, frame: Frame, at: (f32, f32), tall: f32, needles: Needles, seed: u32) {
    let (u, v) = at;
    let (cx, foot, height) = (frame.pixels(u), frame.pixels(v), frame.pixels(tall));
    let tiers = 5.0 + (unit(0, 1, seed) * 4.0).floor();
    let side = frame.along(u, needles.light_u).signum();
    let twigs = Noise::new(seed);
    let spread = 0.15 + unit(0, 2, seed) * 0.07;
    canvas.around(cx, foot - height / 2.0, height * 0.3, height / 2.0, |canvas, x, y| {
        let t = (y as f32 + 0.5 - (foot - height)) / height;
        if !(0.0..1.0).contains(&t) {
            return;
        }
        let dx = x as f32 + 0.5 - cx;
        // Branches droop: their tips belong to a tier that begins higher up.
        let hung = (t - dx.abs() / height * 0.5).max(0.0);
        let jag = 0.85 + 0.55 * twigs.fbm(hung * 34.0, if dx < 0.0 { 0.3 } else { 7.7 }, 3);
        let branch = (hung * tiers + unit(0, 5, seed) + 0.12 * dx.signum()).fract();
        let mut half = height * spread * t.powf(0.85) * (0.5 + 0.5 * branch) * jag;
        if t > 0.94 {
            half = height * 0.012;
        }
        half = half.max(height * 0.006);
        let cover = (half - dx.abs() + 0.5).clamp(0.0, 1.0);
        if cover > 0.0 {
            let lit = smooth(0.2, 1.0, dx * side / half) * (1.0 - t * 0.6) * (0.5 + 0.5 * branch);
            canvas.over(x, y, mix(needles.color, needles.rim, lit * 0.13), cover);
        }
    });
}

/// A wood along a ridge: pines of about `tall` heights, `density` per height of width.
pub fn wood(canvas: &mut Canvas, frame: Frame, range: &Ridge, tall: f32, density: f32, needles: Needles) {
    let count = (density * frame.aspect()) as i32;
    for index in 0..count {
        let seed = range.seed ^ 0x77;
        let u = (index as f32 + unit(index, 0, seed)) / density;
        let stand = unit((u * 3.0) as i32, 9, seed);
        let height = tall * lerp(0.45, 1.15, unit(index, 1, seed)) * lerp(0.6, 1.1, stand);
        let foot = range.outline(frame, u) + height * 0.12;
        let tree = range.seed ^ (index as u32).wrapping_mul(0x9e37);
        pine(canvas, frame, (u, foot), height, needles, tree);
        if frame.wraps && u > frame.aspect() - tall {
            pine(canvas, frame, (u - frame.aspect(), foot), height, needles, tree);
        }
        if frame.wraps && u < tall {
            pine(canvas, frame, (u + frame.aspect(), foot), height, needles, tree);
        }
    }
}
