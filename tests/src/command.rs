//! The built `ossferry` as a process, in a folder of its own with nothing but its own environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ossferry_core::report::Report;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cos::Cos;
use crate::oss::{self, Oss};
use crate::s3::{self, S3Bucket};
use crate::upyun::Upyun;
use crate::{azurite, fixtures, seaweedfs};

/// No command of these tests takes longer.
const COMMAND_MAX: Duration = Duration::from_mins(3);

/// The text of a job file.
#[derive(Clone, Debug)]
pub struct JobFile {
    /// Below `[source]`.
    pub source: String,
    /// Below `[target]`.
    pub target: String,
    /// Below `[limits]`.
    pub limits: String,
    /// Whole sections.
    pub more: String,
}

impl JobFile {
    /// From a bucket of an S3 server.
    pub fn from_s3(bucket: &S3Bucket, oss: &Oss) -> Self {
        Self::from_source(
            format!(
                "kind = \"s3-compatible\"\nendpoint = \"{}\"\nregion = \"{}\"\nbucket = \"{}\"\n\
                 addressing = \"path\"\n{SOURCE_CREDENTIALS}",
                bucket.endpoint(),
                s3::REGION,
                bucket.name(),
            ),
            oss,
        )
    }

    /// From COS.
    pub fn from_cos(cos: &Cos, oss: &Oss) -> Self {
        Self::from_source(format!("{}{SOURCE_CREDENTIALS}", cos.source()), oss)
    }

    /// From a folder.
    pub fn from_folder(folder: &Path, oss: &Oss) -> Self {
        let path = toml::Value::from(folder.to_str().expect("the folder's own path is text"));
        Self::from_source(format!("kind = \"folder\"\npath = {path}\n"), oss)
    }

    /// From the other bucket of the emulator.
    pub fn from_oss(oss: &Oss) -> Self {
        Self::from_source(
            format!(
                "kind = \"oss\"\nendpoint = \"{}\"\nregion = \"{}\"\nbucket = \"{}\"\n\
                 addressing = \"path\"\n{TARGET_CREDENTIALS}",
                oss.endpoint(),
                oss::REGION,
                oss::SOURCE_BUCKET,
            ),
            oss,
        )
    }

    /// From a container of the emulator of Azure. Its key stands in `AZURE_KEY`.
    pub fn from_azure(endpoint: &str, container: &str, oss: &Oss) -> Self {
        let account = azurite::ACCOUNT;
        Self::from_source(
            format!(
                "kind = \"azure\"\naccount = \"{account}\"\ncontainer = \"{container}\"\n\
                 endpoint = \"{endpoint}\"\n\
                 credentials = {{ from = \"azure-key\", key = \"AZURE_KEY\" }}\n"
            ),
            oss,
        )
    }

    /// From UPYUN. Its operator stands in `OPERATOR` and `PASSWORD`.
    pub fn from_upyun(upyun: &Upyun, oss: &Oss) -> Self {
        Self::from_source(upyun.source_lines(), oss)
    }

    /// From a bucket of the emulator of Google. The key of a service account stands in `GCS_KEY`.
    pub fn from_gcs(endpoint: &str, bucket: &str, oss: &Oss) -> Self {
        Self::from_source(
            format!(
                "kind = \"gcs-json\"\nbucket = \"{bucket}\"\nendpoint = \"{endpoint}\"\n\
                 credentials = {{ from = \"gcs-key\", key = \"GCS_KEY\" }}\n"
            ),
            oss,
        )
    }

    /// From a list of URLs in the folder of the job file, with more lines below `[source]`.
    pub fn from_urls(list: &str, lines: &str, oss: &Oss) -> Self {
        Self::from_source(format!("kind = \"http\"\nlist = \"{list}\"\n{lines}\n"), oss)
    }

    fn from_source(source: String, oss: &Oss) -> Self {
        let target = format!(
            "endpoint = \"{}\"\nregion = \"{}\"\nbucket = \"{}\"\naddressing = \"path\"\n\
             {TARGET_CREDENTIALS}",
            oss.endpoint(),
            oss::REGION,
            oss::TARGET_BUCKET,
        );
        Self { source, target, limits: String::new(), more: String::new() }
    }

    /// Listed by the inventory whose manifest this key of the bucket is.
    #[must_use]
    pub fn inventory(mut self, key: &str) -> Self {
        self.source = format!("inventory = \"{key}\"\n{}", self.source);
        self
    }

