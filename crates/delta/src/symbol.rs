//! Models of bytes, decisions and numbers, over contexts that the caller names.

use crate::coder::Coder;
use crate::logistic::{Chance, Mixer, squash, stretch};

/// Steps of the map from a slot's state to what such a state has meant so far: how often it was asked, what it says.
const STATES: usize = 8 * 32;
/// How many decisions the state maps remember.
const STATE_LIMIT: u32 = 255;

/// Slots of 16 chances: the inner nodes of half a byte's tree, in one cache line.
pub(crate) struct Table {
    slots: Vec<[Chance; 16]>,
    shift: u32,
}

impl Table {
    /// 2^`log` slots of 64 bytes.
    pub(crate) fn new(log: u32) -> Self {
        Self { slots: vec![[Chance::EVEN; 16]; 1 << log], shift: 32 - log }
    }

    #[inline]
    fn slot(&self, context: u32) -> usize {
        (context.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }
}

/// Bytes that [`Table::new`] takes.
pub(crate) fn table_bytes(log: u32) -> u64 {
    64 << log
}

/// Mixes two parts of a context. Not for strangers' hash tables: collisions only cost compression.
#[inline]
pub(crate) fn join(left: u32, right: u32) -> u32 {
    (left ^ right.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35).rotate_left(13).wrapping_add(right)
}

/// What one context's state says, twice: as it is, and as states like it turned out.
#[derive(Clone)]
struct Opinion {
    states: [Chance; STATES],
}

impl Opinion {
    fn new() -> Self {
        let mut states = [Chance::EVEN; STATES];
        for (state, chance) in states.iter_mut().enumerate() {
            *chance = Chance::new((state as u32 & 31) << 11 | 1 << 10, 6);
        }
        Self { states }
    }

    #[inline]
    fn state(chance: Chance) -> usize {
        (usize::from(SEEN[(chance.seen() as usize).min(31)]) << 5 | (chance.get() >> 11) as usize)
            & (STATES - 1)
    }
}

/// Counts of decisions in eight steps, 31 and above as 31.
const SEEN: [u8; 32] = {
    let mut table = [7; 32];
    let mut seen = 0;
    while seen < 31 {
        table[seen] = match seen {
            0..4 => seen as u8,
            4..7 => 4,
            7..13 => 5,
            13..30 => 6,
            _ => 7,
        };
        seen += 1;
    }
    table
};

/// How fast a model follows what it sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How much the weights learn from an error.
    pub(crate) rate: i32,
    /// How many decisions a slot remembers.
    pub(crate) memory: u32,
}

/// Inputs of the mixer of so many contexts, with room for the guesses and the bias, in lanes of eight.
pub(crate) const fn inputs(contexts: usize) -> usize {
    (2 * contexts + GUESSES + 1).next_multiple_of(8)
}

/// A mixing of `N` contexts' opinions; `M` = [`inputs`]`(N)`.
pub(crate) struct Mix<const N: usize, const M: usize> {
    opinions: Vec<Opinion>,
    mixers: Vec<Mixer<M>>,
    inputs: [i16; M],
    states: [usize; N],
    pace: Pace,
}

impl<const N: usize, const M: usize> Mix<N, M> {
    fn new(selections: usize, pace: Pace) -> Self {
        let weight = (1 << 16) * 7 / (10 * N as i32);
        Self {
            opinions: vec![Opinion::new(); N],
            mixers: vec![Mixer::new(weight); selections],
            inputs: [0; M],
            states: [0; N],
            pace,
        }
    }

    #[inline]
    fn ask(&mut self, index: usize, chance: Chance) {
        let state = Opinion::state(chance);
        self.states[index] = state;
        let seen = chance.seen();
        self.inputs[2 * index] = if seen == 0 { 0 } else { stretch(chance.get()) };
        self.inputs[2 * index + 1] =
            if seen == 0 { 0 } else { stretch(self.opinions[index].states[state].get()) };
    }

