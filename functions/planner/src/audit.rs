//! What an audit plans: every key that the listings do not show equal, and a share of those that they do.
//!
//! The planner asks about none of them. A copier does, so that an audit is spread over as many workers
//! as a copy would be.

use ossferry_core::audit::Share;
use ossferry_core::compare::is_listed_equal;
use ossferry_core::key::Key;
use ossferry_core::object::{ETag, Entry};
use ossferry_core::outcome::Outcome;
use ossferry_ledger::lists::{Action, Audited, Expected};

use crate::drafts::Passed;
use crate::judge::{Judge, Ruling, Sighting, Standing, expected};

/// What the target's listing says of a key.
pub(crate) enum AtTarget<'a> {
    Listed(Option<&'a Entry>),
    /// The listing did not reach it.
    Unlisted,
}

impl Judge {
    /// A key of the source.
    pub(crate) fn audit(&self, entry: Entry, target_key: &Key, target: &AtTarget<'_>) -> Sighting {
        let ruling = self.rule_audited(&entry, target_key, target);
        Sighting { entry, standing: Standing::Ruled(ruling), is_headed: false }
    }

    fn rule_audited(&self, entry: &Entry, target_key: &Key, target: &AtTarget<'_>) -> Ruling {
        if !self.plan.filter.admits(entry) {
            return Ruling::Pass(Passed::Filtered);
        }
        if let Some(objection) = target_key.oss_objection() {
            return Ruling::record(Outcome::Unsupported, objection);
        }
        let is_reread = self.plan.reread.is_some_and(|share: Share| share.holds(&entry.key));
        let expected = match target {
            AtTarget::Unlisted => Expected::Unknown,
            AtTarget::Listed(None) => Expected::Absent,
            AtTarget::Listed(Some(target)) => {
                if !is_reread && is_listed_equal(&self.plan.context, entry, target) {
                    return Ruling::Pass(Passed::Equal);
                }
                expected(target.etag.clone().or_else(|| Some(ETag::new(""))))
            }
        };
        let audited = if is_reread { Audited::Bytes } else { Audited::Answers };
        Ruling::Plan { expected, action: Action::Audit(audited) }
    }

    /// A key that only the target lists, spelled as the source's. The target's date is not compared with
    /// a date of the job's filter, which is by the source's clock.
    pub(crate) fn audit_extra(&self, key: Key, target: Entry) -> Sighting {
        let mut entry = Entry { key, last_modified: None, ..target };
        let is_admitted = self.plan.filter.admits(&entry);
        let etag = entry.etag.take();
        let ruling = if is_admitted {
            let expected = expected(etag.or_else(|| Some(ETag::new(""))));
            Ruling::Plan { expected, action: Action::Audit(Audited::Extra) }
        } else {
            Ruling::Pass(Passed::Filtered)
        };
        Sighting { entry, standing: Standing::Ruled(ruling), is_headed: false }
    }
}
