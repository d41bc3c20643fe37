//! `cutover`: moves a live application over, one step after another.
//!
//! Nothing is remembered but in the ledger and in the bucket: before each step both are looked at, and
//! [`next_step`] says what comes. So whoever calls the command again goes on where it was.

mod audit;
mod certificate;
mod stale;
mod steps;
mod switch;

use std::io::Write as _;

use futures::FutureExt as _;
use ossferry_aliyun::oss::OssClient;
use ossferry_core::job::Job;
use ossferry_core::report::Report;
use ossferry_ends::target_client;
use ossferry_ledger::ids::{PassId, PassRef};
use ossferry_ledger::rows::{CutoverRow, CutoverStep, JobRow, MirrorWish, PassKind, PassState};
use serde::Serialize;

use self::stale::StaleNow;
pub(crate) use self::steps::CutoverRefusal;
use self::steps::{
    Facts, ROUNDS_MAX, Step, check_end, check_listing, delta_of, judge_catch_up, judge_drain,
    next_step,
};
use crate::cli::{CutoverArguments, WantedPass};
use crate::command_error::CommandError;
use crate::host::interrupt::{INTERRUPTED, Interrupts};
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::mirror::{Mirror, rule_of, say_limits};
use crate::prompt::confirm;
use crate::run::{Asked, Workers};
use crate::stack::as_operator;

/// Exit status: the application has to be switched.
const WAITS_FOR_SWITCH: u8 = 3;

/// Objects that the last pass before the switch may have copied, where nothing was said.
const DELTA_MAX: u64 = 100;

/// What a step leads to.
enum Flow {
    /// Look again, and take the next one.
    Next,
    /// End with this status.
    End(u8),
}

/// What is printed where the application has to be switched.
#[derive(Serialize)]
struct Waiting<'a> {
    job: &'a str,
    #[serde(rename = "waiting_for")]
    what: &'static str,
    t2: String,
    /// Where this call recorded T2.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<&'a StaleNow>,
    next: String,
}

/// A cutover at work.
struct Cutover<'a> {
    job: &'a Job,
    arguments: &'a CutoverArguments,
    asked: &'a Asked<'a>,
    machine: &'a Machine,
    workers: Workers,
    client: OssClient,
    interrupts: Interrupts,
    /// Passes that this call has run to catch up, or to find nothing.
    rounds: u32,
    /// What was stale when this call recorded T2.
    stale: Option<StaleNow>,
}

/// `cutover`: answers the exit status.
pub(crate) async fn cutover(
    arguments: &CutoverArguments,
    machine: &Machine,
) -> Result<u8, CommandError> {
    let job = read_job(&arguments.job.file)?;
    check_listing(&job.source)?;
    let machine = &as_operator(&job, machine)?;
    let asked = Asked::new("cutover", &arguments.job.file, arguments.json);
    let client = target_client(&job, &machine.around).await?;
    let interrupts = Interrupts::listen().map_err(CommandError::Signals)?;
    let workers = Workers::hire(job.clone(), &asked, arguments.work, machine).await?;
    let (job, asked) = (&job, &asked);
    let mut cutover = Cutover {
        job,
        arguments,
        asked,
        machine,
        workers,
        client,
        interrupts,
        rounds: 0,
        stale: None,
    };
    let row = cutover.begin().await?;
    if arguments.switch.switched && cutover.facts(&row).await?.t2.is_none() {
        return Err(CutoverRefusal::SwitchedTooEarly.into());
    }
    cutover.walk().await
}

