//! What must hold of a pass that has ended, whatever befell it.

use std::collections::BTreeMap;

use bytes::Bytes;
use ossferry_core::crc::crc64_ecma;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::report::{PassFacts, Report, ReportState};
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::rows::PassState;

/// What the target holds.
pub struct Held {
    /// Every object.
    pub objects: BTreeMap<Key, Bytes>,
    /// Keys of uploads that are open.
    pub open_uploads: Vec<String>,
}

/// A pass and what became of each of its objects.
pub struct Inspected {
    /// As the command writes it.
    pub report: Report,
    /// By key.
    pub outcomes: BTreeMap<Key, Outcome>,
}

/// Looks at a pass that has ended: it is finished, the law holds, each planned object has one outcome in
/// one task, rows and sums agree, every key expected stands at the target with its bytes, what was
/// recorded as copied has the checksum that was recorded, and no upload is open.
pub async fn inspect(
    ledger: &Ledger,
    pass: &PassRef,
    held: &Held,
    expected: &BTreeMap<Key, Bytes>,
) -> Inspected {
    let status = ledger.status(pass).await.expect("a status");
    let row = &status.row;
    assert_eq!(row.state, PassState::Finished, "{:?}", row.reason);
    let facts = PassFacts {
        pass: row.pass.0.clone(),
        kind: row.kind.as_str().to_owned(),
        state: ReportState::Finished,
        reason: None,
        serial: false,
        source_is_s3: false,
        restoring: status.restoring,
        slices: status.totals.slices,
        tasks: status.totals.tasks,
        seconds: 0.0,
    };
    let report = Report::new(facts, &status.totals.walked, &status.totals.sum);
    assert_eq!(report.check_law(), Ok(()));
    let mut outcomes = BTreeMap::new();
    let mut counts = BTreeMap::new();
    let mut walk = ledger.task_walk(pass).await.expect("the tasks");
    while let Some((task, row)) = walk.next().await.expect("a task") {
        assert!(row.state.is_final(), "task {task} has not ended");
        for record in ledger.object_records(&task, &row).await.expect("its objects") {
            let key = record.object.key;
            let result = record.result.unwrap_or_else(|| panic!("{key} has no result"));
            let outcome = result.outcome.unwrap_or_else(|| panic!("{key} has no outcome"));
            *counts.entry(outcome).or_default() += 1;
            if outcome == Outcome::Copied && expected.contains_key(&key) {
                let stands = held.objects.get(&key).map(|bytes| crc64_ecma(bytes));
                assert_eq!(stands, result.crc64_ecma, "{key} was proved to be another object");
            }
            assert_eq!(outcomes.insert(key.clone(), outcome), None, "{key} was planned twice");
        }
    }
    let sum = &status.totals.sum;
    let sums = Outcome::ALL.into_iter().map(|outcome| (outcome, sum.of(outcome)));
    let sums: BTreeMap<Outcome, u64> = sums.filter(|(_, count)| *count > 0).collect();
    assert_eq!(counts, sums, "rows and sums differ");
    for (key, bytes) in expected {
        let same = held.objects.get(key) == Some(bytes);
        assert!(same, "{key} {:?} is not what it is to be", outcomes.get(key));
    }
    assert_eq!(held.open_uploads, Vec::<String>::new(), "uploads left open");
    Inspected { report, outcomes }
}
