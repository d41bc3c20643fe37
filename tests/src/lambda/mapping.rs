//! An event source mapping: carries the messages of a queue into a function, one an invocation.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use ossferry_core::ports::{Delivery, Queue};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Function, Invoked, locked};

/// An empty queue is asked again after this.
const WAIT: Duration = Duration::from_secs(1);

/// How a queue treats its messages.
#[derive(Clone, Debug)]
pub struct Post {
    /// A message that was not deleted comes back after this.
    pub visibility: Duration,
    /// After so many deliveries a message is given up.
    pub receive_count_max: u32,
    /// Each message is delivered up to so many times.
    pub deliveries_max: usize,
}

impl Default for Post {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(20), receive_count_max: 5, deliveries_max: 1 }
    }
}

/// Messages that were given up.
type DeadLetters = Arc<Mutex<Vec<String>>>;

/// A queue and the function that its messages go to.
pub struct Mapping {
    queue: Arc<dyn Queue>,
    function: Arc<Function>,
    concurrency: usize,
    post: Post,
    dead_letters: DeadLetters,
    stop: watch::Sender<bool>,
}

impl Mapping {
    /// A mapping that carries nothing yet, of so many messages at once.
    pub fn new(
        queue: Arc<dyn Queue>,
        function: Arc<Function>,
        concurrency: usize,
        post: Post,
    ) -> Self {
        let (stop, _) = watch::channel(false);
        Self { queue, function, concurrency, post, dead_letters: Arc::default(), stop }
    }

    /// The bodies of messages that were given up.
    pub fn dead_letters(&self) -> Vec<String> {
        locked(&self.dead_letters).clone()
    }

    /// Carries messages until so many were given up. Panics where that takes longer.
    pub async fn until_dead(&self, count: usize, limit: Duration) {
        let look = async {
            while locked(&self.dead_letters).len() < count {
                sleep(WAIT).await;
            }
        };
        let look = async {
            let given_up = timeout(limit, look).await;
            self.stop();
            given_up
        };
        let ((), given_up) = tokio::join!(self.run(), look);
        given_up.expect("messages are given up in time");
    }

    /// Ends [`Mapping::run`] when what has begun has ended.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Carries messages until it is stopped.
    pub async fn run(&self) {
        self.stop.send_replace(false);
        let mut pollers: JoinSet<()> = JoinSet::new();
        for _ in 0..self.concurrency {
            let poller = Poller {
                queue: Arc::clone(&self.queue),
                function: Arc::clone(&self.function),
                post: self.post.clone(),
                dead_letters: Arc::clone(&self.dead_letters),
                stopped: self.stop.subscribe(),
            };
            pollers.spawn(poller.run());
        }
        while let Some(ended) = pollers.join_next().await {
            ended.expect("a poller does not panic");
        }
    }
}

struct Poller {
    queue: Arc<dyn Queue>,
    function: Arc<Function>,
    post: Post,
    dead_letters: DeadLetters,
    stopped: watch::Receiver<bool>,
}

impl Poller {
    async fn run(self) {
        while !*self.stopped.borrow() {
            let received = self.queue.receive(1, self.post.visibility, WAIT).await;
            for delivery in received.expect("the queue answers") {
                self.carry(delivery).await;
            }
        }
    }

    async fn carry(&self, delivery: Delivery) {
        if delivery.receive_count > self.post.receive_count_max {
            locked(&self.dead_letters).push(delivery.body.clone());
            self.delete(&delivery).await;
            return;
        }
        let deliveries = 1 + fastrand::usize(0..self.post.deliveries_max.max(1));
        let event = event(&delivery);
        let invoked = (0..deliveries).map(|_| self.function.invoke(&event));
        if join_all(invoked).await.iter().any(deletes) {
            self.delete(&delivery).await;
        }
    }

    async fn delete(&self, delivery: &Delivery) {
        self.queue.ack(&delivery.receipt).await.expect("the queue answers");
    }
}

/// The event of one message, as SQS's documentation shows it.
fn event(delivery: &Delivery) -> Value {
    json!({"Records": [{
        "messageId": MESSAGE_ID,
        "receiptHandle": delivery.receipt.0,
        "body": delivery.body,
        "attributes": {
            "ApproximateReceiveCount": delivery.receive_count.to_string(),
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tests",
        "awsRegion": "us-east-1",
    }]})
}

const MESSAGE_ID: &str = "059f36b4-87a3-44ab-83d2-661975830a7d";

/// Whether the message is deleted, by what the function answered: an answer that is none of a batch
/// fails the whole batch.
fn deletes(invoked: &Invoked) -> bool {
    let Invoked::Answered(answer) = invoked else { return false };
    let failures = answer.get("batchItemFailures").and_then(Value::as_array);
    failures.is_some_and(Vec::is_empty)
}
