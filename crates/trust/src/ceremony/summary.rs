//! What a new root changes, for the eyes of whoever is asked to sign it.

use chrono::{DateTime, Utc};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::{Root, Signature, Signed};

use super::KeyRole;
use crate::{EditError, role};

/// What a draft changes, and who has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Version of the next root.
    pub version: u64,
    /// SHA-256 of what is signed, in hex: everybody who signs must see the same one.
    pub sha256: String,
    /// SHA-256 of what the present root says, in hex.
    pub previous_sha256: String,
    /// When the present root expires.
    pub previous_expires: DateTime<Utc>,
    /// When the next root will.
    pub expires: DateTime<Utc>,
    /// All roles, changed or not.
    pub roles: Vec<RoleChange>,
    /// Ids of the keys that have signed.
    pub signed_by: Vec<String>,
    /// Signatures that the present root still demands.
    pub old_missing: u64,
    /// Signatures that the next root still demands.
    pub new_missing: u64,
}

/// One role before and after. Ids are in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    /// Which.
    pub role: KeyRole,
    /// How many keys have to sign, before and after.
    pub threshold: (u64, u64),
    /// Keys that stay.
    pub kept: Vec<String>,
    /// Keys that come.
    pub added: Vec<String>,
    /// Keys that go.
    pub removed: Vec<String>,
}

impl Summary {
    pub(super) fn of(previous: &Root, next: &Signed<Root>) -> Result<Self, EditError> {
        Ok(Self {
            version: next.signed.version.get(),
            sha256: role::identity(&next.signed)?,
            previous_sha256: role::identity(previous)?,
            previous_expires: role::moment(previous.expires),
            expires: role::moment(next.signed.expires),
            roles: KeyRole::ALL.map(|role| RoleChange::of(role, previous, &next.signed)).into(),
            signed_by: next.signatures.iter().map(|signature| hex::encode(&signature.keyid)).collect(),
            old_missing: missing(previous, &next.signatures),
            new_missing: missing(&next.signed, &next.signatures),
        })
    }

    /// Whether it can be published.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.old_missing == 0 && self.new_missing == 0
    }
}

impl RoleChange {
    fn of(role: KeyRole, previous: &Root, next: &Root) -> Self {
        let ((before, threshold_before), (after, threshold)) = (role.of(previous), role.of(next));
        let only = |these: &[Decoded<Hex>], those: &[Decoded<Hex>], wanted: bool| {
            these.iter().filter(|id| those.contains(id) == wanted).map(hex::encode).collect::<Vec<String>>()
        };
        Self {
            role,
            threshold: (threshold_before, threshold),
            kept: only(&after, &before, true),
            added: only(&after, &before, false),
            removed: only(&before, &after, false),
        }
    }

    /// Whether anything about it is new.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.threshold.0 != self.threshold.1 || !self.added.is_empty() || !self.removed.is_empty()
    }
}

/// How many more of a root's keys have to sign.
pub(super) fn missing(root: &Root, signatures: &[Signature]) -> u64 {
    let (ids, threshold) = KeyRole::Root.of(root);
    let signed = ids.iter().filter(|id| signatures.iter().any(|signature| signature.keyid == **id)).count();
    threshold.saturating_sub(signed as u64)
}
