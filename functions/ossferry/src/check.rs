//! `check`: a line for each thing that may stand in the way of a job.

mod carried;
mod fed;
mod findings;
mod judged;
mod probe;
mod stack;

use std::path::Path;
use std::sync::Arc;

use ossferry_aliyun::oss::{BucketInfo, OssClient, Versioning};
use ossferry_aws as aws;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::{Job, SourceSpec, StateSpec};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, Page, Source};
use ossferry_core::time::Timestamp;
use ossferry_ends::{SourceEnd, source_end, target_client};

use self::findings::Findings;
use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::stack::as_operator;

/// Keys of the source that are looked at: one page.
const KEYS_MAX: u32 = 1_000;

/// Looks at both ends; answers the exit status.
pub(crate) async fn check(job_file: &Path, machine: &Machine) -> Result<u8, CommandError> {
    let job = read_job(job_file)?;
    let mut findings = Findings::default();
    findings.ok("job file", format!("{}: {}", job.name, judged::route(&job)));
    if let Some(warning) = judged::same_bucket(&job) {
        findings.warn("both ends", warning);
    }
    carried::told(&job, &mut findings);
    fed::told(&job, &mut findings);
    let kept = stack::check(&job, job_file, machine, &mut findings).await;
    let machine = &as_operator(&job, machine)?;
    match source_end(&job, &machine.around).await {
        Ok(source) => check_source(&job, &source, machine, &mut findings).await,
        Err(error) => findings.fail("source", error.to_string()),
    }
    match target_client(&job, &machine.around).await {
        Ok(target) => check_target(&job, job_file, kept, &target, machine, &mut findings).await,
        Err(error) => findings.fail("target", error.to_string()),
    }
    Ok(findings.conclude())
}

async fn check_source(job: &Job, source: &SourceEnd, machine: &Machine, findings: &mut Findings) {
    let port = source.port();
    let request = ListRequest {
        prefix: job.source.prefix().clone(),
        start: ListStart::Beginning,
        keys_max: KEYS_MAX,
    };
    let page = match port.list(&request).await {
        Ok(page) => page,
        Err(error) => {
            findings.fail("source", judged::refused(&error, "source"));
            return;
        }
    };
    findings.ok("source", judged::listed(&page));
    if page.entries.is_empty() && page.next.is_none() {
        findings.fail(
            "source keys",
            "nothing is listed: a pass that lists nothing is no success; look at bucket and prefix",
        );
    }
    findings.note("listing order", judged::listing_order(port.profile().order, &job.source));
    check_keys(job, &page, findings);
    if job.source.keys().is_some()
        && let Some(warning) = judged::unknown(&page.entries)
    {
        findings.warn("listed keys", format!("of the first {}, {warning}", page.entries.len()));
    }
    if matches!(source, SourceEnd::Urls(_)) {
        for warning in judged::answers(&page.entries) {
            findings.warn("servers", format!("of the first {}, {warning}", page.entries.len()));
        }
    }
    // A list of URLs has as many clocks as servers, and its dates are told by ours; that of what stands in
    // for a listing stands still.
    let has_clock = |end: &SourceEnd| {
        !matches!(end, SourceEnd::Folder(_) | SourceEnd::Urls(_) | SourceEnd::Listed(..))
    };
    if has_clock(source) {
        check_clock(port.now().await, "source", machine, findings);
    }
    check_source_bucket(job, source, findings).await;
    probe::probe(&job.source, &port, &page, findings).await;
    if let Some(entry) = page.entries.iter().find(|entry| !entry.archived && entry.size > 0) {
        check_read(&port, &entry.key, findings).await;
        carried::may_be_read(job, port.as_ref(), &entry.key, findings).await;
    }
}

/// Whether an object's headers may be read, which a right to list does not say.
async fn check_read(source: &Arc<dyn Source>, key: &Key, findings: &mut Findings) {
    match source.head(key).await {
        Ok(_) => {
            let tried = "LIST is allowed, and HEAD of";
            findings.ok("source rights", format!("{tried} {key}; GET is not tried"));
        }
        // It was listed a moment ago: a store in use.
        Err(error) if error.kind == ErrorKind::NoSuchKey => {
            findings.warn("source rights", format!("{key} is gone since it was listed"));
        }
        Err(error) => findings.fail("source rights", judged::refused(&error, "source")),
    }
}

fn check_keys(job: &Job, page: &Page, findings: &mut Findings) {
    let judged = judged::keys(job, &page.entries);
    let looked_at = page.entries.len();
    if judged.is_empty() {
        findings.ok("keys", format!("OSS can hold all of the first {looked_at}"));
    }
    for warning in judged {
        findings.warn("keys", format!("of the first {looked_at}, {warning}"));
    }
}

