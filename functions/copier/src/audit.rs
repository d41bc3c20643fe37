//! One object of an audit: both ends are asked, its bytes read again where that was wanted, and what is
//! found is recorded. Nothing is written at either end.

use futures::StreamExt;
use ossferry_core::audit::{Finding, Pair, judge};
use ossferry_core::error::ErrorKind;
use ossferry_core::key::Key;
use ossferry_core::object::{Digests, ETag, Entry, ObjectInfo, Pin};
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::{Held, Streamed, check};
use ossferry_ledger::lists::{Audited, Expected, ObjectResult, PlannedObject};

use crate::object::{CHANGES_MAX, Ended};
use crate::reaction::{Reaction, Trouble, reaction};
use crate::reading::read_on;
use crate::session::{PassWork, Session};
use crate::tap::Tap;

struct ObjectAudit<'a> {
    session: &'a Session,
    work: &'a PassWork,
    index: u32,
    object: &'a PlannedObject,
    audited: Audited,
    target_key: Key,
}

/// What both ends gave.
struct Seen {
    source: Option<ObjectInfo>,
    target: Option<ObjectInfo>,
    streamed: Option<Streamed>,
    /// Why the bytes were not read, though it was wanted.
    unread: Option<&'static str>,
}

/// Finds out how one object stands at both ends. Nothing of it is in flight once this returns.
pub(crate) async fn audit_object(
    session: &Session,
    work: &PassWork,
    index: u32,
    object: &PlannedObject,
    audited: Audited,
) -> Ended {
    let plain =
        |outcome, reason: String| Ended::Result(ObjectResult::plain(index, outcome, reason));
    let Some(target_key) = work.job.target_key(&object.key) else {
        let reason = "the key does not begin with the prefix of the source";
        return plain(Outcome::Failed, reason.to_owned());
    };
    let audit = ObjectAudit { session, work, index, object, audited, target_key };
    let (mut failed, mut changes) = (0, 0);
    loop {
        let trouble = match audit.look().await {
            Ok(seen) => return Ended::Result(audit.result(&seen)),
            Err(trouble) => trouble,
        };
        tracing::debug!(key = %object.key, %trouble, "audit object: attempt failed");
        match reaction(&trouble) {
            Reaction::StopPass => return Ended::Stop(trouble),
            Reaction::Back => return Ended::Back(trouble),
            Reaction::Changed => {
                changes += 1;
                if changes >= CHANGES_MAX {
                    let reason = format!("changed {CHANGES_MAX} times while it was read");
                    return plain(Outcome::Changed, reason);
                }
            }
            Reaction::Again | Reaction::WrongBytes => {
                failed += 1;
                let may_go_on =
                    failed < session.options.attempts_max && session.pause(failed, &trouble).await;
                if !may_go_on {
                    return Ended::Back(trouble);
                }
            }
            Reaction::Record(_) | Reaction::LookAtTarget | Reaction::UploadGone => {
                return plain(Outcome::Failed, trouble.to_string());
            }
        }
    }
}

impl ObjectAudit<'_> {
    async fn look(&self) -> Result<Seen, Trouble> {
        let (source, target) = tokio::join!(
            self.session.source.head(&self.object.key),
            self.session.target.head(&self.target_key),
        );
        let source = match source {
            Ok(info) => Some(info),
            Err(error) if error.kind == ErrorKind::NoSuchKey => None,
            Err(error) => return Err(Trouble::source(error)),
        };
        let target = target.map_err(Trouble::target)?;
        let mut seen = Seen { source, target, streamed: None, unread: None };
        // Bytes that cannot agree need not be read.
        if self.audited == Audited::Bytes
            && let (Some(source), Some(target)) = (&seen.source, &seen.target)
            && source.size == target.size
        {
            match self.read(source).await {
                Ok(streamed) => seen.streamed = Some(streamed),
                Err(trouble) if trouble.error.kind == ErrorKind::Archived => {
                    seen.unread = Some("not read: its storage class must be restored first");
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(seen)
    }

    /// Reads the object as it is now for its digests, and holds them against those that its own server
    /// gives.
    async fn read(&self, info: &ObjectInfo) -> Result<Streamed, Trouble> {
        let etag = info.etag.as_ref();
        let etag = etag.ok_or_else(|| Trouble::bad_source("head: no etag to pin the object by"))?;
        let with_nvme = info.digests.crc64_nvme.is_some();
        let (one, size) = ((self.index, &self.object.key), info.size);
        let streamed = if size <= self.work.job.limits.part_bytes {
            self.read_whole(etag, with_nvme).await?
        } else {
            read_on(self.session, self.work, one, etag, size, with_nvme).await?
        };
        let itself = Held { bytes: streamed.bytes, digests: Digests::default() };
        check(info.size, &info.digests, &streamed, &itself)
            .map_err(|mismatch| Trouble::bad_source(format!("read: {mismatch}")))?;
        Ok(streamed)
    }

    async fn read_whole(&self, etag: &ETag, with_nvme: bool) -> Result<Streamed, Trouble> {
        let pin = Pin { etag: etag.clone() };
        let opened = self.session.source.open(&self.object.key, &pin, None).await;
        let opened = opened.map_err(Trouble::source)?;
        let (mut body, tap) = Tap::on(opened.body, with_nvme, &self.session.passed_bytes);
        while let Some(frame) = body.next().await {
            frame.map_err(Trouble::source)?;
        }
        tap.whole().ok_or_else(|| Trouble::bad_source("read: no end"))
    }

    fn result(&self, seen: &Seen) -> ObjectResult {
        let listed = (self.audited != Audited::Extra).then(|| self.listed());
        let target = seen.target.as_ref();
        let pair = Pair {
            listed: listed.as_ref(),
            source: seen.source.as_ref(),
            target,
            target_has_changed: self.target_has_changed(target),
            streamed: seen.streamed.as_ref(),
        };
        let Finding { outcome, grade, reason } = judge(&pair, self.work.pass.t2);
        let reasons = [seen.unread.map(str::to_owned), reason];
        let reasons: Vec<String> = reasons.into_iter().flatten().collect();
        let etag = |info: Option<&ObjectInfo>| info.and_then(|info| info.etag.clone());
        ObjectResult {
            proof: grade,
            crc64_ecma: target.and_then(|target| target.digests.crc64_ecma),
            bytes: seen.streamed.map_or(0, |streamed| streamed.bytes),
            source_etag: etag(seen.source.as_ref()),
            target_etag: etag(target),
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            ..ObjectResult::plain(self.index, outcome, "")
        }
    }

    fn listed(&self) -> Entry {
        let object = self.object;
        Entry {
            key: object.key.clone(),
            size: object.size,
            etag: object.etag.clone(),
            last_modified: object.last_modified,
            storage_class: object.storage_class.clone(),
            archived: false,
        }
    }

    fn target_has_changed(&self, target: Option<&ObjectInfo>) -> bool {
        match (&self.object.expected, target) {
            (Expected::Unknown, _) | (Expected::Absent, None) => false,
            (Expected::Absent, Some(_)) | (Expected::Present(_), None) => true,
            (Expected::Present(listed), Some(target)) => target.etag.as_ref() != Some(listed),
        }
    }
}
