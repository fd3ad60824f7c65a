//! Models of bytes, decisions and numbers, over contexts that the caller names.

use crate::coder::Coder;
use crate::logistic::{Brief, Chance, Mixer, squash, stretch};

/// How many decisions the chances of guesses remember.
const GUESS_LIMIT: u32 = 255;

/// Chances of the inner nodes of half a byte's tree, from 1 on. The first place holds a check of the context.
#[derive(Clone, Copy)]
struct Slot {
    check: u16,
    chances: [Brief; 15],
}

impl Slot {
    const EMPTY: Self = Self { check: 0, chances: [Brief::EVEN; 15] };
}

/// Two slots in one cache line: the one less used gives way.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([Slot; 2]);

struct Table {
    lines: Vec<Line>,
    shift: u32,
}

impl Table {
    /// 2^`log` lines of 64 bytes.
    fn new(log: u32) -> Self {
        Self { lines: vec![Line([Slot::EMPTY; 2]); 1 << log], shift: 32 - log }
    }

    /// The line of a context, and its check.
    #[inline]
    fn line(&self, context: u32) -> (usize, u16) {
        let sum = context.wrapping_mul(0x9e37_79b1);
        ((sum >> self.shift) as usize, (sum.wrapping_mul(0x85eb_ca6b) >> 16) as u16)
    }

    #[inline]
    fn checks(&self, line: usize) -> [u16; 2] {
        let Line(slots) = &self.lines[line];
        [slots[0].check, slots[1].check]
    }

    /// Which slot of a line, whose checks are `there`, is the context's, made empty if it was another's.
    #[inline]
    fn claim(&mut self, line: usize, check: u16, there: [u16; 2]) -> usize {
        if there[0] == check {
            return 0;
        }
        if there[1] == check {
            return 1;
        }
        let Line(slots) = &mut self.lines[line];
        let side = usize::from(slots[0].chances[0].seen() > slots[1].chances[0].seen());
        slots[side] = Slot { check, ..Slot::EMPTY };
        side
    }
}

/// Bytes that the table of 2^`log` lines takes.
pub(crate) fn table_bytes(log: u32) -> u64 {
    64 << log
}

/// Mixes two parts of a context. Not for strangers' hash tables: collisions only cost compression.
#[inline]
pub(crate) fn join(left: u32, right: u32) -> u32 {
    (left ^ right.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35).rotate_left(13).wrapping_add(right)
}

/// Inputs of the mixer of so many contexts, with room for the guesses and the bias, in lanes of eight.
pub(crate) const fn inputs(contexts: usize) -> usize {
    (contexts + GUESSES + 1).next_multiple_of(8)
}

/// The opinions of `N` contexts mixed; `M` = [`inputs`]`(N)`.
struct Mix<const M: usize> {
    mixers: Vec<Mixer<M>>,
    inputs: [i16; M],
    /// How much the weights learn from an error.
    rate: i32,
}

impl<const M: usize> Mix<M> {
    fn new(contexts: usize, selections: usize, rate: i32) -> Self {
        let weight = (1 << 16) * 14 / (10 * contexts as i32);
        Self { mixers: vec![Mixer::new(weight); selections], inputs: [0; M], rate }
    }

    #[inline]
    fn code<C: Coder>(&mut self, coder: &mut C, selection: usize, decision: bool) -> bool {
        let mixer = &mut self.mixers[selection];
        let chance = squash(mixer.mix(&self.inputs));
        let decision = coder.bit(chance, decision);
        let error = if decision { 65535 - chance as i32 } else { -(chance as i32) };
        mixer.learn(&self.inputs, error, self.rate);
        decision
    }
}

/// A byte that somebody foresees, and how sure of it: the bucket of what he said right before.
#[derive(Clone, Copy)]
pub(crate) struct Guess {
    pub(crate) byte: u8,
    /// Below [`GUESS_BUCKETS`].
    pub(crate) bucket: u8,
}

pub(crate) const GUESS_BUCKETS: usize = 32;

/// How many guesses at a byte are heard.
pub(crate) const GUESSES: usize = 2;
pub(crate) type Guesses = [Option<Guess>; GUESSES];

/// Bytes, foretold by `N` contexts and two guesses; `M` = [`inputs`]`(N)`.
pub(crate) struct Bytes<const N: usize, const M: usize> {
    table: Table,
    mix: Mix<M>,
    guesses: [[Chance; GUESS_BUCKETS]; GUESSES],
}

/// What is known of one half of a byte.
struct Half<const N: usize> {
    places: [(usize, usize); N],
    guesses: Guesses,
    /// The first set of weights.
    selection: usize,
}

impl<const N: usize, const M: usize> Bytes<N, M> {
    /// `selections`: how many sets of weights the caller chooses from; `rate`: how fast they learn, at most 16.
    pub(crate) fn new(table_log: u32, selections: usize, rate: i32) -> Self {
        Self {
            table: Table::new(table_log),
            mix: Mix::new(N, selections * 9, rate),
            guesses: [[Chance::new(60_000, 2); GUESS_BUCKETS]; GUESSES],
        }
    }

