//! Function Compute on loopback: the built functions as HTTP servers in processes, which are frozen
//! between two invocations and ended at their time limit.
//!
//! - [`Function`]: instances that are kept warm, up to so many at once, and get the documented headers.
//! - [`FcService`]: starts functions when it is asked to, and keeps secrets; signatures are verified.
//! - [`FcStack`]: both functions with their queues and their table, as a template deploys them.
//!
//! (Function Compute manual, "Custom runtimes", "Asynchronous invocation" and "Event formats of
//! triggers", 2026.)

mod instance;
mod service;
mod stack;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use self::instance::Instance;
use crate::lambda::{Figures, Invoked, Kills, locked};

pub use service::FcService;
pub use stack::{FcLimits, FcStack};

/// Between two attempts of an asynchronous invocation; a minute there.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How a function is deployed.
#[derive(Clone, Debug)]
pub struct FcDeployment {
    /// Under this name.
    pub name: &'static str,
    /// The binary.
    pub program: &'static str,
    /// After which its instance is ended.
    pub timeout: Duration,
    /// Instances at once, of one invocation each.
    pub instances_max: usize,
    /// Further attempts of an asynchronous invocation that failed.
    pub retries_max: u32,
    /// Beside those that Function Compute sets.
    pub variables: Vec<(String, String)>,
}

/// A deployed function.
pub struct Function {
    deployment: FcDeployment,
    places: Semaphore,
    idle: Mutex<Vec<Instance>>,
    kills: Mutex<Option<Kills>>,
    figures: Arc<Mutex<Figures>>,
    log: Arc<Mutex<String>>,
}

impl Function {
    /// A function without instances yet.
    pub fn new(deployment: FcDeployment) -> Self {
        Self {
            places: Semaphore::new(deployment.instances_max),
            deployment,
            idle: Mutex::default(),
            kills: Mutex::default(),
            figures: Arc::default(),
            log: Arc::default(),
        }
    }

    /// How it is deployed.
    pub fn deployment(&self) -> &FcDeployment {
        &self.deployment
    }

    /// Kills processes while they work, from here on.
    pub fn kill(&self, kills: Option<Kills>) {
        *locked(&self.kills) = kills;
    }

    /// What was measured so far.
    pub fn figures(&self) -> Figures {
        *locked(&self.figures)
    }

    /// Everything that its processes wrote.
    pub fn log(&self) -> String {
        locked(&self.log).clone()
    }

    /// Invokes it and waits for the answer.
    pub async fn invoke(&self, event: &Value) -> Invoked {
        let _place = self.places.acquire().await.expect("nobody closes it");
        self.invoke_in_place(event.to_string().into(), &request_id()).await
    }

    /// Invokes it as its timer does, with this payload.
    pub async fn ring(&self, time: &str, payload: &Value) -> Invoked {
        let name = "timer";
        let payload = payload.to_string();
        let event = json!({"triggerTime": time, "triggerName": name, "payload": payload});
        self.invoke(&event).await
    }

    /// Invokes it as an asynchronous invocation is carried out: at its turn, and again where it failed.
    /// A repeated one has the id of the first.
    pub async fn invoke_until_done(&self, event: Bytes) {
        let id = request_id();
        for _ in 0..=self.deployment.retries_max {
            let place = self.places.acquire().await.expect("nobody closes it");
            let invoked = self.invoke_in_place(event.clone(), &id).await;
            drop(place);
            if matches!(invoked, Invoked::Answered(_)) {
                return;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn invoke_in_place(&self, event: Bytes, request_id: &str) -> Invoked {
        let warm = locked(&self.idle).pop();
        let started = match warm {
            Some(instance) => Ok(instance),
            None => Instance::start(&self.deployment, &self.figures, &self.log).await,
        };
        let Ok(mut instance) = started else { return Invoked::Exited };
        let killed_after = locked(&self.kills).as_mut().and_then(Kills::draw);
        locked(&self.figures).invocations += 1;
        let invoked = instance.invoke(event, request_id, killed_after).await;
        match invoked {
            Invoked::Answered(_) | Invoked::Failed(_) => locked(&self.idle).push(instance),
            Invoked::TimedOut | Invoked::Exited => locked(&self.figures).killed += 1,
        }
        invoked
    }
}

fn request_id() -> String {
    format!("1-{:08x}-{:024x}", fastrand::u32(..), fastrand::u128(..) >> 32)
}
