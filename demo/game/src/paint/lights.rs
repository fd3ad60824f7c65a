//! What glows: paper lanterns, embers, shafts of light.

use super::Frame;
use super::sky::Moon;
use crate::canvas::{Canvas, Color, dim, hex, mix};
use crate::noise::{lerp, smooth, unit};

/// A paper lantern of `radius` pixels around a centre; `soft` 0 = in focus, 1 = a blurred disc of light.
pub fn lantern(canvas: &mut Canvas, cx: f32, cy: f32, radius: f32, soft: f32, warmth: f32) {
    let paper = mix(hex(0xff7d2e), hex(0xffb955), warmth);
    canvas.glow(cx, cy + radius * 0.2, radius * 0.9, radius * 6.5, paper, 0.5 * (1.0 - soft * 0.5));
    let (half_w, half_h) = (radius * 0.74, radius);
    let edge = 1.0 + soft * radius * 0.5;
    canvas.around(cx, cy, radius * 1.4, radius * 1.5, |canvas, x, y| {
        let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
        let t = dy / half_h;
        // A sky lantern: wide above, drawn in at the mouth.
        let waist = half_w * (1.0 - 0.34 * smooth(-0.35, 1.0, t));
        let round = (1.0 - (t.abs().powf(3.2)).min(1.0)).powf(0.42);
        let inside = ((waist * round - dx.abs()) / edge + 0.5).clamp(0.0, 1.0);
        if inside <= 0.0 || t.abs() > 1.0 {
            return;
        }
        let across = dx / waist.max(0.1);
        let flame = (-(across * across) * 1.3 - ((t - 0.62) / 0.62).powi(2)).exp();
        let rib = 1.0 - 0.16 * (across * 4.7).cos().powi(8) * (1.0 - soft);
        let body = mix(hex(0xb03a14), paper, 0.3 + 0.7 * flame);
        let alpha = inside * lerp(0.97, 0.5, soft);
        canvas.over(x, y, dim(body, rib * (0.85 + 0.45 * flame)), alpha);
        canvas.add(x, y, hex(0xffe2a0), flame * flame * 0.75 * inside * (1.0 - soft * 0.6));
        if soft < 0.4 {
            canvas.over(x, y, hex(0x3a0f08), 0.6 * smooth(0.82, 0.97, t) * inside);
        }
    });
}

/// One ember: a hot point with a short tail against its flight.
pub fn ember(canvas: &mut Canvas, cx: f32, cy: f32, size: f32, flight: (f32, f32), heat: f32) {
    let color = mix(hex(0xff4a14), hex(0xffd27a), heat);
    canvas.glow(cx, cy, size * 0.8, size * 8.0, color, 0.5);
    let steps = 7;
    for step in 0..steps {
        let t = step as f32 / steps as f32;
        let (x, y) = (cx - flight.0 * size * t * 4.0, cy - flight.1 * size * t * 4.0);
        let radius = size * (1.0 - t * 0.7);
        canvas.glow(
            x,
            y,
            radius * 0.8,
            radius * 2.0,
            mix(color, hex(0xffc070), 0.5 - t * 0.5),
            0.62 * (1.0 - t),
        );
    }
}

/// Embers streaming from the burning side of the moon, widening as they fall towards `to`.
pub fn ember_fall(canvas: &mut Canvas, frame: Frame, moon: &Moon, to: (f32, f32), count: i32, seed: u32) {
    let from = (moon.u + moon.radius * 0.5, moon.v + moon.radius * 0.55);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = (dx * dx + dy * dy).sqrt();
    for index in 0..count {
        let way = unit(index, 0, seed).powf(1.25);
        let spread = (unit(index, 1, seed) + unit(index, 2, seed) + unit(index, 4, seed) - 1.5) * 0.8;
        let wide = lerp(moon.radius * 0.55, 0.46, way.powf(0.8));
        let sag = (way * 3.1).sin() * 0.05;
        let u = from.0 + dx * way - dy / length * spread * wide + sag;
        let v = from.1 + dy * way + dx / length * spread * wide;
        let near = unit(index, 3, seed).powi(7);
        let size = frame.pixels(lerp(0.0006, 0.0034, near) * lerp(0.9, 1.4, way));
        let heat = lerp(0.9, 0.1, way) * lerp(0.6, 1.0, unit(index, 5, seed));
        let flight = (dx / length + spread * 0.2, dy / length);
        ember(canvas, frame.pixels(u), frame.pixels(v), size.max(0.6), flight, heat);
    }
}

/// Shafts of light from the moon through the air.
pub fn shafts(canvas: &mut Canvas, frame: Frame, moon: &Moon, color: Color, strength: f32, seed: u32) {
    let field = crate::noise::Noise::new(seed);
    for y in 0..frame.height {
        for x in 0..frame.width {
            let (u, v) = frame.point(x, y);
            let (dx, dy) = (frame.along(moon.u, u), v - moon.v);
            let distance = (dx * dx + dy * dy).sqrt();
            if dy < -0.1 || distance < moon.radius * 0.8 {
                continue;
            }
            let angle = dy.atan2(dx);
            let beam = smooth(0.05, 0.5, field.fbm(angle * 5.0, 0.5, 3) + 0.12);
            let fade = smooth(moon.radius * 0.8, moon.radius * 2.4, distance) * (-distance / 0.42).exp();
            canvas.add(x, y, color, beam * fade * strength * smooth(-0.1, 0.15, dy));
        }
    }
}
