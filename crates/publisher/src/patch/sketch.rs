//! How much two files have in common, told from a few hashes of each: the smallest hashes of all windows of a file's
//! start. Files that share many bytes share many of those.

/// Bytes of a file that are looked at.
pub(super) const BYTES: u64 = 1 << 20;
/// Hashes kept of a file.
const HASHES: usize = 32;
/// Hashes that two sketches must share for their files to be taken for versions of one.
const SHARED_MIN: usize = 6;

/// A few hashes of a file, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    hashes: Vec<u64>,
}

impl Sketch {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hashes: Vec<u64> = Vec::new();
        let mut window = 0_u64;
        for byte in bytes {
            // The hash forgets a byte after 64 more.
            window = (window << 1).wrapping_add(scramble(u64::from(*byte) + 1));
            let hash = scramble(window);
            if hashes.len() == HASHES && hashes.last().is_some_and(|largest| hash >= *largest) {
                continue;
            }
            if let Err(at) = hashes.binary_search(&hash) {
                hashes.insert(at, hash);
                hashes.truncate(HASHES);
            }
        }
        Self { hashes }
    }

    /// Hashes in common; nothing if too few for a kinship.
    pub(super) fn kinship(&self, other: &Self) -> Option<usize> {
        let shared = self.hashes.iter().filter(|hash| other.hashes.binary_search(hash).is_ok()).count();
        (shared >= SHARED_MIN.min(self.hashes.len().max(1))).then_some(shared)
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }
}

fn scramble(value: u64) -> u64 {
    let mixed = (value ^ (value >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        (0..length as u64).map(|n| (scramble(seed << 32 | n) >> 40) as u8).collect()
    }

    #[test]
    fn an_edited_file_is_kin_and_another_is_not() {
        let file = noise(1, 50_000);
        let mut edited = file.clone();
        edited.splice(20_000..20_100, noise(2, 700));
        edited.drain(..300);
        let (file, edited, other) = (Sketch::of(&file), Sketch::of(&edited), Sketch::of(&noise(3, 50_000)));
        assert!(file.kinship(&edited).is_some_and(|shared| shared > 20));
        assert_eq!(file.kinship(&other), None);
        assert_eq!(Sketch::of(b"").kinship(&file), None);
    }
}
