//! What an answer says of an object, and what its status means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE,
    CONTENT_TYPE, EXPIRES, LOCATION,
};
use http::{HeaderMap, HeaderName, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::fidelity::Properties;
use ossferry_core::object::{ByteRange, Digests, ObjectHeaders, ObjectInfo};
use ossferry_core::time::Timestamp;
use ossferry_http::{LaneResponse, asked_pause, content_range};

use crate::pin::{State, last_modified};

/// Clocks that differ by less are taken for the same.
const SKEW_MILLIS_MIN: i64 = 5_000;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The error that an answer is which gives no object.
pub(crate) fn refused(operation: &str, response: &LaneResponse) -> PortError {
    let status = response.status.as_u16();
    let kind = match status {
        401 | 403 | 407 | 451 => ErrorKind::AccessDenied,
        408 => ErrorKind::Timeout,
        412 | 416 => ErrorKind::PreconditionFailed,
        429 | 503 => ErrorKind::Throttled,
        500..=599 => ErrorKind::ServerError,
        // Not `NoSuchKey`: the list names it, so that nobody deleted it since it was listed.
        _ => ErrorKind::Other,
    };
    let mut message = format!("{operation}: http {status}");
    if response.status.is_redirection() {
        let to = response.header(LOCATION.as_str()).unwrap_or("nowhere");
        // What follows the question mark may be a signature.
        let to = to.split('?').next().unwrap_or_default();
        message.push_str(" to ");
        message.push_str(to);
        message.push_str(": not followed; see redirects_max");
    } else if matches!(status, 404 | 410) {
        message.push_str(": the list names what the server does not have");
    }
    let mut error = PortError::new(kind, message);
    error.retry_after = asked_pause(&response.headers);
    if matches!(kind, ErrorKind::ServerError | ErrorKind::Timeout) {
        error.conclusion = Conclusion::NotDone;
    }
    error
}

/// An answer that breaks the protocol, or leaves out what a copy needs. The next would as well.
pub(crate) fn useless(operation: &str, what: &str) -> PortError {
    PortError::new(ErrorKind::Unsupported, format!("{operation}: {what}"))
}

/// Length of the whole object, of `Content-Range: bytes 0-9/443` or `bytes */443`.
pub(crate) fn whole_length(headers: &HeaderMap) -> Option<u64> {
    let spelled = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    spelled.trim().strip_prefix("bytes ")?.rsplit_once('/')?.1.parse().ok()
}

/// The length of the whole object, once the answer is known to be the range that was asked for.
pub(crate) fn check_range(
    operation: &str,
    response: &LaneResponse,
    range: ByteRange,
) -> Result<u64, PortError> {
    if response.status == StatusCode::OK {
        let what = "the server ignores ranges, so that this object cannot be taken in parts; raise \
                    split_bytes above its size";
        return Err(useless(operation, what));
    }
    let spelled = response.header(CONTENT_RANGE.as_str()).unwrap_or_default();
    match content_range(spelled) {
        Some((first, last, size)) if (first, last) == (range.start, range.last()) => Ok(size),
        _ => {
            let asked = format!("{}-{}", range.start, range.last());
            let what = format!("{operation}: content-range {spelled:?}, asked for bytes {asked}");
            Err(PortError::new(ErrorKind::BadAnswer, what).concluding(Conclusion::Refused))
        }
    }
}

/// What an answer says of an object of `size` bytes. `whole`: its digest is of the whole object.
pub(crate) fn object_info(
    response: &LaneResponse,
    size: u64,
    whole: bool,
    now: Timestamp,
) -> ObjectInfo {
    let headers = &response.headers;
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let number = |name: &str| response.header(name)?.trim().parse().ok();
    let dated = last_modified(headers);
    let last_modified =
        dated.zip(response.date()).map(|(dated, theirs)| on_our_clock(dated, theirs, now));
    ObjectInfo {
        size,
        etag: Some(State::of(headers, size).to_etag()),
        last_modified,
        content_modified: dated.filter(|dated| last_modified != Some(*dated)),
        digests: Digests {
            // Both give it for the whole object, even with a range.
            crc64_ecma: number("x-oss-hash-crc64ecma").or_else(|| number("x-cos-hash-crc64ecma")),
            crc64_nvme: None,
            md5: if whole { content_md5(headers) } else { None },
        },
        headers: ObjectHeaders {
            content_type: text(CONTENT_TYPE),
            cache_control: text(CACHE_CONTROL),
            content_disposition: text(CONTENT_DISPOSITION),
            content_encoding: text(CONTENT_ENCODING),
            content_language: text(CONTENT_LANGUAGE),
            expires: text(EXPIRES),
            user_metadata: Vec::new(),
        },
        storage_class: None,
        mirrored: false,
        beyond: Properties::default(),
    }
}

/// A list has many servers, each with a clock of its own, and a pass has one: a date is told as ours
/// would have shown it. A server without a clock dates nothing.
fn on_our_clock(dated: Timestamp, theirs: Timestamp, now: Timestamp) -> Timestamp {
    let skew = now.0.saturating_sub(theirs.0);
    if skew.abs() < SKEW_MILLIS_MIN { dated } else { Timestamp(dated.0.saturating_add(skew)) }
}

fn content_md5(headers: &HeaderMap) -> Option<[u8; 16]> {
    let spelled = headers.get(CONTENT_MD5)?;
    BASE64.decode(spelled.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_a_server_whose_clock_is_wrong_are_told_by_ours() {
        let hour = 3_600_000;
        for (theirs, told) in [(0, 100), (-hour, 100 + hour), (hour, 100 - hour), (4_000, 100)] {
            let now = Timestamp(10 * hour);
            let theirs = Timestamp(now.0 + theirs);
            assert_eq!(on_our_clock(Timestamp(100), theirs, now), Timestamp(told));
        }
    }
}
