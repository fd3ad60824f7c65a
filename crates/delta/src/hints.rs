//! What a program's foretelling is told beside the runs: a few bytes, or a few hundred.

use crate::coder::Coder;
use crate::symbol::{Bytes, GUESSES, Numbers, inputs, join};

/// One hint byte for so many new bytes, and a few more.
const SHARE: usize = 4;
const BYTES: usize = 4096;
const CONTEXTS: usize = 4;

/// Codes the hints; the reader gives none and gets those of the payload.
pub(crate) fn code<C: Coder>(coder: &mut C, hints: &[u8], new_len: usize) -> Result<Vec<u8>, &'static str> {
    let length = Numbers::new(1).code(coder, 0, hints.len() as u32) as usize;
    if length > new_len / SHARE + BYTES {
        return Err("more hints than there may be");
    }
    let mut bytes: Bytes<CONTEXTS, { inputs(CONTEXTS) }> = Bytes::new(12, 1, 10);
    let mut coded = Vec::with_capacity(length);
    for at in 0..length {
        let back = |count: usize| at.checked_sub(count).map_or(0, |place: usize| u32::from(coded[place]));
        let contexts = [0, back(1), back(1) | back(2) << 8, join(back(3), back(2))];
        let byte = bytes.code(coder, &contexts, [None; GUESSES], 0, hints.get(at).copied().unwrap_or(0));
        coded.push(byte);
    }
    Ok(coded)
}
