//! One whole object: one GET to one PUT, and what becomes of it when something goes wrong.

use std::time::Duration;

use futures::StreamExt;
use ossferry_core::along::{Along, read_along};
use ossferry_core::carry::{Carried, carry};
use ossferry_core::compare::{needs_provenance, provenance_of};
use ossferry_core::error::Conclusion;
use ossferry_core::fidelity::Departures;
use ossferry_core::job::{Encryption, Overwrite};
use ossferry_core::key::Key;
use ossferry_core::object::{Digests, ETag, Entry, ObjectInfo, Pin};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{ObjectBody, OpenObject, Restoration};
use ossferry_core::proof::{Held, Streamed, Verified, check};
use ossferry_core::restored::count_restored;
use ossferry_ledger::lists::{ObjectResult, PlannedObject};

use crate::doubt::Doubt;
use crate::proof::{digests_of_put, same_bytes};
use crate::reaction::{Reaction, Trouble, reaction};
use crate::session::{PassWork, Session};
use crate::tap::Tap;

/// A source object that changed so often while it was copied is left to the next pass.
pub(crate) const CHANGES_MAX: u32 = 3;

/// Bytes that did not agree so often are a failure, not an accident.
pub(crate) const WRONG_BYTES_MAX: u32 = 3;

/// Of an object that was read in one answer, so that it is whole, and may be another's all the same.
const NOT_PINNED: &str = "the server gave neither etag nor date: a change of the same size between \
                          listing and reading would not have been seen";

/// How the work on one object ended.
pub(crate) enum Ended {
    /// With an outcome.
    Result(ObjectResult),
    /// With an error that may pass: the object goes back with the rest.
    Back(Trouble),
    /// With a refusal that concerns every object.
    Stop(Trouble),
    /// Not before the source has restored it: it is left alone for so long.
    Restoring(Duration),
}

/// Attempts that failed, by why.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    pub(crate) transient: u32,
    pub(crate) wrong_bytes: u32,
    changes: u32,
}

/// Why an object that was planned to be written over is not.
pub(crate) const DELETED: &str = "the application deleted the target's object";

/// What stands under the key right before it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// What may be written over, or nothing.
    Free,
    /// An object that must be looked at.
    Taken,
    /// Nothing any more: the application deleted what was to be written over.
    Deleted,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Ask the source what the object is now.
    Pin,
    Copy,
    /// Find out what stands under the key at the target.
    Look,
}

/// The object's bytes, read to their end.
struct WholeRead {
    source: Digests,
    streamed: Streamed,
    /// Of a copy of it.
    departures: Departures,
}

struct ObjectCopy<'a> {
    session: &'a Session,
    work: &'a PassWork,
    index: u32,
    object: &'a PlannedObject,
    target_key: Key,
    forbid_overwrite: bool,
    step: Step,
    pin: Option<Pin>,
    size: u64,
    /// Of the pinned object.
    read: Option<WholeRead>,
    tries: Tries,
    /// Whether a PUT of ours may have taken effect.
    may_be_ours: bool,
}

/// Copies one object and proves it. Nothing of it is in flight once this returns.
pub(crate) async fn copy_object(
    session: &Session,
    work: &PassWork,
    index: u32,
    object: &PlannedObject,
    forbid_overwrite: bool,
) -> Ended {
    let plain = |outcome, reason: &str| Ended::Result(ObjectResult::plain(index, outcome, reason));
    let Some(target_key) = work.job.target_key(&object.key) else {
        return plain(Outcome::Failed, "the key does not begin with the prefix of the source");
    };
    if let Some(objection) = target_key.oss_objection() {
        return plain(Outcome::Unsupported, objection);
    }
    let pin = object.etag.clone().map(|etag| Pin { etag });
    let mut copy = ObjectCopy {
        session,
        work,
        index,
        object,
        target_key,
        forbid_overwrite,
        step: if pin.is_some() { Step::Copy } else { Step::Pin },
        pin,
        size: object.size,
        read: None,
        tries: Tries::default(),
        may_be_ours: false,
    };
    copy.run().await
}

