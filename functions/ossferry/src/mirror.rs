//! `mirror`: the rule by which OSS fetches what is missing from the source.

mod bucket;
mod rule;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use ossferry_aliyun::oss::{OssClient, Versioning};
use ossferry_core::job::Job;
use ossferry_ends::target_client;
use ossferry_ledger::rows::{MirrorRow, MirrorState};
use serde::Serialize;

pub(crate) use self::bucket::Mirror;
pub(crate) use self::rule::{MirrorRefusal, rule_of};
use crate::cli::{MirrorAction, MirrorOff, MirrorOn};
use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::prompt::confirm;
use crate::stack::as_operator;

/// What the rule does not do, and what it costs. Manual pages of 2024 and 2026.
pub(crate) const LIMITS: &[&str] = &[
    "it answers GET only: a HEAD or a listing does not show what is not copied yet",
    "what it fetched once is not fetched again: a pass brings what the source changed since",
    "an object that the application deletes at the target comes back with the next GET of it, while the \
     rule is on",
    "an object that is fetched, and deleted at the target before a pass has copied it, comes back with the \
     next pass: nothing tells that it was deleted",
    "keys that the job's filter leaves out are served too: a rule knows prefixes only",
    "2,000 requests a second and 2 Gbit/s in regions of mainland China and Hong Kong, 1,000 and \
     1 Gbit/s elsewhere; beyond that reads fail with 424. Alibaba Cloud raises it on request",
    "an origin has to answer within 10 seconds, and over the public network",
    "not every region has such rules (the manual lists 21 in 2024)",
];

/// What is printed of the rule.
#[derive(Serialize)]
struct Shown<'a> {
    state: &'static str,
    bucket: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    in_bucket: bool,
    changed_since: bool,
}

/// `mirror on|status|off`.
pub(crate) async fn mirror(action: &MirrorAction, machine: &Machine) -> Result<(), CommandError> {
    match action {
        MirrorAction::On(arguments) => on(arguments, machine).await,
        MirrorAction::Off(arguments) => off(arguments, machine).await,
        MirrorAction::Status { job, json } => {
            let read = read_job(&job.file)?;
            let machine = &as_operator(&read, machine)?;
            let bench = Bench::open(&read, &job.file, machine).await?;
            bench.show(*json).await
        }
    }
}

/// The job's ledger and its target.
struct Bench {
    kept: JobLedger,
    client: OssClient,
}

impl Bench {
    async fn open(job: &Job, job_file: &Path, machine: &Machine) -> Result<Self, CommandError> {
        let client = target_client(job, &machine.around).await?;
        let (kept, _) = JobLedger::look(job, job_file, machine).await?;
        Ok(Self { kept, client })
    }

    fn mirror(&self) -> Mirror<'_> {
        Mirror { ledger: &self.kept.ledger, job: &self.kept.job, client: &self.client }
    }

    async fn show(&self, json: bool) -> Result<(), CommandError> {
        let standing = self.mirror().look().await?;
        let row = standing.row.as_ref();
        let shown = Shown {
            state: row.map_or("never on", |row| row.state.as_str()),
            bucket: self.client.bucket(),
            rule_number: row.map(|row| row.rule_number),
            url: row.map(|row| row.url.as_str()),
            in_bucket: standing.in_bucket,
            changed_since: standing.changed_since,
        };
        print(&shown, json)
    }
}

fn print(shown: &Shown<'_>, json: bool) -> Result<(), CommandError> {
    let text = if json {
        serde_json::to_string(shown).expect("texts and numbers")
    } else {
        let mut text = format!("mirror rule: {}", shown.state);
        if let (Some(number), Some(url)) = (shown.rule_number, shown.url) {
            let _ = write!(text, ", number {number} of bucket {}, from {url}", shown.bucket);
        }
        if shown.state == MirrorState::On.as_str() && !shown.in_bucket {
            text.push_str("\nthe bucket does not hold it any more");
        } else if shown.changed_since {
            text.push_str(
                "\nthe bucket's website configuration was changed since by somebody else",
            );
        }
        text
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn print_row(row: &MirrorRow, json: bool) -> Result<(), CommandError> {
    print(
        &Shown {
            state: row.state.as_str(),
            bucket: &row.bucket,
            rule_number: Some(row.rule_number),
            url: Some(&row.url),
            in_bucket: row.state == MirrorState::On,
            changed_since: false,
        },
        json,
    )
}

async fn on(arguments: &MirrorOn, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(&arguments.job.file)?;
    let machine = &as_operator(&job, machine)?;
    let rule = rule_of(&job, &arguments.origin, machine).await?;
    let bench = Bench::open(&job, &arguments.job.file, machine).await?;
    say_limits(&bench.client).await;
    let question = format!("add a mirror rule from {} to {}?", rule.url, job.target.bucket);
    if !confirm(&question, arguments.yes).await? {
        return Err(CommandError::Declined);
    }
    print_row(&bench.mirror().turn_on(&rule).await?, arguments.json)
}

async fn off(arguments: &MirrorOff, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(&arguments.job.file)?;
    let machine = &as_operator(&job, machine)?;
    let bench = Bench::open(&job, &arguments.job.file, machine).await?;
    let cutover = bench.kept.ledger.cutover(&bench.kept.job).await?;
    let is_before_audit = cutover.is_some_and(|row| row.audited.is_none());
    if is_before_audit && !arguments.despite_cutover {
        return Err(MirrorRefusal::BeforeAudit.into());
    }
    print_row(&bench.mirror().turn_off(arguments.rule_only).await?, arguments.json)
}

/// Says what a mirror rule does not do, before one is added.
pub(crate) async fn say_limits(client: &OssClient) {
    eprintln!("a mirror rule:");
    for limit in LIMITS {
        eprintln!("  {limit}");
    }
    match client.bucket_versioning().await {
        Ok(Versioning::Off) => {}
        Ok(_) => eprintln!(
            "  the bucket is versioned: OSS has refused such rules beside versions, and ignores that \
             overwriting is forbidden there"
        ),
        Err(error) => eprintln!("  whether the bucket is versioned is not known: {error}"),
    }
}
