//! What is above the land: gradient, stars, moon, clouds, aurora.

use super::{Frame, Mood};
use crate::canvas::{Canvas, Color, dim, hex, mix, ramp};
use crate::noise::{lerp, smooth, unit};

/// Where the light stands and how large it is, in heights.
#[derive(Clone, Copy, Debug)]
pub struct Moon {
    /// Centre along x.
    pub u: f32,
    /// Centre along y.
    pub v: f32,
    /// Radius.
    pub radius: f32,
    /// Colour of its face.
    pub face: Color,
    /// 0 = whole, 1 = its lower right side burns away into embers.
    pub burning: f32,
}

/// Paints the whole sky: gradient, stars, aurora, moon and clouds.
pub fn sky(canvas: &mut Canvas, frame: Frame, mood: &Mood, moon: &Moon, seed: u32) {
    gradient(canvas, frame, mood, moon, seed);
    stars(canvas, frame, mood, seed ^ 0x57);
    if mood.aurora > 0.0 {
        aurora(canvas, frame, mood, seed ^ 0xa0);
    }
    disc(canvas, frame, moon, mix(mood.mist, moon.face, 0.45), seed ^ 0x33);
    clouds(canvas, frame, mood, moon, seed ^ 0xc1);
}

fn gradient(canvas: &mut Canvas, frame: Frame, mood: &Mood, moon: &Moon, seed: u32) {
    let field = frame.field(seed, 1.2);
    // Around the moon the air keeps the colour of the mist: pure moonlight over blue would be grey.
    let air = mix(mood.mist, mood.glow, 0.25);
    canvas.fill(|x, y| {
        let (u, v) = frame.point(x, y);
        let bend = field.fbm(u, v * 2.0, 2) * 0.05;
        let away = frame.along(moon.u, u);
        let dusk = smooth(0.3, 1.6, away.abs()) * 0.14;
        let base = ramp(&mood.sky, v + bend - dusk * smooth(0.2, 0.8, v));
        let (dx, dy) = (away, v - moon.v);
        let halo = (-(dx * dx + dy * dy).sqrt() / 0.2).exp() * 0.34;
        let horizon = (-(away / 0.55).powi(2) - ((v - 0.7) / 0.12).powi(2)).exp() * 0.5;
        std::array::from_fn(|i| base[i] + air[i] * halo + mood.glow[i] * horizon)
    });
}

fn stars(canvas: &mut Canvas, frame: Frame, mood: &Mood, seed: u32) {
    let count = (260.0 * frame.aspect() * mood.stars) as i32;
    let unit_size = frame.pixels(1.0 / 720.0);
    for index in 0..count {
        let (u, v) = (unit(index, 0, seed) * frame.aspect(), unit(index, 1, seed).powf(1.4) * 0.62);
        let bright = unit(index, 2, seed).powi(4);
        let size = unit_size * lerp(0.7, 1.6, bright);
        let tint = mix(hex(0xcfe0ff), hex(0xffe2c4), unit(index, 3, seed));
        let fade = 1.0 - smooth(0.3, 0.62, v);
        let (x, y) = (frame.pixels(u), frame.pixels(v));
        canvas.glow(x, y, size, size * 5.0, tint, (0.25 + bright * 1.6) * fade);
    }
}

