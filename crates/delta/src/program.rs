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
mod pe;
mod pe_unwind;
mod sweep;
mod unwind;
mod x86;

use crate::Run;
use chart::Chart;
use hints::Hints;
use layout::{Area, Layout, Machine};
use marks::Marks;

/// An image whose references were found.
pub(crate) struct Program<'a> {
    image: &'a [u8],
    marks: Marks,
    headers: Headers,
}

enum Headers {
    Elf(elf::Elf),
    Pe(pe::Pe),
}

fn code(image: &[u8], layout: &Layout, code: &[Area], starts: &[u32], marks: &mut Marks) {
    match layout.target.machine {
        Machine::X86 => sweep::mark(image, layout, code, starts, marks),
        Machine::Arm => arm::mark(image, layout, code, marks),
    }
}

impl<'a> Program<'a> {
    /// Finds the references of an image; `None`: this is no program of a kind that is known.
    pub(crate) fn parse(image: &'a [u8]) -> Option<Self> {
        if u32::try_from(image.len()).is_err() {
            return None;
        }
        let mut marks = Marks::new(image.len());
        if let Some(elf) = elf::parse(image) {
            elf::mark(image, &elf, &mut marks);
            code(image, &elf.layout, &elf.code, &[], &mut marks);
            return Some(Self { image, marks, headers: Headers::Elf(elf) });
        }
        let mut pe = pe::parse(image)?;
        let starts = pe::mark(image, &mut pe, &mut marks);
        pe_unwind::type_information(image, &pe, &mut marks);
        code(image, &pe.layout, &pe.code, &starts, &mut marks);
        Some(Self { image, marks, headers: Headers::Pe(pe) })
    }

    fn layout(&self) -> &Layout {
        match &self.headers {
            Headers::Elf(elf) => &elf.layout,
            Headers::Pe(pe) => &pe.layout,
        }
    }

    /// What each section is: its type and its name.
    fn section_name(&self, index: usize) -> Option<u64> {
        match &self.headers {
            Headers::Elf(elf) => elf.sections.get(index).map(|section| section.name),
            Headers::Pe(pe) => pe.names.get(index).copied(),
        }
    }

    /// What the decoder has to be told of the new image so that [`Program::predict`] can do its work.
    pub(crate) fn hints(&self, new: &Program<'_>, runs: &[Run]) -> Option<Vec<u8>> {
        if self.layout().target != new.layout().target {
            return None;
        }
        let same = |old: usize, other: usize| self.section_name(old) == new.section_name(other);
        let mut hints = Hints::new(self.layout(), new.layout().clone(), same);
        let chart =
            Chart::new(self.layout(), new.layout(), self.image.len(), runs).with_twins(hints.twins.clone());
        hints.corrections = correct::corrections(self.side(), new.side(), &chart, runs);
        Some(hints.encode(self.layout()))
    }

    fn side(&self) -> correct::Side<'_> {
        correct::Side { image: self.image, layout: self.layout(), marks: &self.marks }
    }

    /// The new image as runs and re-aiming foretell it; zero where no run lies. `None`: false hints.
    pub(crate) fn predict(&self, new_len: usize, runs: &[Run], mut hints: &[u8]) -> Option<Vec<u8>> {
        let hints = Hints::decode(self.layout(), &mut hints)?;
        let chart = Chart::new(self.layout(), &hints.layout, self.image.len(), runs)
            .with_twins(hints.twins)
            .with_corrections(hints.corrections);
        Some(aim::predict(self.image, &self.marks, &chart, new_len, runs))
    }

    /// The image with labels in place of references: what two builds have in common.
    pub(crate) fn mask(&self) -> Vec<u8> {
        let names = match &self.headers {
            Headers::Elf(elf) => label::Names::of_elf(self.image, elf),
            Headers::Pe(_) => label::Names::default(),
        };
        label::mask(self.image, self.layout(), &self.marks, &names)
    }
}

#[cfg(test)]
mod tests;
