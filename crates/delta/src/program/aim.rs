//! The re-aiming itself: a run's references, rewritten for what they refer to in the new image.

use super::arm;
use super::bytes::{i32_at, u16_at, u32_at, u64_at};
use super::chart::Chart;
use super::layout::Layout;
use super::marks::{Kind, Mark, Marks};
use crate::Run;

/// Copies the runs and rewrites what they refer to.
pub(super) fn predict(old: &[u8], marks: &Marks, chart: &Chart, new_len: usize, runs: &[Run]) -> Vec<u8> {
    let mut image = vec![0; new_len];
    let mut end = 0;
    for run in runs {
        let Some((from, to, length)) = bounds(run, old.len(), new_len).filter(|bounds| bounds.1 >= end)
        else {
            continue;
        };
        end = to + length;
        image[to..to + length].copy_from_slice(&old[from..from + length]);
        for mark in marks.within(from, from + length) {
            let place = mark.at - from + to;
            let Some(word) = aimed(old, chart, mark, place) else { continue };
            let width = mark.kind.width().min(to + length - place);
            image[place..place + width].copy_from_slice(&word.to_le_bytes()[..width]);
        }
    }
    image
}

/// A run as positions, cut to the images.
pub(super) fn bounds(run: &Run, old_len: usize, new_len: usize) -> Option<(usize, usize, usize)> {
    let (from, to) = (run.old as usize, run.new as usize);
    let room = old_len.checked_sub(from)?.min(new_len.checked_sub(to)?);
    Some((from, to, room.min(run.len as usize)))
}

/// What a reference's bytes become at `place` of the new image; `None`: they stay.
fn aimed(old: &[u8], chart: &Chart, mark: Mark, place: usize) -> Option<u64> {
    match target(old, chart.old(), mark)? {
        Thing::Address(target) => {
            let aim = chart.address(target);
            written(old, chart, mark, place, aim)
        }
        Thing::Offset(offset) => Some(chart.offset(offset)),
        Thing::Length { start, length } => {
            let last = chart.address(start.wrapping_add(length).wrapping_sub(1));
            let new = last.wrapping_sub(chart.address(start)).wrapping_add(1);
            (new < length.saturating_mul(4)).then_some(new)
        }
        Thing::Entry { section, size, index } => {
            let home = chart.old().sections.get(section)?.offset;
            let twin = chart.new_layout().sections.get(chart.twin(section)?)?.offset;
            let entry = chart.entry(home.wrapping_add(index * size)).wrapping_sub(twin);
            Some(entry / size)
        }
        Thing::Section(section) => {
            let twin = chart.new_layout().sections.get(chart.twin(section)?)?;
            Some(match mark.kind {
                Kind::SectionAddress => twin.address,
                Kind::ShortSectionAddress => twin.address.wrapping_sub(chart.new_layout().base),
                Kind::SectionOffset | Kind::ShortSectionOffset => twin.offset,
                Kind::ShortSectionSize => twin.size,
                _ => twin.size.max(twin.memory),
            })
        }
    }
}

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Address(u64),
    Offset(u64),
    Length { start: u64, length: u64 },
    Entry { section: usize, size: u64, index: u64 },
    Section(usize),
}

