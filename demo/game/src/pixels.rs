//! Pixels at sixty frames a second, without a graphics card: sprites with premultiplied alpha and the
//! few ways to put them on a screen.

use std::path::Path;

use crate::canvas::Canvas;
use crate::files::FileError;

/// A picture ready to be drawn, `0xAARRGGBB`, premultiplied; its frames stand side by side.
#[derive(Clone, Debug)]
pub struct Sprite {
    /// Width of one frame.
    pub width: usize,
    /// Height.
    pub height: usize,
    stride: usize,
    /// Rows above this one are empty.
    top: usize,
    pixels: Vec<u32>,
}

impl Sprite {
    /// Reads a PNG that holds `frames` frames.
    pub fn load(path: &Path, frames: usize) -> Result<Self, FileError> {
        let image = image::open(path).map_err(|source| FileError::Image { path: path.to_owned(), source })?;
        let (stride, height) = (image.width() as usize, image.height() as usize);
        Ok(Self::new(&image.into_rgba8(), stride, height, frames))
    }

    /// A sprite of one frame from a painted picture.
    pub fn painted(canvas: &Canvas) -> Self {
        Self::new(&canvas.rgba8(0.0), canvas.width(), canvas.height(), 1)
    }

    fn new(rgba: &[u8], stride: usize, height: usize, frames: usize) -> Self {
        let pixels: Vec<u32> = rgba.chunks_exact(4).map(premultiply).collect();
        let top = pixels.iter().position(|pixel| *pixel != 0).map_or(height, |at| at / stride.max(1));
        Self { width: stride / frames.max(1), height, stride, top, pixels }
    }

    fn row(&self, y: usize, frame: usize) -> &[u32] {
        let start = y * self.stride + frame * self.width;
        &self.pixels[start..start + self.width]
    }
}

/// The screen being composed, `0x00RRGGBB`.
#[derive(Clone, Debug)]
pub struct Screen {
    width: usize,
    height: usize,
    pixels: Vec<u32>,
}

impl Screen {
    /// A black screen.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    /// Covers the screen with a backdrop that has moved `offset` pixels to the left.
    pub fn cover(&mut self, sprite: &Sprite, offset: f32) {
        self.wrapped(sprite, offset, |out, source| out.copy_from_slice(source));
    }

    /// Lays a backdrop with holes over the screen.
    pub fn cover_over(&mut self, sprite: &Sprite, offset: f32) {
        self.wrapped(sprite, offset, |out, source| {
            for (below, above) in out.iter_mut().zip(source) {
                *below = over(*below, *above);
            }
        });
    }

    /// Draws a sprite around a centre; `strength` 0 to 1 makes it fainter.
    pub fn draw(&mut self, sprite: &Sprite, frame: usize, center: (f32, f32), strength: f32) {
        let scale = (strength.clamp(0.0, 1.0) * 256.0) as u32;
        self.place(sprite, frame, center, |below, above| over(below, faint(above, scale)));
    }

    /// Adds a sprite's light around a centre.
    pub fn shine(&mut self, sprite: &Sprite, center: (f32, f32), strength: f32) {
        let scale = (strength.clamp(0.0, 1.0) * 256.0) as u32;
        self.place(sprite, 0, center, |below, above| add(below, faint(above, scale)));
    }

    /// A filled rectangle.
    pub fn bar(&mut self, left: f32, top: f32, width: f32, height: f32, color: u32, alpha: f32) {
        let alpha = (alpha.clamp(0.0, 1.0) * 255.0) as u8;
        let bytes = color.to_be_bytes();
        let paint = premultiply(&[bytes[1], bytes[2], bytes[3], alpha]);
        let clip = |value: f32, end: usize| value.clamp(0.0, end as f32) as usize;
        let (from, to) = (clip(left, self.width), clip(left + width, self.width));
        for y in clip(top, self.height)..clip(top + height, self.height) {
            for pixel in &mut self.pixels[y * self.width + from..y * self.width + to] {
                *pixel = over(*pixel, paint);
            }
        }
    }

    /// Lets darkness close in on a point: full light within `reach` pixels, little beyond three times that.
    pub fn darken(&mut self, center: (f32, f32), reach: f32) {
        const CELLS: usize = 256;
        let far = reach * 3.0;
        let table: Vec<u32> = (0..=CELLS)
            .map(|cell| {
                let distance = (cell as f32 / CELLS as f32).sqrt() * far;
                let t = ((distance - reach) / (far - reach)).clamp(0.0, 1.0);
                (256.0 * (1.0 - 0.82 * t * t * (3.0 - 2.0 * t))) as u32
            })
            .collect();
        let to_cell = CELLS as f32 / (far * far);
        for (y, row) in self.pixels.chunks_exact_mut(self.width).enumerate() {
            let dy = y as f32 - center.1;
            for (x, pixel) in row.iter_mut().enumerate() {
                let dx = x as f32 - center.0;
                let cell = ((dx * dx + dy * dy) * to_cell) as usize;
                *pixel = faint(*pixel, table[cell.min(CELLS)]);
            }
        }
    }

