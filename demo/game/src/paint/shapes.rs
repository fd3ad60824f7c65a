//! Filled polygons and pen strokes with smooth edges.

use crate::canvas::{Canvas, Color};

/// A point in pixels.
pub type Point = (f32, f32);

/// How much of each pixel a shape covers: calls `touch(canvas, x, y, cover)` where it is more than nothing.
pub fn polygon(canvas: &mut Canvas, points: &[Point], mut touch: impl FnMut(&mut Canvas, usize, usize, f32)) {
    const LINES: usize = 5;
    let top = points.iter().map(|p| p.1).fold(f32::MAX, f32::min).max(0.0) as usize;
    let bottom = points.iter().map(|p| p.1).fold(0.0, f32::max).ceil() as usize;
    let width = canvas.width();
    let mut cover = vec![0.0_f32; width + 1];
    for y in top..bottom.min(canvas.height()) {
        cover.fill(0.0);
        for line in 0..LINES {
            let at = y as f32 + (line as f32 + 0.5) / LINES as f32;
            for pair in crossings(points, at).chunks_exact(2) {
                span(&mut cover, pair[0].max(0.0), pair[1].min(width as f32), 1.0 / LINES as f32);
            }
        }
        for (x, amount) in cover.iter().take(width).enumerate().filter(|(_, c)| **c > 0.0) {
            touch(canvas, x, y, amount.min(1.0));
        }
    }
}

/// A polygon in one colour.
pub fn fill(canvas: &mut Canvas, points: &[Point], color: Color, alpha: f32) {
    polygon(canvas, points, |canvas, x, y, cover| canvas.over(x, y, color, cover * alpha));
}

/// A rounded line along points with a radius at each: calls `touch(canvas, x, y, cover)`, each pixel once.
pub fn stroke(
    canvas: &mut Canvas,
    line: &[(Point, f32)],
    mut touch: impl FnMut(&mut Canvas, usize, usize, f32),
) {
    let widest = line.iter().map(|(_, radius)| *radius).fold(0.0, f32::max) + 1.0;
    let bounds = |pick: fn(&Point) -> f32| {
        let values = line.iter().map(|(point, _)| pick(point));
        let low = values.clone().fold(f32::MAX, f32::min) - widest;
        (low, values.fold(f32::MIN, f32::max) + widest)
    };
    let ((left, right), (top, bottom)) = (bounds(|p| p.0), bounds(|p| p.1));
    let (cx, cy) = ((left + right) / 2.0, (top + bottom) / 2.0);
    canvas.around(cx, cy, (right - left) / 2.0, (bottom - top) / 2.0, |canvas, x, y| {
        let at = (x as f32 + 0.5, y as f32 + 0.5);
        let nearest = line.windows(2).map(|ends| capsule(at, ends[0], ends[1])).fold(f32::MAX, f32::min);
        let cover = (0.5 - nearest).clamp(0.0, 1.0);
        if cover > 0.0 {
            touch(canvas, x, y, cover);
        }
    });
}

/// As [`stroke`], but both ends are cut straight, `cap` pixels past the end points.
pub fn engrave(
    canvas: &mut Canvas,
    line: &[(Point, f32)],
    cap: f32,
    mut touch: impl FnMut(&mut Canvas, usize, usize, f32),
) {
    let (Some(first), Some(last)) = (line.get(..2), line.last_chunk::<2>()) else {
        return;
    };
    let ends = [(first[0].0, first[1].0), (last[1].0, last[0].0)];
    stroke(canvas, line, |canvas, x, y, cover| {
        let at = (x as f32 + 0.5, y as f32 + 0.5);
        let inside = ends
            .iter()
            .map(|(end, before)| cap - beyond(at, *end, *before, line) + 0.5)
            .fold(cover, f32::min);
        if inside > 0.0 {
            touch(canvas, x, y, inside.min(1.0));
        }
    });
}

/// How far a point lies past a line's end; nothing if another part of the line is nearer.
fn beyond(at: Point, end: Point, before: Point, line: &[(Point, f32)]) -> f32 {
    let (dx, dy) = (end.0 - before.0, end.1 - before.1);
    let length = (dx * dx + dy * dy).sqrt().max(1e-4);
    let past = ((at.0 - end.0) * dx + (at.1 - end.1) * dy) / length;
    if past <= 0.0 {
        return past;
    }
    let far = |point: Point| (point.0 - at.0).powi(2) + (point.1 - at.1).powi(2);
    let reach = far(end);
    let other = line.iter().any(|(point, _)| far(*point) < reach - 0.01);
    if other { -1.0 } else { past }
}

/// Points along a curve through `from` and `to`, drawn towards `pull`.
pub fn bow(from: Point, pull: Point, to: Point, steps: usize) -> impl Iterator<Item = Point> {
    (0..=steps).map(move |step| {
        let t = step as f32 / steps as f32;
        let (a, b, c) = ((1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t);
        (a * from.0 + b * pull.0 + c * to.0, a * from.1 + b * pull.1 + c * to.1)
    })
}

/// Distance of a point to a line with a radius at each end; negative inside.
fn capsule(at: Point, from: (Point, f32), to: (Point, f32)) -> f32 {
    let ((ax, ay), (bx, by)) = (from.0, to.0);
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { (((at.0 - ax) * dx + (at.1 - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (px, py) = (at.0 - ax - dx * t, at.1 - ay - dy * t);
    (px * px + py * py).sqrt() - (from.1 + (to.1 - from.1) * t)
}

fn crossings(points: &[Point], y: f32) -> Vec<f32> {
    let mut found: Vec<f32> = (0..points.len())
        .filter_map(|index| {
            let (a, b) = (points[index], points[(index + 1) % points.len()]);
            ((a.1 <= y) != (b.1 <= y)).then(|| a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0))
        })
        .collect();
    found.sort_by(f32::total_cmp);
    found
}

fn span(cover: &mut [f32], from: f32, to: f32, amount: f32) {
    if to <= from {
        return;
    }
    let (first, last) = (from as usize, to as usize);
    if first == last {
        cover[first] += (to - from) * amount;
        return;
    }
    cover[first] += (first as f32 + 1.0 - from) * amount;
    for cell in &mut cover[first + 1..last] {
        *cell += amount;
    }
    cover[last] += (to - last as f32) * amount;
}
