//! A picture in linear light with premultiplied alpha, and the few ways to put light and paint on it.
//!
//! Invariant: `pixels.len() == width * height`. Colours are linear, so glows add up as light does;
//! they become sRGB bytes only on the way out. No file is touched here.

use crate::noise::{lerp, unit};

/// A colour in linear light, red, green, blue, 0 to 1 (more is allowed until the way out).
pub type Color = [f32; 3];

/// Less alpha than this is none on the way out.
const INVISIBLE: f32 = 0.002;

/// A picture being painted.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
}

impl Canvas {
    /// An empty, transparent picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 4]; width * height] }
    }

    /// Paints every pixel opaque with what `paint` says for it.
    pub fn fill(&mut self, mut paint: impl FnMut(usize, usize) -> Color) {
        for y in 0..self.height {
            for x in 0..self.width {
                let [r, g, b] = paint(x, y);
                self.pixels[y * self.width + x] = [r, g, b, 1.0];
            }
        }
    }

    /// Lays paint over what is there; `alpha` 0 to 1.
    pub fn over(&mut self, x: usize, y: usize, color: Color, alpha: f32) {
        let pixel = &mut self.pixels[y * self.width + x];
        let rest = 1.0 - alpha;
        for channel in 0..3 {
            pixel[channel] = color[channel] * alpha + pixel[channel] * rest;
        }
        pixel[3] = alpha + pixel[3] * rest;
    }

    /// Adds light; where the picture is transparent the light brings a little substance along.
    pub fn add(&mut self, x: usize, y: usize, color: Color, amount: f32) {
        let pixel = &mut self.pixels[y * self.width + x];
        let mut strongest: f32 = 0.0;
        for channel in 0..3 {
            pixel[channel] += color[channel] * amount;
            strongest = strongest.max(pixel[channel]);
        }
        pixel[3] = pixel[3].max(strongest.min(1.0));
    }

    /// Multiplies the light of a pixel.
    pub fn scale(&mut self, x: usize, y: usize, by: Color) {
        let pixel = &mut self.pixels[y * self.width + x];
        for channel in 0..3 {
            pixel[channel] *= by[channel];
        }
    }

    /// Calls `touch` for every pixel inside the box around a centre, clipped to the picture.
    pub fn around(
        &mut self,
        cx: f32,
        cy: f32,
        reach_x: f32,
        reach_y: f32,
        mut touch: impl FnMut(&mut Self, usize, usize),
    ) {
        let clip = |value: f32, end: usize| value.clamp(0.0, end as f32) as usize;
        for y in clip(cy - reach_y, self.height)..clip(cy + reach_y + 1.0, self.height) {
            for x in clip(cx - reach_x, self.width)..clip(cx + reach_x + 1.0, self.width) {
                touch(self, x, y);
            }
        }
    }

    /// A soft round light: `core` is the radius of its bright middle, it fades out at `reach`.
    pub fn glow(&mut self, cx: f32, cy: f32, core: f32, reach: f32, color: Color, strength: f32) {
        self.around(cx, cy, reach, reach, |canvas, x, y| {
            let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
            let distance = (dx * dx + dy * dy).sqrt();
            if distance < reach {
                let edge = 1.0 - distance / reach;
                let falloff = edge * edge / (1.0 + (distance / core) * (distance / core));
                canvas.add(x, y, color, falloff * strength);
            }
        });
    }

    /// The light at a point between pixels, clamped to the picture.
    pub fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let x = (x - 0.5).clamp(0.0, self.width as f32 - 1.001);
        let y = (y - 0.5).clamp(0.0, self.height as f32 - 1.001);
        let (ix, iy) = (x as usize, y as usize);
        let (fx, fy) = (x - ix as f32, y - iy as f32);
        let at =
            |x: usize, y: usize| self.pixels[y.min(self.height - 1) * self.width + x.min(self.width - 1)];
        let (a, b, c, d) = (at(ix, iy), at(ix + 1, iy), at(ix, iy + 1), at(ix + 1, iy + 1));
        std::array::from_fn(|i| lerp(lerp(a[i], b[i], fx), lerp(c[i], d[i], fx), fy))
    }

    /// Lays another picture of the same size over this one.
    pub fn lay(&mut self, other: &Canvas) {
        for (below, above) in self.pixels.iter_mut().zip(&other.pixels) {
            for channel in 0..4 {
                below[channel] = above[channel] + below[channel] * (1.0 - above[3]);
            }
        }
    }

    /// A picture of another size; every target pixel is the mean of what it covers.
    pub fn resized(&self, width: usize, height: usize) -> Canvas {
        let mut out = Canvas::new(width, height);
        let (sx, sy) = (self.width as f32 / width as f32, self.height as f32 / height as f32);
        let taps = (sx.max(sy).ceil() as usize).clamp(1, 8);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0; 4];
                for tap in 0..taps * taps {
                    let (tx, ty) = ((tap % taps) as f32 + 0.5, (tap / taps) as f32 + 0.5);
                    let light =
                        self.sample((x as f32 + tx / taps as f32) * sx, (y as f32 + ty / taps as f32) * sy);
                    for channel in 0..4 {
                        sum[channel] += light[channel];
                    }
                }
                out.pixels[y * width + x] = sum.map(|channel| channel / (taps * taps) as f32);
            }
        }
        out
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The premultiplied linear pixels, row by row.
    pub fn pixels(&self) -> &[[f32; 4]] {
        &self.pixels
    }

    /// The premultiplied linear pixels, row by row, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [[f32; 4]] {
        &mut self.pixels
    }

    /// The part that holds paint; nothing painted leaves the picture as it is.
    pub fn trimmed(&self) -> Self {
        let painted = |x: usize, y: usize| self.pixels[y * self.width + x][3] >= INVISIBLE;
        let columns = span(self.width, |x| (0..self.height).any(|y| painted(x, y)));
        let rows = span(self.height, |y| (0..self.width).any(|x| painted(x, y)));
        let (Some((left, right)), Some((top, bottom))) = (columns, rows) else { return self.clone() };
        let kept = (top..=bottom).flat_map(|y| &self.pixels[y * self.width + left..=y * self.width + right]);
        Self { width: right - left + 1, height: bottom - top + 1, pixels: kept.copied().collect() }
    }

    /// sRGB bytes without alpha. `grain` is the strength of the film grain, in steps of 1/255.
    pub fn rgb8(&self, grain: f32) -> Vec<u8> {
        let curve = Curve::new();
        let mut out = Vec::with_capacity(self.pixels.len() * 3);
        for (index, pixel) in self.pixels.iter().enumerate() {
            let noise = self.grain_at(index, grain);
            out.extend((0..3).map(|channel| curve.byte(pixel[channel], noise)));
        }
        out
    }

    /// sRGB bytes with straight alpha.
    pub fn rgba8(&self, grain: f32) -> Vec<u8> {
        let curve = Curve::new();
        let mut out = Vec::with_capacity(self.pixels.len() * 4);
        for (index, pixel) in self.pixels.iter().enumerate() {
            let alpha = pixel[3].clamp(0.0, 1.0);
            if alpha < INVISIBLE {
                out.extend([0; 4]);
                continue;
            }
            let noise = self.grain_at(index, grain);
            out.extend((0..3).map(|channel| curve.byte(pixel[channel] / alpha, noise)));
            out.push((alpha * 255.0 + 0.5) as u8);
        }
        out
    }

    fn grain_at(&self, index: usize, grain: f32) -> f32 {
        let (x, y) = ((index % self.width) as i32, (index / self.width) as i32);
        (unit(x, y, 0x6a) + unit(x, y, 0x6b) - 1.0) * grain.max(0.5)
    }
}