    /// The finished pixels, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    fn wrapped(&mut self, sprite: &Sprite, offset: f32, mut put: impl FnMut(&mut [u32], &[u32])) {
        let start = (offset as usize) % sprite.width.max(1);
        for y in sprite.top..self.height.min(sprite.height) {
            let source = sprite.row(y, 0);
            let row = &mut self.pixels[y * self.width..(y + 1) * self.width];
            let first = (sprite.width - start).min(row.len());
            let (left, right) = row.split_at_mut(first);
            put(left, &source[start..start + first]);
            let rest = right.len().min(sprite.width);
            put(&mut right[..rest], &source[..rest]);
        }
    }

    fn place(
        &mut self,
        sprite: &Sprite,
        frame: usize,
        center: (f32, f32),
        mut put: impl FnMut(u32, u32) -> u32,
    ) {
        let left = (center.0 - sprite.width as f32 / 2.0).round() as i32;
        let top = (center.1 - sprite.height as f32 / 2.0).round() as i32;
        let skip = usize::try_from(-left).unwrap_or(0);
        let from = usize::try_from(left).unwrap_or(0);
        if skip >= sprite.width || from >= self.width {
            return;
        }
        let count = (sprite.width - skip).min(self.width - from);
        for y in sprite.top..sprite.height {
            let Ok(line) = usize::try_from(top + y as i32) else { continue };
            if line >= self.height {
                break;
            }
            let start = line * self.width + from;
            let source = &sprite.row(y, frame)[skip..skip + count];
            for (pixel, above) in self.pixels[start..start + count].iter_mut().zip(source) {
                if *above != 0 {
                    *pixel = put(*pixel, *above);
                }
            }
        }
    }
}

fn premultiply(rgba: &[u8]) -> u32 {
    let alpha = u32::from(rgba[3]);
    let channel = |value: u8| (u32::from(value) * alpha + 127) / 255;
    alpha << 24 | channel(rgba[0]) << 16 | channel(rgba[1]) << 8 | channel(rgba[2])
}

/// Two channels at a time, with room for the carry between them.
const PAIR: u32 = 0x00ff_00ff;

fn over(below: u32, above: u32) -> u32 {
    let rest = 256 - (above >> 24);
    let red_blue = (((below & PAIR) * rest) >> 8) & PAIR;
    let green = ((below >> 8 & 0xff) * rest) & 0xff00;
    (red_blue | green) + (above & 0x00ff_ffff)
}

fn faint(pixel: u32, scale: u32) -> u32 {
    let red_blue = (((pixel & PAIR) * scale) >> 8) & PAIR;
    let alpha_green = ((pixel >> 8 & PAIR) * scale) & 0xff00_ff00;
    red_blue | alpha_green
}

fn add(below: u32, above: u32) -> u32 {
    let full = |sum: u32| {
        let carry = sum & 0x0100_0100;
        (sum | (carry - (carry >> 8))) & PAIR
    };
    full((below & PAIR) + (above & PAIR)) | full((below >> 8 & 0xff) + (above >> 8 & 0xff)) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_mix_and_saturate() {
        assert_eq!(over(0x0012_3456, 0), 0x0012_3456);
        assert_eq!(over(0x00ff_ffff, 0xff00_0000) & 0x00fe_fefe, 0);
        assert_eq!(add(0x00f0_10f0, 0x0020_2020), 0x00ff_30ff);
        assert_eq!(faint(0x80ff_8040, 128), 0x407f_4020);
    }

    #[test]
    fn sprites_are_clipped_at_every_edge() {
        let mut canvas = Canvas::new(8, 8);
        canvas.fill(|_, _| [1.0; 3]);
        let sprite = Sprite::painted(&canvas);
        let mut screen = Screen::new(16, 16);
        for at in [(-20.0, 4.0), (0.0, 0.0), (16.0, 16.0), (40.0, 4.0), (4.0, -30.0)] {
            screen.draw(&sprite, 0, at, 1.0);
        }
        assert_ne!(screen.pixels()[0], 0);
        assert_ne!(screen.pixels()[255], 0);
        assert_eq!(screen.pixels()[8 * 16 + 8], 0);
    }
}
