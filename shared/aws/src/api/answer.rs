//! What the services' answers say, in XML or JSON.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_http::asked_pause;
use ossferry_http::xml::{Visitor, XmlError, walk};

/// What of a service's own words stands in an error.
const MESSAGE_CHARS_MAX: usize = 400;

/// A success.
pub(super) struct Answer {
    pub(super) operation: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The texts of all elements, in order, each with its name.
    pub(super) fn leaves(&self) -> Result<Vec<(String, String)>, PortError> {
        let document = std::str::from_utf8(&self.body).map_err(|_| self.bad("it is not UTF-8"))?;
        let mut leaves = Leaves::default();
        walk(document, &mut leaves).map_err(|error| self.bad(&error.to_string()))?;
        Ok(leaves.0)
    }

    /// The JSON of the body. What it holds is in no error: it may be a secret.
    pub(super) fn json(&self) -> Result<serde_json::Value, PortError> {
        serde_json::from_slice(&self.body).map_err(|_| self.bad("it is not JSON"))
    }

    pub(super) fn bad(&self, what: &str) -> PortError {
        let message = format!("{}: the answer cannot be used: {what}", self.operation);
        PortError::new(ErrorKind::BadAnswer, message).with_request_id(request_id(&self.headers))
    }
}

#[derive(Default)]
struct Leaves(Vec<(String, String)>);

impl Visitor for Leaves {
    fn open(&mut self, _: usize, _: &str) -> Result<(), XmlError> {
        Ok(())
    }

    fn close(&mut self, _: usize, name: &str, text: &str) -> Result<(), XmlError> {
        self.0.push((name.to_owned(), text.trim().to_owned()));
        Ok(())
    }
}

/// An answer that is no success.
pub(super) struct Refused {
    pub(super) error: PortError,
    /// Whether other credentials may fare better.
    pub(super) has_expired: bool,
}

pub(super) fn refusal(
    operation: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Refused {
    let (code, said) = code_and_message(headers, body);
    let kind = classify(status, code.as_deref());
    let mut message = match &code {
        Some(code) => format!("{operation}: {code} ({})", status.as_u16()),
        None => format!("{operation}: http {}", status.as_u16()),
    };
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        message.push_str(": ");
        message.extend(said.chars().take(MESSAGE_CHARS_MAX));
    }
    let mut error = PortError::new(kind, message).with_request_id(request_id(headers));
    error.retry_after = asked_pause(headers);
    if kind == ErrorKind::ServerError {
        error.conclusion = Conclusion::NotDone;
    }
    let code = code.as_deref();
    let has_expired = matches!(code, Some("ExpiredToken" | "ExpiredTokenException"));
    Refused { error, has_expired }
}

/// The one place where a refusal of these services becomes one of our kinds.
fn classify(status: StatusCode, code: Option<&str>) -> ErrorKind {
    // Names of exceptions differ by a suffix from service to service.
    let code = code.map(|code| code.strip_suffix("Exception").unwrap_or(code));
    match code {
        Some("AccessDenied" | "UnauthorizedOperation") => ErrorKind::AccessDenied,
        Some(
            "ExpiredToken"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "InvalidSignature"
            | "MissingAuthenticationToken"
            | "OptInRequired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClient",
        ) => ErrorKind::AccountRefused,
        Some(
            "LimitExceeded"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequests"
            | "EC2Throttled",
        ) => ErrorKind::Throttled,
        Some("RequestExpired" | "RequestTimeTooSkewed") => ErrorKind::ClockSkew,
        Some("ResourceNotFound" | "ParameterNotFound") => ErrorKind::NoSuchKey,
        _ => match status.as_u16() {
            401 => ErrorKind::AccountRefused,
            403 => ErrorKind::AccessDenied,
            404 => ErrorKind::NoSuchKey,
            429 | 503 => ErrorKind::Throttled,
            500..=599 => ErrorKind::ServerError,
            _ => ErrorKind::Other,
        },
    }
}

/// `<ErrorResponse><Error><Code>…<Message>…` or `{"__type": "…#Code", "message": "…"}`.
fn code_and_message(headers: &HeaderMap, body: &[u8]) -> (Option<String>, Option<String>) {
    let code = |text: &str| {
        let text = text.rsplit('#').next().unwrap_or(text);
        text.split(':').next().unwrap_or(text).chars().take(128).collect::<String>()
    };
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
        let named = text("__type").or_else(|| text("code")).map(code);
        let header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        let said = text("message").or_else(|| text("Message")).map(str::to_owned);
        return (header.map(code).or(named), said);
    }
    let mut leaves = Leaves::default();
    if let Ok(document) = std::str::from_utf8(body)
        && let Err(error) = walk(document, &mut leaves)
    {
        tracing::trace!(%error, "an error's body is not an error's xml");
    }
    let find = |name: &str| leaves.0.iter().find(|(found, _)| found == name);
    let text = |name: &str| find(name).map(|(_, text)| text.clone());
    (text("Code").as_deref().map(code), text("Message"))
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .into_iter()
        .find_map(|name| headers.get(name)?.to_str().ok())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_one_meaning() {
        for (status, code, kind) in [
            (400, Some("ValidationError"), ErrorKind::Other),
            (403, Some("AccessDenied"), ErrorKind::AccessDenied),
            (400, Some("AccessDeniedException"), ErrorKind::AccessDenied),
            (403, Some("InvalidClientTokenId"), ErrorKind::AccountRefused),
            (400, Some("UnrecognizedClientException"), ErrorKind::AccountRefused),
            (403, Some("ExpiredToken"), ErrorKind::AccountRefused),
            (403, Some("SignatureDoesNotMatch"), ErrorKind::AccountRefused),
            (404, Some("ResourceNotFoundException"), ErrorKind::NoSuchKey),
            (400, Some("ParameterNotFound"), ErrorKind::NoSuchKey),
            (429, Some("TooManyRequestsException"), ErrorKind::Throttled),
            (400, Some("ThrottlingException"), ErrorKind::Throttled),
            (503, None, ErrorKind::Throttled),
            (500, Some("ServiceException"), ErrorKind::ServerError),
            (403, None, ErrorKind::AccessDenied),
            (418, None, ErrorKind::Other),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }

    #[test]
    fn both_protocols_name_code_and_cause() {
        let xml = b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
                    <Message>Stack with id x does not exist</Message></Error></ErrorResponse>";
        let error =
            refusal("DescribeStacks", StatusCode::BAD_REQUEST, &HeaderMap::new(), xml).error;
        assert_eq!(
            error.to_string(),
            "DescribeStacks: ValidationError (400): Stack with id x does not exist"
        );
        let json =
            br#"{"__type":"com.amazon#ResourceNotFoundException","Message":"no such secret"}"#;
        let error =
            refusal("GetSecretValue", StatusCode::BAD_REQUEST, &HeaderMap::new(), json).error;
        assert_eq!(
            error.to_string(),
            "GetSecretValue: ResourceNotFoundException (400): no such secret"
        );
        let html = refusal("Invoke", StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>").error;
        assert_eq!(html.to_string(), "Invoke: http 502");
        assert_eq!(html.conclusion, Conclusion::NotDone);
    }
}
