//! What a studio should mend before players see its brand: pictures that are missing or too small, text that cannot be read,
//! languages that were forgotten.

use crate::{
    colour::{Colour, SIGN_MIN, TEXT_MIN},
    folder::{Asset, Brand},
    words::LANGUAGES,
};
use image::ImageReader;
use serde::Serialize;
use std::{collections::BTreeMap, io::Cursor};

/// Pixels of the large picture: a window of usual size on an ordinary screen.
const ART_MIN: (u32, u32) = (1280, 720);
/// Pixels of a logo across, so that it is sharp at the size it is shown in.
const LOGO_MIN: u32 = 480;
/// Text that is read against something: colour, what lies behind it, contrast it needs.
const PAIRS: [(&str, &str, f64); 12] = [
    ("text", "ground", TEXT_MIN),
    ("text", "surface", TEXT_MIN),
    ("text", "surface_raised", TEXT_MIN),
    ("text", "surface_hover", TEXT_MIN),
    ("text_soft", "ground", TEXT_MIN),
    ("text_soft", "surface", TEXT_MIN),
    ("text_soft", "surface_raised", TEXT_MIN),
    ("text_faint", "surface", TEXT_MIN),
    ("text_faint", "surface_raised", TEXT_MIN),
    ("danger", "surface", TEXT_MIN),
    ("good", "surface", SIGN_MIN),
    ("warning", "surface", SIGN_MIN),
];

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can be shipped like this.
    Note,
    /// Players could not read or see something.
    Bad,
}

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence in English.
    pub message: String,
}

/// Everything to mend in a brand that was read.
#[must_use]
pub fn findings(brand: &Brand) -> Vec<Finding> {
    let mut found = pictures(brand);
    found.extend(contrasts(brand));
    found.extend(languages("words", "BRAND_WORDS_PARTIAL", &brand.words));
    found.extend(languages("licence", "BRAND_LICENCE_PARTIAL", &brand.licence));
    found
}

fn bad(code: &'static str, message: String) -> Finding {
    Finding { code, severity: Severity::Bad, message }
}

fn note(code: &'static str, message: String) -> Finding {
    Finding { code, severity: Severity::Note, message }
}

fn pictures(brand: &Brand) -> Vec<Finding> {
    let mut found = Vec::new();
    match &brand.key_art {
        Some(art) => found.extend(art_fault(art, ART_MIN)),
        None => {
            found.push(bad("BRAND_ART_MISSING", "there is no key-art.jpg, .png, .webp or .svg".to_owned()))
        }
    }
    match &brand.key_art_2x {
        Some(art) => found.extend(art_fault(art, (2 * ART_MIN.0, 2 * ART_MIN.1))),
        // A drawing is sharp at any size.
        None if brand.key_art.as_ref().is_some_and(is_drawing) => {}
        None => found.push(note(
            "BRAND_ART_2X",
            "there is no key-art@2x: it will look soft on fine screens".to_owned(),
        )),
    }
    match &brand.logo {
        Some(logo) => found.extend(art_fault(logo, (LOGO_MIN, 1))),
        None => found.push(note("BRAND_LOGO_MISSING", "there is no logo: the title is written".to_owned())),
    }
    found
}

fn is_drawing(art: &Asset) -> bool {
    art.content_type == "image/svg+xml"
}

fn art_fault(art: &Asset, (width, height): (u32, u32)) -> Option<Finding> {
    if is_drawing(art) {
        let is_one = art.bytes.windows(4).any(|window| window == b"<svg");
        return (!is_one).then(|| bad("BRAND_ART_BROKEN", format!("{} is no drawing", art.name)));
    }
    let read = ImageReader::new(Cursor::new(&art.bytes)).with_guessed_format().ok();
    match read.and_then(|reader| reader.into_dimensions().ok()) {
        None => Some(bad("BRAND_ART_BROKEN", format!("{} cannot be read as a picture", art.name))),
        Some((w, h)) if w < width || h < height => Some(bad(
            "BRAND_ART_SMALL",
            format!("{} is {w}×{h} pixels; at least {width}×{height} are needed", art.name),
        )),
        Some(_) => None,
    }
}

