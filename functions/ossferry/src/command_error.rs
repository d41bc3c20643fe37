//! Why a command could not do its work: cause, then remedy.

use std::io;
use std::path::PathBuf;

use oss_emulator::EmulatorError;
use ossferry_core::error::PortError;
use ossferry_core::job::JobErrors;
use ossferry_ends::EndError;
use ossferry_ledger::LedgerError;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::rows::PassKind;
use ossferry_planner::PlanError;

use crate::convert_inventory::ConvertRefusal;
use crate::cutover::CutoverRefusal;
use crate::estimate::SampleError;
use crate::mirror::MirrorRefusal;

/// Why a command could not do its work. Shows as a line or two, without a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The job file cannot be read.
    #[error("read {path}: {error}; write one with: ossferry init {path}", path = path.display())]
    JobFileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// The job file says something that cannot be.
    #[error("{path}: {errors}", path = path.display())]
    JobFileWrong {
        /// The file.
        path: PathBuf,
        /// One line each.
        errors: JobErrors,
    },
    /// A file or folder of ours cannot be written or read.
    #[error("{what} {path}: {error}", path = path.display())]
    File {
        /// What was tried: `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the disk said.
        error: io::Error,
    },
    /// `init` or `import-cfg` found a file.
    #[error("{path} is there already; name another file", path = .0.display())]
    FileExists(PathBuf),
    /// `convert-inventory`: there is nothing to convert.
    #[error("convert-inventory: {0}")]
    Convert(#[from] ConvertRefusal),
    /// Source or target cannot be used.
    #[error(transparent)]
    End(#[from] EndError),
    /// `estimate`: the source cannot be looked at.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// `estimate`: nothing is listed, or nothing of it belongs to the job.
    #[error("nothing to estimate: look at bucket, prefix and filter in the job file")]
    NothingToEstimate,
    /// `estimate`: the listing is longer than what was looked at.
    #[error(
        "the listing goes on after the {seen} objects that were looked at: give --objects or \
         --total-bytes, as the store's console shows them, or look at more --pages"
    )]
    TotalsUnknown {
        /// Of the job.
        seen: u64,
    },
    /// `report --forecast` of a file that is none.
    #[error(
        "{path} is no forecast: {error}; write one with: ossferry estimate --job JOB --json",
        path = path.display()
    )]
    NoForecast {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// `report --forecast` with rows or JSON.
    #[error("--forecast stands beside the text of a report; leave --format out")]
    ForecastBesideText,
    /// The ledger would be listed as objects, and change while it is read.
    #[error(
        "the ledger {ledger} lies in the source folder {folder} and would be moved with it; write \
         a path outside of it as state.path",
        ledger = ledger.display(),
        folder = folder.display()
    )]
    LedgerInSource {
        /// As the job file names it.
        ledger: PathBuf,
        /// As the job file names it.
        folder: PathBuf,
    },
    /// Nothing was run with this job.
    #[error(
        "no ledger at {path}: nothing was run yet; begin with: ossferry run --job {job_file}",
        path = path.display(),
        job_file = job_file.display()
    )]
    NoLedger {
        /// Where it was looked for, absolute.
        path: PathBuf,
        /// The job file.
        job_file: PathBuf,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// SQLite failed.
    #[error("ledger: {0}")]
    Database(PortError),
    /// The planner would not, or could not, begin a pass or look for one.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A handler met what will not change by itself.
    #[error("{worker}: {error}; nothing recorded is lost, and the same command goes on")]
    Handler {
        /// `planner` or `copier`.
        worker: &'static str,
        /// What it met.
        error: String,
    },
    /// Another pass was asked for than the one that runs.
    #[error(
        "pass {running} ({kind}) is not finished; go on with it by leaving --pass out, or end it \
         with: ossferry cancel"
    )]
    OtherPassRuns {
        /// Which.
        running: PassId,
        /// Of what kind.
        kind: PassKind,
    },
    /// `--since` for a pass that trusts no date.
    #[error("--since is for an incremental pass, not for a {0} one; leave one of the two out")]
    SinceWithout(PassKind),
    /// The target did not answer, or said no.
    #[error("target: {0}")]
    Target(PortError),
    /// A question, and no terminal.
    #[error("{question} Nobody can be asked without a terminal: say so with --yes")]
    NobodyToAsk {
        /// What would be done.
        question: String,
    },
    /// Somebody said no.
    #[error("nothing was done")]
    Declined,
    /// Functions of a pass that ended early may be at work.
    #[error(
        "functions of pass {0}, which ended early, may still be at work: ossferry sweep aborts what they \
         left, minutes later"
    )]
    NotCleared(PassId),
    /// A cutover cannot go on.
    #[error(transparent)]
    Cutover(#[from] CutoverRefusal),
    /// A mirror rule cannot be written, or must stay.
    #[error(transparent)]
    Mirror(#[from] MirrorRefusal),
    /// `--reread` for a pass that reads by itself what it copies.
    #[error("--reread is for an audit: write --pass audit, or leave it out")]
    RereadWithoutAudit,
    /// The cloud of a stack did not answer, or said no.
    #[error("stack: {0}")]
    Cloud(PortError),
    /// Nobody is named who may look at a stack of Alibaba Cloud.
    #[error(
        "the environment variable {0} is not set: a stack on Alibaba Cloud is operated with the key of a \
         RAM user, as Alibaba Cloud's own tools read it"
    )]
    OperatorKey(&'static str),
    /// What should be an address is none.
    #[error("{what} is no address: want https://host")]
    NoAddress {
        /// A variable or an output.
        what: String,
    },
    /// The file that the job file names does not hold a deployment's outputs.
    #[error("{}: {problem}; write it with: terraform output -json > {}", path.display(), path.display())]
    OutputsUnreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The job file names a stack that was not deployed.
    #[error(
        "no stack {stack} in {region}: {remedy}, or write another name or region below [state]"
    )]
    NoStack {
        /// As the job file names it.
        stack: String,
        /// Where it was looked for.
        region: String,
        /// How to deploy it.
        remedy: String,
    },
    /// A stack of another template, or one that is not ready.
    #[error(
        "stack {stack} ({status}) has no output {missing}: deploy the template of this version, and \
         wait until it is complete"
    )]
    StackIncomplete {
        /// Its name.
        stack: String,
        /// As `CloudFormation` says.
        status: String,
        /// Names of outputs.
        missing: String,
    },
    /// A function failed, by its own words.
    #[error(
        "function {function} failed: {error}; its log says more. A pass may have begun all the same: \
         ossferry status"
    )]
    FunctionFailed {
        /// Its name.
        function: String,
        /// What it said.
        error: String,
    },
    /// The planner would not begin a pass.
    #[error("refused: {0}")]
    TriggerRefused(String),
    /// The functions do not know the job.
    #[error("job {job} is not deployed: ossferry deploy-job --job {job_file}", job_file = job_file.display())]
    NotDeployed {
        /// Its name.
        job: String,
        /// The job file.
        job_file: PathBuf,
    },
    /// `deploy-job` with another scope than that of the pass that runs.
    #[error(
        "pass {running} is running with another source, target, prefix or filter: let it end, or end \
         it with: ossferry cancel. Nothing was deployed"
    )]
    DeployedScopeDiffers {
        /// The pass that runs.
        running: PassId,
    },
    /// A command for functions, with a ledger of this machine.
    #[error(
        "{command} is for a job whose [state] is kind = \"aws\" or \"aliyun\"; this one's ledger is a file of this \
         machine: {hint}"
    )]
    ForStacks {
        /// `deploy-job`.
        command: &'static str,
        /// What to do in its place.
        hint: &'static str,
    },
    /// A command for processes of this machine, with a ledger of functions.
    #[error("{what} is for a ledger of this machine; here functions do the work: {hint}")]
    ForMachines {
        /// `copy`, or an option.
        what: &'static str,
        /// What to do in its place.
        hint: &'static str,
    },
    /// `redrive`: a queue failed.
    #[error("{queue} queue: {error}")]
    Queue {
        /// `planner` or `copier`.
        queue: &'static str,
        /// What it said.
        error: PortError,
    },
    /// `copy`, `cancel`: nothing to work on.
    #[error("no pass runs; begin one with: ossferry run, or: ossferry plan")]
    NoPassRuns,
    /// `limits set` without anything to set.
    #[error(
        "nothing is named to be set: name --source-bytes, --source-requests, --target-bytes, \
         --target-requests, --open or --clear"
    )]
    NoLimitNamed,
    /// `status`, `report`, `inspect`: nothing to show.
    #[error("the ledger knows no pass of job {0:?} yet; begin one with: ossferry run")]
    NoPass(String),
    /// A pass was named that is not there.
    #[error("the ledger knows no pass {0}; see: ossferry inspect passes")]
    UnknownPass(String),
    /// The key is in no task.
    #[error(
        "no such key was planned: it was found equal, filtered, or not listed; spell it as reports \
         do (%XX)"
    )]
    UnknownKey,
    /// The emulator did not start.
    #[error("emulator: {0}")]
    Emulator(#[from] EmulatorError),
    /// `demo` would move its own objects.
    #[error(
        "{folder} holds the demo's own temporary folder; name a folder inside it, or set TMPDIR",
        folder = .0.display()
    )]
    DemoInItself(PathBuf),
    /// `demo`: there is nothing to move.
    #[error("{folder} holds no file; name another one: ossferry demo FOLDER", folder = .0.display())]
    DemoOfNothing(PathBuf),
    /// `demo`: the folder's path cannot stand in a job file.
    #[error("{path} is not UTF-8, and a job file has to be; rename it", path = .0.display())]
    PathNotUtf8(PathBuf),
    /// Standard output was closed, or the disk behind it is full.
    #[error("write to standard output: {0}")]
    Output(#[from] io::Error),
    /// A CSV row could not be written.
    #[error("write to standard output: {0}")]
    Csv(#[from] csv::Error),
    /// Interrupt and termination cannot be listened for.
    #[error("listen for signals: {0}")]
    Signals(io::Error),
}

impl CommandError {
    /// Whether standard output was closed by whoever reads it: `ossferry report | head`.
    pub(crate) fn is_closed_output(&self) -> bool {
        let error = match self {
            Self::Output(error) => error,
            Self::Csv(error) => match error.kind() {
                csv::ErrorKind::Io(error) => error,
                _ => return false,
            },
            _ => return false,
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}
