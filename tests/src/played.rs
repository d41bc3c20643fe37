//! Services that a test plays: the planner and the copier of a stack behind Lambda's Invoke, and the STS
//! of Alibaba Cloud.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ossferry_aws::SqsQueue;
use ossferry_copier::{Copier, CopierOptions, CopierParts};
use ossferry_core::job::Job;
use ossferry_core::ports::{Outgoing, Queue, Source, Target};
use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::PassKind;
use ossferry_ledger::{Begun, Handled, Handler, Invocation, Ledger};
use ossferry_planner::{PlanError, Planner, PlannerParts, Trigger};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::stack::DeployedStack;

/// A message's deadline, and twice that its visibility.
const INVOCATION: Duration = Duration::from_secs(30);

/// An answer in place of the real one: status, a header, and the body.
pub type Scripted = (u16, Option<(&'static str, &'static str)>, Value);

/// The functions of a stack, in this process. Dropping it ends them.
pub struct PlayedFunctions {
    endpoint: String,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    /// Queue and handler of the planner, then of the copier.
    stations: [(SqsQueue, Arc<dyn Handler>); 2],
    ledger: Ledger,
    planner: Planner,
    events: Mutex<Vec<Value>>,
    scripted: Mutex<VecDeque<Scripted>>,
}

/// Which function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// Walks slices, opens uploads.
    Planner,
    /// Moves tasks and ranges.
    Copier,
}

impl PlayedFunctions {
    /// Answers invocations of the planner, and works on both queues.
    pub async fn start(
        stack: &DeployedStack,
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
    ) -> Self {
        let mut functions = Self::start_idle(stack, source, target).await;
        for function in [Function::Planner, Function::Copier] {
            let shared = Arc::clone(&functions.shared);
            functions.tasks.spawn(async move {
                loop {
                    shared.deliver(function, Duration::from_secs(1)).await;
                }
            });
        }
        functions
    }

