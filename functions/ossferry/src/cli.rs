//! The command line. Names and flags here are what scripts rely on.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ossferry_core::time::Timestamp;
use ossferry_ledger::rows::PassKind;
use tracing_subscriber::EnvFilter;

const EXIT_STATUS: &str = "\
Exit status: 0 done, and where a pass ended: finished and nothing failed; 2 a pass finished with \
failed objects; 1 the command could not run, or the pass was stopped or cancelled; 130 interrupted.

Begin with `ossferry demo`, which needs no account. Then: init, check, run.";

/// Moves object storage into Alibaba Cloud OSS, and proves every object
#[derive(Parser, Debug)]
#[command(name = "ossferry", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What is logged to standard error: error, warn, info, debug, trace, or `target=level,…`
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", value_parser = log)]
    pub(crate) log: String,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Shows the whole thing on this machine: moves a folder into an OSS emulator on loopback
    ///
    /// Starts an OSS endpoint on 127.0.0.1 in this process, with its objects and the ledger in a
    /// temporary folder, moves every file of FOLDER into it, hidden ones too, prints the report and
    /// looks at what has arrived. Links to folders or out of FOLDER, dangling links, pipes and empty
    /// folders are no objects and are left out. FOLDER is only read. The temporary folder
    /// takes as much room as FOLDER and is removed at the end.
    #[command(after_help = "Example: ossferry demo ~/Pictures\n\nExit status: as of `run`.")]
    Demo(DemoArguments),

    /// Writes a commented job file
    ///
    /// Writes PATH and nothing else. A file that is there is never written over.
    #[command(after_help = "Example: ossferry init photos.toml\n\n\
                            Exit status: 0 written; 1 not written.")]
    Init {
        /// Where to write it
        #[arg(value_name = "PATH", default_value = "job.toml")]
        path: PathBuf,
    },

    /// Looks at both ends before a job begins: credentials, clocks, rights, what OSS cannot hold
    ///
    /// Prints a line for each thing looked at, with ok, warn or FAIL and what to do about it. Reads at
    /// source and target (a few requests), writes nothing at either, and makes no ledger.
    #[command(after_help = "Example: ossferry check --job job.toml\n\n\
                            Exit status: 0 nothing stands in the way; 1 something FAILs.")]
    Check(JobArgument),

    /// Moves: planner and copiers in this process, until the pass has ended
    ///
    /// Writes at the target and in the job's ledger, never at the source. Stopped, killed or
    /// interrupted at any moment, the same command goes on where it was; other processes may
    /// help with `copy` meanwhile. The report goes to standard output, progress to standard error.
    ///
    /// Without --pass: goes on with the pass that runs, if one does; else a full pass, if none of
    /// this scope has finished; else an incremental one. With --pass of another kind while one
    /// runs, nothing is done.
    ///
    /// Limits of the job file hold for each process. Interrupted with --json, it prints how the open
    /// pass stands as its last line.
    #[command(after_help = "Examples:\n  ossferry run --job job.toml\n  \
                            ossferry run --job job.toml --pass retry --json | jq .failed\n\n\
                            Exit status: 0 finished and nothing failed; 2 finished with failures \
                            (see `inspect failures`; `run` again takes them again); 1 it could not \
                            run, or the pass was stopped or cancelled; 130 interrupted. Objects \
                            that are deferred, archived or unsupported are no failures: see \
                            `inspect left-behind`.")]
    Run(RunArguments),

    /// Only the planner: walks the source and commits tasks, for `copy` to move
    ///
    /// Writes in the ledger, and begins multipart uploads at the target. Ends when every key range is
    /// walked; large objects whose turn comes later are then opened by `copy`.
    #[command(
        after_help = "Example: ossferry plan --job job.toml & ossferry copy --job job.toml\n\n\
                            Exit status: 0 everything is walked; 1 it could not run, or the pass \
                            was stopped or cancelled; 130 interrupted."
    )]
    Plan(PlanArguments),

    /// Only copiers: moves what is planned, until the pass has ended
    ///
    /// Any number of these may run on one ledger, beside one `plan` or `run`. Limits of the job file
    /// hold for each process. Waits a little for a pass to begin.
    #[command(after_help = "Example: ossferry copy --job job.toml --workers 8\n\n\
                            Exit status: as of `run`.")]
    Copy(CopyArguments),

    /// How the pass stands: the one that runs, or the newest
    ///
    /// Reads the ledger and writes nothing. Says so if the pass is open and no process of this machine
    /// works on it; in JSON that is `working`.
    #[command(after_help = "Example: ossferry status --job job.toml --watch\n\n\
                            Exit status: 0 shown; 1 there is nothing to show.")]
    Status {
        /// Which job
        #[command(flatten)]
        job: JobArgument,
        /// Print the report as one JSON object; with --watch one a second
        #[arg(long)]
        json: bool,
        /// Go on until the pass has ended
        #[arg(long)]
        watch: bool,
    },

    /// What the ledger holds: passes, slices, tasks, objects not copied, or all it says of one key
    ///
    /// Reads the ledger and writes nothing. A table; with --json one JSON object a line.
    #[command(after_help = "Examples:\n  ossferry inspect --job job.toml failures\n  \
                            ossferry inspect --job job.toml key 'albums/2026/a.jpg' --json\n\n\
                            Exit status: 0 shown; 1 there is nothing to show.")]
    Inspect(InspectArguments),

    /// What a pass did: totals, or a row for each object
    ///
    /// Reads the ledger and writes to standard output. The pass is the newest that was not skipped,
    /// or the one named. CSV has a row for each planned object:
    /// `key,size,outcome,proof,crc64_ecma,source_etag,target_etag,reason`. Bytes of a key that are
    /// not UTF-8, control characters and % are spelled %XX. Objects found equal while listing are
    /// counted, not planned, and have no row.
    #[command(after_help = "Example: ossferry report --job job.toml --format csv > proof.csv\n\n\
                            Exit status: 0 printed; 1 there is nothing to print.")]
    Report {
        /// Which job
        #[command(flatten)]
        job: JobArgument,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Which pass; `inspect passes` names them
        #[arg(long, value_name = "ID")]
        pass: Option<String>,
    },

    /// Ends the pass that runs
    ///
    /// Writes in the ledger that the pass is cancelled. Workers stop when they next look; what was
    /// copied stays. The next `run` begins a new pass, which finds that equal.
    #[command(after_help = "Example: ossferry cancel --job job.toml\n\n\
                            Exit status: 0 cancelled; 1 no pass runs.")]
    Cancel(JobArgument),
}

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

