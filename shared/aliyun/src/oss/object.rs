//! PutObject, GetObject, HeadObject, GetObjectMeta.

use http::header::{CONTENT_RANGE, ETAG, HeaderName, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::{ByteRange, ETag, ObjectInfo, Pin};
use ossferry_core::ports::{ObjectBody, OpenObject, PutAnswer, PutOptions};
use ossferry_http::{LaneBody, LaneResponse, retry};

use crate::oss::client::{Call, OssClient};
use crate::oss::metadata::{crc64_ecma, object_info, write_headers};

impl OssClient {
    /// PutObject, once: exactly `bytes` bytes.
    pub async fn put_object(
        &self,
        key: &Key,
        options: &PutOptions,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        const OPERATION: &str = "PutObject";
        let headers = write_headers(OPERATION, options)?;
        let body = LaneBody::Stream { bytes, body };
        let call = Call { headers, body, ..Call::new(OPERATION, Method::PUT, Some(key)) };
        let response = self.send(call).await?;
        put_answer(OPERATION, &response)
    }

    /// HeadObject.
    pub async fn head_object(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.head("HeadObject", &[], key).await
    }

    /// GetObjectMeta: size, `ETag`, date and CRC, without the object's headers.
    pub async fn object_meta(&self, key: &Key) -> Result<ObjectInfo, PortError> {
        self.head("GetObjectMeta", &[(b"objectMeta", b"")], key).await
    }

    async fn head(
        &self,
        operation: &'static str,
        query: &[(&[u8], &[u8])],
        key: &Key,
    ) -> Result<ObjectInfo, PortError> {
        retry(self.policy(), || async {
            let call = Call { query, ..Call::new(operation, Method::HEAD, Some(key)) };
            let response = self.send(call).await?;
            let size = response
                .content_length()
                .ok_or_else(|| bad(operation, &response, "no content-length"))?;
            Ok(object_info(&response.headers, size))
        })
        .await
    }

    /// GetObject of a pinned object or a range of it, checked as `Source::open` promises.
    pub async fn get_object(
        &self,
        key: &Key,
        pin: &Pin,
        range: Option<ByteRange>,
    ) -> Result<OpenObject, PortError> {
        const OPERATION: &str = "GetObject";
        let mut headers = HeaderMap::with_capacity(8);
        let if_match = HeaderValue::try_from(pin.etag.quoted()).map_err(|_| {
            PortError::new(
                ErrorKind::Unsupported,
                format!("{OPERATION}: the etag is no header text"),
            )
        })?;
        headers.insert(IF_MATCH, if_match);
        if let Some(range) = range {
            let text = format!("bytes={}-{}", range.start, range.last());
            headers.insert(RANGE, text.parse().expect("digits are header text"));
            // Else a range that cannot be satisfied is answered with the whole object.
            let standard = HeaderValue::from_static("standard");
            headers.insert(HeaderName::from_static("x-oss-range-behavior"), standard);
        }
        retry(self.policy(), || async {
            let headers = headers.clone();
            let call = Call { headers, ..Call::new(OPERATION, Method::GET, Some(key)) };
            let response = self.send(call).await?;
            let (total, bytes) =
                opened_bytes(&response, range).map_err(|what| bad(OPERATION, &response, what))?;
            let info = object_info(&response.headers, total);
            if info.etag.as_ref().is_some_and(|etag| *etag != pin.etag) {
                return Err(bad(OPERATION, &response, "another object's etag"));
            }
            Ok(OpenObject { info, body: response.into_object_body(bytes) })
        })
        .await
    }
}

/// Bytes of the whole object, and of the body that follows.
fn opened_bytes(
    response: &LaneResponse,
    range: Option<ByteRange>,
) -> Result<(u64, u64), &'static str> {
    let length = response.content_length().ok_or("no content-length")?;
    let Some(range) = range else {
        return match response.status {
            StatusCode::OK => Ok((length, length)),
            _ => Err("a status other than 200 for a whole object"),
        };
    };
    if response.status != StatusCode::PARTIAL_CONTENT {
        return Err("the range was ignored");
    }
    let total = response
        .header(CONTENT_RANGE.as_str())
        .and_then(|text| text.strip_prefix("bytes "))
        .and_then(|text| text.strip_prefix(&format!("{}-{}/", range.start, range.last())))
        .and_then(|total| total.parse().ok())
        .ok_or("another range than asked")?;
    if length != range.bytes {
        return Err("another length than the range");
    }
    Ok((total, length))
}

/// What an answer to a request with bytes says of them.
pub(crate) fn put_answer(
    operation: &'static str,
    response: &LaneResponse,
) -> Result<PutAnswer, PortError> {
    let etag = response.header(ETAG.as_str()).ok_or_else(|| bad(operation, response, "no etag"))?;
    Ok(PutAnswer {
        etag: ETag::new(etag),
        crc64_ecma: crc64_ecma(&response.headers),
        at: response.date(),
    })
}

pub(crate) fn bad(operation: &'static str, response: &LaneResponse, what: &str) -> PortError {
    PortError::new(ErrorKind::BadAnswer, format!("{operation}: {what}"))
        .with_request_id(response.header("x-oss-request-id").map(str::to_owned))
}
