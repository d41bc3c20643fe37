//! Reads the rates of `[limits]`: of both ends, of one, and by the hour.

use super::Limits;
use super::mistakes::Mistakes;
use super::section::Section;
use crate::rates::{Day, Rates, TimeZone, Window};

const MIDNIGHT: u16 = 24 * 60;

/// Reads what belongs to rates in `[limits]`.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    limits: &mut Limits,
    mistakes: &mut Mistakes<'_>,
) {
    let each = rates(section, mistakes);
    limits.bytes_per_second = each.bytes_per_second;
    limits.requests_per_second = each.requests_per_second;
    limits.source = end(section, "source", mistakes);
    limits.target = end(section, "target", mistakes);
    if let Some(name) = section.text("time_zone", mistakes) {
        limits.time_zone = TimeZone::named(&name.value);
        if limits.time_zone.is_none() {
            let remedy = "write an IANA name, as in time_zone = \"Asia/Shanghai\"";
            mistakes.add(name.at, section.full("time_zone"), "is no zone known here", remedy);
        }
    }
    let windows = section.sections("window", mistakes);
    if !windows.is_empty() && !section.holds("time_zone") {
        let remedy = "write below [limits] by whose clock windows are told: time_zone = \
                      \"Asia/Shanghai\" (IANA)";
        mistakes.add(section.at(), section.full("time_zone"), "is required", remedy);
    }
    limits.windows = windows.into_iter().filter_map(|section| window(section, mistakes)).collect();
}