/// The first and the last place of `length` where `holds` is true.
fn span(length: usize, holds: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    Some(((0..length).find(|at| holds(*at))?, (0..length).rev().find(|at| holds(*at))?))
}

/// The way from linear light to sRGB bytes, with highlights rolled off instead of cut.
struct Curve {
    table: Vec<f32>,
}

impl Curve {
    const STEPS: f32 = 4095.0;
    const BRIGHTEST: f32 = 4.0;

    fn new() -> Self {
        let table = (0..=Self::STEPS as usize)
            .map(|step| {
                // The table is finer in the shadows: its index is the square root of the light.
                let root = step as f32 / Self::STEPS;
                encode(shoulder(root * root * Self::BRIGHTEST)) * 255.0
            })
            .collect();
        Self { table }
    }

    fn byte(&self, light: f32, noise: f32) -> u8 {
        let root = (light.clamp(0.0, Self::BRIGHTEST) / Self::BRIGHTEST).sqrt();
        (self.table[(root * Self::STEPS) as usize] + noise + 0.5).clamp(0.0, 255.0) as u8
    }
}

fn shoulder(light: f32) -> f32 {
    const KNEE: f32 = 0.62;
    if light <= KNEE { light } else { KNEE + (1.0 - KNEE) * (1.0 - (-(light - KNEE) / (1.0 - KNEE)).exp()) }
}

