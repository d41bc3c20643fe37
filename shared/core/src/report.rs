//! What a pass did: the object of `run --json`, and the same for people.

mod text;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fidelity::Departed;
use crate::meter::Requests;
use crate::outcome::Outcome;
use crate::prices::{AlibabaCost, AlibabaPrices, Cost, Prices};
use crate::proof::Grade;
use crate::restored::{Restored, restored};
use crate::sums::{Sum, Walked};

pub use text::grouped;

/// How a pass stands, in the words of its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportState {
    /// Work is left.
    Open,
    /// Every slice is listed and settled.
    Finished,
    /// Ended early, for the reason beside it.
    Stopped,
    /// Ended early, because somebody asked.
    Cancelled,
}

impl fmt::Display for ReportState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        })
    }
}

/// Objects copied, by the grade of their proof. See [`Grade`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct Proofs {
    /// Both servers' digests agree.
    pub a: u64,
    /// The source's digest and the target's each agree with ours.
    pub b: u64,
    /// The target's digest agrees with ours.
    pub c: u64,
    /// The sizes agree.
    pub d: u64,
}

/// What a pass is called, how it stands and what it took: all that is not a sum.
#[derive(Clone, PartialEq, Debug)]
pub struct PassFacts {
    /// The pass's id.
    pub pass: String,
    /// `full`, `incremental`, `audit` or `retry`.
    pub kind: String,
    /// How it stands.
    pub state: ReportState,
    /// Why it was stopped.
    pub reason: Option<String>,
    /// Whether the source was walked serially, because it is not known to list by bytes.
    pub serial: bool,
    /// Whether the source is Amazon's own S3, whose requests are priced like the host's.
    pub source_is_s3: bool,
    /// Planned objects that wait for the source to restore them.
    pub restoring: u64,
    /// Slices that it was walked in.
    pub slices: u64,
    /// Tasks that it was cut into.
    pub tasks: u64,
    /// From its beginning to its end, or to now.
    pub seconds: f64,
}

/// What a pass did. Fields are objects unless they say otherwise; names are relied on by scripts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The pass's id.
    pub pass: String,
    /// `full`, `incremental`, `audit` or `retry`.
    pub kind: String,
    /// How it stands.
    pub state: ReportState,
    /// Why it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In the source's listing; in an audit also keys that only the target lists.
    pub listed: u64,
    /// Not of the job, by its filters.
    pub filtered: u64,
    /// Found to need no work: the sum of the next three.
    pub skipped: u64,
    /// Found equal at the target.
    pub skipped_equal: u64,
    /// There already, and the policy forbids to overwrite.
    pub skipped_exists: u64,
    /// Copied before, and since deleted at the target by the application.
    pub skipped_deleted: u64,
    /// Written into tasks: the sum of the outcomes and of `pending`.
    pub planned: u64,
    /// Planned, and without an outcome yet. Zero once the pass has ended.
    pub pending: u64,
    /// Of those, objects that the source was asked to restore, and that are waited for.
    #[serde(default)]
    pub restoring: u64,
    /// Copied and proved.
    pub copied: u64,
    /// Found equal when its turn came.
    pub unchanged: u64,
    /// The target's own newer object was left alone.
    pub kept: u64,
    /// Deleted at the source since the listing.
    pub gone: u64,
    /// Left to the next pass.
    pub deferred: u64,
    /// Must be restored first.
    pub archived: u64,
    /// OSS cannot hold that key or size.
    pub unsupported: u64,
    /// Every attempt failed.
    pub failed: u64,
    /// The pass ended before its turn.
    #[serde(rename = "not-attempted")]
    pub not_attempted: u64,
    /// Found by an audit: the target holds what the source does. Those that the listings show equal
    /// are `skipped_equal`.
    #[serde(default)]
    pub equal: u64,
    /// Found by an audit: the target lacks it.
    #[serde(default)]
    pub missing: u64,
    /// Found by an audit: the target holds something else.
    #[serde(default)]
    pub different: u64,
    /// Found by an audit: the application wrote the target's object after the switch.
    #[serde(default, rename = "newer-at-target")]
    pub newer_at_target: u64,
    /// Found by an audit: only the target holds the key.
    #[serde(default, rename = "extra-at-target")]
    pub extra_at_target: u64,
    /// It changed at either end while an audit looked.
    #[serde(default)]
    pub changed: u64,
    /// Bytes of the objects listed.
    pub bytes_listed: u64,
    /// Bytes of the objects planned.
    pub bytes_planned: u64,
    /// Bytes of the objects copied.
    pub bytes_copied: u64,
    /// Objects whose bytes an audit read again at the source.
    #[serde(default)]
    pub reread: u64,
    /// Their bytes.
    #[serde(default)]
    pub bytes_reread: u64,
    /// How the copies depart from their sources, by property, where any do. Objects that were not copied were not
    /// read, so that nothing is known of them here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub departures: BTreeMap<String, Departed>,
    /// How the copied objects were proved; in an audit, how the equal ones were found so.
    pub proof: Proofs,
    /// Requests made, by operation.
    pub requests: Requests,
    /// What AWS asks for the pass, where it hosts some of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What Alibaba Cloud asks for the pass, where it hosts some of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alibaba_cost: Option<AlibabaCost>,
    /// What the source was asked to restore of its archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<Restored>,
    /// Target objects looked up one by one, because the listing could not be joined.
    pub target_heads: u64,
    /// Whether the source was walked serially, because it is not known to list by bytes.
    #[serde(default)]
    pub serial: bool,
    /// Key ranges that the source was walked in.
    pub slices: u64,
    /// Tasks.
    pub tasks: u64,
    /// From the pass's beginning to its end, or to now.
    pub seconds: f64,
}

