//! The services that a function asks by ACS3 signatures: invocations, and secrets of KMS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use oss_emulator::{RunningEmulator, serve};
use ossferry_aliyun::openapi::sign::{self, Signable};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Function;
use crate::lambda::locked;
use crate::smq;

/// What a request must sign beside what it likes.
const SIGNED_AT_LEAST: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
];

/// One endpoint for both services.
pub struct FcService {
    running: RunningEmulator,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    functions: Mutex<BTreeMap<String, Arc<Function>>>,
    secrets: Mutex<BTreeMap<String, String>>,
    nonces: Mutex<BTreeSet<String>>,
    started: Mutex<BTreeMap<String, u64>>,
    at_work: Mutex<JoinSet<()>>,
}

type Answer = Result<(StatusCode, Value), (StatusCode, &'static str)>;

impl FcService {
    /// Starts without functions and secrets.
    pub async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let behind = Arc::clone(&shared);
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&behind);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let (status, value) =
                    shared.answer(&parts, body).unwrap_or_else(|(status, code)| {
                        (
                            status,
                            json!({"Code": code, "Message": "of the tests", "RequestId": "1-a"}),
                        )
                    });
                let response = Response::builder()
                    .status(status)
                    .header("content-type", "application/json")
                    .body(Full::new(Bytes::from(value.to_string())));
                Ok::<_, hyper::Error>(response.expect("a status and a header make an answer"))
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let running = serve(address, service).await.expect("loopback has a free port");
        Self { running, shared }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.running.endpoint()
    }

    /// Makes a function known.
    pub fn deploy(&self, function: &Arc<Function>) {
        let name = function.deployment().name.to_owned();
        locked(&self.shared.functions).insert(name, Arc::clone(function));
    }

    /// Keeps a secret.
    pub fn keep(&self, name: &str, data: &Value) {
        locked(&self.shared.secrets).insert(name.to_owned(), data.to_string());
    }

    /// How often a function was started.
    pub fn started(&self, function: &str) -> u64 {
        locked(&self.shared.started).get(function).copied().unwrap_or_default()
    }
}

impl Shared {
    fn answer(&self, parts: &Parts, body: Bytes) -> Answer {
        self.check(parts, &body)?;
        let query = parts.uri.query().unwrap_or_default();
        match (text(parts, "x-acs-action"), text(parts, "x-acs-version")) {
            ("InvokeFunction", "2023-03-30") => self.invoke(parts, body),
            ("GetSecretValue", "2016-01-20") => {
                let name = query.strip_prefix("SecretName=").unwrap_or_default();
                let name = name.replace("%2F", "/");
                let secrets = locked(&self.secrets);
                let data = secrets
                    .get(&name)
                    .ok_or((StatusCode::NOT_FOUND, "Forbidden.ResourceNotFound"))?;
                Ok((
                    StatusCode::OK,
                    json!({
                        "SecretName": name, "VersionId": "v1", "SecretData": data,
                        "SecretDataType": "text", "VersionStages": {"VersionStage": ["ACSCurrent"]},
                        "RequestId": "1-a",
                    }),
                ))
            }
            _ => Err((StatusCode::NOT_FOUND, "InvalidAction.NotFound")),
        }
    }

    fn invoke(&self, parts: &Parts, body: Bytes) -> Answer {
        let name = parts.uri.path().strip_prefix("/2023-03-30/functions/");
        let name = name.and_then(|rest| rest.strip_suffix("/invocations")).unwrap_or_default();
        let function = locked(&self.functions).get(name).cloned();
        let function = function.ok_or((StatusCode::NOT_FOUND, "FunctionNotFound"))?;
        if text(parts, "x-fc-invocation-type") != "Async" {
            return Err((StatusCode::BAD_REQUEST, "InvalidArgument"));
        }
        *locked(&self.started).entry(name.to_owned()).or_default() += 1;
        locked(&self.at_work).spawn(async move { function.invoke_until_done(body).await });
        Ok((StatusCode::ACCEPTED, Value::Null))
    }

    /// The signature, computed from what was received.
    fn check(&self, parts: &Parts, body: &Bytes) -> Result<(), (StatusCode, &'static str)> {
        let refused = |code| (StatusCode::FORBIDDEN, code);
        let line = text(parts, "authorization");
        let names = line.split("SignedHeaders=").nth(1).and_then(|rest| rest.split(',').next());
        let names: Vec<&str> = names.unwrap_or_default().split(';').collect();
        if SIGNED_AT_LEAST.iter().any(|name| !names.contains(name)) {
            return Err(refused("IncompleteSignature"));
        }
        if text(parts, "x-acs-security-token") != smq::TOKEN {
            return Err(refused("InvalidSecurityToken.Malformed"));
        }
        let payload_hash = sign::sha256_hex(body);
        if text(parts, "x-acs-content-sha256") != payload_hash {
            return Err(refused("SignatureDoesNotMatch"));
        }
        let headers: BTreeMap<&str, String> =
            names.iter().map(|name| (*name, text(parts, name).to_owned())).collect();
        let canonical = sign::canonical_request(&Signable {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            payload_hash: &payload_hash,
        });
        let signature = sign::signature(smq::SECRET_KEY, &sign::string_to_sign(&canonical));
        let signed = sign::signed_headers(&headers);
        if line != sign::authorization(smq::ACCESS_KEY, &signed, &signature) {
            return Err(refused("SignatureDoesNotMatch"));
        }
        let nonce = text(parts, "x-acs-signature-nonce").to_owned();
        if locked(&self.nonces).insert(nonce) { Ok(()) } else { Err(refused("SignatureNonceUsed")) }
    }
}

fn text<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
