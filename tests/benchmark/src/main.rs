//! What a copy and a plan cost, as ratios against peers and limits measured in the same run: times
//! of one machine say nothing of another, and shared machines are noisy.

mod ciphers;
mod contestants;
mod copying;
mod ends;
mod figures;
mod floor;
mod generated;
mod lambda;
mod listing_alone;
mod listing_server;
mod listing_xml;
mod measured;
mod planner;
mod tls_front;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

use crate::listing_alone::AloneArguments;
use crate::listing_server::ServerArguments;
use crate::planner::PlannerArguments;

/// Measures ossferry beside its peers.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// Copying beside the floor, `juicefs sync` and `rclone copy`: processor time, memory, requests.
    Copy(copying::Scale),
    /// Runs one command and says what it cost.
    Cost {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// The floor, which `copy` starts: copies what a file of signed requests says.
    #[command(hide = true)]
    Floor {
        /// Objects at once.
        #[arg(long)]
        threads: usize,
        /// The file.
        errands: PathBuf,
    },
    /// What the functions of AWS Lambda cost that `sam build` has built: their start, their processor time
    /// with TLS at both ends, their memory.
    Lambda(lambda::LambdaArguments),
    /// What planning costs, over listings of any length that are generated.
    Planner(PlannerArguments),
    /// The listings' server: a process that another subcommand starts.
    #[command(hide = true)]
    ListingServer(ServerArguments),
    /// The limit of the planner: a process that another subcommand starts.
    #[command(hide = true)]
    ListAlone(AloneArguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().suite {
        Suite::Copy(scale) => in_runtime(copying::measure(scale)),
        Suite::Cost { command } => cost(&command),
        Suite::Floor { threads, errands } => floor::run(&errands, threads).map_err(Into::into),
        Suite::Lambda(arguments) => in_runtime(lambda::benchmark(arguments)),
        Suite::Planner(arguments) => planner::benchmark(&arguments),
        Suite::ListingServer(arguments) => listing_server::serve(&arguments),
        Suite::ListAlone(arguments) => listing_alone::list_alone(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ossferry-benchmark: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The servers of the ends run here; what is measured runs in processes of its own.
fn in_runtime(
    suite: impl Future<Output = Result<(), Box<dyn Error>>>,
) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(suite)
}

fn cost(command: &[String]) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let (status, cost) = measured::measure(Command::new(program).args(arguments))?;
    println!(
        "cpu {:.2} s (user {:.2}, system {:.2}), wall {:.2} s, peak {:.1} MiB, {status}",
        cost.cpu().as_secs_f64(),
        cost.user.as_secs_f64(),
        cost.system.as_secs_f64(),
        cost.wall.as_secs_f64(),
        mebibytes(cost.peak_bytes),
    );
    Ok(())
}

/// Bytes as the tables show them.
#[expect(clippy::cast_precision_loss, reason = "a figure of three digits")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