impl Cutover<'_> {
    fn kept(&self) -> &JobLedger {
        self.workers.kept()
    }

    fn mirror(&self) -> Mirror<'_> {
        let kept = self.kept();
        Mirror { ledger: &kept.ledger, job: &kept.job, client: &self.client }
    }

    /// The row of the cutover, made where there is none.
    async fn begin(&self) -> Result<CutoverRow, CommandError> {
        let (kept, scope_hash) = (self.kept(), self.job.scope_hash());
        let asked_delta = self.arguments.delta_max;
        let mut row = if let Some(row) = kept.ledger.cutover(&kept.job).await? {
            row
        } else {
            let mirror = self.mirror_wish().await?;
            let (delta_max, now) = (asked_delta.unwrap_or(DELTA_MAX), kept.ledger.now());
            let row = CutoverRow::new(scope_hash.clone(), delta_max, mirror, now);
            kept.ledger.begin_cutover(&kept.job, &row).await?
        };
        if row.scope_hash != scope_hash {
            return Err(CutoverRefusal::ScopeDiffers(self.job.name.clone()).into());
        }
        if let Some(delta_max) = asked_delta.filter(|delta_max| *delta_max != row.delta_max) {
            row = self.note(&CutoverStep::DeltaMax(delta_max)).await?;
        }
        Ok(row)
    }

    async fn mirror_wish(&self) -> Result<MirrorWish, CommandError> {
        if self.arguments.no_mirror {
            return Ok(MirrorWish::Without);
        }
        // What the rule lacks is better said before days of copying.
        rule_of(self.job, &self.arguments.origin, self.machine).await?;
        Ok(MirrorWish::Wanted)
    }

    async fn note(&self, step: &CutoverStep) -> Result<CutoverRow, CommandError> {
        let kept = self.kept();
        Ok(kept.ledger.note_cutover(&kept.job, step).await?)
    }

    async fn walk(&mut self) -> Result<u8, CommandError> {
        loop {
            let kept = self.kept();
            let row = kept.ledger.cutover(&kept.job).await?;
            let row = row.ok_or_else(|| CommandError::NoPass(kept.job.0.clone()))?;
            let facts = self.facts(&row).await?;
            let flow = match self.interrupts.first().now_or_never() {
                Some(()) => Flow::End(INTERRUPTED),
                None => self.take(next_step(&row, &facts), &row, &facts).await?,
            };
            if let Flow::End(status) = flow {
                if status == INTERRUPTED {
                    let line = self.asked.line("cutover");
                    eprintln!("interrupted; nothing recorded is lost. go on with: {line}");
                }
                return Ok(status);
            }
        }
    }

    /// Asks. `None`: interrupted.
    async fn ask(&self, question: &str) -> Result<Option<bool>, CommandError> {
        tokio::select! {
            biased;
            () = self.interrupts.first() => Ok(None),
            answer = confirm(question, self.arguments.yes) => answer.map(Some),
        }
    }

    /// What ledger and bucket say now.
    async fn facts(&self, row: &CutoverRow) -> Result<Facts, CommandError> {
        let kept = self.kept();
        let running = kept.ledger.running_pass(&kept.job).await?;
        let passes = kept.ledger.passes(&kept.job).await?;
        let is_full = |kind, state| kind == PassKind::Full && state == PassState::Finished;
        let has_full = passes
            .iter()
            .any(|pass| is_full(pass.kind, pass.state) && pass.scope_hash == row.scope_hash);
        let caught_up = passes.iter().find(|pass| Some(&pass.pass) == row.caught_up.as_ref());
        let job: Option<JobRow> = kept.ledger.job(&kept.job).await?;
        let mirror_is_on = row.mirror == MirrorWish::Wanted && self.mirror().look().await?.is_on();
        Ok(Facts {
            running,
            has_full,
            t2: job.and_then(|job| job.t2),
            mirror_is_on,
            caught_up_at: caught_up.and_then(|pass| pass.ended),
            now: kept.ledger.now(),
        })
    }

    async fn take(
        &mut self,
        step: Step,
        row: &CutoverRow,
        facts: &Facts,
    ) -> Result<Flow, CommandError> {
        eprintln!("cutover: {}", step.title());
        match step {
            Step::GoOn(_) => self.go_on().await,
            Step::FullPass => self.full_pass().await,
            Step::CatchUp => self.catch_up(row).await,
            Step::MirrorOn => self.mirror_on().await,
            Step::Switch => self.switch().await,
            Step::ConfirmSwitch => self.confirm_switch(facts).await,
            Step::Drain => self.drain().await,
            Step::Audit => self.audit().await,
            Step::MirrorOff => self.mirror_off().await,
            Step::Certify => self.certify(row).await,
            Step::Done => self.show_certificate(row).await,
        }
    }

    /// Runs a pass to its end. `None`: interrupted.
    async fn pass(
        &self,
        wanted: Option<WantedPass>,
    ) -> Result<Option<(PassRef, Report)>, CommandError> {
        let ended = self.workers.pass(wanted, self.asked, self.machine).await?;
        if let Some((_, report)) = &ended {
            if let Err(broken) = report.check_law() {
                eprintln!("the counts of pass {} contradict each other: {broken}", report.pass);
            }
            eprintln!("{report}");
        }
        Ok(ended)
    }

    async fn go_on(&self) -> Result<Flow, CommandError> {
        let ended = self.pass(None).await?;
        Ok(ended.map_or(Flow::End(INTERRUPTED), |_| Flow::Next))
    }

    async fn full_pass(&self) -> Result<Flow, CommandError> {
        let Some((_, report)) = self.pass(Some(WantedPass::Full)).await? else {
            return Ok(Flow::End(INTERRUPTED));
        };
        // Its failures are taken again by the passes that catch up.
        match check_end(&report) {
            Ok(()) | Err(CutoverRefusal::FailuresOutstanding { .. }) => Ok(Flow::Next),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn catch_up(&mut self, row: &CutoverRow) -> Result<Flow, CommandError> {
        let Some((pass, report)) = self.pass(Some(WantedPass::Incremental)).await? else {
            return Ok(Flow::End(INTERRUPTED));
        };
        let delta_max = row.delta_max;
        if judge_catch_up(&report, delta_max)? {
            self.rounds = 0;
            self.note(&CutoverStep::CaughtUp(pass.pass)).await?;
            return Ok(Flow::Next);
        }
        self.rounds += 1;
        if self.rounds >= ROUNDS_MAX {
            let delta = delta_of(&report);
            return Err(CutoverRefusal::NotCatchingUp { delta, delta_max }.into());
        }
        Ok(Flow::Next)
    }

    async fn mirror_on(&self) -> Result<Flow, CommandError> {
        let rule = rule_of(self.job, &self.arguments.origin, self.machine).await?;
        say_limits(&self.client).await;
        let question = format!("add a mirror rule from {}?", rule.url);
        match self.ask(&question).await? {
            None => return Ok(Flow::End(INTERRUPTED)),
            Some(false) => return Err(CommandError::Declined),
            Some(true) => {}
        }
        self.mirror().turn_on(&rule).await?;
        Ok(Flow::Next)
    }

    async fn mirror_off(&self) -> Result<Flow, CommandError> {
        self.mirror().turn_off(false).await?;
        Ok(Flow::Next)
    }

    async fn drain(&mut self) -> Result<Flow, CommandError> {
        let known = self.known_passes().await?;
        let Some((pass, report)) = self.pass(Some(WantedPass::Incremental)).await? else {
            return Ok(Flow::End(INTERRUPTED));
        };
        self.say_stale(&pass).await?;
        if judge_drain(&report)? && !known.contains(&pass.pass) {
            self.rounds = 0;
            self.note(&CutoverStep::Drained(pass.pass)).await?;
            return Ok(Flow::Next);
        }
        self.rounds += 1;
        if self.rounds >= ROUNDS_MAX {
            let delta = delta_of(&report);
            return Err(CutoverRefusal::SourceStillWritten { delta }.into());
        }
        Ok(Flow::Next)
    }

    /// Passes that began before now, and so perhaps before the last writer left the source.
    async fn known_passes(&self) -> Result<Vec<PassId>, CommandError> {
        let kept = self.kept();
        let passes = kept.ledger.passes(&kept.job).await?;
        Ok(passes.into_iter().map(|pass| pass.pass).collect())
    }

    /// Prints one JSON object, or nothing.
    fn print_json(&self, value: &impl Serialize) -> Result<(), CommandError> {
        if self.arguments.json {
            let text = serde_json::to_string(value).expect("texts and numbers");
            writeln!(std::io::stdout(), "{text}")?;
        }
        Ok(())
    }
}
