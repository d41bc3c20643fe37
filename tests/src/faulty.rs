//! Ports that fail by the number of the call: it fails, or it works and its answer is lost.

mod ends;
mod ledger;

use std::sync::{Arc, Mutex, PoisonError};

use ossferry_core::error::{Conclusion, ErrorKind, PortError};

pub use ends::{FaultySource, FaultyTarget};
pub use ledger::{FaultyQueue, FaultyTable};

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is passed on.
    Works,
    /// It is not passed on: nothing changed.
    Fails,
    /// It is passed on, and its answer is lost: only a read can tell.
    Lost,
}

type Choose = dyn FnMut(u64, &'static str) -> Fate + Send;

/// Counts the calls of all ports that share it, and decides the fate of each.
#[derive(Clone)]
pub struct Fates(Arc<Mutex<Counting>>);

struct Counting {
    calls: Vec<&'static str>,
    choose: Box<Choose>,
}

impl Fates {
    /// `choose` is given the number of the call, from 1, and its name.
    pub fn new(choose: impl FnMut(u64, &'static str) -> Fate + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Counting { calls: Vec::new(), choose: Box::new(choose) })))
    }

    /// Everything works.
    pub fn kind() -> Self {
        Self::new(|_, _| Fate::Works)
    }

    /// One call has this fate, all others work.
    pub fn one(number: u64, fate: Fate) -> Self {
        Self::new(move |call, _| if call == number { fate } else { Fate::Works })
    }

    /// The names of all calls so far, in their order.
    pub fn calls(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }

    fn next(&self, call: &'static str) -> Fate {
        let mut counting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counting.calls.push(call);
        let number = counting.calls.len() as u64;
        (counting.choose)(number, call)
    }

    /// Makes the call its fate.
    async fn meet<T>(
        &self,
        call: &'static str,
        run: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        match self.next(call) {
            Fate::Works => run.await,
            Fate::Fails => Err(failed(call, Conclusion::NotDone)),
            Fate::Lost => {
                run.await?;
                Err(failed(call, Conclusion::Unknown))
            }
        }
    }
}

fn failed(call: &str, conclusion: Conclusion) -> PortError {
    let message = format!("{call}: by script, {conclusion:?}");
    PortError::new(ErrorKind::Connection, message).concluding(conclusion)
}
