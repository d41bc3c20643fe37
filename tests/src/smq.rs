//! Queues of Simple Message Queue for one test, over the emulator.

use std::sync::Arc;
use std::time::Duration;

use ossferry_aliyun::SmqQueue;
use ossferry_aliyun::smq::{BodyEncoding, SmqOptions};
use ossferry_core::time::Clock;
use ossferry_http::{Credentials, Endpoint, Lane, LaneOptions, RetryPolicy, StaticCredentials};
use smq_tablestore_emulator::smq::QueueAttributes;
use smq_tablestore_emulator::{Account, Faults, RunningEmulator, SmqEmulator};

/// The one access key of both emulators.
pub const ACCESS_KEY: &str = "AKLEDGERTESTS";

/// Its secret.
pub const SECRET_KEY: &str = "secret-of-the-ledger-of-the-tests";

/// Its token: the credentials are temporary, as those of a function are.
pub const TOKEN: &str = "token/of+the=tests";

/// The account as a judge is told it.
pub const ACCOUNT_ARGUMENTS: [&str; 6] =
    ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--security-token", TOKEN];

/// Who may ask the emulators.
pub fn account() -> Account {
    Account {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        security_token: Some(TOKEN.to_owned()),
    }
}

/// What the product signs with.
pub fn credentials() -> Credentials {
    Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        token: Some(TOKEN.to_owned()),
    }
}

/// Retries that wait for milliseconds.
pub fn quick_retry() -> RetryPolicy {
    let (base_wait, wait_max) = (Duration::from_millis(1), Duration::from_millis(10));
    RetryPolicy { attempts_max: 4, base_wait, wait_max, ..RetryPolicy::default() }
}

/// An endpoint of SMQ.
pub struct Smq {
    emulator: SmqEmulator,
    running: RunningEmulator,
}

impl Smq {
    /// Starts without queues.
    pub async fn start(clock: Clock) -> Self {
        let emulator = SmqEmulator::new(account(), clock);
        let running = emulator.serve().await;
        Self { emulator, running }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        self.running.endpoint()
    }

    /// What is behind the endpoint.
    pub fn emulator(&self) -> &SmqEmulator {
        &self.emulator
    }

    /// Faults to put on requests.
    pub fn faults(&self) -> &Faults {
        self.emulator.faults()
    }

    /// A queue that is made with these attributes, as the product reaches it.
    pub fn queue(&self, name: &str, attributes: QueueAttributes, body: BodyEncoding) -> SmqQueue {
        self.emulator.create_queue(name, attributes);
        self.reach(name, body, &credentials(), crate::clock::system())
    }

    /// A queue that may be there, for whoever signs so by this clock.
    pub fn reach(
        &self,
        name: &str,
        body: BodyEncoding,
        credentials: &Credentials,
        clock: Clock,
    ) -> SmqQueue {
        SmqQueue::new(SmqOptions {
            lane: Lane::new(&LaneOptions::default()),
            endpoint: Endpoint::parse(&self.endpoint()).expect("an endpoint"),
            queue: name.to_owned(),
            credentials: Arc::new(StaticCredentials::new(credentials.clone())),
            clock,
            retry: quick_retry(),
            body,
        })
        .expect("a queue's name")
    }
}
