//! How far a pass is, on standard error: a bar on a terminal, plain lines elsewhere.

mod rate;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use ossferry_core::outcome::Outcome;
use ossferry_ledger::PassStatus;
use tokio::time::Instant;

use self::rate::Rate;
pub(crate) use self::traffic::{Traffic, watched};

/// Without a terminal a line is written this often.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The bar's width. What matters of the message stands in the 67 columns that are left of 80.
const STYLE: &str = "{bar:12.cyan/blue} {wide_msg}";

/// The bar's places: enough for a percentage.
const BAR_PLACES: u64 = 1_000;

/// What is shown.
#[derive(Clone, PartialEq, Debug)]
struct Shown {
    listed: u64,
    is_listing: bool,
    objects: u64,
    objects_planned: u64,
    bytes: u64,
    bytes_planned: u64,
    bytes_per_second: u64,
    left: Option<Duration>,
    failed: u64,
}

/// Shows how far a pass is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    title: String,
    traffic: Arc<Traffic>,
    /// Of the ledger when this process began: what it adds is counted as it happens.
    base: Option<(u64, u64)>,
    objects: Rate,
    bytes: Rate,
    line_at: Option<Instant>,
}

impl Progress {
    /// Shows nothing yet. `title` names the pass.
    pub(crate) fn new(title: String, is_terminal: bool, traffic: Arc<Traffic>) -> Self {
        let bar = is_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(BAR_PLACES),
                ProgressDrawTarget::stderr_with_hz(4),
            );
            let style = ProgressStyle::with_template(STYLE).expect("the template is a literal");
            bar.set_style(style.progress_chars("━╸─"));
            bar
        });
        let (objects, bytes) = (Rate::default(), Rate::default());
        Self { bar, title, traffic, base: None, objects, bytes, line_at: None }
    }

    /// Shows how the pass stands.
    pub(crate) fn show(&mut self, status: &PassStatus) {
        let now = Instant::now();
        let shown = self.look(status, now);
        match &self.bar {
            Some(bar) => {
                bar.set_position(places(&shown));
                bar.set_message(text(&shown));
            }
            None => {
                if self.line_at.is_none_or(|at| now.duration_since(at) >= LINE_INTERVAL) {
                    // The first line would say nothing.
                    if self.line_at.is_some() {
                        eprintln!("{}: {}", self.title, text(&shown));
                    }
                    self.line_at = Some(now);
                }
            }
        }
    }

    /// Writes a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn look(&mut self, status: &PassStatus, now: Instant) -> Shown {
        let (walked, sum) = (&status.totals.walked, &status.totals.sum);
        let (sent_objects, sent_bytes) = self.traffic.so_far();
        let (base_objects, base_bytes) = *self.base.get_or_insert((
            sum.objects().saturating_sub(sent_objects),
            sum.bytes_copied.saturating_sub(sent_bytes),
        ));
        // A row counts when its task ends; what this process sends shows at once.
        let objects = (base_objects + sent_objects).max(sum.objects()).min(walked.planned);
        let bytes = (base_bytes + sent_bytes).max(sum.bytes_copied).min(walked.planned_bytes);
        self.objects.add(now, objects);
        self.bytes.add(now, bytes);
        let is_listing = status.slices_unwalked > 0;
        let left = self
            .objects
            .time_for(walked.planned - objects)
            .zip(self.bytes.time_for(walked.planned_bytes - bytes))
            .map(|(by_objects, by_bytes)| by_objects.max(by_bytes))
            .filter(|_| !is_listing);
        Shown {
            listed: walked.listed,
            is_listing,
            objects,
            objects_planned: walked.planned,
            bytes,
            bytes_planned: walked.planned_bytes,
            bytes_per_second: self.bytes.per_second(),
            left,
            failed: sum.of(Outcome::Failed),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn places(shown: &Shown) -> u64 {
    let share = |done: u64, all: u64| {
        let places = u128::from(done) * u128::from(BAR_PLACES) / u128::from(all.max(1));
        u64::try_from(places).unwrap_or(BAR_PLACES)
    };
    let objects = share(shown.objects, shown.objects_planned);
    if shown.bytes_planned == 0 {
        return objects;
    }
    u64::midpoint(objects, share(shown.bytes, shown.bytes_planned))
}

/// What a narrow terminal cuts off stands last.
fn text(shown: &Shown) -> String {
    let left = match shown.left {
        _ if shown.is_listing => format!("listing: {} so far  ", HumanCount(shown.listed)),
        Some(left) => format!("{} left  ", clock_face(left)),
        None => String::new(),
    };
    let failed = match shown.failed {
        0 => String::new(),
        failed => format!("{} FAILED  ", HumanCount(failed)),
    };
    format!(
        "{left}{}/s  {failed}{}/{} objects  {}/{}",
        HumanBytes(shown.bytes_per_second),
        HumanCount(shown.objects),
        HumanCount(shown.objects_planned),
        HumanBytes(shown.bytes),
        HumanBytes(shown.bytes_planned),
    )
}

/// `0:07`, `12:34`, `5:00:00`.
fn clock_face(duration: Duration) -> String {
    let whole = duration.as_secs();
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            listed: 20_000,
            is_listing: false,
            objects: 1_234,
            objects_planned: 5_000,
            bytes: 3 << 20,
            bytes_planned: 12 << 20,
            bytes_per_second: 2 << 20,
            left: Some(Duration::from_secs(67)),
            failed: 0,
        }
    }

    #[test]
    fn people_see_objects_bytes_rate_time_left_and_failures() {
        assert_eq!(
            text(&shown()),
            "1:07 left  2.00 MiB/s  1,234/5,000 objects  3.00 MiB/12.00 MiB"
        );
        let listing = Shown { is_listing: true, left: None, failed: 3, ..shown() };
        assert_eq!(
            text(&listing),
            "listing: 20,000 so far  2.00 MiB/s  3 FAILED  1,234/5,000 objects  3.00 MiB/12.00 MiB"
        );
        assert_eq!(clock_face(Duration::from_hours(5)), "5:00:00");
    }

    #[test]
    fn eighty_columns_show_time_left_rate_and_failures_of_a_huge_pass() {
        let huge = Shown {
            listed: 1_000_000_000,
            objects: 999_999_999,
            objects_planned: 1_000_000_000,
            bytes_per_second: 1_000 << 20,
            left: Some(Duration::from_hours(1_000)),
            failed: 1_000,
            ..shown()
        };
        for shown in [huge.clone(), Shown { is_listing: true, ..huge }] {
            let text = text(&shown);
            let seen = &text[..text.len().min(80 - 12 - 1)];
            assert!(seen.contains("/s") && seen.contains("FAILED"), "{seen}");
            assert!(seen.contains("left") || seen.contains("listing"), "{seen}");
        }
    }

    #[test]
    fn the_bar_is_full_only_when_objects_and_bytes_are() {
        assert_eq!(places(&shown()), u64::midpoint(246, 250));
        let done = Shown { objects: 5_000, bytes: 12 << 20, ..shown() };
        assert_eq!(places(&done), BAR_PLACES);
        let empty =
            Shown { bytes: 0, bytes_planned: 0, objects: 5, objects_planned: 10, ..shown() };
        assert_eq!(places(&empty), 500);
        let huge = Shown { bytes: u64::MAX / 2, bytes_planned: u64::MAX, objects: 0, ..shown() };
        assert_eq!(places(&huge), 249);
    }
}
