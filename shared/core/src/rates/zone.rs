//! Zones of time as the offsets they have, so that whoever reads a definition needs no database of zones.

use jiff::Timestamp as Instant;
use serde::{Deserialize, Serialize};

/// Offsets are written down from here, 2026-01-01T00:00:00Z, so that the same file is always the same
/// definition. Seconds since 1970.
const WRITTEN_FROM: i64 = 1_767_225_600;

/// To here, 2046-01-01T00:00:00Z. The last offset holds for ever.
const WRITTEN_UNTIL: i64 = 2_398_377_600;

/// A zone and its offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeZone {
    /// As IANA names it: `Asia/Shanghai`.
    pub name: String,
    /// From so many seconds after 1970 on, local time is so many seconds ahead of UTC. Never empty,
    /// ascending; the first holds before, too.
    pub(super) offsets: Vec<(i64, i32)>,
}

impl TimeZone {
    /// The zone of this name; `None` where there is none.
    pub fn named(name: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        let begin = Instant::from_second(WRITTEN_FROM).ok()?;
        let mut offsets = vec![(WRITTEN_FROM, zone.to_offset(begin).seconds())];
        for change in zone.following(begin) {
            let at = change.timestamp().as_second();
            if at >= WRITTEN_UNTIL {
                break;
            }
            let offset = change.offset().seconds();
            if offsets.last().is_none_or(|(_, last)| *last != offset) {
                offsets.push((at, offset));
            }
        }
        Some(Self { name: name.to_owned(), offsets })
    }

    /// The offset at this second, and the second from which another holds.
    pub(super) fn offset_at(&self, second: i64) -> (i64, Option<i64>) {
        let next = self.offsets.partition_point(|(from, _)| *from <= second).max(1);
        let offset = self.offsets.get(next - 1).map_or(0, |(_, offset)| i64::from(*offset));
        (offset, self.offsets.get(next).map(|(from, _)| *from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_iana_name_only() {
        assert_eq!(TimeZone::named("Asia/Shanghai").unwrap().offsets, [(WRITTEN_FROM, 28_800)]);
        for other in ["Asia/Nowhere", "", "+08:00", "CET-1CEST"] {
            assert_eq!(TimeZone::named(other), None, "{other}");
        }
    }

    #[test]
    fn offsets_are_those_of_the_database_until_they_end() {
        for name in
            ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe"]
        {
            let (ours, theirs) = (TimeZone::named(name).unwrap(), jiff::tz::TimeZone::get(name));
            let theirs = theirs.unwrap();
            for second in (WRITTEN_FROM..WRITTEN_UNTIL).step_by(39_119) {
                let want = theirs.to_offset(Instant::from_second(second).unwrap()).seconds();
                assert_eq!(ours.offset_at(second).0, i64::from(want), "{name} {second}");
            }
        }
    }
}
