//! An upload that one copier holds: proved from the target's own list of parts, then published.

use ossferry_core::compare::{PROVENANCE_NAME, provenance_of};
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::job::Overwrite;
use ossferry_core::key::Key;
use ossferry_core::layout::PartLayout;
use ossferry_core::object::{Digests, ETag, Entry, ObjectInfo};
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::PutOptions;
use ossferry_core::proof::Verified;
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{TaskRef, task_row};
use ossferry_ledger::lease::Hold;
use ossferry_ledger::lists::{Action, PlannedObject};
use ossferry_ledger::rows::{AbortReason, AtTarget, Found, PartResult, TaskRow, UploadRow};
use ossferry_ledger::{Handled, LedgerError};

use crate::complete::end_of;
use crate::copier::CopyError;
use crate::giving_up::LargeObject;
use crate::object::{DELETED, Tries};
use crate::proof::{prove_parts, same_bytes, streamed_of};
use crate::reaction::{Reaction, Trouble, reaction};
use crate::session::{PassWork, Session};

/// Attempts at an object whose parts do not agree, or whose upload vanishes, before it is failed. The
/// opener counts as many; only here the cause is known.
const ATTEMPTS_MAX: usize = 3;

/// What stands under the key right before the upload is put together.
enum Place {
    /// What may be written over, or nothing.
    Free,
    /// What must be looked at.
    Taken(Box<ObjectInfo>),
    /// Nothing any more: the application deleted what was to be written over.
    Deleted,
}

/// Why a completion did not come to its end.
enum Halt {
    /// A store answered with an error.
    Trouble(Trouble),
    /// The ledger did.
    Copy(CopyError),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Copy(error.into())
    }
}

impl From<CopyError> for Halt {
    fn from(error: CopyError) -> Self {
        Self::Copy(error)
    }
}

/// An upload whose row is held.
pub(crate) struct Completion<'a> {
    session: &'a Session,
    work: &'a PassWork,
    task: &'a TaskRef,
    row: &'a UploadRow,
    hold: Hold,
    upload_id: &'a str,
    target_key: Key,
    planned: PlannedObject,
    layout: PartLayout,
    ours: Vec<PartResult>,
    /// The target's clock, just before the row was taken.
    target_now: Timestamp,
}

impl<'a> Completion<'a> {
    /// `None` where the task has ended already.
    pub(crate) async fn new(
        session: &'a Session,
        work: &'a PassWork,
        task: &'a TaskRef,
        row: &'a UploadRow,
        target_now: Timestamp,
    ) -> Result<Option<Self>, CopyError> {
        let ledger = &session.ledger;
        let task_row: TaskRow = ledger.expect(&task_row(task)).await?;
        if task_row.state.is_final() {
            // Ended by a worker that died before the slice heard of it.
            ledger.settle(&task.slice, work.window()).await?;
            return Ok(None);
        }
        let broken = |what: &str| {
            LedgerError::Inconsistent(format!("the upload of task {task} has no {what}"))
        };
        let planned = ledger.objects(task, &task_row).await?.into_iter().next();
        let planned = planned.ok_or_else(|| broken("object"))?;
        let target_key = work.job.target_key(&planned.key);
        let ranges = ledger.ranges(task, row).await?;
        Ok(Some(Self {
            session,
            work,
            task,
            row,
            hold: Hold { owner: session.claimant.owner.clone(), fence: row.lease.fence },
            upload_id: row.upload_id.as_deref().ok_or_else(|| broken("id"))?,
            target_key: target_key.ok_or_else(|| broken("key at the target"))?,
            planned,
            layout: PartLayout::new(row.size, row.part_bytes).ok_or_else(|| broken("layout"))?,
            ours: ranges.into_iter().flat_map(|range| range.results).collect(),
            target_now,
        }))
    }

    pub(crate) async fn run(&self) -> Result<Handled, CopyError> {
        let (task, mut tries) = (self.task, Tries::default());
        loop {
            let trouble = match self.attempt().await {
                Ok(handled) => return Ok(handled),
                Err(Halt::Copy(error)) => return Err(error),
                Err(Halt::Trouble(trouble)) => trouble,
            };
            tracing::debug!(%task, %trouble, "complete: attempt failed");
            match reaction(&trouble) {
                Reaction::StopPass => {
                    let generation = self.row.generation;
                    self.session.ledger.let_go_of_upload(task, generation, &self.hold).await?;
                    self.session.stop_pass(task.pass(), &trouble).await?;
                    return Ok(Handled::Done);
                }
                Reaction::Record(outcome) => {
                    return self.conclude(outcome, &trouble.to_string()).await;
                }
                Reaction::Again => {
                    tries.transient += 1;
                    if tries.transient < self.session.options.attempts_max
                        && self.session.pause(tries.transient, &trouble).await
                    {
                        continue;
                    }
                }
                _ => {}
            }
            tracing::warn!(%task, %trouble, "complete: put off");
            return Ok(self.session.after_own_lease());
        }
    }

