//! The methods by number, and the one door to each.

use crate::container::{self, Oracle};
use crate::program::Program;
use crate::reference::{self, Prefix};
use crate::{DecodeError, EncodeError};

/// Longest old or new image of a segment, in bytes: what 31 bits address.
pub const LENGTH_MAX: u64 = (1 << 31) - 1;

/// How a payload turns old bytes into new ones. The number is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Method {
    /// The new bytes are the first of the old ones; the payload is empty.
    Copy = 0,
    /// The new bytes compressed by themselves; old bytes are not looked at.
    Plain = 1,
    /// Zstandard with the old bytes as prefix.
    Reference = 2,
    /// Runs of old bytes, what differs in them, and the bytes between, all of it modelled.
    Delta = 3,
    /// The same for programs (ELF and PE): the references of moved code are aimed anew before anything is compared.
    Program = 4,
}

impl TryFrom<u8> for Method {
    type Error = DecodeError;

    fn try_from(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Copy),
            1 => Ok(Self::Plain),
            2 => Ok(Self::Reference),
            3 => Ok(Self::Delta),
            4 => Ok(Self::Program),
            other => Err(DecodeError::UnknownMethod(other)),
        }
    }
}

impl From<Method> for u8 {
    fn from(method: Method) -> Self {
        method as Self
    }
}

/// What a publisher is ready to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Effort {
    /// A trial, or a build nobody keeps: some hundredths of a second per MB.
    Quick,
    /// What is published: at most two seconds per MB of new bytes.
    #[default]
    Full,
}

/// The payload by which `method` makes `new` of `old`.
///
/// # Errors
/// An image is longer than [`LENGTH_MAX`], or the method cannot say this pair.
pub fn encode(method: Method, old: &[u8], new: &[u8], effort: Effort) -> Result<Vec<u8>, EncodeError> {
    for image in [old, new] {
        let bytes = image.len() as u64;
        if bytes > LENGTH_MAX {
            return Err(EncodeError::TooLong { bytes });
        }
    }
    match method {
        Method::Copy => old.starts_with(new).then(Vec::new).ok_or(EncodeError::NotCopy),
        Method::Plain => reference::encode(Prefix::NONE, new, effort),
        Method::Reference => reference::encode(Prefix(old), new, effort),
        Method::Delta => container::encode(old, new, effort),
        Method::Program => container::encode_program(old, new, effort),
    }
}

/// The smallest payload that is worth its cost, and its method; of those that can be decoded within `memory_bytes` as
/// [`decode_memory`] counts them, if there is one.
///
/// A cheap trial says what is worth trying at all: images without kinship are not compared in depth, and what can
/// hardly win is left out.
///
/// # Errors
/// An image is longer than [`LENGTH_MAX`], or the library fails.
pub fn best(
    old: &[u8],
    new: &[u8],
    effort: Effort,
    memory_bytes: u64,
) -> Result<(Method, Vec<u8>), EncodeError> {
    if old.starts_with(new) {
        return Ok((Method::Copy, Vec::new()));
    }
    let plain = encode(Method::Plain, old, new, Effort::Quick)?;
    let reference = encode(Method::Reference, old, new, Effort::Quick)?;
    let trial = Trial { plain: plain.len(), reference: reference.len(), new: new.len() };
    let smaller = |one: (Method, Vec<u8>), other: (Method, Vec<u8>)| {
        let fits = |(method, payload): &(Method, Vec<u8>)| {
            let old_len = if *method == Method::Plain { 0 } else { old.len() as u64 };
            decode_memory(*method, old_len, new.len() as u64, payload.len() as u64) <= memory_bytes
        };
        match (fits(&one), fits(&other)) {
            (true, false) => one,
            (false, true) => other,
            _ => smaller(one, other),
        }
    };
    let mut best = smaller((Method::Plain, plain), (Method::Reference, reference));
    if effort == Effort::Quick {
        return Ok(best);
    }
    if trial.is_kin() {
        let program =
            encode(Method::Program, old, new, effort).ok().map(|payload| (Method::Program, payload));
        let delta = match program {
            Some(program) => Some(program),
            // Two images longer than one index can hold: the other methods still can.
            None => encode(Method::Delta, old, new, effort).ok().map(|payload| (Method::Delta, payload)),
        };
        if let Some(delta) = delta {
            best = smaller(best, delta);
        }
        if trial.may_reach(trial.reference, best.1.len()) {
            best = smaller(best, (Method::Reference, encode(Method::Reference, old, new, effort)?));
        }
    }
    if trial.is_plain() && trial.may_reach(trial.plain, best.1.len()) {
        best = smaller(best, (Method::Plain, encode(Method::Plain, old, new, effort)?));
    }
    Ok(best)
}

/// Sizes after the cheap trial.
struct Trial {
    plain: usize,
    reference: usize,
    new: usize,
}

impl Trial {
    /// Whether the old bytes help at all, or the new ones are so compressible that it cannot be told.
    fn is_kin(&self) -> bool {
        self.reference + self.reference / 50 < self.plain || self.reference < self.new - self.new / 8
    }

