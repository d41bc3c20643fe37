//! One execution environment: a process that is frozen whenever it has nothing to do.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};

use super::runtime_api::{Next, RuntimeApi, Said};
use super::{Deployment, Figures, Invoked, locked};
use crate::fixtures;

/// Lambda's own limit of a start.
const INIT_MAX: Duration = Duration::from_secs(10);

/// Ticks of a processor's time in a second, as `/proc` counts them on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and what it talks to. Dropping it kills it.
pub(super) struct Environment {
    child: Child,
    pid: Pid,
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
        // Ends with the thread that started it, frozen or not, however that ends.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(fixtures::built(deployment.program))
            .env_clear()
            .envs(lambdas_own(deployment, &api.authority()))
            .envs(deployment.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the built function starts");
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.expect("a process that runs has an id");
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(keep_lines(stdout, Arc::clone(&log)));
            tokio::spawn(keep_lines(stderr, log));
        }
        let mut environment = Self { child, pid, api, figures, processor_seconds: 0.0 };
        let said = tokio::select! {
            said = timeout(INIT_MAX, environment.api.said()) => said,
            ended = environment.child.wait() => return Err(format!("it ended: {ended:?}")),
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
        self.signal(Signal::CONT);
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
                _ = self.child.wait() => return Invoked::Exited,
                () = sleep_until(killed_at) => {
                    self.measure();
                    self.signal(Signal::KILL);
                    return Invoked::Exited;
                }
                () = sleep_until(end) => {
                    self.measure();
                    self.signal(Signal::KILL);
                    return Invoked::TimedOut;
                }
            }
        }
    }

    fn freeze(&mut self) {
        self.measure();
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by itself, which whoever waits for it notices.
        let _ = kill_process(self.pid, signal);
    }

    fn measure(&mut self) {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.pid.as_raw_nonzero());
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let (status, stat) = (read("status"), read("stat"));
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
        // After the name in parentheses: state is the first, utime the 12th, stime the 13th.
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|text| text.parse::<u32>().ok());
        let seconds = f64::from(ticks.sum::<u32>()) / TICKS_PER_SECOND;
        let mut figures = locked(&self.figures);
        figures.memory_kib_max = figures.memory_kib_max.max(kib.unwrap_or_default());
        figures.processor_seconds += (seconds - self.processor_seconds).max(0.0);
        self.processor_seconds = seconds;
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

async fn keep_lines(output: impl AsyncRead + Unpin, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = locked(&log);
        log.push_str(&line);
        log.push('\n');
    }
}
