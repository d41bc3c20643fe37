//! The copier against a scripted source, a scripted target and a ledger in memory, on a paused clock.

mod auditing;
mod bench;
mod departures;
mod endings;
mod handing_back;
mod large_objects;
mod lost_answers;
mod memory;
mod object_outcomes;
mod scripted_source;
mod scripted_target;
