//! The SDK's requests over the common HTTP lane.
//!
//! The SDK's own client would link HTTP/2, a second TLS connector and a second pool of connections: a fifth of
//! a function's binary, none of which queue and table need.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Uri;
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_http::{Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, PaceOptions};

/// More than any answer: `DynamoDB` gives a page of 1 MB at most, SQS ten messages of 1 MiB together.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What a failed request is called. The caller knows the operation, and names it before.
const OPERATION: &str = "send";

/// What a client of the SDK sends by, with connections of its own. Every client here needs it: the SDK is
/// built without one.
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(LaneClient { lanes: Arc::default() })
}

/// What tells one lane from another: an endpoint's pace is its own, and time limits belong to connections.
#[derive(Clone, PartialEq, Eq)]
struct Way {
    endpoint: Endpoint,
    limits: Limits,
}

/// As the SDK asks for them; the lane's own where it does not.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Limits {
    connect: Option<Duration>,
    answer: Option<Duration>,
}

type Lanes = Arc<Mutex<Vec<(Way, Lane)>>>;

struct LaneClient {
    lanes: Lanes,
}

impl fmt::Debug for LaneClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LaneClient")
    }
}

impl HttpClient for LaneClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let limits =
            Limits { connect: settings.connect_timeout(), answer: settings.read_timeout() };
        SharedHttpConnector::new(LaneConnector { lanes: Arc::clone(&self.lanes), limits })
    }
}

struct LaneConnector {
    lanes: Lanes,
    limits: Limits,
}

impl fmt::Debug for LaneConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LaneConnector")
    }
}

impl HttpConnector for LaneConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (lanes, limits) = (Arc::clone(&self.lanes), self.limits);
        HttpConnectorFuture::new(async move {
            send(&lanes, limits, request).await.map_err(connector_error)
        })
    }
}

async fn send(
    lanes: &Lanes,
    limits: Limits,
    request: HttpRequest,
) -> Result<HttpResponse, PortError> {
    let unfit = |what: &str| PortError::new(ErrorKind::Unsupported, format!("{OPERATION}: {what}"));
    let request = request.try_into_http1x().map_err(|_| unfit("no request of http"))?;
    let (head, body) = request.into_parts();
    let body = Bytes::copy_from_slice(body.bytes().ok_or_else(|| unfit("a body that streams"))?);
    let endpoint = endpoint_of(&head.uri).ok_or_else(|| unfit("no address of a service"))?;
    let path_and_query = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let lane = lane_of(lanes, Way { endpoint: endpoint.clone(), limits });
    let request = LaneRequest {
        operation: OPERATION,
        method: head.method,
        endpoint: &endpoint,
        path_and_query,
        headers: head.headers,
        body: if body.is_empty() { LaneBody::Empty } else { LaneBody::Bytes(body) },
    };
    // Whoever calls counts by operation, which is not told here.
    let answer = lane.send(request, &Meter::default()).await?;
    let (status, headers) = (answer.status, answer.headers.clone());
    let mut response = http::Response::new(SdkBody::from(answer.collect(ANSWER_BYTES_MAX).await?));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let unreadable = |_| PortError::new(ErrorKind::BadAnswer, "send: headers that are no text");
    HttpResponse::try_from(response).map_err(unreadable)
}

fn endpoint_of(uri: &Uri) -> Option<Endpoint> {
    Endpoint::parse(&format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

fn lane_of(lanes: &Lanes, way: Way) -> Lane {
    let mut lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, lane)) = lanes.iter().find(|(known, _)| *known == way) {
        return lane.clone();
    }
    let (usual, pace) = (LaneOptions::default(), PaceOptions::default());
    let lane = Lane::new(&LaneOptions {
        connect_timeout: way.limits.connect.unwrap_or(usual.connect_timeout),
        answer_timeout: way.limits.answer.unwrap_or(usual.answer_timeout),
        // Callers bound what they have in flight.
        pace: PaceOptions { initial_concurrency: pace.max_concurrency, ..pace },
        ..usual
    });
    lanes.push((way, lane.clone()));
    lane
}

/// The lane's error, kept as the source of the SDK's.
fn connector_error(error: PortError) -> ConnectorError {
    match error.kind {
        ErrorKind::Timeout => ConnectorError::timeout(error.into()),
        ErrorKind::Unsupported => ConnectorError::user(error.into()),
        _ => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use ossferry_core::error::Conclusion;

    use super::*;
    use crate::sdk::port_error;

    fn client(address: &str) -> Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http_client())
            .region(Region::new("us-east-1"))
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
            .credentials_provider(Credentials::new("AK", "SK", None, None, "tests"))
            .endpoint_url(format!("http://{address}"));
        Client::from_conf(config.build())
    }

    #[tokio::test]
    async fn an_answer_comes_back_with_its_status_headers_and_body() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 8_192];
            let length = stream.read(&mut head).unwrap();
            let body = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slower"}"#;
            let length_of_body = body.len();
            write!(
                stream,
                "HTTP/1.1 400 No\r\nx-amzn-requestid: id-1\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {length_of_body}\r\n\r\n{body}"
            )
            .unwrap();
            String::from_utf8_lossy(&head[..length]).to_lowercase()
        });
        let sent = client(&address).delete_message().queue_url(format!("http://{address}/1/q"));
        let error = sent.receipt_handle("r").send().await.unwrap_err();
        let error = port_error("DeleteMessage", &error);
        assert_eq!((error.kind, error.request_id.as_deref()), (ErrorKind::Throttled, Some("id-1")));
        let head = asked.join().unwrap();
        assert!(head.contains("x-amz-target: amazonsqs.deletemessage"), "{head}");
        assert!(head.contains("authorization: aws4-hmac-sha256 credential=ak/"), "{head}");
    }

    #[tokio::test]
    async fn what_could_not_be_sent_was_not_done() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let error = client(&address).get_queue_url().queue_name("q").send().await.unwrap_err();
        let error = port_error("GetQueueUrl", &error);
        assert_eq!((error.kind, error.conclusion), (ErrorKind::Connection, Conclusion::NotDone));
        assert!(error.message.starts_with("GetQueueUrl: send: "), "{error}");
    }
}
