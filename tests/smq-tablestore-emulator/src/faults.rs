//! Faults that a test puts on the next requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Not executed: answered by this.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The service's code.
        code: &'static str,
        /// The service's sentence.
        message: &'static str,
    },
    /// Executed, and the connection is closed in place of an answer.
    AnswerLost,
    /// Tablestore: executed, and a byte of the answer's body is another.
    AnswerDamaged,
    /// SMQ: executed, but the messages of these indexes are not taken.
    MessagesRefused(Vec<usize>),
}

/// Faults by operation, as the service names it. Clones are one script.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    waiting: Vec<(String, Fault)>,
    seen: BTreeMap<String, u64>,
}

impl Faults {
    /// Puts a fault on the next request of an operation that has none yet.
    pub fn on_next(&self, operation: &str, fault: Fault) {
        self.script().waiting.push((operation.to_owned(), fault));
    }

    /// How many requests of an operation came.
    pub fn count(&self, operation: &str) -> u64 {
        self.script().seen.get(operation).copied().unwrap_or_default()
    }

    /// Counts a request and takes its fault.
    pub(crate) fn take(&self, operation: &str) -> Option<Fault> {
        let mut script = self.script();
        *script.seen.entry(operation.to_owned()).or_default() += 1;
        let place = script.waiting.iter().position(|(waiting, _)| waiting == operation)?;
        Some(script.waiting.remove(place).1)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection is closed in place of an answer.
#[derive(Debug)]
pub struct AnswerLost;

impl fmt::Display for AnswerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault closes the connection")
    }
}

impl std::error::Error for AnswerLost {}
