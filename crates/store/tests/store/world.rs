//! Releases made of a few lines, a folder to install them in, and a look at what stands there.

use release::{
    hash::Hash32,
    id::Version,
    layout::PieceLayers,
    manifest::{Kind, Manifest},
    merkle::FileHasher,
    plan::Source,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use store::{
    GameFolder, Job, Result, Staging,
    apply::{Applied, apply},
    fs::{Fs, fault::FaultFs},
    place::Places,
    prepare::prepare,
    state::FolderState,
};

pub const PIECE: u32 = 32_768;

/// A file of a release: path, bytes, and what else the test says.
#[derive(Debug, Clone)]
pub struct F {
    pub path: String,
    pub bytes: Vec<u8>,
    pub executable: bool,
    pub user: bool,
}

pub fn f(path: &str, bytes: impl Into<Vec<u8>>) -> F {
    F { path: path.into(), bytes: bytes.into(), executable: false, user: false }
}

/// Bytes that differ by seed.
pub fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[derive(Debug, Clone)]
pub struct Release {
    pub manifest: Manifest,
    pub layers: PieceLayers,
    pub contents: BTreeMap<Hash32, Vec<u8>>,
    pub files: Vec<F>,
}

pub fn release(version: &str, files: &[F], empty_dirs: &[&str]) -> Release {
    let mut files = files.to_vec();
    let path = |f: &F| f.path.parse::<release::path::GamePath>().unwrap();
    files.sort_by_key(path);
    let (mut entries, mut contents, mut layered) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(&file.bytes);
        let hashes = hasher.finish();
        if let Some(root) = hashes.pieces_root {
            contents.insert(root, file.bytes.clone());
        }
        if !hashes.layer.is_empty() {
            layered.push((index, hashes.layer));
        }
        entries.push(release::manifest::ManifestFile {
            path: path(file),
            size: file.bytes.len() as u64,
            executable: file.executable,
            pieces_root: hashes.pieces_root,
            kind: if file.user { Kind::User } else { Kind::Content },
            set: Default::default(),
        });
    }
    let manifest = Manifest {
        format: 1,
        game: "game".parse().unwrap(),
        version: version.parse::<Version>().unwrap(),
        title: "Game".into(),
        piece_length: PIECE,
        files: entries,
        empty_dirs: empty_dirs.iter().map(|dir| dir.parse().unwrap()).collect(),
        launch: BTreeMap::new(),
        notes: String::new(),
    };
    manifest.check().unwrap();
    let layout = manifest.layout().unwrap();
    let mut layers = PieceLayers::default();
    for (index, layer) in layered {
        layers.insert(&layout, index, layer).unwrap();
    }
    Release { manifest, layers, contents, files }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(Vec<u8>, bool),
}
pub type Tree = BTreeMap<String, Node>;

/// The tree that a release installs into an empty folder.
pub fn tree_of(release: &Release) -> Tree {
    let mut tree = Tree::new();
    for file in &release.files {
        tree.insert(file.path.clone(), Node::File(file.bytes.clone(), file.executable));
        add_parents(&mut tree, &file.path);
    }
    for dir in &release.manifest.empty_dirs {
        tree.insert(dir.to_string(), Node::Dir);
        add_parents(&mut tree, dir.as_str());
    }
    tree
}

fn add_parents(tree: &mut Tree, path: &str) {
    let mut rest = path;
    while let Some((above, _)) = rest.rsplit_once('/') {
        tree.insert(above.into(), Node::Dir);
        rest = above;
    }
}

/// What stands in a folder, our own state left out.
pub fn look(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(dir, "", &mut tree);
    tree
}

fn walk(dir: &Path, inner: &str, tree: &mut Tree) {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(dir.join(inner)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if inner.is_empty() { name } else { format!("{inner}/{name}") };
        if path == ".muster" {
            continue;
        }
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            tree.insert(path.clone(), Node::Dir);
            walk(dir, &path, tree);
        } else if meta.is_file() {
            let executable = meta.permissions().mode() & 0o100 != 0;
            tree.insert(path.clone(), Node::File(fs::read(dir.join(&path)).unwrap(), executable));
        } else {
            tree.insert(path, Node::File(b"(link)".to_vec(), false));
        }
    }
}

/// A folder on a breakable disk.
pub struct World {
    pub fs: FaultFs,
    pub dir: PathBuf,
    _temp: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        // Thousands of folders: in memory where the system offers it.
        let memory = Path::new("/dev/shm");
        let temp = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let stash = temp.path().join("stash");
        fs::create_dir(&stash).unwrap();
        Self {
            fs: FaultFs::new(&stash),
            dir: temp.path().canonicalize().unwrap().join("Game ü"),
            _temp: temp,
        }
    }

    pub fn seam(&self) -> Arc<dyn Fs> {
        Arc::new(self.fs.clone())
    }

    pub fn create(&self) -> GameFolder {
        GameFolder::create(self.seam(), &self.dir, &Places::default(), &state()).unwrap()
    }

    pub fn open(&self) -> Result<GameFolder> {
        GameFolder::open(self.seam(), &self.dir)
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn look(&self) -> Tree {
        look(&self.dir)
    }

    /// As [`World::look`], where the folder may be gone.
    pub fn try_look(&self) -> Tree {
        if self.dir.is_dir() { look(&self.dir) } else { Tree::new() }
    }

    /// A file beside the game folder.
    pub fn outside(&self) -> PathBuf {
        self.dir.with_file_name("outside")
    }
}