/// Reads what a reference refers to.
pub(super) fn target(image: &[u8], layout: &Layout, mark: Mark) -> Option<Thing> {
    let at = mark.at;
    let here = || layout.address_of(at as u64);
    let signed = || i32_at(image, at);
    let section = mark.argument as usize;
    let address = match mark.kind {
        Kind::Short => here()?.wrapping_add(1).wrapping_add(*image.get(at)? as i8 as i64 as u64),
        Kind::Near | Kind::Beside0 | Kind::Beside1 | Kind::Beside2 | Kind::Beside4 => {
            here()?.wrapping_add(ahead(mark.kind)).wrapping_add(signed()?)
        }
        Kind::Address | Kind::Place => u64_at(image, at).filter(|word| *word != 0)?,
        Kind::Relative => layout.base.wrapping_add(u64::from(u32_at(image, at)?)),
        Kind::RelativeEnd => layout.base.wrapping_add(u64::from(u32_at(image, at)?)).wrapping_sub(1),
        Kind::Own => here()?.wrapping_add(signed().filter(|word| *word != 0)?),
        Kind::Back => here()?.wrapping_sub(signed()?),
        Kind::Table => base(layout, mark)?.wrapping_add(signed()?),
        Kind::Name => return Some(Thing::Entry { section, size: 1, index: u64::from(u32_at(image, at)?) }),
        Kind::Symbol | Kind::Slot => {
            let index = u64::from(u32_at(image, at)?);
            return Some(Thing::Entry { section, size: super::elf::SYMBOL_SIZE as u64, index });
        }
        Kind::Offset => return u64_at(image, at).map(Thing::Offset),
        Kind::Extent => {
            let start = u64_at(image, at.checked_sub(8)?)?;
            let length = u64_at(image, at).filter(|length| *length > 0)?;
            return Some(Thing::Length { start, length });
        }
        Kind::OwnExtent => {
            let start = layout.address_of(at as u64 - 4)?.wrapping_add(i32_at(image, at.checked_sub(4)?)?);
            let length = u64::from(u32_at(image, at).filter(|length| *length > 0)?);
            return Some(Thing::Length { start, length });
        }
        Kind::SectionSize
        | Kind::SectionAddress
        | Kind::SectionOffset
        | Kind::ShortSectionSize
        | Kind::ShortSectionAddress
        | Kind::ShortSectionOffset => return Some(Thing::Section(section)),
        Kind::FixupPage => {
            // The first word of the page stands for it.
            let first = u64::from(u16_at(image, at + 8)? & 0xfff);
            layout.base.wrapping_add(u64::from(u32_at(image, at)?)).wrapping_add(first)
        }
        Kind::Fixup => layout.fixup_page(at)?.wrapping_add(u64::from(u16_at(image, at)? & 0xfff)),

        Kind::Branch26 | Kind::Branch19 | Kind::Branch14 | Kind::Near21 => {
            here()?.wrapping_add(arm::direct(u32_at(image, at)?)?.1)
        }
        Kind::Page21 => {
            let page = (here()? & !0xfff).wrapping_add(arm::page(u32_at(image, at)?)?);
            let user = u32_at(image, at + 4 * section).filter(|_| section > 0);
            page.wrapping_add(u64::from(user.and_then(arm::low).unwrap_or(0)))
        }
        Kind::Low12 => {
            let former = at.checked_sub(4 * section)?;
            let page =
                (layout.address_of(former as u64)? & !0xfff).wrapping_add(arm::page(u32_at(image, former)?)?);
            page.wrapping_add(u64::from(arm::low(u32_at(image, at)?)?))
        }
    };
    Some(Thing::Address(address))
}

/// What an address becomes in the bytes of a reference at `place`.
fn written(old: &[u8], chart: &Chart, mark: Mark, place: usize, aim: u64) -> Option<u64> {
    let here = || chart.new_layout().address_of(place as u64);
    let instruction = || u32_at(old, mark.at);
    match mark.kind {
        Kind::Short => {
            let distance = aim.wrapping_sub(here()?.wrapping_add(1)) as i64;
            i8::try_from(distance).ok().map(|distance| distance as u8 as u64)
        }
        Kind::Near | Kind::Beside0 | Kind::Beside1 | Kind::Beside2 | Kind::Beside4 => {
            Some(aim.wrapping_sub(here()?.wrapping_add(ahead(mark.kind))))
        }
        Kind::Relative => Some(aim.wrapping_sub(chart.new_layout().base)),
        Kind::RelativeEnd => Some(aim.wrapping_sub(chart.new_layout().base).wrapping_add(1)),
        Kind::FixupPage => Some((aim & !0xfff).wrapping_sub(chart.new_layout().base)),
        Kind::Fixup => Some(u64::from(u16_at(old, mark.at)? & 0xf000) | aim & 0xfff),
        Kind::Own => Some(aim.wrapping_sub(here()?)),
        Kind::Back => Some(here()?.wrapping_sub(aim)),
        Kind::Table => Some(aim.wrapping_sub(chart.address(base(chart.old(), mark)?))),
        Kind::Branch26 | Kind::Branch19 | Kind::Branch14 | Kind::Near21 => {
            arm::put(instruction()?, mark.kind, aim.wrapping_sub(here()?)).map(u64::from)
        }
        Kind::Page21 => {
            let distance = (aim & !0xfff).wrapping_sub(here()? & !0xfff);
            arm::put(instruction()?, mark.kind, distance).map(u64::from)
        }
        Kind::Low12 => arm::put(instruction()?, mark.kind, aim).map(u64::from),
        _ => Some(aim),
    }
}

/// Where the base of a table's entry lies.
fn base(layout: &Layout, mark: Mark) -> Option<u64> {
    Some(layout.address_of(mark.at as u64)?.wrapping_sub(4 * u64::from(mark.argument)))
}

/// From the first byte of an operand to the end of its instruction.
fn ahead(kind: Kind) -> u64 {
    match kind {
        Kind::Beside1 => 5,
        Kind::Beside2 => 6,
        Kind::Beside4 => 8,
        _ => 4,
    }
}
