//! Two releases of a game that descriptions of patches are read against: their manifests as `muster publish` wrote them, into
//! the same repository that the seeds of the targets are files of.

use release::manifest::Manifest;
use std::sync::LazyLock;

const OLD: &[u8] = include_bytes!("../releases/1.0.manifest");
const NEW: &[u8] = include_bytes!("../releases/1.1.manifest");

/// The older and the newer.
pub(crate) static TWO: LazyLock<[Manifest; 2]> =
    LazyLock::new(|| [OLD, NEW].map(|bytes| Manifest::parse(bytes).expect("a manifest that was published")));
