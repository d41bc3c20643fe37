//! What every service's answer has in common: how its errors end, and whether it carries the bytes that
//! were asked for.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::object::{ByteRange, Pin};

use crate::response::content_range;
use crate::retry::asked_pause;

/// What a status means where the service's own code says nothing better. What 404 misses is taken for a key.
pub fn kind_of_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::AccountRefused,
        403 => ErrorKind::AccessDenied,
        404 => ErrorKind::NoSuchKey,
        408 => ErrorKind::Timeout,
        // Shorter than planned: not the object that was asked for.
        412 | 416 => ErrorKind::PreconditionFailed,
        429 | 503 => ErrorKind::Throttled,
        500 | 502 | 504..=599 => ErrorKind::ServerError,
        _ => ErrorKind::Other,
    }
}

/// An answer, as its errors name it. For services that are only read here.
#[derive(Clone, Copy)]
pub struct Answered<'a> {
    /// What the service calls the request.
    pub operation: &'a str,
    /// As received.
    pub headers: &'a HeaderMap,
    /// Headers in which the service may have named the request; the first that is there counts.
    pub request_ids: &'a [&'a str],
}

impl Answered<'_> {
    /// The service's id of the request.
    pub fn request_id(&self) -> Option<String> {
        self.request_ids.iter().find_map(|name| self.text(name)).map(str::to_owned)
    }

    /// The answer breaks the protocol.
    pub fn bad(&self, what: &str) -> PortError {
        PortError::new(ErrorKind::BadAnswer, format!("{}: {what}", self.operation))
            .with_request_id(self.request_id())
    }

    /// The request was refused whole, and wrote nothing.
    pub fn refused(&self, kind: ErrorKind, message: String) -> PortError {
        let mut error = PortError::new(kind, message).with_request_id(self.request_id());
        error.retry_after = asked_pause(self.headers);
        if matches!(kind, ErrorKind::ServerError | ErrorKind::Timeout) {
            error.conclusion = Conclusion::NotDone;
        }
        error
    }

    /// Fails where another object's bytes follow than the pinned one's: `served` is what the answer says
    /// of them in the header `named`.
    pub fn of_pinned(&self, pin: &Pin, served: Option<&str>, named: &str) -> Result<(), PortError> {
        match served {
            Some(served) if served == pin.etag.as_str() => Ok(()),
            Some(served) => {
                let (operation, asked) = (self.operation, &pin.etag);
                let message = format!("{operation}: {named} {served}, asked for {asked}");
                let error = PortError::new(ErrorKind::PreconditionFailed, message);
                Err(error.with_request_id(self.request_id()))
            }
            None => Err(self.bad(&format!("no {named}, so nothing says whose bytes these are"))),
        }
    }

    /// Bytes of the whole object, once the answer is known to carry what was asked for: 206 and the same
    /// `Content-Range`, or 200 and a length.
    pub fn object_bytes(
        &self,
        status: StatusCode,
        range: Option<ByteRange>,
    ) -> Result<u64, PortError> {
        let length = self.content_length().ok_or_else(|| self.bad("no content-length"))?;
        let Some(range) = range else {
            if status != StatusCode::OK {
                return Err(self.bad(&format!("http {}, asked for the whole", status.as_u16())));
            }
            return Ok(length);
        };
        if status != StatusCode::PARTIAL_CONTENT {
            return Err(self.bad(&format!("the range was ignored: http {}", status.as_u16())));
        }
        let spelled = self.text(CONTENT_RANGE.as_str()).unwrap_or_default();
        let (first, last, size) = content_range(spelled)
            .ok_or_else(|| self.bad("no content-range with a whole length"))?;
        if (first, last) != (range.start, range.last()) || length != range.bytes {
            let asked = format!("{}-{}", range.start, range.last());
            return Err(self.bad(&format!("bytes {first}-{last} ({length}), asked for {asked}")));
        }
        Ok(size)
    }

    /// `Content-Length` in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.text(CONTENT_LENGTH.as_str())?.trim().parse().ok()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use ossferry_core::object::ETag;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn answered(headers: &HeaderMap) -> Answered<'_> {
        Answered { operation: "Get", headers, request_ids: &["x-first-id", "x-second-id"] }
    }

    #[test]
    fn only_the_bytes_that_were_asked_for_are_taken() {
        let range = Some(ByteRange { start: 10, bytes: 5 });
        let bytes = |status: u16, pairs: &[(&'static str, &str)], range| {
            let status = StatusCode::from_u16(status).unwrap();
            let headers = headers(pairs);
            answered(&headers).object_bytes(status, range).map_err(|error| error.kind)
        };
        let part = |content_range: &'static str, length: &'static str| {
            [("content-range", content_range), ("content-length", length)]
        };
        let whole = [("content-length", "99")];
        assert_eq!(bytes(206, &part("bytes 10-14/99", "5"), range), Ok(99));
        assert_eq!(bytes(200, &whole, None), Ok(99));
        let bad = Err(ErrorKind::BadAnswer);
        assert_eq!(bytes(200, &whole, range), bad, "range ignored");
        assert_eq!(bytes(206, &part("bytes 10-13/99", "4"), range), bad, "short");
        assert_eq!(bytes(206, &part("bytes 10-14/99", "4"), range), bad, "length differs");
        assert_eq!(bytes(206, &part("bytes 0-4/99", "5"), range), bad, "elsewhere");
        assert_eq!(bytes(206, &part("bytes 10-14/*", "5"), range), bad, "no whole length");
        assert_eq!(bytes(206, &part("bytes 0-98/99", "99"), None), bad, "206 without a range");
        assert_eq!(bytes(200, &[], None), bad, "no length");
    }

    #[test]
    fn only_the_pinned_object_s_answer_is_taken() {
        let none = HeaderMap::new();
        let pin = Pin { etag: ETag::new("\"mine\"") };
        let of = |served| answered(&none).of_pinned(&pin, served, "etag");
        assert!(of(Some("mine")).is_ok());
        let other = of(Some("other")).unwrap_err();
        assert_eq!(other.to_string(), "Get: etag other, asked for mine");
        assert_eq!(other.kind, ErrorKind::PreconditionFailed);
        assert_eq!(of(None).unwrap_err().kind, ErrorKind::BadAnswer);
    }

    #[test]
    fn a_refusal_names_the_request_and_the_pause_and_leaves_nothing_in_doubt() {
        let said = headers(&[("x-second-id", "R2"), ("retry-after", "2")]);
        let error = answered(&said).refused(ErrorKind::ServerError, "Get: http 500".to_owned());
        assert_eq!(error.to_string(), "Get: http 500 (request id R2)");
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(2)));
        assert_eq!(error.conclusion, Conclusion::NotDone);
        let both = headers(&[("x-second-id", "R2"), ("x-first-id", "R1")]);
        assert_eq!(answered(&both).request_id().as_deref(), Some("R1"));
    }
}
