//! A brand folder: files of fixed names, bounded, read through whoever has the bytes.

use crate::{
    config::Config,
    words::{self, LANGUAGES, Words},
};
use std::{borrow::Cow, collections::BTreeMap, io, path::PathBuf};

/// Bytes of `brand.json` and of a root.
const JSON_MAX: u64 = 256 * 1024;
/// Bytes of a picture.
const PICTURE_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of the words of one language, and of a licence in one.
const WORDS_MAX: u64 = 128 * 1024;
/// Endings of pictures, with the type they are served as.
const PICTURES: [(&str, &str); 4] =
    [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp"), ("svg", "image/svg+xml")];

/// A brand ready for use.
#[derive(Clone, Debug)]
pub struct Brand {
    /// What `brand.json` says.
    pub config: Config,
    /// The large picture, `key-art.…`, for ordinary screens.
    pub key_art: Option<Asset>,
    /// The same for screens of twice the pixels, `key-art@2x.…`.
    pub key_art_2x: Option<Asset>,
    /// The game's name as a picture, `logo.…`.
    pub logo: Option<Asset>,
    /// Sentences said otherwise, by language, `words.<language>.json`.
    pub words: BTreeMap<String, Words>,
    /// What a player agrees to, by language, `licence.<language>.txt`.
    pub licence: BTreeMap<String, String>,
    /// Root version 1 beside `brand.json`, `root.json`, for builds without one of their own.
    pub root: Option<Cow<'static, [u8]>>,
}

/// A picture with its content type.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its file's name.
    pub name: String,
    /// By the name's ending.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Cow<'static, [u8]>,
}

/// Why a brand is refused.
#[derive(Debug, thiserror::Error)]
pub enum BrandError {
    /// A file cannot be read.
    #[error("{0}: {1}", path.display(), source)]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `brand.json` is missing.
    #[error("there is no brand.json")]
    Missing,
    /// A document cannot be understood.
    #[error("{name}: {source}")]
    Json {
        /// Which.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A licence is no text.
    #[error("{0} is not UTF-8")]
    Text(String),
    /// A sentence cannot take the place of the window's own.
    #[error("{name}: {fault}")]
    Words {
        /// Which file.
        name: String,
        /// Why.
        fault: String,
    },
    /// A value is not allowed.
    #[error("brand.json: {0}")]
    Value(&'static str),
}

impl BrandError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "BRAND_IO",
            Self::Missing => "BRAND_MISSING",
            Self::Json { .. } | Self::Text(_) | Self::Value(_) => "BRAND_INVALID",
            Self::Words { .. } => "BRAND_WORDS",
        }
    }
}

/// Bytes of a file by name and bound; nothing where there is none.
pub type Found = Result<Option<Cow<'static, [u8]>>, BrandError>;

impl Brand {
    /// Reads a brand. `file` gives the bytes of a name, refusing more than the bound it is given.
    ///
    /// # Errors
    /// [`BrandError`]: the first rule that does not hold.
    pub fn read(file: impl Fn(&str, u64) -> Found) -> Result<Self, BrandError> {
        let json = file("brand.json", JSON_MAX)?.ok_or(BrandError::Missing)?;
        let config: Config = parsed("brand.json", &json)?;
        config.check()?;
        let picture = |stem: &str| picture(&file, stem);
        Ok(Self {
            config,
            key_art: picture("key-art")?,
            key_art_2x: picture("key-art@2x")?,
            logo: picture("logo")?,
            words: by_language(|language| words_of(&file, language))?,
            licence: by_language(|language| licence_of(&file, language))?,
            root: file("root.json", JSON_MAX)?,
        })
    }
}

fn picture(file: &impl Fn(&str, u64) -> Found, stem: &str) -> Result<Option<Asset>, BrandError> {
    for (extension, content_type) in PICTURES {
        let name = format!("{stem}.{extension}");
        if let Some(bytes) = file(&name, PICTURE_MAX)? {
            return Ok(Some(Asset { name, content_type, bytes }));
        }
    }
    Ok(None)
}

