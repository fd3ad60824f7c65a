//! Preloads: a sealed bundle becomes the new release, and whatever is wrong with it leaves the old one.

use crate::world::*;
use release::{
    hash::Hash32,
    id::Version,
    merkle::FileHasher,
    patch::Payload,
    sealed::{BundleCipher, Head, ReleaseKey, Run, SEGMENT_BYTES, plain_bytes, sealed_span},
};
use std::{fs, sync::Arc};
use store::{
    GameFolder, Staging,
    apply::apply,
    fs::fault::Fault,
    patch::cache::Cache,
    preload::{Attempt, Bundle, Opened, Sealed, Unopened},
    prepare::prepare,
};

const BIG: usize = 3 * SEGMENT_BYTES as usize + 12_345;

fn key(version: &str, byte: u8) -> ReleaseKey {
    ReleaseKey::new("game".parse().unwrap(), version.parse().unwrap(), [byte; 32])
}

fn releases() -> (Release, Release) {
    let (mut old, mut new) = two_releases();
    let with = |release: &Release, version, more: F| {
        let mut files = release.files.clone();
        files.push(more);
        let empty: Vec<String> = release.manifest.empty_dirs.iter().map(ToString::to_string).collect();
        crate::world::release(version, &files, &empty.iter().map(String::as_str).collect::<Vec<_>>())
    };
    old = with(&old, "1.0", f("big", noise(60, 1000)));
    new = with(&new, "1.1", f("big", noise(61, BIG)));
    (old, new)
}

/// The plain bundle with all of a release; `spoil` changes head and body first.
fn bundle(new: &Release, spoil: impl FnOnce(&mut Head, &mut Vec<u8>)) -> Vec<u8> {
    let manifest = new.manifest.encode();
    let torrent = new.manifest.metainfo(new.layers.clone(), vec![], vec![]).unwrap().encode();
    let mut head = Head { manifest_bytes: manifest.len() as u64, manifest, torrent, ..Head::default() };
    let mut body = Vec::new();
    for (root, bytes) in &new.contents {
        let start = body.len();
        for piece in bytes.chunks(PIECE as usize * 2) {
            body.extend(zstd::bulk::compress(piece, 1).unwrap());
        }
        let (length, stored) = (bytes.len() as u64, (body.len() - start) as u64);
        head.runs.push(Run { root: *root, offset: 0, length, stored });
    }
    spoil(&mut head, &mut body);
    [head.encode().unwrap(), body].concat()
}

fn seal(plain: &[u8], key: &ReleaseKey, from: Option<&Version>) -> Vec<u8> {
    let cipher = BundleCipher::new(key, from, plain.len() as u64);
    let mut sealed = Vec::new();
    for (segment, part) in (0..).zip(plain.chunks(SEGMENT_BYTES as usize)) {
        let mut part = part.to_vec();
        cipher.seal(segment, &mut part).unwrap();
        sealed.extend(part);
    }
    sealed
}

/// 1.0 stands, and these sealed bytes were downloaded.
struct Scene {
    world: World,
    folder: GameFolder,
    old: Release,
    new: Release,
    sealed: Sealed,
}

impl Scene {
    fn new(make: impl FnOnce(&Release) -> Vec<u8>) -> Self {
        let (old, new) = releases();
        let bytes = make(&new);
        let world = World::new();
        let mut folder = world.create();
        install(&mut folder, &old).unwrap();
        let payload = Payload::of(&bytes);
        let torrent = payload.metainfo("game-1.1.sealed", vec![], vec![]).unwrap();
        let staging = Arc::new(Cache::preloads(&folder).open(&torrent).unwrap());
        staging.write_at(&payload.root, 0, &bytes).unwrap();
        staging.verified(&payload.root, 0, payload.size);
        staging.flush().unwrap();
        let sealed = Sealed { staging, root: payload.root, bytes: payload.size, from: None };
        Self { world, folder, old, new, sealed }
    }

    fn honest() -> Self {
        Self::new(|new| seal(&bundle(new, |_, _| ()), &key("1.1", 5), None))
    }

    fn open(&self, key: &ReleaseKey) -> Attempt<Bundle> {
        Bundle::open(key, self.sealed.clone()).unwrap()
    }

    /// Opens it into staging.
    fn unlock(&mut self) -> (Staging, Opened) {
        let bundle = self.open(&key("1.1", 5)).unwrap();
        let staging = Staging::open(&self.folder, &self.new.manifest).unwrap();
        prepare(&mut self.folder, &self.new.manifest, &self.new.layers, &staging, &job()).unwrap();
        let opened = bundle.stage(&self.new.manifest, &self.new.layers, &staging, &job()).unwrap();
        (staging, opened)
    }

