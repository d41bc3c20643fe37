//! What planning costs: the built `ossferry plan`, ledger included, over generated listings.

mod printed;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::Args;
use ossferry_core::report::Report;
use serde::Serialize;

use crate::listing_server::{Asked, SOURCE, ServerArguments, TARGET};
use crate::measured::{Cost, measure};

/// What is measured. A number of keys of zero leaves its rows out.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlannerArguments {
    /// The program: by default the one beside this benchmark.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Keys of the source's listing.
    #[arg(long, default_value_t = 10_000_000)]
    keys: u64,
    /// Keys of a shorter listing, whose peak of memory is printed beside that of the long one.
    #[arg(long, default_value_t = 1_000_000)]
    keys_few: u64,
    /// Keys of the listing that is walked with every LIST delayed.
    #[arg(long, default_value_t = 3_000_000)]
    keys_delayed: u64,
    /// Milliseconds of that delay.
    #[arg(long, default_value_t = 100)]
    delay_millis: u64,
    /// Keys of the listing that is walked with everything at the target already.
    #[arg(long, default_value_t = 1_000_000)]
    keys_unchanged: u64,
    /// Keys with a folder for each thousand, in place of one flat folder.
    #[arg(long)]
    folders: bool,
    /// Key ranges walked at once, in place of the product's default.
    #[arg(long)]
    slices_max: Option<u32>,
    /// Repetitions of each row, taken in turns. Medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Print one line of JSON a run.
    #[arg(long)]
    json: bool,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    server: ServerArguments,
    /// Listed by our own client without the planner.
    alone: bool,
}

/// What one run of a case cost.
#[derive(Clone, Debug, Serialize)]
struct Run {
    case: &'static str,
    keys: u64,
    cpu_seconds: f64,
    user_seconds: f64,
    wall_seconds: f64,
    peak_bytes: u64,
    slices: u64,
    tasks: u64,
    asked: Asked,
}

/// Measures every case in turns and prints the table.
pub(crate) fn benchmark(arguments: &PlannerArguments) -> Result<(), Box<dyn Error>> {
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("ossferry"),
    };
    let cases = cases(arguments);
    let mut runs = Vec::new();
    for _ in 0..arguments.runs {
        for case in &cases {
            let run = case.run(&program, arguments.slices_max)?;
            if arguments.json {
                println!("{}", serde_json::to_string(&run)?);
            } else {
                eprintln!("{}", printed::line(&run));
            }
            runs.push(run);
        }
    }
    if !arguments.json {
        print!("{}", printed::table(&runs));
    }
    Ok(())
}

fn cases(arguments: &PlannerArguments) -> Vec<Case> {
    let folders = arguments.folders;
    let server = |keys, every, delay_millis| ServerArguments { keys, every, folders, delay_millis };
    let case = |name, server, alone| Case { name, server, alone };
    let delay = arguments.delay_millis;
    let cases = [
        case("few keys", server(arguments.keys_few, 2, 0), false),
        case("many keys", server(arguments.keys, 2, 0), false),
        case("listing alone", server(arguments.keys, 2, 0), true),
        case("unchanged", server(arguments.keys_unchanged, 1, 0), false),
        case("delayed", server(arguments.keys_delayed, 2, delay), false),
    ];
    cases.into_iter().filter(|case| case.server.keys > 0).collect()
}

impl Case {
    fn run(&self, program: &Path, slices_max: Option<u32>) -> Result<Run, Box<dyn Error>> {
        let server = ListingServer::start(self.server)?;
        let folder = tempfile::tempdir()?;
        let (cost, report) = if self.alone {
            (list_alone(&server.endpoint, &self.server)?, None)
        } else {
            let job = folder.path().join("job.toml");
            std::fs::write(&job, job_file(&server.endpoint, folder.path(), slices_max))?;
            let cost = plan(program, &job)?;
            let report = report_of(program, &job)?;
            self.check(&report)?;
            (cost, Some(report))
        };
        let asked = server.stop()?;
        if asked.unknown > 0 {
            return Err(format!("{} requests were not understood", asked.unknown).into());
        }
        Ok(Run {
            case: self.name,
            keys: self.server.keys,
            cpu_seconds: cost.cpu().as_secs_f64(),
            user_seconds: cost.user.as_secs_f64(),
            wall_seconds: cost.wall.as_secs_f64(),
            peak_bytes: cost.peak_bytes,
            slices: report.as_ref().map_or(0, |report| report.slices),
            tasks: report.as_ref().map_or(0, |report| report.tasks),
            asked,
        })
    }

