//! Passes one after another, wherever they are worked on: by this process, or by a stack's functions.

use std::sync::Arc;

use ossferry_core::job::Job;
use ossferry_core::report::{Report, ReportState};
use ossferry_ends::{source_end, target_end};
use ossferry_ledger::ids::PassRef;
use ossferry_planner::{Planner, PlannerParts};

use super::{Asked, Crew, Ending, begin, deployed, operate, wait_for_predecessors};
use crate::cli::{PassArguments, WantedPass, WorkArguments};
use crate::command_error::CommandError;
use crate::host::Role;
use crate::job_ledger::JobLedger;
use crate::machine::Machine;
use crate::stack::Stack;

/// Who works on a job's passes.
pub(crate) enum Workers {
    /// Planner and copiers of this process.
    Crew(Box<Crew>),
    /// The functions of a stack.
    Stack {
        /// The stack's ledger.
        kept: Box<JobLedger>,
        /// Whom to ask for a pass.
        stack: Box<Stack>,
        /// The job file's.
        job: Box<Job>,
    },
}

impl Workers {
    /// Joins the ledger of a job.
    pub(crate) async fn hire(
        job: Job,
        asked: &Asked<'_>,
        work: WorkArguments,
        machine: &Machine,
    ) -> Result<Self, CommandError> {
        if job.state.is_stack() {
            deployed::refuse_limits(work)?;
            let (kept, stack) = deployed::open(&job, asked.job_file, machine).await?;
            let (kept, job) = (Box::new(kept), Box::new(job));
            return Ok(Self::Stack { kept, stack, job });
        }
        let crew = Crew::hire(job, Role::Run, work, machine).await?;
        Ok(Self::Crew(Box::new(crew)))
    }

    /// The ledger.
    pub(crate) fn kept(&self) -> &JobLedger {
        match self {
            Self::Crew(crew) => &crew.kept,
            Self::Stack { kept, .. } => kept,
        }
    }

    /// A planner in this process, which writes nothing by itself.
    pub(crate) async fn planner(&self, machine: &Machine) -> Result<Arc<Planner>, CommandError> {
        let (kept, job) = match self {
            Self::Crew(crew) => return Ok(Arc::clone(&crew.planner)),
            Self::Stack { kept, job, .. } => (kept, job),
        };
        Ok(Arc::new(Planner::new(PlannerParts {
            ledger: kept.ledger.clone(),
            source: source_end(job, &machine.around).await?.port(),
            target: Arc::new(target_end(job, &machine.around).await?),
            appetite: Arc::new(|| false),
        })))
    }

    /// Goes on with the pass that runs, or begins one, and stays with it to its end. `None`: somebody
    /// interrupted.
    pub(crate) async fn pass(
        &self,
        wanted: Option<WantedPass>,
        asked: &Asked<'_>,
        machine: &Machine,
    ) -> Result<Option<(PassRef, Report)>, CommandError> {
        let arguments = PassArguments { pass: wanted, ..PassArguments::default() };
        match self {
            Self::Crew(crew) => {
                let chosen = begin(crew, &arguments, machine).await?;
                let pass = chosen.pass().clone();
                match operate(crew, chosen, &asked.line(asked.command), machine).await? {
                    Ending::Interrupted => Ok(None),
                    Ending::Walked(report) | Ending::Ended(report) => Ok(Some((pass, *report))),
                }
            }
            Self::Stack { kept, stack, job } => {
                let ended = deployed::to_end(kept, stack, job, &arguments, asked, machine).await?;
                Ok(Some(ended).filter(|(_, report)| report.state != ReportState::Open))
            }
        }
    }

    /// Waits until no worker of a pass that ended early is left. A stack's functions are waited for by
    /// its own sweep.
    pub(crate) async fn wait_for_predecessors(&self) -> Result<(), CommandError> {
        match self {
            Self::Crew(crew) => wait_for_predecessors(crew).await,
            Self::Stack { kept, .. } => deployed::refuse_predecessors(kept).await,
        }
    }
}
