//! What was forecast beside what a pass did: reads what `estimate --json` printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ossferry_core::report::{Report, grouped};
use serde::Deserialize;

use super::text::duration;
use crate::amount;

/// The part of an estimate that a pass can be held against.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Forecast {
    work: ForecastWork,
    fleet: ForecastFleet,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct ForecastWork {
    objects: u64,
    bytes: u64,
    tasks: u64,
    source_requests: BTreeMap<String, u64>,
    target_requests: BTreeMap<String, u64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct ForecastFleet {
    functions: u64,
    finish: ForecastFinish,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct ForecastFinish {
    earliest: u64,
    expected: u64,
    latest: u64,
}

impl Forecast {
    /// A table: forecast and actual, row by row. Objects that were found equal are no work of the pass.
    pub(crate) fn beside(&self, report: &Report) -> String {
        let Self { work, fleet } = self;
        let mut rows = vec![
            row("objects planned", work.objects, report.planned),
            (
                "bytes planned".to_owned(),
                amount::shown(work.bytes),
                amount::shown(report.bytes_planned),
            ),
            row("tasks", work.tasks, report.tasks),
        ];
        for (end, forecast, made) in [
            ("source", &work.source_requests, &report.requests.source),
            ("target", &work.target_requests, &report.requests.target),
        ] {
            let operations: BTreeSet<_> = forecast.keys().chain(made.keys()).collect();
            for operation in operations {
                let of =
                    |counts: &BTreeMap<String, u64>| counts.get(operation).copied().unwrap_or(0);
                let (forecast, made) = (of(forecast), of(made));
                if forecast + made > 0 {
                    rows.push(row(&format!("{end} {operation}"), forecast, made));
                }
            }
        }
        let finish = &fleet.finish;
        rows.push(("time".to_owned(), duration(finish.expected), duration(whole(report.seconds))));
        let mut text = format!("{:<32}{:>18}{:>18}\n", "", "forecast", "actual");
        for (name, forecast, actual) in rows {
            writeln!(text, "  {name:<30}{forecast:>18}{actual:>18}")
                .expect("a text takes any text");
        }
        let (earliest, latest) = (duration(finish.earliest), duration(finish.latest));
        let functions = grouped(fleet.functions);
        writeln!(text, "  the time was forecast for {functions} functions, {earliest} to {latest}")
            .expect("a text takes any text");
        text
    }
}

fn row(name: &str, forecast: u64, actual: u64) -> (String, String, String) {
    (name.to_owned(), grouped(forecast), grouped(actual))
}

fn whole(seconds: f64) -> u64 {
    std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e12)).as_secs()
}

#[cfg(test)]
mod tests {
    use ossferry_core::meter::Requests;
    use ossferry_core::report::{PassFacts, ReportState};
    use ossferry_core::sums::{Sum, Walked};

    use super::*;

    #[test]
    fn forecast_and_actual_stand_side_by_side() {
        let forecast: Forecast = serde_json::from_str(
            r#"{"seconds": 604800, "work": {"objects": 1000, "bytes": 5000000, "tasks": 2,
                "source_requests": {"GetObject": 1000, "HeadObject": 0}, "target_requests": {}},
                "fleet": {"functions": 3, "finish": {"earliest": 60, "expected": 130, "latest": 9000}}}"#,
        )
        .unwrap();
        let facts = PassFacts {
            pass: "p".to_owned(),
            kind: "full".to_owned(),
            state: ReportState::Finished,
            reason: None,
            serial: false,
            source_is_s3: false,
            restoring: 0,
            slices: 1,
            tasks: 3,
            seconds: 90.7,
        };
        let walked = Walked { planned: 999, planned_bytes: 4_900_000, ..Walked::default() };
        let requests = Requests {
            source: [("GetObject".to_owned(), 1_001)].into(),
            target: [("PutObject".to_owned(), 999)].into(),
            ..Requests::default()
        };
        let sum = Sum { requests, ..Sum::default() };
        let text = forecast.beside(&Report::new(facts, &walked, &sum));
        let fields = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = text.lines().map(fields).collect();
        let want = [
            "forecast actual",
            "objects planned 1,000 999",
            "bytes planned 5.0 MB 4.9 MB",
            "tasks 2 3",
            "source GetObject 1,000 1,001",
            "target PutObject 0 999",
            "time 2.1 minutes 90 s",
            "the time was forecast for 3 functions, 60 s to 2.5 hours",
        ];
        assert_eq!(lines, want, "{text}");
    }
}
