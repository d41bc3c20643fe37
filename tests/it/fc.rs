//! The functions of Function Compute as processes, over queues of SMQ and a table of Tablestore.

mod events;
mod faults;
mod mix;
mod passes;
mod secrets;
