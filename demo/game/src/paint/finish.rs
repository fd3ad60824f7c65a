//! The last strokes: brushwork and the fall of light to the edges.

use super::Frame;
use crate::canvas::{Canvas, Color};
use crate::noise::smooth;

/// Brushwork: every pixel takes the mean of the calmest of the four squares that meet in it
/// (Kuwahara's filter), so that edges stay and texture becomes strokes of about `radius` pixels.
pub fn brush(canvas: &mut Canvas, radius: usize, amount: f32) {
    let (width, height) = (canvas.width(), canvas.height());
    let sums = Sums::new(canvas);
    let squares = |x: usize, y: usize| {
        let (left, top) = (x.saturating_sub(radius), y.saturating_sub(radius));
        let (right, bottom) = ((x + radius + 1).min(width), (y + radius + 1).min(height));
        [(left, top, x + 1, y + 1), (x, top, right, y + 1), (left, y, x + 1, bottom), (x, y, right, bottom)]
    };
    for y in 0..height {
        for x in 0..width {
            let calmest = squares(x, y)
                .map(|(left, top, right, bottom)| sums.mean(left, top, right, bottom))
                .into_iter()
                .min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((color, _)) = calmest {
                let pixel = &mut canvas.pixels_mut()[y * width + x];
                for channel in 0..3 {
                    pixel[channel] += (color[channel] - pixel[channel]) * amount;
                }
            }
        }
    }
}

/// Darkens the edges by `edges` and the lower left, where a launcher writes, by `corner` (0 to 1 each).
pub fn vignette(canvas: &mut Canvas, frame: Frame, edges: f32, corner: f32) {
    let aspect = frame.aspect();
    for y in 0..frame.height {
        for x in 0..frame.width {
            let (u, v) = frame.point(x, y);
            let (dx, dy) = (u / aspect - 0.55, v - 0.46);
            let rim = smooth(0.25, 0.85, (dx * dx * 1.1 + dy * dy * 1.3).sqrt());
            let (cu, cv) = (u / aspect, 1.0 - v);
            let reach = ((cu / 0.72).powi(2) + (cv / 0.62).powi(2)).sqrt();
            let low = 1.0 - smooth(0.1, 1.05, reach);
            let keep = (1.0 - edges * rim) * (1.0 - corner * low);
            // Shadows go towards blue, never towards grey.
            let tint: Color = [keep * (1.0 - 0.12 * low), keep, keep * (1.0 + 0.06 * low)];
            canvas.scale(x, y, tint);
        }
    }
}

/// Running sums over the picture, so that a square's mean and variance cost eight look-ups.
struct Sums {
    width: usize,
    cells: Vec<[f64; 4]>,
}

impl Sums {
    fn new(canvas: &Canvas) -> Self {
        let (width, height) = (canvas.width() + 1, canvas.height() + 1);
        let mut cells = vec![[0.0; 4]; width * height];
        for y in 1..height {
            let mut row = [0.0_f64; 4];
            for x in 1..width {
                let [r, g, b, _] = canvas.pixels()[(y - 1) * (width - 1) + x - 1].map(f64::from);
                // Variance is judged by brightness as the eye sees it, or highlights would rule.
                let luma = (0.3 * r + 0.6 * g + 0.1 * b).max(0.0).sqrt();
                for (sum, value) in row.iter_mut().zip([r, g, b, luma]) {
                    *sum += value;
                }
                let above = cells[(y - 1) * width + x];
                cells[y * width + x] = std::array::from_fn(|i| row[i] + above[i]);
            }
        }
        Self { width, cells }
    }

    /// Mean colour of a square and a measure of its unrest.
    fn mean(&self, left: usize, top: usize, right: usize, bottom: usize) -> ([f32; 3], f64) {
        let at = |x: usize, y: usize| self.cells[y * self.width + x];
        let (a, b, c, d) = (at(left, top), at(right, top), at(left, bottom), at(right, bottom));
        let area = ((right - left) * (bottom - top)) as f64;
        let sum: [f64; 4] = std::array::from_fn(|i| (d[i] - b[i] - c[i] + a[i]) / area);
        let luma = 0.3 * sum[0] + 0.6 * sum[1] + 0.1 * sum[2];
        ([sum[0] as f32, sum[1] as f32, sum[2] as f32], luma - sum[3] * sum[3])
    }
}
