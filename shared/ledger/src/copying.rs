//! The copier's steps over a batch: claim, record, hand back.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;

use crate::codec::decode;
use crate::ids::{TaskRef, objects_row, result_row, task_row};
use crate::lease::{Claimant, Hold, LeaseLost, Taken};
use crate::ledger::{Ledger, LedgerError, Result, inconsistent};
use crate::lists::{
    ListError, ObjectResult, PlannedObject, decode_objects, decode_results, encode_results,
    encode_results_within, list_digest,
};
use crate::messages::Message;
use crate::observing::Recorded;
use crate::rows::{ListRow, PassRow, TaskRow, TaskState};

/// A batch that this claim holds.
#[derive(Clone, Debug)]
pub struct ClaimedTask {
    /// Which.
    pub task: TaskRef,
    /// As the claim wrote it.
    pub row: TaskRow,
    /// What every later write tests.
    pub hold: Hold,
    /// Every object of the task.
    pub objects: Vec<PlannedObject>,
    /// Indexes of objects without an outcome yet, ascending.
    pub rest: Vec<u32>,
    /// How far earlier claims have read objects of the rest, the last word of each.
    pub read_so_far: Vec<ObjectResult>,
    /// The pass, as read when the task was claimed.
    pub pass: PassRow,
}

impl ClaimedTask {
    /// Whether a result says that more of an object is read than ever before, whatever state it had.
    fn gets_on(&self, result: &ObjectResult) -> bool {
        let earlier = self.read_so_far.iter().find(|earlier| earlier.index == result.index);
        result.outcome.is_none() && result.bytes > earlier.map_or(0, |earlier| earlier.bytes)
    }
}

/// What came of trying to take a batch.
#[derive(Clone, Debug)]
pub enum TaskClaim {
    /// Work.
    Mine(Box<ClaimedTask>),
    /// Another works on it until then.
    Leased(Timestamp),
    /// It has ended, or its pass has.
    Over,
}

/// What is handed back of a batch that was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rest {
    /// Nobody takes it sooner.
    pub retry_after: Duration,
    /// How many of its objects the source restores meanwhile.
    pub restoring: u64,
}

impl From<Duration> for Rest {
    fn from(retry_after: Duration) -> Self {
        Self { retry_after, restoring: 0 }
    }
}

/// Sums results as they stand in a row.
pub fn sum_of(results: &[ObjectResult]) -> Sum {
    let mut sum = Sum::default();
    for result in results {
        if let Some(outcome) = result.outcome {
            sum.count(outcome, result.bytes, result.proof);
            if outcome == Outcome::Copied {
                sum.departures.count(result.departures);
            }
        }
    }
    sum
}

impl Ledger {
    /// Takes a batch, and reads what is left of it.
    pub async fn take_task(&self, task: &TaskRef, claimant: &Claimant) -> Result<TaskClaim> {
        let pass = self.pass(task.pass()).await?;
        if pass.state.is_final() {
            return Ok(TaskClaim::Over);
        }
        let (row, taken) =
            self.step::<TaskRow, _>(&task_row(task), |row| row.claim(claimant)).await?;
        match taken {
            Taken::Over => return Ok(TaskClaim::Over),
            Taken::Leased(until) => return Ok(TaskClaim::Leased(until)),
            Taken::Mine => {}
        }
        let hold = Hold { owner: claimant.owner.clone(), fence: row.lease.fence };
        match self.read_claimed(task, row, &hold, pass).await {
            Err(error) => Err(self.let_go(task, &hold, Duration::ZERO, error).await),
            claim => claim,
        }
    }

    /// Reads what is left of a batch that this hold has.
    async fn read_claimed(
        &self,
        task: &TaskRef,
        row: TaskRow,
        hold: &Hold,
        pass: PassRow,
    ) -> Result<TaskClaim> {
        if row.is_given_up() {
            // Whatever it is that they die of comes later than this.
            let deaths = row.unnoted_deaths;
            let reason = format!("{deaths} workers died before they began any object of its task");
            self.fail_task(task, hold, &row, &reason).await?;
            return Ok(TaskClaim::Over);
        }
        let objects = match self.objects(task, &row).await {
            Ok(objects) => objects,
            // A list of a newer version waits for a newer copier; a damaged one never gets better.
            Err(LedgerError::List(ListError::Damaged(_)) | LedgerError::Inconsistent(_)) => {
                self.fail_task(task, hold, &row, "the task's object list is damaged").await?;
                return Ok(TaskClaim::Over);
            }
            Err(error) => return Err(error),
        };
        let done = self.results(task, &row).await?;
        let mut rest: Vec<u32> = (0..u32::try_from(objects.len()).unwrap_or(u32::MAX)).collect();
        let (finished, partial): (Vec<_>, Vec<_>) =
            done.into_iter().partition(|result| result.outcome.is_some());
        let finished: HashSet<u32> = finished.into_iter().map(|result| result.index).collect();
        rest.retain(|index| !finished.contains(index));
        // In the order of the claims: the last word stands.
        let partial: BTreeMap<u32, ObjectResult> =
            partial.into_iter().map(|result| (result.index, result)).collect();
        let is_left = |result: &ObjectResult| !finished.contains(&result.index);
        let read_so_far = partial.into_values().filter(is_left).collect();
        let (task, hold) = (task.clone(), hold.clone());
        let claimed = ClaimedTask { task, row, hold, objects, rest, read_so_far, pass };
        Ok(TaskClaim::Mine(Box::new(claimed)))
    }