/// The counts contradict each other.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LawBroken {
    /// listed = filtered + skipped + planned.
    #[error("listed {listed} objects, but filtered + skipped + planned is {accounted}")]
    Listed {
        /// In the listing.
        listed: u64,
        /// The sum.
        accounted: u64,
    },
    /// planned = the sum of the outcomes.
    #[error("planned {planned} objects, but the outcomes are of {accounted}")]
    Planned {
        /// In tasks.
        planned: u64,
        /// The sum.
        accounted: u64,
    },
    /// Every copied object has a proof.
    #[error("copied {copied} objects, but the proofs are of {proved}")]
    Proved {
        /// Copied.
        copied: u64,
        /// The sum.
        proved: u64,
    },
}

impl Report {
    /// The report of a pass from its sums. What was planned and has no outcome is `pending` in an open
    /// pass and `not-attempted` in one that ended early.
    pub fn new(facts: PassFacts, walked: &Walked, sum: &Sum) -> Self {
        let rest = walked.planned.saturating_sub(sum.objects());
        let ended_early = matches!(facts.state, ReportState::Stopped | ReportState::Cancelled);
        let (pending, left) = if ended_early { (0, rest) } else { (rest, 0) };
        let mut requests = walked.requests.clone();
        requests.add(&sum.requests);
        let proved = |grade: Grade| sum.proofs[grade.index()];
        let prices = Prices::aws_us_east_1();
        let with_price = |restored: Restored| {
            let price = facts.source_is_s3.then(|| prices.restored(&restored)).flatten();
            Restored { price, ..restored }
        };
        Self {
            pass: facts.pass,
            kind: facts.kind,
            state: facts.state,
            reason: facts.reason,
            listed: walked.listed,
            filtered: walked.filtered,
            skipped: walked.skipped(),
            skipped_equal: walked.skipped_equal,
            skipped_exists: walked.skipped_exists,
            skipped_deleted: walked.skipped_deleted,
            planned: walked.planned,
            pending,
            restoring: facts.restoring.min(pending),
            copied: sum.of(Outcome::Copied),
            unchanged: sum.of(Outcome::Unchanged),
            kept: sum.of(Outcome::Kept),
            gone: sum.of(Outcome::Gone),
            deferred: sum.of(Outcome::Deferred),
            archived: sum.of(Outcome::Archived),
            unsupported: sum.of(Outcome::Unsupported),
            failed: sum.of(Outcome::Failed),
            not_attempted: sum.of(Outcome::NotAttempted) + left,
            equal: sum.of(Outcome::Equal),
            missing: sum.of(Outcome::Missing),
            different: sum.of(Outcome::Different),
            newer_at_target: sum.of(Outcome::NewerAtTarget),
            extra_at_target: sum.of(Outcome::ExtraAtTarget),
            changed: sum.of(Outcome::Changed),
            bytes_listed: walked.listed_bytes,
            bytes_planned: walked.planned_bytes,
            bytes_copied: sum.bytes_copied,
            reread: sum.findings.reread,
            bytes_reread: sum.findings.bytes_reread,
            departures: departures(sum),
            proof: Proofs {
                a: proved(Grade::A),
                b: proved(Grade::B),
                c: proved(Grade::C),
                d: proved(Grade::D),
            },
            cost: prices.cost(&requests, facts.source_is_s3),
            alibaba_cost: AlibabaPrices::mainland().cost(&requests),
            restored: restored(&requests.restored).into_iter().map(with_price).collect(),
            requests,
            target_heads: walked.target_heads,
            serial: facts.serial,
            slices: facts.slices,
            tasks: facts.tasks,
            seconds: facts.seconds,
        }
    }

