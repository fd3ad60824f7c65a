//! The file that travels between the machines of a ceremony: the next root with the signatures so far, as any TUF tool
//! writes a root, and beside it the root before, so that a machine without a repository can see what changes and whose
//! signatures are needed.

use std::num::NonZeroU64;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tough::schema::{RoleType, Root, Signed};

use super::{KeyRole, summary::Summary};
use crate::keyring::{self, Key};
use crate::{EditError, disk, limits, role};

/// See the module.
#[derive(Debug, Clone)]
pub struct Draft {
    previous: Signed<Root>,
    next: Signed<Root>,
}

/// What [`Draft::sign`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Id of the key, in hex.
    pub key: String,
    /// False if it had signed before.
    pub added: bool,
}

/// Its form in a file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    signed: Root,
    signatures: Vec<tough::schema::Signature>,
    previous: Signed<Root>,
}

impl Draft {
    pub(super) fn new(previous: Signed<Root>, next: Root) -> Self {
        Self { previous, next: Signed { signed: next, signatures: Vec::new() } }
    }

    /// Reads a draft.
    ///
    /// # Errors
    /// As [`Draft::parse`]; [`EditError::Disk`].
    pub fn read(path: &Path) -> Result<Self, EditError> {
        match disk::read(path, limits::DRAFT_BYTES_MAX) {
            Ok(bytes) => Self::parse(&bytes),
            Err(error) if error.source.kind() == std::io::ErrorKind::FileTooLarge => {
                Err(EditError::Draft { reason: "it is too large".to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a draft from bytes, and checks everything that can be checked without a repository.
    ///
    /// # Errors
    /// [`EditError::Draft`], [`EditError::RootVersion`], [`EditError::DraftChanged`] if a signature in it is false,
    /// [`EditError::KeyNotNamed`] if there is one by a key that neither root names, [`EditError::RootRoles`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EditError> {
        let draft = |reason: String| EditError::Draft { reason };
        let file: File = serde_json::from_slice(bytes).map_err(|error| draft(error.to_string()))?;
        let next = Signed { signed: file.signed, signatures: file.signatures };
        let previous = file.previous;
        previous.signed.verify_role(&previous).map_err(|error| draft(format!("the root before: {error}")))?;
        let (before, version) = (previous.signed.version.get(), next.signed.version.get());
        if before.checked_add(1) != Some(version) {
            return Err(EditError::RootVersion { previous: before, version });
        }
        super::check_roles(&next.signed)?;
        let parsed = Self { previous, next };
        parsed.check_signatures()?;
        Ok(parsed)
    }

    /// Writes the draft, in one step.
    ///
    /// # Errors
    /// [`EditError::Disk`], [`EditError::Crypto`].
    pub fn write(&self, path: &Path) -> Result<(), EditError> {
        disk::replace(path, &self.encode()?)?;
        Ok(())
    }

    /// The file's bytes, spaced for people.
    ///
    /// # Errors
    /// [`EditError::Crypto`].
    pub fn encode(&self) -> Result<Vec<u8>, EditError> {
        let file = File {
            signed: self.next.signed.clone(),
            signatures: self.next.signatures.clone(),
            previous: self.previous.clone(),
        };
        let failed = |error: serde_json::Error| EditError::Crypto {
            what: "writing a draft",
            reason: error.to_string(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(failed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Adds the signature of the private key in a file. A key that has signed before changes nothing.
    ///
    /// # Errors
    /// [`EditError::KeyNotNamed`] if neither the present nor the next root names it as a root key,
    /// [`EditError::KeyUnreadable`], [`EditError::Disk`].
    pub fn sign(&mut self, key_file: &Path) -> Result<Signature, EditError> {
        let key = keyring::read_key(key_file)?;
        let id = hex::encode(key.id());
        if !self.is_named(&key) {
            let reason = "is no root key, neither of the present root nor of the next one";
            return Err(EditError::KeyNotNamed { key: id, reason });
        }
        if self.next.signatures.iter().any(|signature| signature.keyid == *key.id()) {
            return Ok(Signature { key: id, added: false });
        }
        let message = role::canonical(&self.next.signed)?;
        let signature = tough::schema::Signature { keyid: key.id().clone(), sig: key.sign(&message).into() };
        self.next.signatures.push(signature);
        Ok(Signature { key: id, added: true })
    }

    /// What people have to look at before they sign.
    ///
    /// # Errors
    /// [`EditError::Crypto`].
    pub fn summary(&self) -> Result<Summary, EditError> {
        Summary::of(&self.previous.signed, &self.next)
    }

    /// The root, if enough keys of both have signed.
    pub(super) fn complete(&self) -> Result<Signed<Root>, EditError> {
        let (old_missing, new_missing) = self.missing();
        if old_missing + new_missing > 0 {
            return Err(EditError::RootUnsigned { old_missing, new_missing });
        }
        let unsigned = |_| EditError::RootUnsigned { old_missing, new_missing };
        self.previous.signed.verify_role(&self.next).map_err(unsigned)?;
        self.next.signed.verify_role(&self.next).map_err(unsigned)?;
        Ok(self.next.clone())
    }

    pub(super) fn previous_identity(&self) -> Result<String, EditError> {
        role::identity(&self.previous.signed)
    }

    /// Signatures that the present and the next root still demand.
    fn missing(&self) -> (u64, u64) {
        let missing = |root: &Root| super::summary::missing(root, &self.next.signatures);
        (missing(&self.previous.signed), missing(&self.next.signed))
    }

    fn is_named(&self, key: &Key) -> bool {
        [&self.previous.signed, &self.next.signed]
            .iter()
            .any(|root| KeyRole::Root.of(root).0.contains(key.id()))
    }

    fn check_signatures(&self) -> Result<(), EditError> {
        for (number, signature) in self.next.signatures.iter().enumerate() {
            let id = hex::encode(&signature.keyid);
            if self.next.signatures[..number].iter().any(|other| other.keyid == signature.keyid) {
                return Err(EditError::Draft { reason: format!("key {id} has signed twice") });
            }
            let mut roots = [&self.previous.signed, &self.next.signed].into_iter();
            let Some(root) = roots.find(|root| KeyRole::Root.of(root).0.contains(&signature.keyid)) else {
                let reason =
                    "has signed, and is no root key, neither of the present root nor of the next one";
                return Err(EditError::KeyNotNamed { key: id, reason });
            };
            // The library verifies roles only: one that this key alone signs.
            let mut alone = root.clone();
            let role = alone.roles.get_mut(&RoleType::Root);
            role.into_iter().for_each(|role| role.threshold = NonZeroU64::MIN);
            let signed = Signed { signed: self.next.signed.clone(), signatures: vec![signature.clone()] };
            alone.verify_role(&signed).map_err(|_| EditError::DraftChanged { key: id })?;
        }
        Ok(())
    }
}