    /// Answers invocations of the planner; messages wait until they are delivered.
    pub async fn start_idle(
        stack: &DeployedStack,
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
    ) -> Self {
        let ledger = stack.ledger();
        let planner = || {
            Planner::new(PlannerParts {
                ledger: ledger.clone(),
                source: Arc::clone(&source),
                target: Arc::clone(&target),
                appetite: Arc::new(|| false),
            })
        };
        let copier = Copier::new(CopierParts {
            ledger: ledger.clone(),
            source: Arc::clone(&source),
            target: Arc::clone(&target),
            in_flight: Arc::new(Semaphore::new(8)),
            admission: ossferry_core::rates::Admission::default(),
            options: CopierOptions::default(),
        });
        let queue = DeployedStack::queue;
        let stations: [(SqsQueue, Arc<dyn Handler>); 2] = [
            (queue(&stack.planner_queue), Arc::new(planner())),
            (queue(&stack.copier_queue), Arc::new(copier)),
        ];
        let mut tasks = JoinSet::new();
        let (planner, events, scripted) = (planner(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { stations, ledger, planner, events, scripted });
        let answering = Arc::clone(&shared);
        let endpoint = serve(&mut tasks, move |request, body| {
            let shared = Arc::clone(&answering);
            async move { shared.answer(&request, &body).await }
        })
        .await;
        Self { endpoint, shared, tasks }
    }

    /// Delivers one message of a function's queue, and answers it where it was dealt with.
    pub async fn deliver(&self, function: Function) -> Option<Message> {
        self.shared.deliver(function, Duration::from_secs(5)).await
    }

    /// `http://` and where Invoke is answered.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Answers the next invocation so, and does nothing else for it.
    pub fn script(&self, answer: Scripted) {
        self.shared.scripted.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    /// What the planner was invoked with, so far.
    pub fn events(&self) -> Vec<Value> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    async fn deliver(&self, function: Function, wait: Duration) -> Option<Message> {
        let (queue, function) = &self.stations[function as usize];
        let received = queue.receive(1, INVOCATION * 2, wait).await.unwrap_or_default();
        let delivery = received.into_iter().next()?;
        let message = Message::from_text(&delivery.body).ok()?;
        let deadline = self.ledger.now().plus(INVOCATION);
        let owner = format!("played/{:016x}", fastrand::u64(..));
        let handled = function.work(&message, &Invocation { owner, deadline }).await.ok()?;
        if let Handled::Later(delay) = handled {
            let again = Outgoing { body: delivery.body, delay };
            let sent = queue.send(&[again]).await.expect("the queue answers");
            assert!(sent.refused.is_empty());
        }
        queue.ack(&delivery.receipt).await.expect("the queue answers");
        Some(message)
    }

    async fn answer(&self, request: &Request<()>, body: &[u8]) -> Scripted {
        let path = format!("/2015-03-31/functions/{}/invocations", crate::stack::PLANNER_FUNCTION);
        assert_eq!(request.uri().path(), path, "only the planner is invoked");
        let event: Value = serde_json::from_slice(body).expect("an event is JSON");
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        let scripted = self.scripted.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(scripted) = scripted {
            return scripted;
        }
        let job = JobName(event["job"].as_str().expect("a job").to_owned());
        let answer = if event["sweep"] == json!(true) {
            self.sweep(&job).await
        } else {
            self.trigger(&job, &event).await
        };
        (200, None, answer)
    }

    async fn trigger(&self, name: &JobName, event: &Value) -> Value {
        let text = |field: &str| event.get(field).and_then(Value::as_str);
        let pass = text("id").expect("a pass's id").into();
        let kind: Option<PassKind> =
            event.get("pass").map(|kind| serde_json::from_value(kind.clone()).expect("a kind"));
        let since = text("since").map(|time| Timestamp::from_rfc3339(time).expect("a time"));
        let deployed = self.ledger.deployed_job(name).await.expect("the table answers");
        let job = Job::from_json(&deployed.expect("a deployed job").definition).expect("a job");
        match self.planner.begin(&job, Trigger { pass, kind, since, reread: None }).await {
            Ok(Begun::Running(row)) => json!({ "pass": row.pass, "outcome": "running" }),
            Ok(Begun::Ended(row)) => json!({ "pass": row.pass, "outcome": "ended" }),
            Ok(Begun::Skipped { running }) => {
                json!({ "pass": text("id"), "outcome": "skipped", "running": running })
            }
            Err(PlanError::Refused(refusal)) => {
                let reason = refusal.to_string();
                json!({ "pass": text("id"), "outcome": "refused", "reason": reason })
            }
            Err(error) => panic!("the planner fails: {error}"),
        }
    }

    async fn sweep(&self, name: &JobName) -> Value {
        let running = self.ledger.running_pass(name).await.expect("the table answers");
        let Some(pass) = running else { return json!({ "swept": [] }) };
        let pass = PassRef { job: name.clone(), pass };
        let swept = self.ledger.sweep(&pass, 64, Duration::ZERO).await.expect("it is swept");
        let (slices, tasks) = (swept.slices, swept.tasks);
        json!({ "swept": [{ "job": name, "pass": pass.pass, "slices": slices, "tasks": tasks }] })
    }
}

/// The STS of Alibaba Cloud, which gives the same keys for any token. Dropping it ends it.
pub struct PlayedSts {
    endpoint: String,
    forms: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl PlayedSts {
    /// Gives these keys for an hour.
    pub async fn start(access_key: &str, secret_key: &str, token: &str) -> Self {
        let forms = Arc::<Mutex<Vec<String>>>::default();
        let (asked, ends_at) = (Arc::clone(&forms), crate::clock::system_now());
        let ends_at = ends_at.plus(Duration::from_hours(1));
        let answer = format!(
            "<AssumeRoleWithOIDCResponse><Credentials><AccessKeyId>{access_key}</AccessKeyId>\
             <AccessKeySecret>{secret_key}</AccessKeySecret><SecurityToken>{token}</SecurityToken>\
             <Expiration>{ends_at}</Expiration></Credentials></AssumeRoleWithOIDCResponse>"
        );
        let mut tasks = JoinSet::new();
        let endpoint = serve(&mut tasks, move |_, body| {
            let form = String::from_utf8_lossy(&body).into_owned();
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(form);
            let answer = Value::String(answer.clone());
            async move { (200, None, answer) }
        })
        .await;
        Self { endpoint, forms, _tasks: tasks }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What it was sent.
    pub fn forms(&self) -> Vec<String> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Serves on loopback. A body that is a JSON text is sent as that text.
pub(crate) async fn serve<F>(
    tasks: &mut JoinSet<()>,
    answer: impl Fn(Request<()>, Bytes) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output = Scripted> + Send,
{
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
    let listener = listener.expect("a port of loopback");
    let address = listener.local_addr().expect("a listener's address");
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.expect("a whole request").to_bytes();
                    let (status, header, said) = answer(Request::from_parts(parts, ()), body).await;
                    let text = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
                    let mut response = Response::new(Full::new(Bytes::from(text)));
                    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                    if let Some((name, value)) = header {
                        response.headers_mut().insert(name, value.parse().expect("a header"));
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(async move {
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                drop(served.await);
            });
        }
    });
    format!("http://{address}")
}
