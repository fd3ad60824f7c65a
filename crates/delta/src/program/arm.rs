//! References in AArch64 code.
//!
//! An address beside the code takes two instructions: ADRP forms a page, a later ADD, load or store adds the low twelve
//! bits. The sweep follows each register from its ADRP to the instructions that use it, in the order of the code.

use super::bytes::u32_at;
use super::layout::{Area, Layout};
use super::marks::{Kind, Marks};

/// Marks every operand of the code that refers to something which is there.
pub(super) fn mark(image: &[u8], layout: &Layout, code: &[Area], marks: &mut Marks) {
    for area in code {
        sweep(image, layout, *area, marks);
    }
}

#[derive(Clone, Copy)]
struct Page {
    at: usize,
    address: u64,
    used: bool,
}

fn sweep(image: &[u8], layout: &Layout, area: Area, marks: &mut Marks) {
    let first = usize::try_from(area.offset).unwrap_or(usize::MAX).min(image.len());
    let size = usize::try_from(area.size).unwrap_or(usize::MAX);
    let last = first.saturating_add(size).min(image.len());
    let mut pages: [Option<Page>; 32] = [None; 32];
    let mut at = first;
    while let Some(word) = u32_at(&image[..last], at) {
        let here = area.address.wrapping_add((at - first) as u64);
        if let Some((kind, distance)) = direct(word)
            && layout.is_mapped(here.wrapping_add(distance))
        {
            marks.set(at, kind, 0);
        }
        if let Some(distance) = page(word) {
            let address = (here & !0xfff).wrapping_add(distance);
            let known = layout.is_mapped(address) || layout.is_mapped(address.wrapping_add(0xfff));
            pages[(word & 31) as usize] =
                (known && marks.set(at, Kind::Page21, 0)).then_some(Page { at, address, used: false });
        } else {
            if let Some(low) = low(word) {
                use_page(layout, &mut pages, (at, word, low), marks);
            }
            forget(word, &mut pages);
        }
        at += 4;
    }
}

fn use_page(
    layout: &Layout,
    pages: &mut [Option<Page>; 32],
    (at, word, low): (usize, u32, u32),
    marks: &mut Marks,
) {
    let Some(page) = &mut pages[(word >> 5 & 31) as usize] else { return };
    let back = (at - page.at) / 4;
    if back <= REACH && layout.is_mapped(page.address.wrapping_add(u64::from(low))) {
        marks.set(at, Kind::Low12, back as u32);
        if !page.used {
            page.used = true;
            marks.rewrite(page.at, Kind::Page21, back as u32);
        }
    }
}

/// Clears the registers that an instruction writes.
fn forget(word: u32, pages: &mut [Option<Page>; 32]) {
    let class = word >> 25 & 0xf;
    let register = (word & 31) as usize;
    match class {
        // Data processing.
        0b1000 | 0b1001 | 0b0101 | 0b1101 => pages[register] = None,
        // Loads (and stores, which write nothing but a base).
        0b0100 | 0b0110 | 0b1100 | 0b1110 => {
            let vector = word >> 26 & 1 != 0;
            let pair = word & 0x3a00_0000 == 0x2800_0000;
            let load = if pair { word >> 22 & 1 != 0 } else { word >> 22 & 3 != 0 };
            if load && !vector {
                pages[register] = None;
                if pair {
                    pages[(word >> 10 & 31) as usize] = None;
                }
            }
            let indexed = word & 0x3b20_0400 == 0x3800_0400 || (pair && word >> 23 & 1 != 0);
            if indexed {
                pages[(word >> 5 & 31) as usize] = None;
            }
        }
        // Calls leave only what is preserved.
        0b1010 | 0b1011 if word & 0xfc00_0000 == 0x9400_0000 || word & 0xffff_fc1f == 0xd63f_0000 => {
            pages[..19].fill(None);
            pages[30] = None;
        }
        _ => {}
    }
}

