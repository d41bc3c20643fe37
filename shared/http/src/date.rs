//! Dates as HTTP spells them.

use std::time::{Duration, UNIX_EPOCH};

use ossferry_core::time::Timestamp;

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` and the two older spellings of RFC 9110.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp)
}

/// Writes `Sun, 06 Nov 1994 08:49:37 GMT`: whole seconds, between 1970 and 9999.
pub fn format_http_date(time: Timestamp) -> String {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = u64::try_from(time.0 / 1_000).unwrap_or(0).min(LAST_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_it_was_written() {
        let text = "Sun, 06 Nov 1994 08:49:37 GMT";
        let time = parse_http_date(text).unwrap();
        assert_eq!(time, Timestamp(784_111_777_000));
        assert_eq!(format_http_date(time), text);
        assert_eq!(parse_http_date("yesterday"), None);
        assert_eq!(format_http_date(Timestamp(-5)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(format_http_date(Timestamp::MAX).ends_with("9999 23:59:59 GMT"));
    }
}