fn by_language<T>(
    read: impl Fn(&str) -> Result<Option<T>, BrandError>,
) -> Result<BTreeMap<String, T>, BrandError> {
    let mut found = BTreeMap::new();
    for language in LANGUAGES {
        if let Some(one) = read(language)? {
            found.insert(language.to_owned(), one);
        }
    }
    Ok(found)
}

fn words_of(file: &impl Fn(&str, u64) -> Found, language: &str) -> Result<Option<Words>, BrandError> {
    let name = format!("words.{language}.json");
    let Some(bytes) = file(&name, WORDS_MAX)? else { return Ok(None) };
    let words: Words = parsed(&name, &bytes)?;
    match words.iter().find_map(|(key, sentence)| words::fault(key, sentence)) {
        Some(fault) => Err(BrandError::Words { name, fault }),
        None => Ok(Some(words)),
    }
}

fn licence_of(file: &impl Fn(&str, u64) -> Found, language: &str) -> Result<Option<String>, BrandError> {
    let name = format!("licence.{language}.txt");
    let Some(bytes) = file(&name, WORDS_MAX)? else { return Ok(None) };
    String::from_utf8(bytes.into_owned()).map(Some).map_err(|_| BrandError::Text(name))
}

fn parsed<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, BrandError> {
    serde_json::from_slice(bytes).map_err(|source| BrandError::Json { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({ "id": "b", "name": "N", "game": "g", "title": "T", "accent": "#0a1B2c", "channels": ["live"], "later": 1 })
    }

    fn read(files: &[(&str, &str)]) -> Result<Brand, BrandError> {
        Brand::read(|name, _| {
            let found = files.iter().find(|(known, _)| *known == name);
            Ok(found.map(|(_, text)| Cow::Owned(text.as_bytes().to_vec())))
        })
    }

    fn refused(files: &[(&str, &str)]) -> &'static str {
        read(files).expect_err("refused").code()
    }

    #[test]
    fn a_whole_folder() {
        let json = good().to_string();
        let brand = read(&[
            ("brand.json", &json),
            ("key-art.jpg", "art"),
            ("key-art@2x.webp", "large art"),
            ("words.de.json", r#"{ "button.play": "Auf!" }"#),
            ("licence.en.txt", "Be kind."),
            ("root.json", "root"),
        ]);
        let brand = brand.expect("a brand");
        assert_eq!(brand.key_art.map(|art| art.content_type), Some("image/jpeg"));
        assert_eq!(brand.key_art_2x.map(|art| art.name).as_deref(), Some("key-art@2x.webp"));
        assert!(brand.logo.is_none());
        assert_eq!(brand.words["de"]["button.play"], "Auf!");
        assert_eq!(brand.licence["en"], "Be kind.");
    }

    #[test]
    fn values_that_are_refused() {
        for (key, value) in [
            ("accent", json!("red; background: url(x)")),
            ("channels", json!([])),
            ("channels", json!(["../up"])),
            ("game", json!("A/b")),
            ("name", json!("two\nlines")),
            ("title", json!("")),
            ("feed", json!("http://studio.example/feed")),
            ("issuer", json!("javascript:1")),
            ("repository", json!("file:///tmp")),
            ("links", json!({ "support": "javascript:alert(1)" })),
            ("colours", json!({ "text": "white" })),
            ("colours", json!({ "--text": "#ffffff" })),
            ("defaults", json!({ "limit_up": 10 })),
            ("defaults", json!({ "sharing": "while_open" })),
        ] {
            let mut json = good();
            json[key] = value;
            assert_eq!(
                refused(&[("brand.json", &json.to_string())]),
                "BRAND_INVALID",
                "{key}: {}",
                json[key]
            );
        }
    }

    #[test]
    fn words_that_the_window_could_not_say() {
        let json = good().to_string();
        for words in [r#"{ "button.play": "{" }"#, r#"{ "no.such": "x" }"#, r#"{ "button.play": "{now}" }"#] {
            assert_eq!(refused(&[("brand.json", &json), ("words.en.json", words)]), "BRAND_WORDS", "{words}");
        }
        assert_eq!(refused(&[("brand.json", &json), ("words.en.json", "[]")]), "BRAND_INVALID");
        assert_eq!(refused(&[]), "BRAND_MISSING");
    }
}
