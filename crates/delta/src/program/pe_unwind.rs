//! What Windows unwinds by: `.pdata`, the unwind codes it names, and C++ handlers' own tables.

use super::bytes::{u8_at, u32_at};
use super::layout::{Machine, without_overlap};
use super::marks::{Kind, Marks};
use super::pe::{Pe, relative};

/// Marks the table of functions and what hangs on it; tells where functions begin in the file, in order.
pub(super) fn mark(image: &[u8], pe: &Pe, (first, size): (usize, usize), marks: &mut Marks) -> Vec<u32> {
    let arm = pe.layout.target.machine == Machine::Arm;
    let step = if arm { 8 } else { 12 };
    let last = first.saturating_add(size).min(image.len());
    let mut starts = Vec::new();
    for at in (first..last.saturating_sub(step - 1)).step_by(step) {
        let Some(start) = pe.follow(image, at) else { continue };
        starts.push(start as u32);
        relative(image, pe, at, marks);
        if arm {
            // The low bits say whether the unwind codes are packed into the word.
            if u32_at(image, at + 4).is_some_and(|word| word & 3 == 0) {
                relative(image, pe, at + 4, marks);
            }
            continue;
        }
        marks.set(at + 4, Kind::RelativeEnd, 0);
        if relative(image, pe, at + 8, marks)
            && let Some(codes) = pe.follow(image, at + 8)
        {
            unwind_codes(image, pe, codes, marks);
        }
    }
    starts.sort_unstable();
    starts
}

fn unwind_codes(image: &[u8], pe: &Pe, at: usize, marks: &mut Marks) -> Option<()> {
    let flags = u8_at(image, at)? >> 3;
    let count = usize::from(u8_at(image, at + 2)?);
    let tail = at + 4 + count.div_ceil(2) * 4;
    if flags & CHAINED != 0 {
        relative(image, pe, tail, marks);
        marks.set(tail + 4, Kind::RelativeEnd, 0);
        relative(image, pe, tail + 8, marks);
    } else if flags & HANDLED != 0 && relative(image, pe, tail, marks) {
        let data = pe.follow(image, tail + 4);
        let frame = data.filter(|data| u32_at(image, *data).is_some_and(|magic| magic & !7 == FUNCTION_INFO));
        if let Some(frame) = frame {
            relative(image, pe, tail + 4, marks);
            function_info(image, pe, frame, marks);
        } else {
            scopes(image, pe, tail + 4, marks);
        }
    }
    Some(())
}

/// A C++ function's states, handlers and the places where a state begins.
fn function_info(image: &[u8], pe: &Pe, at: usize, marks: &mut Marks) -> Option<()> {
    if !relative(image, pe, at + 8, marks) && u32_at(image, at + 8)? != 0 {
        return None;
    }
    let states = u32_at(image, at + 4)? as usize;
    if let Some(table) = pe.follow(image, at + 8) {
        each(table, states, 8, |entry| relative(image, pe, entry + 4, marks));
    }
    let tries = u32_at(image, at + 12)? as usize;
    relative(image, pe, at + 16, marks);
    if let Some(table) = pe.follow(image, at + 16) {
        each(table, tries, 20, |entry| {
            let catches = u32_at(image, entry + 12).unwrap_or(0) as usize;
            let fresh = relative(image, pe, entry + 16, marks);
            if let Some(handlers) = pe.follow(image, entry + 16).filter(|_| fresh) {
                each(handlers, catches, 20, |handler| {
                    relative(image, pe, handler + 4, marks);
                    relative(image, pe, handler + 12, marks)
                });
            }
            fresh
        });
    }
    let places = u32_at(image, at + 20)? as usize;
    relative(image, pe, at + 24, marks);
    if let Some(table) = pe.follow(image, at + 24) {
        each(table, places, 8, |entry| relative(image, pe, entry, marks));
    }
    Some(())
}

/// A C function's guarded ranges: begin, end, filter, target.
fn scopes(image: &[u8], pe: &Pe, at: usize, marks: &mut Marks) -> Option<()> {
    let count = u32_at(image, at).filter(|count| *count <= SCOPES_MAX)? as usize;
    each(at + 4, count, 16, |entry| {
        for field in [0, 4, 8, 12] {
            relative(image, pe, entry + field, marks);
        }
        true
    });
    Some(())
}

/// Walks a table until an entry is no reference or was seen before, so that nothing is walked twice.
fn each(first: usize, count: usize, step: usize, mut entry: impl FnMut(usize) -> bool) {
    let mut misses = 0;
    for index in 0..count.min(ENTRIES_MAX) {
        if !entry(first + index * step) {
            misses += 1;
            if misses > MISSES_MAX {
                return;
            }
        }
    }
}

/// Objects that tell their own type: the locator before each table of virtual functions, and what it names.
pub(super) fn type_information(image: &[u8], pe: &Pe, marks: &mut Marks) {
    for section in without_overlap(pe.layout.sections.clone(), image.len()) {
        let first =
            usize::try_from(section.offset).unwrap_or(usize::MAX).min(image.len()).next_multiple_of(4);
        let last = first.saturating_add(usize::try_from(section.size).unwrap_or(0)).min(image.len());
        for at in (first..last.saturating_sub(23)).step_by(4) {
            let own = section.address.wrapping_add((at - first) as u64).wrapping_sub(pe.layout.base);
            let is_locator =
                u32_at(image, at) == Some(1) && u32_at(image, at + 20).map(u64::from) == Some(own);
            if is_locator && relative(image, pe, at + 20, marks) {
                relative(image, pe, at + 12, marks);
                if relative(image, pe, at + 16, marks) {
                    hierarchy(image, pe, at + 16, marks);
                }
            }
        }
    }
}

fn hierarchy(image: &[u8], pe: &Pe, reference: usize, marks: &mut Marks) -> Option<()> {
    let at = pe.follow(image, reference)?;
    let count = u32_at(image, at + 8)?.min(BASES_MAX) as usize;
    if !relative(image, pe, at + 12, marks) {
        return None;
    }
    let array = pe.follow(image, at + 12)?;
    each(array, count, 4, |entry| {
        let fresh = relative(image, pe, entry, marks);
        if let Some(base) = pe.follow(image, entry).filter(|_| fresh) {
            relative(image, pe, base, marks);
            relative(image, pe, base + 24, marks);
        }
        fresh
    });
    Some(())
}

const CHAINED: u8 = 4;
const HANDLED: u8 = 3;
const FUNCTION_INFO: u32 = 0x1993_0520;
/// Bounds against tables that lie about their length.
const SCOPES_MAX: u32 = 256;
const ENTRIES_MAX: usize = 1 << 14;
const MISSES_MAX: usize = 64;
const BASES_MAX: u32 = 256;
