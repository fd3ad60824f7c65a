//! F10: what lies under `.muster`: state, manifest, journal, records, layers, what is staged and what a game waits for. Another
//! program, a failing disk or an older launcher may have written anything there.
//!
//! Promised: opening such a folder gives a game folder or an error; nothing outside the folder changes, and no file of the
//! player's is lost: whatever stood in the game folder stands there afterwards, or was moved, not overwritten or removed.

mod memory;

use crate::{input::Input, releases};
use memory::MemoryFs;
use std::{path::Path, sync::Arc};
use store::{GameFolder, InstalledTree, wanted::Requests};

const GAME: &str = "/games/ember";
const OUTSIDE: &str = "/home/player/diary.txt";
const SAVE: &str = "/games/ember/saves/slot1.sav";

/// Names under `.muster` that mean something to the store.
const NAMES: [&str; 16] = [
    "state.json",
    "installed.manifest",
    "journal.json",
    "journal.out",
    "partial.json",
    "verified.json",
    "layers",
    "next.manifest",
    "incoming/0",
    "old/0",
    "staging/have.log",
    "staging/0000000000000000000000000000000000000000000000000000000000000000",
    "patches/index.json",
    "preload/index.json",
    "wanted/0000000000000000000000000000000000000000000000000000000000000000",
    "fetching.lock",
];

/// Files by number or by name, then the folder is opened and used.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let fs = Arc::new(MemoryFs::default());
    fs.put(OUTSIDE, b"dear diary");
    fs.put(SAVE, b"level 7");
    let choices = input.byte();
    if choices & 1 == 0 {
        fs.put(&format!("{GAME}/.muster/state.json"), STATE);
    }
    if choices & 2 == 0 {
        fs.put(&format!("{GAME}/.muster/installed.manifest"), &releases::TWO[0].encode());
    }
    while !input.is_empty() {
        let which = input.byte();
        let name = match NAMES.get(usize::from(which)) {
            Some(name) => (*name).to_owned(),
            None => String::from_utf8_lossy(input.bytes(usize::from(which % 80))).replace('/', "-"),
        };
        let content = input.stretch();
        if !matches!(name.as_str(), "" | "." | "..") {
            fs.put(&format!("{GAME}/.muster/{name}"), content);
        }
    }
    open(&fs);
    assert_eq!(fs.read(OUTSIDE).as_deref(), Some(&b"dear diary"[..]), "a file outside of the game folder");
    assert!(fs.holds(b"level 7", Path::new(GAME)), "a saved game is lost");
}

const STATE: &[u8] = br#"{"format":1,"repository_url":"https://studio.example/","root_sha256":"0000000000000000000000000000000000000000000000000000000000000000","game":"ember","channel":"live"}"#;

fn open(fs: &Arc<MemoryFs>) {
    let Ok(folder) = GameFolder::open(fs.clone(), Path::new(GAME)) else { return };
    let _list = Requests::of(&folder).list();
    let Some(manifest) = folder.installed().cloned() else { return };
    if let Ok(layout) = manifest.layout() {
        let _layers = folder.layers(&layout);
    }
    if let Ok(tree) = InstalledTree::open(&folder, &manifest) {
        for file in 0..manifest.files.len() {
            let _bytes = tree.read_at(file, 0, 16);
        }
    }
    drop(folder);
    // What was opened once opens again: recovery is done.
    let again = GameFolder::open(fs.clone(), Path::new(GAME));
    assert!(again.is_ok(), "{:?}", again.err());
}
