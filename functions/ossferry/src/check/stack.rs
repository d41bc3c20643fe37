//! Whether the stack of a job is there, whole and reachable.

use std::path::Path;

use ossferry_core::job::{Credentials, Job, SourceSpec};

use super::findings::{Findings, Level};
use crate::command_error::CommandError;
use crate::job_ledger::JobLedger;
use crate::machine::Machine;
use crate::stack::Stack;

/// Looks at stack, table and queues of a job that has them. Answers the ledger where its table could be read.
pub(super) async fn check(
    job: &Job,
    job_file: &Path,
    machine: &Machine,
    findings: &mut Findings,
) -> Option<JobLedger> {
    let stack = match Stack::of(&job.state, machine).await {
        Ok(stack) => stack?,
        Err(error) => {
            findings.fail("stack", error);
            return None;
        }
    };
    findings.note("stack", (settled(&stack.status), stack.describe()));
    if has_own_keys(job) {
        findings.warn(
            "own keys",
            "\"aws-default\", \"alibaba-oidc\" and \"fc\" are tried here with the role or key of whoever runs \
             this; the functions have a role of their own",
        );
    }
    for queue in &stack.queues {
        let (live, dead) = (queue.live.message_count(), queue.dead_letters.message_count());
        let what = format!("{} queue", queue.function);
        match (live.await, dead.await) {
            (Ok(live), Ok(0)) => findings.ok(&what, format!("{live} messages, no dead letters")),
            (Ok(live), Ok(dead)) => {
                let job_file = job_file.display();
                findings.warn(
                    &what,
                    format!(
                        "{live} messages, {dead} dead letters: look at the function's log, then: \
                         ossferry redrive --job {job_file}"
                    ),
                );
            }
            (Err(error), _) | (_, Err(error)) => findings.fail(&what, error),
        }
    }
    let kept = stack.ledger(job, machine);
    match kept.ledger.deployed_job(&kept.job).await {
        Ok(row) => {
            let hash = row.map(|row| row.definition_hash);
            findings.note("deployed job", deployed(job, job_file, hash.as_deref()));
            Some(kept)
        }
        Err(error) => {
            findings.fail("table", CommandError::from(error));
            None
        }
    }
}

/// Whether the keys of an end depend on who asks.
fn has_own_keys(job: &Job) -> bool {
    let source = match &job.source {
        SourceSpec::Bucket(bucket) => Some(&bucket.credentials),
        SourceSpec::Azure(container) => Some(&container.credentials),
        SourceSpec::Gcs(bucket) => Some(&bucket.credentials),
        SourceSpec::Folder(_) | SourceSpec::UrlList(_) => None,
    };
    source.into_iter().chain([&job.target.credentials]).any(|place| {
        matches!(place, Credentials::AwsDefault | Credentials::AlibabaOidc { .. } | Credentials::Fc)
    })
}

/// A stack may be used while it is updated, and not before it was created or once it is being deleted.
fn settled(status: &str) -> Level {
    match status {
        "CREATE_IN_PROGRESS" => Level::Warn,
        status if status.starts_with("DELETE") || status.starts_with("CREATE_FAILED") => {
            Level::Fail
        }
        "ROLLBACK_IN_PROGRESS" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Level::Fail,
        _ => Level::Ok,
    }
}

/// Whether the next pass begins with what the job file says.
fn deployed(job: &Job, job_file: &Path, hash: Option<&str>) -> (Level, String) {
    let deploy = format!("ossferry deploy-job --job {}", job_file.display());
    match hash {
        None => (Level::Warn, format!("not yet: {deploy}")),
        Some(hash) if hash == job.definition_hash() => {
            (Level::Ok, "the next pass begins with this job file".to_owned())
        }
        Some(_) => (Level::Warn, format!("the job file was changed since: {deploy}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_was_never_whole_fails_and_one_that_is_updated_does_not() {
        for (status, level) in [
            ("CREATE_COMPLETE", Level::Ok),
            ("UPDATE_IN_PROGRESS", Level::Ok),
            ("UPDATE_ROLLBACK_COMPLETE", Level::Ok),
            ("CREATE_IN_PROGRESS", Level::Warn),
            ("ROLLBACK_COMPLETE", Level::Fail),
            ("DELETE_IN_PROGRESS", Level::Fail),
        ] {
            assert_eq!(settled(status), level, "{status}");
        }
    }

    #[test]
    fn a_job_file_that_was_not_deployed_is_pointed_out() {
        let job = Job::parse(Job::template()).unwrap();
        let hash = job.definition_hash();
        for (deployed_hash, level) in
            [(None, Level::Warn), (Some("other"), Level::Warn), (Some(hash.as_str()), Level::Ok)]
        {
            assert_eq!(deployed(&job, Path::new("job.toml"), deployed_hash).0, level);
        }
    }
}
