//! A source before a scripted Google, with a key that was made for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ossferry_core::error::PortError;
use ossferry_core::meter::Meter;
use ossferry_core::ports::Source;
use ossferry_core::time::{Clock, Timestamp};
use ossferry_gcs::{GcsOptions, GcsSource, ServiceAccountTokens};
use ossferry_http::{
    Credentials, CredentialsProvider, Lane, LaneOptions, RefreshedCredentials, RetryPolicy,
};
use serde_json::{Value, json};

use crate::made_key::{MadeKey, assertion_of};
use crate::scripted::{Received, Reply, Scripted, answer};

/// When the clock of a bench begins.
const BEGINS: &str = "2026-11-27T03:00:00Z";

pub(crate) struct Bench {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) google: Scripted,
    pub(crate) tokens: Scripted,
    pub(crate) meter: Arc<Meter>,
    millis: Arc<AtomicI64>,
}

impl Bench {
    /// Answers of Google, and of where tokens are given.
    pub(crate) async fn of(
        replies: impl IntoIterator<Item = Reply>,
        tokens: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let tokens = Scripted::start(tokens).await;
        let text = MadeKey::shared().file(&format!("{}/token?a=b", tokens.url));
        Self::with([text], replies, tokens).await
    }

    /// The same where another's key was kept until it is refused.
    pub(crate) async fn of_exchanged_key(
        replies: impl IntoIterator<Item = Reply>,
        tokens: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let tokens = Scripted::start(tokens).await;
        let uri = format!("{}/token?a=b", tokens.url);
        let texts = [MadeKey::new().file(&uri), MadeKey::shared().file(&uri)];
        Self::with(texts, replies, tokens).await
    }

    /// The same with this text for the key's file.
    pub(crate) async fn of_text(text: &str) -> Self {
        Self::with([text.to_owned()], [], Scripted::start([]).await).await
    }

    /// `texts`: of the key's file, the next after each refusal.
    async fn with(
        texts: impl IntoIterator<Item = String>,
        replies: impl IntoIterator<Item = Reply>,
        tokens: Scripted,
    ) -> Self {
        let google = Scripted::start(replies).await;
        let millis = Arc::new(AtomicI64::new(Timestamp::from_rfc3339(BEGINS).unwrap().0));
        let told = Arc::clone(&millis);
        let clock: Clock = Arc::new(move || Timestamp(told.load(Ordering::Relaxed)));
        let kept = KeptKeys(Mutex::new(texts.into_iter().collect()));
        let service = ServiceAccountTokens::new(Arc::new(kept), Arc::clone(&clock));
        let source = GcsSource::new(GcsOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: google.url.clone(),
            bucket: "photos".to_owned(),
            credentials: Some(Arc::new(RefreshedCredentials::new(service, clock))),
            retry: RetryPolicy {
                attempts_max: 4,
                base_wait: Duration::from_millis(1),
                ..RetryPolicy::default()
            },
        });
        let meter = Arc::new(Meter::default());
        let source = source.unwrap().metered(Arc::clone(&meter));
        Self { source, google, tokens, meter, millis }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// The claims of an assertion that was sent, whose signature must hold.
    pub(crate) fn claims(sent: &Received) -> Value {
        let assertion = assertion_of(&sent.body).expect("a form that asks for a token");
        MadeKey::shared().signed(&assertion).expect("signed by the key").1
    }
}

/// Where a key is kept, and exchanged once it is refused.
struct KeptKeys(Mutex<VecDeque<String>>);

#[async_trait::async_trait]
impl CredentialsProvider for KeptKeys {
    async fn credentials(&self) -> Result<Arc<Credentials>, PortError> {
        let secret_key = self.0.lock().unwrap()[0].clone();
        Ok(Arc::new(Credentials { access_key: String::new(), secret_key, token: None }))
    }

    fn expired(&self, _refused: &Credentials) {
        let mut kept = self.0.lock().unwrap();
        if kept.len() > 1 {
            kept.pop_front();
        }
    }
}

/// A token that is good for an hour.
pub(crate) fn token(token: &str) -> Reply {
    let body = json!({ "access_token": token, "expires_in": 3_599, "token_type": "Bearer" });
    Reply::Answer(answer("200 OK", &[], body.to_string().as_bytes()))
}

/// An answer of Google in JSON, dated.
pub(crate) fn said(body: &Value) -> Reply {
    let date = [("date", "Fri, 27 Nov 2026 03:00:00 GMT")];
    Reply::Answer(answer("200 OK", &date, body.to_string().as_bytes()))
}

/// A refusal of Google's.
pub(crate) fn refusal(status: &str, reason: &str) -> Reply {
    let body = json!({ "error": { "code": 0, "message": "m", "errors": [{ "reason": reason }] } });
    Reply::Answer(answer(status, &[], body.to_string().as_bytes()))
}

/// An object of ten bytes and of generation 17.
pub(crate) fn object() -> Value {
    json!({ "name": "k", "size": "10", "generation": "17", "metadata": { "Colour": "blue" } })
}
