//! Each kind of line: its columns, and all that is known as JSON.

use ossferry_core::fidelity::{Properties, Property};
use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::rows::{PassIndexRow, TaskRow};
use ossferry_ledger::{Branch, ObjectRecord};
use serde_json::{Map, Value, json};

use super::{Columns, Line};

pub(super) const PASSES: Columns =
    &[("pass", 25), ("kind", 11), ("state", 9), ("began", 24), ("ended", 24), ("note", 0)];

pub(super) const SLICES: Columns = &[
    ("slice", 10),
    ("state", 8),
    ("listed", 10),
    ("planned", 10),
    ("tasks", 8),
    ("settled", 8),
    ("after", 16),
    ("until", 0),
];

pub(super) const TASKS: Columns = &[
    ("task", 12),
    ("kind", 6),
    ("state", 7),
    ("objects", 7),
    ("done", 7),
    ("failed", 6),
    ("bytes", 12),
    ("attempts", 8),
    ("first_key", 0),
];

pub(super) const OBJECTS: Columns =
    &[("task", 12), ("outcome", 13), ("size", 12), ("key", 32), ("reason", 0)];

pub(super) fn pass(row: &PassIndexRow) -> Line {
    let object = json!({
        "pass": row.pass.0,
        "kind": row.kind.as_str(),
        "state": row.state.as_str(),
        "began": time(Some(row.began)),
        "ended": time(row.ended),
        "t1": time(row.t1),
        "scope_hash": row.scope_hash,
        "note": row.note,
    });
    Line { columns: PASSES, object }
}

pub(super) fn slice(branch: &Branch) -> Line {
    let object = match branch {
        Branch::Settled(row) => json!({
            "slice": row.slice.0,
            "state": "settled",
            "listed": row.walked.listed,
            "planned": row.walked.planned,
            "tasks": row.tasks,
            "settled": row.tasks,
            "after": key(row.after.as_ref()),
            "until": key(row.until.as_ref()),
            "outcomes": outcomes(&row.sum),
        }),
        Branch::Live(row) => json!({
            "slice": row.slice.0,
            "state": json!(row.state),
            "listed": row.walked.listed,
            "planned": row.walked.planned,
            "tasks": row.last_seq(),
            "sent": row.sent_seq,
            "settled": row.settled_seq,
            "after": key(row.after.as_ref()),
            "cursor": key(row.cursor.as_ref()),
            "until": key(row.until.as_ref()),
            "outcomes": outcomes(&row.settled_sum),
            "hops": row.hops,
            "owner": row.lease.owner,
            "reason": row.reason,
        }),
        Branch::Unborn(child) => json!({
            "slice": child.slice.0,
            "state": "unborn",
            "after": child.after.to_text(),
            "until": key(child.until.as_ref()),
        }),
    };
    Line { columns: SLICES, object }
}

pub(super) fn task(task: &TaskRef, row: &TaskRow) -> Line {
    let object = json!({
        "task": task.to_string(),
        "kind": json!(row.kind),
        "state": json!(row.state),
        "objects": row.objects,
        "done": row.sum.objects(),
        "failed": row.sum.of(Outcome::Failed),
        "bytes": row.bytes,
        "bytes_copied": row.sum.bytes_copied,
        "outcomes": outcomes(&row.sum),
        "attempts": row.attempts,
        "fence": row.lease.fence,
        "owner": row.lease.owner,
        "first_key": row.first_key.to_text(),
        "last_key": row.last_key.to_text(),
        "planned_at": time(Some(row.planned_at)),
        "started_at": time(row.started_at),
        "ended_at": time(row.ended_at),
    });
    Line { columns: TASKS, object }
}

pub(super) fn object(record: &ObjectRecord) -> Line {
    let (planned, result) = (&record.object, record.result.as_ref());
    let etag = result.and_then(|found| found.source_etag.as_ref()).or(planned.etag.as_ref());
    let departures = result.map(|found| found.departures).unwrap_or_default();
    let object = json!({
        "pass": record.task.pass().pass.0,
        "task": record.task.to_string(),
        "key": planned.key.to_text(),
        "size": planned.size,
        "outcome": result.and_then(|found| found.outcome).map(Outcome::as_str),
        "proof": result.and_then(|found| found.proof).map(Grade::as_str),
        // A script that reads numbers as floats would round it.
        "crc64_ecma": result.and_then(|found| found.crc64_ecma).map(|crc| crc.to_string()),
        "source_etag": etag.map(ETag::as_str),
        "target_etag": result.and_then(|found| found.target_etag.as_ref()).map(ETag::as_str),
        "last_modified": time(planned.last_modified),
        "mapped": names(departures.mapped),
        "dropped": names(departures.dropped),
        "reason": result.and_then(|found| found.reason.as_deref()),
    });
    Line { columns: OBJECTS, object }
}

fn names(properties: Properties) -> Vec<&'static str> {
    properties.iter().map(Property::as_str).collect()
}

fn key(key: Option<&Key>) -> Option<String> {
    key.map(|key| key.to_text().into_owned())
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

fn outcomes(sum: &Sum) -> Value {
    let some = Outcome::ALL.into_iter().filter(|outcome| sum.of(*outcome) > 0);
    Value::Object(
        some.map(|outcome| (outcome.as_str().to_owned(), json!(sum.of(outcome))))
            .collect::<Map<_, _>>(),
    )
}