    /// With these lines below `[limits]`.
    #[must_use]
    pub fn limits(mut self, lines: &str) -> Self {
        self.limits = format!("{lines}\n");
        self
    }

    /// With these lines below `[source]`.
    #[must_use]
    pub fn source(mut self, lines: &str) -> Self {
        self.source.push_str(lines);
        self.source.push('\n');
        self
    }

    /// With these sections.
    #[must_use]
    pub fn more(mut self, sections: &str) -> Self {
        self.more = format!("{sections}\n");
        self
    }

    /// The file.
    pub fn text(&self) -> String {
        let Self { source, target, limits, more } = self;
        format!(
            "name = \"tests\"\n[source]\n{source}[target]\n{target}[limits]\n{limits}{more}\
             [state]\npath = \"state.sqlite\"\n"
        )
    }
}

const SOURCE_CREDENTIALS: &str = "credentials = { from = \"env\", \
                                  access_key = \"SOURCE_ACCESS_KEY\", secret_key = \"SOURCE_SECRET_KEY\" }\n";
const TARGET_CREDENTIALS: &str = "credentials = { from = \"env\", \
                                  access_key = \"OSS_ACCESS_KEY_ID\", secret_key = \"OSS_ACCESS_KEY_SECRET\" }\n";

/// What a process said.
#[derive(Debug)]
pub struct Said {
    /// Its exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// The same, if the exit status is this one.
    #[must_use]
    pub fn expect(self, status: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.status, Some(status), "stdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// Standard output as one JSON object, and nothing else.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\nstderr: {}", self.stdout, self.stderr))
    }

    /// The report of `run --json`.
    pub fn report(&self) -> Report {
        serde_json::from_value(self.json()).expect("the object of a report")
    }
}

/// A row of `report --format csv`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ObjectRow {
    /// At the source, as reports spell it.
    pub key: String,
    /// As planned.
    pub size: u64,
    /// The word.
    pub outcome: String,
    /// The grade; empty where there is none.
    pub proof: String,
    /// Decimal; empty where there is none.
    pub crc64_ecma: String,
    /// Without quotes.
    pub source_etag: String,
    /// Without quotes.
    pub target_etag: String,
    /// Empty where there is none.
    pub reason: String,
}

/// A job file in a folder, and the command that is run there.
pub struct Ossferry {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Ossferry {
    /// Writes the job file.
    pub fn new(job: &JobFile) -> Self {
        let account = seaweedfs::account();
        let variables = [
            ("SOURCE_ACCESS_KEY", account.access_key.as_str()),
            ("SOURCE_SECRET_KEY", account.secret_key.as_str()),
            ("OSS_ACCESS_KEY_ID", oss::ACCESS_KEY),
            ("OSS_ACCESS_KEY_SECRET", oss::SECRET_KEY),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let command = Self { folder: tempfile::tempdir().expect("a folder"), variables };
        command.write_job(&job.text());
        command
    }

    /// Where it is run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.folder().join("state.sqlite")
    }

    /// Writes another job file in place of the first.
    pub fn write_job(&self, text: &str) {
        std::fs::write(self.folder().join("job.toml"), text).expect("write the job file");
    }

    /// Sets an environment variable, or takes one away.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.variables.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The command with these arguments, as it is started by [`Self::spawn`].
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(fixtures::built("ossferry"));
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("TMPDIR", std::env::temp_dir())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = Command::from(self.command(arguments));
        command.kill_on_drop(true).spawn().expect("the built command starts")
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Said {
        said(self.spawn(arguments)).await
    }

    /// The rows of `report --format csv`.
    pub async fn rows(&self) -> Vec<ObjectRow> {
        let csv = self.run(&["report", "--job", "job.toml", "--format", "csv"]).await.expect(0);
        let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
        reader.deserialize().map(|row| row.expect("a row of the report")).collect()
    }
}

/// What a process that was started says until its end.
pub async fn said(child: Child) -> Said {
    let output = timeout(COMMAND_MAX, child.wait_with_output()).await;
    let output = output.expect("the command ends in time").expect("its output is read");
    Said {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal (`INT`, `KILL`) to a process that was started here.
pub async fn signal(child: &Child, name: &str) {
    let Some(id) = child.id() else { return };
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await;
    assert!(sent.expect("kill starts").success() || child.id().is_none(), "kill -{name} {id}");
}
