//! The order of the calls of an update, as the seam saw them: staged and read back and synced, then the journal, then the renames,
//! then the folders, then the installed manifest, then the journal away. What a power cut leaves follows from it.

use crate::attacked::{standing, update};
use std::path::PathBuf;
use store::fs::fault::Call;

const JOURNAL: &str = ".muster/journal.json";
const INSTALLED: &str = ".muster/installed.manifest";

/// What an update did, with paths below the game folder; the folder itself is "".
fn calls() -> Vec<(Call, String)> {
    let world = standing();
    world.fs.record();
    update(&world).unwrap();
    let below =
        |path: PathBuf| path.strip_prefix(&world.dir).ok().map(|path| path.to_str().unwrap().to_owned());
    world.fs.recorded().into_iter().filter_map(|(call, path)| Some((call, below(path)?))).collect()
}

/// Where a call on a path stands, the first or the last.
struct Order(Vec<(Call, String)>);

impl Order {
    fn all(&self, call: Call, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        let found = self.0.iter().enumerate().filter(|(_, (one, path))| *one == call && fits(path));
        found.map(|(at, _)| at).collect()
    }

    fn only(&self, call: Call, path: &str) -> usize {
        let found = self.all(call, |one| one == path);
        assert_eq!(found.len(), 1, "{call:?} {path}: {:#?}", self.0);
        found[0]
    }

    /// That a call comes after one place and before another.
    fn between(&self, call: Call, path: &str, after: usize, before: usize) {
        let found = self.all(call, |one| one == path);
        let fits = found.iter().any(|at| (after..before).contains(at));
        assert!(fits, "{call:?} {path} at {found:?}, not between {after} and {before}: {:#?}", self.0);
    }
}

fn is_game(path: &str) -> bool {
    !path.starts_with(".muster")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[test]
fn bytes_are_durable_before_the_journal_and_names_before_the_manifest() {
    let order = Order(calls());
    let commit = order.only(Call::Rename, JOURNAL);
    let installed = order.only(Call::Rename, INSTALLED);
    let dropped = order.only(Call::Remove, JOURNAL);
    assert!(commit < installed && installed < dropped);

    for call in [Call::Write, Call::Create, Call::Rename, Call::Remove, Call::Mode] {
        let early = order.all(call, is_game).into_iter().find(|at| *at < commit);
        assert!(early.is_none(), "the game is touched before the commit: {:?}", early.map(|at| &order.0[at]));
    }
    let written = order.all(Call::Write, |path| {
        path.starts_with(".muster/staging/") || path.starts_with(".muster/incoming/")
    });
    let contents: Vec<usize> = written.into_iter().filter(|at| *at < commit).collect();
    assert!(contents.len() > 3, "{:#?}", order.0);
    for at in contents {
        let path = &order.0[at].1;
        let is_content = path.rsplit('/').next().unwrap().bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_content {
            order.between(Call::Read, path, at, commit);
            order.between(Call::Sync, path, at, commit);
            order.between(Call::SyncDir, folder_of(path), at, commit);
        }
    }
    let journal = order.all(Call::Write, |path| path.starts_with(JOURNAL)).into_iter().next().unwrap();
    let draft = order.0[journal].1.clone();
    order.between(Call::Read, &draft, journal, commit);
    order.between(Call::Sync, &draft, journal, commit);

    let renames = order.all(Call::Rename, is_game);
    let first = *renames.first().unwrap();
    order.between(Call::SyncDir, ".muster", commit, first);
    for at in renames {
        assert!(at < installed, "{:?} comes after the release is said to stand", order.0[at]);
        order.between(Call::SyncDir, folder_of(&order.0[at].1), at, installed);
    }
    order.between(Call::SyncDir, ".muster", installed, dropped);
}
