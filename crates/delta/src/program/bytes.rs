//! Little-endian words of an image that may end anywhere.
//!
//! Every read is checked: an image is a stranger's, and its headers lie.

/// The byte at `at`.
pub(super) fn u8_at(image: &[u8], at: usize) -> Option<u8> {
    image.get(at).copied()
}

/// The 16-bit word at `at`.
pub(super) fn u16_at(image: &[u8], at: usize) -> Option<u16> {
    let bytes = image.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// The 32-bit word at `at`.
pub(super) fn u32_at(image: &[u8], at: usize) -> Option<u32> {
    let bytes = image.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// The 32-bit word at `at`, widened with its sign so that it can be added to an address.
pub(super) fn i32_at(image: &[u8], at: usize) -> Option<u64> {
    u32_at(image, at).map(|word| word as i32 as i64 as u64)
}

/// The 64-bit word at `at`.
pub(super) fn u64_at(image: &[u8], at: usize) -> Option<u64> {
    let bytes = image.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// A file's offset as a position, if the image reaches that far.
pub(super) fn position(image: &[u8], offset: u64) -> Option<usize> {
    usize::try_from(offset).ok().filter(|at| *at <= image.len())
}

/// Appends a number in groups of seven bits, lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number that [`put_varint`] wrote from the front of `bytes`.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A difference as a small number whatever its sign.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The difference that [`zigzag`] folded.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
