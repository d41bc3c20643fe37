//! Arguments of the commands, and the words that some of them take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ossferry_core::audit::Share;
use ossferry_core::time::Timestamp;
use ossferry_ledger::rows::PassKind;
use tracing_subscriber::EnvFilter;

use crate::amount;
use crate::choose::Bounds;
use crate::estimate;

/// Which job.
#[derive(Args, Debug)]
pub(crate) struct JobArgument {
    /// The job file, as `ossferry init` writes it
    #[arg(long = "job", value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Of `demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// What to move
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Keep the temporary folder: the job file, the ledger and the emulator's objects
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Of `import-cfg`.
#[derive(Args, Debug)]
pub(crate) struct ImportCfgArguments {
    /// The job of ossimport
    #[arg(value_name = "JOB_CFG")]
    pub(crate) job_cfg: PathBuf,
    /// The settings of its workers
    #[arg(value_name = "SYS_PROPERTIES")]
    pub(crate) sys_properties: Option<PathBuf>,
    /// Write the job file there; never over a file
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Say what became of every key as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Of `convert-inventory`.
#[derive(Args, Debug)]
pub(crate) struct ConvertInventoryArguments {
    /// The manifest.json that the store wrote, copied to this machine
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// The folder with the files that it names; beside it where absent
    #[arg(long, value_name = "FOLDER")]
    pub(crate) files: Option<PathBuf>,
    /// Write the CSV files and their manifest there; never over a file
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,
    /// What the files' keys begin with, where the folder will be uploaded into the source's bucket
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: String,
}

/// Of `estimate`.
#[derive(Args, Debug, Default)]
pub(crate) struct EstimateArguments {
    /// Look at the source of this job file
    #[arg(long, value_name = "FILE", required_unless_present = "total_bytes")]
    pub(crate) job: Option<PathBuf>,
    /// What is to be moved in all, as in 500TB
    #[arg(long, value_name = "BYTES", value_parser = amount::bytes)]
    pub(crate) total_bytes: Option<u64>,
    /// In how many objects
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) objects: Option<u64>,
    /// In how many days
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: u32,
    /// How fast one function moves, as in 200Mbit/s; ossimport's guide says it of a machine
    #[arg(long, value_name = "RATE", value_parser = amount::rate)]
    pub(crate) line: Option<u64>,
    /// With so many functions, in place of as many as keep the days
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) functions: Option<u32>,
    /// Whose traffic and requests are paid; the job file's source if there is one
    #[arg(long, value_enum, value_name = "STORE")]
    pub(crate) from: Option<estimate::Store>,
    /// Where the target is; the job file's if there is one
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// What a gigabyte out of the source costs, by your own contract
    #[arg(long, value_name = "PRICE", value_parser = price)]
    pub(crate) egress_price: Option<f64>,
    /// Pages of the listing at most, with --job
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) pages: u32,
    /// Objects read at most, 32 MiB of each, with --job; 0 for none
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) reads: u32,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which pass to begin.
#[derive(Args, Debug, Default)]
pub(crate) struct PassArguments {
    /// Begin a pass of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) pass: Option<WantedPass>,
    /// Incremental: trust only source dates before this time (RFC 3339); where the ledger's own time is
    /// earlier, that one holds
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Audit: read the bytes of this share of all keys again at the source, as in 5% or 0.25%; the same
    /// keys each time
    #[arg(long, value_name = "N%", value_parser = share)]
    pub(crate) reread: Option<Share>,
}

impl PassArguments {
    /// What was asked for beside the kind.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { has_since: self.since.is_some(), has_reread: self.reread.is_some() }
    }
}

/// Of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// Which pass
    #[command(flatten)]
    pub(crate) pass: PassArguments,
    /// End with the report as one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// How it works
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

/// Of `plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// Which pass
    #[command(flatten)]
    pub(crate) pass: PassArguments,
    /// How long one handler works before it hands on
    #[arg(long, value_name = "SECONDS", hide = true, value_parser = seconds)]
    pub(crate) invocation_seconds: Option<u32>,
}

/// Of `copy`.
#[derive(Args, Debug)]
pub(crate) struct CopyArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// End with the report as one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// How it works
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

/// Of `cutover`.
#[derive(Args, Debug)]
pub(crate) struct CutoverArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// How many objects the last pass before the switch may have copied; 100 where it was never said
    #[arg(long, value_name = "N")]
    pub(crate) delta_max: Option<u64>,
    /// No mirror rule: reads of what is not copied yet fail
    #[arg(long)]
    pub(crate) no_mirror: bool,
    /// How OSS reads the source
    #[command(flatten)]
    pub(crate) origin: OriginArguments,
    /// How the application is switched
    #[command(flatten)]
    pub(crate) switch: SwitchArguments,
    /// Do not ask; stops where T2 is recorded and the application has to be switched
    #[arg(long)]
    pub(crate) yes: bool,
    /// End with one JSON object: the certificate, or what is waited for
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the certificate, as JSON, to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// How this process works
    #[command(flatten)]
    pub(crate) work: WorkArguments,
}

