//! Colours of a brand, and whether text can be read on them (WCAG 2.2, 1.4.3).

use serde::{Deserialize, Serialize};
use std::fmt;

/// Contrast that text needs at least (WCAG 2.2 AA).
pub const TEXT_MIN: f64 = 4.5;
/// Contrast that signs and borders of controls need at least (WCAG 2.2, 1.4.11).
pub const SIGN_MIN: f64 = 3.0;

/// A colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

/// Text that is no colour.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no colour: it is written #rrggbb")]
pub struct ColourError(String);

/// The colours of the window. Each that is absent stays the launcher's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Palette {
    /// Behind everything.
    pub ground: Option<Colour>,
    /// Cards and menus.
    pub surface: Option<Colour>,
    /// Their upper edge.
    pub surface_raised: Option<Colour>,
    /// Under the pointer.
    pub surface_hover: Option<Colour>,
    /// Text.
    pub text: Option<Colour>,
    /// Text of less weight.
    pub text_soft: Option<Colour>,
    /// Text of the least weight.
    pub text_faint: Option<Colour>,
    /// What went well.
    pub good: Option<Colour>,
    /// What should be known.
    pub warning: Option<Colour>,
    /// What went wrong.
    pub danger: Option<Colour>,
}

/// The launcher's own colours, where a brand names none.
const OWN: [(&str, Colour); 10] = [
    ("ground", Colour([0x08, 0x0b, 0x11])),
    ("surface", Colour([0x0e, 0x13, 0x1c])),
    ("surface_raised", Colour([0x16, 0x1d, 0x2a])),
    ("surface_hover", Colour([0x1f, 0x28, 0x38])),
    ("text", Colour([0xf3, 0xf6, 0xfb])),
    ("text_soft", Colour([0xc0, 0xc9, 0xd8])),
    ("text_faint", Colour([0x97, 0xa3, 0xb6])),
    ("good", Colour([0x5f, 0xd9, 0x9b])),
    ("warning", Colour([0xff, 0xcf, 0x6b])),
    ("danger", Colour([0xff, 0x7d, 0x78])),
];

impl Colour {
    /// Of red, green and blue.
    #[must_use]
    pub const fn of(rgb: [u8; 3]) -> Self {
        Self(rgb)
    }

    /// How well this can be told from `other`: 1 for the same, 21 for black and white.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(two) / one.min(two)
    }

    /// Relative luminance as WCAG defines it.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

impl TryFrom<String> for Colour {
    type Error = ColourError;

    fn try_from(text: String) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let part = |at: usize| u8::from_str_radix(digits?.get(at..at + 2)?, 16).ok();
        match (part(0), part(2), part(4)) {
            // A sign is no digit, though the number's own reader takes one.
            (Some(r), Some(g), Some(b)) if !text.contains('+') => Ok(Self([r, g, b])),
            _ => Err(ColourError(text)),
        }
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl Palette {
    /// The colours that the brand names, by their names.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, Colour)> {
        OWN.iter().filter_map(|(name, _)| Some((*name, self.own(name)?))).collect()
    }

    /// The colour in use under a name.
    #[must_use]
    pub fn in_use(&self, name: &str) -> Option<Colour> {
        self.own(name).or_else(|| OWN.iter().find(|(known, _)| *known == name).map(|(_, colour)| *colour))
    }

    fn own(&self, name: &str) -> Option<Colour> {
        match name {
            "ground" => self.ground,
            "surface" => self.surface,
            "surface_raised" => self.surface_raised,
            "surface_hover" => self.surface_hover,
            "text" => self.text,
            "text_soft" => self.text_soft,
            "text_faint" => self.text_faint,
            "good" => self.good,
            "warning" => self.warning,
            "danger" => self.danger,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::try_from(text.to_owned()).expect("a colour")
    }

    #[test]
    fn contrast_is_wcags() {
        for (one, two, ratio) in
            [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)]
        {
            let found = colour(one).contrast(colour(two));
            assert!((found - ratio).abs() < 0.01, "{one} on {two}: {found}");
            assert!((colour(two).contrast(colour(one)) - found).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for text in ["", "#fff", "#12345g", "123456", "#1234567", "#+12345", "red", "#ääb"] {
            assert!(Colour::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(colour("#0A1b2C").to_string(), "#0a1b2c");
    }

    #[test]
    fn the_launchers_own_colours_stand_in() {
        let palette = Palette { text: Some(colour("#102030")), ..Palette::default() };
        assert_eq!(palette.named(), [("text", colour("#102030"))]);
        assert_eq!(palette.in_use("ground"), Some(colour("#080b11")));
        assert_eq!(palette.in_use("nothing"), None);
    }
}
