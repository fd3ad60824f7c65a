//! What a start of the game is given beside what its manifest says.

/// The most arguments that a player may add.
pub(super) const ARGUMENTS_MAX: usize = 64;
/// The longest line of them, in bytes.
pub(super) const ARGUMENTS_BYTES_MAX: usize = 2048;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Play {
    /// Added after the manifest's own arguments, each as it is; no shell reads them.
    pub arguments: Vec<String>,
    /// Where the game's own words go.
    pub output: Output,
}

/// Where the game's standard output and errors go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// Wherever ours do.
    #[default]
    Inherited,
    /// Into a bounded file in the state folder, whose end is shown when the game crashed.
    Kept,
}

/// Why a line of arguments is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// A quote that was opened is not closed, or the line ends in a backslash.
    #[error("a quotation mark is not closed")]
    Quotes,
    /// More or longer than any game takes.
    #[error("at most {ARGUMENTS_MAX} arguments and {ARGUMENTS_BYTES_MAX} bytes")]
    TooLong,
    /// What no argument can hold.
    #[error("a line break or control character")]
    Control,
}

/// Splits a line that a player typed into words at its blanks. Between quotation marks of either kind blanks are kept; outside of single
/// ones a backslash takes the next character as it is. Nothing else of a shell is known here: no variables, patterns, comments or
/// commands, so what a player reads is what the game gets.
///
/// # Errors
/// [`ArgumentsError`].
pub fn arguments(line: &str) -> Result<Vec<String>, ArgumentsError> {
    if line.len() > ARGUMENTS_BYTES_MAX {
        return Err(ArgumentsError::TooLong);
    }
    if line.chars().any(char::is_control) {
        return Err(ArgumentsError::Control);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None | Some('"'), '\\') => {
                let next = letters.next().ok_or(ArgumentsError::Quotes)?;
                word.get_or_insert_default().push(next);
            }
            (None, '\'' | '"') => {
                quote = Some(letter);
                // Two marks with nothing between them are an argument too.
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(ArgumentsError::Quotes);
    }
    words.extend(word);
    if words.len() > ARGUMENTS_MAX { Err(ArgumentsError::TooLong) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_blanks_and_nothing_of_a_shell_happens() {
        let cases: [(&str, &[&str]); 11] = [
            ("", &[]),
            ("   ", &[]),
            ("-windowed  --fps 60", &["-windowed", "--fps", "60"]),
            ("\"two words\" 'and three more'", &["two words", "and three more"]),
            ("--name=\"Ann L\"", &["--name=Ann L"]),
            ("'it''s' \"\" ''", &["its", "", ""]),
            (r#"a\ b "c\"d" 'e\f'"#, &["a b", "c\"d", "e\\f"]),
            (
                "$HOME `id` $(id) * ~ ; | & > x",
                &["$HOME", "`id`", "$(id)", "*", "~", ";", "|", "&", ">", "x"],
            ),
            ("#1 a#b", &["#1", "a#b"]),
            ("grüße 日本", &["grüße", "日本"]),
            (r"C:\\Games\\x", &[r"C:\Games\x"]),
        ];
        for (line, words) in cases {
            assert_eq!(arguments(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_is_no_line_of_arguments_is_refused() {
        for line in ["\"open", "it's", "end\\", "\"a\\\""] {
            assert_eq!(arguments(line), Err(ArgumentsError::Quotes), "{line}");
        }
        assert_eq!(arguments("a\nb"), Err(ArgumentsError::Control));
        assert_eq!(arguments("a\0b"), Err(ArgumentsError::Control));
        assert_eq!(arguments(&"x".repeat(ARGUMENTS_BYTES_MAX + 1)), Err(ArgumentsError::TooLong));
        assert_eq!(arguments(&"x ".repeat(ARGUMENTS_MAX + 1)), Err(ArgumentsError::TooLong));
        assert!(arguments(&"x ".repeat(ARGUMENTS_MAX)).is_ok());
    }
}
