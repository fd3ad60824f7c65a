//! The plan: from what stands in the game folder and what is wanted, what to do with each file.

use crate::{
    hash::Hash32,
    manifest::{Kind, Manifest},
    path::GamePath,
};
use std::collections::{BTreeMap, BTreeSet};

/// A file that stands in the game folder and was verified to be what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Where it lies.
    pub path: GamePath,
    /// Root of its bytes; `None` when it is empty.
    pub pieces_root: Option<Hash32>,
    /// Its executable bit.
    pub executable: bool,
}

/// Where a wanted file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It stands where it should. `set_mode` when only the executable bit differs.
    Keep {
        /// The executable bit must change.
        set_mode: bool,
    },
    /// The same bytes stand in the game folder under another path.
    Local {
        /// That path.
        from: GamePath,
    },
    /// It is empty.
    Empty,
    /// It comes over the network; files with equal roots are fetched once.
    Fetch {
        /// The root to fetch.
        root: Hash32,
    },
    /// It is the player's and exists.
    User,
}

/// What to do to get from what stands to what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For each file of the wanted manifest, in its order, where its bytes come from.
    pub files: Vec<Source>,
    /// Paths of the old release that the new one does not have.
    pub delete: Vec<GamePath>,
    /// Bytes to fetch at most, each root counted once.
    pub fetch_bytes: u64,
    /// Bytes that the staging folder will hold at most.
    pub staged_bytes: u64,
}

/// Plans the way to `wanted`. `present` holds verified content files; `user_paths` the player's
/// files that exist; `old` the manifest of the release installed before, if any.
#[must_use]
pub fn plan(
    old: Option<&Manifest>,
    present: &[Present],
    user_paths: &BTreeSet<GamePath>,
    wanted: &Manifest,
) -> Plan {
    let by_path: BTreeMap<&GamePath, &Present> = present.iter().map(|p| (&p.path, p)).collect();
    let mut by_root: BTreeMap<Hash32, &GamePath> = BTreeMap::new();
    for file in present {
        if let Some(root) = file.pieces_root {
            by_root.entry(root).or_insert(&file.path);
        }
    }
    let mut fetched = BTreeSet::new();
    let (mut fetch_bytes, mut staged_bytes) = (0, 0);
    let mut files = Vec::with_capacity(wanted.files.len());
    for file in &wanted.files {
        let here = by_path.get(&file.path);
        let source = if file.kind == Kind::User && user_paths.contains(&file.path) {
            Source::User
        } else if let Some(here) = here.filter(|here| here.pieces_root == file.pieces_root) {
            Source::Keep { set_mode: here.executable != file.executable }
        } else {
            match file.pieces_root {
                None => Source::Empty,
                Some(root) => by_root
                    .get(&root)
                    .map_or(Source::Fetch { root }, |from| Source::Local { from: (*from).clone() }),
            }
        };
        match &source {
            Source::Fetch { root } if fetched.insert(*root) => {
                fetch_bytes += file.size;
                staged_bytes += file.size;
            }
            Source::Fetch { .. } | Source::Local { .. } => staged_bytes += file.size,
            Source::Keep { .. } | Source::Empty | Source::User => {}
        }
        files.push(source);
    }
    Plan { files, delete: deleted(old, wanted), fetch_bytes, staged_bytes }
}

fn deleted(old: Option<&Manifest>, wanted: &Manifest) -> Vec<GamePath> {
    let keep: BTreeSet<&GamePath> = wanted.files.iter().map(|file| &file.path).collect();
    let gone = old.into_iter().flat_map(|old| &old.files);
    gone.filter(|file| file.kind == Kind::Content && !keep.contains(&file.path))
        .map(|file| file.path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[(&str, u8, &str)]) -> Manifest {
        let files: Vec<String> = files
            .iter()
            .map(|(path, byte, kind)| {
                let root = format!("{byte:02x}").repeat(32);
                format!(r#"{{"path":"{path}","size":10,"pieces_root":"{root}","kind":"{kind}"}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"format":1,"game":"g","version":"1","title":"G","piece_length":16384,"files":[{}]}}"#,
            files.join(",")
        );
        Manifest::parse(text.as_bytes()).expect("good")
    }

    fn present(path: &str, byte: u8) -> Present {
        Present {
            path: path.parse().expect("good"),
            pieces_root: Some(Hash32([byte; 32])),
            executable: false,
        }
    }

    #[test]
    fn keep_move_fetch_delete_and_user() {
        let old =
            manifest(&[("a", 1, "content"), ("b", 2, "content"), ("c", 3, "content"), ("save", 9, "user")]);
        let new = manifest(&[
            ("a", 1, "content"),
            ("d", 2, "content"),
            ("e", 4, "content"),
            ("f", 4, "content"),
            ("save", 8, "user"),
        ]);
        let here = [present("a", 1), present("b", 2), present("c", 3)];
        let user = BTreeSet::from(["save".parse().expect("good")]);
        let plan = plan(Some(&old), &here, &user, &new);
        let root = Hash32([4; 32]);
        assert_eq!(
            plan.files,
            vec![
                Source::Keep { set_mode: false },
                Source::Local { from: "b".parse().expect("good") },
                Source::Fetch { root },
                Source::Fetch { root },
                Source::User,
            ]
        );
        assert_eq!(plan.delete, vec!["b".parse().expect("good"), "c".parse::<GamePath>().expect("good")]);
        assert_eq!((plan.fetch_bytes, plan.staged_bytes), (10, 30));
    }
}
