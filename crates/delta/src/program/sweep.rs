//! References in x86-64 code, and the tables of jumps that code names.

use super::bytes::i32_at;
use super::layout::{Area, Layout};
use super::marks::{Kind, Marks};
use super::x86::{Operand, instruction};

/// Marks every operand of a range of code that refers to something which is there.
///
/// `starts`: where functions are known to begin in the file, in order; the sweep falls into step there.
pub(super) fn mark(image: &[u8], layout: &Layout, code: &[Area], starts: &[u32], marks: &mut Marks) {
    let mut tables = Vec::new();
    for area in code {
        sweep(image, layout, code, (*area, starts), marks, &mut tables);
    }
    tables.sort_unstable();
    tables.dedup();
    for (index, table) in tables.iter().enumerate() {
        let next = tables.get(index + 1).copied().unwrap_or(u64::MAX);
        jump_table(image, layout, code, (*table, next), marks);
    }
}

fn sweep(
    image: &[u8],
    layout: &Layout,
    code: &[Area],
    (area, starts): (Area, &[u32]),
    marks: &mut Marks,
    tables: &mut Vec<u64>,
) {
    let first = usize::try_from(area.offset).unwrap_or(usize::MAX).min(image.len());
    let size = usize::try_from(area.size).unwrap_or(usize::MAX);
    let bytes = &image[..first.saturating_add(size).min(image.len())];
    let mut at = first;
    let mut next = starts.partition_point(|start| *start as usize <= first);
    while at < bytes.len() {
        let Some(found) = instruction(&bytes[at..]) else {
            at += 1;
            continue;
        };
        let place = at + found.at;
        at += found.length;
        while starts.get(next).is_some_and(|start| *start as usize <= place) {
            next += 1;
        }
        if let Some(start) = starts.get(next).map(|start| *start as usize).filter(|start| *start < at) {
            at = start;
            continue;
        }
        if found.operand == Operand::None {
            continue;
        }
        let end = area.address.wrapping_add((at - first) as u64);
        match found.operand {
            Operand::Short => {
                let distance = bytes[place] as i8 as i64 as u64;
                if area.within_memory(end.wrapping_add(distance)).is_some() {
                    marks.set(place, Kind::Short, 0);
                }
            }
            Operand::Near => {
                let target = end.wrapping_add(i32_at(bytes, place).unwrap_or(0));
                if code.iter().any(|area| area.within_memory(target).is_some()) {
                    marks.set(place, Kind::Near, 0);
                }
            }
            Operand::Beside { trail } => {
                let target = end.wrapping_add(i32_at(bytes, place).unwrap_or(0));
                if layout.is_mapped(target) {
                    marks.set(place, beside(trail), 0);
                    if found.opcode == 0x8d && target % 4 == 0 {
                        tables.push(target);
                    }
                }
            }
            Operand::Indexed if layout.base != 0 => {
                let target = layout.base.wrapping_add(i32_at(bytes, place).unwrap_or(0));
                if indexed(image, layout, code, (end, target), marks) {
                    marks.set(place, Kind::Relative, 0);
                }
            }
            Operand::Indexed | Operand::None => {}
        }
    }
}

/// Whether an index counts from a table at `target`: behind the function itself, or among the data. A table of jumps
/// found there is marked.
fn indexed(
    image: &[u8],
    layout: &Layout,
    code: &[Area],
    (end, target): (u64, u64),
    marks: &mut Marks,
) -> bool {
    if code.iter().all(|area| area.within_memory(target).is_none()) {
        return layout.is_mapped(target) && target.wrapping_sub(layout.base) >= OFFSET_MAX;
    }
    let Some(first) = layout.offset_of(target).filter(|_| target.wrapping_sub(end) < NEAR) else {
        return false;
    };
    // Each entry is marked at once: what is taken ends the table, so that no table is walked twice.
    for index in 0..TABLE_MAX {
        let word = i32_at(image, first + index * 4).map(|word| word.wrapping_add(layout.base));
        let near = word.is_some_and(|word| word < target && target - word < NEAR);
        if !near || !marks.set(first + index * 4, Kind::Relative, 0) {
            break;
        }
    }
    true
}

fn beside(trail: u8) -> Kind {
    match trail {
        1 => Kind::Beside1,
        2 => Kind::Beside2,
        4 => Kind::Beside4,
        _ => Kind::Beside0,
    }
}

/// A table of distances from its own first byte to places in the code, up to the first that does not fit.
fn jump_table(image: &[u8], layout: &Layout, code: &[Area], (table, end): (u64, u64), marks: &mut Marks) {
    let Some(first) = layout.offset_of(table) else { return };
    if code.iter().any(|area| area.within_memory(table).is_some()) {
        return;
    }
    let fits = |index: usize| {
        let word = i32_at(image, first.checked_add(index * 4)?)?;
        let target = table.wrapping_add(word);
        code.iter().any(|area| area.within_memory(target).is_some()).then_some(())
    };
    let room = usize::try_from(end.wrapping_sub(table) / 4).unwrap_or(usize::MAX).min(TABLE_MAX);
    let count = (0..room).take_while(|index| fits(*index).is_some()).count();
    if count >= 2 {
        for index in 0..count {
            marks.set(first + index * 4, Kind::Table, index as u32);
        }
    }
}

/// Longer than any switch.
const TABLE_MAX: usize = 1 << 16;
/// A switch jumps within its function, and its tables lie behind it.
const NEAR: u64 = 1 << 16;
/// No member of a structure lies as far from its begin as this.
const OFFSET_MAX: u64 = 1 << 20;
