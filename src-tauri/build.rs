//! Compiles in what a build is told to carry: the window's capabilities, the brand folder, the repository's root.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    if let Err(error) = run() {
        println!("cargo:error={error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=src-tauri/permissions");
    println!("cargo:rerun-if-changed=src-tauri/build.rs");
    println!("cargo:rerun-if-env-changed=MUSTER_BUILD_REPOSITORY");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    embed_brand(&out)?;
    embed_root(&out)?;
    // The permissions are written by hand: generated ones would land in a folder of their own at the top of the repository.
    let manifest = tauri_build::AppManifest::new().permissions_path_pattern("./src-tauri/permissions/**/*");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*.json")
        .app_manifest(manifest);
    tauri_build::try_build(attributes).map_err(|error| format!("{error:#}").into())
}

/// Writes the list of the brand folder's files that `brand.rs` includes.
fn embed_brand(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=MUSTER_BUILD_BRAND");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let named = env::var_os("MUSTER_BUILD_BRAND").map(PathBuf::from);
    let dir = root.join(named.unwrap_or_else(|| PathBuf::from("src-tauri/brand")));
    println!("cargo:rerun-if-changed={}", dir.display());
    let mut list = String::from("&[\n");
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() {
            writeln!(list, "({name:?}, include_bytes!({:?})),", path.display().to_string())?;
        }
    }
    list.push(']');
    Ok(fs::write(out.join("brand.rs"), list)?)
}

/// Copies the root a studio's build is given to where `repository.rs` includes it; an empty file stands for none.
fn embed_root(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=MUSTER_BUILD_ROOT");
    let root = match env::var_os("MUSTER_BUILD_ROOT") {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", Path::new(&path).display());
            fs::read(path)?
        }
        None => Vec::new(),
    };
    if env::var_os("MUSTER_BUILD_REPOSITORY").is_some() && root.is_empty() {
        return Err("MUSTER_BUILD_REPOSITORY needs MUSTER_BUILD_ROOT, the file of root version 1".into());
    }
    Ok(fs::write(out.join("root.json"), root)?)
}
