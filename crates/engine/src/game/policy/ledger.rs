//! How many bytes were passed on in which month.
//!
//! Months are counted apart, so a clock that is set forth and back loses nothing. Whoever keeps the ledger writes it down.

use chrono::{Datelike, NaiveDateTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Months that are kept.
const MONTHS_MAX: usize = 12;

/// Bytes passed on over the internet, by calendar month.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// By year and month, as `2026-06`.
    months: BTreeMap<String, u64>,
}

impl Ledger {
    /// Counts bytes in the month of `now`.
    pub fn add(&mut self, now: NaiveDateTime, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let month = month(now);
        let used = self.months.entry(month.clone()).or_default();
        *used = used.saturating_add(bytes);
        while self.months.len() > MONTHS_MAX {
            // The oldest goes, unless that is now: then a clock was ahead, and its month goes.
            let gone = match self.months.first_key_value() {
                Some((first, _)) if *first != month => self.months.pop_first(),
                _ => self.months.pop_last(),
            };
            if gone.is_none() {
                return;
            }
        }
    }

    /// Bytes passed on in the month of `now`.
    #[must_use]
    pub fn used(&self, now: NaiveDateTime) -> u64 {
        self.months.get(&month(now)).copied().unwrap_or(0)
    }
}

fn month(now: NaiveDateTime) -> String {
    format!("{:04}-{:02}", now.year(), now.month())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Months, NaiveDate};

    fn june() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 6, 30).and_then(|day| day.and_hms_opt(23, 59, 59)).expect("a date")
    }

    #[test]
    fn months_are_apart_and_a_clock_that_jumps_loses_none() {
        let mut ledger = Ledger::default();
        ledger.add(june(), 70);
        let july = june() + chrono::TimeDelta::seconds(1);
        assert_eq!((ledger.used(june()), ledger.used(july)), (70, 0));
        ledger.add(july, 5);
        ledger.add(june(), 30);
        assert_eq!((ledger.used(june()), ledger.used(july)), (100, 5));
        ledger.add(june(), u64::MAX);
        assert_eq!(ledger.used(june()), u64::MAX);
    }

    #[test]
    fn it_stays_small_and_keeps_the_month_that_counts() {
        let mut ledger = Ledger::default();
        for month in 0..40 {
            ledger.add(june() + Months::new(month), 1);
        }
        assert_eq!(ledger.months.len(), MONTHS_MAX);
        assert_eq!(ledger.used(june() + Months::new(39)), 1);
        // Back from years ahead: the month of now is kept, whatever stands there.
        ledger.add(june(), 9);
        assert_eq!((ledger.used(june()), ledger.months.len()), (9, MONTHS_MAX));
        let written = serde_json::to_string(&ledger).expect("plain");
        assert_eq!(serde_json::from_str::<Ledger>(&written).expect("plain"), ledger);
    }
}
