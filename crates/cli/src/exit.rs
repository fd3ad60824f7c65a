//! Exit codes, from stable error codes. Scripts depend on them: a number is never given another meaning.

/// Nothing known about it.
const UNEXPECTED: u8 = 1;

/// An update is available; only `check` ends so.
pub(crate) const UPDATE_AVAILABLE: u8 = 10;

/// All is in order, but signatures run out soon; only `repo check --expires-within` ends so.
pub(crate) const EXPIRES_SOON: u8 = 29;

/// Something around keeps a game from coming; only `diagnose` and `brand check` end so.
pub(crate) const SOMETHING_BAD: u8 = 30;

/// The exit code for an error code.
pub(crate) fn of(code: &str) -> u8 {
    match code {
        "USAGE" | "CONFIG_INVALID" | "ADDRESS_INVALID" | "ORIGIN_INVALID" | "UNLOCK_PAST"
        | "UNLOCK_EARLY" => 2,
        "NETWORK" | "HTTP" | "ORIGIN_NOT_FOUND" | "ORIGIN_HTML" | "ORIGIN_RANGE" | "ORIGIN_TOO_LARGE" => 11,
        "PRELOAD_SEGMENT" | "PRELOAD_INVALID" | "PRELOAD_CONTENT" | "PRELOAD_ABSENT" | "CONTENT_BAD"
        | "CONTENT_CHANGED" | "CONTENT_ABSENT" | "EXECUTABLE_BAD" | "REPO_CONTENT" => 13,
        "DISK_FULL" | "NO_SPACE" | "FILE_TOO_LARGE" => 14,
        "BUSY" | "LOCKED" | "REPO_BUSY" => 15,
        "GAME_RUNNING" | "FILE_LOCKED" => 16,
        "NO_PERMISSION" => 17,
        "UNLOCK_KEY" => 12,
        "CLOCK_WRONG" => 19,
        "NO_LAUNCH" | "STATE_TOO_NEW" | "PATCHES_UNSUPPORTED" => 20,
        "CANCELLED" | "INCOMPLETE" | "NOT_PLAYABLE_YET" | "UNLOCK_NOT_YET" => 21,
        "FOLDER_NOT_OURS" | "NOTHING_TO_IMPORT" | "FOLDER_REFUSED" | "FOLDER_MISSING" | "OTHER_VOLUME" => 22,
        "NOT_INSTALLED" | "FOLDERS_NESTED" => 22,
        "KEYS_IN_REPOSITORY" | "KEY_IN_REPO" | "KEYS_EXIST" | "REPO_EXISTS" | "REPO_MISSING"
        | "FILE_EXISTS" => 22,
        "ADDRESS_IN_USE" | "LISTEN" => 23,
        "TORRENT_REFUSED" => 24,
        "FILE_NOT_LISTED" => 25,
        "NOBODY_FETCHES" => 26,
        "WAIT_TIMEOUT" => 27,
        "KEY_MISSING" | "KEY_REVOKED" | "KEY_INVALID" | "KEY_NOT_NAMED" => 28,
        "REPO_DAMAGED" => 12,
        "INTERRUPTED" => 130,
        "TERMINATED" => 143,
        // META_EXPIRED, MANIFEST_INVALID, CHANNEL_INVALID, ROOT_CHANGED and their like; TARGET_MISSING is a game,
        // version or channel that the signed list does not know.
        signed
            if ["META_", "MANIFEST_", "CHANNEL_", "ROOT_", "TARGET_"]
                .iter()
                .any(|start| signed.starts_with(start)) =>
        {
            12
        }
        brand if brand.starts_with("BRAND_") && brand != "BRAND_IO" => 22,
        build if build.starts_with("BUILD_") && build != "BUILD_IO" => 22,
        _ => UNEXPECTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_kind() {
        for (code, exit) in [
            ("USAGE", 2),
            ("NETWORK", 11),
            ("META_SIGNATURE", 12),
            ("META_EXPIRED", 12),
            ("MANIFEST_INVALID", 12),
            ("ROOT_CHANGED", 12),
            ("CONTENT_BAD", 13),
            ("DISK_FULL", 14),
            ("LOCKED", 15),
            ("FILE_LOCKED", 16),
            ("NO_PERMISSION", 17),
            ("NO_LAUNCH", 20),
            ("CANCELLED", 21),
            ("UNLOCK_NOT_YET", 21),
            ("PRELOAD_SEGMENT", 13),
            ("FOLDER_NOT_OURS", 22),
            ("BUILD_EMPTY", 22),
            ("ADDRESS_IN_USE", 23),
            ("TORRENT_REFUSED", 24),
            ("NOT_PLAYABLE_YET", 21),
            ("FILE_NOT_LISTED", 25),
            ("NOBODY_FETCHES", 26),
            ("WAIT_TIMEOUT", 27),
            ("KEY_REVOKED", 28),
            ("ROOT_UNSIGNED", 12),
            ("INTERRUPTED", 130),
            ("TERMINATED", 143),
            ("SOMETHING_NEW", 1),
        ] {
            assert_eq!(of(code), exit, "{code}");
        }
    }
}
