//! Percent escapes undone. A `+` stays a plus: paths and infohashes are no forms.

/// The bytes that `text` stands for; `None` where an escape is broken.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(high)? * 16 + digit(low)?) as u8
            }
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape("a%2fb+%00%FF").as_deref(), Some(&b"a/b+\0\xff"[..]));
        for broken in ["%", "%1", "%g0", "a%\u{e9}"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
    }
}
