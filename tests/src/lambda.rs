//! Lambda on loopback: the built functions as processes behind a runtime API of our own, which ends them at
//! their deadline, freezes them between two invocations, and takes no answer that Lambda would not.
//!
//! - [`Function`]: environments that are kept warm, up to so many at once.
//! - [`Mapping`]: what carries messages of a queue into a function, and repeats and gives them up.
//! - [`Stack`]: both functions with their queues and their table, as a template deploys them.

mod environment;
mod mapping;
mod runtime_api;
mod stack;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::environment::Environment;
use self::runtime_api::Next;

pub use mapping::{Mapping, Post};
pub use stack::{LambdaLimits, Stack};

/// How an invocation ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Invoked {
    /// With this answer.
    Answered(Value),
    /// With this error, which the function reported.
    Failed(Value),
    /// By the time limit: the process was killed.
    TimedOut,
    /// With the process, which ended or was killed.
    Exited,
}

impl Invoked {
    /// The answer. Panics where there is none.
    pub fn answer(self) -> Value {
        match self {
            Self::Answered(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }
}

/// How a function is deployed.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The binary.
    pub program: &'static str,
    /// After which its process is killed.
    pub timeout: Duration,
    /// What it is told of its memory; not held to it.
    pub memory_mib: u32,
    /// Environments at once.
    pub environments_max: usize,
    /// Beside those that Lambda sets.
    pub variables: Vec<(String, String)>,
}

/// What was measured of all environments of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Environments started.
    pub environments: u64,
    /// Invocations begun.
    pub invocations: u64,
    /// Invocations that ended without an answer: killed, by the time limit or by chance.
    pub killed: u64,
    /// From start to the first question for work, the longest.
    pub init: Duration,
    /// The highest of any process.
    pub memory_kib_max: u64,
    /// Of all processes that were seen alive last.
    pub processor_seconds: f64,
}

/// Kills that are drawn from a seed.
#[derive(Clone, Debug)]
pub struct Kills {
    /// Chance of each invocation in a thousand.
    pub per_mille: u32,
    /// After at most this.
    pub within: Duration,
    /// Not more than so many.
    pub max: u64,
    rng: fastrand::Rng,
}

impl Kills {
    /// Drawn from this seed.
    pub fn new(seed: u64, per_mille: u32, within: Duration, max: u64) -> Self {
        Self { per_mille, within, max, rng: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn draw(&mut self) -> Option<Duration> {
        let is_drawn = self.max > 0 && self.rng.u32(0..1_000) < self.per_mille;
        is_drawn.then(|| {
            self.max -= 1;
            self.within.mul_f64(self.rng.f64())
        })
    }
}

/// A deployed function.
pub struct Function {
    deployment: Deployment,
    places: Semaphore,
    idle: Mutex<Vec<Environment>>,
    kills: Mutex<Option<Kills>>,
    figures: Arc<Mutex<Figures>>,
    log: Arc<Mutex<String>>,
}

impl Function {
    /// A function without environments yet.
    pub fn new(deployment: Deployment) -> Self {
        Self {
            places: Semaphore::new(deployment.environments_max),
            deployment,
            idle: Mutex::default(),
            kills: Mutex::default(),
            figures: Arc::default(),
            log: Arc::default(),
        }
    }

    /// Kills processes while they work, from here on.
    pub fn kill(&self, kills: Option<Kills>) {
        *locked(&self.kills) = kills;
    }

    /// How it is deployed.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What was measured so far.
    pub fn figures(&self) -> Figures {
        *locked(&self.figures)
    }

    /// Everything that its processes wrote.
    pub fn log(&self) -> String {
        locked(&self.log).clone()
    }

    /// The lines of its log, each a JSON object. Panics where one is none.
    pub fn log_lines(&self) -> Vec<Value> {
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.log().lines().map(read).collect()
    }

    /// The sum of a number that it told for watching.
    pub fn told(&self, metric: &str) -> f64 {
        let lines = self.log_lines().into_iter().filter(|line| line.get("_aws").is_some());
        // An empty sum of floats is -0.
        lines.filter_map(|line| line.get(metric)?.as_f64()).fold(0.0, |sum, told| sum + told)
    }

    /// Invokes it: in a warm environment, or in a new one.
    pub async fn invoke(&self, payload: &Value) -> Invoked {
        self.invoke_as(&Self::new_request_id(), payload).await
    }

    /// A request id as Lambda makes them.
    pub fn new_request_id() -> String {
        let digits = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
        format!("{a}-{b}-{c}-{}-{}", &digits[16..20], &digits[20..])
    }

    /// Invokes it under this request id: as Lambda does again where an asynchronous call failed.
    pub async fn invoke_as(&self, request_id: &str, payload: &Value) -> Invoked {
        let _place = self.places.acquire().await.expect("nobody closes it");
        let warm = locked(&self.idle).pop();
        let started = if let Some(environment) = warm {
            Ok(environment)
        } else {
            let (figures, log) = (Arc::clone(&self.figures), Arc::clone(&self.log));
            Environment::start(&self.deployment, figures, log).await
        };
        let mut environment = match started {
            Ok(environment) => environment,
            Err(error) => {
                let line = json!({"start": error}).to_string() + "\n";
                locked(&self.log).push_str(&line);
                return Invoked::Exited;
            }
        };
        let killed_after = locked(&self.kills).as_mut().and_then(Kills::draw);
        let limit = self.deployment.timeout;
        let next = Next {
            request_id: request_id.to_owned(),
            function: self.deployment.program,
            limit,
            payload: payload.to_string().into(),
        };
        locked(&self.figures).invocations += 1;
        let invoked = environment.invoke(next, limit, killed_after).await;
        match invoked {
            Invoked::Answered(_) | Invoked::Failed(_) => locked(&self.idle).push(environment),
            Invoked::TimedOut | Invoked::Exited => locked(&self.figures).killed += 1,
        }
        invoked
    }
}

pub(crate) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