    /// Codes one byte. `selection` is below what was said to [`Self::new`].
    #[inline]
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        contexts: &[u32; N],
        guesses: Guesses,
        selection: usize,
        byte: u8,
    ) -> u8 {
        let mut node = 1usize;
        for half in 0..2 {
            let mut found = [(0usize, 0u16); N];
            for (index, found) in found.iter_mut().enumerate() {
                let context = join(contexts[index] ^ (index as u32) << 28, (node as u32) << 1 | half);
                *found = self.table.line(context);
            }
            // All lines are asked for before the first is waited for.
            let there = found.map(|(line, _)| self.table.checks(line));
            let mut places = [(0, 0); N];
            for index in 0..N {
                let (line, check) = found[index];
                places[index] = (line, self.table.claim(line, check, there[index]));
            }
            let half = Half { places, guesses, selection: selection * 9 };
            let mut place = 1usize;
            for _ in 0..4 {
                let step = 7 - node.ilog2();
                let wanted = byte >> step & 1 == 1;
                let decision = self.decide(coder, &half, (place - 1) % 15, node, wanted);
                node = node << 1 | usize::from(decision);
                place = place << 1 | usize::from(decision);
            }
        }
        node as u8
    }

    #[inline]
    fn decide<C: Coder>(
        &mut self,
        coder: &mut C,
        half: &Half<N>,
        place: usize,
        node: usize,
        wanted: bool,
    ) -> bool {
        for (index, (line, side)) in half.places.iter().enumerate() {
            self.mix.inputs[index] = self.table.lines[*line].0[*side & 1].chances[place].odds();
        }
        let depth = node.ilog2();
        let mut foreseen = [None; GUESSES];
        let mut sure = 0;
        for (index, guess) in half.guesses.into_iter().enumerate() {
            let live = guess.filter(|guess| (usize::from(guess.byte) | 256) >> (8 - depth) == node);
            foreseen[index] = live
                .map(|guess| (guess.byte >> (7 - depth) & 1 == 1, usize::from(guess.bucket) % GUESS_BUCKETS));
            self.mix.inputs[N + index] = foreseen[index].map_or(0, |(bit, bucket)| {
                let odds = stretch(self.guesses[index][bucket].get());
                if bit { odds } else { -odds }
            });
            sure = sure * 3
                + foreseen[index].map_or(0, |(_, bucket)| 1 + usize::from(bucket >= GUESS_BUCKETS / 2));
        }
        self.mix.inputs[N + GUESSES] = BIAS;
        let decision = self.mix.code(coder, half.selection + sure, wanted);
        for (line, side) in half.places {
            self.table.lines[line].0[side & 1].chances[place].learn(decision);
        }
        for (chances, foreseen) in self.guesses.iter_mut().zip(foreseen) {
            if let Some((bit, bucket)) = foreseen {
                chances[bucket].learn(decision == bit, GUESS_LIMIT);
            }
        }
        decision
    }
}

/// An input that is always there.
const BIAS: i16 = 256;

/// Single decisions, foretold by `N` contexts; `M` = [`inputs`]`(N)`.
pub(crate) struct Flags<const N: usize, const M: usize> {
    slots: Vec<Chance>,
    shift: u32,
    mix: Mix<M>,
}

/// How many decisions a flag's chances remember.
const FLAG_LIMIT: u32 = 31;

impl<const N: usize, const M: usize> Flags<N, M> {
    /// 2^`log` chances of four bytes.
    pub(crate) fn new(log: u32, selections: usize, rate: i32) -> Self {
        Self { slots: vec![Chance::EVEN; 1 << log], shift: 32 - log, mix: Mix::new(N, selections, rate) }
    }

    #[inline]
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        contexts: &[u32; N],
        selection: usize,
        decision: bool,
    ) -> bool {
        let mut places = [0usize; N];
        for (index, place) in places.iter_mut().enumerate() {
            *place = (join(contexts[index], index as u32).wrapping_mul(0x9e37_79b1) >> self.shift) as usize;
            self.mix.inputs[index] = self.slots[*place].odds();
        }
        self.mix.inputs[N] = BIAS;
        let decision = self.mix.code(coder, selection, decision);
        for place in places {
            self.slots[place].learn(decision, FLAG_LIMIT);
        }
        decision
    }
}

/// Numbers below 2^32 in a few classes: the length in bits by its tree, the bits below the first by models for three
/// places, the rest plain.
pub(crate) struct Numbers {
    classes: Vec<[Chance; 64 + 33 * 8]>,
}

const NUMBER_LIMIT: u32 = 60;

impl Numbers {
    pub(crate) fn new(classes: usize) -> Self {
        Self { classes: vec![[Chance::EVEN; 64 + 33 * 8]; classes] }
    }

    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, class: usize, value: u32) -> u32 {
        let chances = &mut self.classes[class];
        let length = u32::BITS - value.leading_zeros();
        let mut node = 1usize;
        for place in (0..6).rev() {
            node = node << 1 | usize::from(adaptive(coder, &mut chances[node], length >> place & 1 == 1));
        }
        let length = (node as u32 - 64).min(32);
        if length <= 1 {
            return length;
        }
        let modelled = (length - 1).min(2);
        let mut result = 1u32;
        for index in 0..modelled {
            let wanted = value >> (length - 2 - index) & 1 == 1;
            let chance = &mut chances[64 + length as usize * 8 + (result as usize & 7)];
            result = result << 1 | u32::from(adaptive(coder, chance, wanted));
        }
        let plain = length - 1 - modelled;
        if plain == 0 {
            return result;
        }
        result << plain | coder.plain(value & ((1u32 << plain) - 1), plain)
    }

    /// A number with a sign: small ones of both signs cost little.
    pub(crate) fn signed<C: Coder>(&mut self, coder: &mut C, class: usize, value: i32) -> i32 {
        let folded = (value << 1 ^ value >> 31) as u32;
        let folded = self.code(coder, class, folded);
        (folded >> 1) as i32 ^ -((folded & 1) as i32)
    }
}

/// A decision with one chance of its own.
#[inline]
pub(crate) fn adaptive<C: Coder>(coder: &mut C, chance: &mut Chance, decision: bool) -> bool {
    let decision = coder.bit(chance.get().clamp(32, 65_504), decision);
    chance.learn(decision, NUMBER_LIMIT);
    decision
}
