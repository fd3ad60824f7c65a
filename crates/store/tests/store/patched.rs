//! Patches: what a segment yields is staged where it hashes, and nothing else ever is; payloads are kept within a bound.

use crate::world::*;
use delta::{Effort, Method};
use release::{
    manifest::Manifest,
    patch::{Patch, Payload, Segment, Span},
};
use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
};
use store::{
    GameFolder, Staging, StoreError,
    apply::apply,
    patch::{Made, Patching, Unusable, cache::Cache},
    prepare::prepare,
};

const BIG: usize = 5 * PIECE as usize + 777;

/// An old release, a new one with 40 bytes put in near the beginning of a big file and small files changed.
fn releases() -> (Release, Release) {
    let big = noise(1, BIG);
    let changed = [&big[..1000], &noise(2, 40), &big[1000..]].concat();
    let small = |number: u8, salt: u8| [noise(number, 3_000), vec![salt; 9]].concat();
    let old: Vec<F> = (3..8)
        .map(|n| f(&format!("small/{n}"), small(n, 0)))
        .chain([f("big", big), f("gone", noise(40, 500))])
        .collect();
    let new: Vec<F> = (3..8)
        .map(|n| f(&format!("small/{n}"), small(n, 1)))
        .chain([f("big", changed), f("added", noise(41, 600))])
        .collect();
    (release("1.0", &old, &[]), release("1.1", &new, &[]))
}

fn whole(manifest: &Manifest, path: &str) -> Span {
    let at = manifest.files.iter().position(|file| file.path.as_str() == path).unwrap();
    Span { file: at as u32, offset: 0, length: manifest.files[at].size }
}

fn bytes_of(release: &Release, spans: &[Span]) -> Vec<u8> {
    let file = |span: &Span| &release.files[span.file as usize].bytes;
    spans.iter().flat_map(|s| file(s)[s.offset as usize..s.end() as usize].to_vec()).collect()
}

/// A segment and its payload.
fn segment(old: &Release, new: &Release, sources: Vec<Span>, targets: Vec<Span>) -> (Segment, Vec<u8>) {
    fed(old, new, (sources, vec![]), targets)
}

/// The same, made of new bytes, too.
fn fed(
    old: &Release,
    new: &Release,
    (sources, made): (Vec<Span>, Vec<Span>),
    targets: Vec<Span>,
) -> (Segment, Vec<u8>) {
    let (from, to) = ([bytes_of(old, &sources), bytes_of(new, &made)].concat(), bytes_of(new, &targets));
    let payload = delta::encode(Method::Reference, &from, &to, Effort::Quick).unwrap();
    let lengths = (from.len() as u64, to.len() as u64, payload.len() as u64);
    let segment = Segment {
        method: Method::Reference.into(),
        sources,
        made,
        targets,
        payload_offset: 0,
        payload_length: lengths.2,
        memory_bytes: delta::decode_memory(Method::Reference, lengths.0, lengths.1, lengths.2),
    };
    (segment, payload)
}

/// The patch: the small files in one segment, the big one in two windows, the second made of the first, too, the new one
/// alone.
fn patch(old: &Release, new: &Release) -> (Patch, Vec<u8>) {
    let (from, to) = (&old.manifest, &new.manifest);
    let small = |manifest| (3..8).map(|n| whole(manifest, &format!("small/{n}"))).collect::<Vec<_>>();
    let big = whole(to, "big");
    let half = 2 * u64::from(PIECE);
    let (first, second) =
        (Span { length: half, ..big }, Span { offset: half, length: big.length - half, ..big });
    let made = [
        segment(old, new, small(from), small(to)),
        segment(old, new, vec![whole(from, "big")], vec![first]),
        fed(old, new, (vec![whole(from, "big")], vec![first]), vec![second]),
        segment(old, new, vec![], vec![whole(to, "added")]),
    ];
    let (mut segments, mut payload) = (Vec::new(), Vec::new());
    for (mut segment, bytes) in made {
        segment.payload_offset = payload.len() as u64;
        payload.extend(bytes);
        segments.push(segment);
    }
    let patch = Patch { payload: Payload::of(&payload), segments, layers: new.layers.clone() };
    patch.check(from, to).unwrap();
    (patch, payload)
}

/// A folder with the old release and everything for the way to the new one, the payload fetched.
struct Scene {
    world: World,
    folder: GameFolder,
    new: Release,
    patching: Patching,
    staging: Arc<Staging>,
}

