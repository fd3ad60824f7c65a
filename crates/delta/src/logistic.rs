//! Probabilities that learn, and their mixing in the logistic domain (as PAQ and its kin do), in integers.

/// Log odds are in 1/256 nat, within ± this.
pub(crate) const STRETCH_MAX: i32 = 2815;

/// A probability that learns fast at first and slowly later: 22 bits of chance, 10 bits of how often it was asked.
#[derive(Clone, Copy)]
pub(crate) struct Chance(u32);

impl Chance {
    pub(crate) const EVEN: Self = Self(1 << 31);

    /// `chance` of 65536, of which we are as sure as after `seen` decisions.
    pub(crate) const fn new(chance: u32, seen: u32) -> Self {
        Self(chance << 16 | seen)
    }

    /// Of 65536.
    #[inline]
    pub(crate) fn get(self) -> u32 {
        self.0 >> 16
    }

    /// How many decisions it has seen, up to the limit.
    #[inline]
    pub(crate) fn seen(self) -> u32 {
        self.0 & 1023
    }

    /// Log odds, the less the fewer decisions it has seen.
    #[inline]
    pub(crate) fn odds(self) -> i16 {
        ((i32::from(stretch(self.get())) * TRUST[(self.seen() as usize).min(15)]) >> 8) as i16
    }

    #[inline]
    pub(crate) fn learn(&mut self, decision: bool, limit: u32) {
        let seen = self.seen();
        let chance = (self.0 >> 10) as i32;
        let target = if decision { (1 << 22) - 1 } else { 0 };
        // A product of 19 and 16 bits: within 64 always, within 32 nearly.
        let step = (i64::from(target - chance) * i64::from(SHARE[seen as usize])) >> 16;
        let chance = chance + step as i32;
        self.0 = (chance as u32) << 10 | (seen + u32::from(seen < limit));
    }
}

/// The same in half the room, for models that forget soon: 12 bits of chance, 4 bits of how often it was asked.
#[derive(Clone, Copy)]
pub(crate) struct Brief(u16);

impl Brief {
    pub(crate) const EVEN: Self = Self(1 << 15);

    /// Log odds, the less the fewer decisions it has seen.
    #[inline]
    pub(crate) fn odds(self) -> i16 {
        let odds = i32::from(STRETCH[usize::from(self.0 >> 4)]);
        ((odds * TRUST[usize::from(self.0 & 15)]) >> 8) as i16
    }

    /// How many decisions it has seen, up to 15.
    #[inline]
    pub(crate) fn seen(self) -> u16 {
        self.0 & 15
    }

    #[inline]
    pub(crate) fn learn(&mut self, decision: bool) {
        let seen = self.0 & 15;
        let chance = i32::from(self.0 >> 4);
        let target = if decision { 4095 } else { 0 };
        // Within 12 bits: the step is at most the distance.
        let chance = chance + (((target - chance) * SHARE[usize::from(seen)] as i32 + (1 << 15)) >> 16);
        self.0 = (chance as u16) << 4 | (seen + u16::from(seen < 15));
    }
}

/// How far what so many decisions say is believed, of 256.
const TRUST: [i32; 16] = [0, 150, 190, 210, 225, 235, 240, 245, 250, 256, 256, 256, 256, 256, 256, 256];

/// Share of the error that is learned after so many decisions, of 65536: 1 / (n + 1.5).
const SHARE: [u32; 1024] = {
    let mut table = [0; 1024];
    let mut seen = 0;
    while seen < 1024 {
        table[seen] = (131_072 / (2 * seen + 3)) as u32;
        seen += 1;
    }
    table
};

/// Log odds of a chance of 65536.
#[inline]
pub(crate) fn stretch(chance: u32) -> i16 {
    STRETCH[(chance >> 4) as usize & 4095]
}

/// Chance of 65536, never certain, of log odds within ± [`STRETCH_MAX`].
#[inline]
pub(crate) fn squash(odds: i32) -> u32 {
    u32::from(SQUASH[(odds.clamp(-STRETCH_MAX, STRETCH_MAX) + STRETCH_MAX) as usize])
}