    async fn attempt(&self) -> Result<Handled, Halt> {
        let target = &self.session.target;
        let held = match target.list_parts(&self.target_key, self.upload_id).await {
            Ok(held) => held,
            Err(error) if error.kind == ErrorKind::NoSuchUpload => {
                return self.look_for_it(true).await;
            }
            Err(error) => return Err(Trouble::target(error).into()),
        };
        let proved = match prove_parts(&self.layout, &self.ours, &held, &self.source_digests()) {
            Ok(proved) => proved,
            Err(refused) => {
                tracing::warn!(task = %self.task, %refused, "complete: the proof does not hold");
                return self.retake(AbortReason::Mismatch, &refused.to_string()).await;
            }
        };
        match self.taken_at_target().await? {
            Place::Free => {}
            Place::Taken(found) => return self.judge(*found).await,
            Place::Deleted => return Ok(self.conclude(Outcome::Kept, DELETED).await?),
        }
        let options = PutOptions {
            forbid_overwrite: self.planned.action == Action::Copy { forbid_overwrite: true },
            acl: self.row.acl,
            ..PutOptions::default()
        };
        let (key, parts, proof) = (&self.target_key, &proved.parts, &proved.proof);
        let completed = target.complete_upload(key, self.upload_id, parts, &options, proof).await;
        match completed {
            Ok(answer) if answer.crc64_ecma.is_some_and(|crc| crc != proof.crc64_ecma()) => {
                let what = "complete: the object's crc64_ecma differs from that of its parts";
                self.retake(AbortReason::Mismatch, what).await
            }
            Ok(answer) => self.completed(proved.proof, &answer.etag).await,
            Err(error) => match error.kind {
                ErrorKind::AlreadyExists => match self.head().await? {
                    Some(found) => self.judge(found).await,
                    None => Err(Trouble::bad_target("head: what forbade it is gone again").into()),
                },
                ErrorKind::NoSuchUpload => self.look_for_it(true).await,
                ErrorKind::InvalidPart => {
                    self.retake(AbortReason::Mismatch, &error.to_string()).await
                }
                _ if error.conclusion == Conclusion::Unknown => self.look_for_it(false).await,
                _ => Err(Trouble::target(error).into()),
            },
        }
    }

    /// Whether a request to complete took effect whose answer nobody heard. `is_gone`: the target does
    /// not know the upload any more.
    async fn look_for_it(&self, mut is_gone: bool) -> Result<Handled, Halt> {
        let (found, ours) = loop {
            let (at_target, ours) = self.at_target().await?;
            match self.row.after_lost_answer(at_target, is_gone, self.target_now) {
                Found::Contested => {
                    self.large().abort().await?;
                    is_gone = true;
                }
                found => break (found, ours),
            }
        };
        match (found, ours) {
            (Found::Completed, Some((verified, found))) => self.adopt(verified, found).await,
            (Found::Overtaken, _) => {
                let reason = "another object was written to the target while this one was put \
                              together there";
                Ok(self.conclude(Outcome::Kept, reason).await?)
            }
            (Found::Vanished, _) => {
                self.retake(AbortReason::Vanished, "the target lost the upload").await
            }
            (Found::Completed | Found::Contested | Found::Unclear, _) => {
                Ok(self.session.after_own_lease())
            }
        }
    }

    /// What stands under the key; with its proof, where it is the object of this upload.
    async fn at_target(&self) -> Result<(AtTarget, Option<(Verified, ObjectInfo)>), Halt> {
        let Some(found) = self.head().await? else { return Ok((AtTarget::Nothing, None)) };
        Ok(match self.same(&found)? {
            Some(verified) => (AtTarget::Ours, Some((verified, found))),
            None => (AtTarget::Another(found.last_modified), None),
        })
    }

    /// What stands under the key that must not be overwritten, after T2 or on a versioned bucket.
    async fn taken_at_target(&self) -> Result<Place, Trouble> {
        let is_forbidden = self.planned.action == Action::Copy { forbid_overwrite: true };
        if !self.session.looks_before_writing(self.work, is_forbidden) {
            return Ok(Place::Free);
        }
        let Some(found) = self.head().await? else {
            let is_deleted = self.work.was_deleted_since_planned(&self.planned.expected);
            return Ok(if is_deleted { Place::Deleted } else { Place::Free });
        };
        let is_theirs = self.work.may_be_the_applications(&found, &self.planned.expected);
        Ok(if is_forbidden || is_theirs { Place::Taken(Box::new(found)) } else { Place::Free })
    }

