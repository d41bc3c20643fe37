//! Tablestore (OTS): tables of one instance, whose key columns are texts.
//!
//! Rules are those of the manual ("Tablestore: API reference", "Limits" and "Error codes", 2026) and of
//! the official Python SDK 6.4.8.

mod auth;
mod errors;
mod filter;
mod operations;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use oss_emulator::RunningEmulator;
use ossferry_aliyun::tablestore::messages::Error;
use ossferry_aliyun::tablestore::sign::{answer_authorization, content_md5, date_time};
use ossferry_core::time::Clock;
use prost::Message;

use crate::account::Account;
use crate::faults::{AnswerLost, Fault, Faults};
use crate::serving::{Answer, served};
use crate::tablestore::auth::Signer;
use crate::tablestore::errors::{METHOD_NOT_ALLOWED, Refusal};
use crate::tablestore::rows::HeldTable;

/// A Tablestore endpoint. Clones are one endpoint.
#[derive(Clone)]
pub struct TablestoreEmulator {
    shared: Arc<Shared>,
}

struct Shared {
    instance: Instance,
    clock: Clock,
    faults: Faults,
    tables: Mutex<BTreeMap<String, HeldTable>>,
}

/// What the endpoint is of.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Who may ask.
    pub account: Account,
    /// Its name.
    pub name: String,
    /// Its region: `cn-hangzhou`.
    pub region: String,
    /// Whether it takes signatures of V4, as the real ones do today.
    pub takes_v4: bool,
}

impl TablestoreEmulator {
    /// An endpoint without tables.
    pub fn new(instance: Instance, clock: Clock) -> Self {
        let (faults, tables) = (Faults::default(), Mutex::default());
        Self { shared: Arc::new(Shared { instance, clock, faults, tables }) }
    }

    /// Makes an empty table whose primary key is these text columns.
    pub fn create_table(&self, name: &str, key: &[&str]) {
        let key = key.iter().map(|column| (*column).to_owned()).collect();
        self.tables().insert(name.to_owned(), HeldTable::new(key));
    }

    /// Faults to put on requests.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Serves it on a free port of loopback.
    pub async fn serve(&self) -> RunningEmulator {
        let emulator = self.clone();
        served(move |parts, body| {
            let answer = emulator.handle(&parts, &body);
            async move { answer }
        })
        .await
    }

    /// Answers one request.
    fn handle(&self, parts: &Parts, body: &Bytes) -> Result<Answer, AnswerLost> {
        let now = (self.shared.clock)();
        let operation = parts.uri.path().trim_start_matches('/').to_owned();
        let signer = auth::checked(parts, &operation, body, &self.shared.instance, now);
        let fault = self.shared.faults.take(&operation);
        let answer = match (&signer, &fault) {
            _ if parts.method != Method::POST => Err(METHOD_NOT_ALLOWED),
            (Err(refusal), _) => Err(refusal.clone()),
            (Ok(_), Some(Fault::Refused { status, code, message })) => {
                Err(Refusal::new(*status, code, message))
            }
            (Ok(_), _) => self.execute(&operation, body.clone(), now),
        };
        if matches!(fault, Some(Fault::AnswerLost)) {
            return Err(AnswerLost);
        }
        let mut answer = self.sealed(answer, signer.ok(), &operation);
        if matches!(fault, Some(Fault::AnswerDamaged)) {
            damage(answer.body_mut());
        }
        Ok(answer.map(Full::new))
    }

    /// The answer with its headers, signed by the key of the request where that was known.
    fn sealed(
        &self,
        answer: Result<Vec<u8>, Refusal>,
        signer: Option<Signer>,
        operation: &str,
    ) -> Response<Bytes> {
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err(Refusal { status, code, message }) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let message = Some(message.into_owned());
                (status, Error { code: code.to_owned(), message }.encode_to_vec())
            }
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ots-contentmd5", content_md5(&body)),
            ("x-ots-date", date_time((self.shared.clock)())),
            ("x-ots-requestid", "0005f5c4-7a31-4d6f-83c0-970b0a4e4d6f".to_owned()),
            ("x-ots-contenttype", "protocol buffer".to_owned()),
        ] {
            let value = HeaderValue::try_from(value).expect("plain text is a header");
            headers.insert(HeaderName::from_static(name), value);
        }
        if let Some(Signer { signing_key }) = signer {
            let access_key = &self.shared.instance.account.access_key;
            let line = answer_authorization(access_key, &signing_key, operation, &headers);
            let line = HeaderValue::try_from(line).expect("plain text is a header");
            headers.insert(AUTHORIZATION, line);
        }
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, HeldTable>> {
        self.shared.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the last byte; an empty body gets one.
fn damage(body: &mut Bytes) {
    let mut damaged = BytesMut::from(&body[..]);
    match damaged.last_mut() {
        Some(last) => *last ^= 1,
        None => damaged.extend_from_slice(b"\0"),
    }
    *body = damaged.freeze();
}
