//! A batch: its objects side by side, its results in one row, the rest handed back.

use std::collections::HashSet;
use std::time::Duration;

use ossferry_core::outcome::Outcome;
use ossferry_ledger::ids::TaskRef;
use ossferry_ledger::lists::{Action, Audited, ObjectResult, PlannedObject};
use ossferry_ledger::rows::{PassKind, TaskState};
use ossferry_ledger::{ClaimedTask, Handled, Rest, TaskClaim};
use tokio::time::timeout_at;

use crate::audit::audit_object;
use crate::copier::{Copier, CopyError};
use crate::flight::{Onward, fly};
use crate::object::{Ended, copy_object};
use crate::reaction::Trouble;
use crate::session::{PassWork, Session};

/// An object that needs requests: its index, itself, and what is to be done with it.
type Due<'a> = (u32, &'a PlannedObject, Work);

/// What is to be done with an object.
#[derive(Clone, Copy)]
enum Work {
    Copy { forbid_overwrite: bool },
    Audit(Audited),
}

/// Does it. An audit writes nothing, whatever stands in its lists.
async fn work_on(session: &Session, work: &PassWork, (index, object, what): Due<'_>) -> Ended {
    match what {
        Work::Audit(audited) => audit_object(session, work, index, object, audited).await,
        Work::Copy { .. } if work.pass.kind == PassKind::Audit => {
            let reason = "an audit copies nothing";
            Ended::Result(ObjectResult::plain(index, Outcome::Failed, reason))
        }
        Work::Copy { forbid_overwrite } => {
            copy_object(session, work, index, object, forbid_overwrite).await
        }
    }
}

/// Bytes that it moves.
fn moved_bytes((_, object, what): &Due<'_>) -> u64 {
    match what {
        Work::Copy { .. } | Work::Audit(Audited::Bytes) => object.size,
        Work::Audit(Audited::Answers | Audited::Extra) => 0,
    }
}

/// What came of a batch so far.
#[derive(Default)]
struct Outcomes {
    results: Vec<ObjectResult>,
    /// Objects that go back with an error that may pass.
    back: Vec<(u32, Trouble)>,
    /// Objects that were cut off when the time was up.
    cut_off: Vec<u32>,
    /// Objects that the source restores, and for how long they are left alone.
    restoring: Vec<Duration>,
    /// A refusal that concerns every object.
    stop: Option<Trouble>,
}

impl Outcomes {
    fn land(&mut self, index: u32, ended: Option<Ended>) -> Onward {
        match ended {
            Some(Ended::Result(result)) => self.results.push(result),
            Some(Ended::Back(trouble)) => self.back.push((index, trouble)),
            Some(Ended::Restoring(pause)) => self.restoring.push(pause),
            Some(Ended::Stop(trouble)) => self.stop = Some(trouble),
            None => self.cut_off.push(index),
        }
        if self.stop.is_some() { Onward::Drain } else { Onward::Start }
    }

    /// After many claims in a row that moved nothing, what would go back has failed, save what was read on.
    fn lose_patience(&mut self, has_moved: impl Fn(u32) -> bool) {
        if !self.results.is_empty() || !self.restoring.is_empty() {
            return;
        }
        let (moved, back) =
            std::mem::take(&mut self.back).into_iter().partition(|(index, _)| has_moved(*index));
        self.back = moved;
        for (index, trouble) in back {
            let reason = format!("{trouble}, over many invocations");
            self.results.push(ObjectResult::plain(index, Outcome::Failed, reason));
        }
        // Alone in an invocation of its own it would fare no better the next time.
        let reason = "did not get through in an invocation's time: raise limits.task_seconds or \
                      lower limits.split_bytes";
        let cut_off = std::mem::take(&mut self.cut_off);
        for index in cut_off.into_iter().filter(|index| !has_moved(*index)) {
            self.results.push(ObjectResult::plain(index, Outcome::Failed, reason));
        }
    }
}

/// Claims a batch, copies what is left of it, records, and hands back what did not get done.
pub(crate) async fn copy_batch(
    copier: &Copier,
    session: &Session,
    task: &TaskRef,
) -> Result<Handled, CopyError> {
    let claimed = match session.ledger.take_task(task, &session.claimant).await? {
        TaskClaim::Over => return Ok(Handled::Done),
        TaskClaim::Leased(until) => return Ok(session.later(until)),
        TaskClaim::Mine(claimed) => claimed,
    };
    match copy_claimed(copier, session, &claimed).await {
        Err(error) => {
            let pause = session.doubt_pause();
            Err(session.ledger.let_go(task, &claimed.hold, pause, error).await)
        }
        handled => handled,
    }
}

async fn copy_claimed(
    copier: &Copier,
    session: &Session,
    claimed: &ClaimedTask,
) -> Result<Handled, CopyError> {
    let work = copier.work_of(claimed.pass.clone())?;
    let mut outcomes = Outcomes::default();
    session.reading.go_on(&claimed.read_so_far);
    let due = sort_out(claimed, &mut outcomes.results);
    if claimed.row.is_careful() {
        copy_carefully(session, &work, claimed, &due, &mut outcomes).await?;
    } else {
        copy_side_by_side(session, &work, claimed, &due, &mut outcomes).await;
    }
    if let Some(trouble) = &outcomes.stop {
        session.stop_pass(claimed.task.pass(), trouble).await?;
    } else if claimed.row.is_out_of_patience() && !session.is_closed() {
        outcomes.lose_patience(|index| session.reading.gets_on(index));
    }
    record(session, &work, claimed, outcomes).await
}