    fn stands_as_it_was(&self) {
        assert_eq!(self.world.look(), tree_of(&self.old));
        assert_eq!(self.folder.installed(), Some(&self.old.manifest));
    }

    fn refused(mut self, code: &str) {
        let unopened = match self.open(&key("1.1", 5)) {
            Err(unopened) => unopened,
            Ok(_) => self.unlock().1.unopened.unwrap(),
        };
        assert_eq!(unopened.code(), code, "{unopened}");
        self.stands_as_it_was();
    }
}

#[test]
fn a_preload_becomes_the_release_without_anything_else() {
    let mut scene = Scene::honest();
    let (staging, opened) = scene.unlock();
    assert!(opened.unopened.is_none() && opened.good_bytes > BIG as u64, "{opened:?}");
    scene.stands_as_it_was();
    apply(&mut scene.folder, &staging, &scene.new.manifest, &scene.new.layers, now(), &job()).unwrap();
    let mut expected = tree_of(&scene.new);
    // The player's own file stays as it was.
    expected.insert("save/settings.cfg".into(), tree_of(&scene.old)["save/settings.cfg"].clone());
    assert_eq!(scene.world.look(), expected);
    Cache::preloads(&scene.folder).trim(0).unwrap();
    let left = fs::read_dir(scene.world.dir.join(".muster/preload")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["index.json"], "sealed bytes go once they are opened");
}

#[test]
fn a_key_of_another_release_opens_nothing() {
    let scene = Scene::honest();
    for wrong in [key("1.2", 5), key("1.1", 6)] {
        assert_eq!(scene.open(&wrong).unwrap_err().code(), "PRELOAD_SEGMENT");
    }
    scene.stands_as_it_was();
}

#[test]
fn a_preload_of_another_version_is_refused() {
    Scene::new(|new| seal(&bundle(new, |_, _| ()), &key("1.2", 5), None)).refused("PRELOAD_SEGMENT");
    let from: Version = "0.9".parse().unwrap();
    Scene::new(|new| seal(&bundle(new, |_, _| ()), &key("1.1", 5), Some(&from))).refused("PRELOAD_SEGMENT");
    // Sealed with the right key, and content that is not the release's.
    let strange = |head: &mut Head, _: &mut Vec<u8>| head.runs[0].root = Hash32([7; 32]);
    Scene::new(|new| seal(&bundle(new, strange), &key("1.1", 5), None)).refused("PRELOAD_CONTENT");
}

#[test]
fn a_segment_that_does_not_open_costs_its_files_and_is_fetched_again() {
    let mut scene = Scene::honest();
    let plain = plain_bytes(scene.sealed.bytes).unwrap();
    let (offset, length) = sealed_span(plain, 2);
    let (root, bytes) = (scene.sealed.root, scene.sealed.bytes);
    scene.sealed.staging.write_at(&root, offset + 100, &[0xee; 3]).unwrap();
    let (_, opened) = scene.unlock();
    assert_eq!(opened.unopened.unwrap().code(), "PRELOAD_SEGMENT");
    scene.stands_as_it_was();
    // What the disk changed is found by its hash, and comes again.
    Cache::preloads(&scene.folder).recheck(&root).unwrap();
    let kept = Cache::preloads(&scene.folder).load(&root).unwrap().unwrap().staging;
    assert!(!kept.has(&root, offset, length), "it counts as missing");
    assert!(kept.staged_bytes_of(&root) + 2 * 65_536 > bytes, "little else does");
    let honest = seal(&bundle(&scene.new, |_, _| ()), &key("1.1", 5), None);
    kept.write_at(&root, 0, &honest).unwrap();
    kept.verified(&root, 0, bytes);
    scene.sealed.staging = Arc::new(kept);
    assert!(scene.unlock().1.unopened.is_none());
}

#[test]
fn sizes_that_lie_are_refused() {
    type Lie = fn(&mut Head, &mut Vec<u8>);
    let lies: [(Lie, &str); 6] = [
        (|head, _| head.runs[0].stored += 1, "PRELOAD_INVALID"),
        (|head, _| head.payload_bytes = u64::MAX, "PRELOAD_INVALID"),
        (|head, _| head.runs[0].length += 1, "PRELOAD_CONTENT"),
        (|head, _| head.runs[0].offset = u64::MAX, "PRELOAD_CONTENT"),
        (
            |head, body| {
                body.push(0);
                head.runs.last_mut().unwrap().stored += 1;
                head.runs[0].stored -= 1;
                head.runs[1].stored += 1;
            },
            "PRELOAD_CONTENT",
        ),
        (|_, body| body.truncate(body.len() - 1), "PRELOAD_INVALID"),
    ];
    for (number, (lie, code)) in lies.into_iter().enumerate() {
        println!("lie {number}");
        Scene::new(|new| seal(&bundle(new, lie), &key("1.1", 5), None)).refused(code);
    }
}

