//! Who is measured, and how each is told to copy a bucket.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures;
use ossferry_tests::oss::Oss;
use ossferry_tests::s3::S3Bucket;
use serde_json::Value;

use crate::ends::{Ends, Origin};
use crate::floor::Errand;
use crate::measured::{Cost, measure};

/// How the ends are reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    Plain,
    Tls,
}

/// Runs a command to its end; what it said goes to files, and into the error where it fails.
pub(crate) fn run(
    name: &str,
    mut command: Command,
    ends: &Ends,
) -> Result<(Cost, String), Box<dyn Error>> {
    let said = |stream: &str| ends.folder().join(format!("{name}.{stream}"));
    let (stdout, stderr) = (said("stdout"), said("stderr"));
    command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    let (status, cost) = measure(&mut command)?;
    let stdout = std::fs::read_to_string(stdout)?;
    if !status.success() {
        let stderr = std::fs::read_to_string(stderr)?;
        return Err(format!("{name} ended with {status}\n{stdout}\n{stderr}").into());
    }
    Ok((cost, stdout))
}

/// A job from SeaweedFS to the emulator, with so many objects or parts in flight.
pub(crate) async fn job_file(
    ends: &Ends,
    origin: &Origin,
    oss: &Oss,
    in_flight: usize,
    wire: Wire,
) -> Result<JobFile, Box<dyn Error>> {
    let limits = format!("concurrency_max = {in_flight}");
    let mut job = JobFile::from_s3(&origin.bucket, oss).limits(&limits);
    if wire == Wire::Tls {
        for (text, plain) in
            [(&mut job.source, origin.bucket.endpoint()), (&mut job.target, oss.endpoint())]
        {
            *text = text.replace(&plain, &ends.with_tls(&plain).await?);
        }
    }
    Ok(job)
}

/// ossferry with its ledger, from SeaweedFS to the emulator.
pub(crate) struct Ours {
    command: Ossferry,
    oss: Oss,
}

impl Ours {
    /// A job that nothing was done of, with so many objects or parts in flight.
    pub(crate) async fn new(
        ends: &Ends,
        origin: &Origin,
        in_flight: usize,
        wire: Wire,
    ) -> Result<Self, Box<dyn Error>> {
        let oss = ends.oss().await;
        let job = job_file(ends, origin, &oss, in_flight, wire).await?;
        let mut command = Ossferry::new(&job);
        let certificate = ends.certificate_file();
        command.set("SSL_CERT_FILE", certificate.to_str());
        Ok(Self { command, oss })
    }

    /// One pass; answers what it cost and its report.
    pub(crate) fn pass(&self, ends: &Ends) -> Result<(Cost, Value), Box<dyn Error>> {
        drop(self.oss.wire().take_seen());
        let command = self.command.command(&["run", "--job", "job.toml", "--json"]);
        let (cost, stdout) = run("ossferry", command, ends)?;
        Ok((cost, serde_json::from_str(&stdout)?))
    }
}

/// The floor, from SeaweedFS to the emulator.
pub(crate) async fn floor(
    ends: &Ends,
    origin: &Origin,
    threads: usize,
) -> Result<Cost, Box<dyn Error>> {
    let oss = ends.oss().await;
    let address = |endpoint: String| endpoint.trim_start_matches("http://").parse();
    let (source, target) = (address(origin.bucket.endpoint())?, address(oss.endpoint())?);
    let errands = origin.keys.iter().map(|key| Errand {
        source,
        target,
        get: origin.bucket.signed_get(key),
        put: oss.target().signed_put(key, origin.object_bytes as u64),
        bytes: origin.object_bytes as u64,
    });
    let errands: Vec<Errand> = errands.collect();
    let file = ends.folder().join("errands.json");
    std::fs::write(&file, serde_json::to_vec(&errands)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", "--threads", &threads.to_string()]).arg(&file);
    Ok(run("floor", command, ends)?.0)
}

/// A peer: from one bucket of SeaweedFS to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// `juicefs sync`.
    Juicefs,
    /// `rclone copy`.
    Rclone,
}

impl Peer {
    /// As tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Juicefs => "juicefs",
            Self::Rclone => "rclone",
        }
    }

    /// One run of the peer.
    pub(crate) async fn copy(
        self,
        ends: &Ends,
        source: &S3Bucket,
        target: &S3Bucket,
        in_flight: usize,
        wire: Wire,
    ) -> Result<Cost, Box<dyn Error>> {
        let endpoint = match wire {
            Wire::Plain => source.endpoint(),
            Wire::Tls => ends.with_tls(&source.endpoint()).await?,
        };
        let command = match self {
            Self::Juicefs => juicefs(&endpoint, source, target, in_flight),
            Self::Rclone => rclone(ends, &endpoint, source, target, in_flight),
        };
        Ok(run(self.name(), command, ends)?.0)
    }
}

fn installed(program: &str) -> PathBuf {
    fixtures::root().join("target/benchmark-venv/bin").join(program)
}

fn juicefs(endpoint: &str, source: &S3Bucket, target: &S3Bucket, in_flight: usize) -> Command {
    let account = source.account();
    let host = endpoint.trim_start_matches("http://");
    let url = |bucket: &S3Bucket| {
        let (access_key, secret_key) = (&account.access_key, &account.secret_key);
        format!("minio://{access_key}:{secret_key}@{host}/{}/", bucket.name())
    };
    let mut command = Command::new(installed("juicefs"));
    command.args(["--quiet", "sync", "--no-https", "--metrics", "127.0.0.1:0", "--threads"]);
    command.args([in_flight.to_string(), url(source), url(target)]);
    command
}

fn rclone(
    ends: &Ends,
    endpoint: &str,
    source: &S3Bucket,
    target: &S3Bucket,
    in_flight: usize,
) -> Command {
    let mut command = Command::new(installed("rclone"));
    let none = ends.folder().join("no-rclone.conf");
    command.args(["copy", "--quiet", "--config"]).arg(none).arg("--ca-cert");
    command.arg(ends.certificate_file());
    for option in ["--transfers", "--checkers"] {
        command.args([option, &in_flight.to_string()]);
    }
    // Two remotes of one server: one alone would have the server copy by itself.
    for (remote, bucket) in [("SOURCE", source), ("TARGET", target)] {
        let account = bucket.account();
        for (name, value) in [
            ("TYPE", "s3"),
            ("PROVIDER", "Other"),
            ("REGION", ossferry_tests::s3::REGION),
            ("ENDPOINT", endpoint),
            ("ACCESS_KEY_ID", account.access_key.as_str()),
            ("SECRET_ACCESS_KEY", account.secret_key.as_str()),
            ("NO_CHECK_BUCKET", "true"),
        ] {
            command.env(format!("RCLONE_CONFIG_{remote}_{name}"), value);
        }
        command.arg(format!("{}:{}", remote.to_lowercase(), bucket.name()));
    }
    command
}

/// Whether the peers are installed.
pub(crate) fn check_installed() -> Result<(), String> {
    let missing: Vec<&str> =
        ["juicefs", "rclone"].into_iter().filter(|name| !Path::exists(&installed(name))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("{} are missing: run tests/benchmark/run", missing.join(" and ")))
}
