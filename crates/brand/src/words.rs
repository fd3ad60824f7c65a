//! A brand's own words: sentences of the window said otherwise, language by language.

use crate::icu;
use std::{collections::BTreeMap, sync::OnceLock};

/// The languages that the window speaks.
pub const LANGUAGES: [&str; 6] = ["ar", "de", "en", "es", "fr", "ja"];
/// The window's own words, in the language that every other is compared with.
const OWN: &str = include_str!("../../../ui/src/i18n/en.json");

/// Sentences by their keys.
pub type Words = BTreeMap<String, String>;

/// What is wrong with one sentence, in words; nothing where it can take the place of the window's own.
#[must_use]
pub(crate) fn fault(key: &str, sentence: &str) -> Option<String> {
    let Some(own) = own().get(key) else {
        return Some(format!("{key}: the window has no such sentence"));
    };
    let said = match icu::arguments(sentence) {
        Ok(said) => said,
        Err(error) => return Some(format!("{key}: {error}")),
    };
    // The window's own sentences are read by a test of this crate.
    let given = icu::arguments(own).unwrap_or_default();
    let unknown = said.keys().find(|name| !given.contains_key(*name))?;
    Some(format!("{key}: there is no {{{unknown}}} to put into it"))
}

fn own() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(|| serde_json::from_str(OWN).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_of_the_window_can_be_read() {
        assert!(own().len() > 300, "{}", own().len());
        for (key, sentence) in own() {
            assert_eq!(fault(key, sentence), None);
        }
    }

    #[test]
    fn a_sentence_may_leave_out_what_it_is_given_and_not_invent_anything() {
        assert_eq!(fault("detail.files", "files"), None);
        assert!(fault("detail.files", "{done} {files}").is_some_and(|why| why.contains("{files}")));
        assert!(fault("detail.files", "{done").is_some());
        assert!(fault("no.such.key", "x").is_some());
    }
}