    /// Something is under the key that must not be overwritten: our own object, or another.
    async fn judge(&self, found: ObjectInfo) -> Result<Handled, Halt> {
        if let Some(verified) = self.same(&found)? {
            return self.adopt(verified, found).await;
        }
        if found.mirrored && self.work.pass.t2.is_some() && self.may_overwrite() {
            let reason = "the mirror rule fetched older bytes meanwhile";
            return Ok(self.conclude(Outcome::Deferred, reason).await?);
        }
        let reason = "the target holds an object of its own under the key";
        Ok(self.conclude(Outcome::Kept, reason).await?)
    }

    fn may_overwrite(&self) -> bool {
        self.work.job.policy.overwrite != Some(Overwrite::Never)
    }

    async fn head(&self) -> Result<Option<ObjectInfo>, Trouble> {
        self.session.target.head(&self.target_key).await.map_err(Trouble::target)
    }

    fn source_digests(&self) -> Digests {
        Digests {
            crc64_ecma: self.row.source_crc64_ecma(),
            crc64_nvme: self.row.source_crc64_nvme(),
            md5: None,
        }
    }

    fn same(&self, found: &ObjectInfo) -> Result<Option<Verified>, LedgerError> {
        let streamed = streamed_of(&self.layout, &self.ours)
            .map_err(|refused| LedgerError::Inconsistent(refused.to_string()))?;
        let metadata = &self.row.headers.user_metadata;
        let mark = metadata.iter().find(|(name, _)| name == PROVENANCE_NAME);
        let provenance = mark.map_or_else(|| self.provenance(), |(_, mark)| mark.clone());
        let size = self.layout.object_bytes();
        Ok(same_bytes(size, &self.source_digests(), &streamed, found, &provenance))
    }

    fn provenance(&self) -> String {
        provenance_of(&Entry {
            key: self.planned.key.clone(),
            size: self.row.size,
            etag: self.row.pinned_etag.clone(),
            last_modified: self.planned.last_modified,
            storage_class: None,
            archived: false,
        })
    }

    /// The object is there already. An upload that is still open then is one too many.
    async fn adopt(&self, verified: Verified, found: ObjectInfo) -> Result<Handled, Halt> {
        self.large().abort().await?;
        self.completed(verified, &found.etag.unwrap_or_else(|| ETag::new(""))).await
    }

    async fn completed(&self, proof: Verified, etag: &ETag) -> Result<Handled, Halt> {
        let (ledger, generation) = (&self.session.ledger, self.row.generation);
        let (crc, grade) = (proof.crc64_ecma(), proof.grade());
        let row =
            ledger.complete_upload(self.task, generation, &self.hold, crc, etag, grade).await?;
        Ok(end_of(self.session, self.task, self.work, row).await?)
    }

    fn large(&self) -> LargeObject<'_> {
        LargeObject {
            session: self.session,
            task: self.task,
            upload: self.row,
            target_key: &self.target_key,
        }
    }

    /// Takes the object again with another upload, unless that was tried often enough.
    async fn retake(&self, reason: AbortReason, cause: &str) -> Result<Handled, Halt> {
        let attempts = self.session.ledger.uploads(self.task).await?;
        let in_vain = |row: &&UploadRow| {
            matches!(row.abort_reason, Some(AbortReason::Mismatch | AbortReason::Vanished))
        };
        if attempts.iter().filter(in_vain).count() + 1 >= ATTEMPTS_MAX {
            let cause = format!("{cause}, at the last of {ATTEMPTS_MAX} attempts");
            return Ok(self.conclude(Outcome::Failed, &cause).await?);
        }
        Ok(self.give_up(reason).await?)
    }

    /// Fails the object by name, unless it stands at the target all the same.
    pub(crate) async fn end_in_vain(&self, reason: &str) -> Result<Handled, CopyError> {
        if !self.row.is_deadly()
            && let Ok(Some(found)) = self.head().await
            && let Ok(Some(verified)) = self.same(&found)
        {
            return match self.adopt(verified, found).await {
                Ok(handled) => Ok(handled),
                Err(Halt::Copy(error)) => Err(error),
                Err(Halt::Trouble(trouble)) => Ok(self.large().put_off(&trouble)),
            };
        }
        self.conclude(Outcome::Failed, reason).await
    }

    pub(crate) async fn give_up(&self, reason: AbortReason) -> Result<Handled, CopyError> {
        self.large().give_up(reason, Some(&self.hold)).await
    }

    async fn conclude(&self, outcome: Outcome, reason: &str) -> Result<Handled, CopyError> {
        self.large().conclude(self.work, &self.hold, outcome, reason).await
    }
}
