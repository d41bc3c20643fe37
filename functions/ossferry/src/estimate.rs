//! `estimate`: before anything moves, what a job will take and cost.
//!
//! Totals come from the command line, or sizes from a sample of the real listing. The rest is arithmetic.

mod beside;
mod cost;
mod fleet;
mod sample;
#[cfg(test)]
mod tests;
mod text;
mod work;

use std::io::Write as _;

use ossferry_core::job::{Job, Limits, PolicySpec, SourceSpec};
use ossferry_core::restored::Restored;
use ossferry_ends::source_end;
use serde::Serialize;

pub(crate) use self::beside::Forecast;
pub(crate) use self::cost::Store;
use self::cost::{Archive, Bill};
use self::fleet::{Fleet, Rate};
use self::sample::Sample;
pub(crate) use self::sample::SampleError;
use self::work::{SizeClass, Work};
use crate::amount;
use crate::cli::EstimateArguments;
use crate::command_error::CommandError;
use crate::fidelity::extra_requests;
use crate::job_ledger::read_job;
use crate::machine::Machine;
use crate::stack::as_operator;

/// Bytes a second of one function where nothing is known: the 200 Mbit/s of ossimport's guide. Function
/// Compute gives an instance five times as much and more; sources often do not.
const BYTES_PER_SECOND: u64 = 25_000_000;

/// Bytes of an object where only their sum is known: the case study of Alibaba's migration service, 100
/// million files of 320 TB.
const OBJECT_BYTES: u64 = 3_200_000;

const DAY_SECONDS: u64 = 86_400;

/// The region of the tutorial.
const REGION: &str = "cn-hangzhou";

/// All that is known beforehand.
struct Known {
    sizes: Vec<SizeClass>,
    limits: Limits,
    /// The job's.
    policy: Option<PolicySpec>,
    /// Whether metadata is asked for beside the bytes of each whole object.
    asks_metadata: bool,
    rate: Rate,
    from: Store,
    region: String,
    /// What was assumed, and what was looked at.
    said: Vec<String>,
    sample: Option<Sample>,
    archive: Option<Archive>,
}

/// What a full pass will take and cost.
#[derive(Debug, Serialize)]
struct Estimate {
    /// The time that was asked for.
    seconds: u64,
    /// Whose traffic is paid.
    from: Store,
    /// The target's.
    region: String,
    /// By size; one class where only totals are known.
    sizes: Vec<SizeClass>,
    work: Work,
    rate: Rate,
    fleet: Fleet,
    /// What the source's cloud bills.
    source: Bill,
    /// Of the host, if that is Alibaba Cloud.
    on_alibaba: Bill,
    /// Of the host, if that is AWS.
    on_aws: Bill,
    /// What OSS bills.
    target: Bill,
    /// What was assumed, and what was looked at.
    said: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Sample>,
}

impl Estimate {
    fn new(known: Known, seconds: u64, functions: Option<u64>, egress_price: Option<f64>) -> Self {
        let Known {
            sizes,
            limits,
            policy,
            asks_metadata,
            rate,
            from,
            region,
            said,
            sample,
            archive,
        } = known;
        let work = Work::new(&sizes, &limits);
        let work = if asks_metadata { work.with_metadata() } else { work };
        let work = policy.iter().fold(work, Work::with_along);
        let fleet = Fleet::new(&work, &rate, seconds, functions, &region);
        Self {
            seconds,
            from,
            source: cost::of_source(&work, from, egress_price, archive.as_ref()),
            on_alibaba: cost::on_alibaba(&work, fleet.function_seconds),
            on_aws: cost::on_aws(&work, fleet.function_seconds, from),
            target: cost::of_target(&work),
            region,
            sizes,
            work,
            rate,
            fleet,
            said,
            sample,
        }
    }
}

