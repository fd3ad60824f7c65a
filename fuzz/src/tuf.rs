//! F8: TUF metadata from a web server, through our client.
//!
//! A small repository stands; one document of it is replaced by a stranger's. Either as the stranger wrote it, or with the
//! stranger's text as what is signed, under the true key: a publisher's online key in wrong hands, or a tool gone wrong.
//!
//! Promised: without a signature nothing of the stranger's is ever believed, and whatever was refused leaves the way back to the
//! true repository open.

use crate::input::Input;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, LazyLock},
};
use tokio::runtime::{Builder, Runtime};
use trust::{
    Client, Editor, Error, FetchError, LoadRequest, Transport,
    keys::{self, InitOptions},
};

const TARGET: &str = "hello";
const GREETING: &[u8] = b"hello, player";

/// A repository in memory.
#[derive(Debug, Clone)]
struct Repository(BTreeMap<String, Bytes>);

struct World {
    runtime: Runtime,
    honest: Repository,
    root: Vec<u8>,
    /// What a player's program keeps once it has seen the true repository.
    known: Vec<(String, Bytes)>,
}

static WORLD: LazyLock<World> = LazyLock::new(World::make);

/// The first byte chooses the document, the rest is put in its place.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let world = &*WORLD;
    let names: Vec<&String> = world.honest.0.keys().filter(|name| name.starts_with("metadata/")).collect();
    let name = match usize::from(choice & 7) {
        // There is no newer root yet: the stranger offers one.
        7 => "metadata/2.root.json".to_owned(),
        at => names[at % names.len()].clone(),
    };
    let mut lying = world.honest.clone();
    lying.0.insert(name, Bytes::copy_from_slice(input.rest()));
    let state = tempfile::tempdir().unwrap();
    if choice & 8 != 0 {
        for (name, bytes) in &world.known {
            std::fs::write(state.path().join(name), bytes).unwrap();
        }
    }
    if let Ok(client) = world.load(&lying, state.path()) {
        let targets: Vec<&str> = client.target_names().collect();
        assert_eq!(targets, [TARGET], "nothing is believed that was not signed");
        assert_eq!(world.greeting(&client), GREETING);
        return;
    }
    let after = world.load(&world.honest, state.path()).expect("the true repository after a false one");
    assert_eq!(world.greeting(&after), GREETING);
}

impl World {
    fn make() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let (key_dir, repo) = (scratch.path().join("keys"), scratch.path().join("repo"));
        let report = keys::init(&key_dir, &repo, InitOptions { demo: false }, now()).unwrap();
        let mut editor = Editor::open(&repo, &key_dir).unwrap();
        editor.put_target(TARGET, GREETING.to_vec()).unwrap();
        assert!(editor.commit(now()).unwrap());
        let honest =
            Repository(["metadata", "targets"].into_iter().flat_map(|dir| files(&repo, dir)).collect());
        let mut world = Self { runtime, honest, root: report.root, known: Vec::new() };
        let state = scratch.path().join("state");
        let client = world.load(&world.honest, &state).expect("the true repository");
        assert_eq!(world.greeting(&client), GREETING);
        world.known = files(scratch.path(), "state").into_iter().map(base_name).collect();
        world
    }

    fn load(&self, repository: &Repository, state_dir: &Path) -> Result<Client, Error> {
        let request =
            LoadRequest { trusted_root: &self.root, state_dir, now: now(), built_at: None, installed: false };
        self.runtime.block_on(Client::load(Arc::new(repository.clone()), request))
    }

    fn greeting(&self, client: &Client) -> Vec<u8> {
        self.runtime.block_on(client.target(TARGET, 1000)).expect("the target that was signed")
    }
}

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn files(repo: &Path, dir: &str) -> Vec<(String, Bytes)> {
    let entries = std::fs::read_dir(repo.join(dir)).unwrap().map(Result::unwrap);
    let name = |entry: &std::fs::DirEntry| format!("{dir}/{}", entry.file_name().to_string_lossy());
    entries.map(|entry| (name(&entry), std::fs::read(entry.path()).unwrap().into())).collect()
}

fn base_name((name, bytes): (String, Bytes)) -> (String, Bytes) {
    (name.rsplit('/').next().unwrap_or_default().to_owned(), bytes)
}

#[async_trait]
impl Transport for Repository {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        let bytes = self.0.get(path).ok_or(FetchError::NotFound)?;
        if bytes.len() as u64 > limit { Err(FetchError::TooLarge { limit }) } else { Ok(bytes.clone()) }
    }
}
