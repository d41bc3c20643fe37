//! The processes: settings, ports, logs, and the loop over the runtime API.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, Runtime, service_fn};
use ossferry_aws::{DynamoTable, SqsQueue};
use ossferry_core::meter::Meter;
use ossferry_core::ports::Queue;
use ossferry_core::time::Timestamp;
use ossferry_core::usage::{GB_MILLISECONDS, INVOCATIONS, gb_milliseconds};
use ossferry_ends::Surroundings;
use ossferry_host::{Asked, Call, Make, PassMaker, Passes, Workshop, logs};
use ossferry_ledger::{Handler, Ledger};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::event::Event;
use crate::records::Desk;
use crate::settings::Settings;

/// Memory that brings a whole processor: threads beyond the share only take turns.
const MIB_PER_PROCESSOR: u32 = 1_769;

/// Runs a function that works on the copiers' messages.
pub fn run_copier<W: Handler + 'static>(around: &Surroundings, make: Make<W>) -> ExitCode {
    run(around, async |settings, around| {
        let ports = Ports::open(settings, around).await;
        let (queue, bill) = (Arc::clone(&ports.copier_queue), ports.bill(settings));
        let desk = &Desk { workshop: ports.workshop(around.clone(), settings, make), queue };
        serve(&desk.workshop, &bill, async |event, call| {
            let records = Event::read_messages(event)?;
            answer(desk.handle(&records, call).await)
        })
        .await
    })
}

/// Runs a function that works on the planners' messages, on triggers and on sweeps.
pub fn run_planner<W: PassMaker + 'static>(around: &Surroundings, make: Make<W>) -> ExitCode {
    run(around, async |settings, around| {
        let ports = Ports::open(settings, around).await;
        let (queue, bill) = (Arc::clone(&ports.planner_queue), ports.bill(settings));
        let desk = &Desk { workshop: ports.workshop(around.clone(), settings, make), queue };
        serve(&desk.workshop, &bill, async |event, call| {
            let passes = Passes { workshop: &desk.workshop, call };
            match Event::read(event)? {
                Event::Messages(records) => answer(desk.handle(&records, call).await),
                Event::Asked(Asked::Trigger(trigger)) => {
                    answer(passes.begin(&trigger).boxed().await?)
                }
                Event::Asked(Asked::Sweep(job)) => {
                    answer(passes.sweep(job.as_ref()).boxed().await?)
                }
            }
        })
        .await
    })
}

/// Counts what Lambda bills for an invocation. It stands in the row that is recorded next: as a rule
/// one of the next invocation, because this one's time goes on until it has answered.
struct Bill {
    meter: Arc<Meter>,
    memory_mib: u32,
}

impl Bill {
    fn count(&self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.meter.count(INVOCATIONS);
        let used = gb_milliseconds(self.memory_mib.into(), millis);
        self.meter.count_many(GB_MILLISECONDS, used);
    }
}

/// Answers one event after the other.
async fn serve<W>(
    workshop: &Workshop<W>,
    bill: &Bill,
    work: impl AsyncFn(Value, &Call) -> Result<Value, Error>,
) -> Result<(), Error> {
    let work = &work;
    let answer = |event: LambdaEvent<Value>| async move {
        let now = || workshop.ledger().now();
        let (begun, call) = (Instant::now(), call_of(&event.context, now()));
        let span = logs::call_span(&call);
        let answer = work(event.payload, &call).instrument(span).await;
        bill.count(begun.elapsed());
        logs::print(&workshop.metrics().take_lines(now()));
        answer.map_err(|error| {
            tracing::error!(request_id = call.request_id, %error, "invocation failed");
            // Lambda would show the type of the box that carries it.
            Diagnostic { error_type: "ossferry".to_owned(), error_message: error.to_string() }
        })
    };
    Runtime::new(service_fn(answer)).run().await
}

fn answer(answer: impl Serialize) -> Result<Value, Error> {
    Ok(serde_json::to_value(answer)?)
}

fn call_of(context: &Context, now: Timestamp) -> Call {
    let killed_at = Timestamp(i64::try_from(context.deadline).unwrap_or(i64::MAX));
    Call::new(&context.env_config.function_name, &context.request_id, killed_at, now)
}

/// The table and the queues of the environment's variables.
struct Ports {
    table: Arc<DynamoTable>,
    planner_queue: Arc<dyn Queue>,
    copier_queue: Arc<dyn Queue>,
    /// Counts what is billed.
    meter: Arc<Meter>,
}

impl Ports {
    async fn open(settings: &Settings, around: &Surroundings) -> Self {
        let config = around.aws.sdk_config(None).await;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let meter = Arc::<Meter>::default();
        let queue = |url: &String| {
            let queue = SqsQueue::new(sqs.clone(), url.clone(), None);
            Arc::new(queue.metered(Arc::clone(&meter)))
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let table = DynamoTable::new(dynamodb, settings.table.clone());
        Self {
            table: Arc::new(table.metered(Arc::clone(&meter))),
            planner_queue: queue(&settings.planner_queue),
            copier_queue: queue(&settings.copier_queue),
            meter,
        }
    }

    fn bill(&self, settings: &Settings) -> Bill {
        Bill { meter: Arc::clone(&self.meter), memory_mib: settings.memory_mib }
    }

    fn workshop<W>(self, around: Surroundings, settings: &Settings, make: Make<W>) -> Workshop<W> {
        let Self { table, planner_queue, copier_queue, meter } = self;
        let clock = Arc::clone(&around.clock);
        // Who is killed leaves leases that run out.
        let ledger = Ledger::new(table, planner_queue, copier_queue, clock, Arc::new(|_| false));
        let ledger = ledger.metered(meter);
        Workshop::new(ledger, around, &settings.function, make)
    }
}

/// Starts threads and logs, and serves until Lambda ends the process.
fn run(
    around: &Surroundings,
    serve: impl AsyncFnOnce(&Settings, &Surroundings) -> Result<(), Error>,
) -> ExitCode {
    let settings = match Settings::from_vars(|name| (around.variables)(name)) {
        Ok(settings) => settings,
        Err(error) => return give_up(&error),
    };
    logs::install(&settings.log);
    let runtime = match runtime(settings.memory_mib) {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&error),
    };
    match runtime.block_on(serve(&settings, around)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(&*error),
    }
}

fn runtime(memory_mib: u32) -> std::io::Result<tokio::runtime::Runtime> {
    let processors = memory_mib.div_ceil(MIB_PER_PROCESSOR).max(1);
    let mut builder = match usize::try_from(processors) {
        Ok(threads) if threads > 1 => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

/// Lambda shows the last line of a process that ended while it started.
fn give_up(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("ossferry: {error}");
    ExitCode::FAILURE
}