/// Prints the estimate.
pub(crate) async fn print(
    arguments: &EstimateArguments,
    machine: &Machine,
) -> Result<(), CommandError> {
    let known = match &arguments.job {
        Some(file) => of_job(&read_job(file)?, arguments, machine).await?,
        None => of_totals(arguments),
    };
    let seconds = u64::from(arguments.days) * DAY_SECONDS;
    let functions = arguments.functions.map(u64::from);
    let estimate = Estimate::new(known, seconds, functions, arguments.egress_price);
    let text = if arguments.json {
        serde_json::to_string(&estimate).expect("texts and numbers")
    } else {
        estimate.to_string()
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn of_totals(arguments: &EstimateArguments) -> Known {
    let mut said = Vec::new();
    let bytes = arguments.total_bytes.unwrap_or_default();
    let objects = arguments.objects.unwrap_or_else(|| {
        said.push(format!(
            "objects of {} are assumed; give --objects",
            amount::shown(OBJECT_BYTES)
        ));
        bytes.div_ceil(OBJECT_BYTES).max(1)
    });
    said.push("all of one size are assumed: no listing was looked at".to_owned());
    Known {
        sizes: vec![SizeClass {
            bytes_max: bytes.div_ceil(objects).next_power_of_two(),
            objects,
            bytes,
        }],
        limits: Limits::default(),
        policy: None,
        asks_metadata: false,
        rate: rate_of(arguments, None),
        from: arguments.from.unwrap_or(Store::Other),
        region: arguments.region.clone().unwrap_or_else(|| REGION.to_owned()),
        said,
        sample: None,
        archive: None,
    }
}

/// The rate of one function: given, measured, or assumed.
fn rate_of(arguments: &EstimateArguments, measured: Option<u64>) -> Rate {
    match (arguments.line, measured) {
        (Some(line), _) => Rate::around(line, "as given".to_owned()),
        (None, Some(rate)) => {
            let basis = "as read from this machine; a function's network is another".to_owned();
            Rate::around(rate, basis)
        }
        (None, None) => {
            let why = if arguments.job.is_some() { ", too little being read to tell" } else { "" };
            Rate::around(BYTES_PER_SECOND, format!("200 Mbit/s, assumed{why}"))
        }
    }
}

async fn of_job(
    job: &Job,
    arguments: &EstimateArguments,
    machine: &Machine,
) -> Result<Known, CommandError> {
    let source = source_end(job, &as_operator(job, machine)?.around).await?.port();
    let sample = sample::take(job, &source, arguments.pages, arguments.reads).await?;
    let (objects, bytes) = totals(&sample, arguments)?;
    let part = if sample.is_whole { "all there is" } else { "a part" };
    let pages = match job.source.fixed_list() {
        None => format!("by {} LIST requests", sample.pages),
        Some(list) => format!("in {} pages of {list}", sample.pages),
    };
    let mut said = vec![format!(
        "looked at: {} objects of {}, {part}, {pages}; {} reads of at most {} each, {} in all",
        sample.objects,
        amount::shown(sample.bytes),
        sample.reads,
        amount::shown(sample::READ_BYTES_MAX),
        amount::shown(sample.bytes_read),
    )];
    if sample.filtered > 0 {
        said.push(format!("{} more are left out by the job's filter", sample.filtered));
    }
    if !sample.is_whole {
        said.push("sizes are scaled from the sample to the totals that are given".to_owned());
    }
    said.extend(extra_requests(job).into_iter().map(str::to_owned));
    Ok(Known {
        sizes: work::classes(&sample.sizes, objects, bytes),
        limits: job.limits.clone(),
        policy: Some(job.policy.clone()),
        asks_metadata: job.source.tells_metadata_apart(),
        rate: rate_of(arguments, sample.bytes_per_second),
        from: arguments.from.unwrap_or_else(|| place_of(&job.source)),
        region: arguments.region.clone().unwrap_or_else(|| job.target.region.clone()),
        said,
        archive: archive_of(job, &sample, objects, bytes),
        sample: Some(sample),
    })
}

/// What a job that restores would ask for, scaled from the sample to the totals.
fn archive_of(job: &Job, sample: &Sample, objects: u64, bytes: u64) -> Option<Archive> {
    let wanted = job.source.restore()?;
    let of_class = |(class, (seen, seen_bytes)): (&String, &(u64, u64))| Restored {
        class: class.clone(),
        tier: wanted.tier.as_str().to_owned(),
        objects: work::scaled(objects, *seen, sample.objects),
        bytes: work::scaled(bytes, *seen_bytes, sample.bytes),
        price: None,
    };
    Some(Archive { restored: sample.archived.iter().map(of_class).collect(), days: wanted.days })
}

/// Of the whole listing, or as given: from some pages nobody can tell how many there are.
fn totals(sample: &Sample, arguments: &EstimateArguments) -> Result<(u64, u64), CommandError> {
    if sample.objects == 0 {
        return Err(CommandError::NothingToEstimate);
    }
    let (seen, seen_bytes) = (u128::from(sample.objects), u128::from(sample.bytes));
    let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    match (arguments.objects, arguments.total_bytes) {
        (Some(objects), Some(bytes)) => Ok((objects, bytes)),
        (Some(objects), None) => Ok((objects, number(u128::from(objects) * seen_bytes / seen))),
        (None, Some(bytes)) => {
            Ok((number((u128::from(bytes) * seen).div_ceil(seen_bytes.max(1))), bytes))
        }
        (None, None) if sample.is_whole => Ok((sample.objects, sample.bytes)),
        (None, None) => Err(CommandError::TotalsUnknown { seen: sample.objects }),
    }
}

/// Of every kind that is not named here the provider's own list has to say.
fn place_of(source: &SourceSpec) -> Store {
    match source.kind() {
        "s3" => Store::S3,
        "cos" => Store::Cos,
        "oss" => Store::Oss,
        "folder" => Store::Folder,
        _ => Store::Other,
    }
}
