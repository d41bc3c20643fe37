//! What the functions cost behind Lambda's runtime API: their start, their processor time, their memory.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use ossferry_ledger::rows::PassState;
use ossferry_tests::deployment::bootstrap;
use ossferry_tests::lambda::{Function, LambdaLimits, Stack};
use ossferry_tests::oss::Oss;
use serde_json::json;

use crate::contestants::{Wire, job_file};
use crate::copying::{FUNCTION_SHARE, LARGE_BYTES, LARGE_IN_FLIGHT, goal};
use crate::ends::{Ends, Origin};
use crate::figures::{Bound, Figures, Goal, Table};
use crate::mebibytes;

/// No pass here takes longer.
const PASS_MAX: Duration = Duration::from_mins(15);

/// As deployed.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Memory that brings a whole processor, in MB.
const MEGABYTES_PER_PROCESSOR: f64 = 1_769.0;

/// What a copier is to sustain.
const BYTES_PER_SECOND: f64 = 75e6;

/// A function's memory is chosen in steps of this here, in MB.
const SIZE_STEP: f64 = 128.0;

/// How much is measured, and how often.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LambdaArguments {
    /// Starts of each function
    #[arg(long, default_value_t = 11)]
    starts: usize,
    /// Passes
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Large objects of 128 MiB
    #[arg(long, default_value_t = 8)]
    large_objects: usize,
    /// The planner's binary and the copier's, in place of what `sam build` has built
    #[arg(long, num_args = 2, value_names = ["PLANNER", "COPIER"])]
    programs: Option<Vec<PathBuf>>,
}

/// Measures, and prints as it goes.
pub(crate) async fn benchmark(arguments: LambdaArguments) -> Result<(), Box<dyn Error>> {
    let programs = match arguments.programs.as_deref() {
        Some([planner, copier]) => [planner.clone(), copier.clone()],
        _ => ["PlannerFunction", "CopierFunction"].map(bootstrap),
    };
    for program in &programs {
        println!("{}: {:.2} MiB", program.display(), mebibytes(program.metadata()?.len()));
    }
    let ends = Ends::start()?;
    let origin = ends.origin(arguments.large_objects, LARGE_BYTES).await;
    let bench = Bench { ends, origin, programs };
    let mut goals = Vec::new();
    bench.starts(arguments.starts).await?;
    goals.extend(bench.copies(arguments.runs).await?);
    bench.origin.bucket.remove().await?;
    println!("\nGoals");
    for goal in goals {
        println!("{goal}");
    }
    Ok(())
}

struct Bench {
    ends: Ends,
    origin: Origin,
    programs: [PathBuf; 2],
}

impl Bench {
    /// Functions, their queues and table, and a job over TLS that nothing was done of.
    async fn stack(&self) -> Result<(Stack, Oss), Box<dyn Error>> {
        let (ends, origin) = (&self.ends, &self.origin);
        let oss = ends.oss().await;
        let job = job_file(ends, origin, &oss, LARGE_IN_FLIGHT, Wire::Tls).await?;
        let certificate = ends.certificate_file().display().to_string();
        let limits = LambdaLimits {
            planner_timeout: TIMEOUT,
            copier_timeout: TIMEOUT,
            planners: 1,
            copiers: 1,
            programs: Some(self.programs.clone()),
            variables: vec![("SSL_CERT_FILE".to_owned(), certificate)],
            ..LambdaLimits::default()
        };
        Ok((Stack::deploy(&job.text(), &limits).await, oss))
    }

    /// From the start of a process to its first question for work.
    async fn starts(&self, starts: usize) -> Result<(), Box<dyn Error>> {
        let (stack, _oss) = self.stack().await?;
        println!("\nStarts: {starts} of each, median [least-greatest]");
        let mut table = Table::new(["", "ms"]);
        for (name, deployed) in [("planner", &stack.planner), ("copier", &stack.copier)] {
            let mut millis = Figures::default();
            for _ in 0..starts {
                let function = Function::new(deployed.deployment().clone());
                function.invoke(&json!({"Records": []})).await;
                millis.push(function.figures().init.as_secs_f64() * 1_000.0);
            }
            table.row([name.to_owned(), millis.to_string()]);
        }
        println!("{table}");
        Ok(())
    }

    /// A pass over large objects, one copier at a time.
    async fn copies(&self, runs: usize) -> Result<Vec<Goal>, Box<dyn Error>> {
        let mut each = Figures::default();
        let mut planner = Figures::default();
        let (mut peaks, mut planner_peaks) = (Figures::default(), Figures::default());
        for _ in 0..runs {
            let (stack, _oss) = self.stack().await?;
            let (pass, row) = stack.run(json!({"pass": "full"}), PASS_MAX).await;
            let copied = stack.ledger.status(&pass).await?.totals.sum.bytes_copied;
            if row.state != PassState::Finished || copied != self.origin.bytes() as u64 {
                return Err(format!("not everything was copied: {}", stack.copier.log()).into());
            }
            let (of_copier, of_planner) = (stack.copier.figures(), stack.planner.figures());
            each.push(of_copier.processor_seconds / self.origin.gibibytes());
            planner.push(of_planner.processor_seconds);
            peaks.push(mebibytes(of_copier.memory_kib_max << 10));
            planner_peaks.push(mebibytes(of_planner.memory_kib_max << 10));
        }
        let objects = self.origin.keys.len();
        println!("Copies: {objects} objects of 128 MiB, {LARGE_IN_FLIGHT} in flight, TLS at both");
        println!("ends, {runs} runs, median [least-greatest]");
        let mut table = Table::new(["", "CPU s/GiB", "CPU s", "peak MiB"]);
        table.row(["copier".to_owned(), each.to_string(), String::new(), peaks.to_string()]);
        let planning = planner.to_string();
        table.row(["planner".to_owned(), String::new(), planning, planner_peaks.to_string()]);
        println!("{table}");
        println!("  A copier that is to sustain 75 MB/s: {} MB", wanted_megabytes(each.median()));
        Ok(vec![
            goal("CPU s/GiB, in the share of 512 MB", each.median(), Bound::AtMost(FUNCTION_SHARE)),
            goal("copier: peak of memory in MiB", peaks.greatest(), Bound::AtMost(76.3)),
            goal("planner: peak of memory in MiB", planner_peaks.greatest(), Bound::AtMost(76.3)),
        ])
    }
}

/// The size whose share of a processor carries [`BYTES_PER_SECOND`].
fn wanted_megabytes(seconds_per_gibibyte: f64) -> f64 {
    let share = seconds_per_gibibyte * BYTES_PER_SECOND / f64::from(1 << 30);
    (share * MEGABYTES_PER_PROCESSOR / SIZE_STEP).ceil() * SIZE_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_has_the_share_that_the_bytes_cost() {
        assert!((wanted_megabytes(FUNCTION_SHARE * 0.99) - 512.0).abs() < 1e-9);
        assert!((wanted_megabytes(FUNCTION_SHARE * 1.01) - 640.0).abs() < 1e-9);
        assert!((wanted_megabytes(1.0) - 128.0).abs() < 1e-9);
    }
}
