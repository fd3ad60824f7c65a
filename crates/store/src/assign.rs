//! From the plan of [`release::plan`] to what each file needs on this disk: a rename where nobody
//! else wants the old file, a copy where somebody does. Pure.

use release::{
    hash::Hash32,
    manifest::{Kind, Manifest},
    path::GamePath,
    plan::{Plan, Source},
};
use std::collections::{BTreeMap, BTreeSet};

/// How a file of the wanted release comes into place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It stands there. `set_mode` when its executable bit must change.
    Keep {
        /// The executable bit must change.
        set_mode: bool,
    },
    /// It is the player's and exists: untouched.
    Leave,
    /// Renamed out of staging.
    Place {
        /// The staged content.
        root: Hash32,
    },
    /// Copied from staging, because another file gets the staged one itself.
    PlaceCopy {
        /// The staged content.
        root: Hash32,
    },
    /// Renamed from an old path that the wanted release does not keep.
    Move {
        /// The old path.
        from: GamePath,
    },
    /// Copied from a path that stays, or that another file is moved from.
    Copy {
        /// That path.
        from: GamePath,
    },
    /// Created empty.
    Empty,
}

/// What each file of `wanted` needs, in its order.
#[must_use]
pub fn actions(old: Option<&Manifest>, wanted: &Manifest, plan: &Plan) -> Vec<Action> {
    let mut movable = movable(old, wanted, plan);
    // The last of several takes the staged file itself, the others copy it before.
    let mut last: BTreeMap<Hash32, usize> = BTreeMap::new();
    for (index, source) in plan.files.iter().enumerate() {
        if let Source::Fetch { root } = source {
            last.insert(*root, index);
        }
    }
    let action = |(index, source): (usize, &Source)| match source {
        Source::Keep { set_mode } => Action::Keep { set_mode: *set_mode },
        Source::User => Action::Leave,
        Source::Empty => Action::Empty,
        Source::Fetch { root } if last.get(root) == Some(&index) => Action::Place { root: *root },
        Source::Fetch { root } => Action::PlaceCopy { root: *root },
        Source::Local { from } if movable.remove(from) => Action::Move { from: from.clone() },
        Source::Local { from } => Action::Copy { from: from.clone() },
    };
    plan.files.iter().enumerate().map(action).collect()
}

/// Old files of ours that end where they stand: deleted or replaced.
fn movable(old: Option<&Manifest>, wanted: &Manifest, plan: &Plan) -> BTreeSet<GamePath> {
    let stays = |source: &Source| matches!(source, Source::Keep { .. } | Source::User);
    let kept: BTreeSet<&GamePath> = wanted
        .files
        .iter()
        .zip(&plan.files)
        .filter(|(_, source)| stays(source))
        .map(|(file, _)| &file.path)
        .collect();
    let ours = old.into_iter().flat_map(|old| &old.files).filter(|file| file.kind == Kind::Content);
    ours.map(|file| &file.path).filter(|path| !kept.contains(path)).cloned().collect()
}
