//! `muster.toml`: what a build says about itself. It is never shipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use release::channel::{OriginProfile, OriginSettings};
use release::manifest::{FileSet, Kind, Launch};
use release::path::GamePath;
use serde::Deserialize;

use crate::{PublishError, disk, glob};

/// Name of the configuration in a build.
pub(crate) const FILE: &str = "muster.toml";
/// Nobody writes a configuration of a megabyte; a wrong `--config` may point at one.
const BYTES_MAX: u64 = 1024 * 1024;
/// Releases that the report compares with, unless `keep` says otherwise.
const KEEP_DEFAULT: usize = 3;

/// The configuration of a build. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The game's name for people. Default: its id.
    pub title: Option<String>,
    /// Patch notes, plain text.
    #[serde(default)]
    pub notes: String,
    /// How many older releases updates are offered and reported from. Default 3; 0 reports none.
    pub keep: Option<usize>,
    /// Patterns of what is not shipped.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// How to start the game, by platform: `[launch.linux-x86_64]` with `executable` and `arguments`.
    #[serde(default)]
    pub launch: BTreeMap<String, Launch>,
    /// What files are, by pattern: `[[files]]`. Later rules win.
    #[serde(default)]
    pub files: Vec<FileRule>,
    /// How much the servers are to help players: `[origin]`.
    #[serde(default)]
    pub origin: Origin,
}

/// How much the servers are to help players; see [`OriginSettings`]. What is left out follows from the profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `fast` (the default) or `thrifty`.
    pub profile: Option<OriginProfile>,
    /// How long players starve before the origin helps, when somebody waits; milliseconds, at most an hour.
    pub delay_foreground_ms: Option<u64>,
    /// The same when nobody waits.
    pub delay_background_ms: Option<u64>,
    /// The origin helps whoever gets less than this from others; bytes per second, at most 1 GiB/s.
    pub floor_bytes_per_second: Option<u64>,
}

impl Origin {
    /// What is said here, and what only `other` says.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            profile: self.profile.or(other.profile),
            delay_foreground_ms: self.delay_foreground_ms.or(other.delay_foreground_ms),
            delay_background_ms: self.delay_background_ms.or(other.delay_background_ms),
            floor_bytes_per_second: self.floor_bytes_per_second.or(other.floor_bytes_per_second),
        }
    }

    /// As the channel bears it; nothing if nothing is said.
    pub(crate) fn settings(self) -> Result<Option<OriginSettings>, PublishError> {
        if self == Self::default() {
            return Ok(None);
        }
        let settings = OriginSettings {
            profile: self.profile.unwrap_or_default(),
            delay_foreground_ms: self.delay_foreground_ms,
            delay_background_ms: self.delay_background_ms,
            floor_bytes_per_second: self.floor_bytes_per_second,
        };
        if settings.is_valid() { Ok(Some(settings)) } else { Err(PublishError::OriginBounds) }
    }
}

/// What the files that fit a pattern are. What a rule leaves out stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    /// Pattern.
    #[serde(rename = "match")]
    pub pattern: String,
    /// `content` (the default) or `user`: the player's, installed if absent and then never touched.
    pub kind: Option<Kind>,
    /// `required` (the default), `playable` or `optional`.
    pub set: Option<FileSet>,
    /// Overrides the executable bit, for builds made where there is none.
    pub executable: Option<bool>,
}

/// What the rules say of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) kind: Kind,
    pub(crate) set: FileSet,
    pub(crate) executable: Option<bool>,
}

impl Config {
    /// Reads `given`, or else the build's own file, or else takes the defaults. Also tells which file was read.
    pub(crate) fn read(build: &Path, given: Option<&Path>) -> Result<(Self, Option<PathBuf>), PublishError> {
        let path = given.map_or_else(|| build.join(FILE), Path::to_owned);
        let Some(text) = disk::read_text(&path, BYTES_MAX)? else {
            return match given {
                Some(_) => Err(PublishError::Config { path, reason: "there is no such file".to_owned() }),
                None => Ok((Self::default(), None)),
            };
        };
        match toml::from_str(&text) {
            Ok(config) => Ok((config, Some(path))),
            Err(error) => Err(PublishError::Config { path, reason: error.to_string() }),
        }
    }

    pub(crate) fn keep(&self) -> usize {
        self.keep.unwrap_or(KEEP_DEFAULT)
    }

    /// True if a pattern covers `path`, which need not be one that a release could hold.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        self.ignore.iter().any(|pattern| glob::matches(pattern, path))
    }

    pub(crate) fn traits(&self, path: &GamePath) -> Traits {
        let mut traits = Traits::default();
        for rule in self.files.iter().filter(|rule| glob::matches(&rule.pattern, path.as_str())) {
            traits.kind = rule.kind.unwrap_or(traits.kind);
            traits.set = rule.set.unwrap_or(traits.set);
            traits.executable = rule.executable.or(traits.executable);
        }
        if self.launch.values().any(|launch| launch.executable == *path) {
            traits.executable = Some(true);
        }
        traits
    }
}
