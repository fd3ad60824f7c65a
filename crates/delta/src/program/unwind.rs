//! The unwinder's tables of ELF: `.eh_frame_hdr` and `.eh_frame`.

use super::bytes::{i32_at, position, u8_at, u32_at};
use super::layout::{Area, Layout};
use super::marks::{Kind, Marks};

/// Marks the sorted table and the frames that it points to.
pub(super) fn mark(image: &[u8], layout: &Layout, header: Area, marks: &mut Marks) -> Option<()> {
    let at = position(image, header.offset)?;
    if image.get(at..at + 12)?[..4] != [1, SELF_4, ABSOLUTE_4, TABLE_4] {
        return None;
    }
    marks.set(at + 4, Kind::Own, 0);
    let frames = header.address.wrapping_add(4).wrapping_add(i32_at(image, at + 4)?);
    let count = u32_at(image, at + 8)? as usize;
    for index in 0..count.min(image.len() / 8) {
        let entry = at + 12 + index * 8;
        if !marks.set(entry, Kind::Table, (3 + index * 2) as u32) {
            break;
        }
        marks.set(entry + 4, Kind::Table, (4 + index * 2) as u32);
    }
    let home = layout.sections.iter().find(|area| area.address == frames && area.size > 0);
    let size = home.map_or(u64::MAX, |area| area.size);
    let first = layout.offset_of(frames)?;
    let last = first.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(image.len());
    frame_entries(image, first, last, marks)
}

fn frame_entries(image: &[u8], first: usize, last: usize, marks: &mut Marks) -> Option<()> {
    let mut at = first;
    let mut common = Common::default();
    let mut common_at = usize::MAX;
    while at + 8 <= last {
        let length = u32_at(image, at)? as usize;
        let next = at + 4 + length;
        if length < 4 || next > last {
            return None;
        }
        let back = u32_at(image, at + 4)? as usize;
        if back == 0 {
            common_at = at;
            common = common_entry(image, at, next, marks).unwrap_or_default();
        } else {
            let home = (at + 4).checked_sub(back)?;
            if home != common_at {
                common_at = home;
                let end = home + 4 + u32_at(image, home)? as usize;
                common = common_entry(image, home, end.min(last), marks).unwrap_or_default();
            }
            frame_entry(at, next, common, marks);
        }
        at = next;
    }
    Some(())
}

/// How the frames of a common entry hold their pointers.
#[derive(Debug, Clone, Copy, Default)]
struct Common {
    code: u8,
    handler: u8,
}

fn common_entry(image: &[u8], at: usize, end: usize, marks: &mut Marks) -> Option<Common> {
    let text = at + 9;
    let letters = image.get(text..end.min(text + 8))?;
    let letters = &letters[..letters.iter().position(|byte| *byte == 0)?];
    let mut place = text + letters.len() + 1;
    for _ in 0..3 {
        place = after_number(image, place, end)?;
    }
    if letters.first() != Some(&b'z') {
        return Some(Common::default());
    }
    place = after_number(image, place, end)?;
    let mut common = Common::default();
    for letter in &letters[1..] {
        let encoding = u8_at(image, place)?;
        match letter {
            b'R' => common.code = encoding,
            b'L' => common.handler = encoding,
            b'P' => {
                if encoding & 0x7f != SELF_4 {
                    return None;
                }
                marks.set(place + 1, Kind::Own, 0);
                place += 4;
            }
            b'S' | b'B' => continue,
            _ => return None,
        }
        place += 1;
    }
    Some(common)
}

fn after_number(image: &[u8], mut at: usize, end: usize) -> Option<usize> {
    let end = end.min(at + NUMBER_MAX);
    while at < end {
        at += 1;
        if u8_at(image, at - 1)? < 0x80 {
            return Some(at);
        }
    }
    None
}

fn frame_entry(at: usize, end: usize, common: Common, marks: &mut Marks) {
    if common.code != SELF_4 || at + 17 > end {
        return;
    }
    marks.set(at + 4, Kind::Back, 0);
    marks.set(at + 8, Kind::Own, 0);
    marks.set(at + 12, Kind::OwnExtent, 0);
    if common.handler == SELF_4 && at + 21 <= end {
        marks.set(at + 17, Kind::Own, 0);
    }
}

/// Bytes of the longest number of seven bits each.
const NUMBER_MAX: usize = 10;
/// Pointer encodings: four bytes with a sign, from their own place; without a sign; from the table.
const SELF_4: u8 = 0x1b;
const ABSOLUTE_4: u8 = 0x03;
const TABLE_4: u8 = 0x3b;
