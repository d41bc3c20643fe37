//! Simple Message Queue and Tablestore as the product speaks to them, over the emulators: lost
//! answers, throttling, partial failures, clocks and credentials that are refused.

mod smq;
mod tablestore;
