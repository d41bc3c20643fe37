//! One attempt at a large object.

use ossferry_core::along::CannedAcl;
use ossferry_core::fidelity::Departures;
use ossferry_core::meter::Requests;
use ossferry_core::object::{ETag, ObjectHeaders};
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::codec::{TypedRow, json_text};
use crate::lease::{Change, Claimant, Hold, Lease, LeaseLost, Taken};
use crate::lists::ObjectResult;

mod lost_answer;
mod opened;
mod turn;

pub use lost_answer::{AtTarget, Found};
pub use opened::Opened;
pub use turn::{NextAttempt, OpeningTurn, RangeTurn, UploadDue};

/// Opening ─► Open ─► Completing ─► Complete; Opening, Open and Completing may become Aborted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// A planner is about to begin the upload at the target.
    Opening,
    /// Its parts are being written.
    Open,
    /// One copier proves it and puts it together.
    Completing,
    /// The object stands at the target, proved.
    Complete,
    /// Given up, for the reason beside it.
    Aborted,
}

/// Why an attempt was given up. Names are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortReason {
    /// The source's object is another one now: the next generation takes it.
    Changed,
    /// The proof did not hold: the next generation takes the object again.
    Mismatch,
    /// The target lost the upload: the next generation takes the object again.
    Vanished,
    /// The object ended another way (gone, archived, kept, failed); its task says how.
    Ended,
}

/// `upload/<generation>`: an attempt at a large object.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct UploadRow {
    /// From 1.
    pub generation: u64,
    /// How far it is.
    pub state: UploadState,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_reason: Option<AbortReason>,
    /// Who opens or completes it.
    #[serde(with = "json_text")]
    pub lease: Lease,
    /// The target's clock just before it was begun there.
    pub opening_at: Timestamp,
    /// As the target gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<String>,
    /// The source's object that this attempt copies, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_etag: Option<ETag>,
    /// Bytes of the object.
    pub size: u64,
    /// Bytes of each part but the last.
    pub part_bytes: u64,
    /// Parts of each range but the last.
    pub range_parts: u64,
    /// Ranges.
    pub ranges: u64,
    /// Messages of ranges below it were sent.
    pub ranges_sent: u64,
    /// Ranges below it are done: only a hint where to begin to look.
    pub done_below: u64,
    /// The object's headers, as the upload was begun with.
    #[serde(with = "json_text")]
    pub headers: ObjectHeaders,
    /// What of the object's metadata OSS cannot hold, for the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// How the copy departs from its source, for the result.
    #[serde(default, skip_serializing_if = "Departures::is_none")]
    pub departures: Departures,
    /// Sent with Complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<CannedAcl>,
    /// CRC-64/ECMA by the source's server, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_crc64_ecma: Option<String>,
    /// CRC-64/NVME by the source's server, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_crc64_nvme: Option<String>,
    /// The target's clock when completing began first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completing_at: Option<Timestamp>,
    /// CRC-64/ECMA of the completed object, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64_ecma: Option<String>,
    /// Of the completed object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_etag: Option<ETag>,
    /// How the completed object was proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Grade>,
    /// Requests made to open it.
    #[serde(with = "json_text")]
    pub requests: Requests,
    /// Claims in a row of whose holders nothing was heard.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u64,
    /// Completions in a row that their holders put off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fruitless: u64,
}

impl TypedRow for UploadRow {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Claims in a row of which nothing was heard before the object is given up: workers died at it.
const DEATHS_MAX: u64 = 4;

/// Completions in a row that may be put off before the object is failed: as patient as a batch.
const FRUITLESS_MAX: u64 = 6;

/// A result of an upload stands under `generation` × this + fence: each holder's in a row of its own.
const RESULT_FENCES: u64 = 1_000_000;

impl UploadRow {
    /// An attempt that `claimant` is about to begin at the target.
    pub fn opening(generation: u64, claimant: &Claimant, target_now: Timestamp) -> Self {
        Self {
            generation,
            state: UploadState::Opening,
            abort_reason: None,
            lease: Lease::default().taken_by(claimant),
            opening_at: target_now,
            upload_id: None,
            pinned_etag: None,
            size: 0,
            part_bytes: 0,
            range_parts: 0,
            ranges: 0,
            ranges_sent: 0,
            done_below: 0,
            headers: ObjectHeaders::default(),
            left_behind: None,
            departures: Departures::default(),
            acl: None,
            source_crc64_ecma: None,
            source_crc64_nvme: None,
            completing_at: None,
            crc64_ecma: None,
            target_etag: None,
            proof: None,
            requests: Requests::default(),
            attempts: 1,
            fruitless: 0,
        }
    }

    /// Whether workers died while they opened it or put it together, one after the other.
    pub fn is_poison(&self) -> bool {
        self.attempts > DEATHS_MAX
    }

    /// Whether they die even of giving it up: then nothing is asked of the target any more.
    pub fn is_deadly(&self) -> bool {
        self.attempts > 2 * DEATHS_MAX
    }

    /// Whether it was put off so often that it has failed.
    pub fn is_out_of_patience(&self) -> bool {
        self.fruitless >= FRUITLESS_MAX
    }

    /// Notes that its holder lives, and leaves it to whoever comes after the lease: a request to
    /// complete may still be on its way.
    pub fn put_off(&self, owner: &str) -> Change<Self, ()> {
        if self.attempts == 0 || self.lease.owner.as_deref() != Some(owner) {
            return Change::Keep(());
        }
        Change::Write(Self { attempts: 0, fruitless: self.fruitless + 1, ..self.clone() }, ())
    }

