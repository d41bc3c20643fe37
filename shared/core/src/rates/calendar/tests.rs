use jiff::Timestamp as Instant;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_rfc3339(text).unwrap()
}

fn bytes(bytes_per_second: u64) -> Rates {
    Rates { bytes_per_second: Some(bytes_per_second), ..Rates::default() }
}

fn window(days: &[Day], from: u16, to: u16) -> Window {
    Window {
        days: days.to_vec(),
        from_minute: from,
        to_minute: to,
        closed: false,
        source: Rates::default(),
        target: Rates::default(),
    }
}

fn closed(days: &[Day], from: u16, to: u16) -> Window {
    Window { closed: true, ..window(days, from, to) }
}

fn calendar(zone: &str, windows: Vec<Window>) -> Calendar {
    let time_zone = TimeZone::named(zone);
    assert!(time_zone.is_some(), "{zone}");
    Calendar { source: Rates::default(), target: bytes(100), time_zone, windows }
}

/// When it is closed, from `from` on: so many changes.
fn closings(calendar: &Calendar, from: &str, count: usize) -> Vec<(bool, String)> {
    let mut now = at(from);
    let mut found = Vec::new();
    for _ in 0..count {
        let held = calendar.in_force(now);
        let until = held.until.unwrap();
        found.push((held.closed, until.to_string()[..16].to_owned()));
        now = until;
    }
    found
}

#[test]
fn working_hours_are_those_of_the_users_zone() {
    let mut hours = window(&Day::ALL[..5], 8 * 60, 20 * 60);
    hours.target = bytes(20);
    let calendar = calendar("Asia/Shanghai", vec![hours]);
    // A Friday in Shanghai, and a Saturday.
    for (now, rate, until) in [
        ("2026-11-27T07:59:59.999+08:00", 100, "2026-11-27T08:00:00+08:00"),
        ("2026-11-27T08:00:00+08:00", 20, "2026-11-27T20:00:00+08:00"),
        ("2026-11-27T20:00:00+08:00", 100, "2026-11-30T08:00:00+08:00"),
        ("2026-11-28T12:00:00+08:00", 100, "2026-11-30T08:00:00+08:00"),
    ] {
        let held = calendar.in_force(at(now));
        assert_eq!((held.target, held.until), (bytes(rate), Some(at(until))), "{now}");
        assert_eq!(held.source, Rates::default());
    }
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let calendar = calendar("Asia/Shanghai", vec![closed(&[Day::Fri], 22 * 60, 6 * 60)]);
    let found = closings(&calendar, "2026-11-27T12:00:00+08:00", 3);
    let want =
        [(false, "2026-11-27T14:00"), (true, "2026-11-27T22:00"), (false, "2026-12-04T14:00")];
    assert_eq!(found, want.map(|(closed, until)| (closed, until.to_owned())));
    // From one time to the same: a day.
    let whole = Calendar { windows: vec![closed(&[Day::Sun], 480, 480)], ..calendar };
    let found = closings(&whole, "2026-11-28T12:00:00+08:00", 2);
    assert_eq!(found[1], (true, "2026-11-30T00:00".to_owned()));
}

#[test]
fn what_lies_in_the_gap_of_a_spring_night_does_not_come_and_an_autumn_hour_comes_twice() {
    // Berlin: from 01:00Z on 2027-03-28 two hours ahead, from 01:00Z on 2027-10-31 one.
    let calendar = calendar("Europe/Berlin", vec![closed(&Day::ALL, 130, 170)]);
    let spring = closings(&calendar, "2027-03-27T12:00:00Z", 2);
    assert_eq!(spring[0], (false, "2027-03-29T00:10".to_owned()), "02:10 of the 28th is no time");
    let autumn = closings(&calendar, "2027-10-30T12:00:00Z", 4);
    let want = [
        (false, "2027-10-31T00:10"),
        (true, "2027-10-31T00:50"),
        (false, "2027-10-31T01:10"),
        (true, "2027-10-31T01:50"),
    ];
    assert_eq!(autumn, want.map(|(closed, until)| (closed, until.to_owned())));
}

