//! The operator's command: hosts planner and copier on one machine, and shows what the ledger holds.

mod amount;
mod cancel;
mod check;
mod choose;
mod cli;
mod command_error;
mod convert_inventory;
mod cutover;
mod demo;
mod deploy_job;
mod estimate;
mod fidelity;
mod host;
mod import_cfg;
mod init;
mod inspect;
mod job_ledger;
mod limits;
mod local_ledger;
mod machine;
mod mirror;
mod object_csv;
mod progress;
mod prompt;
mod redrive;
mod report;
mod run;
mod stack;
mod status;
mod summary;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser as _;
use ossferry_core::time::Timestamp;
use ossferry_ends::Surroundings;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, StatusForm};
use crate::command_error::CommandError;
use crate::machine::Machine;

/// Threads that run handlers. Their work waits for networks and disks; bytes are summed on the way.
const RUNTIME_THREADS: usize = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => {
            // Help goes to standard output. A wrong line is not status 2, which says that objects failed.
            let _ = answer.print();
            return ExitCode::from(u8::from(answer.use_stderr()));
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&cli.log))
        .with_writer(io::stderr)
        .init();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("another crypto provider was installed first");
    }
    let machine = Machine {
        around: Surroundings::of_machine(
            Arc::new(now),
            Arc::new(|name: &str| std::env::var(name).ok()),
        ),
        is_terminal: io::stderr().is_terminal(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build();
    let done = match &runtime {
        Ok(runtime) => runtime.block_on(obey(cli.command, &machine)),
        Err(error) => {
            eprintln!("ossferry: start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(status) => ExitCode::from(status),
        // Whoever read the output has seen enough.
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ossferry: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command, machine: &Machine) -> Result<u8, CommandError> {
    let done = match command {
        Command::Demo(arguments) => return demo::show(&arguments, machine).await,
        Command::ImportCfg(arguments) => return import_cfg::write(&arguments),
        Command::Check(job) => return check::check(&job.file, machine).await,
        Command::Run(arguments) => return run::run(arguments, machine).await,
        Command::Plan(arguments) => return run::plan(arguments, machine).await,
        Command::Copy(arguments) => return run::copy(arguments, machine).await,
        Command::Init { path } => {
            init::write_template(&path)?;
            eprintln!(
                "wrote {path}; fill it in, then: ossferry check --job {path}",
                path = path.display()
            );
            Ok(())
        }
        Command::Status { job, form: Some(StatusForm::Ossimport), .. } => {
            status::show_as_ossimport(&job.file, machine).await
        }
        Command::Status { job, json, watch, form: None } => {
            status::show(&job.file, json, watch, machine).await
        }
        Command::Inspect(arguments) => inspect::print(&arguments, machine).await,
        Command::Report { job, format, pass, forecast } => {
            let asked = report::Asked { pass: pass.as_deref(), forecast: forecast.as_deref() };
            return report::print(&job.file, format, &asked, machine).await;
        }
        Command::ConvertInventory(arguments) => convert_inventory::convert(&arguments),
        Command::Fidelity { job, pass, json } => {
            fidelity::print(&job.file, pass.as_deref(), json, machine).await
        }
        Command::Estimate(arguments) => estimate::print(&arguments, machine).await,
        Command::DeployJob(job) => deploy_job::deploy(&job.file, machine).await,
        Command::Sweep(job) => run::sweep(&job.file, machine).await,
        Command::Limits { action } => limits::limits(&action, machine).await,
        Command::Mirror { action } => mirror::mirror(&action, machine).await,
        Command::Redrive(job) => return redrive::redrive(&job.file, machine).await,
        Command::Cutover(arguments) => return cutover::cutover(&arguments, machine).await,
        Command::Cancel(job) => cancel::cancel(&job.file, machine).await,
    };
    done.map(|()| 0)
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
