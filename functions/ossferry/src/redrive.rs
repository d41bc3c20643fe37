//! `redrive`: returns dead letters to their queue where the table says that they are still due.
//!
//! Nothing is told by a message's id, which a queue gives anew: what a letter asks for stands in its
//! text, and whether it is still to be done in the table.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use ossferry_core::error::PortError;
use ossferry_core::ports::{Delivery, Outgoing};
use ossferry_ledger::Due;
use ossferry_ledger::messages::Message;

use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, Workplace, read_job};
use crate::machine::Machine;
use crate::stack::StackQueue;

/// Letters are hidden so long while they are looked at, and shown again at the end where they stay.
const VISIBILITY: Duration = Duration::from_mins(10);

/// A queue that gave nothing for so long is empty.
const WAIT: Duration = Duration::from_secs(2);

/// Letters taken at once.
const BATCH: usize = 10;

/// What became of the letters of one queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Counts {
    returned: u64,
    deleted: u64,
    /// Unreadable, or not taken by the queue.
    left: u64,
    /// Of other jobs: theirs to redrive.
    of_others: u64,
}

impl Counts {
    fn sentence(&self) -> String {
        let Self { returned, deleted, left, of_others } = self;
        let ours = format!("{returned} returned, {deleted} deleted, {left} left");
        if *of_others > 0 { format!("{ours}, {of_others} of other jobs") } else { ours }
    }
}

/// Answers the exit status: 1 where a letter was left.
pub(crate) async fn redrive(job_file: &Path, machine: &Machine) -> Result<u8, CommandError> {
    let job = read_job(job_file)?;
    if !job.state.is_stack() {
        let hint = "nothing becomes a dead letter there; ossferry sweep sends again what is due";
        return Err(CommandError::ForStacks { command: "redrive", hint });
    }
    let (kept, workplace) = JobLedger::look(&job, job_file, machine).await?;
    let Workplace::Stack(stack) = workplace else { return Ok(0) };
    let mut left = 0;
    for queue in &stack.queues {
        let counts = Desk { kept: &kept, queue }.clear().await?;
        left += counts.left;
        println!("{}: {}", queue.function, counts.sentence());
    }
    Ok(u8::from(left > 0))
}

/// The dead letters of one function.
struct Desk<'a> {
    kept: &'a JobLedger,
    queue: &'a StackQueue,
}

/// What is to become of a letter.
enum Verdict {
    Return(Message),
    Delete(String),
    Leave(String),
    PassBy,
}

impl Desk<'_> {
    async fn clear(&self) -> Result<Counts, CommandError> {
        let mut counts = Counts::default();
        let (mut returned, mut stay) = (HashSet::new(), Vec::new());
        loop {
            let letters = self.queue.dead_letters.receive(BATCH, VISIBILITY, WAIT).await;
            let letters = letters.map_err(|error| self.failed(error))?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                let name = self.queue.function;
                match self.judge(&letter, &returned).await? {
                    Verdict::Return(message) => {
                        if self.send(&letter).await? {
                            self.delete(&letter).await?;
                            counts.returned += 1;
                            println!("{name}: returned: {}", message.to_text());
                            returned.insert(letter.body);
                        } else {
                            counts.left += 1;
                            println!("{name}: left: the queue does not take it: {}", letter.body);
                            stay.push(letter.receipt);
                        }
                    }
                    Verdict::Delete(reason) => {
                        self.delete(&letter).await?;
                        counts.deleted += 1;
                        println!("{name}: deleted: {reason}: {}", letter.body);
                    }
                    Verdict::Leave(reason) => {
                        counts.left += 1;
                        println!("{name}: left: {reason}");
                        stay.push(letter.receipt);
                    }
                    Verdict::PassBy => {
                        counts.of_others += 1;
                        stay.push(letter.receipt);
                    }
                }
            }
        }
        for receipt in stay {
            let shown = self.queue.dead_letters.extend(&receipt, Duration::ZERO).await;
            if let Err(error) = shown {
                tracing::debug!(%error, "a letter that was left is shown again later");
            }
        }
        Ok(counts)
    }

    async fn judge(
        &self,
        letter: &Delivery,
        returned: &HashSet<String>,
    ) -> Result<Verdict, CommandError> {
        let message = match Message::from_text(&letter.body) {
            Ok(message) => message,
            Err(error) => return Ok(Verdict::Leave(error.to_string())),
        };
        if message.pass().job != self.kept.job {
            return Ok(Verdict::PassBy);
        }
        if returned.contains(&letter.body) {
            return Ok(Verdict::Delete("returned once already".to_owned()));
        }
        Ok(match self.kept.ledger.due(&message).await? {
            Due::Yes => Verdict::Return(message),
            Due::No(reason) => Verdict::Delete(reason),
        })
    }

    /// Whether the live queue took it.
    async fn send(&self, letter: &Delivery) -> Result<bool, CommandError> {
        let again = Outgoing::now(letter.body.clone());
        let sent = self.queue.live.send(&[again]).await.map_err(|error| self.failed(error))?;
        Ok(sent.refused.is_empty())
    }

    async fn delete(&self, letter: &Delivery) -> Result<(), CommandError> {
        let acked = self.queue.dead_letters.ack(&letter.receipt).await;
        acked.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: PortError) -> CommandError {
        CommandError::Queue { queue: self.queue.function, error }
    }
}
