//! The runs on the wire: how far each begins after the one before, where in the old image, how long.

use crate::Run;
use crate::coder::Coder;
use crate::logistic::Chance;
use crate::symbol::{Numbers, adaptive};

/// A payload may say one run for so many new bytes, and some more: what the list of them costs has a bound.
const BYTES_FOR_A_RUN: usize = 64;
const RUNS: usize = 1024;
/// Diagonals that are remembered; returning to one costs little.
const REMEMBERED: usize = 4;

/// The most runs for an image of this length.
pub(crate) fn runs_max(new_len: usize) -> usize {
    new_len / BYTES_FOR_A_RUN + RUNS
}

/// Classes of numbers.
mod class {
    pub(super) const COUNT: usize = 0;
    pub(super) const GAP: usize = 1;
    pub(super) const NEAR: usize = 3;
    pub(super) const LENGTH: usize = 4;
    pub(super) const ALL: usize = 7;
}

/// Codes `runs`; the reader gives none and gets those of the payload, checked: in order of `new`, their sources in the
/// old image or, behind it, in what of the new one lies before the run.
pub(crate) fn code<C: Coder>(
    coder: &mut C,
    runs: &[Run],
    old_len: usize,
    new_len: usize,
) -> Result<Vec<Run>, &'static str> {
    let mut state = State {
        numbers: Numbers::new(class::ALL),
        to_end: [Chance::new(16_000, 2); 2],
        continues: Chance::new(16_000, 2),
        returning: [Chance::new(16_000, 2); REMEMBERED],
        shifts: [0; REMEMBERED],
        last: Run { new: 0, old: 0, len: 0 },
        last_gap: 0,
        last_length: 0,
    };
    let count = state.numbers.code(coder, class::COUNT, runs.len() as u32) as usize;
    if count > runs_max(new_len) {
        return Err("more runs than there may be");
    }
    let mut coded = Vec::with_capacity(count);
    for index in 0..count {
        let run = runs.get(index).copied().unwrap_or(state.last);
        let run = state.code(coder, run, old_len as u32, new_len as u32)?;
        coded.push(run);
    }
    Ok(coded)
}

struct State {
    numbers: Numbers,
    to_end: [Chance; 2],
    continues: Chance,
    returning: [Chance; REMEMBERED],
    shifts: [i64; REMEMBERED],
    last: Run,
    last_gap: usize,
    last_length: usize,
}

impl State {
    fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        run: Run,
        old_len: u32,
        new_len: u32,
    ) -> Result<Run, &'static str> {
        let end = self.last.new + self.last.len;
        let gap = self.numbers.code(coder, class::GAP + self.last_gap, run.new.wrapping_sub(end));
        self.last_gap = usize::from(gap > 8);
        let new = end.checked_add(gap).filter(|new| *new < new_len).ok_or("a run begins after the end")?;
        let old = self.source(coder, new, i64::from(run.old))?;
        let source = match old.checked_sub(old_len) {
            None => old_len - old,
            Some(echo) => new.checked_sub(echo).ok_or("an echo of what is yet to come")?,
        };
        let room = (new_len - new).min(source);
        let len = self.length(coder, run.len, room);
        if len == 0 || len > room {
            return Err("a run ends after the end");
        }
        self.last = Run { new, old, len };
        Ok(self.last)
    }

    /// Where the run stands in the old image: on a diagonal that was, or so far from where the one before ended.
    fn source<C: Coder>(&mut self, coder: &mut C, new: u32, old: i64) -> Result<u32, &'static str> {
        let shift = old - i64::from(new);
        let end = i64::from(self.last.old) + i64::from(self.last.len);
        if adaptive(coder, &mut self.continues, old == end) {
            let old = u32::try_from(end).map_err(|_| "a run begins after the old end")?;
            self.shifts.rotate_right(1);
            self.shifts[0] = end - i64::from(new);
            return Ok(old);
        }
        for index in 0..REMEMBERED {
            let same = adaptive(coder, &mut self.returning[index], self.shifts[index] == shift);
            if same {
                let shift = self.shifts[index];
                self.shifts[..=index].rotate_right(1);
                return u32::try_from(i64::from(new) + shift)
                    .map_err(|_| "a run begins before the old start");
            }
        }
        let expected = self.shifts[0] + i64::from(new);
        let jump = i64::from(self.numbers.signed(coder, class::NEAR, (old - expected) as i32));
        let old = u32::try_from(expected + jump).map_err(|_| "a run begins before the old start")?;
        self.shifts.rotate_right(1);
        self.shifts[0] = i64::from(old) - i64::from(new);
        Ok(old)
    }

    fn length<C: Coder>(&mut self, coder: &mut C, len: u32, room: u32) -> u32 {
        if adaptive(coder, &mut self.to_end[0], len == room) {
            return room;
        }
        let len = self.numbers.code(coder, class::LENGTH + self.last_length, len);
        self.last_length = match len {
            0..64 => 0,
            64..1024 => 1,
            _ => 2,
        };
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::{Reader, Writer};

    #[test]
    fn runs_come_back() {
        let runs = [
            Run { new: 0, old: 100, len: 50 },
            Run { new: 60, old: 0, len: 90 },
            Run { new: 150, old: 250, len: 700 },
            Run { new: 900, old: 1990, len: 10 },
        ];
        let mut writer = Writer::new();
        code(&mut writer, &runs, 2000, 1000).unwrap();
        let bytes = writer.finish();
        assert!(bytes.len() < 40, "{}", bytes.len());
        assert_eq!(code(&mut Reader::new(&bytes), &[], 2000, 1000).unwrap(), runs);
    }

    #[test]
    fn runs_outside_are_refused() {
        for run in [
            Run { new: 5, old: 0, len: 96 },
            Run { new: 100, old: 0, len: 1 },
            Run { new: 0, old: 50, len: 1 },
        ] {
            let mut writer = Writer::new();
            code(&mut writer, &[run], 1000, 1000).unwrap();
            assert!(code(&mut Reader::new(&writer.finish()), &[], 50, 100).is_err(), "{run:?}");
        }
    }
}
