//! One execution environment: a process that is frozen whenever it has nothing to do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::runtime_api::{Next, RuntimeApi, Said};
use super::{Deployment, Figures, Invoked, locked};
use crate::held_process::HeldProcess;

/// Lambda's own limit of a start.
const INIT_MAX: Duration = Duration::from_secs(10);

/// A process and what it talks to. Dropping it kills it.
pub(super) struct Environment {
    process: HeldProcess,
    api: RuntimeApi,
    figures: Arc<Mutex<Figures>>,
    processor_seconds: f64,
}

impl Environment {
    /// Starts a process and waits until it asks for work.
    pub(super) async fn start(
        deployment: &Deployment,
        figures: Arc<Mutex<Figures>>,
        log: Arc<Mutex<String>>,
    ) -> Result<Self, String> {
        let api = RuntimeApi::start().await;
        let begun = Instant::now();
        let own = lambdas_own(deployment, &api.authority()).into_iter();
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let variables = own.chain(deployment.variables.iter().cloned());
        let process = HeldProcess::start(deployment.program, variables, &log);
        let mut environment = Self { process, api, figures, processor_seconds: 0.0 };
        let said = tokio::select! {
            said = timeout(INIT_MAX, environment.api.said()) => said,
            ended = environment.process.ended() => return Err(format!("it ended: {ended:?}")),
        };
        match said {
            Ok(Said::Ready) => {}
            other => return Err(format!("it does not start: {other:?}")),
        }
        let mut figures = locked(&environment.figures);
        figures.environments += 1;
        figures.init = figures.init.max(begun.elapsed());
        drop(figures);
        environment.freeze();
        Ok(environment)
    }

    /// Has one invocation done. The process lives after an answer or an error only.
    pub(super) async fn invoke(
        &mut self,
        next: Next,
        limit: Duration,
        killed_after: Option<Duration>,
    ) -> Invoked {
        let begun = Instant::now();
        let (end, killed_at) = (begun + limit, begun + killed_after.unwrap_or(limit * 2));
        self.api.call(next);
        self.process.thaw();
        let mut answer = None;
        loop {
            tokio::select! {
                said = self.api.said() => match said {
                    Said::Answered(value) => answer = Some(Invoked::Answered(value)),
                    Said::Failed(error) => answer = Some(Invoked::Failed(error)),
                    // The answer is taken when it asks for more: only then is the invocation over.
                    Said::Ready => {
                        if let Some(answer) = answer {
                            self.freeze();
                            return answer;
                        }
                    }
                },
                _ = self.process.ended() => return Invoked::Exited,
                () = sleep_until(killed_at) => {
                    self.measure();
                    self.process.kill();
                    return Invoked::Exited;
                }
                () = sleep_until(end) => {
                    self.measure();
                    self.process.kill();
                    return Invoked::TimedOut;
                }
            }
        }
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

/// The variables that Lambda sets.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn lambdas_own(deployment: &Deployment, api: &str) -> Vec<(&'static str, String)> {
    let name = deployment.program;
    vec![
        ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", deployment.memory_mib.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("2026/11/26/[$LATEST]{:016x}", fastrand::u64(..))),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
    ]
}
