//! What kind of volume a folder lies on.

use std::{io, path::Path};

/// FAT counts a file's length in 32 bits.
#[cfg(any(target_os = "linux", target_os = "android", test))]
const FAT_FILE_MAX: u64 = u32::MAX as u64;
/// How Linux names FAT (`MSDOS_SUPER_MAGIC` in `linux/magic.h`); exFAT has another number and no such bound.
#[cfg(any(target_os = "linux", target_os = "android", test))]
const FAT_MAGIC: u32 = 0x4d44;

/// The largest file of the volume that `path` lies on, where that is less than any game's might be.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn file_bytes_max(path: &Path) -> io::Result<Option<u64>> {
    // The number is the same on every machine, its type is not; magic numbers have at most 32 bits.
    let kind = rustix::fs::statfs(path)?.f_type;
    Ok(u32::try_from(kind).ok().and_then(of_kind))
}

/// Other systems are not asked: a file that is too large fails there when it is written.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn file_bytes_max(_: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(any(target_os = "linux", target_os = "android", test))]
fn of_kind(magic: u32) -> Option<u64> {
    (magic == FAT_MAGIC).then_some(FAT_FILE_MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_fat_is_too_small() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(file_bytes_max(dir.path()).unwrap(), None);
        // FAT, exFAT, ext4, tmpfs.
        let found: Vec<_> = [0x4d44, 0x2011_bab0, 0xef53, 0x0102_1994].map(of_kind).into();
        assert_eq!(found, [Some(4 * (1 << 30) - 1), None, None, None]);
    }
}
