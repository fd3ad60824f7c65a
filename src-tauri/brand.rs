//! A studio's face: names, colours, pictures, news feed, identity provider. Data only.
//!
//! Where it comes from: a build embeds one brand folder (`MUSTER_BUILD_BRAND` at build time, else the plain one beside this file).
//! A build without a repository of its own, such as the demo's, reads another folder from `MUSTER_BRAND_DIR` at start, and single
//! values from `MUSTER_FEED` and `MUSTER_ISSUER`. A studio's build has a repository built in and looks at none of these.
//! Invariant: whatever the folder says was checked; a brand cannot name a file outside itself.

use crate::{files, links, protocol, repository::Environment};
use release::id::{ChannelName, GameId};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
};
use ts_rs::TS;
use url::Url;

/// A brand ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Brand {
    /// What `brand.json` says.
    pub(crate) config: BrandConfig,
    /// The large picture.
    pub(crate) key_art: Option<Asset>,
    /// The small one.
    pub(crate) logo: Option<Asset>,
    /// Root version 1 beside `brand.json`, for builds without one of their own.
    pub(crate) root: Option<Cow<'static, [u8]>>,
}

/// A picture with its content type.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// One of ours, by the file's ending.
    pub(crate) content_type: &'static str,
    /// The file.
    pub(crate) bytes: Cow<'static, [u8]>,
}

/// `brand.json`. Unknown keys are left alone, so that an older launcher reads a newer brand.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BrandConfig {
    /// The brand's own id.
    pub(crate) id: GameId,
    /// The launcher's name.
    pub(crate) name: String,
    /// The game.
    pub(crate) game: GameId,
    /// The game's name.
    pub(crate) title: String,
    /// One line below it.
    #[serde(default)]
    pub(crate) tagline: String,
    /// The accent colour, `#rrggbb`.
    pub(crate) accent: String,
    /// Channels a player may choose from; the first is the default.
    pub(crate) channels: Vec<ChannelName>,
    /// The news feed.
    #[serde(default)]
    pub(crate) feed: Option<Url>,
    /// The identity provider, exactly as it names itself.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// Our client id there.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    /// Scopes besides `openid`.
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    /// The repository, for builds without one of their own.
    #[serde(default)]
    pub(crate) repository: Option<Url>,
}

/// The part the window sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(rename = "Brand")]
pub(crate) struct BrandView {
    /// The launcher's name.
    pub(crate) name: String,
    /// The game's id.
    pub(crate) game: String,
    /// The game's name.
    pub(crate) title: String,
    /// One line below it.
    pub(crate) tagline: String,
    /// `#rrggbb`.
    pub(crate) accent: String,
    /// Channels a player may choose from.
    pub(crate) channels: Vec<String>,
    /// Whether there is an identity provider.
    pub(crate) sign_in: bool,
    /// The large picture's address in the launcher's scheme.
    pub(crate) key_art: String,
    /// The launcher's own version.
    pub(crate) version: String,
}

/// Why a brand is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrandError {
    /// A file cannot be read.
    #[error("{0}: {1}", path.display(), source)]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `brand.json` is missing.
    #[error("{0} holds no brand.json")]
    Missing(PathBuf),
    /// `brand.json` cannot be understood.
    #[error("brand.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A value is not allowed.
    #[error("brand.json: {0}")]
    Value(&'static str),
}

/// Bytes of `brand.json` and of a root.
const JSON_MAX: u64 = 256 * 1024;
/// Bytes of a picture.
const PICTURE_MAX: u64 = 8 * 1024 * 1024;
/// Characters of a name or a line.
const TEXT_MAX: usize = 120;
/// Channels on offer; more would not fit a menu.
const CHANNELS_MAX: usize = 16;
/// Endings of pictures, with the type they are served as.
const PICTURES: [(&str, &str); 4] =
    [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("svg", "image/svg+xml")];

/// Files of the embedded brand folder by name, written by the build script.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/brand.rs"));

impl Brand {
    /// The brand this launcher shows.
    pub(crate) fn load(environment: &Environment) -> Result<Self, BrandError> {
        let mut brand = match &environment.brand_dir {
            Some(dir) => Self::from_dir(dir)?,
            None => Self::embedded()?,
        };
        let config = &mut brand.config;
        config.feed = environment.feed.clone().or_else(|| config.feed.take());
        config.issuer = environment.issuer.clone().or_else(|| config.issuer.take());
        config.check()?;
        Ok(brand)
    }

