//! Faults: single calls that fail or lose their answer, foul weather under a seed, and what goes wrong
//! on the wire. The ledger ends whole and the target equal.

mod corruption;
mod ports;
mod wire;
