//! The private keys of one keys folder, in memory while a program signs. Files are raw DER PKCS#8: the library takes PEM
//! for RSA. Which key serves which role is said by the root alone, not by a file's name.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::Key as PublicKey;
use tough::sign::Sign;

use crate::{EditError, disk, limits};

/// Ending of the names of private key files.
pub(crate) const KEY_EXTENSION: &str = "key";

/// One private key.
pub(crate) struct Key {
    pair: Ed25519KeyPair,
    public: PublicKey,
    id: Decoded<Hex>,
}

impl Key {
    /// A new key, and the file contents that bring it back.
    pub(crate) fn generate() -> Result<(Self, Vec<u8>), EditError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|error| EditError::Crypto { what: "making a key", reason: error.to_string() })?;
        let bytes = document.as_ref().to_vec();
        let key = Self::parse(&bytes)?.ok_or_else(|| EditError::Crypto {
            what: "making a key",
            reason: "it could not be read back".to_owned(),
        })?;
        Ok((key, bytes))
    }

    /// The key in a file's contents, or `None` if they hold no Ed25519 key.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, EditError> {
        let Ok(pair) = Ed25519KeyPair::from_pkcs8(bytes) else { return Ok(None) };
        let public = pair.tuf_key();
        let id = public
            .key_id()
            .map_err(|error| EditError::Crypto { what: "naming a key", reason: error.to_string() })?;
        Ok(Some(Self { pair, public, id }))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(crate) fn id(&self) -> &Decoded<Hex> {
        &self.id
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// All keys of a folder.
pub(crate) struct Keyring {
    folder: PathBuf,
    /// Each with its file.
    keys: Vec<(Key, PathBuf)>,
}

impl Keyring {
    /// Of keys that were just made.
    pub(crate) fn new(folder: &Path, keys: Vec<(Key, PathBuf)>) -> Self {
        Self { folder: folder.to_owned(), keys }
    }

    /// Reads every `*.key` file. None at all is fine: a machine that only reads has none.
    pub(crate) fn read(folder: &Path) -> Result<Self, EditError> {
        let mut keys = Vec::new();
        for path in key_files(folder)? {
            keys.push((read_key(&path)?, path));
        }
        Ok(Self::new(folder, keys))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(|(key, _)| key)
    }

    /// The keys with their files.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Key, &Path)> {
        self.keys.iter().map(|(key, path)| (key, path.as_path()))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Reads one private key.
pub(crate) fn read_key(path: &Path) -> Result<Key, EditError> {
    let unreadable = || EditError::KeyUnreadable { path: path.to_owned() };
    match disk::read(path, limits::KEY_FILE_BYTES_MAX) {
        Ok(bytes) => Key::parse(&bytes)?.ok_or_else(unreadable),
        Err(error) if error.source.kind() == std::io::ErrorKind::FileTooLarge => Err(unreadable()),
        Err(error) => Err(error.into()),
    }
}

/// Key files of a folder, sorted by name.
pub(crate) fn key_files(folder: &Path) -> Result<Vec<PathBuf>, EditError> {
    let (files, _) = disk::list(folder)?;
    Ok(files.into_iter().filter(|path| path.extension().is_some_and(|end| end == KEY_EXTENSION)).collect())
}
