//! Uploads that a lost planner or an earlier attempt left at the target.

use std::time::Duration;

use ossferry_core::error::PortError;
use ossferry_core::key::Key;
use ossferry_core::ports::Target;
use ossferry_core::time::Timestamp;
use ossferry_ledger::rows::UploadRow;

/// OSS dates an upload in whole seconds or better; its answers' `Date` is in whole seconds.
pub(crate) const CLOCK_GRAIN: Duration = Duration::from_secs(2);

/// Clears the way for an attempt: aborts what earlier ones left at the target.
///
/// Nothing is adopted: an upload that a lost planner began carries the headers of the object as it was
/// then. Only uploads of exactly this key, begun since the first attempt, are touched. After T2 the
/// application writes at the target too: then only the ids that stand in our rows are aborted, and
/// others are reported.
pub(crate) async fn clear(
    target: &dyn Target,
    key: &Key,
    row: &UploadRow,
    earlier: &[UploadRow],
    t2: Option<Timestamp>,
) -> Result<(), PortError> {
    let known: Vec<&String> = earlier.iter().filter_map(|row| row.upload_id.as_ref()).collect();
    for id in &known {
        target.abort_upload(key, id).await?;
    }
    let Some(first) = row.begun_since(earlier) else { return Ok(()) };
    let first = first.minus(CLOCK_GRAIN);
    for upload in target.list_uploads(key).await? {
        let id = &upload.upload_id;
        if upload.key != *key || upload.initiated < first || known.contains(&id) {
            continue;
        }
        if t2.is_some() {
            tracing::warn!(%key, upload_id = id, "an unfinished upload of this key was left alone");
        } else {
            target.abort_upload(key, id).await?;
        }
    }
    Ok(())
}
