//! The people and houses of the world: the glider, the watch-tower, a village with lit windows.

use super::shapes::{Point, bow, fill, polygon, stroke};
use super::{Frame, lights};
use crate::canvas::{Canvas, Color, dim, hex, mix};
use crate::noise::{lerp, unit};

/// How the glider holds its wings and how brightly its lantern burns.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    /// -1 = wings down, 1 = wings up.
    pub beat: f32,
    /// 0 to 1.
    pub light: f32,
    /// Wings and cloak.
    pub cloth: (Color, Color),
}

impl Default for Pose {
    fn default() -> Self {
        Self { beat: 0.35, light: 1.0, cloth: (hex(0x1a2050), hex(0xf08850)) }
    }
}

/// The glider: a cloaked child under a paper wing, a lantern before it, flying to the right.
pub fn glider(canvas: &mut Canvas, cx: f32, cy: f32, size: f32, pose: Pose) {
    let at = |x: f32, y: f32| (cx + x * size, cy + y * size);
    let (lx, ly) = at(0.2, 0.3);
    canvas.glow(lx, ly, size * 0.16, size * 1.1, hex(0xffa148), 0.5 * pose.light);
    wing(canvas, &at, size, pose);
    let lift = pose.beat * 0.1;
    for end in [at(-0.34, -0.2 - lift), at(0.3, -0.2 - lift), at(-0.02, -0.3)] {
        thread(canvas, end, at(0.04, 0.04), size);
    }
    cloak(canvas, &at, pose);
    thread(canvas, at(0.1, 0.07), at(0.2, 0.2), size);
    lights::lantern(canvas, lx, ly, size * 0.1, 0.0, pose.light);
}

fn thread(canvas: &mut Canvas, from: Point, to: Point, size: f32) {
    let line = [(from, size * 0.007), (to, size * 0.007)];
    stroke(canvas, &line, |canvas, x, y, cover| canvas.over(x, y, hex(0x1a1026), cover * 0.9));
}

/// A crescent of oiled paper over five ribs, scalloped below, lit from the lantern.
fn wing(canvas: &mut Canvas, at: &impl Fn(f32, f32) -> Point, size: f32, pose: Pose) {
    let lift = pose.beat * 0.16;
    let ends = [
        (-0.62, -0.1 - lift),
        (-0.36, -0.2 - lift * 0.5),
        (-0.05, -0.26),
        (0.25, -0.21 - lift * 0.5),
        (0.5, -0.1 - lift),
    ];
    let (left, right) = (at(ends[0].0, ends[0].1), at(ends[4].0, ends[4].1));
    let mut outline: Vec<Point> = bow(left, at(-0.08, -0.74 + lift * 0.8), right, 24).collect();
    for pair in ends.windows(2).rev() {
        let ((ax, ay), (bx, by)) = (pair[1], pair[0]);
        let pull = at((ax + bx) / 2.0, (ay + by) / 2.0 - 0.09);
        outline.extend(bow(at(ax, ay), pull, at(bx, by), 6));
    }
    let (glow_x, glow_y) = at(0.12, 0.1);
    polygon(canvas, &outline, |canvas, x, y, cover| {
        let (dx, dy) = ((x as f32 - glow_x) / size, (y as f32 - glow_y) / size);
        let near = (-(dx * dx + dy * dy) / 0.2).exp() * (0.4 + 0.6 * pose.light);
        canvas.over(x, y, mix(pose.cloth.0, pose.cloth.1, (near * 1.7).min(1.0)), cover);
    });
    let peak = at(-0.05, -0.41 - lift * 0.1);
    for end in &ends {
        let foot = at(end.0, end.1);
        let pull =
            ((peak.0 + foot.0) / 2.0 + (foot.0 - peak.0) * 0.16, (peak.1 + foot.1) / 2.0 - size * 0.05);
        let rib: Vec<(Point, f32)> = bow(peak, pull, foot, 8).map(|point| (point, size * 0.008)).collect();
        stroke(canvas, &rib, |canvas, x, y, cover| canvas.over(x, y, dim(pose.cloth.0, 0.45), cover * 0.8));
    }
}

fn cloak(canvas: &mut Canvas, at: &impl Fn(f32, f32) -> Point, pose: Pose) {
    let flow = pose.beat * 0.05;
    let body = mix(hex(0x12152f), pose.cloth.0, 0.35);
    let mut outline: Vec<Point> = bow(at(0.09, -0.04), at(0.15, 0.1), at(0.08, 0.2), 6).collect();
    outline.extend(bow(at(0.08, 0.2), at(-0.08, 0.34), at(-0.42, 0.3 + flow), 10));
    outline.extend(bow(at(-0.42, 0.3 + flow), at(-0.3, 0.24), at(-0.34, 0.19 + flow), 5));
    outline.extend(bow(at(-0.34, 0.19 + flow), at(-0.12, 0.14), at(-0.01, -0.04), 10));
    fill(canvas, &outline, body, 1.0);
    let lit: Vec<Point> = bow(at(0.09, -0.02), at(0.15, 0.1), at(0.08, 0.2), 6)
        .chain(bow(at(0.08, 0.2), at(0.09, 0.1), at(0.09, -0.02), 6))
        .collect();
    fill(canvas, &lit, hex(0xff9a50), 0.75 * pose.light);
    round(canvas, at, (0.045, -0.08), (0.075, 0.08), body);
    let face = mix(hex(0x3a1f26), hex(0xf0a870), pose.light);
    round(canvas, at, (0.085, -0.065), (0.035, 0.045), face);
}

