//! Simple Message Queue and Tablestore on loopback, in memory: what a ledger and its queues need of
//! both, with the signatures, limits and error codes of the real ones.
//!
//! The official SDKs take each for the service. What is not served is refused by name. Faults are put
//! on request by request ([`Faults`]): the next one is refused, or executed without an answer.

mod account;
mod faults;
mod serving;
pub mod smq;
pub mod tablestore;

pub use account::Account;
pub use faults::{AnswerLost, Fault, Faults};
pub use oss_emulator::RunningEmulator;
pub use smq::SmqEmulator;
pub use tablestore::TablestoreEmulator;
