//! Names that appear in target names and URLs, checked once.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};

/// The text is not a valid id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: it must be {rule}")]
pub struct IdError {
    /// What was expected.
    pub kind: &'static str,
    /// The rule in words.
    pub rule: &'static str,
    /// What came.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed: fn(char) -> bool = $allowed;
                // Windows drops a dot at the end of a name.
                let dot = text.ends_with('.');
                if text.is_empty() || text.len() > $max || dot || !text.chars().all(allowed) {
                    return Err(IdError { kind: $kind, rule: $rule, text: text.to_owned() });
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A game: `[a-z0-9-]{1,32}`.
    GameId, "game id", "1 to 32 of a-z, 0-9 and -", 32,
    |c| matches!(c, 'a'..='z' | '0'..='9' | '-')
);
id!(
    /// A channel such as `live` or `beta`: `[a-z0-9-]{1,32}`.
    ChannelName, "channel name", "1 to 32 of a-z, 0-9 and -", 32,
    |c| matches!(c, 'a'..='z' | '0'..='9' | '-')
);
id!(
    /// A release's version: `[A-Za-z0-9.+-]{1,64}`, no dot at its end. Versions have no order: a channel's sequence has.
    Version, "version", "1 to 64 of A-Z, a-z, 0-9, ., + and -, with no dot at the end", 64,
    |c| matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '+' | '-')
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert!("ember-fall".parse::<GameId>().is_ok());
        for bad in ["", "Ember", "a/b", "a~b", "a b", "ü", &"x".repeat(33)] {
            assert!(bad.parse::<GameId>().is_err(), "{bad:?}");
        }
        assert!("1.0+build-7".parse::<Version>().is_ok());
        for bad in ["", ".", "..", "10.", "1/2", "1~2"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
    }
}
