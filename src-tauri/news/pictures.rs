//! Pictures from outside, made harmless: fetched within a bound, decoded within limits, drawn again small, kept in the cache.
//!
//! Invariant: the window only ever gets pixels that were decoded here and encoded by us; no foreign byte reaches it. A picture that
//! breaks a limit is left out, and the card stands without one.

use crate::http::{self, HttpError};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder};
use reqwest::Client;
use std::io::Cursor;
use url::Url;

/// The longest picture file taken, in bytes.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// The widest and highest picture decoded, in pixels.
const SIDE_MAX: u32 = 4_096;
/// Memory one decoding may take, in bytes: a picture of the largest size with four channels, and some for the decoder.
const DECODE_MEMORY_MAX: u64 = 96 * 1024 * 1024;
/// The width pictures are kept at, in pixels; a card is less wide than that on any screen.
const WIDTH_KEPT: u32 = 640;
/// A card is wide, not tall.
const HEIGHT_KEPT: u32 = 640;
/// JPEG quality, where no difference is seen on a card.
const JPEG_QUALITY: u8 = 84;

/// Why a card has no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// It did not come.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is no picture we decode, or over a limit.
    #[error("not a usable picture: {0}")]
    Image(#[from] ImageError),
    /// The decoding thread is gone.
    #[error("decoding was interrupted")]
    Interrupted,
}

/// A picture as it is kept and served.
#[derive(Debug)]
pub(crate) struct Picture {
    /// `png` or `jpg`.
    pub(crate) extension: &'static str,
    /// The encoded file.
    pub(crate) bytes: Vec<u8>,
}

/// Fetches and redraws one picture; the decoding runs on a thread of its own.
pub(crate) async fn fetch(client: &Client, url: &Url) -> Result<Picture, PictureError> {
    let response = client.get(url.clone()).send().await.map_err(HttpError::from)?;
    if !response.status().is_success() {
        return Err(HttpError::Status(response.status().as_u16()).into());
    }
    let bytes = http::body(response, BYTES_MAX).await?;
    tokio::task::spawn_blocking(move || redraw(&bytes)).await.map_err(|_| PictureError::Interrupted)?
}

/// Decodes, shrinks and encodes again: PNG where something shows through, JPEG otherwise.
fn redraw(bytes: &[u8]) -> Result<Picture, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(ImageError::from)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODE_MEMORY_MAX);
    reader.limits(limits);
    let picture = shrink(reader.decode()?);
    let mut out = Cursor::new(Vec::new());
    let extension = if picture.color().has_alpha() {
        picture.write_to(&mut out, ImageFormat::Png)?;
        "png"
    } else {
        picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY))?;
        "jpg"
    };
    Ok(Picture { extension, bytes: out.into_inner() })
}

fn shrink(picture: DynamicImage) -> DynamicImage {
    if picture.width() <= WIDTH_KEPT && picture.height() <= HEIGHT_KEPT {
        return picture;
    }
    picture.thumbnail(WIDTH_KEPT, HEIGHT_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(picture: &DynamicImage) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    }

    #[test]
    fn redrawn_small_and_in_the_fitting_format() {
        let opaque = redraw(&png(&DynamicImage::new_rgb8(1_600, 900))).unwrap();
        assert_eq!(opaque.extension, "jpg");
        let again = image::load_from_memory(&opaque.bytes).unwrap();
        assert_eq!((again.width(), again.height()), (640, 360));
        let clear = redraw(&png(&DynamicImage::new_rgba8(32, 16))).unwrap();
        assert_eq!(clear.extension, "png");
        assert_eq!(image::load_from_memory(&clear.bytes).unwrap().width(), 32);
    }

    #[test]
    fn over_a_limit_or_no_picture_at_all() {
        let wide = png(&DynamicImage::new_luma8(SIDE_MAX + 1, 1));
        let cases: [&[u8]; 4] = [&wide, b"<svg onload='alert(1)'/>", b"GIF89a", &wide[..40]];
        for bytes in cases {
            assert!(matches!(redraw(bytes), Err(PictureError::Image(_))));
        }
    }
}
