//! Bencode (BEP 3), canonical only: keys sorted and unique, integers without leading zeros.
//!
//! Values borrow from the input, and know their span in it, so that an infohash is taken over the
//! bytes as they came. Depth and the number of values are bounded, sizes by the input's own length.

use crate::limits::{BENCODE_DEPTH_MAX, BENCODE_VALUES_MAX};

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `i…e`.
    Integer(i64),
    /// `n:…`.
    Bytes(&'a [u8]),
    /// `l…e`.
    List(Vec<Value<'a>>),
    /// `d…e`.
    Dict(Dict<'a>),
}

/// A dictionary with the bytes it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dict<'a> {
    entries: Vec<(&'a [u8], Value<'a>)>,
    raw: &'a [u8],
}

/// Why input was refused; the number is the byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    /// The input ends inside a value.
    #[error("truncated at byte {0}")]
    Truncated(usize),
    /// A byte that cannot stand here.
    #[error("unexpected byte at {0}")]
    Unexpected(usize),
    /// An integer or length that is not canonical or does not fit.
    #[error("bad number at byte {0}")]
    Number(usize),
    /// Dictionary keys unsorted or repeated.
    #[error("dictionary keys unsorted or repeated at byte {0}")]
    Keys(usize),
    /// Nested deeper than the bound.
    #[error("nested too deep at byte {0}")]
    Depth(usize),
    /// More values than the bound.
    #[error("too many values at byte {0}")]
    Count(usize),
    /// Bytes after the value.
    #[error("bytes after the value at {0}")]
    Trailing(usize),
}

impl<'a> Value<'a> {
    /// Decodes exactly one value that fills `input`.
    ///
    /// # Errors
    /// [`BencodeError`] with the place.
    pub fn decode(input: &'a [u8]) -> Result<Self, BencodeError> {
        let (value, rest) = Self::decode_prefix(input)?;
        if rest.is_empty() { Ok(value) } else { Err(BencodeError::Trailing(input.len() - rest.len())) }
    }

    /// Decodes one value at the start of `input` and returns what follows it (BEP 9 style messages).
    ///
    /// # Errors
    /// [`BencodeError`] with the place.
    pub fn decode_prefix(input: &'a [u8]) -> Result<(Self, &'a [u8]), BencodeError> {
        let mut reader = Reader { input, at: 0, values: 0 };
        let value = reader.value(0)?;
        Ok((value, &input[reader.at..]))
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(*number) } else { None }
    }

    /// The bytes, if it is a string.
    #[must_use]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        if let Value::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text, if it is a string of UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Value<'a>]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    /// The dictionary, if it is one.
    #[must_use]
    pub fn dict(&self) -> Option<&Dict<'a>> {
        if let Value::Dict(dict) = self { Some(dict) } else { None }
    }
}

