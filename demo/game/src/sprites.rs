//! The small pictures of the game: glider, embers, foes. A strip holds its frames side by side.

use crate::canvas::{Canvas, Color, dim, hex, mix};
use crate::noise::smooth;
use crate::paint::figures::{Pose, glider};
use crate::paint::lights;
use crate::paint::shapes::{Point, bow, fill, polygon};
use crate::world::FoeKind;

/// Frames of every strip.
pub const FRAMES: usize = 6;

/// The glider, 150 × 132 a frame.
pub fn hero() -> Canvas {
    strip(150, 132, |canvas, x, turn| {
        let pose = Pose {
            beat: (turn * std::f32::consts::TAU).sin() * 0.6 + 0.2,
            light: 1.0,
            cloth: (hex(0x2a3272), hex(0xffa060)),
        };
        glider(canvas, x + 78.0, 70.0, 118.0, pose);
    })
}

/// An ember, 48 × 48 a frame.
pub fn ember(golden: bool) -> Canvas {
    let (core, edge) = if golden { (hex(0xfff6d0), hex(0xffc83c)) } else { (hex(0xffe0a0), hex(0xff5a1c)) };
    strip(48, 48, |canvas, x, turn| {
        let breath = 1.0 + 0.18 * (turn * std::f32::consts::TAU).sin();
        canvas.glow(x + 24.0, 24.0, 5.0 * breath, 23.0, edge, 1.5);
        canvas.glow(x + 24.0, 24.0, 3.4 * breath, 12.0, core, 1.8);
        if golden {
            star(canvas, x + 24.0, 24.0, 15.0 * breath, core);
        }
    })
}

/// A foe, 96 × 80 a frame.
pub fn foe(kind: FoeKind) -> Canvas {
    strip(96, 80, |canvas, x, turn| match kind {
        FoeKind::Gloom => gloom(canvas, x + 48.0, 40.0, turn),
        FoeKind::Crow => crow(canvas, x + 48.0, 40.0, turn),
        FoeKind::FrostMoth => moth(canvas, x + 48.0, 40.0, turn),
    })
}

/// A lantern for the light gauge, 96 × 96.
pub fn lantern() -> Canvas {
    let mut canvas = Canvas::new(96, 96);
    lights::lantern(&mut canvas, 48.0, 48.0, 16.0, 0.0, 0.7);
    fade_edges(&mut canvas);
    canvas
}

/// Frames are painted alone, or glows would leak into neighbours.
fn strip(width: usize, height: usize, mut paint: impl FnMut(&mut Canvas, f32, f32)) -> Canvas {
    let mut out = Canvas::new(width * FRAMES, height);
    for frame in 0..FRAMES {
        let mut one = Canvas::new(width, height);
        paint(&mut one, 0.0, frame as f32 / FRAMES as f32);
        fade_edges(&mut one);
        for y in 0..height {
            let row = &one.pixels()[y * width..(y + 1) * width];
            let start = y * width * FRAMES + frame * width;
            out.pixels_mut()[start..start + width].copy_from_slice(row);
        }
    }
    out
}

/// Lets light end before the picture does.
fn fade_edges(canvas: &mut Canvas) {
    const MARGIN: f32 = 13.0;
    let (width, height) = (canvas.width(), canvas.height());
    for (index, pixel) in canvas.pixels_mut().iter_mut().enumerate() {
        let (x, y) = (index % width, index / width);
        let edge = x.min(width - 1 - x).min(y).min(height - 1 - y) as f32;
        let keep = smooth(0.0, MARGIN, edge);
        // Solid paint near the edge stays; only faint light fades.
        let keep = keep.max(smooth(0.6, 0.95, pixel[3]));
        *pixel = pixel.map(|channel| channel * keep);
    }
}

fn star(canvas: &mut Canvas, cx: f32, cy: f32, reach: f32, color: Color) {
    canvas.around(cx, cy, reach, reach, |canvas, x, y| {
        let (dx, dy) = ((x as f32 + 0.5 - cx).abs() / reach, (y as f32 + 0.5 - cy).abs() / reach);
        let ray = (1.0 - dx.sqrt() - dy.sqrt()).max(0.0);
        canvas.add(x, y, color, ray * 1.6);
    });
}

