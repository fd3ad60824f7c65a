//! A repository, its keys, a player's state folder, and a transport that lies on request.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use trust::ceremony::{self, Change, KeyRole, Published};
use trust::keys::{self, InitOptions};
use trust::{Client, EditError, Editor, Error, FetchError, FolderTransport, LoadRequest, Transport};

pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn later(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

#[derive(Debug)]
pub(crate) struct World {
    dir: TempDir,
    pub(crate) root: Vec<u8>,
}

impl World {
    /// A repository with one target, `hello`.
    pub(crate) fn new() -> Self {
        let world = Self::empty(InitOptions { demo: false });
        let mut editor = world.editor();
        editor.put_target("hello", b"hello, player".to_vec()).unwrap();
        assert!(editor.commit(now()).unwrap());
        drop(editor);
        world
    }

    pub(crate) fn empty(options: InitOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let report = keys::init(&dir.path().join("keys"), &dir.path().join("repo"), options, now()).unwrap();
        Self { root: report.root, dir }
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn metadata(&self, file: &str) -> PathBuf {
        self.repo().join("metadata").join(file)
    }

    pub(crate) fn editor(&self) -> Editor {
        Editor::open(&self.repo(), &self.keys()).unwrap()
    }

    /// A copy of repository and keys as they are now: what an attacker took away. Has no client state.
    pub(crate) fn stolen(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.repo(), &dir.path().join("repo"));
        copy(&self.keys(), &dir.path().join("keys"));
        Self { dir, root: self.root.clone() }
    }

    pub(crate) async fn load(&self) -> Result<Client, Error> {
        self.load_at(now()).await
    }

    pub(crate) async fn load_at(&self, now: DateTime<Utc>) -> Result<Client, Error> {
        self.load_through(FolderTransport::new(self.repo()), now, true).await
    }

    pub(crate) async fn load_through(
        &self,
        transport: impl Transport + 'static,
        now: DateTime<Utc>,
        installed: bool,
    ) -> Result<Client, Error> {
        let request = LoadRequest {
            trusted_root: &self.root,
            state_dir: &self.state(),
            now,
            built_at: None,
            installed,
        };
        Client::load(Arc::new(transport), request).await
    }
}

/// A whole ceremony in which the online key is replaced, with whatever root keys are in the keys folder.
pub(crate) fn replace_online_key(
    keys: &Path,
    repo: &Path,
    now: DateTime<Utc>,
) -> Result<Published, EditError> {
    let change = Change { rotate: vec![KeyRole::Online], ..Change::default() };
    let (mut draft, _) = ceremony::prepare(repo, keys, &change, now)?;
    for number in 1..=2 {
        let key = keys.join(format!("root-{number}.key"));
        if key.exists() {
            draft.sign(&key)?;
        }
    }
    ceremony::publish(repo, keys, &draft, now)
}

/// The error of a load that must fail.
pub(crate) fn refusal(result: Result<Client, Error>) -> Error {
    match result {
        Ok(_) => panic!("the client believed the repository"),
        Err(error) => error,
    }
}

pub(crate) fn codes(client: &Client) -> Vec<&'static str> {
    client.warnings().iter().map(trust::Warning::code).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Bytes(Vec<u8>),
    NetworkError,
    /// One network error, then the file.
    FlakyOnce,
}

/// Serves a folder, but for the paths it was told to lie about.
#[derive(Debug)]
pub(crate) struct Lying {
    folder: FolderTransport,
    answers: Mutex<BTreeMap<String, Answer>>,
}

impl Lying {
    pub(crate) fn new(world: &World, answers: &[(&str, Answer)]) -> Self {
        let answers = answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        Self { folder: FolderTransport::new(world.repo()), answers: Mutex::new(answers) }
    }

    fn answer(&self, path: &str) -> Option<Answer> {
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get(path).or_else(|| answers.get("*")).cloned();
        if matches!(answer, Some(Answer::FlakyOnce)) {
            answers.remove(path);
        }
        answer
    }
}

#[async_trait]
impl Transport for Lying {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        match self.answer(path) {
            None => self.folder.fetch(path, limit).await,
            // It ignores the limit on purpose.
            Some(Answer::Bytes(bytes)) => Ok(bytes.into()),
            Some(Answer::NetworkError | Answer::FlakyOnce) => {
                Err(FetchError::Network { source: "connection reset".into() })
            }
        }
    }
}
