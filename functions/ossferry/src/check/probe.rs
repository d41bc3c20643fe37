//! What is tried of a store whose kind was never asked before: two pages of one key, and one byte of an
//! object under its pin.

use std::sync::Arc;

use futures::StreamExt as _;
use ossferry_core::error::PortError;
use ossferry_core::job::{SourceSpec, StoreKind};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, Entry, Pin};
use ossferry_core::ports::{ListRequest, ListStart, Page, Source};

use super::findings::Findings;
use super::judged;

/// Tries what a pass relies on, where it stands on documents alone.
pub(super) async fn probe(
    spec: &SourceSpec,
    source: &Arc<dyn Source>,
    page: &Page,
    findings: &mut Findings,
) {
    let SourceSpec::Bucket(bucket) = spec else { return };
    if bucket.kind.is_verified() {
        return;
    }
    findings.warn("dialect", judged::unverified(bucket.kind));
    // A page of a folder may hold folders alone: there is nothing to compare.
    let pages_hold_keys = bucket.kind != StoreKind::Upyun;
    if let [first, second, ..] = page.entries.as_slice()
        && pages_hold_keys
    {
        match pages_of_one(source, &bucket.prefix).await {
            Ok(keys) if keys == [first.key.clone(), second.key.clone()] => {
                findings.ok("dialect pages", "a second page begins where the first ended");
            }
            Ok(_) => findings.fail(
                "dialect pages",
                "pages of one key hold other keys than a long page: try the other list_version",
            ),
            Err(error) => findings.fail("dialect pages", judged::refused(&error, "source")),
        }
    }
    let readable = |entry: &&Entry| !entry.archived && entry.size > 0 && entry.etag.is_some();
    if let Some(entry) = page.entries.iter().find(readable) {
        match first_byte(source, entry).await {
            Ok(()) => findings
                .ok("dialect reads", format!("the first byte of {} under its etag", entry.key)),
            Err(error) => findings.fail("dialect reads", judged::refused(&error, "source")),
        }
    }
}

async fn pages_of_one(source: &Arc<dyn Source>, prefix: &Key) -> Result<Vec<Key>, PortError> {
    let mut request =
        ListRequest { prefix: prefix.clone(), start: ListStart::Beginning, keys_max: 1 };
    let mut keys = Vec::new();
    for _ in 0..2 {
        let page = source.list(&request).await?;
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        let Some(next) = page.next else { break };
        request.start = ListStart::Token(next);
    }
    Ok(keys)
}

async fn first_byte(source: &Arc<dyn Source>, entry: &Entry) -> Result<(), PortError> {
    let Some(etag) = entry.etag.clone() else { return Ok(()) };
    let range = ByteRange { start: 0, bytes: 1 };
    let mut body = source.open(&entry.key, &Pin { etag }, Some(range)).await?.body;
    while let Some(bytes) = body.next().await {
        bytes?;
    }
    Ok(())
}
