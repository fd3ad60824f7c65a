//! Smooth random fields, the raw material of every picture here.
//!
//! The same seed gives the same field on every run. A field may repeat along x, so that a backdrop
//! can scroll for ever. No picture knowledge lives here.

/// A two-dimensional gradient noise field.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: u32,
    /// The field repeats after this many lattice cells along x; 0 means never.
    period: i32,
}

impl Noise {
    /// A field that never repeats.
    pub fn new(seed: u32) -> Self {
        Self { seed, period: 0 }
    }

    /// A field that repeats after `period` units along x.
    pub fn periodic(seed: u32, period: u32) -> Self {
        Self { seed, period: i32::try_from(period).unwrap_or(0) }
    }

    /// The field at a point, about -1 to 1.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (x - x0, y - y0);
        let (ix, iy) = (x0 as i32, y0 as i32);
        let (left, right) = (self.wrap(ix), self.wrap(ix + 1));
        let top = lerp(
            gradient(left, iy, self.seed, fx, fy),
            gradient(right, iy, self.seed, fx - 1.0, fy),
            fade(fx),
        );
        let bottom = lerp(
            gradient(left, iy + 1, self.seed, fx, fy - 1.0),
            gradient(right, iy + 1, self.seed, fx - 1.0, fy - 1.0),
            fade(fx),
        );
        lerp(top, bottom, fade(fy)) * 1.5
    }

    /// Octaves of the field, each twice as fine and half as strong, about -1 to 1.
    pub fn fbm(&self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut strength, mut scale) = (0.0, 0.5, 1.0);
        for octave in 0..octaves {
            sum += self.octave(octave).at(x * scale, y * scale) * strength;
            strength *= 0.5;
            scale *= 2.0;
        }
        sum
    }

    /// Octaves folded at zero into sharp crests, 0 to about 1.
    pub fn ridged(&self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut strength, mut scale, mut carry) = (0.0, 0.5, 1.0, 1.0);
        for octave in 0..octaves {
            let crest = 1.0 - self.octave(octave).at(x * scale, y * scale).abs().min(1.0);
            let crest = crest * crest * carry;
            carry = (crest * 1.6).clamp(0.0, 1.0);
            sum += crest * strength;
            strength *= 0.5;
            scale *= 2.0;
        }
        sum
    }

    fn octave(&self, octave: u32) -> Self {
        Self { seed: self.seed.wrapping_add(octave.wrapping_mul(0x9e37_79b9)), period: self.period << octave }
    }

    fn wrap(&self, x: i32) -> i32 {
        if self.period == 0 { x } else { x.rem_euclid(self.period) }
    }
}

/// A well mixed number for a lattice point.
pub fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h =
        seed ^ (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35).rotate_left(13);
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// A well mixed number for a lattice point, from 0 to 1.
pub fn unit(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 / 16_777_216.0
}

/// From `a` to `b` as `t` goes from 0 to 1.
pub fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may be the larger one.
pub fn smooth(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

fn gradient(x: i32, y: i32, seed: u32, dx: f32, dy: f32) -> f32 {
    let h = hash(x, y, seed);
    let gx = (h & 0xffff) as f32 / 32_768.0 - 1.0;
    let gy = (h >> 16) as f32 / 32_768.0 - 1.0;
    gx * dx + gy * dy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_periodic_field_meets_itself() {
        let noise = Noise::periodic(7, 6);
        for step in 0..40 {
            let (x, y) = (step as f32 * 0.31, step as f32 * 0.17);
            assert!((noise.fbm(x, y, 4) - noise.fbm(x + 6.0, y, 4)).abs() < 1e-3);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_field() {
        assert_eq!(Noise::new(3).fbm(1.3, 2.7, 5), Noise::new(3).fbm(1.3, 2.7, 5));
        assert_ne!(Noise::new(3).fbm(1.3, 2.7, 5), Noise::new(4).fbm(1.3, 2.7, 5));
    }
}
