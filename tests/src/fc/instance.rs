//! One instance: a process that serves on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::FcDeployment;
use crate::fixtures;
use crate::held_process::HeldProcess;
use crate::lambda::{Figures, Invoked, locked};
use crate::port::free_address;
use crate::smq;

/// Function Compute waits two minutes.
const START_MAX: Duration = Duration::from_secs(30);

/// A process and where it listens.
pub(super) struct Instance {
    process: HeldProcess,
    address: SocketAddr,
    function: &'static str,
    timeout: Duration,
    figures: Arc<Mutex<Figures>>,
    processor_seconds: f64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Instance {
    /// Starts a process, waits until it listens, and has it initialized.
    pub(super) async fn start(
        deployment: &FcDeployment,
        figures: &Arc<Mutex<Figures>>,
        log: &Arc<Mutex<String>>,
    ) -> Result<Self, Failure> {
        let address = free_address();
        let begun = Instant::now();
        let own = [
            ("FC_SERVER_PORT", address.port().to_string()),
            ("FC_FUNCTION_NAME", deployment.name.to_owned()),
            ("FC_REGION", "cn-hangzhou".to_owned()),
            ("FC_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value)).into_iter();
        let variables = own.chain(deployment.variables.iter().cloned());
        let process = HeldProcess::start(&fixtures::built(deployment.program), variables, log);
        let mut this = Self {
            process,
            address,
            function: deployment.name,
            timeout: deployment.timeout,
            figures: Arc::clone(figures),
            processor_seconds: 0.0,
        };
        this.until_it_listens().await?;
        let listening = begun.elapsed();
        let initialized = this.ask(Method::POST, "/initialize", "1-init", Bytes::new()).await?;
        assert!(initialized.status().is_success(), "it is initialized: {initialized:?}");
        let mut figures = locked(figures);
        figures.environments += 1;
        figures.init = figures.init.max(listening);
        drop(figures);
        this.freeze();
        Ok(this)
    }

    async fn until_it_listens(&mut self) -> Result<(), Failure> {
        let address = self.address;
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            listens = timeout(START_MAX, listens) => Ok(listens?),
            ended = self.process.ended() => Err(format!("it ended: {ended:?}").into()),
        }
    }

    /// Has one invocation done. The process lives on after an answer only.
    pub(super) async fn invoke(
        &mut self,
        event: Bytes,
        request_id: &str,
        killed_after: Option<Duration>,
    ) -> Invoked {
        let begun = Instant::now();
        let end = begun + self.timeout;
        let killed_at = begun + killed_after.unwrap_or(self.timeout * 2);
        self.process.thaw();
        let asked = tokio::select! {
            asked = self.ask(Method::POST, "/invoke", request_id, event) => Ok(asked),
            () = sleep_until(killed_at) => Err(Invoked::Exited),
            () = sleep_until(end) => Err(Invoked::TimedOut),
        };
        self.measure();
        match asked {
            Ok(Ok(answer)) => {
                self.freeze();
                read(&answer)
            }
            Ok(Err(_)) => Invoked::Exited,
            Err(ended) => {
                self.process.kill();
                ended
            }
        }
    }

    /// The headers that every request has; the function has a role.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        request_id: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("content-type", "application/octet-stream")
            .header("x-fc-request-id", request_id)
            .header("x-fc-access-key-id", smq::ACCESS_KEY)
            .header("x-fc-access-key-secret", smq::SECRET_KEY)
            .header("x-fc-security-token", smq::TOKEN)
            .header("x-fc-function-handler", "bootstrap")
            .header("x-fc-function-name", self.function)
            .header("x-fc-function-memory", "512")
            .header("x-fc-region", "cn-hangzhou")
            .header("x-fc-account-id", "1234567890")
            .header("x-fc-qualifier", "LATEST")
            .header("x-fc-version-id", "")
            .header("x-fc-control-path", path)
            .body(Full::new(body))?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }

    fn freeze(&mut self) {
        self.measure();
        self.process.freeze();
    }

    fn measure(&mut self) {
        let taken = self.process.taken();
        let mut figures = locked(&self.figures);
        figures.memory_kib_max = figures.memory_kib_max.max(taken.memory_kib_max);
        figures.processor_seconds += (taken.processor_seconds - self.processor_seconds).max(0.0);
        self.processor_seconds = taken.processor_seconds;
    }
}

/// Without the header an answer counts as a success, whatever its status.
fn read(answer: &Response<Bytes>) -> Invoked {
    let outcome = answer.headers().get("x-fc-status").and_then(|value| value.to_str().ok());
    let outcome = outcome.unwrap_or("200");
    assert_eq!(outcome, answer.status().as_str(), "both say the same");
    let value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    if outcome == "200" { Invoked::Answered(value) } else { Invoked::Failed(value) }
}
