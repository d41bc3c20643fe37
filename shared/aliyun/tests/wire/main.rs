//! The client against a server that answers as told: what goes out, and what is believed.

mod objects;
mod requests;
mod roles;
#[path = "../../../http/tests/scripted/mod.rs"]
mod scripted;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use ossferry_aliyun::oss::{OssClient, OssOptions};
use ossferry_core::job::Addressing;
use ossferry_core::object::{ETag, Pin};
use ossferry_core::ports::ObjectBody;
use ossferry_core::time::Timestamp;
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, Lane, LaneOptions, RetryPolicy, StaticCredentials,
};
use scripted::{Reply, Scripted, answer};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const ETAG: &str = "\"5D41402ABC4B2A76B9719D911017C592\"";

fn client(server: &Scripted) -> OssClient {
    let credentials = Credentials {
        access_key: "ak".to_owned(),
        secret_key: "sk".to_owned(),
        token: Some("sts".to_owned()),
    };
    client_of(server, Some(Arc::new(StaticCredentials::new(credentials))))
}

fn client_of(server: &Scripted, credentials: Option<Arc<dyn CredentialsProvider>>) -> OssClient {
    let lane = LaneOptions {
        answer_timeout: Duration::from_millis(500),
        send_stall_timeout: Duration::from_millis(400),
        receive_stall_timeout: Duration::from_millis(200),
        ..LaneOptions::default()
    };
    OssClient::new(OssOptions {
        lane: Lane::new(&lane),
        endpoint: Endpoint::parse(&server.url).unwrap(),
        region: "cn-hangzhou".to_owned(),
        bucket: "bucket".to_owned(),
        credentials,
        addressing: Addressing::Virtual,
        clock: Arc::new(|| NOW),
        retry: RetryPolicy {
            attempts_max: 3,
            base_wait: Duration::from_millis(1),
            ..RetryPolicy::default()
        },
    })
    .unwrap()
}

fn ok(headers: &[(&str, &str)], body: &str) -> Reply {
    Reply::Answer(answer("200 OK", headers, body.as_bytes()))
}

fn refusal(status: &str, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><RequestId>req-1</RequestId></Error>");
    Reply::Answer(answer(status, &[], body.as_bytes()))
}

fn body(text: &'static str) -> ObjectBody {
    Box::pin(stream::iter([Ok(Bytes::from_static(text.as_bytes()))]))
}

fn pin() -> Pin {
    Pin { etag: ETag::new(ETAG) }
}
