//! Points in time as numbers: the clock itself belongs to the binaries.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, on the clock of whoever wrote it.
///
/// A source's time is compared with a source's time only, a target's with a target's.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl From<SystemTime> for Timestamp {
    /// A time before 1970 is taken for its beginning.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Timestamp {
    /// Later than every other.
    pub const MAX: Self = Self(i64::MAX);

    /// The point that lies `duration` after this one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The point that lies `duration` before this one.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this point lies. Zero where it lies before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 (`2026-11-22T10:00:00Z`, any offset) as listings give it.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let usual = utc_millis(text.as_bytes()).map(Self);
        usual.or_else(|| {
            text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_millisecond()))
        })
    }
}

/// Reads the one spelling that listings use, `2026-11-22T10:00:00Z` or with three more digits, in a
/// tenth of the time of a general parser: a listing has a date for each key. Any other is `None`.
fn utc_millis(text: &[u8]) -> Option<i64> {
    let number = |digits: std::ops::Range<usize>| {
        text[digits].iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let millis = match text.len() {
        20 => 0,
        24 if text[19] == b'.' => number(20..23)?,
        _ => return None,
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (text.len() - 1, b'Z')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years are counted from March, so that a leap day is a year's last (Howard Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + day_of_year
        - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + millis)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Gives the time: handed down by `main`, which alone reads the clock.
pub type Clock = std::sync::Arc<dyn Fn() -> Timestamp + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_general(text: &str) -> Option<i64> {
        text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    }

    proptest! {
        #[test]
        fn the_usual_spelling_is_read_as_any_other_parser_reads_it(
            year in 0_u32..=9_998,
            month in 0_u32..=13,
            day in 0_u32..=32,
            (hour, minute, second) in (0_u32..=24, 0_u32..=60, 0_u32..=59),
            millis in prop::option::of(0_u32..=999),
        ) {
            let millis = millis.map_or(String::new(), |millis| format!(".{millis:03}"));
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{millis}Z");
            prop_assert_eq!(utc_millis(text.as_bytes()), in_general(&text), "{}", text);
        }
    }

    #[test]
    fn leap_days_and_the_ends_of_years_are_read_by_hand_as_in_general() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "2000-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2024-02-29T12:00:00Z",
            "2024-03-01T00:00:00Z",
            "2026-12-31T23:59:59Z",
        ] {
            assert_eq!(utc_millis(text.as_bytes()), in_general(text), "{text}");
        }
        for other in ["2026-11-22T10:00:00+08", "2026-11-22 10:00:00Z", "2026-11-22T10:00:0xZ", ""]
        {
            assert_eq!(utc_millis(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn times_are_read_and_written_as_rfc_3339() {
        let time = Timestamp::from_rfc3339("2026-11-22T10:00:00.5+08:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T02:00:00.500Z");
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
    }
}
