//! A server as a process of its own, which ends with the test process however that ends.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a server may take until it listens.
const START_MAX: Duration = Duration::from_mins(2);

/// Waits until its standard input is closed, which the end of the test process does however it ends;
/// then ends the server and clears up behind it. A `static` is never dropped, so nobody else would.
const GUARD: &str = r#"
trap : HUP INT TERM
folder=$1; left_over=$2; shift 2
cd "$folder"
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -9 $server
wait $server 2>/dev/null
rm -f $left_over
rm -rf "$folder"
"#;

/// A folder for a server and what is to run in it.
pub struct Prepared {
    folder: PathBuf,
    left_over: Vec<String>,
    command: Command,
}

impl Prepared {
    /// A fresh folder named after `server`.
    pub fn new(server: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{server}-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&folder).expect("a folder for the server");
        Self { folder, left_over: Vec::new(), command: Command::new("sh") }
    }

    /// Where it will run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Files outside of the folder that it leaves behind when it is killed; `*` stands for anything.
    #[must_use]
    pub fn leaving(mut self, patterns: impl IntoIterator<Item = String>) -> Self {
        self.left_over.extend(patterns);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it. It is to listen at `address`.
    pub fn start<A: AsRef<OsStr>>(
        mut self,
        address: SocketAddr,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Guarded {
        self.command.args(["-c", GUARD, "guard"]).arg(&self.folder);
        self.command.arg(self.left_over.join(" ")).arg(program).args(arguments);
        self.command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = self.command.spawn().expect("sh starts");
        Guarded { address, log: self.folder.join("log"), guard }
    }
}

/// A running server. Dropping it ends it.
pub struct Guarded {
    address: SocketAddr,
    log: PathBuf,
    guard: Child,
}

impl Guarded {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Repeats `ask` until it succeeds, as long as a server takes to start.
    pub async fn answer<T>(&self, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
        let until = Instant::now() + START_MAX;
        loop {
            // A client that meets nobody waits longer than this does.
            let answer = match TcpStream::connect(self.address) {
                Ok(_) => ask().await,
                Err(error) => Err(error.to_string()),
            };
            match answer {
                Ok(answer) => return answer,
                Err(error) => {
                    let log = fs::read_to_string(&self.log).unwrap_or_default();
                    assert!(Instant::now() < until, "the server did not start: {error}\n{log}");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