    /// Lets go of a batch whose holder met this error, so that the next claim takes nobody for dead, and
    /// leaves it alone for `pause`: as long as a PUT of the holder may still take effect. Where that is
    /// not written either, the lease ends by itself.
    pub async fn let_go<E: std::fmt::Display>(
        &self,
        task: &TaskRef,
        hold: &Hold,
        pause: Duration,
        error: E,
    ) -> E {
        let due = self.now().plus(pause);
        match self.change(&task_row(task), |row: &TaskRow| row.let_go(hold, due)).await {
            Ok(_) => tracing::warn!(%task, %error, "copy batch: let go of"),
            Err(LedgerError::LeaseLost(_)) => {}
            Err(refusal) => tracing::warn!(%task, %error, %refusal, "copy batch: not let go of"),
        }
        error
    }

    /// The objects of a task.
    pub async fn objects(&self, task: &TaskRef, row: &TaskRow) -> Result<Vec<PlannedObject>> {
        let id = objects_row(task);
        let stored = self.fetch(&id).await?.ok_or_else(|| LedgerError::Missing(id.clone()))?;
        let blob = stored.blob.unwrap_or_default();
        if list_digest(&blob) != row.list_digest {
            return Err(inconsistent(format!("the object list of task {task} is another one")));
        }
        Ok(decode_objects(&blob)?)
    }

    /// The results that count of a task.
    pub async fn results(&self, task: &TaskRef, row: &TaskRow) -> Result<Vec<ObjectResult>> {
        let mut results = Vec::new();
        for fence in &row.result_fences {
            let id = result_row(task, *fence);
            let stored = self.fetch(&id).await?.ok_or_else(|| LedgerError::Missing(id.clone()))?;
            let _: ListRow = decode(&stored)?;
            results.extend(decode_results(&stored.blob.unwrap_or_default())?);
        }
        Ok(results)
    }

    /// Records results and ends the batch, or hands the rest back with a new message.
    ///
    /// The results stand first, under the claim's own fence; the conditional write of the task row
    /// makes them count. Then the settled prefix rises and the window is filled.
    pub async fn record_task(
        &self,
        claimed: &ClaimedTask,
        results: &[ObjectResult],
        requests: ossferry_core::meter::Requests,
        rest: impl Into<Rest>,
        window: u64,
    ) -> Result<TaskState> {
        let mut sum = sum_of(results);
        sum.requests = requests;
        let (task, hold) = (&claimed.task, &claimed.hold);
        let blob = encode_results_within(results, self.blob_bytes_max());
        self.put_list(&result_row(task, hold.fence), hold.fence, results.len() as u64, blob)
            .await?;
        let Rest { retry_after, restoring } = rest.into();
        let ended = results.iter().filter(|result| result.outcome.is_some()).count();
        if ended < claimed.rest.len() {
            let due = self.now().plus(retry_after);
            let goes_on = restoring > 0 || results.iter().any(|result| claimed.gets_on(result));
            self.change(&task_row(task), |row: &TaskRow| {
                if goes_on {
                    row.hand_back_under_way(hold, &sum, due, restoring)
                } else {
                    row.hand_back(hold, &sum, due)
                }
            })
            .await?;
            self.tell(&task.pass().job, Recorded::Objects(&sum));
            self.send(&[Message::Task(task.clone())], retry_after).await?;
            return Ok(TaskState::Planned);
        }
        self.finish_task(task, hold, &sum, TaskState::Done).await?;
        self.settle(&task.slice, window).await?;
        Ok(TaskState::Done)
    }

    /// Notes the object in work, where one is taken at a time.
    pub async fn note_in_work(&self, claimed: &ClaimedTask, index: Option<u32>) -> Result<()> {
        let id = task_row(&claimed.task);
        self.change(&id, |row: &TaskRow| row.note_in_work(&claimed.hold, index)).await?;
        Ok(())
    }

    async fn finish_task(
        &self,
        task: &TaskRef,
        hold: &Hold,
        sum: &Sum,
        state: TaskState,
    ) -> Result<()> {
        let now = self.now();
        self.change::<_, _, LeaseLost>(&task_row(task), |row: &TaskRow| {
            row.finish(hold, sum, state, now)
        })
        .await?;
        self.tell(&task.pass().job, Recorded::Objects(sum));
        Ok(())
    }

    /// A task that cannot be worked on: what has no outcome yet fails by number, without a look at the
    /// list, so that nothing is dropped in silence.
    async fn fail_task(
        &self,
        task: &TaskRef,
        hold: &Hold,
        row: &TaskRow,
        reason: &str,
    ) -> Result<()> {
        tracing::error!(%task, reason, "task failed");
        let ended = match self.results(task, row).await {
            Ok(results) => {
                let ended = results.into_iter().filter(|result| result.outcome.is_some());
                ended.map(|result| result.index).collect()
            }
            // What a newer copier recorded is not guessed at: it waits for one.
            Err(LedgerError::List(ListError::Damaged(_)) | LedgerError::Missing(_)) => {
                HashSet::new()
            }
            Err(error) => return Err(error),
        };
        let left = usize::try_from(row.objects - row.sum.objects()).unwrap_or(usize::MAX);
        let results: Vec<_> = (0..u32::try_from(row.objects).unwrap_or(u32::MAX))
            .filter(|index| !ended.contains(index))
            .take(left)
            .map(|index| ObjectResult::plain(index, Outcome::Failed, reason))
            .collect();
        let (id, count) = (result_row(task, hold.fence), results.len() as u64);
        self.put_list(&id, hold.fence, count, encode_results(&results)).await?;
        self.finish_task(task, hold, &sum_of(&results), TaskState::Failed).await?;
        self.settle(&task.slice, 1).await?;
        Ok(())
    }
}
