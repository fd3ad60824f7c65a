//! The last news kept on this machine: cards, their pictures, and what the server needs to say "nothing new".
//!
//! Invariant: it is a cache. Anything missing, foreign or torn is as if it had never been there.

use super::{Item, pictures::Picture};
use crate::files;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};
use url::Url;

/// The layout of the index; another one is ignored.
const VERSION: u32 = 1;
/// The longest index read back, in bytes.
const INDEX_MAX: u64 = 1024 * 1024;
/// The longest kept picture read back, in bytes.
const PICTURE_MAX: u64 = 4 * 1024 * 1024;
/// What pictures are kept as, with the type they are served as.
const FORMATS: [(&str, &str); 2] = [("jpg", "image/jpeg"), ("png", "image/png")];

/// What one successful fetch left behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// The layout.
    pub(crate) version: u32,
    /// The feed this is a copy of; a brand may change its feed.
    pub(crate) feed: Url,
    /// The server's tag for these bytes.
    pub(crate) etag: Option<String>,
    /// The server's date for these bytes.
    pub(crate) last_modified: Option<String>,
    /// When the server last said that this is what there is.
    pub(crate) fetched: DateTime<Utc>,
    /// The items, pictures marked where one is kept.
    pub(crate) items: Vec<Item>,
}

impl Copy {
    /// A copy of what was just read.
    pub(crate) fn new(feed: Url, fetched: DateTime<Utc>, items: Vec<Item>) -> Self {
        Self { version: VERSION, feed, etag: None, last_modified: None, fetched, items }
    }
}

/// The folder of the copy.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    dir: PathBuf,
}

impl Store {
    /// A store in `dir`, which is made when first needed.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The last copy of `feed`, if there is a usable one.
    pub(crate) fn load(&self, feed: &Url) -> Option<Copy> {
        let bytes = files::read(&self.index(), INDEX_MAX).ok()??;
        let copy: Copy = serde_json::from_slice(&bytes).ok()?;
        (copy.version == VERSION && copy.feed == *feed).then_some(copy)
    }

    /// Keeps the copy and drops every picture no card of it shows.
    pub(crate) fn save(&self, copy: &Copy) -> io::Result<()> {
        files::replace(&self.index(), &serde_json::to_vec(copy)?)?;
        let wanted: BTreeSet<OsString> = copy
            .items
            .iter()
            .flat_map(|item| FORMATS.map(|(extension, _)| format!("{}.{extension}", item.card.id).into()))
            .collect();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let is_picture =
                path.extension().is_some_and(|ext| FORMATS.iter().any(|(known, _)| ext == *known));
            if is_picture && !path.file_name().is_some_and(|name| wanted.contains(name)) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Keeps one picture.
    pub(crate) fn keep(&self, id: &str, picture: &Picture) -> io::Result<()> {
        for (extension, _) in FORMATS {
            files::remove(&self.picture_path(id, extension))?;
        }
        files::replace(&self.picture_path(id, picture.extension), &picture.bytes)
    }

    /// Whether a picture of this card is kept.
    pub(crate) fn has(&self, id: &str) -> bool {
        FORMATS.iter().any(|(extension, _)| self.picture_path(id, extension).is_file())
    }

    /// The kept picture and its content type. The caller has checked that `id` is made of hexadecimal digits only.
    pub(crate) fn picture(&self, id: &str) -> Option<(&'static str, Vec<u8>)> {
        FORMATS.iter().find_map(|(extension, kind)| {
            let bytes = files::read(&self.picture_path(id, extension), PICTURE_MAX).ok()??;
            Some((*kind, bytes))
        })
    }

    fn picture_path(&self, id: &str, extension: &str) -> PathBuf {
        self.dir.join(format!("{id}.{extension}"))
    }

    fn index(&self) -> PathBuf {
        Path::join(&self.dir, "news.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::NewsCard;

    fn item(id: &str) -> Item {
        let card = NewsCard { id: id.into(), ..NewsCard::default() };
        Item { card, link: None, picture: None }
    }

    #[test]
    fn a_copy_comes_back_and_old_pictures_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("news"));
        let feed = Url::parse("https://studio.example/feed").unwrap();
        assert!(store.load(&feed).is_none());
        let copy = Copy::new(feed.clone(), Utc::now(), vec![item("aa"), item("bb")]);
        store.save(&copy).unwrap();
        for id in ["aa", "bb"] {
            store.keep(id, &Picture { extension: "png", bytes: vec![1] }).unwrap();
        }
        store.keep("aa", &Picture { extension: "jpg", bytes: vec![2] }).unwrap();
        assert_eq!(store.picture("aa").unwrap(), ("image/jpeg", vec![2]));

        store.save(&Copy::new(feed.clone(), Utc::now(), vec![item("aa")])).unwrap();
        assert!(store.has("aa") && !store.has("bb"));
        assert_eq!(store.load(&feed).unwrap().items.len(), 1);
        assert!(store.load(&Url::parse("https://other.example/").unwrap()).is_none());
        fs::write(store.index(), b"{\"version\":1,").unwrap();
        assert!(store.load(&feed).is_none(), "a torn copy is no copy");
    }
}
