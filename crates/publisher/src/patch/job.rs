//! One segment to make: its ranges, and how they become a payload.

use delta::{Effort, Method};
use release::limits::PATCH_MEMORY_MAX;
use release::patch::Span;

use super::images::Images;
use crate::PublishError;

/// What encoding takes for each byte of old and new together: tables of matches beside the bytes themselves.
const ENCODER_BYTES_PER_BYTE: u64 = 12;
/// What encoding takes however little there is to encode.
const ENCODER_BYTES: u64 = 16 << 20;

/// A segment to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) sources: Vec<Span>,
    /// Ranges of new files that earlier segments make, behind the sources.
    pub(super) made: Vec<Span>,
    pub(super) targets: Vec<Span>,
    /// Bytes of a piece, where a target may be cut.
    pub(super) piece_length: u64,
}

/// A segment that was made and tried.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) method: Method,
    pub(super) sources: Vec<Span>,
    pub(super) made: Vec<Span>,
    pub(super) targets: Vec<Span>,
    pub(super) payload: Vec<u8>,
    pub(super) memory_bytes: u64,
}

impl Job {
    pub(super) fn new_bytes(&self) -> u64 {
        self.targets.iter().map(|span| span.length).sum()
    }

    fn old_bytes(&self) -> u64 {
        self.sources.iter().chain(&self.made).map(|span| span.length).sum()
    }

    /// Memory that making it takes, in bytes.
    pub(super) fn memory(&self) -> u64 {
        (self.old_bytes() + self.new_bytes()).saturating_mul(ENCODER_BYTES_PER_BYTE) + ENCODER_BYTES
    }

    /// Makes the segment, or several if one would need too much memory at the player's.
    pub(super) fn make(&self, images: &Images<'_>) -> Result<Vec<Made>, PublishError> {
        let mut old = images.read_old(&self.sources)?;
        old.append(&mut images.read_new(&self.made)?);
        let new = images.read_new(&self.targets)?;
        let (method, payload) = delta::best(&old, &new, Effort::Full, PATCH_MEMORY_MAX)?;
        let plain = method == Method::Plain;
        let old_bytes = if plain { 0 } else { old.len() as u64 };
        let lengths = [new.len(), payload.len()].map(|length| length as u64);
        let memory_bytes = delta::decode_memory(method, old_bytes, lengths[0], lengths[1]);
        if memory_bytes > PATCH_MEMORY_MAX {
            drop((old, new, payload));
            let smaller = self.smaller().into_iter().map(|job| job.make(images));
            return Ok(smaller.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect());
        }
        // What cannot be applied here cannot be applied anywhere: those files are then fetched as blocks.
        if delta::decode(method, &old, &payload, new.len()).as_ref() != Ok(&new) {
            tracing::error!(?method, targets = ?self.targets, "a segment does not yield its files and is left out");
            return Ok(Vec::new());
        }
        let (sources, made) =
            if plain { Default::default() } else { (self.sources.clone(), self.made.clone()) };
        Ok(vec![Made { method, sources, made, targets: self.targets.clone(), payload, memory_bytes }])
    }

    /// The same work in parts that need less memory each: fewer targets, half a target, or half the sources.
    fn smaller(&self) -> Vec<Self> {
        let with = |targets: &[Span]| Self { targets: targets.to_vec(), ..self.clone() };
        match self.targets.as_slice() {
            [only] if only.length > self.piece_length => {
                let pieces = only.length.div_ceil(self.piece_length);
                let first = pieces / 2 * self.piece_length;
                let head = Span { length: first, ..*only };
                let tail = Span { offset: only.offset + first, length: only.length - first, ..*only };
                vec![with(&[head]), with(&[tail])]
            }
            [_] => {
                let half = self.old_bytes() / 2;
                let mut sum = 0;
                let fits = |span: &&Span| {
                    sum += span.length;
                    sum <= half
                };
                let sources = self.sources.iter().take_while(fits).copied().collect();
                vec![Self { sources, made: Vec::new(), ..self.clone() }]
            }
            many => {
                let (head, tail) = many.split_at(many.len() / 2);
                vec![with(head), with(tail)]
            }
        }
    }
}

impl Made {
    /// By one method, whatever another would give.
    pub(super) fn by(
        method: Method,
        sources: Vec<Span>,
        targets: Vec<Span>,
        images: &Images<'_>,
    ) -> Result<Self, PublishError> {
        let (old, new) = (images.read_old(&sources)?, images.read_new(&targets)?);
        let payload = delta::encode(method, &old, &new, Effort::Full)?;
        let lengths = [old.len(), new.len(), payload.len()].map(|length| length as u64);
        let memory_bytes = delta::decode_memory(method, lengths[0], lengths[1], lengths[2]);
        Ok(Self { method, sources, made: Vec::new(), targets, payload, memory_bytes })
    }
}

/// Whether a segment of so many old and new bytes can be applied within the bound if it saves half, whichever method it
/// takes; methods for programs only if it is one.
pub(super) fn fits(old_bytes: u64, new_bytes: u64, program: bool) -> bool {
    let methods = (0..=u8::MAX).filter_map(|number| Method::try_from(number).ok());
    methods
        .filter(|method| program || *method != Method::Program)
        .map(|method| delta::decode_memory(method, old_bytes, new_bytes, new_bytes / 2))
        .all(|bytes| bytes <= PATCH_MEMORY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(file: u32, offset: u64, length: u64) -> Span {
        Span { file, offset, length }
    }

    #[test]
    fn a_segment_that_needs_too_much_is_cut_at_pieces_until_it_cannot() {
        let job = |sources, targets| Job { sources, made: vec![], targets, piece_length: 100 };
        let old = vec![span(0, 0, 60), span(0, 100, 40)];
        let many = job(old.clone(), vec![span(0, 0, 5), span(1, 0, 5), span(2, 0, 5)]);
        assert_eq!(
            many.smaller(),
            [job(old.clone(), vec![span(0, 0, 5)]), job(old.clone(), vec![span(1, 0, 5), span(2, 0, 5)])]
        );
        let long = job(old.clone(), vec![span(0, 200, 250)]);
        assert_eq!(
            long.smaller(),
            [job(old.clone(), vec![span(0, 200, 100)]), job(old.clone(), vec![span(0, 300, 150)])]
        );
        let short = job(old, vec![span(0, 200, 100)]);
        assert_eq!(short.smaller(), [job(vec![], vec![span(0, 200, 100)])]);
    }
}