    /// A plan that is wrong has no speed.
    fn check(&self, report: &Report) -> Result<(), Box<dyn Error>> {
        let keys = self.server.keys;
        let equal = keys.div_ceil(self.server.every);
        let planned = (report.listed, report.skipped_equal, report.planned);
        if planned != (keys, equal, keys - equal) {
            return Err(format!("listed, equal and planned are {planned:?} of {keys}").into());
        }
        Ok(())
    }
}

fn list_alone(endpoint: &str, server: &ServerArguments) -> Result<Cost, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["list-alone", "--endpoint", endpoint]).stdout(Stdio::null());
    let (status, cost) = measure(&mut command)?;
    if !status.success() {
        return Err(format!("listing {} keys alone: {status}", server.keys).into());
    }
    Ok(cost)
}

fn plan(program: &Path, job: &Path) -> Result<Cost, Box<dyn Error>> {
    let mut command = command(program, "plan", job);
    let (status, cost) = measure(command.stdout(Stdio::null()))?;
    if !status.success() {
        return Err(format!("{} plan: {status}", program.display()).into());
    }
    Ok(cost)
}

fn report_of(program: &Path, job: &Path) -> Result<Report, Box<dyn Error>> {
    let answer = command(program, "status", job).arg("--json").output()?;
    Ok(serde_json::from_slice(&answer.stdout)?)
}

fn command(program: &Path, name: &str, job: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(name).arg("--job").arg(job);
    for variable in ["BENCHMARK_ACCESS_KEY", "BENCHMARK_SECRET_KEY"] {
        command.env(variable, "benchmark");
    }
    command
}

fn job_file(endpoint: &str, folder: &Path, slices_max: Option<u32>) -> String {
    let credentials = "{ from = \"env\", access_key = \"BENCHMARK_ACCESS_KEY\", \
                       secret_key = \"BENCHMARK_SECRET_KEY\" }";
    let limits = slices_max.map(|slices| format!("[limits]\nslices_max = {slices}\n"));
    format!(
        "name = \"benchmark\"\n\
         [source]\nkind = \"s3-compatible\"\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n\
         bucket = \"{SOURCE}\"\naddressing = \"path\"\nlisting_order = \"bytes\"\n\
         credentials = {credentials}\n\
         [target]\nendpoint = \"{endpoint}\"\nregion = \"cn-hangzhou\"\nbucket = \"{TARGET}\"\n\
         addressing = \"path\"\ncredentials = {credentials}\n\
         [policy]\noverwrite = \"source-wins\"\n{}\
         [state]\npath = \"{}\"\n",
        limits.unwrap_or_default(),
        folder.join("state.sqlite").display(),
    )
}

/// The listing server as a process of its own.
struct ListingServer {
    child: Child,
    /// It serves until this is closed.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    endpoint: String,
}

impl ListingServer {
    fn start(arguments: ServerArguments) -> Result<Self, Box<dyn Error>> {
        let ServerArguments { keys, every, folders, delay_millis } = arguments;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("listing-server").args(["--keys", &keys.to_string()]);
        command.args(["--every", &every.to_string()]);
        command.args(["--delay-millis", &delay_millis.to_string()]);
        if folders {
            command.arg("--folders");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output of the listing server")?;
        let mut output = BufReader::new(output);
        let mut endpoint = String::new();
        output.read_line(&mut endpoint)?;
        Ok(Self { child, input, output, endpoint: endpoint.trim().to_owned() })
    }

    /// Ends it. Answers what was asked of it.
    fn stop(mut self) -> Result<Asked, Box<dyn Error>> {
        drop(self.input.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        self.child.wait()?;
        Ok(serde_json::from_str(text.trim())?)
    }
}

impl Drop for ListingServer {
    fn drop(&mut self) {
        drop(self.input.take());
        // Gone already, or going.
        let _ = self.child.wait();
    }
}
