//! `limits`: what the fleet of a job may do now, and how to change it while it does.

use std::io::Write as _;
use std::path::Path;

use ossferry_core::job::Job;
use ossferry_core::rates::shares::{EachKind, KINDS, THOUSANDTHS};
use ossferry_core::rates::{InForce, Rates};
use ossferry_core::time::Timestamp;
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::rows::{ClosedWindows, RatesRow};
use serde::Serialize;

use crate::cli::{LimitsAction, SetLimits};
use crate::command_error::CommandError;
use crate::host::closed_text;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;

/// What is in force, and what of it was set.
#[derive(Serialize)]
pub(crate) struct Standing {
    source: Rates,
    target: Rates,
    /// Whether a window lets nothing new be copied.
    closed: bool,
    /// When a window begins or ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// When limits were last set in place of the job file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<String>,
    /// Workers that hold a share now.
    workers: usize,
    /// What they hold together.
    held: SharesHeld,
    #[serde(skip)]
    in_force: InForce,
}

/// Of all workers together, a second.
#[derive(Serialize)]
struct SharesHeld {
    source: Rates,
    target: Rates,
}

/// Does what was asked.
pub(crate) async fn limits(action: &LimitsAction, machine: &Machine) -> Result<(), CommandError> {
    match action {
        LimitsAction::Show { job, json } => show(&job.file, *json, machine).await,
        LimitsAction::Set(asked) => set(asked, machine).await,
    }
}

async fn show(job_file: &Path, json: bool, machine: &Machine) -> Result<(), CommandError> {
    let job = read_job(job_file)?;
    let (kept, _) = JobLedger::look(&job, job_file, machine).await?;
    let job = running_definition(&kept, job).await?;
    print(&Standing::of(&kept.ledger, &kept.job, &job).await?, json)
}

async fn set(asked: &SetLimits, machine: &Machine) -> Result<(), CommandError> {
    if asked.is_empty() {
        return Err(CommandError::NoLimitNamed);
    }
    let job = read_job(&asked.job.file)?;
    let (kept, _) = JobLedger::look(&job, &asked.job.file, machine).await?;
    let before = kept.ledger.set_rates(&kept.job).await?.filter(|_| !asked.clear);
    let before = before.unwrap_or_default();
    let row = RatesRow {
        source_bytes_per_second: asked.source_bytes.or(before.source_bytes_per_second),
        source_requests_per_second: asked.source_requests.or(before.source_requests_per_second),
        target_bytes_per_second: asked.target_bytes.or(before.target_bytes_per_second),
        target_requests_per_second: asked.target_requests.or(before.target_requests_per_second),
        closed_windows: if asked.open { ClosedWindows::Ignored } else { before.closed_windows },
        at: kept.ledger.now(),
    };
    kept.ledger.put_rates(&kept.job, &row).await?;
    let job = running_definition(&kept, job).await?;
    print(&Standing::of(&kept.ledger, &kept.job, &job).await?, asked.json)
}

/// The definition that the pass that runs keeps; without one the job file.
async fn running_definition(kept: &JobLedger, job: Job) -> Result<Job, CommandError> {
    let Some(pass) = kept.ledger.running_pass(&kept.job).await? else { return Ok(job) };
    let row = kept.ledger.pass(&PassRef { job: kept.job.clone(), pass }).await?;
    // One that only a newer version reads is shown by what the file says.
    Ok(Job::from_json(&row.definition).unwrap_or(job))
}

fn print(standing: &Standing, json: bool) -> Result<(), CommandError> {
    let text = if json {
        serde_json::to_string(standing).expect("limits are texts and numbers")
    } else {
        standing.text()
    };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

impl Standing {
    /// Of a job whose pass that runs, or whose file, says so. Reads a few rows.
    pub(crate) async fn of(
        ledger: &Ledger,
        name: &JobName,
        job: &Job,
    ) -> Result<Self, CommandError> {
        let set = ledger.set_rates(name).await?.filter(|set| !set.is_clear());
        let defined = job.limits.calendar().in_force(ledger.now());
        let in_force = set.as_ref().map_or(defined, |set| set.over(defined));
        let rows = ledger.leased_shares(name).await?;
        let share = |kind: usize| {
            let shares = rows.iter().filter_map(|row| row.portions[kind]);
            shares.fold(None, |sum: Option<u64>, portion| {
                Some(sum.unwrap_or_default().saturating_add(portion.share))
            })
        };
        let shares: EachKind<Option<u64>> = std::array::from_fn::<_, KINDS, _>(share);
        let rates = |bytes: Option<u64>, requests: Option<u64>| Rates {
            bytes_per_second: bytes.map(|share| share / THOUSANDTHS),
            requests_per_second: requests.map(|share| share / THOUSANDTHS),
        };
        let [source_bytes, source_requests, target_bytes, target_requests] = shares;
        Ok(Self {
            source: in_force.source,
            target: in_force.target,
            closed: in_force.closed,
            until: in_force.until.map(|until| until.to_string()),
            set_at: set.map(|set| set.at.to_string()),
            workers: rows.len(),
            held: SharesHeld {
                source: rates(source_bytes, source_requests),
                target: rates(target_bytes, target_requests),
            },
            in_force,
        })
    }

    /// In one line, where there is anything to say of them.
    pub(crate) fn line(&self) -> Option<String> {
        if self.in_force.closed {
            return Some(closed_text(self.in_force.until.unwrap_or(Timestamp::MAX)));
        }
        if self.in_force.is_unlimited() {
            return None;
        }
        let (source, target) = (spelled(&self.source), spelled(&self.target));
        Some(format!("limits of the fleet: source {source}; target {target}"))
    }

    fn text(&self) -> String {
        let Self { source, target, held, .. } = self;
        let mut lines =
            vec![format!("source: {}", spelled(source)), format!("target: {}", spelled(target))];
        let until = self.until.as_deref();
        match (self.in_force.closed, until) {
            (true, _) => lines.extend(self.line()),
            (false, Some(until)) => {
                lines.push(format!("until {until}, when a window begins or ends"));
            }
            (false, None) => {}
        }
        if let Some(set_at) = &self.set_at {
            lines.push(format!(
                "set at {set_at}, in place of the job file's; back to those: limits set --clear"
            ));
        }
        if self.workers > 0 {
            lines.push(format!(
                "held by {} workers: source {}; target {}",
                self.workers,
                spelled(&held.source),
                spelled(&held.target)
            ));
        }
        lines.join("\n")
    }
}

fn spelled(rates: &Rates) -> String {
    let bytes = rates.bytes_per_second.map(|rate| format!("{rate} bytes/s"));
    let requests = rates.requests_per_second.map(|rate| format!("{rate} requests/s"));
    let named: Vec<String> = bytes.into_iter().chain(requests).collect();
    if named.is_empty() { "no limit".to_owned() } else { named.join(", ") }
}
