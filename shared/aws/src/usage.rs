//! What AWS bills a queue's calls by.

use ossferry_core::meter::Meter;
use ossferry_core::usage;

/// A call of SQS is billed as one request for each of these of what it carries.
const REQUEST_BYTES: usize = 64 << 10;

/// Requests that a call is billed as.
pub fn queue_requests(bytes: usize) -> u64 {
    bytes.div_ceil(REQUEST_BYTES).max(1) as u64
}

/// Counts one call that carried so many bytes of messages.
pub(crate) fn count_queue_request(meter: &Meter, operation: &'static str, bytes: usize) {
    meter.count(operation);
    meter.count_many(usage::QUEUE_REQUESTS, queue_requests(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_a_mebibyte_is_sixteen_requests() {
        for (bytes, requests) in [(0, 1), (65_536, 1), (65_537, 2), (1 << 20, 16)] {
            assert_eq!(queue_requests(bytes), requests, "{bytes}");
        }
    }
}
