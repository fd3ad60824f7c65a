//! What differs between a run's new bytes and those foretold for them.
//!
//! Quiet stretches are a length and cost a copy; after a difference the next bytes are asked about one by one, because
//! differences come in bunches: the bytes of a number, the fields of a record.

use crate::coarse::forwards;
use crate::coder::Coder;
use crate::logistic::Chance;
use crate::symbol::{Bytes, Flags, GUESSES, Numbers, adaptive, inputs, join, table_bytes};

/// Equal bytes after which no byte is asked about any more.
const HOT: u32 = 28;
const FLAG_CONTEXTS: usize = 4;
const BYTE_CONTEXTS: usize = 5;
/// How fast the weights learn.
const RATE: i32 = 12;
/// Numbers whose change is remembered by what they were.
const CHANGES_LOG: u32 = 12;

pub(crate) struct Differences {
    flags: Flags<FLAG_CONTEXTS, { inputs(FLAG_CONTEXTS) }>,
    bytes: Bytes<BYTE_CONTEXTS, { inputs(BYTE_CONTEXTS) }>,
    numbers: Numbers,
    to_end: [Chance; 64],
    quiet_class: usize,
    /// Little-endian number → what was added to it.
    changes: Vec<(u32, u32)>,
    last_change: u32,
    bunch: Bunch,
    /// One bit a byte, the last lowest: did it differ.
    pattern: u32,
    quiet: u32,
    last: [u8; 2],
    last_by_place: [u8; 4],
}

/// Four bytes from the first that differs.
#[derive(Clone, Copy)]
struct Bunch {
    start: usize,
    foretold: u32,
    known: Option<u32>,
}

impl Differences {
    /// 2^`table_log` slots for the models.
    pub(crate) fn new(table_log: u32) -> Self {
        Self {
            flags: Flags::new(flags_log(table_log), 32, RATE),
            bytes: Bytes::new(table_log, 6, RATE),
            numbers: Numbers::new(16),
            to_end: [Chance::EVEN; 64],
            quiet_class: 0,
            changes: vec![(0, 0); 1 << CHANGES_LOG],
            last_change: 0,
            bunch: Bunch { start: 0, foretold: 0, known: None },
            pattern: 0,
            quiet: 0,
            last: [0; 2],
            last_by_place: [0; 4],
        }
    }

    pub(crate) fn memory(table_log: u32) -> u64 {
        table_bytes(table_log) + (4 << flags_log(table_log)) + (8 << CHANGES_LOG)
    }

