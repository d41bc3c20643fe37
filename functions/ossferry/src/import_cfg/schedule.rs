//! From `isIncremental` and its interval to a schedule: on each host in its own words.

use serde::Serialize;

use super::cfg::{Became, Cfg};

/// What `job.cfg` is shipped with: a day.
const INTERVAL_SECONDS: u64 = 86_400;

/// The least that ossimport takes.
const INTERVAL_SECONDS_MIN: u64 = 900;

/// More is no interval, and the hosts take none.
const INTERVAL_SECONDS_MAX: u64 = 365 * 86_400;

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// When incremental passes begin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Schedule {
    /// Between two beginnings.
    pub(super) minutes: u64,
    /// `PassSchedule` of `template.yaml`.
    pub(super) aws: String,
    /// `PassSchedule` of `infra/aliyun`.
    pub(super) aliyun: String,
    /// The times of a crontab's line, where a crontab can say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<String>,
}

impl Schedule {
    fn every(minutes: u64) -> Self {
        let aws = if minutes.is_multiple_of(DAY) {
            rate(minutes / DAY, "day")
        } else if minutes.is_multiple_of(HOUR) {
            rate(minutes / HOUR, "hour")
        } else {
            rate(minutes, "minute")
        };
        let aliyun = if minutes.is_multiple_of(HOUR) {
            format!("@every {}h", minutes / HOUR)
        } else {
            format!("@every {minutes}m")
        };
        // A step of a crontab begins anew with each hour and each day.
        let cron = if minutes == DAY {
            Some("0 0 * * *".to_owned())
        } else if minutes == HOUR {
            Some("0 * * * *".to_owned())
        } else if minutes < HOUR && HOUR.is_multiple_of(minutes) {
            Some(format!("*/{minutes} * * * *"))
        } else if minutes < DAY && minutes.is_multiple_of(HOUR) && DAY.is_multiple_of(minutes) {
            Some(format!("0 */{} * * *", minutes / HOUR))
        } else {
            None
        };
        Self { minutes, aws, aliyun, cron }
    }

    /// What to run on one machine: the first pass is full, the next ones incremental.
    pub(super) fn on_one_machine(&self, job_file: &str) -> String {
        let run = format!("ossferry run --job {job_file}");
        match &self.cron {
            Some(times) => format!("{times} {run}"),
            None => format!("while :; do {run}; sleep {}; done", self.minutes * 60),
        }
    }
}

fn rate(count: u64, unit: &str) -> String {
    format!("rate({count} {unit}{})", if count == 1 { "" } else { "s" })
}

/// The schedule of an incremental job.
pub(super) fn read(cfg: &mut Cfg) -> Option<Schedule> {
    if cfg.flag("isIncremental") != Some(true) {
        let note = "one pass: ossferry run; called again, it takes what has changed";
        cfg.became("isIncremental", Became::Mapped, note);
        let note = "counts only where isIncremental=true";
        cfg.became("incrementalModeInterval", Became::NotNeeded, note);
        return None;
    }
    let seconds = cfg.whole("incrementalModeInterval").unwrap_or(INTERVAL_SECONDS);
    let taken = seconds.clamp(INTERVAL_SECONDS_MIN, INTERVAL_SECONDS_MAX).div_ceil(60);
    let note = "a schedule of incremental passes; each ends, and says what it did";
    cfg.became("isIncremental", Became::Mapped, note);
    let note = if taken * 60 == seconds {
        format!("every {taken} minutes")
    } else {
        format!("every {taken} minutes: whole ones, 15 at least, a year at most")
    };
    cfg.became("incrementalModeInterval", Became::Mapped, note);
    Some(Schedule::every(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_spelled_as_each_host_has_it() {
        for (minutes, aws, aliyun, machine) in [
            (15, "rate(15 minutes)", "@every 15m", "*/15 * * * * ossferry run --job j"),
            (60, "rate(1 hour)", "@every 1h", "0 * * * * ossferry run --job j"),
            (360, "rate(6 hours)", "@every 6h", "0 */6 * * * ossferry run --job j"),
            (1_440, "rate(1 day)", "@every 24h", "0 0 * * * ossferry run --job j"),
            (
                2_880,
                "rate(2 days)",
                "@every 48h",
                "while :; do ossferry run --job j; sleep 172800; done",
            ),
            (
                50,
                "rate(50 minutes)",
                "@every 50m",
                "while :; do ossferry run --job j; sleep 3000; done",
            ),
        ] {
            let schedule = Schedule::every(minutes);
            assert_eq!((schedule.aws.as_str(), schedule.aliyun.as_str()), (aws, aliyun));
            assert_eq!(schedule.on_one_machine("j"), machine);
        }
    }
}