impl Scene {
    fn new(spoil_payload: impl FnOnce(&mut Vec<u8>), spoil_folder: impl FnOnce(&World)) -> Self {
        let (old, new) = releases();
        let world = World::new();
        let mut folder = world.create();
        install(&mut folder, &old).unwrap();
        spoil_folder(&world);
        let (patch, mut payload) = patch(&old, &new);
        spoil_payload(&mut payload);
        let patch = Patch { payload: Payload::of(&payload), ..patch };
        let staging = Arc::new(Staging::open(&folder, &new.manifest).unwrap());
        prepare(&mut folder, &new.manifest, &new.layers, &staging, &job()).unwrap();
        let torrent = patch.payload.metainfo("game-1.0-1.1.patch", vec![], vec![]).unwrap();
        let kept = Arc::new(Cache::of(&folder).open(&torrent).unwrap());
        fetch(&kept, &patch.payload.root, &payload).unwrap();
        let manifests = (Arc::new(old.manifest), Arc::new(new.manifest.clone()));
        let patching = Patching::new(
            &folder,
            manifests,
            new.layers.clone(),
            Arc::new(patch),
            kept,
            Arc::clone(&staging),
        );
        Self { world, folder, new, patching, staging }
    }

    fn apply_all(&self) -> Vec<Result<Made, Unusable>> {
        let go_on = AtomicBool::new(false);
        (0..4)
            .map(|segment| {
                assert!(self.patching.is_ready(segment) && self.patching.memory(segment) > 0);
                self.patching.apply(segment, &go_on).unwrap()
            })
            .collect()
    }

    /// Fetches what is missing and applies; the bytes that had to be fetched.
    fn finish(mut self) -> u64 {
        let mut fetched = 0;
        for (root, bytes) in &self.new.contents {
            if !self.staging.is_complete(root) {
                fetched += fetch(&self.staging, root, bytes).unwrap();
            }
        }
        self.staging.flush().unwrap();
        apply(&mut self.folder, &self.staging, &self.new.manifest, &self.new.layers, now(), &job()).unwrap();
        assert_eq!(self.world.look(), tree_of(&self.new));
        fetched
    }
}