pub fn state() -> FolderState {
    let (game, channel) = ("game".parse().unwrap(), "live".parse().unwrap());
    FolderState::new("https://example.org/".into(), Hash32([1; 32]), game, channel)
}

pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_392_000)
}

/// Watched by nobody, in one thread: every run makes the same calls.
pub fn job() -> Job<'static> {
    Job { threads: 1, ..Job::unwatched() }
}

/// Prepares and "downloads" what is missing; the bytes that came.
pub fn stage(folder: &mut GameFolder, release: &Release) -> Result<(Staging, u64)> {
    let (staging, fetched, expected) = stage_counted(folder, release)?;
    assert_eq!(fetched, expected, "the plan says what is fetched");
    Ok((staging, fetched))
}

/// As [`stage`], on a disk that may have made the plan's figure untrue meanwhile.
pub fn try_stage(folder: &mut GameFolder, release: &Release) -> Result<(Staging, u64)> {
    stage_counted(folder, release).map(|(staging, fetched, _)| (staging, fetched))
}

fn stage_counted(folder: &mut GameFolder, release: &Release) -> Result<(Staging, u64, u64)> {
    let staging = Staging::open(folder, &release.manifest)?;
    let prepared = prepare(folder, &release.manifest, &release.layers, &staging, &job())?;
    let mut fetched = 0;
    let roots: BTreeSet<Hash32> = (prepared.plan.files.iter())
        .filter_map(|source| if let Source::Fetch { root } = source { Some(*root) } else { None })
        .collect();
    for root in roots {
        fetched += fetch(&staging, &root, &release.contents[&root])?;
    }
    staging.flush()?;
    Ok((staging, fetched, prepared.fetch_bytes))
}

/// Stages the pieces of a content that are not there.
pub fn fetch(staging: &Staging, root: &Hash32, bytes: &[u8]) -> Result<u64> {
    let mut fetched = 0;
    for (piece, bytes) in (0_u64..).zip(bytes.chunks(PIECE as usize)) {
        let offset = piece * u64::from(PIECE);
        if !staging.has(root, offset, bytes.len() as u64) {
            staging.write_at(root, offset, bytes)?;
            staging.verified(root, offset, bytes.len() as u64);
            fetched += bytes.len() as u64;
        }
    }
    Ok(fetched)
}

pub fn install(folder: &mut GameFolder, release: &Release) -> Result<(Applied, u64)> {
    let (staging, fetched) = stage(folder, release)?;
    let applied = apply(folder, &staging, &release.manifest, &release.layers, now(), &job())?;
    Ok((applied, fetched))
}

/// Two releases that differ in every way there is: changed, added, gone, renamed, swapped, renamed
/// by case only, doubled, emptied, bit changed, file become folder and folder become file.
pub fn two_releases() -> (Release, Release) {
    let program = |bytes| F { executable: true, ..f("bin/game", bytes) };
    let save = |bytes| F { user: true, ..f("save/settings.cfg", bytes) };
    let old = [
        program(noise(1, 40_000)),
        f("data/pack", noise(2, 100_000)),
        f("data/gone", noise(3, 20_000)),
        f("old/deep/inside/only", noise(4, 10)),
        f("names/a", noise(5, 500)),
        f("names/b", noise(6, 600)),
        f("names/Readme", noise(7, 70)),
        f("shape/file", noise(8, 80)),
        f("shape/folder/inner", noise(9, 90)),
        f("mode", noise(10, 100)),
        f("same", noise(11, 33_000)),
        f("empty", []),
        save(b"volume=5".to_vec()),
    ];
    let mut pack = noise(2, 100_000);
    pack[40_000] ^= 1;
    let new = [
        program(noise(21, 41_000)),
        f("data/pack", pack),
        f("data/added", noise(23, 50_000)),
        f("data/added twice", noise(23, 50_000)),
        f("names/a", noise(6, 600)),
        f("names/b", noise(5, 500)),
        f("names/README", noise(7, 70)),
        f("names/copy of a", noise(6, 600)),
        f("shape/file/inner", noise(28, 80)),
        f("shape/folder", noise(29, 90)),
        F { executable: true, ..f("mode", noise(10, 100)) },
        f("same", noise(11, 33_000)),
        f("moved/empty", []),
        save(b"volume=9".to_vec()),
    ];
    (release("1.0", &old, &["logs/old"]), release("1.1", &new, &["logs/new"]))
}
