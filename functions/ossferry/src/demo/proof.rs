//! Looks at what has arrived, past the ledger: lists the emulator, and reads a few files again.

use std::path::Path;

use indicatif::HumanBytes;
use ossferry_core::crc::crc64_ecma;
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart};
use ossferry_core::report::Report;
use ossferry_ends::EndError;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::lists::ObjectResult;

use crate::command_error::CommandError;
use crate::run::Crew;

/// Objects that are looked at one by one.
const EXAMPLES: usize = 3;

/// Of which none is larger: it is read whole.
const EXAMPLE_BYTES_MAX: u64 = 64 << 20;

/// Says how many objects the target holds, and the CRC-64 of a few from three sides.
pub(super) async fn show(
    crew: &Crew,
    pass: &PassRef,
    folder: &Path,
    report: &Report,
) -> Result<(), CommandError> {
    let (objects, bytes) = count(crew).await?;
    let compared =
        if objects == report.copied { "as many as were copied" } else { "NOT what was copied" };
    println!("\nlisted at the emulator: {objects} objects, {}: {compared}", HumanBytes(bytes));
    for (key, result) in examples(crew, pass).await? {
        let failed = |error| EndError::End { end: "target", error };
        let head = crew.target.head(&key).await.map_err(failed)?;
        let at_target = head.and_then(|head| head.digests.crc64_ecma);
        let of_file = key.as_str().and_then(|key| std::fs::read(folder.join(key)).ok());
        let of_file = of_file.map(|bytes| crc64_ecma(&bytes));
        let recorded = result.crc64_ecma;
        let agree = recorded.is_some() && recorded == at_target && recorded == of_file;
        let verdict = if agree { "file, ledger and emulator agree" } else { "they do NOT agree" };
        println!("  CRC-64 {:>20}  {key}: {verdict}", recorded.unwrap_or_default());
    }
    Ok(())
}

async fn count(crew: &Crew) -> Result<(u64, u64), CommandError> {
    let failed = |error| EndError::End { end: "target", error };
    let keys_max = crew.target.profile().page_keys_max;
    let mut request = ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max };
    let (mut objects, mut bytes) = (0, 0);
    loop {
        let page = crew.target.list(&request).await.map_err(failed)?;
        objects += page.entries.len() as u64;
        bytes += page.entries.iter().map(|entry| entry.size).sum::<u64>();
        match page.next {
            Some(next) => request.start = ListStart::Token(next),
            None => return Ok((objects, bytes)),
        }
    }
}

/// Some copied objects: the first, the last and one between of the first task that has any.
async fn examples(crew: &Crew, pass: &PassRef) -> Result<Vec<(Key, ObjectResult)>, CommandError> {
    let mut walk = crew.kept.ledger.task_walk(pass).await?;
    while let Some((task, row)) = walk.next().await? {
        let records = crew.kept.ledger.object_records(&task, &row).await?;
        let proved: Vec<_> = records
            .into_iter()
            .filter(|record| record.object.size <= EXAMPLE_BYTES_MAX)
            .filter_map(|record| {
                let result = record.result.filter(|result| result.crc64_ecma.is_some())?;
                Some((record.object.key, result))
            })
            .collect();
        if !proved.is_empty() {
            let step = proved.len().div_ceil(EXAMPLES);
            return Ok(proved.into_iter().step_by(step).collect());
        }
    }
    Ok(Vec::new())
}