    /// How many objects had an outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Copied => self.copied,
            Outcome::Unchanged => self.unchanged,
            Outcome::Kept => self.kept,
            Outcome::Gone => self.gone,
            Outcome::Deferred => self.deferred,
            Outcome::Archived => self.archived,
            Outcome::Unsupported => self.unsupported,
            Outcome::Failed => self.failed,
            Outcome::NotAttempted => self.not_attempted,
            Outcome::Equal => self.equal,
            Outcome::Missing => self.missing,
            Outcome::Different => self.different,
            Outcome::NewerAtTarget => self.newer_at_target,
            Outcome::ExtraAtTarget => self.extra_at_target,
            Outcome::Changed => self.changed,
        }
    }

    /// Whether the pass only compared.
    pub fn is_audit(&self) -> bool {
        self.kind == "audit"
    }

    /// Objects of an audit that were not found equal, whatever else was found of them.
    pub fn unequal(&self) -> u64 {
        if self.is_audit() { self.planned - self.equal.min(self.planned) } else { 0 }
    }

    /// Checks that the counts keep the law: listed = filtered + skipped + planned, planned = the sum of
    /// the outcomes (nothing pending once the pass has finished), and a proof for each object that was
    /// copied or found equal.
    pub fn check_law(&self) -> Result<(), LawBroken> {
        let accounted = self.filtered + self.skipped + self.planned;
        if accounted != self.listed {
            return Err(LawBroken::Listed { listed: self.listed, accounted });
        }
        let outcomes: u64 = Outcome::ALL.into_iter().map(|outcome| self.of(outcome)).sum();
        let pending = if self.state == ReportState::Open { self.pending } else { 0 };
        if outcomes + pending != self.planned {
            return Err(LawBroken::Planned {
                planned: self.planned,
                accounted: outcomes + pending,
            });
        }
        let proved = self.proof.a + self.proof.b + self.proof.c + self.proof.d;
        let copied = self.copied + self.equal;
        if proved < copied {
            return Err(LawBroken::Proved { copied, proved });
        }
        Ok(())
    }

    /// The exit status: 0 finished and nothing failed; 2 finished with failures, or an audit that did
    /// not find everything equal; 1 anything else, a pass that listed nothing among it.
    pub fn exit_status(&self) -> u8 {
        match self.state {
            ReportState::Finished if self.listed == 0 => 1,
            ReportState::Finished if self.failed > 0 || self.unequal() > 0 => 2,
            ReportState::Finished => 0,
            ReportState::Open | ReportState::Stopped | ReportState::Cancelled => 1,
        }
    }
}

fn departures(sum: &Sum) -> BTreeMap<String, Departed> {
    sum.departures.iter().map(|(name, departed)| (name.to_string(), departed)).collect()
}

#[cfg(test)]
mod tests;
