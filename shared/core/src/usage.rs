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

/// Units of 4 KB written to a table of Tablestore.
pub const TABLESTORE_WRITE_UNITS: &str = "tablestore-write-units";

/// Units of 4 KB read from it.
pub const TABLESTORE_READ_UNITS: &str = "tablestore-read-units";

/// Requests to queues of Simple Message Queue.
pub const SMQ_REQUESTS: &str = "smq-requests";

/// Calls of functions of Function Compute.
pub const FC_CALLS: &str = "fc-calls";

/// Those of them that went to a function that is not told its size: their time is not counted.
pub const FC_UNSIZED_CALLS: &str = "fc-unsized-calls";

/// Milliseconds that such functions were at work, by thousandths of a processor: of half a one, a second is
/// 500,000.
pub const FC_MILLIVCPU_MILLISECONDS: &str = "fc-millivcpu-milliseconds";

/// Thousandths of a gigabyte-second of their memory.
pub const FC_MEMORY_GB_MILLISECONDS: &str = "fc-memory-gb-milliseconds";

/// Thousandths of a gigabyte-second of their disk.
pub const FC_DISK_GB_MILLISECONDS: &str = "fc-disk-gb-milliseconds";

/// What a function of so much memory uses in so many milliseconds, rounded up.
pub fn gb_milliseconds(memory_mib: u64, millis: u64) -> u64 {
    memory_mib.saturating_mul(millis).div_ceil(1_024)
}