/// An operand that counts from the instruction itself.
pub(super) fn direct(word: u32) -> Option<(Kind, u64)> {
    if word & 0x7c00_0000 == 0x1400_0000 {
        return Some((Kind::Branch26, signed(word, 0, 26) << 2));
    }
    let conditional = word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000;
    let literal = word & 0x3b00_0000 == 0x1800_0000;
    if conditional || literal {
        return Some((Kind::Branch19, signed(word, 5, 19) << 2));
    }
    if word & 0x7e00_0000 == 0x3600_0000 {
        return Some((Kind::Branch14, signed(word, 5, 14) << 2));
    }
    (word & 0x9f00_0000 == 0x1000_0000).then(|| (Kind::Near21, twenty_one(word)))
}

/// The distance of an ADRP, in bytes.
pub(super) fn page(word: u32) -> Option<u64> {
    (word & 0x9f00_0000 == 0x9000_0000).then(|| twenty_one(word) << 12)
}

/// The low bits that an ADD, a load or a store adds to a page.
pub(super) fn low(word: u32) -> Option<u32> {
    scale(word).map(|scale| (word >> 10 & 0xfff) << scale)
}

/// By how much the low bits of an instruction are scaled; `None`: it has none.
pub(super) fn scale(word: u32) -> Option<u32> {
    if word & 0x7fc0_0000 == 0x1100_0000 {
        return Some(0);
    }
    if word & 0x3b00_0000 != 0x3900_0000 {
        return None;
    }
    let whole_vector = word >> 30 == 0 && word & 0x0480_0000 == 0x0480_0000;
    Some(if whole_vector { 4 } else { word >> 30 })
}

/// Puts a distance (or, for [`Kind::Low12`], the low bits) into an instruction; `None`: it does not fit.
pub(super) fn put(word: u32, kind: Kind, value: u64) -> Option<u32> {
    match kind {
        Kind::Branch26 => field(value, 2, 26).map(|bits| word & !0x03ff_ffff | bits),
        Kind::Branch19 => field(value, 2, 19).map(|bits| word & !0x00ff_ffe0 | bits << 5),
        Kind::Branch14 => field(value, 2, 14).map(|bits| word & !0x0007_ffe0 | bits << 5),
        Kind::Near21 => field(value, 0, 21).map(|bits| split(word, bits)),
        Kind::Page21 => field(value, 12, 21).map(|bits| split(word, bits)),
        Kind::Low12 => {
            let scale = scale(word)?;
            let low = (value & 0xfff) as u32;
            (low >> scale << scale == low).then_some(word & !0x003f_fc00 | (low >> scale) << 10)
        }
        _ => None,
    }
}

/// Puts bits of a label in place of an instruction's operand.
pub(super) fn put_label(bytes: &mut [u8], kind: Kind, label: u32) {
    let Some(word) = u32_at(bytes, 0) else { return };
    let labelled = match kind {
        Kind::Branch26 => word & !0x03ff_ffff | label & 0xffff,
        Kind::Near21 | Kind::Page21 => split(word, (label & 0xffff) << 2),
        Kind::Low12 => word & !0x003f_fc00 | (label & 0xfff) << 10,
        _ => return,
    };
    bytes[..4].copy_from_slice(&labelled.to_le_bytes());
}

fn split(word: u32, bits: u32) -> u32 {
    word & 0x9f00_001f | (bits & 3) << 29 | (bits >> 2) << 5
}

fn twenty_one(word: u32) -> u64 {
    signed(word, 5, 19) << 2 | u64::from(word >> 29 & 3)
}

fn signed(word: u32, from: u32, bits: u32) -> u64 {
    ((word << (32 - from - bits)) as i32 >> (32 - bits)) as i64 as u64
}

fn field(value: u64, shift: u32, bits: u32) -> Option<u32> {
    let value = value as i64;
    let small = value >> shift;
    let room = 1_i64 << (bits - 1);
    let fits = small << shift == value && (-room..room).contains(&small);
    fits.then_some(small as u32 & (u32::MAX >> (32 - bits)))
}

/// Instructions from an ADRP to its last user that is followed.
const REACH: usize = 4096;