    #[inline]
    fn code<C: Coder>(&mut self, coder: &mut C, selection: usize, decision: bool) -> bool {
        let mixer = &mut self.mixers[selection];
        let chance = squash(mixer.mix(&self.inputs));
        let decision = coder.bit(chance, decision);
        let error = if decision { 65535 - chance as i32 } else { -(chance as i32) };
        mixer.learn(&self.inputs, error, self.pace.rate);
        for (opinion, state) in self.opinions.iter_mut().zip(&self.states) {
            opinion.states[*state & (STATES - 1)].learn(decision, STATE_LIMIT);
        }
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
    mix: Mix<N, M>,
    guesses: [Vec<Chance>; GUESSES],
}

impl<const N: usize, const M: usize> Bytes<N, M> {
    /// `selections`: how many sets of weights the caller chooses from.
    pub(crate) fn new(table_log: u32, selections: usize, pace: Pace) -> Self {
        let guesses =
            [const { Vec::new() }; GUESSES].map(|_: Vec<Chance>| vec![Chance::new(60_000, 2); GUESS_BUCKETS]);
        Self { table: Table::new(table_log), mix: Mix::new(selections * 9, pace), guesses }
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
            let mut slots = [0usize; N];
            for (index, slot) in slots.iter_mut().enumerate() {
                *slot =
                    self.table.slot(join(contexts[index] ^ (index as u32) << 28, (node as u32) << 1 | half));
            }
            let mut place = 1usize;
            for _ in 0..4 {
                let step = 7 - node.ilog2();
                let wanted = byte >> step & 1 == 1;
                let decision = self.decide(coder, &slots, place, node, guesses, selection, wanted);
                node = node << 1 | usize::from(decision);
                place = place << 1 | usize::from(decision);
            }
        }
        node as u8
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the inner loop of one function")]
    fn decide<C: Coder>(
        &mut self,
        coder: &mut C,
        slots: &[usize; N],
        place: usize,
        node: usize,
        guesses: Guesses,
        selection: usize,
        wanted: bool,
    ) -> bool {
        for (index, slot) in slots.iter().enumerate() {
            self.mix.ask(index, self.table.slots[*slot][place & 15]);
        }
        let depth = node.ilog2();
        let mut foreseen = [None; GUESSES];
        let mut sure = 0;
        for (index, guess) in guesses.into_iter().enumerate() {
            let live = guess.filter(|guess| (usize::from(guess.byte) | 256) >> (8 - depth) == node);
            foreseen[index] =
                live.map(|guess| (guess.byte >> (7 - depth) & 1 == 1, usize::from(guess.bucket)));
            self.mix.inputs[2 * N + index] = foreseen[index].map_or(0, |(bit, bucket)| {
                let odds = stretch(self.guesses[index][bucket].get());
                if bit { odds } else { -odds }
            });
            sure = sure * 3
                + foreseen[index].map_or(0, |(_, bucket)| 1 + usize::from(bucket >= GUESS_BUCKETS / 2));
        }
        self.mix.inputs[2 * N + GUESSES] = 256;
        let decision = self.mix.code(coder, selection * 9 + sure, wanted);
        for slot in slots {
            self.table.slots[*slot][place & 15].learn(decision, self.mix.pace.memory);
        }
        for (chances, foreseen) in self.guesses.iter_mut().zip(foreseen) {
            if let Some((bit, bucket)) = foreseen {
                chances[bucket].learn(decision == bit, STATE_LIMIT);
            }
        }
        decision
    }
}

/// Single decisions, foretold by `N` contexts; `M` = [`inputs`]`(N)`.
pub(crate) struct Flags<const N: usize, const M: usize> {
    slots: Vec<Chance>,
    shift: u32,
    mix: Mix<N, M>,
}

impl<const N: usize, const M: usize> Flags<N, M> {
    /// 2^`log` chances of four bytes.
    pub(crate) fn new(log: u32, selections: usize, pace: Pace) -> Self {
        Self { slots: vec![Chance::EVEN; 1 << log], shift: 32 - log, mix: Mix::new(selections, pace) }
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
            self.mix.ask(index, self.slots[*place]);
        }
        self.mix.inputs[2 * N] = 256;
        let decision = self.mix.code(coder, selection, decision);
        for place in places {
            self.slots[place].learn(decision, self.mix.pace.memory);
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
