//! Files to move: random bytes from a fixed seed, a few large ones and many small ones, as games have.

use crate::{
    failure::{AtPath, Failure},
    place,
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// A folder for the run, removed at its end; on a RAM disk where there is one.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Empty, for the benchmark `name`.
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let ram = Path::new("/dev/shm");
        let base = if ram.is_dir() { ram.join("muster-bench") } else { place::ours("bench")? };
        let dir = base.join(name);
        let _absent_at_first = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).at(&dir)?;
        Ok(Self(dir))
    }

    /// The same for this process alone; what processes that were killed left of it goes first.
    pub(crate) fn of_this_process(name: &str) -> Result<Self, Failure> {
        let own = Self::new(&format!("{name}-{}", std::process::id()))?;
        let beside = own.0.parent().into_iter().flat_map(fs::read_dir).flatten().flatten();
        for entry in beside {
            let file_name = entry.file_name();
            let owner = file_name.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('-'));
            let owner = owner.filter(|id| id.parse::<u32>().is_ok());
            if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
                let _best_effort = fs::remove_dir_all(entry.path());
            }
        }
        Ok(own)
    }

    /// A folder in it, made.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).at(&dir)?;
        Ok(dir)
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// Fills `dir` with `total` bytes: seven eighths in four large files, the rest in files of 64 KiB.
pub(crate) fn fill(dir: &Path, total: u64) -> Result<u64, Failure> {
    fill_mixed(dir, total / 8 / (64 * 1024), total)
}

/// Fills `dir` with `total` bytes in so many files of one size.
pub(crate) fn fill_evenly(dir: &Path, files: u64, total: u64) -> Result<u64, Failure> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for index in 0..files {
        write(&dir.join(format!("{index}.pak")), total / files, &mut random)?;
    }
    Ok(total / files * files)
}

/// Fills `dir` with `total` bytes: all but an eighth in four large files, the rest in `small` equal ones.
pub(crate) fn fill_mixed(dir: &Path, small: u64, total: u64) -> Result<u64, Failure> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (large, each) = (total / 8 * 7 / 4, total / 8 / small);
    for index in 0..4 {
        write(&dir.join(format!("large/{index}.pak")), large, &mut random)?;
    }
    for index in 0..small {
        write(&dir.join(format!("small/{}/{index}.dat", index % 16)), each, &mut random)?;
    }
    Ok(large * 4 + each * small)
}

/// Xorshift: bytes that no compressor shortens, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn write(path: &Path, length: u64, random: &mut Random) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).at(folder)?;
    let mut file = fs::File::create(path).at(path)?;
    let mut left = length;
    while left > 0 {
        let block: Vec<u8> = (0..8192).flat_map(|_| random.next().to_le_bytes()).collect();
        let now = left.min(block.len() as u64);
        file.write_all(&block[..now as usize]).at(path)?;
        left -= now;
    }
    Ok(())
}