/// Splits what is left into what needs no request, and what is to be copied, in the order of the plan.
fn sort_out<'a>(claimed: &'a ClaimedTask, results: &mut Vec<ObjectResult>) -> Vec<Due<'a>> {
    let mut due = Vec::with_capacity(claimed.rest.len());
    for &index in &claimed.rest {
        let Some(object) = claimed.objects.get(index as usize) else { continue };
        match &object.action {
            Action::Record { outcome, reason } => {
                results.push(ObjectResult::plain(index, *outcome, reason.as_str()));
            }
            Action::Copy { .. } | Action::Audit(_) if claimed.row.is_poison(index) => {
                let reason = "workers died at this object";
                results.push(ObjectResult::plain(index, Outcome::Failed, reason));
            }
            Action::Copy { forbid_overwrite } => {
                let forbid_overwrite = *forbid_overwrite;
                due.push((index, object, Work::Copy { forbid_overwrite }));
            }
            Action::Audit(audited) => due.push((index, object, Work::Audit(*audited))),
        }
    }
    due
}

async fn copy_side_by_side(
    session: &Session,
    work: &PassWork,
    claimed: &ClaimedTask,
    due: &[Due<'_>],
    outcomes: &mut Outcomes,
) {
    let load = work.load(claimed.row.fruitless);
    let bytes_of = |place: usize| moved_bytes(&due[place]);
    // By their places in the list: an index has no lifetime that the compiler could stumble over.
    let one = |place: usize| work_on(session, work, due[place]);
    fly(session, load, 0..due.len(), bytes_of, one, |place, ended| {
        outcomes.land(due[place].0, ended)
    })
    .await;
}

/// One object at a time, each noted before it is begun: workers have died at this batch.
///
/// An object at which one died already waits until the others are done and recorded. So it is alone
/// when it is suspected again: who is killed by chance, and begins anew at the same place, accuses
/// nobody.
async fn copy_carefully(
    session: &Session,
    work: &PassWork,
    claimed: &ClaimedTask,
    due: &[Due<'_>],
    outcomes: &mut Outcomes,
) -> Result<(), CopyError> {
    let is_suspect = |(index, ..): &&Due<'_>| claimed.row.deaths.contains(index);
    let (suspects, others): (Vec<&Due<'_>>, Vec<_>) = due.iter().partition(is_suspect);
    for &&one in if others.is_empty() { &suspects } else { &others } {
        if session.is_closing() {
            break;
        }
        let permit = session.in_flight.acquire();
        let Ok(Ok(_permit)) = timeout_at(session.closing_at, permit).await else { break };
        session.ledger.note_in_work(claimed, Some(one.0)).await?;
        let ended = timeout_at(session.cut_off_at, work_on(session, work, one)).await.ok();
        if outcomes.land(one.0, ended) != Onward::Start {
            break;
        }
    }
    Ok(())
}

async fn record(
    session: &Session,
    work: &PassWork,
    claimed: &ClaimedTask,
    outcomes: Outcomes,
) -> Result<Handled, CopyError> {
    let Outcomes { mut results, back, restoring, .. } = outcomes;
    let has_cut_off = results.len() + back.len() + restoring.len() < claimed.rest.len();
    let left = claimed.rest.len() - results.len();
    let ended: HashSet<u32> = results.iter().map(|result| result.index).collect();
    let is_left = |index: &&u32| !ended.contains(*index);
    let unread = claimed.rest.iter().filter(is_left);
    results.extend(unread.filter_map(|index| session.reading.partial(*index)));
    results.sort_unstable_by_key(|result| result.index);
    let fruitless = if results.is_empty() { claimed.row.fruitless } else { 0 };
    // What only met trouble is not kept waiting for a restoration.
    let retry_after = back
        .iter()
        .map(|(_, trouble)| Session::hand_back_pause(fruitless, trouble))
        .max()
        .or_else(|| restoring.iter().copied().max().filter(|_| !has_cut_off))
        .unwrap_or(Duration::ZERO)
        .max(session.doubt_pause());
    let rest = Rest { retry_after, restoring: restoring.len() as u64 };
    let requests = session.take_requests();
    let ledger = &session.ledger;
    let state = ledger.record_task(claimed, &results, requests, rest, work.window()).await?;
    let task = &claimed.task;
    if state == TaskState::Planned {
        let cause = back.first().map(|(_, trouble)| trouble.to_string());
        tracing::info!(%task, done = ended.len(), left, cause, "copy batch: rest handed back");
    } else {
        tracing::debug!(%task, done = ended.len(), "copy batch: done");
    }
    if results.iter().any(|result| result.outcome == Some(Outcome::Failed)) {
        session.stop_if_too_many_failed(task.pass(), work).await?;
    }
    Ok(Handled::Done)
}
