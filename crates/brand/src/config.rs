//! `brand.json`: what it may say.

use crate::{
    address::allowed,
    colour::{Colour, Palette},
    folder::BrandError,
};
use release::id::{ChannelName, GameId};
use serde::{Deserialize, Serialize};
use url::Url;

/// Characters of a name or a line.
const TEXT_MAX: usize = 120;
/// Channels on offer; more would not fit a menu.
const CHANNELS_MAX: usize = 16;
/// The lowest cap that still lets a block pass within a few seconds, in bytes per second.
const LIMIT_MIN: u64 = 4_096;

/// `brand.json`. Unknown keys are left alone, so that an older launcher reads a newer brand.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The brand's own id.
    pub id: GameId,
    /// The launcher's name.
    pub name: String,
    /// The game.
    pub game: GameId,
    /// The game's name.
    pub title: String,
    /// One line below it.
    #[serde(default)]
    pub tagline: String,
    /// The accent colour.
    pub accent: Colour,
    /// The other colours.
    #[serde(default)]
    pub colours: Palette,
    /// Channels a player may choose from; the first is the default.
    pub channels: Vec<ChannelName>,
    /// The news feed.
    #[serde(default)]
    pub feed: Option<Url>,
    /// The identity provider, exactly as it names itself.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Our client id there.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Scopes besides `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Pages of the studio.
    #[serde(default)]
    pub links: Links,
    /// What a player's settings begin with.
    #[serde(default)]
    pub defaults: Defaults,
    /// The repository, for builds without one of their own.
    #[serde(default)]
    pub repository: Option<Url>,
}

/// Pages of the studio, opened in the system's browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Links {
    /// Help with the game.
    #[serde(default)]
    pub support: Option<Url>,
    /// Where players meet.
    #[serde(default)]
    pub community: Option<Url>,
    /// What becomes of players' data.
    #[serde(default)]
    pub privacy: Option<Url>,
}

/// What a player's settings begin with; each that is absent begins as the launcher's own. A player changes them at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Upload cap in bytes per second, at least 4,096. No brand begins without one.
    #[serde(default)]
    pub limit_up: Option<u64>,
    /// Download cap in bytes per second, at least 4,096.
    #[serde(default)]
    pub limit_down: Option<u64>,
    /// When games are passed on.
    #[serde(default)]
    pub sharing: Option<Sharing>,
}

/// How a brand may begin to share. Sharing for as long as the launcher is open is the player's to choose, not the studio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// While the player downloads too.
    WhileDownloading,
    /// On the local network only.
    Lan,
    /// Never.
    Off,
}

impl Config {
    /// Whether every value may be used.
    ///
    /// # Errors
    /// [`BrandError::Value`] for the first that may not.
    pub fn check(&self) -> Result<(), BrandError> {
        let texts = [&self.name, &self.title, &self.tagline];
        if texts.iter().any(|text| text.chars().count() > TEXT_MAX || text.contains(char::is_control)) {
            return Err(BrandError::Value(
                "name, title and tagline are single lines of at most 120 characters",
            ));
        }
        if self.name.is_empty() || self.title.is_empty() {
            return Err(BrandError::Value("name and title are needed"));
        }
        if self.channels.is_empty() || self.channels.len() > CHANNELS_MAX {
            return Err(BrandError::Value("there is at least one channel and at most sixteen"));
        }
        let caps = [self.defaults.limit_up, self.defaults.limit_down];
        if caps.into_iter().flatten().any(|cap| cap < LIMIT_MIN) {
            return Err(BrandError::Value("a cap is at least 4096 bytes per second"));
        }
        self.check_addresses()
    }

    fn check_addresses(&self) -> Result<(), BrandError> {
        let issuer = self.issuer.as_deref().map(Url::parse);
        let links = [&self.links.support, &self.links.community, &self.links.privacy];
        let addresses = [&self.feed, &self.repository].into_iter().chain(links).flatten();
        let all_allowed = addresses.into_iter().all(allowed)
            && issuer.is_none_or(|issuer| issuer.is_ok_and(|url| allowed(&url)));
        match all_allowed {
            true => Ok(()),
            false => Err(BrandError::Value("addresses are https, or http on the loopback")),
        }
    }
}

fn default_scopes() -> Vec<String> {
    ["profile", "offline_access"].map(str::to_owned).to_vec()
}
