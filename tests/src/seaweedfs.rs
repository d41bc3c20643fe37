//! A real S3 server: SeaweedFS, which signs, lists in directory order, and keeps its promises otherwise.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use ossferry_core::key::Key;
use tokio::time::{Instant, sleep};

use crate::fixtures;
use crate::s3::{S3Account, S3Bucket};

/// An idle server of a fresh folder takes three seconds.
const START_MAX: Duration = Duration::from_mins(2);

/// Waits until its standard input is closed, which the end of the test process does however it ends;
/// then ends the server and clears up behind it. A `static` is never dropped, so nobody else would.
const GUARD: &str = r#"
trap : HUP INT TERM
folder=$1; ports=$2; shift 2
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -9 $server
wait $server 2>/dev/null
for port in $ports; do rm -f /tmp/seaweedfs-*-"$port".sock; done
rm -rf "$folder"
"#;

/// A running server. Dropping it ends it.
pub struct SeaweedFs {
    address: SocketAddr,
    log: PathBuf,
    guard: Child,
}

impl SeaweedFs {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SeaweedFs> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, over an empty folder. Panics where `weed` is not installed.
    pub fn start() -> Self {
        let weed = fixtures::installed("weed");
        let folder = std::env::temp_dir().join(format!("seaweedfs-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(folder.join("data")).expect("a folder for the server");
        let account = account();
        let config = serde_json::json!({"identities": [{
            "name": "tests",
            "credentials": [{"accessKey": account.access_key, "secretKey": account.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        fs::write(folder.join("s3.json"), config.to_string()).expect("write the configuration");
        let ports = free_ports();
        let names = ["s3", "master", "volume", "filer"];
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(&folder);
        command.arg(ports.map(|port| port.to_string()).join(" ")).arg(weed);
        command.args([
            "server",
            "-master.telemetry=false",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=256",
            "-volume.max=400",
            "-volume.minFreeSpace=1",
        ]);
        command.arg(format!("-dir={}", folder.join("data").display()));
        command.arg(format!("-s3.config={}", folder.join("s3.json").display()));
        for (name, port) in names.iter().zip(ports.chunks_exact(2)) {
            command.arg(format!("-{name}.port={}", port[0]));
            command.arg(format!("-{name}.port.grpc={}", port[1]));
        }
        // Every bucket has volumes of its own, and seven at once by default.
        command.env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1");
        let guard = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0]));
        Self { address, log: folder.join("log"), guard }
    }

    /// `http://` and where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a bucket that no other test has. Waits for a server that has just been started.
    pub async fn fresh_bucket(&self) -> S3Bucket {
        let name = format!("tests-{:016x}", fastrand::u64(..));
        let bucket = S3Bucket::new(&self.endpoint(), &name, account());
        let until = Instant::now() + START_MAX;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "seaweedfs did not start:\n{}", self.log_text());
            sleep(Duration::from_millis(50)).await;
        }
        // It listens before its filer can be asked, and writes fail before a volume is there.
        loop {
            let made = match bucket.create().await {
                Ok(()) => bucket.try_put_probe().await,
                Err(error) => Err(error),
            };
            match made {
                Ok(()) => return bucket,
                Err(error) => {
                    assert!(Instant::now() < until, "seaweedfs: {error}\n{}", self.log_text());
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn log_text(&self) -> String {
        let mut text = String::new();
        if let Ok(mut log) = fs::File::open(&self.log) {
            let _ = log.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Who may do everything.
pub fn account() -> S3Account {
    S3Account {
        access_key: "AKSOURCETESTS".to_owned(),
        secret_key: "secret-of-the-source-of-the-tests".to_owned(),
    }
}

/// Whether the server keeps an object under exactly this key. Its objects are files of a file system
/// of its own: `a//b` becomes `a/b`, `\` becomes `/`, and dot segments are refused.
pub fn holds(key: &Key) -> bool {
    let segments: Vec<&[u8]> = key.as_bytes().split(|byte| *byte == b'/').collect();
    let Some((last, before)) = segments.split_last() else { return false };
    let is_name = |name: &[u8]| {
        !matches!(name, b"" | b"." | b"..") && name.len() <= 255 && !name.contains(&b'\\')
    };
    before.iter().all(|name| is_name(name))
        && (is_name(last) || last.is_empty() && !before.is_empty())
}

/// Ports that nobody listens on now.
fn free_ports() -> [u16; 8] {
    let listeners: Vec<TcpListener> =
        (0..8).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")).collect();
    std::array::from_fn(|at| listeners[at].local_addr().expect("a bound socket has one").port())
}