#[test]
fn a_window_that_spans_a_gap_is_shorter_by_it() {
    let calendar = calendar("Europe/Berlin", vec![closed(&Day::ALL, 60, 240)]);
    let spring = closings(&calendar, "2027-03-27T12:00:00Z", 2);
    let want = [(false, "2027-03-28T00:00"), (true, "2027-03-28T02:00")];
    assert_eq!(spring, want.map(|(closed, until)| (closed, until.to_owned())));
}

#[test]
fn where_windows_overlap_the_lower_rate_holds_in_whatever_order_they_are_written() {
    let (mut one, mut other) = (window(&Day::ALL, 0, 720), window(&Day::ALL, 360, 1_440));
    one.target = bytes(300);
    other.target = bytes(200);
    other.source = bytes(7);
    for windows in [vec![one.clone(), other.clone()], vec![other.clone(), one.clone()]] {
        let calendar = calendar("UTC", windows);
        for (hour, source, target) in [(1, None, 300), (7, Some(7), 200), (13, Some(7), 200)] {
            let held = calendar.in_force(at(&format!("2026-11-27T{hour:02}:00:00Z")));
            assert_eq!(held.source.bytes_per_second, source, "{hour}");
            assert_eq!(held.target, bytes(target), "{hour}: a window may also raise a rate");
        }
    }
}

#[test]
fn without_windows_nothing_ever_changes() {
    let held = calendar("Europe/Berlin", Vec::new()).in_force(at("2026-11-27T00:00:00Z"));
    assert_eq!((held.target, held.until), (bytes(100), None));
    let always = calendar("Europe/Berlin", vec![closed(&Day::ALL, 0, 1_440)]);
    let held = always.in_force(at("2026-11-27T00:00:00Z"));
    assert_eq!((held.closed, held.until), (true, None));
    assert_eq!(Calendar::default().in_force(at("2026-11-27T00:00:00Z")), InForce::NOTHING);
}

fn windows() -> impl Strategy<Value = Vec<Window>> {
    let days = prop::collection::vec(prop::sample::select(Day::ALL.to_vec()), 1..4);
    // Times on the quarter, so that some coincide.
    let one = (days, 0_u16..96, 0_u16..=96, any::<bool>(), 1_u64..4).prop_map(
        |(days, from, to, closed, rate)| Window {
            closed,
            target: bytes(rate),
            ..window(&days, from * 15, to * 15)
        },
    );
    prop::collection::vec(one, 0..4)
}

/// By the zone's own database.
fn expected(calendar: &Calendar, zone: &str, second: i64) -> (bool, Option<u64>) {
    let local = Instant::from_second(second).unwrap().in_tz(zone).unwrap();
    let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
    let today = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
    let (today, yesterday) = (Day::ALL[today], Day::ALL[(today + 6) % 7]);
    let holds = |window: &&Window| {
        let (from, to) = (window.from_minute, window.to_minute);
        let over_midnight = to <= from;
        let begun = window.days.contains(&today) && minute >= from;
        let rest = window.days.contains(&yesterday) && over_midnight && minute < to;
        (begun && (over_midnight || minute < to)) || rest
    };
    let held: Vec<&Window> = calendar.windows.iter().filter(holds).collect();
    let lowest = held.iter().filter_map(|window| window.target.bytes_per_second).min();
    (held.iter().any(|window| window.closed), lowest.or(Some(100)))
}

proptest! {
    #[test]
    fn what_is_in_force_is_what_the_wall_clock_says_and_holds_until_it_is_said_to_change(
        windows in windows(),
        zone in prop::sample::select(vec![
            "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
            "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham",
        ]),
        minutes in 0_i64..15 * 365 * 24 * 60,
    ) {
        let calendar = calendar(zone, windows);
        let second = 1_767_312_000 + minutes * 60;
        let held = calendar.in_force(Timestamp(second * 1_000));
        let said = (held.closed, held.target.bytes_per_second);
        prop_assert_eq!(said, expected(&calendar, zone, second));
        let until = held.until.map_or(second + 9 * SECONDS_A_DAY, |until| until.0 / 1_000);
        prop_assert!(until > second);
        // Each boundary is on a quarter in every one of these zones.
        let mut quarter = second - second.rem_euclid(900) + 900;
        while quarter < until {
            prop_assert_eq!(expected(&calendar, zone, quarter), said, "{} of {}", quarter, until);
            quarter += 900;
        }
        if held.until.is_some() {
            prop_assert_ne!(expected(&calendar, zone, until), said);
        }
    }
}