async fn check_source_bucket(job: &Job, source: &SourceEnd, findings: &mut Findings) {
    let SourceSpec::Bucket(bucket) = &job.source else { return };
    let source = match source {
        SourceEnd::Listed(_, bucket) => bucket,
        source => source,
    };
    let (region, is_versioned) = match source {
        // None of them is a bucket that describes itself.
        SourceEnd::Folder(_)
        | SourceEnd::Urls(_)
        | SourceEnd::Azure(_)
        | SourceEnd::Gcs(_)
        | SourceEnd::Upyun(_)
        | SourceEnd::Listed(..) => {
            return;
        }
        SourceEnd::S3(source) => match source.preflight().await {
            Ok(found) => (found.region, found.versioning == aws::Versioning::On),
            Err(error) => {
                findings.warn("source bucket", judged::refused(&error, "source"));
                return;
            }
        },
        SourceEnd::Oss(source) => match source.client().bucket_info().await {
            Ok(found) => (found.location, found.versioning == Some(Versioning::Enabled)),
            Err(error) => {
                findings.warn("source bucket", judged::not_told(&error));
                return;
            }
        },
    };
    findings.note("source region", judged::region(&bucket.region, region.as_deref()));
    if is_versioned {
        findings.warn("source versions", "the bucket keeps versions: only current ones are moved");
    }
}

async fn check_target(
    job: &Job,
    job_file: &Path,
    kept: Option<JobLedger>,
    target: &OssClient,
    machine: &Machine,
    findings: &mut Findings,
) {
    let request = ListRequest {
        prefix: job.target.prefix.clone(),
        start: ListStart::Beginning,
        keys_max: KEYS_MAX,
    };
    let page = match target.list(&request).await {
        Ok(page) => page,
        Err(error) => {
            findings.fail("target", judged::refused(&error, "target"));
            return;
        }
    };
    findings
        .ok("target", format!("{}; whether it may be written is not tried", judged::listed(&page)));
    check_clock(target.now().await, "target", machine, findings);
    match target.bucket_info().await {
        Ok(info) => check_target_bucket(job, &info, findings),
        Err(error) => findings.warn("target bucket", judged::not_told(&error)),
    }
    let is_known = knows_the_scope(job, job_file, kept, machine).await;
    findings.note("target keys", judged::filled(job, &page, is_known));
}

fn check_target_bucket(job: &Job, info: &BucketInfo, findings: &mut Findings) {
    findings.note("target region", judged::region(&job.target.region, info.location.as_deref()));
    match info.versioning {
        None | Some(Versioning::Off) => findings.ok("target versions", "off"),
        Some(Versioning::Enabled | Versioning::Suspended) => findings.warn(
            "target versions",
            "the bucket keeps versions: OSS then ignores a request not to overwrite, so policy \
             \"never\" is kept by looking right before each write",
        ),
    }
    if info.encryption.as_deref() == Some("KMS") && job.target.encryption.is_none() {
        findings.warn(
            "target encryption",
            "KMS by default: its ETags are no MD5s, so a later pass looks more objects up one by one",
        );
    }
}

fn check_clock(
    theirs: Result<Timestamp, PortError>,
    end: &'static str,
    machine: &Machine,
    findings: &mut Findings,
) {
    let what = if end == "source" { "source clock" } else { "target clock" };
    match theirs {
        Ok(theirs) => findings.note(what, judged::clock(machine.now(), theirs)),
        Err(error) => findings.warn(what, judged::refused(&error, end)),
    }
}

/// Whether a pass of this scope stands in the ledger, so that the target's keys are no surprise. Makes
/// no ledger. `kept` is that of a stack.
async fn knows_the_scope(
    job: &Job,
    job_file: &Path,
    kept: Option<JobLedger>,
    machine: &Machine,
) -> bool {
    let kept = match (kept, &job.state) {
        (Some(kept), _) => kept,
        (None, StateSpec::Local { path }) if Path::new(path).exists() => {
            let Ok((kept, _)) = JobLedger::look(job, job_file, machine).await else { return false };
            kept
        }
        (None, _) => return false,
    };
    let scope_hash = job.scope_hash();
    match kept.ledger.passes(&kept.job).await {
        Ok(passes) => passes.iter().any(|pass| pass.scope_hash == scope_hash),
        Err(error) => {
            tracing::warn!(%error, "read the ledger");
            false
        }
    }
}
