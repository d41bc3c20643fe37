//! What of an object is carried along, and whether what the job asks for may be read.

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::fidelity::{Fate, answers};
use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_core::ports::Source;

use super::findings::Findings;
use super::judged;
use crate::fidelity::extra_requests;

/// Why a policy that is turned on later is only half of it.
const NOT_AFTERWARDS: &str = "what was copied before stays as it is: an object that is found equal is not \
                              read again; overwrite = \"always\" takes everything anew";

/// A line for each property that a copy has not as its source has it.
pub(super) fn told(job: &Job, findings: &mut Findings) {
    for answer in answers(job) {
        if matches!(answer.fate, Fate::Mapped | Fate::Dropped) {
            let (property, fate) = (answer.property, answer.fate.as_str());
            findings.ok("fidelity", format!("{property} {fate}: {}", answer.note));
        }
    }
    for requests in extra_requests(job) {
        findings.ok("extra requests", requests);
    }
    if job.policy.asks_for_more() {
        findings.ok("tags and acl", NOT_AFTERWARDS);
    }
}

/// Asks for the tags and the ACL of one object, where the job asks for them of all.
pub(super) async fn may_be_read(
    job: &Job,
    source: &dyn Source,
    key: &Key,
    findings: &mut Findings,
) {
    if job.policy.tags {
        judge("tags", "s3:GetObjectTagging", source.tags(key).await, findings);
    }
    if job.policy.acl {
        judge("acl", "s3:GetObjectAcl", source.acl(key).await, findings);
    }
}

fn judge<T>(what: &str, right: &str, answer: Result<T, PortError>, findings: &mut Findings) {
    match answer {
        Ok(_) => findings.ok("source rights", format!("{what} may be read")),
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            let text = format!("{what}: {error}; give the key the right to read it ({right})");
            findings.fail("source rights", text);
        }
        Err(error) => findings.fail("source rights", judged::refused(&error, "source")),
    }
}
