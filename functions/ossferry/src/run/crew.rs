//! Everything that works on a job in this process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ossferry_copier::{Copier, CopierOptions, CopierParts};
use ossferry_core::job::{Job, Limits, SourceSpec};
use ossferry_core::ports::{Source, Target};
use ossferry_ends::{Paces, source_end, target_end};
use ossferry_host::{Activity, RateKeeper, Rated, Station, Terms};
use ossferry_ledger::Handler;
use ossferry_ledger::ids::PassRef;
use ossferry_local::{Database, Presence};
use ossferry_planner::{Planner, PlannerParts};
use tokio::sync::Semaphore;

use crate::cli::WorkArguments;
use crate::command_error::CommandError;
use crate::host::interrupt::Interrupts;
use crate::host::mark::{Mark, planner_mark, worker_mark};
use crate::host::opener::Opener;
use crate::host::{Host, Role};
use crate::job_ledger::JobLedger;
use crate::local_ledger::{self, ledger_path};
use crate::machine::Machine;
use crate::progress::{Progress, Traffic, watched};

/// Between two looks whether a window is still closed.
const CLOSED_LOOK_MAX: Duration = Duration::from_secs(5);

/// No invocation is shorter, unless it is asked for: a hand-back costs rows.
const INVOCATION_MIN: Duration = Duration::from_secs(30);

/// Planner and copier of a job, joined to its ledger.
pub(crate) struct Crew {
    /// The job.
    pub(crate) job: Job,
    /// Its ledger.
    pub(crate) kept: JobLedger,
    /// Begins passes, walks slices, opens uploads.
    pub(crate) planner: Arc<Planner>,
    /// The target, counted.
    pub(crate) target: Arc<dyn Target>,
    source: Arc<dyn Source>,
    role: Role,
    arguments: WorkArguments,
    database: Database,
    presence: Presence,
    busy_planners: Arc<AtomicUsize>,
    traffic: Arc<Traffic>,
    rates: Arc<RateKeeper>,
    _marks: Vec<Mark>,
}

impl Crew {
    /// Joins the ledger, and makes source and target ready.
    pub(crate) async fn hire(
        job: Job,
        role: Role,
        arguments: WorkArguments,
        machine: &Machine,
    ) -> Result<Self, CommandError> {
        if let SourceSpec::Folder(folder) = &job.source {
            keep_apart(&ledger_path(&job), Path::new(&folder.path))?;
        }
        let source = source_end(&job, &machine.around).await?;
        let target = target_end(&job, &machine.around).await?;
        let paces = Paces::of(&source, &target);
        let (source, traffic) = (source.port(), Arc::<Traffic>::default());
        let target = watched(Arc::new(target), Arc::clone(&traffic));
        let (kept, database, presence) = local_ledger::join(&job, machine)?;
        // What a killed process held of the rates is free once it is seen to be dead.
        let owner = format!("{}/rates", presence.worker_id());
        let rates = Arc::new(RateKeeper::new(&kept.ledger, &job, paces, owner));
        let marks = set_marks(&database, &job, role)?;
        let busy_planners = Arc::new(AtomicUsize::new(0));
        let (busy, slots) = (Arc::clone(&busy_planners), count(job.limits.slices_max));
        let planner = Arc::new(Planner::new(PlannerParts {
            ledger: kept.ledger.clone(),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            appetite: Arc::new(move || busy.load(Ordering::Relaxed) < slots),
        }));
        Ok(Self {
            job,
            kept,
            database,
            planner,
            target,
            source,
            role,
            arguments,
            presence,
            busy_planners,
            traffic,
            rates,
            _marks: marks,
        })
    }

    /// Takes up the messages of workers that died.
    pub(crate) async fn release_dead(&self) -> Result<(), CommandError> {
        self.database.release_dead().await.map(drop).map_err(CommandError::Database)
    }