fn disc(canvas: &mut Canvas, frame: Frame, moon: &Moon, halo: Color, seed: u32) {
    if moon.radius <= 0.0 {
        return;
    }
    let field = frame.field(seed, 1.25 / moon.radius);
    let coarse = frame.field(seed ^ 9, 0.7 / moon.radius);
    let (cx, cy, radius) = (frame.pixels(moon.u), frame.pixels(moon.v), frame.pixels(moon.radius));
    canvas.glow(cx, cy, radius * 0.9, radius * 4.5, halo, 0.36);
    canvas.around(cx, cy, radius * 1.3, radius * 1.3, |canvas, x, y| {
        let (dx, dy) = ((x as f32 + 0.5 - cx) / radius, (y as f32 + 0.5 - cy) / radius);
        let distance = (dx * dx + dy * dy).sqrt();
        let (u, v) = frame.point(x, y);
        // The burning side is eaten from the lower right, along a noisy front.
        let front = dx * 0.66 + dy * 0.75 + field.fbm(u, v, 6) * 0.62;
        let eaten = smooth(0.36, 0.44, front) * moon.burning;
        let fire = (1.0 - ((front - 0.34) / 0.13).abs()).max(0.0) * moon.burning;
        let inside = ((1.0 - distance) * radius + 0.5).clamp(0.0, 1.0);
        let seas = smooth(-0.2, 0.4, coarse.fbm(u, v, 5));
        let limb = (1.0 - (distance * 0.92).min(1.0).powi(2)).max(0.0).sqrt();
        let face = dim(mix(moon.face, dim(moon.face, 0.5), seas), 0.78 + 0.34 * limb);
        canvas.over(x, y, face, inside * (1.0 - eaten));
        canvas.add(x, y, hex(0xff5a14), fire * fire * 2.2 * inside);
    });
}

fn clouds(canvas: &mut Canvas, frame: Frame, mood: &Mood, moon: &Moon, seed: u32) {
    let warp = frame.field(seed ^ 1, 1.4);
    let body = frame.field(seed ^ 2, 1.35);
    for y in 0..(frame.height * 3 / 4) {
        for x in 0..frame.width {
            let (u, v) = frame.point(x, y);
            // Nearer the horizon the layers lie flatter and closer.
            let flat = 1.5 / (0.86 - v).max(0.12);
            let bend = warp.fbm(u, v * 3.0, 3) * 0.22;
            let at = |du: f32, dv: f32| body.fbm(u + bend + du, (v + dv) * flat + bend, 5);
            let density = at(0.0, 0.0) + mood.cover * 0.62 - 0.36;
            if density <= 0.0 {
                continue;
            }
            let (tx, ty) = (frame.along(u, moon.u), moon.v + 0.06 - v);
            let length = (tx * tx + ty * ty).sqrt().max(0.05);
            let step = 0.03;
            let toward = at(tx / length * step, ty / length * step / flat * 3.0) + mood.cover * 0.62 - 0.36;
            let lit = smooth(-0.16, 0.3, density - toward) * (0.22 + 0.9 * (-length / 0.5).exp());
            let horizon = smooth(0.25, 0.72, v) * 0.35;
            let bright = (lit * 1.2 + horizon).min(1.0);
            let color = ramp(
                &[(0.0, mood.clouds.0), (0.42, mix(mood.clouds.0, mood.mist, 0.8)), (1.0, mood.clouds.1)],
                bright,
            );
            let thin = smooth(0.0, 0.34, density) * 0.86 * (1.0 - smooth(0.64, 0.75, v));
            canvas.over(x, y, color, thin);
        }
    }
}

fn aurora(canvas: &mut Canvas, frame: Frame, mood: &Mood, seed: u32) {
    for band in 0..3u32 {
        let path = frame.field(seed ^ (band * 7), 0.9);
        let folds = frame.field(seed ^ (band * 7 + 3), 9.0);
        let (low, tall) = (0.34 + band as f32 * 0.09, 0.36 - band as f32 * 0.07);
        for x in 0..frame.width {
            let (u, _) = frame.point(x, 0);
            let foot = low + path.fbm(u, band as f32, 3) * 0.3;
            let strong = smooth(-0.35, 0.5, path.fbm(u, 7.3 + band as f32, 2));
            let pleat = 0.45 + 0.75 * folds.fbm(u + path.fbm(u, 3.0, 2) * 0.3, 0.0, 3).abs();
            for y in 0..frame.height * 2 / 3 {
                let (_, v) = frame.point(x, y);
                let up = (foot - v) / tall;
                if !(-0.08..1.0).contains(&up) {
                    continue;
                }
                let edge = smooth(-0.08, 0.03, up) * (1.0 - up).max(0.0).powf(1.7);
                let tint = mix(hex(0x43f0a0), hex(0x9a5cf0), smooth(0.05, 0.75, up));
                canvas.add(x, y, tint, edge * pleat * strong * 0.55 * mood.aurora);
            }
        }
    }
}
