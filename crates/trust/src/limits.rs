//! Every bound of this crate, with its reason. Readers refuse what is larger; the editor refuses to write it.

/// Root and timestamp: a few keys and signatures. Their size is not signed anywhere, so the bound is all there is.
pub const ROOT_BYTES_MAX: u64 = 64 * 1024;
/// See [`ROOT_BYTES_MAX`].
pub const TIMESTAMP_BYTES_MAX: u64 = 64 * 1024;
/// Snapshot: one entry, as there are no delegations; generous for later growth.
pub const SNAPSHOT_BYTES_MAX: u64 = 1024 * 1024;
/// Targets: about 200 bytes an entry, so some five thousand targets.
pub const TARGETS_BYTES_MAX: u64 = 1024 * 1024;
/// Roots walked in one load. A player away for years meets a few; an attacker must not make us walk for ever.
pub const ROOT_STEPS_MAX: u64 = 32;
/// State file: root, timestamp, snapshot and targets as strings inside one JSON document, escapes counted double.
pub(crate) const STATE_BYTES_MAX: u64 =
    2 * (ROOT_BYTES_MAX + TIMESTAMP_BYTES_MAX + SNAPSHOT_BYTES_MAX + TARGETS_BYTES_MAX);
/// A private key file is some 100 bytes; anything larger is not looked into.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;
/// A draft of a root: the root before, the new one, and room for how a person's editor spaces them.
pub(crate) const DRAFT_BYTES_MAX: u64 = 4 * ROOT_BYTES_MAX;
/// Clocks of publisher and player may differ this much before we speak of a wrong clock.
pub(crate) const CLOCK_TOLERANCE_SECONDS: i64 = 10 * 60;

/// Days until the root expires: a ceremony every six months leaves six to spare.
pub const ROOT_LIFE_DAYS: i64 = 365;
/// Days until the list of targets expires: every `publish` renews it.
pub const TARGETS_LIFE_DAYS: i64 = 90;
/// Days until the snapshot expires.
pub const SNAPSHOT_LIFE_DAYS: i64 = 30;
/// Days until the timestamp expires: how long an attacker may hide an update. Two weeks suit a static host whose
/// `refresh` runs daily and may fail for some days.
pub const TIMESTAMP_LIFE_DAYS: i64 = 14;
/// A root with fewer days than this calls for a ceremony: two people and their offline machines take time to meet.
pub const ROOT_WARN_DAYS: i64 = 60;
/// Targets with fewer days than this call for whoever holds their key; `refresh` alone would not renew them.
pub const TARGETS_WARN_DAYS: i64 = 25;
/// `refresh` renews the targets too once they have fewer days than this, if their key is at hand.
pub(crate) const TARGETS_RENEW_DAYS: i64 = 30;
