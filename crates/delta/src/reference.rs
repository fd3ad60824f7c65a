//! Zstandard over the new bytes, with the old ones as prefix or with none: decodes fastest of all methods.
//!
//! One frame, without magic number, checksum or length: the segment's description knows all of it. It is decoded in
//! one step into a buffer of the announced length, so that no window beside it is ever allocated.

use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, FrameFormat, get_error_name};

use crate::{Effort, EncodeError};

/// What the library's decoder needs beside the images: its tables and one block.
pub(crate) const DECODER_BYTES: u64 = 512 * 1024;
/// Old bytes that matches may point into.
#[derive(Clone, Copy)]
pub(crate) struct Prefix<'a>(pub(crate) &'a [u8]);

impl Prefix<'_> {
    pub(crate) const NONE: Self = Prefix(&[]);
}

/// Above this many bytes, matches far away are looked for in a cheaper way, too.
const LONG_DISTANCE_BYTES: usize = 8 << 20;
/// The library's greatest window on a 32-bit machine, log2: every decoder takes it.
const WINDOW_LOG_MAX: u32 = 30;
const WINDOW_LOG_MIN: u32 = 10;

pub(crate) fn encode(old: Prefix<'_>, new: &[u8], effort: Effort) -> Result<Vec<u8>, EncodeError> {
    let span = old.0.len() + new.len();
    let window_log = (usize::BITS - span.leading_zeros()).clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX);
    let mut context = CCtx::create();
    let mut set = |parameter| context.set_parameter(parameter).map(drop).map_err(library);
    let level = match effort {
        Effort::Quick => 3,
        Effort::Full => 19,
    };
    set(CParameter::CompressionLevel(level))?;
    set(CParameter::Format(FrameFormat::Magicless))?;
    set(CParameter::ChecksumFlag(false))?;
    set(CParameter::ContentSizeFlag(false))?;
    set(CParameter::DictIdFlag(false))?;
    set(CParameter::WindowLog(window_log))?;
    if span > LONG_DISTANCE_BYTES {
        set(CParameter::EnableLongDistanceMatching(true))?;
    }
    if effort == Effort::Full {
        // The level's own tables are cut for its own window; matches must be found all over the prefix.
        set(CParameter::ChainLog(window_log.clamp(10, 27)))?;
        set(CParameter::HashLog(window_log.clamp(10, 25)))?;
    }
    context.ref_prefix(old.0).map_err(library)?;
    let mut payload = Vec::with_capacity(zstd::zstd_safe::compress_bound(new.len()));
    context.compress2(&mut payload, new).map_err(library)?;
    payload.shrink_to_fit();
    Ok(payload)
}

pub(crate) fn decode(old: Prefix<'_>, payload: &[u8], new_len: usize) -> Result<Vec<u8>, &'static str> {
    let mut new = vec![0; new_len];
    decode_into(old, payload, &mut new)?;
    Ok(new)
}

/// Into a place of exactly the announced length.
pub(crate) fn decode_into(old: Prefix<'_>, payload: &[u8], new: &mut [u8]) -> Result<(), &'static str> {
    if payload.is_empty() {
        return if new.is_empty() { Ok(()) } else { Err("no frame") };
    }
    let mut context = DCtx::create();
    context.set_parameter(DParameter::Format(FrameFormat::Magicless)).map_err(get_error_name)?;
    context.ref_prefix(old.0).map_err(get_error_name)?;
    let written = context.decompress(new, payload).map_err(get_error_name)?;
    if written == new.len() { Ok(()) } else { Err("not of the announced length") }
}

fn library(code: usize) -> EncodeError {
    EncodeError::Library(get_error_name(code))
}