#[test]
fn a_frame_that_expands_past_its_bound_is_refused() {
    let swell = |head: &mut Head, body: &mut Vec<u8>| {
        // 64 MiB of zeros in a frame of a few bytes, in the place of the first content.
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
        let first = head.runs[0].stored as usize;
        body.splice(..first, bomb.iter().copied());
        head.runs[0].stored = bomb.len() as u64;
    };
    Scene::new(|new| seal(&bundle(new, swell), &key("1.1", 5), None)).refused("PRELOAD_CONTENT");
}

#[test]
fn a_truncated_preload_is_refused() {
    for cut in [1, 16, SEGMENT_BYTES as usize] {
        Scene::new(|new| {
            let mut sealed = seal(&bundle(new, |_, _| ()), &key("1.1", 5), None);
            sealed.truncate(sealed.len() - cut);
            sealed
        })
        .refused("PRELOAD_SEGMENT");
    }
    // Downloaded in part.
    let mut scene = Scene::honest();
    scene.sealed.staging.lost(&scene.sealed.root, SEGMENT_BYTES + 16, 100);
    let (_, opened) = scene.unlock();
    assert!(matches!(opened.unopened, Some(Unopened::Absent)), "{opened:?}");
    scene.stands_as_it_was();
}

#[test]
fn killed_in_mid_unlock_the_old_game_stands_and_it_goes_on() {
    let calls = {
        let mut scene = Scene::honest();
        let before = scene.world.fs.calls();
        let _ = scene.unlock();
        scene.world.fs.calls() - before
    };
    for number in (1..=calls).step_by(usize::try_from(calls / 30).unwrap().max(1)) {
        let mut scene = Scene::honest();
        let bundle = scene.open(&key("1.1", 5)).unwrap();
        let faults = [Fault::Kill, Fault::PowerCut { names: true }];
        scene.world.fs.arm(number, faults[(number % 2) as usize]);
        let tried = Staging::open(&scene.folder, &scene.new.manifest).and_then(|staging| {
            prepare(&mut scene.folder, &scene.new.manifest, &scene.new.layers, &staging, &job())?;
            bundle.stage(&scene.new.manifest, &scene.new.layers, &staging, &job())
        });
        drop((bundle, tried));
        let Scene { world, folder, old, new, sealed } = scene;
        drop((folder, sealed.staging));
        world.fs.revive();
        let folder = world.open().unwrap();
        assert_eq!(world.look(), tree_of(&old), "call {number}");
        let kept = Cache::preloads(&folder).load(&sealed.root).unwrap().unwrap();
        let sealed = Sealed { staging: Arc::new(kept.staging), ..sealed };
        let mut scene = Scene { world, folder, old, new, sealed };
        let (staging, opened) = scene.unlock();
        assert!(opened.unopened.is_none(), "call {number}: {opened:?}");
        apply(&mut scene.folder, &staging, &scene.new.manifest, &scene.new.layers, now(), &job()).unwrap();
        assert_eq!(scene.folder.installed(), Some(&scene.new.manifest), "call {number}");
    }
}

#[test]
fn a_payload_comes_out_as_it_went_in() {
    let mut hasher = FileHasher::new(PIECE);
    let bytes = noise(70, 3 * PIECE as usize + 5);
    hasher.update(&bytes);
    let payload = Payload::of(&bytes);
    let put = |head: &mut Head, body: &mut Vec<u8>| {
        head.payload_bytes = bytes.len() as u64;
        body.splice(..0, bytes.iter().copied());
    };
    let mut scene = Scene::new(|new| seal(&bundle(new, put), &key("1.1", 5), None));
    let opened = scene.open(&key("1.1", 5)).unwrap();
    let torrent = payload.metainfo("game-1.0-1.1.patch", vec![], vec![]).unwrap();
    let kept = Cache::of(&scene.folder).open(&torrent).unwrap();
    opened.stage_payload(&payload, &kept, &job()).unwrap().unwrap();
    assert_eq!(kept.read_at(&payload.root, 0, bytes.len() as u32).unwrap(), bytes);
    let other = Payload::of(&noise(71, bytes.len()));
    let torrent = other.metainfo("game-1.0-1.1.patch", vec![], vec![]).unwrap();
    let kept = Cache::of(&scene.folder).open(&torrent).unwrap();
    let refused = opened.stage_payload(&other, &kept, &job()).unwrap().unwrap_err();
    assert_eq!(refused.code(), "PRELOAD_CONTENT");
    // What stands behind it is found all the same.
    assert!(scene.unlock().1.unopened.is_none());
}
