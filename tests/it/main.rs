//! The integration tests: one binary, a module a subject.
//!
//! They start real servers on loopback (see `tests/setup`) and run the built command; `tests/run`
//! does both.

mod conformance;
mod faults;
mod old_data;
mod promises;
mod readme;
mod tidy;