impl ObjectCopy<'_> {
    async fn run(&mut self) -> Ended {
        loop {
            let ended = match self.take_step().await {
                Ok(result) => result.map(Ended::Result),
                Err(trouble) => {
                    let key = &self.object.key;
                    tracing::debug!(%key, %trouble, "copy object: attempt failed");
                    self.react(trouble).await
                }
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    async fn take_step(&mut self) -> Result<Option<ObjectResult>, Trouble> {
        match self.step {
            Step::Pin => self.pin_anew().await,
            Step::Copy => self.copy_once().await,
            Step::Look => self.look_at_target().await.map(Some),
        }
    }

    async fn react(&mut self, trouble: Trouble) -> Option<Ended> {
        match reaction(&trouble) {
            Reaction::Record(Outcome::Archived) => Some(self.restore(&trouble).await),
            Reaction::Record(outcome) => Some(self.plain(outcome, trouble.to_string())),
            Reaction::StopPass => Some(Ended::Stop(trouble)),
            Reaction::Back => Some(Ended::Back(trouble)),
            Reaction::UploadGone => Some(self.plain(Outcome::Failed, trouble.to_string())),
            Reaction::LookAtTarget => {
                self.step = Step::Look;
                None
            }
            // The old bytes may still arrive: the new ones are not written before that is over.
            Reaction::Changed if self.may_be_ours => Some(Ended::Back(trouble)),
            Reaction::Changed => {
                self.tries.changes += 1;
                if self.tries.changes >= CHANGES_MAX {
                    let reason = format!("changed {CHANGES_MAX} times while it was copied");
                    return Some(self.plain(Outcome::Deferred, reason));
                }
                (self.step, self.pin, self.read) = (Step::Pin, None, None);
                None
            }
            Reaction::WrongBytes => {
                self.tries.wrong_bytes += 1;
                if self.tries.wrong_bytes >= WRONG_BYTES_MAX {
                    let reason = format!("{trouble}, {WRONG_BYTES_MAX} times");
                    return Some(self.plain(Outcome::Failed, reason));
                }
                self.wait(self.tries.wrong_bytes, trouble).await
            }
            Reaction::Again => {
                self.tries.transient += 1;
                if self.tries.transient >= self.session.options.attempts_max {
                    return Some(Ended::Back(trouble));
                }
                self.wait(self.tries.transient, trouble).await
            }
        }
    }

    /// The object is archived: asks for it where the job file wants that.
    async fn restore(&self, trouble: &Trouble) -> Ended {
        let Some(wanted) = self.work.job.source.restore() else {
            return self.plain(Outcome::Archived, trouble.to_string());
        };
        let class = self.object.storage_class.as_deref();
        let asked = self.session.source.restore(&self.object.key, wanted, class).await;
        if matches!(asked, Ok(Restoration::Asked)) {
            count_restored(&self.session.restored, class, wanted.tier, self.object.size);
        }
        match asked {
            // Also where it has just become readable: the next claim reads it.
            Ok(Restoration::Asked | Restoration::Ongoing | Restoration::Readable) => {
                Ended::Restoring(wanted.tier.pause())
            }
            Err(error) => {
                let trouble = Trouble::source(error);
                match reaction(&trouble) {
                    Reaction::StopPass => Ended::Stop(trouble),
                    Reaction::Again | Reaction::Back => Ended::Back(trouble),
                    _ => self.plain(Outcome::Archived, trouble.to_string()),
                }
            }
        }
    }

    async fn wait(&self, failed_attempts: u32, trouble: Trouble) -> Option<Ended> {
        let may_go_on = self.session.pause(failed_attempts, &trouble).await;
        (!may_go_on).then_some(Ended::Back(trouble))
    }

    async fn pin_anew(&mut self) -> Result<Option<ObjectResult>, Trouble> {
        let info = self.session.source.head(&self.object.key).await.map_err(Trouble::source)?;
        if info.size > self.work.job.limits.split_bytes {
            let reason = format!("outgrew its task: it has {} bytes now", info.size);
            return Ok(Some(ObjectResult::plain(self.index, Outcome::Deferred, reason)));
        }
        let Some(etag) = info.etag else {
            let reason = "the source gives no etag to pin the object by";
            return Ok(Some(ObjectResult::plain(self.index, Outcome::Failed, reason)));
        };
        (self.step, self.pin, self.size) = (Step::Copy, Some(Pin { etag }), info.size);
        Ok(None)
    }

    /// Opens the pinned object. What a listing says of class and date stands in where the answer is
    /// silent (S3 leaves the ordinary class out).
    async fn open(&self) -> Result<OpenObject, Trouble> {
        let pin =
            self.pin.as_ref().ok_or_else(|| Trouble::bad_source("open: nothing is pinned"))?;
        let opened = self.session.source.open(&self.object.key, pin, None).await;
        let mut opened = opened.map_err(Trouble::source)?;
        if opened.info.size != self.size {
            let (is, was) = (opened.info.size, self.size);
            let what = format!("open: {is} bytes under the etag that had {was} bytes");
            return Err(Trouble::bad_source(what));
        }
        let info = &mut opened.info;
        info.last_modified = info.last_modified.or(self.object.last_modified);
        if info.storage_class.is_none() {
            info.storage_class.clone_from(&self.object.storage_class);
        }
        Ok(opened)
    }

    async fn copy_once(&mut self) -> Result<Option<ObjectResult>, Trouble> {
        let OpenObject { info, body } = self.open().await?;
        let (source, key) = (self.session.source.as_ref(), &self.object.key);
        let along = read_along(source, &self.work.job, key, &info).await;
        let along = along.map_err(Trouble::source)?;
        // After the GET and right before the PUT, so that the window between is one request.
        match self.look_before_writing().await? {
            Place::Free => {}
            Place::Taken => {
                self.step = Step::Look;
                return Ok(None);
            }
            Place::Deleted => {
                return Ok(Some(ObjectResult::plain(self.index, Outcome::Kept, DELETED)));
            }
        }
        let carried = self.carried(&info, &along);
        let departures = carried.departures;
        let options = &carried.options;
        let (body, tap) = self.tap(body, &info);
        let doubt = Doubt::of(self.session, &tap);
        let put = self.session.target.put(&self.target_key, options, self.size, body).await;
        doubt.settle(&put);
        if let Some(streamed) = tap.whole() {
            self.read = Some(WholeRead { source: info.digests, streamed, departures });
        }
        if put.as_ref().is_err_and(|error| error.conclusion == Conclusion::Unknown) {
            self.may_be_ours = true;
        }
        let answer = put.map_err(|error| tap.blame(error))?;
        let streamed = tap
            .whole()
            .ok_or_else(|| Trouble::bad_target("put: success before the body was read"))?;
        let digests = digests_of_put(answer.crc64_ecma, &answer.etag, self.put_etag_is_md5());
        let held = Held { bytes: streamed.bytes, digests };
        let verified = check(self.size, &info.digests, &streamed, &held)
            .map_err(|mismatch| Trouble::wrong_bytes(format!("put: {mismatch}")))?;
        let mut result = self.copied(verified, Some(answer.etag), departures);
        result.reason = carried.left_behind().or_else(|| self.not_pinned());
        Ok(Some(result))
    }

    /// What the report says of an object whose server gave nothing to pin it by.
    fn not_pinned(&self) -> Option<String> {
        let is_size_alone = self.pin.as_ref().is_some_and(|pin| pin.etag.is_size_alone());
        is_size_alone.then(|| NOT_PINNED.to_owned())
    }

    fn carried(&self, info: &ObjectInfo, along: &Along) -> Carried {
        let comparable = self.session.etags_are_comparable();
        let etag = self.pin.as_ref().map(|pin| &pin.etag);
        // An ETag in the form of an MD5 without being one (KMS) would tell a later pass nothing true.
        // After T2 the mark tells our copies from what the application writes.
        let is_needed = needs_provenance(comparable, etag, false)
            || info.digests.md5.is_none()
            || self.work.pass.t2.is_some();
        let provenance = is_needed.then(|| self.provenance());
        let mut carried = carry(&self.work.job, info, along, provenance);
        carried.options.content_md5 = info.digests.md5;
        carried.options.forbid_overwrite = self.forbid_overwrite;
        carried
    }

    fn provenance(&self) -> String {
        provenance_of(&Entry {
            key: self.object.key.clone(),
            size: self.size,
            etag: self.pin.as_ref().map(|pin| pin.etag.clone()),
            last_modified: self.object.last_modified,
            storage_class: None,
            archived: false,
        })
    }

    fn put_etag_is_md5(&self) -> bool {
        self.session.target.profile().etag_is_md5
            && self.work.job.target.encryption != Some(Encryption::Kms)
    }

    /// Whether the target's object may be one that the application wrote there, after T2 or where
    /// overwriting is forbidden and a versioned bucket would do it all the same.
    async fn look_before_writing(&self) -> Result<Place, Trouble> {
        if !self.session.looks_before_writing(self.work, self.forbid_overwrite) {
            return Ok(Place::Free);
        }
        let found = self.session.target.head(&self.target_key).await.map_err(Trouble::target)?;
        let Some(found) = found else {
            let is_deleted = self.work.was_deleted_since_planned(&self.object.expected);
            // A PUT of ours may have been cut off: nothing says that it was there.
            let is_deleted = is_deleted && !self.may_be_ours;
            return Ok(if is_deleted { Place::Deleted } else { Place::Free });
        };
        let is_theirs = self.work.may_be_the_applications(&found, &self.object.expected);
        Ok(if self.forbid_overwrite || is_theirs { Place::Taken } else { Place::Free })
    }

    /// Something is under the key that must not be overwritten: the bytes that belong there, by a PUT
    /// of ours whose answer or record was lost, or the application's own.
    async fn look_at_target(&mut self) -> Result<ObjectResult, Trouble> {
        let found = self.session.target.head(&self.target_key).await.map_err(Trouble::target)?;
        let Some(found) = found else {
            self.step = Step::Copy;
            return Err(Trouble::bad_target("head: what forbade the put is gone again"));
        };
        if found.size == self.size {
            let read = match self.read.take() {
                Some(read) => read,
                None => self.read_whole().await?,
            };
            let WholeRead { source, streamed, departures } = &read;
            let departures = *departures;
            let same = same_bytes(self.size, source, streamed, &found, &self.provenance());
            self.read = Some(read);
            if let Some(verified) = same {
                let mut result = self.copied(verified, found.etag, departures);
                if !self.may_be_ours {
                    result.outcome = Some(Outcome::Unchanged);
                    result.departures = Departures::default();
                }
                return Ok(result);
            }
        }
        if self.gives_way(&found) {
            (self.step, self.forbid_overwrite) = (Step::Copy, false);
            return Err(Trouble::bad_target("head: the mirror rule fetched older bytes meanwhile"));
        }
        let reason = "the target holds an object of its own under the key";
        let mut kept = ObjectResult::plain(self.index, Outcome::Kept, reason);
        kept.target_etag = found.etag;
        Ok(kept)
    }

    /// Whether what forbade the PUT is a copy that the mirror rule fetched since the object was planned,
    /// of bytes that the source has written over: nobody's own.
    fn gives_way(&self, found: &ObjectInfo) -> bool {
        let is_after_t2 = self.work.pass.t2.is_some();
        let may_overwrite = self.work.job.policy.overwrite != Some(Overwrite::Never);
        is_after_t2 && may_overwrite && self.forbid_overwrite && found.mirrored
    }

    /// Reads the object for its digests alone.
    async fn read_whole(&self) -> Result<WholeRead, Trouble> {
        let OpenObject { info, body } = self.open().await?;
        // What was read along when it was put is not asked for again.
        let departures = self.carried(&info, &Along::default()).departures;
        let (mut body, tap) = self.tap(body, &info);
        while let Some(frame) = body.next().await {
            frame.map_err(Trouble::source)?;
        }
        let streamed = tap.whole().ok_or_else(|| Trouble::bad_source("read: no end"))?;
        Ok(WholeRead { source: info.digests, streamed, departures })
    }

    fn tap(&self, body: ObjectBody, info: &ObjectInfo) -> (ObjectBody, Tap) {
        Tap::on(body, info.digests.crc64_nvme.is_some(), &self.session.passed_bytes)
    }

    fn copied(
        &self,
        verified: Verified,
        target_etag: Option<ETag>,
        departures: Departures,
    ) -> ObjectResult {
        ObjectResult {
            index: self.index,
            outcome: Some(Outcome::Copied),
            proof: Some(verified.grade()),
            crc64_ecma: Some(verified.crc64_ecma()),
            bytes: self.size,
            source_etag: self.pin.as_ref().map(|pin| pin.etag.clone()),
            target_etag,
            reason: None,
            departures,
        }
    }

    fn plain(&self, outcome: Outcome, reason: String) -> Ended {
        Ended::Result(ObjectResult::plain(self.index, outcome, reason))
    }
}