fn gloom(canvas: &mut Canvas, cx: f32, cy: f32, turn: f32) {
    let field = crate::noise::Noise::new(12);
    let (slow, wave) = ((turn * std::f32::consts::TAU).cos(), (turn * std::f32::consts::TAU).sin());
    canvas.around(cx, cy, 47.0, 39.0, |canvas, x, y| {
        let (dx, dy) = ((x as f32 + 0.5 - cx) / 40.0, (y as f32 + 0.5 - cy) / 32.0);
        let smoke = field.fbm(dx * 1.6 + slow * 0.25, dy * 1.6 + wave * 0.25, 4);
        let trail = if dx > 0.0 { dx * 0.35 } else { 0.0 };
        let body = smooth(0.95, 0.25, (dx * dx + dy * dy).sqrt() - smoke * 0.5 + trail * smoke);
        canvas.over(x, y, mix(hex(0x1b1038), hex(0x4a2f86), (smoke + 0.4).clamp(0.0, 1.0)), body * 0.94);
    });
    for side in [-13.0, 5.0] {
        canvas.glow(cx + side, cy - 3.0, 3.0, 12.0, hex(0x9affea), 1.4);
    }
}

fn crow(canvas: &mut Canvas, cx: f32, cy: f32, turn: f32) {
    let beat = (turn * std::f32::consts::TAU).sin() * 24.0;
    let (dark, edge) = (hex(0x1c2046), hex(0x7480bc));
    let wing = |shift: f32| -> Vec<Point> {
        let tip = (cx + 20.0 + shift, cy - 6.0 - beat);
        bow((cx - 12.0, cy - 4.0), (cx + 2.0, cy - 18.0 - beat), tip, 10)
            .chain(bow(tip, (cx + 14.0, cy - 2.0 - beat * 0.4), (cx + 12.0, cy + 2.0), 8))
            .collect()
    };
    fill(canvas, &wing(12.0), edge, 1.0);
    let mut body: Vec<Point> =
        bow((cx - 40.0, cy + 3.0), (cx - 22.0, cy - 14.0), (cx + 6.0, cy - 5.0), 10).collect();
    body.extend(bow((cx + 6.0, cy - 5.0), (cx + 26.0, cy - 2.0), (cx + 44.0, cy + 6.0), 6));
    body.extend(bow((cx + 44.0, cy + 6.0), (cx - 4.0, cy + 20.0), (cx - 26.0, cy + 5.0), 10));
    fill(canvas, &body, dark, 1.0);
    fill(canvas, &wing(0.0), mix(dark, edge, 0.35), 1.0);
    canvas.glow(cx - 24.0, cy - 3.0, 2.0, 8.0, hex(0xff4a30), 1.8);
}

fn moth(canvas: &mut Canvas, cx: f32, cy: f32, turn: f32) {
    let fold = 0.55 + 0.45 * (turn * std::f32::consts::TAU).sin().abs();
    canvas.glow(cx, cy, 12.0, 38.0, hex(0x9fe4ff), 0.5);
    for side in [-1.0, 1.0] {
        for (reach, lift, low) in [(38.0, -26.0, 4.0), (26.0, 22.0, -2.0)] {
            let tip = (cx + side * reach * fold, cy + lift);
            let outline: Vec<Point> =
                bow((cx, cy), (cx + side * reach * 0.3 * fold, cy + lift * 1.25), tip, 10)
                    .chain(bow(tip, (cx + side * reach * 0.95 * fold, cy + low), (cx, cy + 5.0), 10))
                    .collect();
            polygon(canvas, &outline, |canvas, x, y, cover| {
                let far = (((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)).sqrt() / 40.0).min(1.0);
                let vein = 0.85 + 0.15 * ((x as f32 - cx) * 0.9 + (y as f32 - cy) * 0.5).sin();
                let color = mix(hex(0xf4fbff), hex(0x6fb4f0), far);
                canvas.over(x, y, dim(color, vein), cover * 0.92);
            });
        }
    }
    let body: Vec<Point> = bow((cx, cy - 14.0), (cx + 7.0, cy), (cx, cy + 18.0), 8)
        .chain(bow((cx, cy + 18.0), (cx - 7.0, cy), (cx, cy - 14.0), 8))
        .collect();
    fill(canvas, &body, hex(0xdcefff), 1.0);
    for side in [-2.5, 2.5] {
        canvas.glow(cx + side, cy - 10.0, 1.4, 5.0, hex(0x2040ff), 1.5);
    }
}