fn rates(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Rates {
    let mut rate = |name| section.whole(name, 1, u64::MAX, mistakes).map(|found| found.value);
    Rates {
        bytes_per_second: rate("bytes_per_second"),
        requests_per_second: rate("requests_per_second"),
    }
}

fn end(section: &mut Section<'_, '_>, name: &'static str, mistakes: &mut Mistakes<'_>) -> Rates {
    let mut below = section.section(name, mistakes);
    let rates = rates(&mut below, mistakes);
    below.finish(&[], mistakes);
    rates
}

fn window(mut section: Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Window> {
    let days = days(&mut section, mistakes);
    let from_minute = minute(&mut section, "from", 0, mistakes);
    let to_minute = minute(&mut section, "to", MIDNIGHT, mistakes);
    let closed = section.flag("closed", mistakes).unwrap_or(false);
    let each = rates(&mut section, mistakes);
    let source = end(&mut section, "source", mistakes).or(each);
    let target = end(&mut section, "target", mistakes).or(each);
    let names_rates = !(source.is_unlimited() && target.is_unlimited());
    if closed == names_rates {
        let (problem, remedy) = if closed {
            ("names rates, and is closed", "remove the rates, or closed")
        } else {
            ("changes nothing", "write bytes_per_second, requests_per_second or closed = true")
        };
        mistakes.add(section.at(), section.full("closed"), problem, remedy);
    }
    section.finish(&[], mistakes);
    let (from_minute, to_minute) = (from_minute?, to_minute?);
    Some(Window { days: days?, from_minute, to_minute, closed, source, target })
}

/// Every day where none is named.
fn days(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Vec<Day>> {
    let named = section.texts("days", mistakes);
    let unknown = named.iter().find(|name| Day::ALL.iter().all(|day| day.as_str() != name.value));
    if let Some(name) = unknown {
        let words = Day::ALL.map(|day| format!("\"{}\"", day.as_str())).join(", ");
        let remedy = format!("write some of {words}");
        mistakes.add(name.at, section.full("days"), "is no day", remedy);
        return None;
    }
    let is_named = |day: &Day| named.iter().any(|name| name.value == day.as_str());
    // In the order of the week: the same days are the same definition.
    Some(Day::ALL.into_iter().filter(|day| named.is_empty() || is_named(day)).collect())
}

fn minute(
    section: &mut Section<'_, '_>,
    name: &'static str,
    absent: u16,
    mistakes: &mut Mistakes<'_>,
) -> Option<u16> {
    if !section.holds(name) {
        return Some(absent);
    }
    let text = section.text(name, mistakes)?;
    let minute = clock_minute(&text.value).filter(|minute| *minute <= absent.max(MIDNIGHT - 1));
    if minute.is_none() {
        let remedy = format!("write hours and minutes, as in {name} = \"08:00\"");
        mistakes.add(text.at, section.full(name), "is no time of a day", remedy);
    }
    minute
}

/// Minutes after midnight, from `00:00` to `24:00`.
fn clock_minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= MIDNIGHT).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    fn job(limits: &str) -> Result<Job, String> {
        let text = Job::template().replace("[limits]", &format!("[limits]\n{limits}\n"));
        // What stands below [limits] in the template is commented out.
        Job::parse(&text).map_err(|errors| errors.to_string())
    }

    fn rates(bytes: Option<u64>, requests: Option<u64>) -> Rates {
        Rates { bytes_per_second: bytes, requests_per_second: requests }
    }

    #[test]
    fn rates_of_one_end_come_before_those_of_both() {
        let job = job("bytes_per_second = 5\nrequests_per_second = 6\nsource.bytes_per_second = 7");
        let calendar = job.unwrap().limits.calendar();
        assert_eq!(calendar.source, rates(Some(7), Some(6)));
        assert_eq!(calendar.target, rates(Some(5), Some(6)));
    }

    #[test]
    fn windows_are_read_kept_and_no_part_of_the_scope() {
        let plain = job("").unwrap();
        for absent in ["\"windows\"", "time_zone", "\"source\":{}"] {
            assert!(!plain.to_json().contains(absent), "definitions stand as they were stored");
        }
        let job = job("time_zone = \"Asia/Shanghai\"\n\
             [[limits.window]]\ndays = [\"tue\", \"mon\"]\nfrom = \"08:00\"\nto = \"20:30\"\n\
             bytes_per_second = 9\nsource.requests_per_second = 3\n\
             [[limits.window]]\nfrom = \"23:00\"\nto = \"01:00\"\nclosed = true")
        .unwrap();
        let windows = &job.limits.windows;
        let working = Window {
            days: vec![Day::Mon, Day::Tue],
            from_minute: 480,
            to_minute: 1_230,
            closed: false,
            source: rates(Some(9), Some(3)),
            target: rates(Some(9), None),
        };
        assert_eq!(windows[0], working);
        assert!(windows[1].closed && windows[1].days == Day::ALL, "{windows:?}");
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!(job.scope_hash(), plain.scope_hash());
        assert_ne!(job.definition_hash(), plain.definition_hash());
    }

    #[test]
    fn what_makes_no_window_is_refused_with_a_remedy() {
        let zone = "time_zone = \"Europe/Berlin\"\n[[limits.window]]\n";
        for (lines, named) in [
            ("time_zone = \"Mars/Olympus\"".to_owned(), "limits.time_zone: is no zone"),
            ("[[limits.window]]\nclosed = true".to_owned(), "limits.time_zone: is required"),
            (format!("{zone}from = \"8:00\"\nclosed = true"), "limits.window[0].from"),
            (format!("{zone}from = \"24:00\"\nclosed = true"), "limits.window[0].from"),
            (format!("{zone}to = \"24:01\"\nclosed = true"), "limits.window[0].to"),
            (format!("{zone}to = 8\nclosed = true"), "want text"),
            (format!("{zone}days = [\"monday\"]\nclosed = true"), "\"mon\""),
            (format!("{zone}from = \"08:00\""), "changes nothing"),
            (format!("{zone}closed = true\nbytes_per_second = 1"), "names rates, and is closed"),
            (format!("{zone}until = \"08:00\"\nclosed = true"), "is not a key known here"),
            ("window = 1".to_owned(), "want a list of tables"),
            ("source = 1".to_owned(), "want a table"),
            ("source.bytes_per_second = 0".to_owned(), "limits.source.bytes_per_second"),
        ] {
            let errors = job(&lines).unwrap_err();
            assert!(errors.contains(named), "{lines}: {errors}");
        }
        assert!(job(&format!("{zone}to = \"24:00\"\nclosed = true")).is_ok());
    }
}
