//! Renders the pictures of launcher and news and the icons: `demo-art [ROOT]`, where ROOT is the
//! folder that holds `demo/` and `icons/` (default: the current folder).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use demo_game::files::{self, FileError};
use demo_game::{art, icon};
use image::codecs::png::CompressionType;

fn main() -> ExitCode {
    let root = std::env::args().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    match brand(&root).and_then(|()| news(&root)).and_then(|()| icons(&root)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo-art: {error}");
            ExitCode::FAILURE
        }
    }
}

fn brand(root: &Path) -> Result<(), FileError> {
    let brand = root.join("demo/brand");
    let large = art::key_art(2240, 1360);
    files::jpeg(&brand.join("key-art.jpg"), &large, 1.2, 86)?;
    files::jpeg(&brand.join("key-art-1600x900.jpg"), &art::key_art(1600, 900), 1.2, 84)?;
    files::png_rgba(&brand.join("logo.png"), &art::wordmark(1280, 254).trimmed(), 0.0, CompressionType::Best)
}

fn news(root: &Path) -> Result<(), FileError> {
    for (name, picture) in art::news() {
        files::jpeg(&root.join("demo/feed").join(name), &picture, 1.0, 82)?;
    }
    Ok(())
}

fn icons(root: &Path) -> Result<(), FileError> {
    let folder = root.join("icons");
    for (name, size) in [("32x32.png", 32), ("128x128.png", 128), ("128x128@2x.png", 256), ("icon.png", 512)]
    {
        files::png_rgba(&folder.join(name), &icon::icon(size), 0.0, CompressionType::Best)?;
    }
    for (name, bytes) in [("icon.ico", icon::ico(&[16, 32, 48, 256])), ("icon.icns", icon::icns())] {
        let path = folder.join(name);
        let bytes = bytes.map_err(|source| FileError::Image { path: path.clone(), source })?;
        files::write(&path, &bytes)?;
    }
    Ok(())
}
