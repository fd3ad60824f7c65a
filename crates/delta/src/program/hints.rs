//! What the encoder tells about the new image: where its segments and sections lie, and which old sections they were.
//!
//! A few tens of bytes: everything counts from the old image's arrangement.

use super::bytes::{put_varint, take_varint, unzigzag, zigzag};
use super::layout::{Area, Layout};

/// The new image's arrangement, seen from the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hints {
    pub(super) layout: Layout,
    /// New section of each old one.
    pub(super) twins: Vec<Option<usize>>,
    /// First old address, last, new less old.
    pub(super) corrections: Vec<(u64, u64, u64)>,
}

impl Hints {
    /// Matches the sections of two images, in order, by what they are called.
    pub(super) fn new(old: &Layout, new: Layout, same: impl Fn(usize, usize) -> bool) -> Self {
        let mut twins = vec![None; old.sections.len()];
        let mut next = 0;
        for (index, twin) in twins.iter_mut().enumerate() {
            let found = (next..new.sections.len()).chain(0..next).find(|other| same(index, *other));
            *twin = found;
            next = found.map_or(next, |found| found + 1);
        }
        Self { layout: Layout { fixups: Vec::new(), ..new }, twins, corrections: Vec::new() }
    }

    /// The bytes that [`Hints::decode`] reads.
    pub(super) fn encode(&self, old: &Layout) -> Vec<u8> {
        let mut out = Vec::new();
        let stays = self.layout == Self::same(old).layout && self.twins == Self::same(old).twins;
        put_varint(&mut out, u64::from(!stays));
        if !stays {
            self.put_layout(&mut out, old);
        }
        self.put_corrections(&mut out);
        out
    }

    /// Hints of an image whose arrangement did not change.
    fn same(old: &Layout) -> Self {
        let layout = Layout { fixups: Vec::new(), ..old.clone() };
        Self { layout, twins: (0..old.sections.len()).map(Some).collect(), corrections: Vec::new() }
    }

    fn put_layout(&self, out: &mut Vec<u8>, old: &Layout) {
        put_varint(out, zigzag(self.layout.base.wrapping_sub(old.base) as i64));
        put_varint(out, zigzag(self.layout.table.wrapping_sub(old.table) as i64));
        put_varint(out, self.layout.segments.len() as u64);
        put_varint(out, self.layout.sections.len() as u64);
        put_areas(out, &self.layout.segments, |index| old.segments.get(index).copied());
        let mut next = 0;
        for twin in &self.twins {
            let code = twin.map_or(1, |twin| match twin as i64 - next {
                difference if difference >= 0 => difference as u64 * 2,
                difference => difference.unsigned_abs() * 2 + 1,
            });
            put_varint(out, code);
            next = twin.map_or(next, |twin| twin as i64 + 1);
        }
        let origins = origins(&self.twins, self.layout.sections.len());
        put_areas(out, &self.layout.sections, |index| origins[index].map(|origin| old.sections[origin]));
    }

    fn put_corrections(&self, out: &mut Vec<u8>) {
        put_varint(out, self.corrections.len() as u64);
        let mut last = (0, 0);
        for (first, end, shift) in &self.corrections {
            put_varint(out, first.wrapping_sub(last.0));
            put_varint(out, end.wrapping_sub(*first));
            put_varint(out, zigzag(shift.wrapping_sub(last.1) as i64));
            last = (*end, *shift);
        }
    }

    /// Reads hints from the front of a payload; `None`: they are no hints for this image.
    pub(super) fn decode(old: &Layout, bytes: &mut &[u8]) -> Option<Self> {
        let mut hints = match take_varint(bytes)? {
            0 => Self::same(old),
            1 => Self::take_layout(old, bytes)?,
            _ => return None,
        };
        hints.corrections = take_corrections(bytes)?;
        Some(hints)
    }

