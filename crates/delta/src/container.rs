//! The payload of *delta*: a first byte, then one coded stream of runs, differences and literals.
//!
//! The first byte holds the size of the difference models and who codes the literals. A payload is read in time linear
//! in the new image's length: each decision makes a run, a byte or a length that must fit.

use crate::coder::{Coder, Reader, Writer};
use crate::control;
use crate::difference::Differences;
use crate::hints;
use crate::literal::Literals;
use crate::parse::{self, Prices};
use crate::program::{self, Program};
use crate::reference::{self, Prefix};
use crate::suffix::Longest;
use crate::warm;
use crate::{Effort, EncodeError, Run};

/// Models of differences have at least 2^6 lines and at most 2^15, 2 MiB.
const TABLE_LOG_MIN: u32 = 6;
const TABLE_LOG_MAX: u32 = 15;
const TABLE_LOG_BITS: u8 = 15;
/// The literals are a zstandard frame of their own, behind its length.
const LITERALS_APART: u8 = 16;
/// Literals are looked for in the old image, too.
const SEARCH_OLD: u8 = 32;
/// A text: the literal models learn from old bytes first, and follow what a gap replaces.
const WARM: u8 = 64;
const KNOWN: u8 = TABLE_LOG_BITS | LITERALS_APART | SEARCH_OLD | WARM;

/// What the runs foretell of the new image; zeros between.
pub(crate) fn foretell(old: &[u8], new_len: usize, runs: &[Run]) -> Vec<u8> {
    let mut image = vec![0; new_len];
    lay(old, runs, &mut image);
    image
}

/// Lays what the runs foretell into the image. Echoes are not known yet: zeros stand for them.
fn lay(old: &[u8], runs: &[Run], image: &mut [u8]) {
    for run in runs {
        let place = &mut image[run.new as usize..(run.new + run.len) as usize];
        match old.get(run.old as usize..(run.old + run.len) as usize) {
            Some(source) => place.copy_from_slice(source),
            None => place.fill(0),
        }
    }
}

/// The image with literals that travel apart, for runs alone: they are unpacked at its end and moved to their places
/// from there, the first one first, so that nothing is needed beside the image.
fn with_literals(old: &[u8], frame: &[u8], new_len: usize, runs: &[Run]) -> Result<Vec<u8>, &'static str> {
    let mut image = vec![0; new_len];
    let mut from = new_len - literals(runs, new_len);
    reference::decode_into(Prefix(old), frame, &mut image[from..])?;
    for (start, end) in gaps(runs, new_len) {
        // No literal stands behind its place at the end: what follows it is at least as much as the literals to come.
        image.copy_within(from..from + (end - start), start);
        from += end - start;
    }
    lay(old, runs, &mut image);
    Ok(image)
}

/// Who foretells the image.
pub(crate) enum Oracle<'a> {
    /// The runs alone.
    Runs,
    /// What is known of programs, with hints from the payload.
    Program(Program<'a>),
}

impl Oracle<'_> {
    /// Programs know nothing of echoes: those are filled in when their turn comes.
    fn foretell(
        &self,
        old: &[u8],
        new_len: usize,
        runs: &[Run],
        hints: &[u8],
    ) -> Result<Vec<u8>, &'static str> {
        let Self::Program(program) = self else { return Ok(foretell(old, new_len, runs)) };
        let image = program.predict(new_len, runs, hints).ok_or("false hints")?;
        if image.len() == new_len { Ok(image) } else { Err("foretold bytes are not of the announced length") }
    }
}

fn of_old(runs: &[Run], old_len: usize) -> Vec<Run> {
    runs.iter().copied().filter(|run| (run.old as usize) < old_len).collect()
}

pub(crate) fn encode(old: &[u8], new: &[u8], effort: Effort) -> Result<Vec<u8>, EncodeError> {
    let longest = longest(old, new)?;
    let parsed = |prices| bounded(parse::runs(old, new, &longest, prices), new.len());
    let mut tried = Vec::new();
    for prices in [Prices::DENSE, Prices::SPARSE] {
        let (runs, warm) = (parsed(prices), prices.probe);
        // Literals apart are what takes long: which of the two is better shows without effort, too.
        let plan = Plan { oracle: &Oracle::Runs, hints: &[], warm, effort: Effort::Quick };
        tried.push((write(old, new, &runs, plan)?, runs, warm));
    }
    drop(longest);
    let Some((payload, runs, warm)) = tried.into_iter().min_by_key(|(payload, ..)| payload.len()) else {
        return Ok(Vec::new());
    };
    let apart = payload.first().is_some_and(|first| Mode::of(*first).apart);
    if effort == Effort::Quick || !apart {
        return Ok(payload);
    }
    write(old, new, &runs, Plan { oracle: &Oracle::Runs, hints: &[], warm, effort })
}

