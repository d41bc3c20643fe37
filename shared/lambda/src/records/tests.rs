//! Records against a worker and a queue that follow a script.

use std::sync::{Mutex, PoisonError};

use ossferry_conformance::memory::MemoryTable;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Job;
use ossferry_core::ports::{Delivery, Sent};
use ossferry_core::time::Timestamp;
use ossferry_ends::{Paces, Surroundings};
use ossferry_ledger::ids::{PassRef, SliceId};
use ossferry_ledger::{Invocation, Ledger};
use serde_json::json;

use super::*;
use ossferry_host::{Made, RateKeeper, Workshop};

use crate::event::Event;

/// What was asked of the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    Send(String, Duration),
    Extend(String, Duration),
}

#[derive(Default)]
struct ScriptedQueue {
    refuses: bool,
    asked: Mutex<Vec<Asked>>,
}

impl ScriptedQueue {
    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait::async_trait]
impl Queue for ScriptedQueue {
    fn batch_max(&self) -> usize {
        10
    }

    async fn send(&self, batch: &[Outgoing]) -> Result<Sent, PortError> {
        for message in batch {
            self.note(Asked::Send(message.body.clone(), message.delay));
        }
        let refused = if self.refuses { (0..batch.len()).collect() } else { Vec::new() };
        Ok(Sent { refused })
    }

    async fn receive(
        &self,
        _: usize,
        _: Duration,
        _: Duration,
    ) -> Result<Vec<Delivery>, PortError> {
        Err(PortError::new(ErrorKind::Unsupported, "Lambda receives"))
    }

    async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<Receipt, PortError> {
        self.note(Asked::Extend(receipt.0.clone(), visibility));
        Ok(receipt.clone())
    }

    async fn ack(&self, _: &Receipt) -> Result<(), PortError> {
        Err(PortError::new(ErrorKind::Unsupported, "Lambda deletes"))
    }
}

/// What befalls a message, by the number of its task.
struct ScriptedWorker;

const DONE: u64 = 1;
const LATER: u64 = 2;
const FAILS: u64 = 3;
const PANICS: u64 = 4;
const STANDS: u64 = 5;

#[async_trait::async_trait]
impl Handler for ScriptedWorker {
    async fn work(&self, message: &Message, _: &Invocation) -> Result<Handled, HandlerError> {
        let Message::Task(task) = message else { panic!("a task is sent") };
        match task.seq {
            DONE => Ok(Handled::Done),
            LATER => Ok(Handled::Later(Duration::from_hours(1))),
            FAILS => Err(HandlerError { is_transient: true, message: "no answer".to_owned() }),
            STANDS => std::future::pending().await,
            _ => panic!("a defect"),
        }
    }
}

fn pass() -> PassRef {
    PassRef { job: "j".into(), pass: "p".into() }
}

async fn desk(queue: &Arc<ScriptedQueue>) -> Desk<ScriptedWorker> {
    let clock = Arc::new(|| Timestamp(0));
    let queue = || Arc::clone(queue) as Arc<dyn Queue>;
    let table = Arc::new(MemoryTable::default());
    let ledger = Ledger::new(table, queue(), queue(), clock.clone(), Arc::new(|_: &str| false));
    let around = Surroundings::of_function(clock, Arc::new(|_: &str| None));
    let job = Arc::new(Job::parse(Job::template()).unwrap());
    let rates = Arc::new(RateKeeper::new(&ledger, &job, Paces::default(), "w".to_owned()));
    let workshop = Workshop::new(ledger, around, "f", Box::new(|_| ScriptedWorker));
    workshop.remember(&pass(), &Arc::new(Made { worker: ScriptedWorker, job, rates })).await;
    Desk { workshop, queue: queue() }
}

fn task_text(seq: u64) -> String {
    Message::Task(pass().slice(SliceId::root()).task(seq)).to_text()
}

fn records(bodies: &[String], receive_count: u32) -> Vec<SqsRecord> {
    let records = bodies.iter().enumerate().map(|(number, body)| {
        json!({
            "messageId": format!("m{number}"),
            "receiptHandle": format!("r{number}"),
            "body": body,
            "attributes": {"ApproximateReceiveCount": receive_count.to_string()},
            "eventSource": "aws:sqs",
        })
    });
    let event = json!({"Records": records.collect::<Vec<_>>()});
    Event::read_messages(event).unwrap()
}

async fn failures(desk: &Desk<ScriptedWorker>, records: &[SqsRecord]) -> Vec<String> {
    let call = Call::new("f", "q", Timestamp(300_000), Timestamp(0));
    let answer = desk.handle(records, &call).await;
    answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

#[tokio::test(start_paused = true)]
async fn what_befalls_a_record_fails_no_other() {
    let queue = Arc::new(ScriptedQueue::default());
    let desk = desk(&queue).await;
    let bodies = [DONE, PANICS, LATER, FAILS, STANDS].map(task_text);
    assert_eq!(failures(&desk, &records(&bodies, 1)).await, ["m1", "m3", "m4"]);
    let asked = queue.take();
    assert!(asked.contains(&Asked::Send(task_text(LATER), DELAY_MAX)), "{asked:?}");
    for receipt in ["r1", "r3", "r4"] {
        assert!(asked.contains(&Asked::Extend(receipt.to_owned(), BACKOFF_FIRST)), "{asked:?}");
    }
    assert_eq!(asked.len(), 4);
    let numbers = desk.workshop.metrics().take_lines(Timestamp(0)).concat();
    assert!(numbers.contains(r#""Panics":1.0"#), "{numbers}");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_newer_version_is_sent_on_and_an_unreadable_one_reported() {
    let queue = Arc::new(ScriptedQueue::default());
    let desk = desk(&queue).await;
    let newer = r#"{"version":2,"shape":"unknown"}"#.to_owned();
    let bodies = [newer.clone(), "hello".to_owned()];
    assert_eq!(failures(&desk, &records(&bodies, 5)).await, ["m1"]);
    let backoff = Asked::Extend("r1".to_owned(), BACKOFF_MAX);
    assert_eq!(queue.take(), [Asked::Send(newer, NEWER_DELAY), backoff]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_sent_on_is_not_deleted() {
    let queue = Arc::new(ScriptedQueue { refuses: true, ..ScriptedQueue::default() });
    let desk = desk(&queue).await;
    assert_eq!(failures(&desk, &records(&[task_text(LATER)], 1)).await, ["m0"]);
}

#[test]
fn a_message_that_fails_again_is_left_alone_longer() {
    let pauses: Vec<_> = (1..=6).map(|count| backoff(count).as_secs()).collect();
    assert_eq!(pauses, [10, 40, 160, 640, 900, 900]);
}
