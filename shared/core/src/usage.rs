//! What a host bills beside the requests at both ends, by names that stand in rows.
//!
//! Requests of queue and table are counted under the names that their service gives them; these are the
//! units in which they, and the functions, are paid for.

/// Units of writing to the table.
pub const WRITE_UNITS: &str = "write-units";

/// Units of reading from the table.
pub const READ_UNITS: &str = "read-units";

/// Requests to the queues as they are billed: a large one is several.
pub const QUEUE_REQUESTS: &str = "queue-requests";

/// Invocations of the functions.
pub const INVOCATIONS: &str = "invocations";

/// Thousandths of a gigabyte-second of the functions.
pub const GB_MILLISECONDS: &str = "gb-milliseconds";

/// What a function of so much memory uses in so many milliseconds, rounded up.
pub fn gb_milliseconds(memory_mib: u64, millis: u64) -> u64 {
    memory_mib.saturating_mul(millis).div_ceil(1_024)
}
