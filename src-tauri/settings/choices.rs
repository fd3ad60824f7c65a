//! The choices among few that a player has.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The window's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Japanese.
    Ja,
    /// Arabic.
    Ar,
    /// What the system says.
    System,
}

/// What transfers do while the game runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhilePlaying {
    /// They stop.
    Pause,
    /// They go on under a small cap.
    Limit,
    /// They go on as if nothing ran.
    Ignore,
}

/// What becomes of the launcher when the game has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterStart {
    /// It stays as it is.
    Keep,
    /// Its window is minimised, and comes back when the game ends.
    Hide,
    /// It ends, and with it sharing; the game does not.
    Close,
}

/// What is done with an update that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Updates {
    /// The player presses the button.
    Ask,
    /// It is installed while the game does not run.
    Auto,
}

/// What is done on a network that is paid for by the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metered {
    /// Downloads wait for a word of the player's; nothing is passed on.
    Ask,
    /// Downloads wait for another network; nothing is passed on.
    Pause,
    /// It is a network like any other.
    Allow,
}

/// Through what web servers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProxyChoice {
    /// The system's.
    System,
    /// None.
    None,
    /// The address beside it.
    Address,
}
