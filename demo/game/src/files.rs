//! Pictures on their way to the disk.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::canvas::Canvas;

/// Why a file of the game could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// The picture could not be encoded or decoded.
    #[error("{}: {source}", path.display())]
    Image {
        /// Which file.
        path: PathBuf,
        /// What the codec said.
        source: image::ImageError,
    },
    /// A world without levels cannot be flown.
    #[error("{}: no levels", path.display())]
    NoLevels {
        /// Which file.
        path: PathBuf,
    },
    /// A text file does not say what it should.
    #[error("{}: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
}

/// Writes bytes, making the folders above them.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    std::fs::write(path, bytes).map_err(io)
}

/// A PNG without alpha.
pub fn png_rgb(path: &Path, canvas: &Canvas, grain: f32, effort: CompressionType) -> Result<(), FileError> {
    png(path, canvas, &canvas.rgb8(grain), ExtendedColorType::Rgb8, effort)
}

/// A PNG with alpha.
pub fn png_rgba(path: &Path, canvas: &Canvas, grain: f32, effort: CompressionType) -> Result<(), FileError> {
    png(path, canvas, &canvas.rgba8(grain), ExtendedColorType::Rgba8, effort)
}

/// The bytes of a PNG with alpha.
pub fn png_bytes(canvas: &Canvas) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive).write_image(
        &canvas.rgba8(0.0),
        canvas.width() as u32,
        canvas.height() as u32,
        ExtendedColorType::Rgba8,
    )?;
    Ok(bytes)
}

/// A JPEG of a quality from 1 to 100.
pub fn jpeg(path: &Path, canvas: &Canvas, grain: f32, quality: u8) -> Result<(), FileError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(
            &canvas.rgb8(grain),
            canvas.width() as u32,
            canvas.height() as u32,
            ExtendedColorType::Rgb8,
        )
        .map_err(|source| FileError::Image { path: path.to_owned(), source })?;
    write(path, &bytes)
}

fn png(
    path: &Path,
    canvas: &Canvas,
    bytes: &[u8],
    color: ExtendedColorType,
    effort: CompressionType,
) -> Result<(), FileError> {
    let mut out = Vec::new();
    PngEncoder::new_with_quality(&mut out, effort, FilterType::Adaptive)
        .write_image(bytes, canvas.width() as u32, canvas.height() as u32, color)
        .map_err(|source| FileError::Image { path: path.to_owned(), source })?;
    write(path, &out)
}