const SQUASH_LENGTH: usize = 2 * STRETCH_MAX as usize + 1;

/// Computed while compiling, from sums and products alone: the same on every machine.
static SQUASH: [u16; SQUASH_LENGTH] = {
    let mut table = [0; SQUASH_LENGTH];
    let mut index = 0;
    while index < SQUASH_LENGTH {
        let odds = (index as f64 - STRETCH_MAX as f64) / 256.0;
        let chance = 65536.0 / (1.0 + exp(-odds));
        table[index] = if chance < 1.0 {
            1
        } else if chance > 65535.0 {
            65535
        } else {
            chance as u16
        };
        index += 1;
    }
    table
};

static STRETCH: [i16; 4096] = {
    let mut table = [0; 4096];
    let mut odds = 0;
    let mut index = 0;
    while index < 4096 {
        // The first log odds whose chance is not below the middle of this step.
        while odds + 1 < SQUASH_LENGTH && (SQUASH[odds] as usize) < index * 16 + 8 {
            odds += 1;
        }
        table[index] = odds as i16 - STRETCH_MAX as i16;
        index += 1;
    }
    table
};

const fn exp(value: f64) -> f64 {
    let small = value / 64.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut number = 1.0;
    while number < 16.0 {
        term = term * small / number;
        sum += term;
        number += 1.0;
    }
    let mut doubled = 0;
    while doubled < 6 {
        sum *= sum;
        doubled += 1;
    }
    sum
}

/// Weighs `N` opinions; weights learn from every outcome.
///
/// `N` is a multiple of eight, and everything that meets in a product has 16 bits: so the sums are done in lanes on
/// every machine. Sums wrap: only a payload made for it drives weights so far, and it gains nothing but wrong bytes.
#[derive(Clone)]
pub(crate) struct Mixer<const N: usize> {
    weights: [i32; N],
}

impl<const N: usize> Mixer<N> {
    /// Every opinion weighs the same: `weight` of 65536.
    pub(crate) fn new(weight: i32) -> Self {
        Self { weights: [weight; N] }
    }

    /// Log odds.
    #[inline]
    pub(crate) fn mix(&self, opinions: &[i16; N]) -> i32 {
        (sum(&self.weights, opinions) >> 13).clamp(-STRETCH_MAX, STRETCH_MAX)
    }

    /// `error`: outcome − chance, of 65536; `rate` at most 16.
    #[inline]
    pub(crate) fn learn(&mut self, opinions: &[i16; N], error: i32, rate: i32) {
        let step = ((error * rate) >> 5) as i16;
        teach(&mut self.weights, opinions, step);
    }
}

// Of a length that is not known here: a loop that is unrolled before it is made into lanes never becomes any.
#[inline(never)]
fn sum(weights: &[i32], opinions: &[i16]) -> i32 {
    weights.iter().zip(opinions).fold(0i32, |sum, (weight, opinion)| {
        let weight = (*weight >> 3).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        sum.wrapping_add(i32::from(weight) * i32::from(*opinion))
    })
}

#[inline(never)]
fn teach(weights: &mut [i32], opinions: &[i16], step: i16) {
    for (weight, opinion) in weights.iter_mut().zip(opinions) {
        let change = (i32::from(*opinion) * i32::from(step) + (1 << 14)) >> 15;
        *weight = weight.wrapping_add(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_and_stretch_are_inverse() {
        for chance in (8..65536u32).step_by(16) {
            let back = squash(i32::from(stretch(chance)));
            assert!(back.abs_diff(chance) <= 16 + chance.min(65536 - chance) / 64, "{chance} {back}");
        }
        assert_eq!(squash(0), 32768);
    }

    #[test]
    fn a_chance_learns() {
        let mut chance = Chance::EVEN;
        chance.learn(true, 100);
        assert!(chance.get() > 50_000);
        for _ in 0..1000 {
            chance.learn(true, 1000);
        }
        assert!(chance.get() > 65_400, "{}", chance.get());
    }
}