    /// Turns the foretold bytes of `image[start..end]` into the new ones.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        image: &mut [u8],
        (start, end): (usize, usize),
        truth: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        let mut at = start;
        self.quiet = HOT;
        self.pattern = 0;
        let mut fresh = true;
        while at < end {
            let mut certain = false;
            if self.quiet >= HOT {
                at += self.code_quiet(coder, image, (at, end), truth, fresh)?;
                if at == end {
                    break;
                }
                certain = true;
            }
            fresh = false;
            self.byte(coder, image, at, truth, certain);
            at += 1;
        }
        Ok(())
    }

    /// How many bytes are as foretold.
    fn code_quiet<C: Coder>(
        &mut self,
        coder: &mut C,
        image: &[u8],
        (at, end): (usize, usize),
        truth: Option<&[u8]>,
        fresh: bool,
    ) -> Result<usize, &'static str> {
        let room = end - at;
        let equal = truth.map_or(0, |truth| forwards(&image[at..end], &truth[at..end]));
        let chance = &mut self.to_end[usize::from(fresh) << 5 | room.ilog2().min(31) as usize];
        if adaptive(coder, chance, equal == room) {
            return Ok(room);
        }
        let class = usize::from(fresh) << 3 | self.quiet_class;
        let equal = self.numbers.code(coder, class, equal as u32) as usize;
        if equal >= room {
            return Err("equal bytes after the end of a run");
        }
        self.quiet_class = ((equal + 1).ilog2() / 2).min(7) as usize;
        self.pattern = if equal >= 32 { 0 } else { self.pattern << equal };
        Ok(equal)
    }

    /// The byte at `at`; `certain` that it differs.
    fn byte<C: Coder>(
        &mut self,
        coder: &mut C,
        image: &mut [u8],
        at: usize,
        truth: Option<&[u8]>,
        certain: bool,
    ) {
        let foretold = image[at];
        let wanted = truth.map_or(foretold, |truth| truth[at]);
        let scene = self.scene(image, at);
        let differs =
            certain || self.flags.code(coder, &scene.flags(self), scene.selection(self), wanted != foretold);
        self.pattern = self.pattern << 1 | u32::from(differs);
        if !differs {
            self.quiet += 1;
            return;
        }
        let scene = if scene.place == OUTSIDE { self.begin(image, at) } else { scene };
        let difference = wanted.wrapping_sub(foretold);
        let difference =
            self.bytes.code(coder, &scene.bytes(self), [None; GUESSES], scene.place as usize, difference);
        image[at] = foretold.wrapping_add(difference);
        self.last = [difference, self.last[0]];
        self.last_by_place[scene.place as usize & 3] = difference;
        self.quiet = 0;
    }

    /// A bunch of differences begins: what became of the last one is learned.
    fn begin(&mut self, image: &[u8], at: usize) -> Scene {
        let last = self.bunch;
        let change = word(image, last.start).wrapping_sub(last.foretold);
        self.changes[key(last.foretold)] = (last.foretold, change);
        self.last_change = change;
        let foretold = word(image, at);
        let (number, change) = self.changes[key(foretold)];
        let known = (number == foretold && change != 0).then_some(change);
        self.bunch = Bunch { start: at, foretold, known };
        self.scene(image, at)
    }

    fn scene(&self, image: &[u8], at: usize) -> Scene {
        let ahead = |count: usize| image.get(at + count).map_or(0, |byte| u32::from(*byte));
        let back = |count: usize| at.checked_sub(count).map_or(0, |place| u32::from(image[place]));
        let inside = at - self.bunch.start < 4 && self.bunch.foretold != 0 || at == self.bunch.start;
        let place = if inside { (at - self.bunch.start) as u32 } else { OUTSIDE };
        let expected = |change: u32| {
            let becomes = self.bunch.foretold.wrapping_add(change) >> (8 * place) & 255;
            becomes.wrapping_sub(ahead(0)) & 255
        };
        let (by_last, by_number) = if inside {
            (expected(self.last_change), self.bunch.known.map_or(256, expected))
        } else {
            (256, 256)
        };
        Scene {
            place,
            foretold: ahead(0) | ahead(1) << 8 | ahead(2) << 16,
            back: back(1) | back(2) << 8,
            by_last,
            by_number,
            aligned: at as u32 & 7,
        }
    }
}

/// Not among the four bytes of a bunch.
const OUTSIDE: u32 = 4;

/// What is known before a byte is coded.
#[derive(Clone, Copy)]
struct Scene {
    /// Which of the bunch's bytes, or [`OUTSIDE`].
    place: u32,
    /// This foretold byte and two more.
    foretold: u32,
    /// The two new bytes before.
    back: u32,
    /// The difference if the number changes as the last did, or 256.
    by_last: u32,
    /// The difference if the number changes as it did before, or 256.
    by_number: u32,
    aligned: u32,
}

impl Scene {
    fn flags(&self, of: &Differences) -> [u32; FLAG_CONTEXTS] {
        let expects = u32::from(self.by_last != 0)
            | u32::from(self.by_number & 255 != 0) << 1
            | (self.by_number >> 8) << 2;
        let quiet = of.quiet.min(31);
        [
            of.pattern & 0xffff,
            join(self.foretold & 255, self.back & 255 | quiet.min(3) << 8),
            self.place | expects << 3 | quiet.min(7) << 6,
            join(self.foretold, self.back & 255),
        ]
    }

    fn selection(&self, of: &Differences) -> usize {
        (self.place * 5 + of.quiet.min(4)) as usize
    }

    fn bytes(&self, of: &Differences) -> [u32; BYTE_CONTEXTS] {
        let last = u32::from(of.last[0]) | u32::from(of.last[1]) << 8;
        [
            join(last, self.place),
            join(self.by_number, self.place),
            join(self.by_last, self.place | 8),
            join(self.foretold & 255, self.back & 255),
            join(u32::from(of.last_by_place[self.place as usize & 3]), self.place | self.aligned << 4),
        ]
    }
}

/// Four bytes as a little-endian number; zeros after the end.
fn word(image: &[u8], at: usize) -> u32 {
    (0..4).fold(0, |sum, place| sum | image.get(at + place).map_or(0, |byte| u32::from(*byte)) << (8 * place))
}

fn key(number: u32) -> usize {
    (number.wrapping_mul(0x9e37_79b1) >> (32 - CHANGES_LOG)) as usize
}

fn flags_log(table_log: u32) -> u32 {
    table_log + 3
}