/// Matched on images in which references are masked, so that runs do not break where only an address differs.
pub(crate) fn encode_program(old: &[u8], new: &[u8], effort: Effort) -> Result<Vec<u8>, EncodeError> {
    let (before, after) = (Program::parse(old), Program::parse(new));
    let (Some(before), Some(after)) = (before, after) else { return Err(EncodeError::NotProgram) };
    let (old_mask, new_mask) = (before.mask(), after.mask());
    let longest = longest(&old_mask, &new_mask)?;
    let runs = bounded(parse::runs(&old_mask, &new_mask, &longest, Prices::DENSE), new.len());
    drop((longest, old_mask, new_mask));
    let hints = before.hints(&after, &of_old(&runs, old.len())).ok_or(EncodeError::NotProgram)?;
    drop(after);
    let oracle = Oracle::Program(before);
    write(old, new, &runs, Plan { oracle: &oracle, hints: &hints, warm: false, effort })
}

fn longest(old: &[u8], new: &[u8]) -> Result<Longest, EncodeError> {
    // An echo's place is counted behind the old image, in 31 bits.
    let bytes = old.len() as u64 + new.len() as u64;
    if bytes > crate::LENGTH_MAX {
        return Err(EncodeError::TooLong { bytes });
    }
    Longest::of(old, new).ok_or(EncodeError::Library("no suffix array"))
}

/// Literals above this share of the new image are left to zstandard: the models would take the player too long.
const MODELLED_SHARE: usize = 12;
/// So many literals are modelled however large their share is.
const MODELLED_MIN: usize = 128 * 1024;
/// The old image is searched for literals up to so many bytes, or so many for each literal.
const SEARCHED_MAX: usize = 1 << 20;
const SEARCHED_FOR_EACH: usize = 32;

/// What beside the images and the runs makes a payload.
struct Plan<'a> {
    oracle: &'a Oracle<'a>,
    hints: &'a [u8],
    warm: bool,
    effort: Effort,
}

/// The payload for these runs.
fn write(old: &[u8], new: &[u8], runs: &[Run], plan: Plan<'_>) -> Result<Vec<u8>, EncodeError> {
    let Plan { oracle, hints, warm, effort } = plan;
    let mut image = oracle.foretell(old, new.len(), runs, hints).map_err(EncodeError::Library)?;
    let differing: usize = runs.iter().map(|run| differing(run, old, &image, new)).sum();
    let literals = literals(runs, new.len());
    let log = (usize::BITS - (differing * 3).leading_zeros()).clamp(TABLE_LOG_MIN, TABLE_LOG_MAX);
    let mut first = (log - TABLE_LOG_MIN) as u8;
    if warm {
        first |= WARM;
    }
    let mut payload = Vec::new();
    if literals > MODELLED_MIN.max(new.len() / MODELLED_SHARE) {
        first |= LITERALS_APART;
        let apart =
            gaps(runs, new.len()).flat_map(|gap| new[gap.0..gap.1].iter().copied()).collect::<Vec<u8>>();
        let frame = reference::encode(Prefix(old), &apart, effort)?;
        // Whoever decodes has these bytes before the runs' differences, whose models look a few bytes ahead.
        gaps(runs, new.len()).for_each(|gap| image[gap.0..gap.1].copy_from_slice(&new[gap.0..gap.1]));
        payload.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        payload.extend_from_slice(&frame);
    } else if old.len() <= SEARCHED_MAX.max(literals * SEARCHED_FOR_EACH) {
        first |= SEARCH_OLD;
    }
    payload.insert(0, first);
    let mut writer = Writer::new();
    control::code(&mut writer, runs, old.len(), new.len()).map_err(EncodeError::Library)?;
    if matches!(oracle, Oracle::Program(_)) {
        hints::code(&mut writer, hints, new.len()).map_err(EncodeError::Library)?;
    }
    let mode = Mode::of(first);
    residue(&mut writer, mode, old, runs, &mut image, Some(new)).map_err(EncodeError::Library)?;
    payload.extend(writer.finish());
    Ok(payload)
}

pub(crate) fn decode(
    old: &[u8],
    payload: &[u8],
    new_len: usize,
    oracle: Oracle<'_>,
) -> Result<Vec<u8>, &'static str> {
    let (first, mut rest) = payload.split_first().ok_or("no first byte")?;
    if first & !KNOWN != 0 {
        return Err("a first byte of a later version");
    }
    let mode = Mode::of(*first);
    let mut frame: &[u8] = &[];
    if mode.apart {
        let (length, after) = rest.split_first_chunk::<4>().ok_or("no length of the literals")?;
        let length = u32::from_le_bytes(*length) as usize;
        (frame, rest) = after.split_at_checked(length).ok_or("literals are cut")?;
    }
    let mut reader = Reader::new(rest);
    let runs = control::code(&mut reader, &[], old.len(), new_len)?;
    let hints = match oracle {
        Oracle::Runs => Vec::new(),
        Oracle::Program(_) => hints::code(&mut reader, &[], new_len)?,
    };
    let alone = matches!(oracle, Oracle::Runs);
    let mut image = if mode.apart && alone {
        with_literals(old, frame, new_len, &runs)?
    } else {
        oracle.foretell(old, new_len, &runs, &hints)?
    };
    // What it knows of the old image takes as much memory as that itself.
    drop((oracle, hints));
    if mode.apart && !alone {
        let literals = reference::decode(Prefix(old), frame, literals(&runs, new_len))?;
        let mut rest = literals.as_slice();
        for (start, end) in gaps(&runs, new_len) {
            let (gap, after) = rest.split_at_checked(end - start).ok_or("literals are too few")?;
            image[start..end].copy_from_slice(gap);
            rest = after;
        }
    }
    residue(&mut reader, mode, old, &runs, &mut image, None)?;
    if reader.is_spent() { Ok(image) } else { Err("bytes after the end") }
}