fn contrasts(brand: &Brand) -> Vec<Finding> {
    let palette = &brand.config.colours;
    let pairs = PAIRS.iter().filter_map(|(text, behind, least)| {
        Some(((*text, palette.in_use(text)?), (*behind, palette.in_use(behind)?), *least))
    });
    let mut found: Vec<Finding> =
        pairs.filter_map(|(text, behind, least)| unreadable(text, behind, least)).collect();
    let accent = brand.config.accent;
    let best = [Colour::of([11, 14, 20]), Colour::of([255, 255, 255])].map(|on| on.contrast(accent));
    if best[0].max(best[1]) < TEXT_MIN {
        found.push(bad(
            "BRAND_CONTRAST",
            format!("neither dark nor white text can be read on the accent {accent}"),
        ));
    }
    if let Some(ground) = palette.in_use("ground")
        && accent.contrast(ground) < SIGN_MIN
    {
        let ratio = accent.contrast(ground);
        found.push(bad(
            "BRAND_CONTRAST",
            format!("the accent {accent} on ground {ground}: {ratio:.2}, needs {SIGN_MIN}"),
        ));
    }
    found
}

fn unreadable(text: (&str, Colour), behind: (&str, Colour), least: f64) -> Option<Finding> {
    let ratio = text.1.contrast(behind.1);
    (ratio < least).then(|| {
        let message =
            format!("{} {} on {} {}: {ratio:.2}, needs {least}", text.0, text.1, behind.0, behind.1);
        bad("BRAND_CONTRAST", message)
    })
}

/// Languages that were left out where others were not.
fn languages<T>(what: &str, code: &'static str, there: &BTreeMap<String, T>) -> Option<Finding> {
    let missing: Vec<&str> =
        LANGUAGES.into_iter().filter(|language| !there.contains_key(*language)).collect();
    let partly = !there.is_empty() && !missing.is_empty();
    // A licence that cannot be read in English cannot be read by whoever speaks none of the others.
    let severity = if what == "licence" && missing.contains(&"en") { Severity::Bad } else { Severity::Note };
    partly.then(|| Finding {
        code,
        severity,
        message: format!("there is no {what} in: {}", missing.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::{Value, json};
    use std::borrow::Cow;

    fn brand(more: &Value) -> Brand {
        let mut json = json!({ "id": "b", "name": "N", "game": "g", "title": "T", "accent": "#ff9d4d", "channels": ["live"] });
        for (key, value) in more.as_object().expect("an object") {
            json[key] = value.clone();
        }
        let config: Config = serde_json::from_value(json).expect("a brand");
        Brand {
            config,
            key_art: None,
            key_art_2x: None,
            logo: None,
            words: BTreeMap::new(),
            licence: BTreeMap::new(),
            root: None,
        }
    }

    fn picture(name: &str, width: u32, height: u32) -> Asset {
        let mut bytes = Cursor::new(Vec::new());
        image::RgbImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
        Asset { name: name.to_owned(), content_type: "image/png", bytes: Cow::Owned(bytes.into_inner()) }
    }

    fn codes(brand: &Brand) -> Vec<&'static str> {
        findings(brand).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_whole_brand_has_nothing_to_mend() {
        let mut brand = brand(&json!({}));
        brand.key_art = Some(picture("key-art.png", 1280, 720));
        brand.key_art_2x = Some(picture("key-art@2x.png", 2560, 1440));
        brand.logo = Some(picture("logo.png", 640, 100));
        assert_eq!(codes(&brand), Vec::<&str>::new());
    }

    #[test]
    fn pictures_that_are_missing_small_or_broken() {
        let mut brand = brand(&json!({}));
        assert_eq!(codes(&brand), ["BRAND_ART_MISSING", "BRAND_ART_2X", "BRAND_LOGO_MISSING"]);
        brand.key_art = Some(picture("key-art.png", 1280, 700));
        let mut broken = picture("logo.png", 640, 100);
        broken.bytes = Cow::Borrowed(b"no picture");
        brand.logo = Some(broken);
        assert_eq!(codes(&brand), ["BRAND_ART_SMALL", "BRAND_ART_2X", "BRAND_ART_BROKEN"]);
    }

    #[test]
    fn text_that_cannot_be_read_is_named_with_its_contrast() {
        let dim = brand(&json!({ "colours": { "text_soft": "#444444" } }));
        let found = findings(&dim);
        let found: Vec<&str> =
            found.iter().filter(|f| f.code == "BRAND_CONTRAST").map(|f| f.message.as_str()).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("text_soft #444444 on ground #080b11"), "{found:?}");
        let hidden = brand(&json!({ "accent": "#0a0d14" }));
        assert!(codes(&hidden).contains(&"BRAND_CONTRAST"));
    }

    #[test]
    fn languages_that_were_forgotten() {
        let mut brand = brand(&json!({}));
        brand.licence.insert("de".to_owned(), "Sei nett.".to_owned());
        let found = findings(&brand);
        let licence = found.iter().find(|f| f.code == "BRAND_LICENCE_PARTIAL").expect("said");
        assert_eq!(licence.severity, Severity::Bad);
        assert_eq!(licence.message, "there is no licence in: ar, en, es, fr, ja");
    }
}
