//! Simple Message Queue (SMQ, formerly MNS): queues of one account.
//!
//! Rules are those of the manual ("Simple Message Queue: API reference" and "Error codes", 2026) and of
//! the official Python SDK 1.3.0.

mod answers;
mod auth;
mod errors;
mod operation;
mod operations;
mod queues;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, DATE};
use http::request::Parts;
use oss_emulator::RunningEmulator;
use ossferry_core::time::Clock;
use ossferry_http::format_http_date;
use tokio::sync::Notify;

use crate::account::Account;
use crate::faults::{AnswerLost, Fault, Faults};
use crate::serving::{Answer, served};
use crate::smq::errors::Refusal;
use crate::smq::operation::Request;
use crate::smq::queues::Queues;

pub use queues::{DeadLetters, QueueAttributes};

/// An SMQ endpoint. Clones are one endpoint.
#[derive(Clone)]
pub struct SmqEmulator {
    shared: Arc<Shared>,
}

struct Shared {
    account: Account,
    clock: Clock,
    faults: Faults,
    queues: Mutex<Queues>,
    arrivals: Notify,
}

impl SmqEmulator {
    /// An endpoint without queues.
    pub fn new(account: Account, clock: Clock) -> Self {
        let (faults, queues, arrivals) = (Faults::default(), Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { account, clock, faults, queues, arrivals }) }
    }

    /// Makes a queue, if it is not there.
    pub fn create_queue(&self, name: &str, attributes: QueueAttributes) {
        let now = (self.shared.clock)();
        let _ = self.queues().create(name, attributes, now);
    }

    /// Faults to put on requests.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How many messages a queue holds, hidden ones too.
    pub fn messages(&self, queue: &str) -> usize {
        self.queues().get(queue).map_or(0, queues::HeldQueue::len)
    }

    /// Serves it on a free port of loopback.
    pub async fn serve(&self) -> RunningEmulator {
        let emulator = self.clone();
        served(move |parts, body| {
            let emulator = emulator.clone();
            async move { emulator.handle(&parts, body).await }
        })
        .await
    }

    /// Answers one request.
    async fn handle(&self, parts: &Parts, body: Bytes) -> Result<Answer, AnswerLost> {
        let read = auth::checked(parts, &body, &self.shared.account, (self.shared.clock)())
            .and_then(|()| Request::read(parts, &body));
        let (operation, fault) = match &read {
            Ok(request) => (request.operation, self.shared.faults.take(request.operation)),
            Err(_) => ("", None),
        };
        let answer = match (read, &fault) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), Some(Fault::Refused { status, code, message })) => {
                Err(Refusal::scripted(*status, code, message))
            }
            (Ok(request), fault) => {
                let untaken = match fault {
                    Some(Fault::MessagesRefused(indexes)) => indexes.as_slice(),
                    _ => &[],
                };
                self.execute(&request, untaken).await
            }
        };
        if matches!(fault, Some(Fault::AnswerLost)) {
            return Err(AnswerLost);
        }
        let mut answer = answer.unwrap_or_else(|refusal| answers::refusal(&refusal, operation));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=utf-8"));
        headers.insert("x-mns-version", HeaderValue::from_static("2015-06-06"));
        headers.insert("x-mns-request-id", HeaderValue::from_static(answers::REQUEST_ID));
        let date = format_http_date((self.shared.clock)());
        headers.insert(DATE, HeaderValue::try_from(date).expect("a date is a header"));
        Ok(answer)
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
