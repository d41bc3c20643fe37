//! Whether the job's limits leave a copier enough to move an object in its time.

use ossferry_core::job::Job;

use super::findings::{Findings, Level};
use crate::amount::shown;

/// A line where bytes are limited.
pub(super) fn told(job: &Job, findings: &mut Findings) {
    if let Some(finding) = judge(job) {
        findings.note("limits", finding);
    }
}

/// The lowest rate of all hours decides: what does not get through over many invocations has failed.
fn judge(job: &Job) -> Option<(Level, String)> {
    let (limits, calendar) = (&job.limits, job.limits.calendar());
    let windows = calendar.windows.iter().flat_map(|window| [window.source, window.target]);
    let rates = [calendar.source, calendar.target].into_iter().chain(windows);
    let rate = rates.filter_map(|rates| rates.bytes_per_second).min()?;
    let largest = limits.split_bytes.max(limits.part_bytes);
    let seconds = u64::from(limits.task_seconds);
    let copiers = rate.saturating_mul(seconds) / largest;
    if copiers == 0 {
        let text = format!(
            "{} a second move less than one object of {} in {seconds} s, so that \
             such objects may fail: raise the rate or limits.task_seconds, or lower limits.split_bytes \
             and limits.part_bytes",
            shown(rate),
            shown(largest)
        );
        return Some((Level::Warn, text));
    }
    let text = format!(
        "{} a second feed {copiers} copiers at once, each with an object of {} in {seconds} s; with more, \
         large objects may fail",
        shown(rate),
        shown(largest)
    );
    Some((Level::Ok, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(limits: &str) -> Option<(Level, String)> {
        let text = Job::template().replace("[limits]", &format!("[limits]\n{limits}\n"));
        judge(&Job::parse(&text).unwrap_or_else(|errors| panic!("{errors}")))
    }

    #[test]
    fn a_rate_that_feeds_no_copier_is_warned_of_and_any_other_says_how_many_it_feeds() {
        assert_eq!(judged(""), None);
        assert_eq!(judged("requests_per_second = 1"), None);
        let (level, text) = judged("bytes_per_second = 1000000").unwrap();
        assert_eq!(level, Level::Warn);
        assert!(text.contains("one object of 67.1 MB in 60 s"), "{text}");
        let (level, text) =
            judged("bytes_per_second = 1000000\nsplit_bytes = 4194304\npart_bytes = 1048576")
                .unwrap();
        assert_eq!(level, Level::Ok);
        assert!(text.contains("feed 14 copiers at once"), "{text}");
    }

    #[test]
    fn the_lowest_rate_of_any_hour_and_end_decides() {
        let windows = "time_zone = \"Asia/Shanghai\"\n\
                       source = { bytes_per_second = 100000000 }\n\
                       target = { bytes_per_second = 50000000 }\n\
                       [[limits.window]]\nfrom = \"08:00\"\nto = \"20:00\"\n\
                       bytes_per_second = 20000000\n";
        let (_, text) = judged(windows).unwrap();
        assert!(text.starts_with("20.0 MB a second feed 17 copiers"), "{text}");
    }
}
