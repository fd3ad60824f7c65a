//! Whole payloads that lie, over images in which runs and hints exist.

use super::made::{self, arm_elf, pe, x86_elf};
use crate::{Effort, Method, decode, encode};

/// Names the seed if what follows panics.
struct Seed(u64, &'static str);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "whoever looks into a failure needs the seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} on {}", self.0, self.1);
        }
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// A program of a kind, by how far its second half moved.
type Build = fn(u64) -> made::Made;

const BUILDS: [(&str, Build); 3] = [("ELF x86-64", x86_elf), ("ELF AArch64", arm_elf), ("PE", pe)];

#[test]
fn damaged_payloads_of_programs_give_an_error_or_an_image_of_the_announced_length() {
    for (name, build) in BUILDS {
        let (old, mut new) = (build(0).bytes, build(made::SHIFT).bytes);
        // Something to say beside runs and hints: literals and differences.
        (0x2800..0x2880).for_each(|at| new[at] = ((at * at) >> 3) as u8);
        (0x1100..0x1800).step_by(97).for_each(|at| new[at] ^= 0x11);
        let payload = encode(Method::Program, &old, &new, Effort::Full).unwrap();
        assert_eq!(decode(Method::Program, &old, &payload, new.len()).as_ref(), Ok(&new), "{name}");
        assert!(payload.len() > 40, "{name}: runs, hints and bytes are in it: {}", payload.len());
        let mut refused = 0;
        for seed in 0..1500 {
            let _seed = Seed(seed, name);
            let mut dice = Dice(seed);
            let mut damaged = payload.clone();
            for _ in 0..=dice.below(3) {
                // The first bytes say runs and hints; the rest depends on them.
                let reach = if dice.below(2) == 0 { damaged.len().min(32) } else { damaged.len() };
                damaged[dice.below(reach)] ^= 1 << dice.below(8);
            }
            if dice.below(4) == 0 {
                damaged.truncate(dice.below(payload.len()));
            }
            let length = if dice.below(4) == 0 { dice.below(2 * new.len()) } else { new.len() };
            match decode(Method::Program, &old, &damaged, length) {
                Ok(image) => assert_eq!(image.len(), length),
                Err(error) => {
                    assert_eq!(error.code(), "delta-malformed");
                    refused += 1;
                }
            }
        }
        assert!(refused > 0 && refused < 1500, "{name}: {refused} refused, some are understood");
    }
}
