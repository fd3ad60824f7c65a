//! The launcher's icon and the containers Windows and macOS want it in.

use crate::canvas::{Canvas, dim, hex, mix, ramp};
use crate::files;
use crate::noise::smooth;
use crate::paint::lights;
use crate::paint::shapes::bow;
use crate::paint::shapes::fill;

/// A lantern before a dusk sky and dark hills, on a rounded tile.
pub fn icon(size: usize) -> Canvas {
    // Painted large and drawn together, so that small icons keep their light.
    let full = tile(if size < 256 { 512 } else { size });
    if full.width() == size { full } else { full.resized(size, size) }
}

/// PNG pictures in a Windows icon file.
pub fn ico(sizes: &[usize]) -> Result<Vec<u8>, image::ImageError> {
    let pictures = encode(sizes)?;
    let mut out = Vec::from([0, 0, 1, 0, pictures.len() as u8, 0]);
    let mut offset = 6 + 16 * pictures.len() as u32;
    for (size, png) in &pictures {
        let side = if *size >= 256 { 0 } else { *size as u8 };
        out.extend([side, side, 0, 0, 1, 0, 32, 0]);
        out.extend((png.len() as u32).to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset += png.len() as u32;
    }
    out.extend(pictures.into_iter().flat_map(|(_, png)| png));
    Ok(out)
}

/// PNG pictures in a macOS icon file.
pub fn icns() -> Result<Vec<u8>, image::ImageError> {
    let kinds = [(128, b"ic07"), (256, b"ic08"), (512, b"ic09")];
    let mut body = Vec::new();
    for (size, kind) in kinds {
        let png = files::png_bytes(&icon(size))?;
        body.extend(kind);
        body.extend((png.len() as u32 + 8).to_be_bytes());
        body.extend(png);
    }
    let mut out = b"icns".to_vec();
    out.extend((body.len() as u32 + 8).to_be_bytes());
    out.extend(body);
    Ok(out)
}

fn encode(sizes: &[usize]) -> Result<Vec<(usize, Vec<u8>)>, image::ImageError> {
    sizes.iter().map(|&size| Ok((size, files::png_bytes(&icon(size))?))).collect()
}

fn tile(size: usize) -> Canvas {
    let s = size as f32;
    let mut canvas = Canvas::new(size, size);
    let sky = [(0.0, hex(0x121644)), (0.4, hex(0x57286c)), (0.66, hex(0xd65a56)), (0.84, hex(0xffb060))];
    canvas.fill(|x, y| {
        let (dx, dy) = ((x as f32 / s - 0.5), (y as f32 / s - 0.52));
        let halo = (-(dx * dx + dy * dy) / 0.07).exp() * 0.16;
        let base = ramp(&sky, y as f32 / s);
        let glow = hex(0xff9440);
        std::array::from_fn(|i| base[i] + glow[i] * halo)
    });
    let hill = |from: f32, top: f32, to: f32| {
        bow((-0.1 * s, from * s), (0.5 * s, top * s), (1.1 * s, to * s), 40)
            .chain([(1.1 * s, 1.1 * s), (-0.1 * s, 1.1 * s)])
            .collect::<Vec<_>>()
    };
    lights::lantern(&mut canvas, 0.5 * s, 0.45 * s, 0.29 * s, 0.0, 0.45);
    fill(&mut canvas, &hill(0.70, 0.88, 0.62), mix(hex(0x32184a), hex(0x9c4f70), 0.18), 1.0);
    fill(&mut canvas, &hill(0.90, 0.76, 0.96), dim(hex(0x0e0d2c), 0.9), 1.0);
    for (x, y, r) in [(0.2, 0.3, 0.014), (0.8, 0.22, 0.017), (0.28, 0.62, 0.011), (0.74, 0.64, 0.013)] {
        lights::ember(&mut canvas, x * s, y * s, r * s, (-0.35, 0.9), 0.6);
    }
    rounded(&mut canvas, s);
    canvas
}

/// Cuts the tile's corners: a superellipse with a small margin.
fn rounded(canvas: &mut Canvas, s: f32) {
    let width = canvas.width();
    for (index, pixel) in canvas.pixels_mut().iter_mut().enumerate() {
        let (x, y) = ((index % width) as f32 + 0.5, (index / width) as f32 + 0.5);
        let (dx, dy) = ((x / s - 0.5).abs() / 0.48, (y / s - 0.5).abs() / 0.48);
        let edge = (dx.powi(5) + dy.powi(5)).powf(0.2);
        let keep = smooth(1.0 + 1.2 / s, 1.0 - 1.2 / s, edge);
        let rim = smooth(0.972, 0.99, edge) * 0.07;
        for channel in &mut pixel[..3] {
            *channel = (*channel + rim) * keep;
        }
        pixel[3] = keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_say_how_long_they_are() {
        let bytes = icns().unwrap();
        assert_eq!(u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len());
        let bytes = ico(&[16, 32]).unwrap();
        let offset = u32::from_le_bytes(bytes[18..22].try_into().unwrap()) as usize;
        assert_eq!(&bytes[offset + 1..offset + 4], b"PNG");
    }
}
