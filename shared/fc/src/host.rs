//! The processes: settings, ports, logs, and the server.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aliyun::openapi::{Functions, KmsSecrets};
use ossferry_core::ports::Queue;
use ossferry_ends::{FunctionRole, Surroundings};
use ossferry_host::{Make, PassMaker, Workshop, logs};
use ossferry_http::{CredentialsProvider, Endpoint};
use ossferry_ledger::{Handler, Ledger};

use crate::bill::Bill;
use crate::function::{Base, CopierFunction, PlannerFunction};
use crate::ports::{OpenPorts, Ports, on_aliyun, open_api, region};
use crate::pull::Puller;
use crate::role::RoleCredentials;
use crate::server::serve;
use crate::settings::{Reader, Settings, SettingsError};
use crate::starting::Starter;

/// Slices that one planner walks at once: a walk waits for listings most of its time.
const PLANNER_SLOTS: usize = 8;

/// Messages that one copier works on at once: each moves as many objects at once as the job allows.
const COPIER_SLOTS: usize = 1;

/// Copiers are started again where there is work; a planner opens uploads whenever one is due.
const COPIER_IDLE_MAX: Duration = Duration::from_mins(1);
const PLANNER_IDLE_MAX: Duration = Duration::from_mins(10);

/// Says that queues are emptied by triggers, so that nobody is started to receive.
const MODE: &str = "OSSFERRY_MODE";

/// As the station of its messages is called.
const COPIER: &str = "copier";
const PUSH: &str = "push";

/// Runs a function that works on the copiers' messages, with its ledger on Alibaba Cloud.
pub fn run_copier<W: Handler + 'static>(around: Surroundings, make: Make<W>) -> ExitCode {
    run_copier_over(on_aliyun, around, make)
}

/// Runs a function that works on the copiers' messages, with its ledger wherever `open` finds it.
pub fn run_copier_over<W: Handler + 'static>(
    open: OpenPorts,
    around: Surroundings,
    make: Make<W>,
) -> ExitCode {
    run(COPIER, around, async |stage| {
        let ports = stage.ports(open).await?;
        let (queue, bill) = (Arc::clone(&ports.copier_queue), stage.bill(&ports));
        let workshop = stage.workshop(ports, make);
        let puller = stage.puller(COPIER, workshop, queue, COPIER_SLOTS, COPIER_IDLE_MAX, None);
        let function = Arc::new(CopierFunction(stage.base(puller, bill)));
        Ok(serve(stage.settings.port, function).await?)
    })
}

/// Runs a function that works on the planners' messages, on triggers and on sweeps.
pub fn run_planner<W: PassMaker + 'static>(around: Surroundings, make: Make<W>) -> ExitCode {
    run("planner", around, async |stage| {
        let ports = stage.ports(on_aliyun).await?;
        let starter = stage.starter()?.map(Arc::new);
        let (queue, bill) = (Arc::clone(&ports.planner_queue), stage.bill(&ports));
        let workshop = stage.workshop(ports, make);
        let (slots, idle_max) = (PLANNER_SLOTS, PLANNER_IDLE_MAX);
        let puller = stage.puller("planner", workshop, queue, slots, idle_max, starter.clone());
        let function = Arc::new(PlannerFunction { base: stage.base(puller, bill), starter });
        Ok(serve(stage.settings.port, function).await?)
    })
}

/// Why a process does not start.
type Failure = Box<dyn std::error::Error>;

/// What a function is made from.
struct Stage {
    settings: Settings,
    around: Surroundings,
    role: Arc<RoleCredentials>,
}

impl Stage {
    fn function_role(&self) -> Result<FunctionRole, SettingsError> {
        let reader = Reader(&*self.around.variables);
        let credentials = Arc::clone(&self.role) as Arc<dyn CredentialsProvider>;
        let name = "OSSFERRY_KMS_ENDPOINT";
        let endpoint = if reader.set(name).is_some() {
            reader.endpoint(name)?
        } else {
            let region = region(&self.settings, &reader)?;
            let host = format!("https://kms.{region}.aliyuncs.com");
            Endpoint::parse(&host).ok_or(SettingsError::Endpoint(name))?
        };
        let options = open_api(endpoint, Arc::clone(&credentials), &self.around);
        Ok(FunctionRole { credentials, secrets: Arc::new(KmsSecrets::new(options)) })
    }

    async fn ports(&mut self, open: OpenPorts) -> Result<Ports, SettingsError> {
        let role = self.function_role()?;
        let ports = open(&self.settings, &self.around, &role).await?;
        self.around.function = Some(role);
        Ok(ports)
    }

    fn starter(&self) -> Result<Option<Starter>, SettingsError> {
        let (reader, endpoint) = (Reader(&*self.around.variables), "OSSFERRY_FC_ENDPOINT");
        if reader.set(endpoint).is_none() || reader.set(MODE).is_some_and(|mode| mode == PUSH) {
            return Ok(None);
        }
        let credentials = Arc::clone(&self.role) as Arc<dyn CredentialsProvider>;
        let options = open_api(reader.endpoint(endpoint)?, credentials, &self.around);
        let planner = reader.needed("OSSFERRY_PLANNER_FUNCTION")?;
        let copier = reader.needed("OSSFERRY_COPIER_FUNCTION")?;
        Ok(Some(Starter::new(Functions::new(options), planner, copier)))
    }

    fn workshop<W>(&self, ports: Ports, make: Make<W>) -> Arc<Workshop<W>> {
        let Ports { table, planner_queue, copier_queue, meter } = ports;
        let clock = Arc::clone(&self.around.clock);
        // Who is killed leaves leases that run out.
        let ledger = Ledger::new(table, planner_queue, copier_queue, clock, Arc::new(|_| false));
        let ledger = ledger.metered(meter);
        Arc::new(Workshop::new(ledger, self.around.clone(), &self.settings.function, make))
    }

    fn puller<W>(
        &self,
        name: &'static str,
        workshop: Arc<Workshop<W>>,
        queue: Arc<dyn Queue>,
        slots: usize,
        idle_max: Duration,
        starter: Option<Arc<Starter>>,
    ) -> Puller<W> {
        let visibility = self.settings.visibility;
        // Copiers come by themselves, and are counted; planners are few.
        let takes_places = name == COPIER;
        Puller { name, workshop, queue, slots, visibility, idle_max, starter, takes_places }
    }

    fn bill(&self, ports: &Ports) -> Bill {
        Bill { meter: Arc::clone(&ports.meter), size: self.settings.size }
    }

    fn base<W>(&self, puller: Puller<W>, bill: Bill) -> Base<W> {
        let (role, function) = (Arc::clone(&self.role), self.settings.function.clone());
        Base { puller, role, function, timeout: self.settings.timeout, bill }
    }
}

/// Starts threads and logs, and serves until the process is ended.
fn run(
    name: &str,
    around: Surroundings,
    serve: impl AsyncFnOnce(&mut Stage) -> Result<(), Failure>,
) -> ExitCode {
    let settings = match Settings::read(&Reader(&*around.variables), name) {
        Ok(settings) => settings,
        Err(error) => return give_up(&error),
    };
    logs::install(&settings.log);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&error),
    };
    let mut stage = Stage { settings, around, role: Arc::default() };
    match runtime.block_on(serve(&mut stage)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(&*error),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if threads > 1 {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads);
        builder
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_all().build()
}

/// The last line of a process that ended while it started.
fn give_up(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("ossferry: {error}");
    ExitCode::FAILURE
}
