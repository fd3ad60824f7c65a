//! File systems of our own, made, mounted and taken away by a test. All of it needs root.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Takes mount, device and files away when its standard input ends: with the test, however that ends.
const GUARDIAN: &str =
    r#"cat >/dev/null; umount --lazy "$1"; if [ -n "$2" ]; then losetup --detach "$2"; fi; rm -rf "$3""#;

/// A mounted file system.
#[derive(Debug)]
pub struct Volume {
    pub dir: PathBuf,
    device: String,
    guardian: Child,
}

impl Volume {
    /// An empty file system of a kind that `mkfs` knows, in a file in memory behind a loop device, which is attached once:
    /// two devices over one file do not see the same.
    pub fn format(kind: &str) -> Self {
        let home = home();
        let image = home.join("image");
        // The smallest that mkfs.xfs makes; it stays sparse.
        fs::File::create(&image).unwrap().set_len(320 << 20).unwrap();
        let device = as_root(&["losetup", "--find", "--show", text(&image)]);
        let volume = Self::guarded(&home, device);
        as_root(&[&format!("mkfs.{kind}"), "-q", &volume.device]);
        volume.mount();
        as_root(&["chmod", "0777", text(&volume.dir)]);
        volume
    }

    /// A file system in memory of so many KiB.
    pub fn of_kib(kib: u64) -> Self {
        let volume = Self::guarded(&home(), String::new());
        as_root(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &format!("size={kib}k,mode=0777"),
            "tmpfs",
            text(&volume.dir),
        ]);
        volume
    }

    fn guarded(home: &Path, device: String) -> Self {
        let dir = home.join("mounted");
        fs::create_dir(&dir).unwrap();
        let mut guardian = root(&["sh", "-c", GUARDIAN, "sh", text(&dir), &device, text(home)]);
        // A group of its own, so that Ctrl-C does not end it with the test.
        guardian.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self { dir, device, guardian: guardian.spawn().unwrap() }
    }

    pub fn resize(&self, kib: u64) {
        as_root(&["mount", "-o", &format!("remount,size={kib}k"), text(&self.dir)]);
    }

    /// The power fails: what is not on the disk is lost. With `log`, the file system's own log still gets there.
    pub fn cut(dir: &Path, log: bool) {
        let words = if log { "shutdown -f" } else { "shutdown" };
        as_root(&["xfs_io", "-x", "-c", words, text(dir)]);
    }

    /// As the machine starts again. Nothing may be open on it.
    pub fn restart(&self) {
        as_root(&["umount", text(&self.dir)]);
        self.mount();
    }

    fn mount(&self) {
        as_root(&["mount", &self.device, text(&self.dir)]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn home() -> PathBuf {
    tempfile::tempdir_in("/dev/shm").unwrap().keep()
}

/// Runs to its end as root, and returns the first line of what it said.
pub fn as_root(words: &[&str]) -> String {
    let output = root(words).output().unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

fn root(words: &[&str]) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap();
    let words = if id.stdout == b"0\n" { words.to_vec() } else { [&["sudo", "-n"], words].concat() };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