/// How an application is switched.
#[derive(Args, Debug)]
pub(crate) struct SwitchArguments {
    /// The switch is an instant: nobody writes at the source now, and nobody at the target yet
    #[arg(long)]
    pub(crate) instant: bool,
    /// Every writer is switched to the target, after T2 was recorded
    #[arg(long, conflicts_with = "instant")]
    pub(crate) switched: bool,
    /// Write every key whose copy is found stale right before T2 is recorded to this file, one a line; at most ten
    /// minutes are spent looking
    #[arg(long, value_name = "FILE")]
    pub(crate) stale_keys: Option<PathBuf>,
}

/// How OSS reads the source by itself, for a mirror rule.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OriginArguments {
    /// How OSS reads the source: needed where that is private
    #[arg(long = "mirror-auth", value_enum, value_name = "HOW")]
    pub(crate) auth: Option<OriginAuth>,
    /// Fetch from this address in place of the source's own; the key follows it
    #[arg(long = "mirror-url", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// With `--mirror-auth role`: a role of the target's account that may read the source bucket
    #[arg(long = "mirror-role", value_name = "NAME")]
    pub(crate) role: Option<String>,
}

/// How OSS reads the source.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OriginAuth {
    /// Anybody may read it
    None,
    /// By the source's access key, which is written into the target bucket's configuration (S3 family)
    Key,
    /// By a role (OSS)
    Role,
}

/// Of `mirror`.
#[derive(Subcommand, Debug)]
pub(crate) enum MirrorAction {
    /// Adds the rule to the target bucket's website configuration
    ///
    /// Every other rule stays as it is. What stood before is kept in the ledger, and put back by `off`.
    On(MirrorOn),
    /// What ledger and bucket say of the rule
    Status {
        /// Which job
        #[command(flatten)]
        job: JobArgument,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Puts the website configuration back as it stood before the rule
    Off(MirrorOff),
}

/// Of `mirror on`.
#[derive(Args, Debug)]
pub(crate) struct MirrorOn {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// How OSS reads the source
    #[command(flatten)]
    pub(crate) origin: OriginArguments,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Of `mirror off`.
#[derive(Args, Debug)]
pub(crate) struct MirrorOff {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// Where the configuration was changed since: take out the rule alone, and leave the rest as it is
    #[arg(long)]
    pub(crate) rule_only: bool,
    /// Although a cutover of the job has not passed its audit: reads of what is not copied yet fail
    #[arg(long)]
    pub(crate) despite_cutover: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a host works.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct WorkArguments {
    /// Tasks copied at once, in place of the job file's `workers`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) workers: Option<u32>,
    /// How long one handler works before it hands the rest back
    #[arg(long, value_name = "SECONDS", hide = true, value_parser = seconds)]
    pub(crate) invocation_seconds: Option<u32>,
}

/// How a report is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Totals for people
    Text,
    /// Totals as one JSON object
    Json,
    /// A row for each planned object
    Csv,
}

/// Whose words a status is printed in.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StatusForm {
    /// The fields of `console.sh stat`
    Ossimport,
}

/// Which pass to begin.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WantedPass {
    /// Compare everything
    Full,
    /// Compare everything, trusting source dates before the last pass where nothing better tells
    Incremental,
    /// Take only the keys that earlier passes left undone
    Retry,
    /// Compare everything, trusting no date, and write nothing
    Audit,
}

impl WantedPass {
    /// As the ledger names it.
    pub(crate) fn kind(self) -> PassKind {
        match self {
            Self::Full => PassKind::Full,
            Self::Incremental => PassKind::Incremental,
            Self::Retry => PassKind::Retry,
            Self::Audit => PassKind::Audit,
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339(text)
        .ok_or_else(|| "want RFC 3339, as in 2026-11-22T10:00:00Z".to_owned())
}

fn price(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|price: &f64| price.is_finite() && *price >= 0.0)
        .ok_or_else(|| "want a price, as in 0.5".to_owned())
}

fn share(text: &str) -> Result<Share, String> {
    Share::from_text(text).ok_or_else(|| "want a share of all keys, as in 5% or 0.25%".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| "want whole seconds, 1 to 86400".to_owned())
}

pub(super) fn log(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
