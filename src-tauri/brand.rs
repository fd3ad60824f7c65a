//! Which brand this launcher shows, and the part of it that the window sees. What a brand may say is the `brand` crate's.
//!
//! Where it comes from: a build embeds one brand folder (`MUSTER_BUILD_BRAND` at build time, else the plain one beside this file).
//! A build without a repository of its own, such as the demo's, reads another folder from `MUSTER_BRAND_DIR` at start, and single
//! values from `MUSTER_FEED` and `MUSTER_ISSUER`. A studio's build has a repository built in and looks at none of these.

use crate::{files, links, protocol, repository::Environment};
pub(crate) use ::brand::{Asset, Brand, BrandError};
use ::brand::{Links, Words};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, path::Path};
use ts_rs::TS;
use url::Url;

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
    /// Other colours by their names, `#rrggbb`; those that are absent stay the window's own.
    pub(crate) colours: BTreeMap<String, String>,
    /// Channels a player may choose from.
    pub(crate) channels: Vec<String>,
    /// Whether there is an identity provider.
    pub(crate) sign_in: bool,
    /// The large picture's address in the launcher's scheme.
    pub(crate) key_art: String,
    /// The same for screens of twice the pixels, where there is one.
    pub(crate) key_art_2x: Option<String>,
    /// Sentences said otherwise, by language.
    pub(crate) words: BTreeMap<String, Words>,
    /// What a player agrees to, by language.
    pub(crate) licence: BTreeMap<String, String>,
    /// Pages of the studio that can be opened.
    pub(crate) links: Vec<LinkName>,
    /// The launcher's own version.
    pub(crate) version: String,
}

/// A page of the studio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LinkName {
    /// Help with the game.
    Support,
    /// Where players meet.
    Community,
    /// What becomes of players' data.
    Privacy,
}

/// Files of the embedded brand folder by name, written by the build script.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/brand.rs"));

/// The brand this launcher shows.
pub(crate) fn load(environment: &Environment) -> Result<Brand, BrandError> {
    let mut brand = match &environment.brand_dir {
        Some(dir) => from_dir(dir)?,
        None => embedded()?,
    };
    let config = &mut brand.config;
    config.feed = environment.feed.clone().or_else(|| config.feed.take());
    config.issuer = environment.issuer.clone().or_else(|| config.issuer.take());
    config.check()?;
    Ok(brand)
}

/// The brand built in.
pub(crate) fn embedded() -> Result<Brand, BrandError> {
    Brand::read(|name, _limit| {
        let found = EMBEDDED.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, bytes)| Cow::Borrowed(*bytes)))
    })
}

fn from_dir(dir: &Path) -> Result<Brand, BrandError> {
    Brand::read(|name, limit| {
        let path = dir.join(name);
        let bytes = files::read(&path, limit).map_err(|source| BrandError::Read { path, source })?;
        Ok(bytes.map(Cow::Owned))
    })
}

/// The part the window sees.
pub(crate) fn view(brand: &Brand) -> BrandView {
    let config = &brand.config;
    let named = config.colours.named();
    BrandView {
        name: config.name.clone(),
        game: config.game.to_string(),
        title: config.title.clone(),
        tagline: config.tagline.clone(),
        accent: config.accent.to_string(),
        colours: named.into_iter().map(|(name, colour)| (name.to_owned(), colour.to_string())).collect(),
        channels: channels(brand),
        sign_in: config.issuer.is_some() && config.client_id.is_some(),
        key_art: protocol::KEY_ART.to_owned(),
        key_art_2x: brand.key_art_2x.as_ref().map(|_| protocol::KEY_ART_2X.to_owned()),
        words: brand.words.clone(),
        licence: brand.licence.clone(),
        links: [LinkName::Support, LinkName::Community, LinkName::Privacy]
            .into_iter()
            .filter(|name| page(&config.links, *name).is_some())
            .collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The channels by name.
pub(crate) fn channels(brand: &Brand) -> Vec<String> {
    brand.config.channels.iter().map(ToString::to_string).collect()
}

/// The page of a name, where the brand has it.
pub(crate) fn page(links: &Links, name: LinkName) -> Option<&Url> {
    let page = match name {
        LinkName::Support => &links.support,
        LinkName::Community => &links.community,
        LinkName::Privacy => &links.privacy,
    };
    page.as_ref().filter(|url| links::allowed(url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
        assert!(matches!(load(&environment), Err(BrandError::Missing)));
        let json = r##"{ "id": "b", "name": "N", "game": "g", "title": "T", "accent": "#0a1B2c", "channels": ["live"],
            "colours": { "ground": "#f4efe6" }, "links": { "support": "https://studio.example/help" } }"##;
        fs::write(at("brand.json"), json).unwrap();
        fs::write(at("key-art.jpg"), b"art").unwrap();
        fs::write(at("root.json"), b"root").unwrap();
        fs::write(at("licence.en.txt"), b"Be kind.").unwrap();
        let brand = load(&environment).unwrap();
        assert_eq!(brand.key_art.as_ref().unwrap().content_type, "image/jpeg");
        assert_eq!(brand.root.as_deref(), Some(&b"root"[..]));
        assert_eq!(brand.config.feed.as_ref().unwrap().as_str(), "http://127.0.0.1:1/feed");
        let view = view(&brand);
        assert!(!view.sign_in, "no client id");
        assert_eq!((view.accent.as_str(), view.colours["ground"].as_str()), ("#0a1b2c", "#f4efe6"));
        assert_eq!(
            (view.links.as_slice(), view.licence["en"].as_str()),
            (&[LinkName::Support][..], "Be kind.")
        );
        assert_eq!(view.key_art_2x, None);
    }

    #[test]
    fn the_embedded_brand_is_usable() {
        let brand = load(&Environment::default()).unwrap();
        assert!(!view(&brand).channels.is_empty() && brand.config.repository.is_none());
    }
}
