//! The pure part of ossferry: jobs, keys, layout, packing, splitting, policy, outcomes, proof, sums
//! and the contracts of the four ports. No cloud, no HTTP, no clock, no environment.

pub mod along;
pub mod audit;
pub mod carry;
pub mod compare;
pub mod crc;
pub mod error;
pub mod fidelity;
pub mod job;
pub mod join;
pub mod key;
pub mod layout;
pub mod meter;
pub mod object;
pub mod outcome;
pub mod packing;
pub mod ports;
pub mod prices;
pub mod proof;
pub mod rates;
pub mod report;
pub mod restored;
pub mod since;
pub mod splitting;
pub mod sums;
pub mod time;
pub mod timely;
pub mod usage;
