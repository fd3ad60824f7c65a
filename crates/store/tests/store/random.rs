//! Random trees, old and new, with a random break on the way. proptest prints the failing case
//! and its seed.

use crate::world::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use store::fs::fault::Fault;

/// Few names, so that the two trees meet: same paths, case-only differences, files against folders.
fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof!["a", "b", "A", "c"], 1..4).prop_map(|parts| parts.join("/"))
}

fn file() -> impl Strategy<Value = (u8, usize, bool, bool)> {
    (0_u8..5, prop_oneof![Just(0), 1_usize..200, Just(40_000)], any::<bool>(), prop::bool::weighted(0.15))
}

fn files() -> impl Strategy<Value = Vec<F>> {
    proptest::collection::btree_map(path(), file(), 0..9).prop_map(|map| {
        let mut files: BTreeMap<String, F> = BTreeMap::new();
        for (path, (seed, length, executable, user)) in map {
            if allowed(&files, &path) {
                files.insert(path.clone(), F { path, bytes: noise(seed, length), executable, user });
            }
        }
        files.into_values().collect()
    })
}

/// Neither a file and a folder of one name, nor two names that differ by case.
fn allowed(files: &BTreeMap<String, F>, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    files.keys().all(|other| {
        let others: Vec<&str> = other.split('/').collect();
        let common = parts.iter().zip(&others).take_while(|(left, right)| left == right).count();
        let (Some(left), Some(right)) = (parts.get(common), others.get(common)) else { return false };
        !left.eq_ignore_ascii_case(right)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_becomes_any_other_or_stays(old in files(), new in files(), at in 1_u64..400, cut in 0_usize..3) {
        let fault = [Fault::Kill, Fault::PowerCut { names: false }, Fault::PowerCut { names: true }][cut];
        let (old, new) = (release("1.0", &old, &[]), release("1.1", &new, &["z/empty"]));
        let world = World::new();
        let mut folder = world.create();
        install(&mut folder, &old).unwrap();
        prop_assert_eq!(world.look(), tree_of(&old));
        world.fs.arm(at, fault);
        let _broken_or_not = install(&mut folder, &new);
        drop(folder);
        world.fs.revive();
        let mut folder = world.open().unwrap();
        let (was_old, expected) = (world.look() == tree_of(&old), after(&old, &new));
        prop_assert!(was_old || new_stands(&world.look(), &expected, &old), "neither old nor new");
        install(&mut folder, &new).unwrap();
        prop_assert!(new_stands(&world.look(), &expected, &old), "{:?}", world.look().keys());
    }
}

/// The new tree, with the player's files of the old one kept where both name them.
fn after(old: &Release, new: &Release) -> Tree {
    let mut tree = tree_of(new);
    for file in new.files.iter().filter(|file| file.user) {
        if let Some(node @ Node::File(..)) = tree_of(old).get(&file.path) {
            tree.insert(file.path.clone(), node.clone());
        }
    }
    tree
}

/// All of the new tree stands, and besides it only the player's files of the old one, in their
/// place or moved aside.
fn new_stands(look: &Tree, expected: &Tree, old: &Release) -> bool {
    let user: Vec<&str> = old.files.iter().filter(|file| file.user).map(|file| file.path.as_str()).collect();
    let all = expected.iter().all(|(path, node)| look.get(path) == Some(node));
    let only = look.keys().filter(|path| !expected.contains_key(*path)).all(|path| {
        let inner = path
            .strip_prefix("muster-moved-2026-11-23")
            .map_or(path.as_str(), |inner| inner.trim_start_matches('/'));
        inner.is_empty() || user.iter().any(|user| *user == inner || user.starts_with(&format!("{inner}/")))
    });
    all && only
}