    /// Whether the old bytes help so little that the new ones alone may do as well.
    fn is_plain(&self) -> bool {
        self.plain < self.reference + self.reference / 16
    }

    /// Whether the same method with more effort can be smaller than `best`: it hardly takes two fifths off its trial.
    fn may_reach(&self, quick: usize, best: usize) -> bool {
        quick - quick * 2 / 5 < best
    }
}

/// The smaller; of two that are nearly alike the one that is read faster, which has the lower number.
fn smaller(one: (Method, Vec<u8>), other: (Method, Vec<u8>)) -> (Method, Vec<u8>) {
    let (fast, slow) = if one.0 <= other.0 { (one, other) } else { (other, one) };
    let worth = fast.1.len() - fast.1.len() / 64;
    if slow.1.len() < worth { slow } else { fast }
}

/// The new bytes, exactly `new_len` of them.
///
/// # Errors
/// The payload is not one of this method for these lengths.
pub fn decode(method: Method, old: &[u8], payload: &[u8], new_len: usize) -> Result<Vec<u8>, DecodeError> {
    for bytes in [old.len() as u64, new_len as u64] {
        if bytes > LENGTH_MAX {
            return Err(DecodeError::TooLong { bytes });
        }
    }
    let read = match method {
        Method::Copy => copy(old, payload, new_len),
        Method::Plain => reference::decode(Prefix::NONE, payload, new_len),
        Method::Reference => reference::decode(Prefix(old), payload, new_len),
        Method::Delta => container::decode(old, payload, new_len, Oracle::Runs),
        Method::Program => Program::parse(old)
            .ok_or("the old bytes are no program")
            .and_then(|program| container::decode(old, payload, new_len, Oracle::Program(program))),
    };
    read.map_err(|what| DecodeError::Malformed { method, what })
}

/// Bytes that [`decode`] holds at its peak, the old bytes, the payload and the result included.
#[must_use]
pub fn decode_memory(method: Method, old_len: u64, new_len: u64, payload_len: u64) -> u64 {
    let images = old_len.saturating_add(new_len).saturating_add(payload_len);
    images.saturating_add(match method {
        Method::Copy => 0,
        Method::Plain | Method::Reference => reference::DECODER_BYTES,
        Method::Delta => container::memory(old_len, new_len, false),
        Method::Program => container::memory(old_len, new_len, true),
    })
}

fn copy(old: &[u8], payload: &[u8], new_len: usize) -> Result<Vec<u8>, &'static str> {
    if !payload.is_empty() {
        return Err("a copy has no payload");
    }
    old.get(..new_len).map(<[u8]>::to_vec).ok_or("fewer old bytes than are copied")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, old: &[u8], new: &[u8]) -> usize {
        let payload = encode(method, old, new, Effort::Full).unwrap();
        assert_eq!(decode(method, old, &payload, new.len()).as_deref(), Ok(new));
        payload.len()
    }

    #[test]
    fn every_method_gives_the_new_bytes_back() {
        let old: Vec<u8> = (0..20_000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let new = [&old[40_000..], b"in between", &old[..50_000]].concat();
        assert!(check(Method::Reference, &old, &new) < 100);
        check(Method::Plain, &old, &new);
        assert_eq!(check(Method::Copy, &old, &old[..777]), 0);
        for method in [Method::Plain, Method::Reference, Method::Delta] {
            check(method, &[], &new);
            check(method, &old, &[]);
            check(method, &[], &[]);
        }
    }

    #[test]
    fn a_length_that_the_payload_does_not_have_is_an_error() {
        let old = vec![7; 1000];
        for method in [Method::Plain, Method::Reference] {
            let payload = encode(method, &old, &old[..500], Effort::Full).unwrap();
            for wrong in [0, 499, 501, 100_000] {
                let error = decode(method, &old, &payload, wrong).unwrap_err();
                assert_eq!(error.code(), "delta-malformed", "{method:?} {wrong}");
            }
        }
        assert_eq!(decode(Method::Copy, &old, &[], 1001).unwrap_err().code(), "delta-malformed");
        assert_eq!(decode(Method::Copy, &old, &[0], 5).unwrap_err().code(), "delta-malformed");
    }

    #[test]
    fn the_best_of_equal_images_is_a_copy() {
        assert_eq!(best(b"same", b"same", Effort::Full, u64::MAX), Ok((Method::Copy, Vec::new())));
    }

    #[test]
    fn numbers_on_the_wire_are_fixed() {
        for (number, method) in [
            (0, Method::Copy),
            (1, Method::Plain),
            (2, Method::Reference),
            (3, Method::Delta),
            (4, Method::Program),
        ] {
            assert_eq!(Method::try_from(number), Ok(method));
            assert_eq!(u8::from(method), number);
        }
        assert_eq!(Method::try_from(200).unwrap_err().code(), "delta-method-unknown");
    }
}