#[test]
fn segments_yield_the_new_release_and_count_what_they_write() {
    let scene = Scene::new(|_| (), |_| ());
    let made = scene.apply_all();
    let good: u64 = made.iter().map(|made| made.as_ref().unwrap().good_bytes).sum();
    assert_eq!(good, scene.new.contents.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(scene.patching.written_bytes(), good);
    // What is staged already is not made again.
    assert_eq!(scene.apply_all().len(), 4);
    assert_eq!(scene.patching.written_bytes(), good);
    assert_eq!(scene.finish(), 0);
}

#[test]
fn what_is_made_of_new_bytes_waits_for_them() {
    let scene = Scene::new(|_| (), |_| ());
    let go_on = AtomicBool::new(false);
    assert!((0..4).map(|segment| scene.patching.is_fed(segment)).eq([true, true, false, true]));
    let early = scene.patching.apply(2, &go_on).unwrap().unwrap_err();
    assert_eq!(early.code(), "PATCH_SOURCE");
    assert!(early.to_string().contains("big"), "{early}");
    assert_eq!(scene.patching.written_bytes(), 0);
    scene.patching.apply(1, &go_on).unwrap().unwrap();
    assert!(scene.patching.is_fed(2));
    assert_eq!(scene.patching.apply(2, &go_on).unwrap().unwrap().false_bytes, 0);
    scene.apply_all();
    assert_eq!(scene.finish(), 0);
}

#[test]
fn a_damaged_old_file_costs_only_what_is_made_of_it() {
    let scene = Scene::new(
        |_| (),
        |world| {
            let mut big = noise(1, BIG);
            big[BIG - 10] ^= 1;
            world.write("big", &big);
        },
    );
    let made: Vec<Made> = scene.apply_all().into_iter().map(Result::unwrap).collect();
    assert!(made[2].false_bytes > 0 && made[2].false_bytes <= u64::from(PIECE), "{made:?}");
    assert_eq!(made.iter().map(|made| made.false_bytes).sum::<u64>(), made[2].false_bytes);
    let missing = made[2].false_bytes;
    assert_eq!(scene.finish(), missing, "just that piece is fetched");
}

#[test]
fn an_old_file_that_is_missing_short_or_a_link_leaves_its_segments_unmade() {
    let spoils: [fn(&World); 3] = [
        |world| fs::remove_file(world.dir.join("big")).unwrap(),
        |world| world.write("big", &noise(1, BIG)[..BIG - 1]),
        |world| {
            let big = world.dir.join("big");
            fs::rename(&big, world.dir.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", &big).unwrap();
        },
    ];
    for spoil in spoils {
        let scene = Scene::new(|_| (), spoil);
        let made = scene.apply_all();
        assert!(made[0].is_ok() && made[3].is_ok());
        for unmade in &made[1..3] {
            let error = unmade.as_ref().unwrap_err();
            assert_eq!(error.code(), "PATCH_SOURCE");
            assert!(error.to_string().contains("big"), "{error}");
        }
    }
}

#[test]
fn a_payload_that_lies_yields_nothing_false() {
    for at in [0, 40, 400] {
        let scene = Scene::new(|payload| payload[at] ^= 0x55, |_| ());
        let made = scene.apply_all();
        let good: u64 = made.iter().flatten().map(|made| made.good_bytes).sum();
        let all: u64 = scene.new.contents.values().map(|bytes| bytes.len() as u64).sum();
        for unmade in made.iter().filter_map(|made| made.as_ref().err()) {
            assert_eq!(unmade.code(), "PATCH_PAYLOAD");
        }
        assert!(good < all);
        assert_eq!(scene.finish(), all - good, "byte {at}");
    }
}

#[test]
fn a_method_that_is_not_known_and_a_payload_that_is_not_here() {
    let (old, new) = releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    let (mut patch, payload) = patch(&old, &new);
    patch.segments[0].method = 250;
    let staging = Arc::new(Staging::open(&folder, &new.manifest).unwrap());
    let torrent = patch.payload.metainfo("p", vec![], vec![]).unwrap();
    let kept = Arc::new(Cache::of(&folder).open(&torrent).unwrap());
    let manifests = (Arc::new(old.manifest), Arc::new(new.manifest.clone()));
    let root = patch.payload.root;
    let patching = Patching::new(&folder, manifests, new.layers, Arc::new(patch), Arc::clone(&kept), staging);
    let (go_on, stop) = (AtomicBool::new(false), AtomicBool::new(true));
    assert!(!patching.is_ready(1));
    assert_eq!(patching.apply(1, &go_on).unwrap().unwrap_err().code(), "PATCH_ABSENT");
    fetch(&kept, &root, &payload).unwrap();
    assert_eq!(patching.apply(0, &go_on).unwrap().unwrap_err().code(), "PATCH_METHOD");
    assert!(matches!(patching.apply(1, &stop), Err(StoreError::Cancelled)));
    assert!(patching.apply(1, &go_on).unwrap().is_ok());
}

#[test]
fn a_payload_survives_a_kill_and_is_not_fetched_twice() {
    let scene = Scene::new(|_| (), |_| ());
    let (_, new) = releases();
    let (patch, payload) = patch(&releases().0, &new);
    let Scene { world, folder, patching, .. } = scene;
    drop((patching, folder));
    let folder = world.open().unwrap();
    let cache = Cache::of(&folder);
    let root = patch.payload.root;
    assert_eq!(cache.have(&root).unwrap().bytes_of(&root), 0, "never flushed, so never believed");
    let torrent = patch.payload.metainfo("game-1.0-1.1.patch", vec![], vec![]).unwrap();
    let kept = cache.open(&torrent).unwrap();
    assert_eq!(fetch(&kept, &root, &payload).unwrap(), payload.len() as u64);
    kept.flush().unwrap();
    drop((kept, folder));
    let folder = world.open().unwrap();
    let kept = Cache::of(&folder).open(&torrent).unwrap();
    assert_eq!(fetch(&kept, &root, &payload).unwrap(), 0);
}

#[test]
fn the_oldest_payloads_go_first_and_false_ones_are_not_passed_on() {
    let world = World::new();
    let folder = world.create();
    let cache = Cache::of(&folder);
    let payloads: Vec<Vec<u8>> = (0..4).map(|seed| noise(seed, 20_000)).collect();
    let mut roots = Vec::new();
    for (number, bytes) in payloads.iter().enumerate() {
        let payload = Payload::of(bytes);
        let torrent = payload.metainfo(&format!("game-{number}.patch"), vec![], vec![]).unwrap();
        let kept = cache.open(&torrent).unwrap();
        fetch(&kept, &payload.root, bytes).unwrap();
        kept.flush().unwrap();
        roots.push(payload.root);
    }
    // Used again, so it is the newest.
    let again = Payload::of(&payloads[0]).metainfo("game-0.patch", vec![], vec![]).unwrap();
    cache.open(&again).unwrap();
    let patches = world.dir.join(".muster/patches");
    fs::write(patches.join("litter"), "x").unwrap();
    cache.trim(45_000).unwrap();
    let names = |count| -> Vec<String> {
        let roots = cache.roots().unwrap().into_iter().take(count);
        roots.map(|root| cache.load(&root).unwrap().unwrap().torrent.name).collect()
    };
    assert_eq!(names(9), ["game-0.patch", "game-3.patch"]);
    assert_eq!(names(1), ["game-0.patch"]);
    assert_eq!(fs::read_dir(&patches).unwrap().count(), 5, "two payloads, two torrents, the list");
    // Somebody changed a byte.
    let lies = patches.join(roots[3].to_string()).join(roots[3].to_string());
    let mut bytes = fs::read(&lies).unwrap();
    bytes[17_000] ^= 1;
    fs::write(&lies, bytes).unwrap();
    let kept: Vec<_> = cache.roots().unwrap().iter().map(|root| cache.load(root).unwrap().unwrap()).collect();
    assert_eq!(kept[0].staging.pieces(&kept[0].torrent.layout), [0, 1]);
    assert_eq!(kept[1].staging.pieces(&kept[1].torrent.layout), [0], "the changed piece is not had");
    drop(kept);
    cache.trim(0).unwrap();
    assert!(cache.load(&roots[0]).unwrap().is_none());
    assert!(names(9).is_empty());
    assert_eq!(fs::read_dir(&patches).unwrap().count(), 1, "nothing but the list");
    drop(folder);
}
