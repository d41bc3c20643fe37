//! Messages out: batches, and the ones a queue did not take sent again.

use std::time::Duration;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::{Outgoing, Queue};

use crate::ids::SliceRef;
use crate::ledger::{Ledger, Result};
use crate::messages::Message;
use crate::rows::{SliceRow, TaskKind, TaskRow};

/// How often messages that the queue refused are sent again before the error is reported.
const SEND_ROUNDS_MAX: u32 = 6;

impl Ledger {
    /// Sends each message to the queue of the function it is for.
    pub async fn send(&self, messages: &[Message], delay: Duration) -> Result<()> {
        let (mut planners, mut copiers) = (Vec::new(), Vec::new());
        for message in messages {
            let outgoing = Outgoing { body: message.to_text(), delay };
            if message.is_for_planners() { &mut planners } else { &mut copiers }.push(outgoing);
        }
        self.send_all(self.planner_queue.as_ref(), planners).await?;
        self.send_all(self.copier_queue.as_ref(), copiers).await
    }

    async fn send_all(&self, queue: &dyn Queue, mut messages: Vec<Outgoing>) -> Result<()> {
        let mut round = 0;
        while !messages.is_empty() {
            let mut refused = Vec::new();
            for batch in messages.chunks(queue.batch_max()) {
                self.check_time()?;
                match queue.send(batch).await {
                    Ok(sent) => refused.extend(sent.refused.iter().map(|at| batch[*at].clone())),
                    Err(error) if error.is_transient() => refused.extend(batch.iter().cloned()),
                    Err(error) => return Err(error.into()),
                }
            }
            round += 1;
            if !refused.is_empty() {
                if round == SEND_ROUNDS_MAX {
                    let count = refused.len();
                    let message = format!("send: the queue did not take {count} messages");
                    return Err(PortError::new(ErrorKind::ServerError, message).into());
                }
                tokio::time::sleep(Duration::from_millis(50 << round)).await;
            }
            messages = refused;
        }
        Ok(())
    }

    /// Sends the messages of committed tasks, as far as the window reaches: `sent_seq` ≤
    /// `settled_seq` + `window`. Does nothing in a pass that ended.
    ///
    /// Messages first, then `sent_seq`: a crash between sends some twice and loses none.
    pub async fn pump(&self, slice: &SliceRef, row: &SliceRow, window: u64) -> Result<()> {
        let Some((first, last)) = row.sendable(window) else { return Ok(()) };
        if self.pass(&slice.pass).await?.state.is_final() {
            return Ok(());
        }
        let tasks = self.tasks(slice, first, last).await?;
        let mut messages: Vec<Message> = tasks
            .iter()
            .filter(|task| !task.state.is_final())
            .map(|task| task_message(slice, task))
            .collect();
        // Copiers of one slice should not write neighbouring keys at once: OSS gives sequential
        // prefixes a fifth of its rate (limits page, February 2026).
        interleave(&mut messages);
        self.send(&messages, Duration::ZERO).await?;
        let id = crate::ids::slice_row(slice);
        self.step::<SliceRow, _>(&id, |row| row.sent(last)).await?;
        Ok(())
    }
}

/// The message that a task is due.
pub(crate) fn task_message(slice: &SliceRef, task: &TaskRow) -> Message {
    match task.kind {
        TaskKind::Batch => Message::Task(slice.task(task.seq)),
        TaskKind::Upload => Message::Upload(slice.task(task.seq)),
    }
}

/// Every eighth, then every eighth but one on, and so forth.
fn interleave(messages: &mut Vec<Message>) {
    const STRIDE: usize = 8;
    let mut lanes: Vec<Vec<Message>> = (0..STRIDE).map(|_| Vec::new()).collect();
    for (index, message) in messages.drain(..).enumerate() {
        lanes[index % STRIDE].push(message);
    }
    messages.extend(lanes.into_iter().flatten());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PassRef, SliceId};

    #[test]
    fn interleaving_loses_no_message_and_parts_neighbours() {
        let slice = PassRef { job: "j".into(), pass: "p".into() }.slice(SliceId::root());
        let mut messages: Vec<_> = (1..=20).map(|seq| Message::Task(slice.task(seq))).collect();
        let mut before = messages.iter().map(Message::to_text).collect::<Vec<_>>();
        interleave(&mut messages);
        assert_eq!(messages[1], Message::Task(slice.task(9)));
        let mut after = messages.iter().map(Message::to_text).collect::<Vec<_>>();
        before.sort();
        after.sort();
        assert_eq!(before, after);
    }
}
