//! Points in time as OSS spells them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ossferry_core::time::Timestamp;

/// `Wed, 28 Dec 2022 10:27:41 GMT`, as in `Date` and `Last-Modified`.
pub(crate) fn http_date(time: Timestamp) -> String {
    let millis = u64::try_from(time.0).unwrap_or(0);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis))
}

/// Reads what [`http_date`] writes, and the two older spellings of RFC 9110.
pub(crate) fn from_http_date(text: &str) -> Option<Timestamp> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let millis = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(Timestamp(i64::try_from(millis).ok()?))
}

/// `2022-12-28T10:27:41.000Z`, as in listings and errors: whole seconds, and zeros after them.
pub(crate) fn list_date(time: Timestamp) -> String {
    Timestamp(time.0 - time.0.rem_euclid(1_000)).to_string()
}

/// Reads `20221228T102741Z`, as in `x-oss-date` of the V4 signature.
pub(crate) fn from_signing_date(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let digits = |from: usize, to: usize| text.get(from..to).filter(|t| is_digits(t));
    let (year, month, day) = (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?);
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    Timestamp::from_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let time = Timestamp(1_672_223_261_000);
        assert_eq!(http_date(time), "Wed, 28 Dec 2022 10:27:41 GMT");
        assert_eq!(from_http_date(&http_date(time)), Some(time));
        assert_eq!(from_signing_date("20221228T102741Z"), Some(time));
        assert_eq!(list_date(Timestamp(time.0 + 999)), "2022-12-28T10:27:41.000Z");
        for wrong in
            ["", "20221228T102741", "2022-12-28T10:27", "20221328T102741Z", "+0221228T102741Z"]
        {
            assert_eq!(from_signing_date(wrong), None, "{wrong}");
        }
    }
}