    fn take_layout(old: &Layout, bytes: &mut &[u8]) -> Option<Self> {
        let base = old.base.wrapping_add(unzigzag(take_varint(bytes)?) as u64);
        let table = old.table.wrapping_add(unzigzag(take_varint(bytes)?) as u64);
        let segments = take_count(bytes)?;
        let sections = take_count(bytes)?;
        let segments = take_areas(bytes, segments, |index| old.segments.get(index).copied())?;
        let mut next = 0_i64;
        let mut twins = Vec::with_capacity(old.sections.len());
        for _ in 0..old.sections.len() {
            let twin = match take_varint(bytes)? {
                1 => None,
                code if code & 1 == 0 => Some(next.checked_add_unsigned(code / 2)?),
                code => Some(next.checked_sub_unsigned(code / 2)?),
            };
            next = twin.map_or(next, |twin| twin.saturating_add(1));
            let twin = twin.map(|twin| usize::try_from(twin).ok().filter(|twin| *twin < sections));
            twins.push(if let Some(twin) = twin { Some(twin?) } else { None });
        }
        let origins = origins(&twins, sections);
        let sections =
            take_areas(bytes, sections, |index| origins[index].map(|origin| old.sections[origin]))?;
        let layout = Layout { target: old.target, base, segments, sections, table, fixups: Vec::new() };
        Some(Self { layout, twins, corrections: Vec::new() })
    }
}

fn take_corrections(bytes: &mut &[u8]) -> Option<Vec<(u64, u64, u64)>> {
    // Each takes three bytes at least: a count that lies ends the reading, it allocates nothing.
    let count = take_varint(bytes).filter(|count| *count <= bytes.len() as u64 / 3)?;
    let mut last = (0_u64, 0_u64);
    (0..count)
        .map(|_| {
            let first = last.0.checked_add(take_varint(bytes)?)?;
            let end = first.checked_add(take_varint(bytes)?)?;
            let shift = last.1.wrapping_add(unzigzag(take_varint(bytes)?) as u64);
            last = (end, shift);
            Some((first, end, shift))
        })
        .collect()
}

/// Old section of each new one.
fn origins(twins: &[Option<usize>], count: usize) -> Vec<Option<usize>> {
    let mut origins = vec![None; count];
    for (old, new) in twins.iter().enumerate() {
        if let Some(place) = new.and_then(|new| origins.get_mut(new)) {
            *place = Some(old);
        }
    }
    origins
}

fn fields(area: &Area) -> [u64; 4] {
    [area.offset, area.address, area.size, area.memory]
}

/// How the last area moved is how the next one is expected to move.
fn put_areas(out: &mut Vec<u8>, areas: &[Area], old: impl Fn(usize) -> Option<Area>) {
    let mut moved = [0_u64; 4];
    for (index, area) in areas.iter().enumerate() {
        let origin = fields(&old(index).unwrap_or_default());
        for (field, value) in fields(area).into_iter().enumerate() {
            let difference = value.wrapping_sub(origin[field]);
            put_varint(out, zigzag(difference.wrapping_sub(moved[field]) as i64));
            moved[field] = expected(field, difference, area);
            if field == 2 {
                moved[3] = difference;
            }
        }
    }
}

fn take_areas(bytes: &mut &[u8], count: usize, old: impl Fn(usize) -> Option<Area>) -> Option<Vec<Area>> {
    let mut moved = [0_u64; 4];
    let mut areas = Vec::with_capacity(count);
    for index in 0..count {
        let origin = fields(&old(index).unwrap_or_default());
        let mut values = [0_u64; 4];
        for field in 0..4 {
            let difference = moved[field].wrapping_add(unzigzag(take_varint(bytes)?) as u64);
            values[field] = origin[field].wrapping_add(difference);
            if field == 2 {
                moved[3] = difference;
            }
            let area = Area { address: values[1], ..Area::default() };
            moved[field] = expected(field, difference, &area);
        }
        let [offset, address, size, memory] = values;
        areas.push(Area { offset, size, address, memory });
    }
    Some(areas)
}

/// Places move together, sizes change each by itself; what is not loaded keeps its address.
fn expected(field: usize, difference: u64, area: &Area) -> u64 {
    match field {
        0 => difference,
        1 if area.address != 0 => difference,
        _ => 0,
    }
}

fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    take_varint(bytes).and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= COUNT_MAX)
}

/// More segments or sections than any linker writes.
const COUNT_MAX: usize = 256;