    /// Takes over an opening whose planner is gone. `opening_at` stays: uploads begun since then may
    /// be the lost planner's.
    pub fn claim_opening(&self, claimant: &Claimant) -> Change<Self, Taken> {
        if self.state != UploadState::Opening {
            return Change::Keep(Taken::Over);
        }
        self.take(claimant, UploadState::Opening, self.completing_at)
    }

    /// Notes that messages of ranges below `ranges_sent` were sent.
    pub fn sent(&self, ranges_sent: u64) -> Change<Self, ()> {
        if self.ranges_sent >= ranges_sent {
            return Change::Keep(());
        }
        Change::Write(Self { ranges_sent, ..self.clone() }, ())
    }

    /// Raises the hint where to begin to look for an undone range.
    pub fn done_below(&self, done_below: u64) -> Change<Self, ()> {
        if self.done_below >= done_below {
            return Change::Keep(());
        }
        Change::Write(Self { done_below, ..self.clone() }, ())
    }

    /// Takes the upload to put it together, after every range was found done.
    pub fn claim_completing(
        &self,
        claimant: &Claimant,
        target_now: Timestamp,
    ) -> Change<Self, Taken> {
        match self.state {
            UploadState::Open | UploadState::Completing => self.take(
                claimant,
                UploadState::Completing,
                self.completing_at.or(Some(target_now)),
            ),
            UploadState::Opening | UploadState::Complete | UploadState::Aborted => {
                Change::Keep(Taken::Over)
            }
        }
    }

    /// The object stands at the target, proved.
    pub fn completed(
        &self,
        hold: &Hold,
        crc64_ecma: u64,
        target_etag: &ETag,
        proof: Grade,
    ) -> Result<Change<Self, ()>, LeaseLost> {
        if self.state == UploadState::Complete {
            return Ok(Change::Keep(()));
        }
        self.lease.check(hold)?;
        let row = Self {
            state: UploadState::Complete,
            lease: self.lease.released(),
            crc64_ecma: Some(crc64_ecma.to_string()),
            target_etag: Some(target_etag.clone()),
            proof: Some(proof),
            ..self.clone()
        };
        Ok(Change::Write(row, ()))
    }

    /// The least fence under which a result of this attempt may stand.
    pub fn first_result_fence(&self) -> u64 {
        self.generation * RESULT_FENCES
    }

    /// The fence under which the holder of this row records what became of the object.
    pub fn result_fence(&self) -> u64 {
        self.first_result_fence() + self.lease.fence
    }

    /// What became of the object, once the upload is complete: the same whoever asks.
    pub fn result(&self) -> Option<ObjectResult> {
        (self.state == UploadState::Complete).then(|| ObjectResult {
            index: 0,
            outcome: Some(Outcome::Copied),
            proof: self.proof,
            crc64_ecma: self.crc64_ecma.as_ref().and_then(|text| text.parse().ok()),
            bytes: self.size,
            source_etag: self.pinned_etag.clone(),
            target_etag: self.target_etag.clone(),
            reason: self.left_behind.clone(),
            departures: self.departures,
        })
    }

    /// Lets go of an opening or a completion that is not at its end.
    pub fn let_go(&self, hold: &Hold) -> Change<Self, ()> {
        if self.lease.check(hold).is_err() {
            return Change::Keep(());
        }
        Change::Write(Self { lease: self.lease.released(), attempts: 0, ..self.clone() }, ())
    }

    /// Gives the attempt up, unless it was completed; the next one is not to begin before `due`.
    /// Answers why it was given up first.
    ///
    /// While it is opened or completed only the holder may, and a holder that lost it may not.
    pub fn aborted(
        &self,
        reason: AbortReason,
        hold: Option<&Hold>,
        due: Timestamp,
    ) -> Result<Change<Self, Option<AbortReason>>, LeaseLost> {
        match self.state {
            UploadState::Complete => return Ok(Change::Keep(None)),
            UploadState::Aborted => return Ok(Change::Keep(self.abort_reason)),
            UploadState::Completing | UploadState::Opening => match hold {
                Some(hold) => self.lease.check(hold)?,
                None => return Err(LeaseLost { fence: self.lease.fence }),
            },
            UploadState::Open => hold.map_or(Ok(()), |hold| self.lease.check(hold))?,
        }
        let row = Self {
            state: UploadState::Aborted,
            abort_reason: Some(reason),
            lease: self.lease.released_until(due),
            ..self.clone()
        };
        Ok(Change::Write(row, Some(reason)))
    }

    /// CRC-64/ECMA by the source's server.
    pub fn source_crc64_ecma(&self) -> Option<u64> {
        self.source_crc64_ecma.as_ref().and_then(|text| text.parse().ok())
    }

    /// CRC-64/NVME by the source's server.
    pub fn source_crc64_nvme(&self) -> Option<u64> {
        self.source_crc64_nvme.as_ref().and_then(|text| text.parse().ok())
    }

    fn take(
        &self,
        claimant: &Claimant,
        state: UploadState,
        completing_at: Option<Timestamp>,
    ) -> Change<Self, Taken> {
        if self.state == state && self.lease.is_held_by(claimant) {
            return Change::Keep(Taken::Mine);
        }
        if !self.lease.is_free_for(claimant) {
            return Change::Keep(Taken::Leased(self.lease.until));
        }
        let (lease, attempts) = (self.lease.taken_by(claimant), self.attempts + 1);
        Change::Write(Self { state, lease, completing_at, attempts, ..self.clone() }, Taken::Mine)
    }
}

#[cfg(test)]
mod tests;