/// Bytes that [`decode`] needs at most beside old image, new image and payload.
pub(crate) fn memory(old_len: u64, new_len: u64, programs: bool) -> u64 {
    let images = usize::try_from(new_len).unwrap_or(usize::MAX);
    let runs = control::runs_max(images) as u64;
    // Literals apart: in a program they are unpacked beside the image.
    let beside = if programs { new_len } else { 0 };
    let literals = Literals::memory(new_len, old_len).max(beside.saturating_add(reference::DECODER_BYTES));
    let residue = literals.saturating_add(Differences::memory(TABLE_LOG_MAX));
    let hints = if programs { hints::bytes_max(images) as u64 } else { 0 };
    let foretold = if programs { program::memory(old_len, runs, hints) } else { 0 };
    let list = runs.saturating_mul(size_of::<Run>() as u64);
    list.saturating_add(residue.max(foretold)).saturating_add(MODELS_BYTES)
}

/// Mixers, state maps, numbers: all that does not depend on any length.
const MODELS_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy)]
struct Mode {
    log: u32,
    apart: bool,
    search_old: bool,
    warm: bool,
}

impl Mode {
    fn of(first: u8) -> Self {
        Self {
            log: (u32::from(first & TABLE_LOG_BITS) + TABLE_LOG_MIN).min(TABLE_LOG_MAX),
            apart: first & LITERALS_APART != 0,
            search_old: first & SEARCH_OLD != 0,
            warm: first & WARM != 0,
        }
    }
}

/// Turns the foretold image into the new one.
fn residue<C: Coder>(
    coder: &mut C,
    mode: Mode,
    old: &[u8],
    runs: &[Run],
    image: &mut [u8],
    truth: Option<&[u8]>,
) -> Result<(), &'static str> {
    let count = if mode.apart { 0 } else { literals(runs, image.len()) };
    let mut literals = (count > 0).then(|| {
        let warm = if mode.warm { warm::ranges(runs, old.len(), image.len()) } else { Vec::new() };
        let warm_bytes = warm.iter().map(|range| range.1 - range.0).sum();
        let mut literals = Literals::new(count, warm_bytes, old, mode.search_old);
        warm.into_iter().for_each(|range| literals.warm(old, range));
        literals
    });
    let mut differences = Differences::new(mode.log);
    for (index, gap) in gaps(runs, image.len()).enumerate() {
        if let Some(literals) = literals.as_mut().filter(|_| gap.0 < gap.1) {
            let before = index.checked_sub(1).map(|before| runs[before]);
            let replaced = mode.warm.then(|| before.map_or(0, |run| (run.old + run.len) as usize));
            literals.code(coder, old, image, gap, truth, replaced);
        } else if let Some(truth) = truth {
            image[gap.0..gap.1].copy_from_slice(&truth[gap.0..gap.1]);
        }
        if let Some(run) = runs.get(index) {
            if let Some(echo) = (run.old as usize).checked_sub(old.len()) {
                image.copy_within(echo..echo + run.len as usize, run.new as usize);
            }
            differences.code(coder, image, (run.new as usize, (run.new + run.len) as usize), truth)?;
        }
    }
    Ok(())
}

/// What lies before each run and after the last, empty or not: one more than there are runs.
fn gaps(runs: &[Run], new_len: usize) -> impl Iterator<Item = (usize, usize)> {
    let starts = std::iter::once(0).chain(runs.iter().map(|run| (run.new + run.len) as usize));
    let ends = runs.iter().map(|run| run.new as usize).chain(std::iter::once(new_len));
    starts.zip(ends)
}

fn literals(runs: &[Run], new_len: usize) -> usize {
    new_len - runs.iter().map(|run| run.len as usize).sum::<usize>()
}

fn differing(run: &Run, old: &[u8], image: &[u8], new: &[u8]) -> usize {
    let range = run.new as usize..(run.new + run.len) as usize;
    let foretold = match (run.old as usize).checked_sub(old.len()) {
        Some(echo) => &new[echo..echo + range.len()],
        None => &image[range.clone()],
    };
    foretold.iter().zip(&new[range]).filter(|(a, b)| a != b).count()
}

/// Leaves out the shortest runs if there are more than may be said.
fn bounded(mut runs: Vec<Run>, new_len: usize) -> Vec<Run> {
    let most = control::runs_max(new_len);
    if runs.len() > most {
        runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.len));
        runs.truncate(most);
        runs.sort_unstable();
    }
    runs
}