impl<'a> Dict<'a> {
    /// The value of `key`.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Value<'a>> {
        let at = self.entries.binary_search_by(|(name, _)| (*name).cmp(key.as_bytes())).ok()?;
        Some(&self.entries[at].1)
    }

    /// Keys and values in order.
    #[must_use]
    pub fn entries(&self) -> &[(&'a [u8], Value<'a>)] {
        &self.entries
    }

    /// The bytes it was decoded from, `d` to `e`.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, BencodeError> {
        if depth > BENCODE_DEPTH_MAX {
            return Err(BencodeError::Depth(self.at));
        }
        if self.values >= BENCODE_VALUES_MAX {
            return Err(BencodeError::Count(self.at));
        }
        self.values += 1;
        match self.peek()? {
            b'i' => self.integer().map(Value::Integer),
            b'0'..=b'9' => self.string().map(Value::Bytes),
            b'l' => self.list(depth).map(Value::List),
            b'd' => self.dict(depth).map(Value::Dict),
            _ => Err(BencodeError::Unexpected(self.at)),
        }
    }

    fn peek(&self) -> Result<u8, BencodeError> {
        self.input.get(self.at).copied().ok_or(BencodeError::Truncated(self.at))
    }

    /// Digits up to `end`, which is consumed. Canonical: no leading zero, no `-0`.
    fn number(&mut self, end: u8) -> Result<i64, BencodeError> {
        let start = self.at;
        let length = self.input[start..]
            .iter()
            .take(21)
            .position(|byte| *byte == end)
            .ok_or(BencodeError::Number(start))?;
        let digits = &self.input[start..start + length];
        let body = digits.strip_prefix(b"-").unwrap_or(digits);
        let canonical =
            !body.is_empty() && body.iter().all(u8::is_ascii_digit) && (body[0] != b'0' || digits == b"0");
        let text = std::str::from_utf8(digits).map_err(|_| BencodeError::Number(start))?;
        let number = text.parse().map_err(|_| BencodeError::Number(start))?;
        if !canonical {
            return Err(BencodeError::Number(start));
        }
        self.at += length + 1;
        Ok(number)
    }

    fn integer(&mut self) -> Result<i64, BencodeError> {
        self.at += 1;
        self.number(b'e')
    }

    fn string(&mut self) -> Result<&'a [u8], BencodeError> {
        let start = self.at;
        let length = self.number(b':')?;
        let length = usize::try_from(length).map_err(|_| BencodeError::Number(start))?;
        let end = self.at.checked_add(length).ok_or(BencodeError::Number(start))?;
        let bytes = self.input.get(self.at..end).ok_or(BencodeError::Truncated(self.input.len()))?;
        self.at = end;
        Ok(bytes)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>, BencodeError> {
        self.at += 1;
        let mut items = Vec::new();
        while self.peek()? != b'e' {
            items.push(self.value(depth + 1)?);
        }
        self.at += 1;
        Ok(items)
    }

    fn dict(&mut self, depth: usize) -> Result<Dict<'a>, BencodeError> {
        let start = self.at;
        self.at += 1;
        let mut entries: Vec<(&[u8], Value)> = Vec::new();
        while self.peek()? != b'e' {
            let key_at = self.at;
            if !self.peek()?.is_ascii_digit() {
                return Err(BencodeError::Unexpected(key_at));
            }
            let key = self.string()?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(BencodeError::Keys(key_at));
            }
            entries.push((key, self.value(depth + 1)?));
        }
        self.at += 1;
        Ok(Dict { entries, raw: &self.input[start..self.at] })
    }
}

/// Writes canonical bencode; the caller gives dictionary keys in order.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// `i…e`.
    pub fn integer(&mut self, number: i64) -> &mut Self {
        self.out.extend_from_slice(format!("i{number}e").as_bytes());
        self
    }

    /// `n:…`, also a dictionary key.
    pub fn bytes(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
        self.out.extend_from_slice(bytes);
        self
    }

    /// Bytes that are bencode already.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.out.extend_from_slice(encoded);
        self
    }

    /// Opens a dictionary.
    pub fn dict(&mut self) -> &mut Self {
        self.out.push(b'd');
        self
    }

    /// Opens a list.
    pub fn list(&mut self) -> &mut Self {
        self.out.push(b'l');
        self
    }

    /// Closes the innermost dictionary or list.
    pub fn end(&mut self) -> &mut Self {
        self.out.push(b'e');
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(value: &Value, out: &mut Writer) {
        match value {
            Value::Integer(number) => {
                out.integer(*number);
            }
            Value::Bytes(bytes) => {
                out.bytes(bytes);
            }
            Value::List(items) => {
                out.list();
                items.iter().for_each(|item| encode(item, out));
                out.end();
            }
            Value::Dict(dict) => {
                out.dict();
                for (key, value) in dict.entries() {
                    out.bytes(key);
                    encode(value, out);
                }
                out.end();
            }
        }
    }

    #[test]
    fn canonical_input_comes_back_byte_equal() {
        for text in
            ["i0e", "i-7e", "0:", "4:spam", "le", "de", "d1:ai1e1:bl1:xd1:yi-2eeee", "i9223372036854775807e"]
        {
            let value = Value::decode(text.as_bytes()).expect(text);
            let mut out = Writer::new();
            encode(&value, &mut out);
            assert_eq!(out.finish(), text.as_bytes());
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = "l".repeat(100_000);
        for text in [
            "",
            "i",
            "ie",
            "i-e",
            "i-0e",
            "i01e",
            "i1",
            "i9223372036854775808e",
            "01:a",
            "5:spam",
            "-1:a",
            "l",
            "d",
            "d1:a",
            "d1:bi1e1:ai1ee",
            "d1:ai1e1:ai1ee",
            "di1ei2ee",
            "i1ei2e",
            "x",
            "99999999999999999999:a",
            "18446744073709551615:",
            &deep,
        ] {
            assert!(Value::decode(text.as_bytes()).is_err(), "{text:.20?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_decode_or_fail_without_panic(input in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            if let Ok(value) = Value::decode(&input) {
                let mut out = Writer::new();
                encode(&value, &mut out);
                proptest::prop_assert_eq!(out.finish(), input);
            }
        }
    }
}