fn round(
    canvas: &mut Canvas,
    at: &impl Fn(f32, f32) -> Point,
    center: (f32, f32),
    radius: (f32, f32),
    color: Color,
) {
    let outline: Vec<Point> = (0..24)
        .map(|step| {
            let angle = step as f32 / 24.0 * std::f32::consts::TAU;
            at(center.0 + radius.0 * angle.cos(), center.1 + radius.1 * angle.sin())
        })
        .collect();
    fill(canvas, &outline, color, 1.0);
}

/// A watch-tower with three roofs and lit windows, foot at (`u`, `v`), `tall` heights high.
pub fn tower(canvas: &mut Canvas, frame: Frame, u: f32, v: f32, tall: f32, color: Color, rim: Color) {
    let (cx, foot, h) = (frame.pixels(u), frame.pixels(v), frame.pixels(tall));
    let at = |x: f32, y: f32| (cx + x * h, foot - y * h);
    let storeys = [(0.0, 0.36, 0.115), (0.36, 0.6, 0.09), (0.6, 0.8, 0.068)];
    for (index, (low, high, half)) in storeys.into_iter().enumerate() {
        fill(
            canvas,
            &[at(-half * 1.12, low - 0.02), at(-half, high), at(half, high), at(half * 1.12, low - 0.02)],
            color,
            1.0,
        );
        fill(
            canvas,
            &[at(half * 0.72, low), at(half * 0.7, high), at(half, high), at(half * 1.12, low)],
            rim,
            0.16,
        );
        for window in 0..3 - index.min(1) {
            let x = lerp(-half * 0.55, half * 0.55, window as f32 / (2 - index.min(1)).max(1) as f32);
            let y = lerp(low, high, 0.52);
            let (w, t) = (h * 0.011, h * 0.03);
            let (wx, wy) = at(x, y);
            canvas.glow(wx, wy, h * 0.02, h * 0.13, hex(0xffa040), 0.5);
            fill(
                canvas,
                &[(wx - w, wy - t), (wx + w, wy - t), (wx + w, wy + t), (wx - w, wy + t)],
                hex(0xffd890),
                1.0,
            );
        }
        roof(canvas, &at, high, half, color, rim);
    }
    let spire = [at(-0.012, 0.84), at(0.0, 1.0), at(0.012, 0.84)];
    fill(canvas, &spire, color, 1.0);
}

fn roof(canvas: &mut Canvas, at: &impl Fn(f32, f32) -> Point, y: f32, half: f32, color: Color, rim: Color) {
    let wide = half * 1.75;
    let mut outline: Vec<Point> =
        bow(at(-wide, y + 0.022), at(-half * 0.7, y + 0.01), at(-half * 0.3, y + 0.1), 8).collect();
    outline.extend(bow(at(half * 0.3, y + 0.1), at(half * 0.7, y + 0.01), at(wide, y + 0.022), 8));
    outline.extend([at(wide * 0.86, y - 0.012), at(-wide * 0.86, y - 0.012)]);
    fill(canvas, &outline, dim(color, 0.8), 1.0);
    let mut edge: Vec<(Point, f32)> =
        bow(at(half * 0.3, y + 0.1), at(half * 0.7, y + 0.01), at(wide, y + 0.022), 8)
            .map(|point| (point, 0.9))
            .collect();
    edge.dedup();
    stroke(canvas, &edge, |canvas, x, y, cover| canvas.over(x, y, rim, cover * 0.55));
}

/// Little houses along a line, their windows lit, reflected in nothing: `lines(u)` is their ground.
pub fn village(
    canvas: &mut Canvas,
    frame: Frame,
    span: (f32, f32),
    ground: impl Fn(f32) -> f32,
    size: f32,
    color: Color,
    seed: u32,
) {
    let count = ((span.1 - span.0) / (size * 0.95)) as i32;
    for index in 0..count {
        let u = lerp(span.0, span.1, (index as f32 + unit(index, 0, seed) * 0.8) / count as f32);
        let (wide, tall) =
            (size * lerp(0.5, 0.8, unit(index, 1, seed)), size * lerp(0.45, 0.9, unit(index, 2, seed)));
        let foot = ground(u) + size * 0.25;
        let at = |x: f32, y: f32| {
            (
                frame.pixels(u + x * wide),
                frame.pixels(foot - size * 0.25 - y * tall + if y < 0.0 { size * 0.3 } else { 0.0 }),
            )
        };
        let house = [
            at(-0.5, -0.1),
            at(-0.5, 0.6),
            at(-0.6, 0.56),
            at(0.0, 1.15),
            at(0.6, 0.56),
            at(0.5, 0.6),
            at(0.5, -0.1),
        ];
        fill(canvas, &house, color, 1.0);
        for pane in 0..2 {
            if unit(index, 5 + pane, seed) < 0.25 {
                continue;
            }
            let (x, y) = at(pane as f32 * 0.44 - 0.22, 0.34);
            let half = frame.pixels(size) * 0.05;
            canvas.glow(x, y, half * 1.5, half * 14.0, hex(0xff9a3c), 0.55);
            fill(
                canvas,
                &[
                    (x - half, y - half * 1.3),
                    (x + half, y - half * 1.3),
                    (x + half, y + half * 1.3),
                    (x - half, y + half * 1.3),
                ],
                hex(0xffd48a),
                1.0,
            );
        }
    }
}
