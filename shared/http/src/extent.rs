//! How much of an object an answer to GET holds.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, HeaderName, StatusCode};
use ossferry_core::object::ByteRange;

use crate::response::content_range;

/// The length of the whole object, once an answer is known to hold what was asked for: 200 and all of it,
/// or 206 and exactly this range. Fails with what it holds instead.
pub fn whole_of_answer(
    status: StatusCode,
    headers: &HeaderMap,
    range: Option<ByteRange>,
) -> Result<u64, String> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(&CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
    let length: u64 = length.ok_or("no content-length")?;
    let Some(range) = range else {
        if status != StatusCode::OK {
            return Err(format!("http {}, asked for the whole", status.as_u16()));
        }
        return Ok(length);
    };
    if status != StatusCode::PARTIAL_CONTENT {
        return Err(format!("the range was ignored: http {}", status.as_u16()));
    }
    let found = text(&CONTENT_RANGE).and_then(content_range);
    let (first, last, whole) = found.ok_or("no content-range with a whole length")?;
    if (first, last) != (range.start, range.last()) || length != range.bytes {
        let (start, end) = (range.start, range.last());
        return Err(format!("bytes {first}-{last} ({length}), asked for {start}-{end}"));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_the_whole_or_exactly_the_range_that_was_asked_for() {
        let headers = |length: &str, range: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_LENGTH, length), (CONTENT_RANGE, range)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            headers
        };
        let range = Some(ByteRange { start: 1, bytes: 2 });
        for (status, length, spelled, range, found) in [
            (200, "9", "", None, Ok(9)),
            (206, "2", "bytes 1-2/9", range, Ok(9)),
            (200, "", "", None, Err("no content-length")),
            (206, "9", "", None, Err("http 206, asked for the whole")),
            (200, "9", "", range, Err("the range was ignored: http 200")),
            (206, "2", "", range, Err("no content-range with a whole length")),
            (206, "2", "bytes 1-2/*", range, Err("no content-range with a whole length")),
            (206, "2", "bytes 0-1/9", range, Err("bytes 0-1 (2), asked for 1-2")),
            (206, "1", "bytes 1-2/9", range, Err("bytes 1-2 (1), asked for 1-2")),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let whole = whole_of_answer(status, &headers(length, spelled), range);
            assert_eq!(whole, found.map_err(str::to_owned), "{status} {length} {spelled}");
        }
    }
}