/// Of `inspect`.
#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// Which job
    #[command(flatten)]
    pub(crate) job: JobArgument,
    /// What of it
    #[command(subcommand)]
    pub(crate) what: Inspected,
    /// One JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Which pass, in place of the newest
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) pass: Option<String>,
}

/// What to inspect.
#[derive(Subcommand, Debug)]
pub(crate) enum Inspected {
    /// Every pass, oldest first
    Passes,
    /// The key ranges of a pass
    Slices,
    /// The tasks of a pass
    Tasks,
    /// The failed objects of a pass, each with its cause
    Failures,
    /// The failed, deferred, archived and unsupported objects of a pass, each with its cause
    LeftBehind,
    /// What the newest pass that planned this key says of it
    Key {
        /// At the source, spelled as reports spell it (%XX)
        #[arg(value_name = "KEY")]
        key: String,
    },
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

/// Which pass to begin.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WantedPass {
    /// Compare everything
    Full,
    /// Compare everything, trusting source dates before the last pass where nothing better tells
    Incremental,
    /// Take only the keys that earlier passes left undone
    Retry,
}

impl WantedPass {
    /// As the ledger names it.
    pub(crate) fn kind(self) -> PassKind {
        match self {
            Self::Full => PassKind::Full,
            Self::Incremental => PassKind::Incremental,
            Self::Retry => PassKind::Retry,
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339(text)
        .ok_or_else(|| "want RFC 3339, as in 2026-11-22T10:00:00Z".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| "want whole seconds, 1 to 86400".to_owned())
}

fn log(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_lines_that_scripts_rely_on_are_understood() {
        for line in [
            "demo",
            "demo some/folder --keep",
            "init",
            "init other.toml",
            "check --job j",
            "run --job j",
            "run --job j --pass full --json --workers 3",
            "run --job j --pass incremental --since 2026-11-22T10:00:00Z",
            "run --job j --pass retry --invocation-seconds 2",
            "plan --job j --pass full",
            "copy --job j --workers 2 --json",
            "status --job j --json --watch",
            "inspect --job j passes",
            "inspect --job j slices --json",
            "inspect --json --job j tasks",
            "inspect --job j failures --pass p",
            "inspect --job j left-behind --json",
            "inspect --job j key a/b",
            "report --job j --format text",
            "report --job j --format json --pass p",
            "report --job j --format csv --log debug",
            "cancel --job j",
        ] {
            let words = std::iter::once("ossferry").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_hint() {
        for (line, hint) in [
            ("run", "--job"),
            ("run --job j --since yesterday", "RFC 3339"),
            ("run --job j --workers 0", "1..=1024"),
            ("run --job j --invocation-seconds 0", "whole seconds"),
            ("run --job j --pass audit", "incremental"),
            ("report --job j --format xml", "csv"),
            ("init --log ,,=x", "invalid"),
        ] {
            let words = std::iter::once("ossferry").chain(line.split(' '));
            let error = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(hint), "{line}: {error}");
        }
    }

    #[test]
    fn every_command_teaches_by_an_example_and_its_exit_status() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            assert!(help.contains("Exit status"), "{}", command.get_name());
        }
    }
}
