//! The command line. Names and flags here are what scripts rely on.

mod arguments;
mod inspected;
mod rates;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use arguments::{
    ConvertInventoryArguments, CopyArguments, CutoverArguments, DemoArguments, EstimateArguments,
    Format, ImportCfgArguments, JobArgument, MirrorAction, MirrorOff, MirrorOn, OriginArguments,
    OriginAuth, PassArguments, PlanArguments, RunArguments, StatusForm, WantedPass, WorkArguments,
};
pub(crate) use inspected::{InspectArguments, Inspected};
pub(crate) use rates::{LimitsAction, SetLimits};

const EXIT_STATUS: &str = "\
Exit status: 0 done, and where a pass ended: finished and nothing failed; 2 a pass finished with \
failed objects, or an audit found a difference; 1 the command could not run, or the pass was stopped or cancelled; 3 `cutover` waits for the application to be switched; 130 interrupted.

Begin with `ossferry demo`, which needs no account. Then: init, check, run.";

/// Moves object storage into Alibaba Cloud OSS, and proves every object
#[derive(Parser, Debug)]
#[command(name = "ossferry", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What is logged to standard error: error, warn, info, debug, trace, or `target=level,…`
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", value_parser = arguments::log)]
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

    /// Makes a job file from the files of ossimport
    ///
    /// Reads `conf/job.cfg` (or `conf/local_job.cfg`) and, where it is named, `conf/sys.properties`. The job
    /// file goes to standard output, or to a new file. Standard error says line by line what became of
    /// every key: kept, mapped, no longer needed and why, refused, unknown. Where a key is refused nothing
    /// is written. Keys of an account stay out of the job file, which names variables in their place.
    #[command(
        after_help = "Example: ossferry import-cfg conf/job.cfg conf/sys.properties --output job.toml\n\n\
                            Exit status: 0 written; 1 not written."
    )]
    ImportCfg(ImportCfgArguments),

    /// Writes an inventory in Parquet or ORC as the CSV that a job file's inventory names
    ///
    /// Reads MANIFEST and the files that it names, of this machine, after their digests, and writes as many
    /// files of CSV and a manifest of their own: every current object with its size, date, ETag and class.
    /// The manifest comes last. An inventory in CSV needs none of this.
    #[command(after_help = "Example: aws s3 cp --recursive s3://lists/photos/ photos/\n         \
                            ossferry convert-inventory photos/2026-11-27T01-00Z/manifest.json --files photos/data \
                            --output photos-csv\n\n\
                            Exit status: 0 written; 1 not written.")]
    ConvertInventory(ConvertInventoryArguments),

    /// Looks at both ends before a job begins: credentials, clocks, rights, what OSS cannot hold
    ///
    /// Prints a line for each thing looked at, with ok, warn or FAIL and what to do about it. Reads at
    /// source and target (a few requests), writes nothing at either, and makes no ledger. With a stack
    /// also: its state, table, queues and dead letters, and whether this job file is deployed.
    #[command(after_help = "Example: ossferry check --job job.toml\n\n\
                            Exit status: 0 nothing stands in the way; 1 something FAILs.")]
    Check(JobArgument),

    /// What a job will take and cost, before anything moves
    ///
    /// From totals that are given, or with --job from a sample of the real listing: a few LIST pages from
    /// several places, and a few reads of 32 MiB at most each. Objects by size, tasks, requests by operation,
    /// functions and the quotas they need, the time with its bounds, and the cost by item, each with the page
    /// and the date of its price. What has no price that can be relied on is named and is in no sum. Beside
    /// it: the machines that the guide of ossimport asks for. Writes nothing.
    #[command(
        after_help = "Examples:\n  ossferry estimate --total-bytes 500TB --objects 50000000 --days 7 \
                            --line 200Mbit/s --from cos\n  ossferry estimate --job job.toml --objects 1200000\n\n\
                            Exit status: 0 printed; 1 there is nothing to estimate, or the source does not answer."
    )]
    Estimate(EstimateArguments),

    /// Moves: planner and copiers in this process, until the pass has ended
    ///
    /// Writes at the target and in the job's ledger, never at the source. Stopped, killed or
    /// interrupted at any moment, the same command goes on where it was; other processes may
    /// help with `copy` meanwhile. The report goes to standard output, progress to standard error.
    ///
    /// With --pass audit it moves nothing and writes nothing at either end: it compares both listings, asks
    /// both ends about what those do not show equal, and records what is missing, different, newer at
    /// the target (after the switch) or only there.
    ///
    /// Without --pass: goes on with the pass that runs, if one does; else a full pass, if none of
    /// this scope has finished; else an incremental one. With --pass of another kind while one
    /// runs, nothing is done.
    ///
    /// Limits of bytes and requests hold for all processes together, the others for each. Interrupted with --json, it prints how the open
    /// pass stands as its last line.
    ///
    /// With a stack (`[state]` kind = "aws" or "aliyun") functions move: this asks for the pass, watches it
    /// and prints the report. Interrupted, they go on.
    #[command(after_help = "Examples:\n  ossferry run --job job.toml\n  \
                            ossferry run --job job.toml --pass retry --json | jq .failed\n  \
                            ossferry run --job job.toml --pass audit --reread 1%\n\n\
                            Exit status: 0 finished and nothing failed; 2 finished with failures \
                            (see `inspect failures`; `run` again takes them again), or an audit \
                            that did not find everything equal (see `inspect objects`); 1 it could not \
                            run, or the pass was stopped or cancelled; 130 interrupted. Objects \
                            that are deferred, archived or unsupported are no failures: see \
                            `inspect left-behind`.")]
    Run(RunArguments),

    /// Only the planner: walks the source and commits tasks, for `copy` to move
    ///
    /// Writes in the ledger, and begins multipart uploads at the target. Ends when every key range is
    /// walked; large objects whose turn comes later are then opened by `copy`.
    ///
    /// With a stack (`[state] kind = "aws"` or `"aliyun"`) this only asks its planner to begin a pass, which its copiers then move.
    #[command(
        after_help = "Examples:\n  ossferry plan --job job.toml & ossferry copy --job job.toml\n  \
                            ossferry plan --job on-aws.toml --pass incremental\n\n\
                            Exit status: 0 everything is walked, or with a stack, the pass runs; 1 it could not run, or the pass \
                            was stopped or cancelled; 130 interrupted."
    )]
    Plan(PlanArguments),

    /// Only copiers: moves what is planned, until the pass has ended
    ///
    /// Any number of these may run on one ledger, beside one `plan` or `run`. Limits of bytes and
    /// requests hold for all of them together, the others for each. Waits a little for a pass to begin. Not for a stack: its copiers
    /// start by themselves.
    #[command(after_help = "Example: ossferry copy --job job.toml --workers 8\n\n\
                            Exit status: as of `run`.")]
    Copy(CopyArguments),

    /// How the pass stands: the one that runs, or the newest
    ///
    /// Reads the ledger and writes nothing. Says so if the pass is open and no process of this machine
    /// works on it; in JSON that is `working`. Of a stack, if no message waits for its functions or is held
    /// by one.
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
        /// Print what another tool prints of a job: `ossimport` for the fields of its `stat`
        #[arg(long = "as", value_enum, value_name = "TOOL", conflicts_with_all = ["json", "watch"])]
        form: Option<StatusForm>,
    },

    /// What the ledger holds: passes, slices, tasks, objects not copied, or all it says of one key
    ///
    /// Reads the ledger and writes nothing. A table; with --json one JSON object a line.
    #[command(after_help = "Examples:\n  ossferry inspect --job job.toml failures\n  \
                            ossferry inspect --job job.toml objects --outcome different\n  \
                            ossferry inspect --job job.toml objects --dropped tags\n  \
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
                            Exit status: 0 printed; 2 printed, of an audit that has ended and did \
                            not find everything equal; 1 there is nothing to print.")]
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
        /// Beside the text: what was forecast, from a file that `estimate --json` printed
        #[arg(long, value_name = "FILE")]
        forecast: Option<PathBuf>,
    },

    /// What becomes of each property of an object, and how many copies depart from their sources
    ///
    /// For every property beside key and bytes: whether it is kept, mapped to something else, dropped, or not
    /// there at such a source, by what the job file asks for; and of a pass, where there is one, how many of
    /// the objects that it copied depart in it. Objects that were found equal were not read: of them nothing
    /// is known. `inspect objects --dropped PROPERTY` names those that are counted.
    #[command(after_help = "Example: ossferry fidelity --job job.toml\n\n\
                            Exit status: 0 printed; 1 it could not be.")]
    Fidelity {
        /// Which job
        #[command(flatten)]
        job: JobArgument,
        /// Which pass, in place of the newest; `inspect passes` names them
        #[arg(long, value_name = "ID")]
        pass: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Gives the job file to the functions of a stack
    ///
    /// For a job whose `[state]` is kind = "aws" or "aliyun". Writes the definition into the stack's table: the next
    /// pass begins with it, whoever triggers that. A pass that runs keeps the one that it began with;
    /// while one runs, another source, target, prefix or filter is refused. May be repeated.
    #[command(after_help = "Example: ossferry deploy-job --job job.toml\n\n\
                            Exit status: 0 the definition stands; 1 it does not.")]
    DeployJob(JobArgument),

    /// Sends again what is due and has no worker: lost messages, dead planners and copiers
    ///
    /// Also aborts unfinished uploads of passes that were stopped or cancelled, only such as stand in
    /// the ledger. A stack sweeps by itself, on its schedule, and asked by this command; on one machine
    /// `run` and `copy` do. May be repeated at any time.
    #[command(after_help = "Example: ossferry sweep --job job.toml\n\n\
                            Exit status: 0 swept; 1 it could not be.")]
    Sweep(JobArgument),

    /// How much the whole fleet of a job may ask and move: show it, or change it while a pass runs
    ///
    /// Limits are those of `[limits]` in the job file, by its windows, for all workers together: they
    /// share them by rows in the ledger. What is set here stands in place of the job file's, at every
    /// hour, until it is set anew or cleared. It holds within 30 seconds wherever somebody works under a
    /// limit; where there was none, from the next task that a worker takes. A window that is closed stays
    /// closed, unless --open: then messages that were put off come within five minutes.
    #[command(after_help = "Examples:\n  ossferry limits show --job job.toml\n  \
                            ossferry limits set --job job.toml --target-bytes 50000000\n  \
                            ossferry limits set --job job.toml --source-requests none --open\n  \
                            ossferry limits set --job job.toml --clear\n\n\
                            Exit status: 0 shown, or set; 1 nothing was set, with the reason.")]
    Limits {
        /// What to do with them
        #[command(subcommand)]
        action: LimitsAction,
    },

    /// Returns dead letters to their queues, where the ledger says that they are still due
    ///
    /// For a job whose `[state]` is kind = "aws" or "aliyun". A letter whose work is done, given up or another's is
    /// deleted and named; one that cannot be read stays and is named. Look into the function's log first:
    /// what failed five times will fail again until its cause is gone.
    #[command(after_help = "Example: ossferry redrive --job job.toml\n\n\
                            Exit status: 0 none is left; 1 one could not be read or returned, or the \
                            command could not run.")]
    Redrive(JobArgument),

    /// The rule by which OSS fetches what is missing from the source: on, status, off
    ///
    /// Once the application reads at the target, a GET of a key that is not copied yet is answered from
    /// the source, and stored (mirroring-based back-to-origin). Reads and writes the target bucket's
    /// website configuration: `oss:GetBucketWebsite`, `oss:PutBucketWebsite`, `oss:DeleteBucketWebsite`.
    /// The rule is for the job's prefix and does not know its filter.
    ///
    /// HEAD and listings fetch nothing, what was fetched is never refreshed, and an object that is
    /// deleted at the target comes back while the rule is on.
    #[command(after_help = "Examples:\n  ossferry mirror on --job job.toml --mirror-auth key\n  \
                            ossferry mirror status --job job.toml --json\n  \
                            ossferry mirror off --job job.toml\n\n\
                            Exit status: 0 done, or shown; 1 refused, with the reason.")]
    Mirror {
        /// What to do with it
        #[command(subcommand)]
        action: MirrorAction,
    },

    /// Moves a live application over, step by step, and certifies the end
    ///
    /// A full pass; incremental ones until the last of them copied at most --delta-max objects; the
    /// mirror rule on; T2 recorded by the target's clock, and the application switched; incremental
    /// passes until one that began afterwards finds nothing; an audit; the mirror rule off; a
    /// certificate. Each step is checked in ledger and bucket before the next one is offered. Interrupted
    /// or killed at any moment, the same command goes on where it was.
    ///
    /// T2 is recorded first, the application is switched then: what it writes at the target since T2 is
    /// never written over, and what it deletes there is not brought back. Until the next pass ends the
    /// target holds older copies of what the source changed since the last one; they are named.
    ///
    /// With --yes nobody is asked: the first call ends with status 3 once T2 is recorded; switch the
    /// application, and call again with --switched.
    #[command(after_help = "Examples:\n  ossferry cutover --job job.toml --mirror-auth key\n  \
                            ossferry cutover --job job.toml --yes --json --no-mirror; \
                            switch-my-application; ossferry cutover --job job.toml --yes --json \
                            --switched --certificate done.json\n\n\
                            Exit status: 0 done, with a certificate; 3 T2 is recorded, and the \
                            application has to be switched; 1 refused, with the reason; 130 \
                            interrupted.")]
    Cutover(CutoverArguments),

    /// Ends the pass that runs
    ///
    /// Writes in the ledger that the pass is cancelled. Workers stop when they next look; what was
    /// copied stays. The next `run` begins a new pass, which finds that equal.
    #[command(after_help = "Example: ossferry cancel --job job.toml\n\n\
                            Exit status: 0 cancelled; 1 no pass runs.")]
    Cancel(JobArgument),
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
            "import-cfg job.cfg",
            "import-cfg job.cfg sys.properties --output job.toml --json",
            "estimate --total-bytes 500TB --days 7 --line 200Mbit/s --from cos --json",
            "estimate --job j --objects 5 --pages 3 --reads 0 --region cn-hangzhou --egress-price 0.5",
            "check --job j",
            "run --job j",
            "run --job j --pass full --json --workers 3",
            "run --job j --pass incremental --since 2026-11-22T10:00:00Z",
            "run --job j --pass retry --invocation-seconds 2",
            "run --job j --pass audit --reread 0.5%",
            "plan --job j --pass full",
            "copy --job j --workers 2 --json",
            "status --job j --json --watch",
            "status --job j --as ossimport",
            "inspect --job j passes",
            "inspect --job j slices --json",
            "inspect --json --job j tasks",
            "inspect --job j failures --pass p",
            "inspect --job j left-behind --json",
            "inspect --job j objects --outcome different --outcome missing --json",
            "inspect --job j key a/b",
            "report --job j --format text",
            "report --job j --format json --pass p",
            "report --job j --forecast estimate.json",
            "report --job j --format csv --log debug",
            "cancel --job j",
            "cutover --job j --delta-max 5 --mirror-auth key --yes --json --certificate c.json",
            "cutover --job j --no-mirror --instant --workers 2",
            "cutover --job j --switched",
            "mirror on --job j --yes --json --mirror-auth none --mirror-url https://o/",
            "mirror on --job j --mirror-auth role --mirror-role r",
            "mirror status --job j --json",
            "mirror off --job j --rule-only --despite-cutover --json",
            "deploy-job --job j",
            "sweep --job j",
            "redrive --job j",
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
            ("run --job j --pass whole", "incremental"),
            ("run --job j --pass audit --reread 5", "0.25%"),
            ("inspect --job j objects --outcome equals", "different"),
            ("report --job j --format xml", "csv"),
            ("status --job j --as ossimport --json", "--json"),
            ("status --job j --as rclone", "ossimport"),
            ("cutover --job j --instant --switched", "cannot be used with"),
            ("mirror on --job j --mirror-auth token", "role"),
            ("init --log ,,=x", "invalid"),
            ("estimate", "--job"),
            ("estimate --total-bytes much", "500TB"),
            ("estimate --total-bytes 1TB --line 200", "Mbit/s"),
            ("estimate --total-bytes 1TB --egress-price=-1", "0.5"),
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
