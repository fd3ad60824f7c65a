//! Target names: flat, so that `tough` and python-tuf ask for the same file, and harmless on every file system.

use crate::EditError;

/// Longest target name in bytes; with a SHA-256 in front it stays below the 255 bytes of a file name.
const NAME_BYTES_MAX: usize = 180;

/// Accepts letters, digits and `-_.~+`, not starting with a dot.
pub(crate) fn check(name: &str) -> Result<(), EditError> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(safe) {
        return Err(EditError::TargetName { name: name.to_owned() });
    }
    Ok(())
}

/// Path below the repository of a target's file (consistent snapshots put the hash in front).
pub(crate) fn target_path(name: &str, sha256: &[u8]) -> String {
    format!("targets/{}.{name}", hex::encode(sha256))
}
