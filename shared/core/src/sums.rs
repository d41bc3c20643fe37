//! Counts that stand in rows, and the law they keep: listed = filtered + skipped + planned, and
//! planned = the sum of the outcomes.

use serde::{Deserialize, Serialize};

use crate::fidelity::DepartureCounts;
use crate::meter::Requests;
use crate::outcome::{OUTCOMES, Outcome};
use crate::proof::Grade;

/// What a planner saw. Stands in the slice row whose conditional write moved the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Walked {
    /// Entries of the source listing that lie in the slice; in an audit also keys that only the target
    /// lists.
    pub listed: u64,
    /// Their bytes.
    pub listed_bytes: u64,
    /// Not of the job, by its filters.
    pub filtered: u64,
    /// Found equal at the target.
    pub skipped_equal: u64,
    /// There already, and the policy forbids to overwrite.
    pub skipped_exists: u64,
    /// Copied before and since deleted at the target by the application.
    pub skipped_deleted: u64,
    /// Written into tasks.
    pub planned: u64,
    /// Their bytes.
    pub planned_bytes: u64,
    /// Target objects looked up one by one, because the listing could not be joined.
    pub target_heads: u64,
    /// Requests the planner made.
    pub requests: Requests,
}

impl Walked {
    /// All that was found to need no work.
    pub fn skipped(&self) -> u64 {
        self.skipped_equal + self.skipped_exists + self.skipped_deleted
    }

    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        self.listed += other.listed;
        self.listed_bytes += other.listed_bytes;
        self.filtered += other.filtered;
        self.skipped_equal += other.skipped_equal;
        self.skipped_exists += other.skipped_exists;
        self.skipped_deleted += other.skipped_deleted;
        self.planned += other.planned;
        self.planned_bytes += other.planned_bytes;
        self.target_heads += other.target_heads;
        self.requests.add(&other.requests);
    }

    /// Whether the first half of the law holds.
    pub fn is_conserved(&self) -> bool {
        self.listed == self.filtered + self.skipped() + self.planned
    }
}

/// What became of planned objects. Stands in the task row whose conditional write made it so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sum {
    /// By [`Outcome::index`], of those that a pass which copies has.
    pub outcomes: [u64; COPYING],
    /// Bytes of the objects copied.
    pub bytes_copied: u64,
    /// Objects copied, or found equal by an audit, by [`Grade::index`].
    pub proofs: [u64; 4],
    /// Requests the copiers made.
    pub requests: Requests,
    /// What an audit found.
    #[serde(default, skip_serializing_if = "Findings::is_none")]
    pub findings: Findings,
    /// How the copies depart from their sources.
    #[serde(default, skip_serializing_if = "DepartureCounts::is_none")]
    pub departures: DepartureCounts,
}

/// Outcomes of a pass that copies; an audit's findings are numbered after them.
const COPYING: usize = OUTCOMES - Outcome::FINDINGS.len();

/// What an audit found. Rows of other passes have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Findings {
    /// In the order of [`Outcome::FINDINGS`].
    pub outcomes: [u64; 6],
    /// Objects whose bytes were read again at the source.
    pub reread: u64,
    /// Their bytes.
    pub bytes_reread: u64,
}

impl Findings {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, other: &Self) {
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += count;
        }
        self.reread += other.reread;
        self.bytes_reread += other.bytes_reread;
    }
}

impl Sum {
    /// Counts one object, of which so many bytes were copied, or read again by an audit.
    pub fn count(&mut self, outcome: Outcome, bytes: u64, grade: Option<Grade>) {
        match outcome.index().checked_sub(COPYING) {
            Some(finding) => {
                self.findings.outcomes[finding] += 1;
                self.findings.reread += u64::from(bytes > 0);
                self.findings.bytes_reread += bytes;
            }
            None => self.outcomes[outcome.index()] += 1,
        }
        if outcome == Outcome::Copied {
            self.bytes_copied += bytes;
        }
        if let Some(grade) = grade {
            self.proofs[grade.index()] += 1;
        }
    }

    /// How many had this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        match outcome.index().checked_sub(COPYING) {
            Some(finding) => self.findings.outcomes[finding],
            None => self.outcomes[outcome.index()],
        }
    }

    /// Objects that have an outcome.
    pub fn objects(&self) -> u64 {
        Outcome::ALL.into_iter().map(|outcome| self.of(outcome)).sum()
    }

    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += count;
        }
        for (sum, count) in self.proofs.iter_mut().zip(other.proofs) {
            *sum += count;
        }
        self.bytes_copied += other.bytes_copied;
        self.requests.add(&other.requests);
        self.findings.add(&other.findings);
        self.departures.add(&other.departures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_the_law() {
        let walked = Walked {
            listed: 10,
            filtered: 2,
            skipped_equal: 3,
            skipped_exists: 1,
            planned: 4,
            ..Walked::default()
        };
        assert!(walked.is_conserved());
        let mut twice = walked.clone();
        twice.add(&walked);
        assert!(twice.is_conserved() && twice.listed == 20);
        assert!(!Walked { listed: 1, ..Walked::default() }.is_conserved());

        let mut sum = Sum::default();
        sum.count(Outcome::Copied, 5, Some(Grade::A));
        sum.count(Outcome::Failed, 7, None);
        assert_eq!((sum.objects(), sum.bytes_copied, sum.proofs), (2, 5, [1, 0, 0, 0]));
    }

    #[test]
    fn findings_are_counted_apart_and_stand_in_no_row_of_another_pass() {
        let mut sum = Sum::default();
        sum.count(Outcome::Failed, 7, None);
        assert!(!serde_json::to_string(&sum).unwrap().contains("findings"));
        sum.count(Outcome::Equal, 9, Some(Grade::C));
        sum.count(Outcome::Changed, 0, None);
        assert_eq!((sum.objects(), sum.bytes_copied), (3, 0));
        assert_eq!((sum.of(Outcome::Equal), sum.of(Outcome::Changed)), (1, 1));
        let mut twice = sum.clone();
        twice.add(&sum);
        assert_eq!((twice.of(Outcome::Equal), twice.findings.bytes_reread), (2, 18));
        let text = serde_json::to_string(&twice).unwrap();
        assert_eq!(serde_json::from_str::<Sum>(&text).unwrap(), twice);
    }
}
