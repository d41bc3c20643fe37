//! `RestoreObject`: archived objects that can be read for some days. Forgotten when the emulator ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use ossferry_core::key::Key;
use ossferry_core::time::Timestamp;

use crate::RequestBody;
use crate::answer::{Answer, empty};
use crate::call::ObjectCall;
use crate::errors::{MALFORMED_XML, NO_SUCH_KEY, NOT_ARCHIVED, RESTORING, Refusal};
use crate::storage::object::Object;
use crate::storage_class::StorageClass;
use crate::xml::elements;

/// When a restored copy can be read.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    until: Timestamp,
}

/// The restorations that were asked for, by key and `ETag`.
#[derive(Debug, Default)]
pub(crate) struct Restorations(Mutex<HashMap<(Key, String), Window>>);

impl Restorations {
    fn of(&self, key: &Key, object: &Object, now: Timestamp) -> Option<Window> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(&(key.clone(), object.etag.clone())).copied().filter(|w| now < w.until)
    }

    /// Whether the object can be read now.
    pub(crate) fn admit(&self, key: &Key, object: &Object, now: Timestamp) -> bool {
        !object.metadata.storage_class.is_archived()
            || self.of(key, object, now).is_some_and(|window| window.from <= now)
    }

    fn note(&self, key: Key, object: &Object, window: Window) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.insert((key, object.etag.clone()), window);
    }
}

/// How long it takes, by class and tier (OSS manual, "Restore objects", 2026: the longest it names).
fn takes(class: StorageClass, tier: &str) -> Option<Duration> {
    Some(match (class, tier) {
        (StorageClass::Standard | StorageClass::Ia, _) => return None,
        (StorageClass::Archive, _) => Duration::from_mins(1),
        (StorageClass::ColdArchive, "Expedited") => Duration::from_hours(1),
        (StorageClass::ColdArchive, "Bulk") | (StorageClass::DeepColdArchive, "Expedited") => {
            Duration::from_hours(12)
        }
        (StorageClass::ColdArchive, _) => Duration::from_hours(5),
        (StorageClass::DeepColdArchive, _) => Duration::from_hours(48),
    })
}

/// Days and tier.
fn asked(body: &[u8]) -> Result<(u32, String), Refusal> {
    let (mut days, mut tier) = (None, "Standard".to_owned());
    for element in elements(body)? {
        match element.path.as_str() {
            "RestoreRequest/Days" => days = element.text.trim().parse().ok(),
            "RestoreRequest/JobParameters/Tier" => tier = element.text,
            _ => {}
        }
    }
    let days = days.filter(|days| (1..=365).contains(days)).ok_or(MALFORMED_XML)?;
    Ok((days, tier))
}

impl ObjectCall<'_> {
    /// `RestoreObject`: 202 when it begins, 409 while it goes on, 200 while the copy can be read.
    pub(crate) async fn restore(self, body: &mut RequestBody) -> Result<Answer, Refusal> {
        let Self { call, key } = self;
        let (days, tier) = asked(&call.read_document(body).await?)?;
        let object = call.bucket.object(&key).ok_or(NO_SUCH_KEY)?;
        let now = call.now();
        let takes = takes(object.metadata.storage_class, &tier).ok_or(NOT_ARCHIVED)?;
        let kept = Duration::from_hours(24 * u64::from(days));
        let (from, status) = match call.bucket.restorations.of(&key, &object, now) {
            Some(window) if now < window.from => return Err(RESTORING.into()),
            Some(window) => (window.from, StatusCode::OK),
            None => (now.plus(takes), StatusCode::ACCEPTED),
        };
        let until = from.max(now).plus(kept);
        call.bucket.restorations.note(key, &object, Window { from, until });
        Ok(empty(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_how_long_and_how_soon() {
        let body =
            b"<RestoreRequest><Days>2</Days><JobParameters><Tier>Bulk</Tier></JobParameters>\
                     </RestoreRequest>";
        assert_eq!(asked(body).unwrap(), (2, "Bulk".to_owned()));
        let plain = b"<RestoreRequest><Days>1</Days></RestoreRequest>";
        assert_eq!(asked(plain).unwrap(), (1, "Standard".to_owned()));
        assert!(asked(b"<RestoreRequest><Days>0</Days></RestoreRequest>").is_err());
        assert!(asked(b"").is_err());
        assert!(takes(StorageClass::Standard, "Standard").is_none());
        assert!(takes(StorageClass::ColdArchive, "Bulk") > takes(StorageClass::Archive, "Bulk"));
    }
}
