//! `data/world.json`: what a release of the game contains. The program is the same in every release;
//! the world file says which levels, enemies and pictures there are.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::FileError;

/// The whole world file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The game's name.
    pub title: String,
    /// What this release is called.
    pub subtitle: String,
    /// The levels in the order they are flown.
    pub levels: Vec<Level>,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Its name, shown when it begins.
    pub name: String,
    /// Folder below `data/` with `sky.png`, `far.png`, `mid.png`, `near.png`.
    pub folder: String,
    /// Music below `data/`.
    pub music: String,
    /// Embers to catch before the next level.
    pub quota: u32,
    /// Flight speed in pixels a second.
    pub speed: f32,
    /// Part of the lantern's light lost each second.
    pub drain: f32,
    /// Embers that fall each second.
    pub embers_per_second: f32,
    /// Share of golden embers, 0 to 1.
    pub golden_share: f32,
    /// Who is in the air.
    pub foes: Vec<FoeRate>,
}

/// An enemy and how often it comes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoeRate {
    /// Who.
    pub kind: FoeKind,
    /// Mean seconds between two of them.
    pub every_seconds: f32,
}

/// The enemies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoeKind {
    /// A dark wisp that drifts along a wave.
    Gloom,
    /// A crow that dives straight through.
    Crow,
    /// A pale moth that follows the lantern.
    FrostMoth,
}

impl FoeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gloom, Self::Crow, Self::FrostMoth];

    /// Name of its picture below `data/sprites/`.
    pub fn picture(self) -> &'static str {
        match self {
            Self::Gloom => "gloom.png",
            Self::Crow => "crow.png",
            Self::FrostMoth => "frost-moth.png",
        }
    }

    /// Radius of its body in pixels.
    pub fn radius(self) -> f32 {
        match self {
            Self::Gloom => 26.0,
            Self::Crow => 22.0,
            Self::FrostMoth => 20.0,
        }
    }
}

impl World {
    /// Reads `world.json` in the data folder.
    pub fn load(data: &Path) -> Result<Self, FileError> {
        let path = data.join("world.json");
        let bytes = std::fs::read(&path).map_err(|source| FileError::Io { path: path.clone(), source })?;
        let world: Self = serde_json::from_slice(&bytes)
            .map_err(|source| FileError::Json { path: path.clone(), source })?;
        if world.levels.is_empty() {
            return Err(FileError::NoLevels { path });
        }
        Ok(world)
    }
}
