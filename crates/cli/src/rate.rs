//! Rates as people write them: bytes per second, or a number with a unit.

/// Units that a rate may have, with their bytes.
const UNITS: [(&str, u64); 5] =
    [("KiB/s", 1024), ("MiB/s", 1024 * 1024), ("kB/s", 1000), ("MB/s", 1_000_000), ("B/s", 1)];

/// Bytes per second out of `500000`, `500kB/s`, `1.5 MiB/s`.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("{text:?} is no rate: write bytes per second, or a number with KiB/s, MiB/s, kB/s or MB/s")
    };
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, bytes)| text.strip_suffix(name).map(|number| (number.trim_end(), *bytes)))
        .unwrap_or((text, 1));
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if unit == 1 && number.contains('.') || whole.is_empty() || part.len() > 9 || number.ends_with('.') {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part_of_unit = match part {
        "" => 0,
        digits => {
            // At most nine digits, all of them digits since a second point is refused here.
            let digits_value: u128 = digits.parse().map_err(|_| wrong())?;
            (digits_value * u128::from(unit) / 10_u128.pow(digits.len() as u32)) as u64
        }
    };
    whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part_of_unit)).ok_or_else(wrong)
}

/// As [`parse`], but a cap under which nothing would ever end is refused.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn parse_nonzero(text: &str) -> Result<u64, String> {
    match parse(text)? {
        0 => Err("a download cap of 0 would never end".to_owned()),
        rate => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, bytes) in [
            ("0", 0),
            ("500000", 500_000),
            ("500B/s", 500),
            ("500KiB/s", 512_000),
            ("2MiB/s", 2 * 1024 * 1024),
            ("2 MiB/s", 2 * 1024 * 1024),
            ("1.5 MiB/s", 1_572_864),
            ("0.5kB/s", 500),
            ("4 MB/s", 4_000_000),
            (" 7 ", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate() {
        for text in [
            "",
            " ",
            "fast",
            "-1",
            "+1",
            "1e6",
            "1.5",
            "1.",
            ".5MiB/s",
            "1.2.3MB/s",
            "MiB/s",
            "1 mib/s",
            "1MiB",
            "1 GiB/s",
            "18446744073709551616",
            "18446744073709551615MiB/s",
            "1,5MB/s",
            "\u{663}",
            "1 MiB /s x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_nonzero("0").is_err() && parse_nonzero("1").is_ok());
    }
}
