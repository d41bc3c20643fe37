//! A row for each planned object.

use std::io::Write;

use ossferry_ledger::ids::PassRef;
use ossferry_ledger::{Ledger, ObjectRecord};

use crate::command_error::CommandError;

/// The columns, in this order.
pub(crate) const HEADER: [&str; 8] =
    ["key", "size", "outcome", "proof", "crc64_ecma", "source_etag", "target_etag", "reason"];

/// Writes every planned object of a pass, a task's in memory at a time.
pub(crate) async fn write_objects(
    ledger: &Ledger,
    pass: &PassRef,
    output: impl Write,
) -> Result<(), CommandError> {
    let without_outcome =
        if ledger.pass(pass).await?.state.is_final() { "not-attempted" } else { "pending" };
    let mut rows = csv::Writer::from_writer(output);
    rows.write_record(HEADER)?;
    let mut walk = ledger.task_walk(pass).await?;
    while let Some((task, row)) = walk.next().await? {
        for record in ledger.object_records(&task, &row).await? {
            write_record(&mut rows, &record, without_outcome)?;
        }
    }
    rows.flush()?;
    Ok(())
}

fn write_record<W: Write>(
    rows: &mut csv::Writer<W>,
    record: &ObjectRecord,
    without_outcome: &str,
) -> Result<(), csv::Error> {
    let object = &record.object;
    let result = record.result.as_ref();
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let source_etag =
        result.and_then(|result| result.source_etag.as_ref()).or(object.etag.as_ref());
    rows.write_record([
        object.key.to_text().as_ref(),
        &object.size.to_string(),
        result.and_then(|result| result.outcome).map_or(without_outcome, |found| found.as_str()),
        result.and_then(|result| result.proof).map_or("", |grade| grade.as_str()),
        &number(result.and_then(|result| result.crc64_ecma)),
        source_etag.map_or("", |etag| etag.as_str()),
        result.and_then(|result| result.target_etag.as_ref()).map_or("", |etag| etag.as_str()),
        result.and_then(|result| result.reason.as_deref()).unwrap_or(""),
    ])
}

#[cfg(test)]
mod tests {
    use ossferry_core::fidelity::Departures;
    use ossferry_core::key::Key;
    use ossferry_core::object::ETag;
    use ossferry_core::outcome::Outcome;
    use ossferry_core::proof::Grade;
    use ossferry_ledger::ids::SliceId;
    use ossferry_ledger::lists::{Action, Expected, ObjectResult, PlannedObject};

    use super::*;

    fn record(key: &[u8], result: Option<ObjectResult>) -> ObjectRecord {
        let pass = PassRef { job: "j".into(), pass: "p".into() };
        ObjectRecord {
            task: pass.slice(SliceId::root()).task(1),
            object: PlannedObject {
                key: Key::new(key.to_vec()),
                size: 7,
                etag: Some(ETag::new("listed")),
                last_modified: None,
                storage_class: None,
                expected: Expected::Absent,
                action: Action::Copy { forbid_overwrite: false },
            },
            result,
        }
    }

    #[test]
    fn a_row_quotes_what_it_must_and_spells_odd_bytes() {
        let copied = ObjectResult {
            index: 0,
            outcome: Some(Outcome::Copied),
            proof: Some(Grade::A),
            crc64_ecma: Some(u64::MAX),
            bytes: 7,
            source_etag: Some(ETag::new("s")),
            target_etag: Some(ETag::new("T")),
            reason: None,
            departures: Departures::default(),
        };
        let mut rows = csv::Writer::from_writer(Vec::new());
        rows.write_record(HEADER).unwrap();
        for record in [
            record(b"a,b \"c\"", Some(copied)),
            record(b"x\n\xff%", Some(ObjectResult::plain(1, Outcome::Failed, "put: 403, no"))),
            record("ü".as_bytes(), None),
        ] {
            write_record(&mut rows, &record, "pending").unwrap();
        }
        let text = String::from_utf8(rows.into_inner().unwrap()).unwrap();
        let want = "\
key,size,outcome,proof,crc64_ecma,source_etag,target_etag,reason
\"a,b \"\"c\"\"\",7,copied,A,18446744073709551615,s,T,
x%0A%FF%25,7,failed,,,listed,,\"put: 403, no\"
ü,7,pending,,,listed,,
";
        assert_eq!(text, want);
    }
}
