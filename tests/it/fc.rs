//! The functions of Function Compute as processes, over queues of SMQ and a table of Tablestore.

mod events;
mod faults;
mod limits;
mod mix;
mod operating;
mod passes;
mod places;
mod secrets;
