//! A built function as a process that is held still whenever it has nothing to do.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::fixtures;

/// Ticks of a processor's time in a second, as `/proc` counts them on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process. Dropping it kills it.
pub struct HeldProcess {
    child: Child,
    pid: Pid,
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Most memory at once.
    pub memory_kib_max: u64,
    /// Since it began.
    pub processor_seconds: f64,
}

impl HeldProcess {
    /// Starts a program with nothing but these variables. What it writes goes to the log, line by line.
    pub fn start(
        program: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        log: &Arc<Mutex<String>>,
    ) -> Self {
        // Ends with the thread that started it, held or not, however that ends.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(fixtures::built(program))
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the built function starts");
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.expect("a process that runs has an id");
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(keep_lines(stdout, Arc::clone(log)));
            tokio::spawn(keep_lines(stderr, Arc::clone(log)));
        }
        Self { child, pid }
    }

    /// Returns when it has ended.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Holds it still.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by itself, which whoever waits for it notices.
        let _ = kill_process(self.pid, signal);
    }

    /// What it has taken so far.
    pub fn taken(&self) -> Taken {
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
        let processor_seconds = f64::from(ticks.sum::<u32>()) / TICKS_PER_SECOND;
        Taken { memory_kib_max: kib.unwrap_or_default(), processor_seconds }
    }
}

async fn keep_lines(output: impl AsyncRead + Unpin, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
    }
}
