//! Bounds on what strangers and files may ask of us. Each has a name and a reason.

/// Deepest nesting that [`crate::bencode`] follows. A v2 file tree nests once per folder.
pub const BENCODE_DEPTH_MAX: usize = 64;
/// Most values in one bencoded document. A `.torrent` has six a file and one a folder; each takes twenty times the two bytes
/// that the shortest has.
pub const BENCODE_VALUES_MAX: usize = 2_000_000;
/// Largest `.torrent` that is read, in bytes: 200,000 files with long names fit.
pub const METAINFO_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest channel document that is read, in bytes.
pub const CHANNEL_BYTES_MAX: usize = 1024 * 1024;
/// Most files in one release.
pub const FILES_MAX: usize = 200_000;
/// Smallest piece, in bytes: one block (BEP 52).
pub const PIECE_LENGTH_MIN: u32 = 16 * 1024;
/// Largest piece, in bytes: larger ones make a swarm slow to start and blame coarse.
pub const PIECE_LENGTH_MAX: u32 = 16 * 1024 * 1024;
/// Largest file, in bytes (1 PiB): keeps every sum of sizes within `u64`.
pub const FILE_BYTES_MAX: u64 = 1 << 50;
/// Most pieces in one release, so that an index fits the peer wire's `u32` with room.
pub const PIECES_MAX: u64 = 1 << 26;
/// Longest path in bytes, separators included.
pub const PATH_BYTES_MAX: usize = 1024;
/// Longest path component in bytes, the bound of common file systems.
pub const COMPONENT_BYTES_MAX: usize = 255;
/// Deepest folder.
pub const PATH_DEPTH_MAX: usize = 48;
/// Longest text (title, notes, argument) in a signed document, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most trackers, mirrors or arguments in a signed document.
pub const LIST_MAX: usize = 64;
/// Largest description of a patch that is read, in bytes.
pub const PATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest list of segments in a description once it is unpacked, in bytes: 16 bytes a span.
pub const PATCH_LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most segments of a patch: one a file that stands alone, or one a window of 1 MiB in 64 GiB.
pub const PATCH_SEGMENTS_MAX: usize = 65_536;
/// Most sources and targets of a patch: each file of two releases as source in two segments, and once as target.
pub const PATCH_SPANS_MAX: usize = 5 * FILES_MAX;
/// Most memory that a segment may need to be applied, in bytes, its old, new and own bytes included.
pub const PATCH_MEMORY_MAX: u64 = 80_000_000;
/// Largest side file of leaves that is written or read, in bytes: a release of 26 GB has one. It is held in memory twice
/// while it is read; a larger release is fetched without local fill.
pub const LEAVES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest file with the key of a sealed release, in bytes: four short fields.
pub const UNLOCK_KEY_BYTES_MAX: usize = 1024;
/// Most stretches of content in a sealed bundle: each file in five parts.
pub const SEALED_RUNS_MAX: usize = 5 * FILES_MAX;
