//! Folders of files: grown from a seed, compared byte by byte.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A file with its bytes and whether it may be executed.
    File {
        /// All of it.
        bytes: Vec<u8>,
        /// By its owner.
        executable: bool,
    },
}

/// Everything under `dir` by relative path, our own state folder left out.
#[must_use]
pub fn read(dir: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(dir).unwrap().to_path_buf();
            if relative == Path::new(".muster") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                found.insert(relative, Entry::Folder);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(relative, Entry::File { bytes, executable: is_executable(&path) });
            }
        }
    }
    found
}

/// Panics, naming the first path, where the two folders differ.
pub fn assert_same(expected: &Path, got: &Path) {
    let (left, right) = (read(expected), read(got));
    for (path, entry) in &left {
        match right.get(path) {
            None => panic!("{} is missing in {}", path.display(), got.display()),
            Some(other) if other != entry => panic!("{} differs in {}", path.display(), got.display()),
            Some(_) => {}
        }
    }
    let more: Vec<_> = right.keys().filter(|path| !left.contains_key(*path)).collect();
    assert!(more.is_empty(), "{} has more than it should: {more:?}", got.display());
}

/// Bytes of all files under `dir`.
#[must_use]
pub fn total(dir: &Path) -> u64 {
    let size = |entry: &Entry| match entry {
        Entry::Folder => 0,
        Entry::File { bytes, .. } => bytes.len() as u64,
    };
    read(dir).values().map(size).sum()
}

/// Grows a folder from `seed`: nested folders, empty files, files that end exactly with a block, a
/// piece or two pieces of `piece_length`, one byte more and less, executables, names beyond ASCII.
pub fn grow(dir: &Path, seed: u64, piece_length: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    eprintln!("tree from seed {seed}");
    let edges = [0, 1, 16_383, 16_384, 16_385, piece_length - 1, piece_length, piece_length + 1];
    let sizes = edges.into_iter().chain([2 * piece_length, 5 * piece_length + 77]);
    for (index, size) in sizes.enumerate() {
        write(&dir.join(format!("edge/{index}-{size}.bin")), size, &mut random);
    }
    let names = ["a", "a.b", "a-b", "B", "grün", "世界", "with space", "x#y%z&'"];
    for _ in 0..20 {
        let depth = random.usize(0..4);
        let folder: PathBuf = (0..depth).map(|_| format!("f{}", random.u8(0..3))).collect();
        let name = format!("{}.{}", names[random.usize(0..names.len())], random.u16(..));
        let size = random.usize(0..3 * piece_length);
        write(&dir.join(folder).join(name), size, &mut random);
    }
    set_executable(&dir.join("edge/1-1.bin"));
    set_executable(&dir.join(format!("edge/8-{}.bin", 2 * piece_length)));
}

/// Writes one file of random bytes, with the folders above it.
pub fn write(path: &Path, size: usize, random: &mut fastrand::Rng) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = vec![0; size];
    random.fill(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    false
}

/// Lets its owner execute `path`, where systems know that.
pub fn set_executable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}
