//! Programs: where code and tables refer to each other by address, and what becomes of that when things move.
//!
//! One inserted function moves everything behind it, and every reference across the insertion changes although nothing
//! was said anew. Given the runs (which old stretch went where), every such reference is re-aimed: its old target,
//! mapped through the runs, is written for its new place. What this foretells wrongly costs bytes, never correctness:
//! the method that calls this sends the difference. Pure; for hostile images, runs and hints alike it ends in time
//! linear in their lengths (with a logarithm) and in memory of the image's size, twice.

mod aim;
mod arm;
mod bytes;
mod chart;
mod correct;
mod elf;
mod hints;
mod label;
mod layout;
mod marks;
mod sweep;
mod unwind;
mod x86;

use crate::Run;
use chart::Chart;
use hints::Hints;
use layout::{Layout, Machine};
use marks::Marks;

/// An image whose references were found.
pub(crate) struct Program<'a> {
    image: &'a [u8],
    layout: Layout,
    marks: Marks,
    /// What each section is: its type or its name.
    kinds: Vec<u64>,
    elf: elf::Elf,
}

impl<'a> Program<'a> {
    /// Finds the references of an image; `None`: this is no program of a kind that is known.
    pub(crate) fn parse(image: &'a [u8]) -> Option<Self> {
        if u32::try_from(image.len()).is_err() {
            return None;
        }
        let elf = elf::parse(image)?;
        let mut marks = Marks::new(image.len());
        elf::mark(image, &elf, &mut marks);
        match elf.layout.target.machine {
            Machine::X86 => sweep::mark(image, &elf.layout, &elf.code, &mut marks),
            Machine::Arm => arm::mark(image, &elf.layout, &elf.code, &mut marks),
        }
        let kinds = elf.sections.iter().map(|section| section.name).collect();
        Some(Self { image, layout: elf.layout.clone(), marks, kinds, elf })
    }

    /// What the decoder has to be told of the new image so that [`Program::predict`] can do its work.
    pub(crate) fn hints(&self, new: &Program<'_>, runs: &[Run]) -> Option<Vec<u8>> {
        if self.layout.target != new.layout.target {
            return None;
        }
        let same = |old: usize, other: usize| self.kinds[old] == new.kinds[other];
        let mut hints = Hints::new(&self.layout, new.layout.clone(), same);
        let chart =
            Chart::new(&self.layout, &new.layout, self.image.len(), runs).with_twins(hints.twins.clone());
        hints.corrections = correct::corrections(self.side(), new.side(), &chart, runs);
        Some(hints.encode(&self.layout))
    }

    fn side(&self) -> correct::Side<'_> {
        correct::Side { image: self.image, layout: &self.layout, marks: &self.marks }
    }

    /// The new image as runs and re-aiming foretell it; zero where no run lies. `None`: false hints.
    pub(crate) fn predict(&self, new_len: usize, runs: &[Run], mut hints: &[u8]) -> Option<Vec<u8>> {
        let hints = Hints::decode(&self.layout, &mut hints)?;
        let chart = Chart::new(&self.layout, &hints.layout, self.image.len(), runs)
            .with_twins(hints.twins)
            .with_corrections(hints.corrections);
        Some(aim::predict(self.image, &self.marks, &chart, new_len, runs))
    }

    /// The image with labels in place of references: what two builds have in common.
    pub(crate) fn mask(&self) -> Vec<u8> {
        let names = label::Names::of_elf(self.image, &self.elf);
        label::mask(self.image, &self.layout, &self.marks, &names)
    }
}
