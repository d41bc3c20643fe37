//! Numbers for watching, as lines that `CloudWatch` takes out of the logs.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ossferry_core::meter::Requests;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::JobName;
use ossferry_ledger::{Observer, Recorded};
use serde_json::{Map, Value, json};

/// As alarms and the dashboard name it.
const NAMESPACE: &str = "ossferry";

/// Requests that are counted under their own names; each name costs as much as any other metric.
const OPERATIONS: [(&str, &str); 5] = [
    ("GetObject", "RequestsGetObject"),
    ("HeadObject", "RequestsHeadObject"),
    ("ListObjectsV2", "RequestsListObjectsV2"),
    ("PutObject", "RequestsPutObject"),
    ("UploadPart", "RequestsUploadPart"),
];
const OTHER_OPERATIONS: &str = "RequestsOther";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Seconds that a task or a range took, from its message to its record.
    TaskSeconds,
    /// Triggers that were refused, and ends that refuse the whole account.
    Refusals,
    /// 1 where a pass runs and nothing of it moves, else 0: told by each sweep.
    StandsStill,
    /// Handlers that panicked.
    Panics,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::TaskSeconds => "TaskSeconds",
            Self::Refusals => "Refusals",
            Self::StandsStill => "StandsStill",
            Self::Panics => "Panics",
        }
    }
}

/// One job's numbers since they were last written, by name.
type Numbers = BTreeMap<&'static str, f64>;

/// Numbers of one function, gathered until an invocation ends.
pub struct Metrics {
    function: String,
    jobs: Mutex<BTreeMap<String, Numbers>>,
}

impl Metrics {
    pub(crate) fn new(function: &str) -> Arc<Self> {
        Arc::new(Self { function: function.to_owned(), jobs: Mutex::default() })
    }

    /// Gathers what is recorded in a ledger.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let this = Arc::clone(self);
        Arc::new(move |job, recorded| this.record(job, recorded))
    }

    /// Adds to a number.
    pub fn add(&self, job: &JobName, metric: Metric, value: f64) {
        self.note(job, [(metric.name(), value)]);
    }

    fn record(&self, job: &JobName, recorded: Recorded<'_>) {
        match recorded {
            Recorded::Objects(sum) => self.note(job, of_objects(sum)),
            Recorded::Parts { bytes, requests } => {
                self.note(job, [("Bytes", float(bytes))].into_iter().chain(of_requests(requests)));
            }
            Recorded::Planning(requests) => self.note(job, of_requests(requests)),
            Recorded::Split => {}
        }
    }

    fn note(&self, job: &JobName, numbers: impl IntoIterator<Item = (&'static str, f64)>) {
        let mut jobs = self.jobs();
        let kept = jobs.entry(job.0.clone()).or_default();
        for (name, value) in numbers {
            *kept.entry(name).or_default() += value;
        }
    }

    /// The lines of what was gathered since the last call: one a job, described for `CloudWatch`.
    pub fn take_lines(&self, now: Timestamp) -> Vec<String> {
        let jobs = std::mem::take(&mut *self.jobs());
        let line = |(job, numbers): (String, Numbers)| {
            let mut line = self.line(&job, &numbers);
            line.insert("_aws".to_owned(), described(&numbers, now));
            Value::Object(line).to_string()
        };
        jobs.into_iter().map(line).collect()
    }

    /// The same for whoever reads the numbers as they stand.
    pub fn take_plain_lines(&self) -> Vec<String> {
        let jobs = std::mem::take(&mut *self.jobs());
        let line = |(job, numbers): (String, Numbers)| {
            Value::Object(self.line(&job, &numbers)).to_string()
        };
        jobs.into_iter().map(line).collect()
    }

    fn line(&self, job: &str, numbers: &Numbers) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("Function".to_owned(), self.function.as_str().into());
        line.insert("Job".to_owned(), job.into());
        line.extend(numbers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        line
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Numbers>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `CloudWatch` is to take out of a line.
fn described(numbers: &Numbers, now: Timestamp) -> Value {
    let metrics: Vec<_> =
        numbers.keys().map(|name| json!({"Name": name, "Unit": unit_of(name)})).collect();
    json!({
        "Timestamp": now.0,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [["Function"], ["Function", "Job"]],
            "Metrics": metrics,
        }],
    })
}

fn unit_of(name: &str) -> &'static str {
    match name {
        "Bytes" => "Bytes",
        "TaskSeconds" => "Seconds",
        _ => "Count",
    }
}

/// What is not zero of recorded objects.
fn of_objects(sum: &Sum) -> Vec<(&'static str, f64)> {
    let proofs = [
        ("ProofA", sum.proofs[Grade::A.index()]),
        ("ProofB", sum.proofs[Grade::B.index()]),
        ("ProofC", sum.proofs[Grade::C.index()]),
        ("ProofD", sum.proofs[Grade::D.index()]),
    ];
    let counts = [
        ("Objects", sum.outcomes.iter().sum()),
        ("Failures", sum.of(Outcome::Failed)),
        ("Bytes", sum.bytes_copied),
    ];
    let counts = counts.into_iter().chain(proofs).filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| (name, float(count))).chain(of_requests(&sum.requests)).collect()
}

fn of_requests(requests: &Requests) -> Vec<(&'static str, f64)> {
    let all = requests.source.iter().chain(&requests.target);
    let named = all.map(|(operation, count)| {
        let known = OPERATIONS.iter().find(|(known, _)| known == operation);
        (known.map_or(OTHER_OPERATIONS, |(_, name)| *name), float(*count))
    });
    named.collect()
}

/// Exact below 2^53.
fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number for watching")]
    let float = count as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_told_once_and_by_job() {
        let metrics = Metrics::new("copier");
        let observer = metrics.observer();
        let mut sum = Sum::default();
        sum.count(Outcome::Copied, 5, Some(Grade::A));
        sum.count(Outcome::Failed, 7, None);
        sum.requests.source.insert("GetObject".to_owned(), 2);
        sum.requests.target.insert("InitiateMultipartUpload".to_owned(), 1);
        observer(&"photos".into(), Recorded::Objects(&sum));
        observer(&"photos".into(), Recorded::Parts { bytes: 10, requests: &Requests::default() });
        metrics.add(&"films".into(), Metric::StandsStill, 0.0);
        let lines = metrics.take_lines(Timestamp(7));
        assert!(metrics.take_lines(Timestamp(8)).is_empty());
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [films, photos] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(films["StandsStill"], 0.0);
        for (name, value) in [
            ("Objects", 2.0),
            ("Failures", 1.0),
            ("Bytes", 15.0),
            ("ProofA", 1.0),
            ("RequestsGetObject", 2.0),
            ("RequestsOther", 1.0),
        ] {
            assert_eq!(photos[name], value, "{name}");
        }
        assert_eq!((&photos["Function"], &photos["Job"]), (&json!("copier"), &json!("photos")));
        let described = &photos["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Dimensions"], json!([["Function"], ["Function", "Job"]]));
        // Every number that is described stands in the line, and the reverse.
        let metrics = described["Metrics"].as_array().unwrap();
        assert!(metrics.iter().all(|metric| photos[metric["Name"].as_str().unwrap()].is_f64()));
        assert_eq!(metrics.len() + 3, photos.as_object().unwrap().len());
    }
}
