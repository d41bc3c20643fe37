//! The planner's runs as text.

use std::fmt::Write as _;

use super::Run;
use crate::mebibytes;

const HEAD: &str = "case             keys        keys/cpu-s  [least-most]         user   keys/s  \
                    peak MiB  lists/1,000 keys  heads  slices   tasks";

/// One run in one line.
pub(crate) fn line(run: &Run) -> String {
    format!(
        "{}: {} keys, cpu {:.2} s, wall {:.2} s, peak {:.1} MiB",
        run.case,
        run.keys,
        run.cpu_seconds,
        run.wall_seconds,
        mebibytes(run.peak_bytes)
    )
}

/// Medians of each case, in the order of the runs, and what the planner costs over listing alone.
pub(crate) fn table(runs: &[Run]) -> String {
    let mut cases: Vec<&str> = Vec::new();
    for run in runs {
        if !cases.contains(&run.case) {
            cases.push(run.case);
        }
    }
    let mut text = format!("{HEAD}\n");
    for case in &cases {
        text.push_str(&row(&of_case(runs, case)));
    }
    let cpu = |case| {
        let runs = of_case(runs, case);
        (!runs.is_empty()).then(|| median(&runs, |run| run.cpu_seconds))
    };
    if let (Some(planned), Some(alone)) = (cpu("many keys"), cpu("listing alone")) {
        writeln!(text, "planning costs {:.2} times listing alone", planned / alone)
            .expect("a String takes every write");
    }
    text
}

fn of_case<'a>(runs: &'a [Run], case: &str) -> Vec<&'a Run> {
    runs.iter().filter(|run| run.case == case).collect()
}

fn row(runs: &[&Run]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let keys = first.keys;
    let rate = |run: &Run| per(keys, run.cpu_seconds);
    let rates = runs.iter().map(|run| rate(run));
    let (least, most) =
        rates.fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(rate), most.max(rate)));
    // From the first LIST to the last: a process that plans also looks for a while whether more comes.
    let listed = |run: &Run| per(keys, run.asked.listing_seconds);
    let lists = |lists: u64| per(lists, thousands(keys));
    let asked = &first.asked;
    format!(
        "{:<14} {:>9} {:>11.0}  [{:.0}-{:.0}] {:>9.0} {:>9.0} {:>8.1}   {:.3} and {:.3} {:>7} {:>7} \
         {:>7}\n",
        first.case,
        keys,
        median(runs, rate),
        least,
        most,
        median(runs, |run| per(keys, run.user_seconds)),
        median(runs, listed),
        median(runs, |run| mebibytes(run.peak_bytes)),
        lists(asked.source_lists),
        lists(asked.target_lists),
        runs.iter().map(|run| run.asked.heads).max().unwrap_or(0),
        first.slices,
        first.tasks,
    )
}

/// The middle one; of an even number the lower.
fn median(runs: &[&Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(|run| of(run)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "figures of a table")]
fn per(count: u64, of: f64) -> f64 {
    count as f64 / of.max(f64::MIN_POSITIVE)
}

#[expect(clippy::cast_precision_loss, reason = "figures of a table")]
fn thousands(keys: u64) -> f64 {
    keys as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing_server::Asked;

    fn run(case: &'static str, cpu_seconds: f64) -> Run {
        Run {
            case,
            keys: 1_000_000,
            cpu_seconds,
            user_seconds: cpu_seconds / 2.0,
            wall_seconds: 9.0,
            peak_bytes: 20 << 20,
            slices: 3,
            tasks: 500,
            asked: Asked { source_lists: 1_003, target_lists: 500, ..Asked::default() },
        }
    }

    #[test]
    fn medians_stand_in_the_table_beside_the_limit_of_the_same_run() {
        let runs = [
            run("many keys", 4.0),
            run("listing alone", 1.0),
            run("many keys", 3.0),
            run("many keys", 9.0),
        ];
        let table = table(&runs);
        assert!(table.contains("many keys"), "{table}");
        assert!(table.contains("250000  [111111-333333]"), "{table}");
        assert!(table.contains("1.003 and 0.500"), "{table}");
        assert!(table.ends_with("planning costs 4.00 times listing alone\n"), "{table}");
    }
}
