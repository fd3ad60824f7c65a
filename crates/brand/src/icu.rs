//! ICU messages as far as a brand's words need them: whether one can be read, and what it puts into a sentence.
//!
//! Read are text with `'…'` quoting, `{name}`, `{name, type}` and `{name, type, style}`, and `plural`, `selectordinal` and `select`
//! with their branches, `#` within plurals. What is read here is read by the window too; more (number skeletons, tags) is refused.

use std::collections::BTreeMap;

/// How deep branches may lie in each other.
const DEPTH_MAX: usize = 8;
/// Branch every choice needs.
const OTHER: &str = "other";

/// The arguments of a message by name, with their kinds (`""` for a plain one).
pub type Arguments = BTreeMap<String, String>;

/// Why a message cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IcuError {
    /// A brace that is not closed, or closed twice.
    #[error("a brace has no other side")]
    Brace,
    /// No name where one is needed, or one of other signs than letters, digits and `_`.
    #[error("an argument has no name")]
    Name,
    /// A choice without `other`.
    #[error("a choice lacks its “other”")]
    Other,
    /// A kind that is not known.
    #[error("{0:?} is no kind of argument")]
    Kind(String),
    /// Branches lie too deep in each other.
    #[error("branches lie more than eight deep")]
    Depth,
}

/// The arguments of `message`.
///
/// # Errors
/// Why it cannot be read.
pub fn arguments(message: &str) -> Result<Arguments, IcuError> {
    let mut reader = Reader { rest: message, found: Arguments::new() };
    reader.text(0)?;
    match reader.rest.is_empty() {
        true => Ok(reader.found),
        false => Err(IcuError::Brace),
    }
}

struct Reader<'a> {
    rest: &'a str,
    found: Arguments,
}

impl Reader<'_> {
    /// Up to the end, or to the brace that closes the branch, which is left.
    fn text(&mut self, depth: usize) -> Result<(), IcuError> {
        if depth > DEPTH_MAX {
            return Err(IcuError::Depth);
        }
        while let Some(sign) = self.rest.chars().next() {
            match sign {
                '}' => return Ok(()),
                '{' => self.argument(depth)?,
                '\'' => self.quoted(),
                _ => self.skip(sign.len_utf8()),
            }
        }
        Ok(())
    }

    /// `''` is an apostrophe, `'{…'` is text up to the next one, and any other is itself.
    fn quoted(&mut self) {
        self.skip(1);
        if self.rest.starts_with('\'') {
            return self.skip(1);
        }
        if self.rest.starts_with(['{', '}', '#']) {
            let end = self.rest.find('\'').map_or(self.rest.len(), |at| at + 1);
            self.skip(end);
        }
    }

    fn argument(&mut self, depth: usize) -> Result<(), IcuError> {
        self.skip(1);
        let name = self.word();
        if name.is_empty() || !name.chars().all(|sign| sign.is_alphanumeric() || sign == '_') {
            return Err(IcuError::Name);
        }
        let kind = if self.take(',') { self.word() } else { String::new() };
        match kind.as_str() {
            "" => {}
            "number" | "date" | "time" => self.style()?,
            "plural" | "selectordinal" | "select" => self.branches(depth)?,
            _ => return Err(IcuError::Kind(kind)),
        }
        self.found.insert(name, kind);
        if self.take('}') { Ok(()) } else { Err(IcuError::Brace) }
    }

    fn style(&mut self) -> Result<(), IcuError> {
        if self.take(',') {
            let end = self.rest.find(['{', '}']).ok_or(IcuError::Brace)?;
            self.skip(end);
        }
        Ok(())
    }

    fn branches(&mut self, depth: usize) -> Result<(), IcuError> {
        if !self.take(',') {
            return Err(IcuError::Other);
        }
        let mut other = false;
        loop {
            let key = self.word();
            if key.is_empty() {
                break;
            }
            // `offset:1` stands before the branches.
            if key.starts_with("offset:") {
                continue;
            }
            other |= key == OTHER;
            if !self.take('{') {
                return Err(IcuError::Brace);
            }
            self.text(depth + 1)?;
            if !self.take('}') {
                return Err(IcuError::Brace);
            }
        }
        if other { Ok(()) } else { Err(IcuError::Other) }
    }

    /// Up to the next space, comma or brace.
    fn word(&mut self) -> String {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|sign: char| sign.is_whitespace() || matches!(sign, ',' | '{' | '}'))
            .unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        self.skip(end);
        word
    }

    fn take(&mut self, sign: char) -> bool {
        self.rest = self.rest.trim_start();
        let taken = self.rest.strip_prefix(sign);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_in_every_branch() {
        let found = |message: &str| {
            let found = arguments(message).unwrap_or_else(|error| panic!("{message}: {error}"));
            found.into_iter().map(|(name, kind)| format!("{name}:{kind}")).collect::<Vec<_>>().join(" ")
        };
        for (message, expected) in [
            ("Play", ""),
            ("{done} of {total, plural, one {# file} other {# files by {who}}}", "done: total:plural who:"),
            ("{channel, select, live {Live} other {{channel}}}", "channel:select"),
            ("{count, number} {day, date, short}", "count:number day:date"),
            ("It''s '{literal}' here {x}", "x:"),
            ("l'île {n, plural, =0 {rien} other {#}}", "n:plural"),
            ("{n, plural, offset:1 one {a} other {b}}", "n:plural"),
        ] {
            assert_eq!(found(message), expected, "{message}");
        }
    }

    #[test]
    fn what_the_window_could_not_read_is_refused() {
        for (message, why) in [
            ("{name", IcuError::Brace),
            ("name}", IcuError::Brace),
            ("{}", IcuError::Name),
            ("{a b}", IcuError::Brace),
            ("{n, plural, one {x}}", IcuError::Other),
            ("{n, plural}", IcuError::Other),
            ("{n, magic}", IcuError::Kind("magic".into())),
            ("{n, plural, other {x}", IcuError::Brace),
            (&("{n,select,other{".repeat(20) + "x" + &"}}".repeat(20)), IcuError::Depth),
        ] {
            assert_eq!(arguments(message), Err(why), "{message}");
        }
    }
}