    fn rated(&self, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Rated { keeper: Arc::clone(&self.rates), inner })
    }

    /// The host of one pass.
    pub(crate) fn host(
        &self,
        pass: PassRef,
        goes_on: bool,
        machine: &Machine,
    ) -> Result<Host<'_>, CommandError> {
        let limits = &self.job.limits;
        let activity = Activity::new();
        // Copiers open uploads only once it is seen that no one plans.
        let planner_gate = Arc::new(AtomicBool::new(self.role != Role::Copy));
        let in_flight = Arc::new(Semaphore::new(count(limits.concurrency_max)));
        let planner = Arc::clone(&self.planner);
        let planner: Arc<dyn Handler> = match self.role {
            Role::Run | Role::Plan => planner,
            Role::Copy => Arc::new(Opener(planner)),
        };
        let invocation = invocation(limits, self.arguments);
        let mut stations = vec![Station {
            name: "planner",
            queue: Arc::clone(&self.kept.planner_queue),
            handler: self.rated(planner),
            slots: count(limits.slices_max),
            busy: Arc::clone(&self.busy_planners),
            gate: Arc::clone(&planner_gate),
            invocation,
            terms: Terms::patient(invocation),
            worker_id: self.presence.worker_id().to_owned(),
            clock: machine.clock(),
            activity: Arc::clone(&activity),
        }];
        if self.role != Role::Plan {
            let copier = Copier::new(CopierParts {
                ledger: self.kept.ledger.clone(),
                source: Arc::clone(&self.source),
                target: Arc::clone(&self.target),
                in_flight: Arc::clone(&in_flight),
                admission: self.rates.admission().clone(),
                // A queue of this machine takes no money for it.
                options: CopierOptions {
                    closed_look_max: CLOSED_LOOK_MAX,
                    ..CopierOptions::default()
                },
            });
            stations.push(Station {
                name: "copier",
                queue: Arc::clone(&self.kept.copier_queue),
                handler: self.rated(Arc::new(copier)),
                slots: count(self.arguments.workers.unwrap_or(limits.workers)),
                busy: Arc::default(),
                gate: Arc::new(AtomicBool::new(true)),
                ..stations[0].clone()
            });
        }
        let title = super::title(&pass.pass);
        Ok(Host {
            kept: &self.kept,
            database: &self.database,
            pass,
            role: self.role,
            stations,
            planner_gate,
            in_flight,
            activity,
            window: u64::from(limits.window_tasks),
            admission: self.rates.admission().clone(),
            progress: Progress::new(title, machine.is_terminal, Arc::clone(&self.traffic)),
            interrupts: Interrupts::listen().map_err(CommandError::Signals)?,
            goes_on,
        })
    }
}

/// Refuses a ledger inside the folder that is moved.
fn keep_apart(ledger: &Path, folder: &Path) -> Result<(), CommandError> {
    let beside = ledger.parent().filter(|parent| !parent.as_os_str().is_empty());
    let resolved = (beside.unwrap_or(Path::new(".")).canonicalize(), folder.canonicalize());
    match resolved {
        (Ok(beside), Ok(root)) if beside.starts_with(&root) => Err(CommandError::LedgerInSource {
            ledger: ledger.to_owned(),
            folder: folder.to_owned(),
        }),
        // A folder that is not there yet cannot lie in one that is.
        _ => Ok(()),
    }
}

/// Says to other processes what this one does.
fn set_marks(database: &Database, job: &Job, role: Role) -> Result<Vec<Mark>, CommandError> {
    let database = database.path();
    let mut paths = vec![worker_mark(database, &job.name)];
    if role != Role::Copy {
        paths.push(planner_mark(database));
    }
    let marks = paths.into_iter().map(|path| {
        Mark::set(&path).map_err(|error| CommandError::File { what: "lock", path, error })
    });
    marks.collect()
}

/// Twice what a task is planned to take: a task that is as slow as that is handed back.
fn invocation(limits: &Limits, arguments: WorkArguments) -> Duration {
    match arguments.invocation_seconds {
        Some(seconds) => Duration::from_secs(u64::from(seconds)),
        None => (2 * Duration::from_secs(u64::from(limits.task_seconds))).max(INVOCATION_MIN),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_as_long_as_two_tasks_unless_it_is_set() {
        let limits = |task_seconds| Limits { task_seconds, ..Limits::default() };
        let set = WorkArguments { workers: None, invocation_seconds: Some(2) };
        for (limits, arguments, seconds) in [
            (limits(60), WorkArguments::default(), 120),
            (limits(5), WorkArguments::default(), 30),
            (limits(60), set, 2),
        ] {
            assert_eq!(invocation(&limits, arguments), Duration::from_secs(seconds));
        }
    }
    #[test]
    fn a_ledger_inside_the_folder_that_is_moved_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        keep_apart(&folder.path().join("state.sqlite"), &inner).unwrap();
        keep_apart(&folder.path().join("state.sqlite"), folder.path()).unwrap_err();
        keep_apart(&inner.join("../inner/state.sqlite"), folder.path()).unwrap_err();
    }
}
