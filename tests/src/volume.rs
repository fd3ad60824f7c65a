//! Volumes that a test mounts, spoils and takes away. They need root.

use crate::muster::text;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A mounted volume; it is unmounted when this is dropped.
#[derive(Debug)]
pub struct Volume {
    dir: PathBuf,
}

impl Volume {
    /// A file system in memory of so many bytes (as `mount` reads them), open to everybody, at `dir`.
    #[must_use]
    pub fn in_memory(dir: &Path, size: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        as_root(&["mount", "-t", "tmpfs", "-o", &format!("size={size},mode=0777"), "tmpfs", text(dir)]);
        Self { dir: dir.to_path_buf() }
    }

    /// The folder `content`, seen at `dir` too, as a drive that can be pulled out and put in again.
    #[must_use]
    pub fn of_folder(content: &Path, dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        as_root(&["mount", "--bind", text(content), text(dir)]);
        Self { dir: dir.to_path_buf() }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Mounts it anew with these options.
    pub fn remount(&self, options: &str) {
        as_root(&["mount", "-o", &format!("remount,{options}"), text(&self.dir)]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: it goes at once for whoever looks for a name, and for good when nobody has a file of it open.
        as_root(&["umount", "--lazy", text(&self.dir)]);
    }
}

/// Runs a program as root.
///
/// # Panics
/// Where that is not allowed, or the program fails.
pub fn as_root(words: &[&str]) {
    let words = if is_root() { words.to_vec() } else { [&["sudo", "-n"], words].concat() };
    let status = Command::new(words[0]).args(&words[1..]).status().unwrap();
    assert!(status.success(), "{words:?} needs root: see cargo xtask test --unprivileged");
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}
