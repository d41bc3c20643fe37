//! Which rates are in force when.
//!
//! A window is a span of the wall clock of its zone: it holds while that clock shows a time inside. So
//! where clocks are put forward what lies in the gap does not come, and where they are put back it comes
//! twice. Where windows overlap the lower of each rate holds, and nothing is copied if any is closed.

use serde::{Deserialize, Serialize};

use super::{InForce, Rates, TimeZone};
use crate::time::Timestamp;

const MINUTES_A_DAY: i64 = 24 * 60;
const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// So far a change is looked for: windows repeat each week, and no zone changes its offset so often that
/// none of the weeks in between is a whole one.
const LOOKED_AHEAD_DAYS: i64 = 22;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// In order.
    pub const ALL: [Self; 7] =
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// As the job file spells it.
    pub fn as_str(self) -> &'static str {
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][self as usize]
    }

    /// Of the day that begins so many days after 1970-01-01, a Thursday.
    fn of(day: i64) -> Self {
        let number = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        Self::ALL[number]
    }
}

/// A span of each week in which other rates are in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On which it begins.
    pub days: Vec<Day>,
    /// Minutes after midnight at which it begins.
    pub from_minute: u16,
    /// Minutes after midnight before which it ends: of the next day where that is not after
    /// `from_minute`. At most 1,440.
    pub to_minute: u16,
    /// Whether nothing new is copied in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// At the source; what it does not name is as outside.
    #[serde(default, skip_serializing_if = "Rates::is_unlimited")]
    pub source: Rates,
    /// At the target; what it does not name is as outside.
    #[serde(default, skip_serializing_if = "Rates::is_unlimited")]
    pub target: Rates,
}

impl Window {
    /// Whether it holds at this minute of this day.
    fn holds(&self, day: i64, minute: i64) -> bool {
        let begins = |day| self.days.contains(&Day::of(day));
        let (from, to) = (i64::from(self.from_minute), i64::from(self.to_minute));
        if from < to {
            return begins(day) && (from..to).contains(&minute);
        }
        (begins(day) && minute >= from) || (begins(day - 1) && minute < to)
    }
}

/// The rates of a job and its windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// At the source, outside every window.
    pub source: Rates,
    /// At the target, outside every window.
    pub target: Rates,
    /// Where windows are told by the clock; UTC where `None`.
    pub time_zone: Option<TimeZone>,
    /// In any order.
    pub windows: Vec<Window>,
}

impl Calendar {
    /// Whether it never caps or closes anything.
    pub fn is_empty(&self) -> bool {
        self.source.is_unlimited() && self.target.is_unlimited() && self.windows.is_empty()
    }

    /// What is in force at an instant, and when that changes.
    pub fn in_force(&self, now: Timestamp) -> InForce {
        let second = now.0.div_euclid(1_000);
        let held = self.held_at(second);
        let until = self.changes_after(second).into_iter().find(|at| self.held_at(*at) != held);
        InForce { until: until.map(|at| Timestamp(at.saturating_mul(1_000))), ..held }
    }

    fn offset_at(&self, second: i64) -> (i64, Option<i64>) {
        self.time_zone.as_ref().map_or((0, None), |zone| zone.offset_at(second))
    }

    fn held_at(&self, second: i64) -> InForce {
        let local = second.saturating_add(self.offset_at(second).0);
        let (day, minute) =
            (local.div_euclid(SECONDS_A_DAY), local.rem_euclid(SECONDS_A_DAY).div_euclid(60));
        let (mut source, mut target, mut closed) = (Rates::default(), Rates::default(), false);
        for window in self.windows.iter().filter(|window| window.holds(day, minute)) {
            source = source.lower(window.source);
            target = target.lower(window.target);
            closed |= window.closed;
        }
        let (source, target) = (source.or(self.source), target.or(self.target));
        InForce { source, target, closed, until: None }
    }

    /// Every second after this one, ascending, at which something may change.
    fn changes_after(&self, second: i64) -> Vec<i64> {
        let mut marks: Vec<i64> = Vec::new();
        for window in &self.windows {
            let ends = [window.from_minute, window.to_minute];
            marks.extend(ends.map(|minute| i64::from(minute) % MINUTES_A_DAY * 60));
        }
        marks.sort_unstable();
        marks.dedup();
        let (mut changes, mut from) = (Vec::new(), second);
        let last = second.saturating_add(LOOKED_AHEAD_DAYS * SECONDS_A_DAY);
        while !marks.is_empty() && from < last {
            let (offset, next) = self.offset_at(from);
            let end = next.unwrap_or(last).min(last);
            let first_day = from.saturating_add(offset).div_euclid(SECONDS_A_DAY);
            let last_day = end.saturating_add(offset).div_euclid(SECONDS_A_DAY);
            let days = (first_day..=last_day)
                .flat_map(|day| marks.iter().map(move |mark| day * SECONDS_A_DAY + mark - offset));
            changes.extend(days.filter(|at| (from + 1..end).contains(at)));
            changes.push(end);
            from = end;
        }
        changes
    }
}

#[cfg(test)]
mod tests;