fn encode(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

fn decode(byte: u32) -> f32 {
    let value = byte as f32 / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// A colour written as `0xrrggbb` in sRGB.
pub fn hex(rgb: u32) -> Color {
    [decode(rgb >> 16 & 255), decode(rgb >> 8 & 255), decode(rgb & 255)]
}

/// From one colour to the other.
pub fn mix(a: Color, b: Color, t: f32) -> Color {
    std::array::from_fn(|channel| lerp(a[channel], b[channel], t))
}

/// A colour made lighter or darker.
pub fn dim(color: Color, by: f32) -> Color {
    color.map(|channel| channel * by)
}

/// The colour at `t` of a gradient given as rising stops.
pub fn ramp(stops: &[(f32, Color)], t: f32) -> Color {
    let after = stops.iter().position(|(at, _)| *at > t);
    match after {
        Some(0) => stops[0].1,
        None => stops.last().map_or([0.0; 3], |stop| stop.1),
        Some(next) => {
            let ((from, a), (to, b)) = (stops[next - 1], stops[next]);
            let t = (t - from) / (to - from);
            mix(a, b, t * t * (3.0 - 2.0 * t))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_out() {
        let mut canvas = Canvas::new(1, 1);
        canvas.fill(|_, _| hex(0x20_40_60));
        for (byte, want) in canvas.rgb8(0.0).iter().zip([0x20, 0x40, 0x60]) {
            assert!(byte.abs_diff(want) <= 1);
        }
    }

    #[test]
    fn empty_margins_are_cut_away() {
        let mut canvas = Canvas::new(9, 7);
        assert_eq!((canvas.trimmed().width(), canvas.trimmed().height()), (9, 7), "nothing to cut it to");
        canvas.over(3, 2, hex(0xff_00_00), 1.0);
        canvas.over(6, 5, hex(0x00_ff_00), 0.5);
        let trimmed = canvas.trimmed();
        assert_eq!((trimmed.width(), trimmed.height()), (4, 4));
        let bytes = trimmed.rgba8(0.0);
        assert_eq!((bytes[3], bytes[bytes.len() - 1], bytes[7]), (255, 128, 0));
    }

    #[test]
    fn a_gradient_meets_its_stops() {
        let stops = [(0.0, hex(0)), (1.0, hex(0xff_ff_ff))];
        assert_eq!(ramp(&stops, -1.0), hex(0));
        assert_eq!(ramp(&stops, 2.0), hex(0xff_ff_ff));
    }
}
