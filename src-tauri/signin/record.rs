//! Who was signed in when the launcher last ran: a name to show before, and without, the network. It holds no secret.

use crate::files;
use serde::{Deserialize, Serialize};
use std::{io, path::Path};

/// The longest record read back, in bytes.
const RECORD_MAX: u64 = 16 * 1024;

/// The record as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The provider that knows this person; another provider's record is ignored.
    pub(crate) issuer: String,
    /// The provider's own name for the person, which never changes.
    pub(crate) subject: String,
    /// The name for people.
    pub(crate) name: String,
}

impl Record {
    /// The record of a session at `issuer`, if there is a usable one.
    pub(crate) fn load(path: &Path, issuer: &str) -> Option<Self> {
        let bytes = files::read(path, RECORD_MAX).ok()??;
        let record: Self = serde_json::from_slice(&bytes).ok()?;
        (record.issuer == issuer).then_some(record)
    }

    /// Remembers this person.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Remembers nobody.
    pub(crate) fn forget(path: &Path) -> io::Result<()> {
        files::remove(path)
    }
}