    /// The brand built in.
    pub(crate) fn embedded() -> Result<Self, BrandError> {
        let file = |name: &str| {
            let found = EMBEDDED.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, bytes)| Cow::Borrowed(*bytes)))
        };
        Self::read(Path::new("the embedded brand"), |name, _limit| file(name))
    }

    fn from_dir(dir: &Path) -> Result<Self, BrandError> {
        Self::read(dir, |name, limit| {
            let path = dir.join(name);
            let bytes = files::read(&path, limit).map_err(|source| BrandError::Read { path, source })?;
            Ok(bytes.map(Cow::Owned))
        })
    }

    fn read(
        dir: &Path,
        file: impl Fn(&str, u64) -> Result<Option<Cow<'static, [u8]>>, BrandError>,
    ) -> Result<Self, BrandError> {
        let picture = |stem: &str| {
            for (extension, content_type) in PICTURES {
                if let Some(bytes) = file(&format!("{stem}.{extension}"), PICTURE_MAX)? {
                    return Ok(Some(Asset { content_type, bytes }));
                }
            }
            Ok::<_, BrandError>(None)
        };
        let json = file("brand.json", JSON_MAX)?.ok_or_else(|| BrandError::Missing(dir.to_owned()))?;
        let config: BrandConfig = serde_json::from_slice(&json)?;
        config.check()?;
        Ok(Self {
            config,
            key_art: picture("key-art")?,
            logo: picture("logo")?,
            root: file("root.json", JSON_MAX)?,
        })
    }

    /// The part the window sees.
    pub(crate) fn view(&self) -> BrandView {
        let config = &self.config;
        BrandView {
            name: config.name.clone(),
            game: config.game.to_string(),
            title: config.title.clone(),
            tagline: config.tagline.clone(),
            accent: config.accent.clone(),
            channels: self.channels(),
            sign_in: config.issuer.is_some() && config.client_id.is_some(),
            key_art: protocol::KEY_ART.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The channels by name.
    pub(crate) fn channels(&self) -> Vec<String> {
        self.config.channels.iter().map(ToString::to_string).collect()
    }
}

impl BrandConfig {
    fn check(&self) -> Result<(), BrandError> {
        let texts = [&self.name, &self.title, &self.tagline];
        if texts.iter().any(|text| text.chars().count() > TEXT_MAX || text.contains(char::is_control)) {
            return Err(BrandError::Value(
                "name, title and tagline are single lines of at most 120 characters",
            ));
        }
        if self.name.is_empty() || self.title.is_empty() {
            return Err(BrandError::Value("name and title are needed"));
        }
        let digits = self.accent.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BrandError::Value("accent is written #rrggbb"));
        }
        if self.channels.is_empty() || self.channels.len() > CHANNELS_MAX {
            return Err(BrandError::Value("there is at least one channel and at most sixteen"));
        }
        let issuer = self.issuer.as_deref().map(Url::parse);
        let addresses = [&self.feed, &self.repository].into_iter().flatten();
        let all_allowed = addresses.into_iter().all(links::allowed)
            && issuer.is_none_or(|issuer| issuer.is_ok_and(|url| links::allowed(&url)));
        if !all_allowed {
            return Err(BrandError::Value("addresses are https, or http on the loopback"));
        }
        Ok(())
    }
}

fn default_scopes() -> Vec<String> {
    ["profile", "offline_access"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn good() -> Value {
        json!({ "id": "b", "name": "N", "game": "g", "title": "T", "accent": "#0a1B2c", "channels": ["live"], "later": 1 })
    }

    #[test]
    fn a_folder_with_pictures_and_overrides() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let environment = Environment {
            brand_dir: Some(dir.path().to_owned()),
            feed: Some(Url::parse("http://127.0.0.1:1/feed").unwrap()),
            issuer: Some("http://127.0.0.1:2".into()),
            ..Environment::default()
        };
        assert!(matches!(Brand::load(&environment), Err(BrandError::Missing(_))));
        fs::write(at("brand.json"), good().to_string()).unwrap();
        fs::write(at("key-art.jpg"), b"art").unwrap();
        fs::write(at("root.json"), b"root").unwrap();
        let brand = Brand::load(&environment).unwrap();
        assert_eq!(brand.key_art.as_ref().unwrap().content_type, "image/jpeg");
        assert!(brand.logo.is_none());
        assert_eq!(brand.root.as_deref(), Some(&b"root"[..]));
        assert_eq!(brand.config.feed.as_ref().unwrap().as_str(), "http://127.0.0.1:1/feed");
        assert!(!brand.view().sign_in, "no client id");
    }

    #[test]
    fn values_that_are_refused() {
        let cases = [
            ("accent", json!("red; background: url(x)")),
            ("channels", json!([])),
            ("channels", json!(["../up"])),
            ("game", json!("A/b")),
            ("name", json!("two\nlines")),
            ("title", json!("")),
            ("feed", json!("http://studio.example/feed")),
            ("issuer", json!("javascript:1")),
            ("repository", json!("file:///tmp")),
        ];
        for (key, value) in cases {
            let mut json = good();
            json[key] = value;
            let read = Brand::read(Path::new("x"), |name, _| {
                Ok((name == "brand.json").then(|| json.to_string().into_bytes().into()))
            });
            assert!(read.is_err(), "{key}");
        }
    }

    #[test]
    fn the_embedded_brand_is_usable() {
        let brand = Brand::load(&Environment::default()).unwrap();
        assert_eq!(brand.channels().len(), brand.view().channels.len());
    }
}
