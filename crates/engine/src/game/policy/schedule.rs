//! Hours of the week with rules of their own.

use crate::snapshot::Limits;
use chrono::{Datelike, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// Hours of some days of the week with rules of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct Window {
    /// On which days it opens, Monday first.
    pub days: [bool; 7],
    /// When it opens, minutes after midnight on the clock on the wall.
    pub from_minute: u16,
    /// When it closes; not later than it opens means on the next day, the same minute a whole day.
    pub to_minute: u16,
    /// Caps meanwhile, instead of the usual ones.
    pub limits: Limits,
    /// Whether anything is passed on meanwhile.
    pub sharing: bool,
    /// Whether downloads wait until it closes.
    #[serde(default)]
    pub no_downloads: bool,
}

impl Window {
    /// Whether its hours are hours and it opens at all.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.from_minute < DAY_MINUTES && self.to_minute < DAY_MINUTES && self.days.contains(&true)
    }

    /// Whether it is open at this time. One that spans midnight belongs to the day on which it opens.
    #[must_use]
    pub fn is_open(&self, now: NaiveDateTime) -> bool {
        let minute = u16::try_from(now.hour() * 60 + now.minute()).unwrap_or(0);
        let today = now.weekday().num_days_from_monday() as usize;
        let yesterday = (today + 6) % 7;
        if self.from_minute < self.to_minute {
            return self.days[today] && (self.from_minute..self.to_minute).contains(&minute);
        }
        (self.days[today] && minute >= self.from_minute) || (self.days[yesterday] && minute < self.to_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, TimeDelta};

    /// Minutes after the start of a Monday.
    fn at(minutes: i64) -> NaiveDateTime {
        let monday = NaiveDate::from_ymd_opt(2026, 6, 1).expect("a date");
        monday.and_hms_opt(0, 0, 0).expect("a time") + TimeDelta::minutes(minutes)
    }

    fn window(days: &[usize], from_minute: u16, to_minute: u16) -> Window {
        let mut window = Window { from_minute, to_minute, ..Window::default() };
        days.iter().for_each(|day| window.days[*day] = true);
        window
    }

    /// How many minutes of a week it is open, and the first of them.
    fn open(window: &Window) -> (usize, Option<i64>) {
        let minutes: Vec<i64> = (0..7 * 24 * 60).filter(|minute| window.is_open(at(*minute))).collect();
        (minutes.len(), minutes.first().copied())
    }

    #[test]
    fn hours_of_a_day_over_midnight_and_the_whole_day() {
        let day = 24 * 60;
        assert_eq!(open(&window(&[0], 600, 660)), (60, Some(600)));
        assert_eq!(open(&window(&[1, 5], 600, 660)), (120, Some(day + 600)));
        // Saturday evening runs into Sunday, Sunday evening into Monday.
        let nights = window(&[5, 6], 23 * 60, 6 * 60);
        assert_eq!(open(&nights), (2 * 7 * 60, Some(0)));
        assert!(nights.is_open(at(5 * 60)) && !nights.is_open(at(day + 5 * 60)));
        assert_eq!(open(&window(&[2], 480, 480)), (24 * 60, Some(2 * day + 480)));
        assert_eq!(open(&window(&[], 0, 0)), (0, None));
        assert_eq!(open(&window(&[0, 1, 2, 3, 4, 5, 6], 0, 0)), (7 * 24 * 60, Some(0)));
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        assert!(window(&[0], 0, 1439).is_valid());
        assert!(!window(&[0], 1440, 0).is_valid() && !window(&[0], 0, 1440).is_valid());
        assert!(!window(&[], 0, 60).is_valid());
    }
}
