//! The side file of a release: a weak rolling hash and the SHA-256 leaf of every 16 KiB (BEP 52), by which any old,
//! foreign or half-broken tree gives what it has. A quarter of a percent of the release; fetched to repair or import.
//!
//! Layout: [`MAGIC`], then for each distinct content of the manifest's files, in the order of the files, eight bytes
//! (little-endian) and 32 bytes a leaf. The last leaf of a file is as short as the file makes it.

use crate::{
    hash::Hash32,
    manifest::{Kind, Manifest},
    merkle::{BLOCK, leaf, root},
    rolling::weak,
};
use std::collections::BTreeSet;

/// First bytes of every side file.
pub const MAGIC: &[u8; 16] = b"muster leaves 1\n";
const LEAF_BYTES: usize = 8 + 32;

/// What one leaf is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// [`crate::rolling::weak`] of its bytes.
    pub weak: u64,
    /// [`crate::merkle::leaf`] of its bytes.
    pub hash: Hash32,
}

impl Leaf {
    /// Of at most 16 KiB; only the last leaf of a file is shorter.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { weak: weak(bytes), hash: leaf(bytes) }
    }
}

/// The leaves of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLeaves {
    /// Root of the content.
    pub pieces_root: Hash32,
    /// Its bytes.
    pub size: u64,
    /// Its leaves in order.
    pub leaves: Vec<Leaf>,
}

/// Why a side file was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeavesError {
    /// It does not begin as one.
    #[error("not a side file of leaves")]
    Magic,
    /// Shorter or longer than the release's files make it.
    #[error("the side file is {found} bytes long, not {wanted}")]
    Length {
        /// Bytes that the manifest's files need.
        wanted: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The leaves of a file do not make its root.
    #[error("the leaves of the file with root {0} are not its leaves")]
    Root(Hash32),
}

impl LeavesError {
    /// The stable name of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Magic => "LEAVES_MAGIC",
            Self::Length { .. } => "LEAVES_LENGTH",
            Self::Root(_) => "LEAVES_ROOT",
        }
    }
}

/// Distinct contents of a release, in the order of its files: root and size. What is the player's has no place here.
pub fn contents(manifest: &Manifest) -> impl Iterator<Item = (Hash32, u64)> {
    let mut seen = BTreeSet::new();
    let files = manifest.files.iter().filter(|file| file.kind == Kind::Content);
    files.filter_map(move |file| {
        file.pieces_root.filter(|root| seen.insert(*root)).map(|root| (root, file.size))
    })
}

/// Bytes of the side file of a release.
#[must_use]
pub fn encoded_bytes(manifest: &Manifest) -> u64 {
    let leaves: u64 = contents(manifest).map(|(_, size)| size.div_ceil(u64::from(BLOCK))).sum();
    MAGIC.len() as u64 + leaves * LEAF_BYTES as u64
}

/// The side file of these contents, which stand in the order of [`contents`].
#[must_use]
pub fn encode(files: &[FileLeaves]) -> Vec<u8> {
    let count: usize = files.iter().map(|file| file.leaves.len()).sum();
    let mut out = Vec::with_capacity(MAGIC.len() + count * LEAF_BYTES);
    out.extend(MAGIC);
    for leaf in files.iter().flat_map(|file| &file.leaves) {
        out.extend(leaf.weak.to_le_bytes());
        out.extend(leaf.hash.0);
    }
    out
}

/// Reads the side file of a release: as long as its files make it, and every file's leaves make its root.
///
/// # Errors
/// [`LeavesError`], naming what is wrong.
pub fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Vec<FileLeaves>, LeavesError> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(LeavesError::Magic)?;
    let (wanted, found) = (encoded_bytes(manifest), bytes.len() as u64);
    if wanted != found {
        return Err(LeavesError::Length { wanted, found });
    }
    contents(manifest)
        .map(|(pieces_root, size)| {
            let length = size.div_ceil(u64::from(BLOCK)) as usize * LEAF_BYTES;
            let (mine, others) = rest.split_at(length);
            rest = others;
            let leaves: Vec<Leaf> = mine.chunks_exact(LEAF_BYTES).map(read).collect();
            let hashes: Vec<Hash32> = leaves.iter().map(|leaf| leaf.hash).collect();
            if root(&hashes, hashes.len().next_power_of_two()) != pieces_root {
                return Err(LeavesError::Root(pieces_root));
            }
            Ok(FileLeaves { pieces_root, size, leaves })
        })
        .collect()
}

fn read(entry: &[u8]) -> Leaf {
    let (mut weak, mut hash) = ([0; 8], [0; 32]);
    weak.copy_from_slice(&entry[..8]);
    hash.copy_from_slice(&entry[8..]);
    Leaf { weak: u64::from_le_bytes(weak), hash: Hash32(hash) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> FileLeaves {
        let leaves: Vec<Leaf> = bytes.chunks(BLOCK as usize).map(Leaf::of).collect();
        let hashes: Vec<Hash32> = leaves.iter().map(|leaf| leaf.hash).collect();
        let pieces_root = root(&hashes, hashes.len().next_power_of_two());
        FileLeaves { pieces_root, size: bytes.len() as u64, leaves }
    }

    fn release(files: &[(&str, &FileLeaves, &str)]) -> Manifest {
        let files: Vec<String> = files
            .iter()
            .map(|(path, file, kind)| {
                let (size, root) = (file.size, file.pieces_root);
                format!(r#"{{"path":"{path}","size":{size},"pieces_root":"{root}","kind":"{kind}"}}"#)
            })
            .collect();
        let files = files.join(",");
        let text = format!(
            r#"{{"format":1,"game":"g","version":"1","title":"G","piece_length":16384,"files":[{files}]}}"#
        );
        Manifest::parse(text.as_bytes()).expect("good")
    }

    fn good() -> (Manifest, Vec<FileLeaves>) {
        let (long, short) = (file(&[7; 40_000]), file(&[9; 100]));
        let manifest = release(&[
            ("a", &long, "content"),
            ("b", &short, "content"),
            ("c", &long, "content"),
            ("d", &short, "user"),
        ]);
        (manifest, vec![long, short])
    }

    #[test]
    fn what_was_encoded_is_read_back_each_content_once() {
        let (manifest, files) = good();
        let bytes = encode(&files);
        assert_eq!(bytes.len() as u64, encoded_bytes(&manifest));
        assert_eq!(parse(&bytes, &manifest), Ok(files));
    }

    #[test]
    fn a_truncated_side_file_is_refused() {
        let (manifest, files) = good();
        let bytes = encode(&files);
        for length in [0, 15, 16, bytes.len() - 1] {
            let refused = parse(&bytes[..length], &manifest).expect_err("too short").code();
            assert_eq!(refused, if length < MAGIC.len() { "LEAVES_MAGIC" } else { "LEAVES_LENGTH" });
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(parse(&longer, &manifest).expect_err("too long").code(), "LEAVES_LENGTH");
    }

    #[test]
    fn leaves_of_another_file_are_refused() {
        let (manifest, files) = good();
        let mut bytes = encode(&files);
        bytes[MAGIC.len() + 8] ^= 1;
        assert_eq!(parse(&bytes, &manifest), Err(LeavesError::Root(files[0].pieces_root)));
    }
}
