//! The official Python SDKs judge the emulators, that of OSS as a program: every operation there and
//! back.

use std::process::Stdio;

use ossferry_tests::clock;
use ossferry_tests::fixtures::{built, installed, root};
use ossferry_tests::smq::{self, Smq};
use ossferry_tests::tablestore::{self, Tablestore};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Duration, timeout};

/// A judge takes a few seconds.
const JUDGE_MAX: Duration = Duration::from_mins(2);

/// The emulator's process, and where it says that it listens.
async fn emulator(folder: &std::path::Path) -> (Child, String) {
    let mut child = Command::new(built("oss-emulator"))
        .args(["--listen", "127.0.0.1:0", "--bucket", "judged", "--region", "cn-hangzhou"])
        .arg("--root")
        .arg(folder.join("oss"))
        .env("OSS_EMULATOR_ACCESS_KEY", "judge")
        .env("OSS_EMULATOR_SECRET_KEY", "secret-of-the-judge")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("it says where it listens");
    let endpoint = line.strip_prefix("listening on ").unwrap().to_owned();
    (child, endpoint)
}

async fn judge_oss(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (_emulator, endpoint) = emulator(folder.path()).await;
    let account = ["--access-key", "judge", "--secret-key", "secret-of-the-judge"];
    let place = ["--endpoint", &endpoint, "--bucket", "judged", "--region", "cn-hangzhou"];
    judge(script, &[&place[..], &account].concat()).await;
}

/// Runs a judge to its end, and wants it content.
async fn judge(script: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(installed("python"))
        .arg(root().join("tests/sdk").join(script))
        .args(arguments)
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let output = timeout(JUDGE_MAX, output).await.expect("the judge ends in time").unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.lines().count() > 10, "it judged little: {out}");
}

#[tokio::test]
async fn alibabacloud_oss_v2_takes_the_emulator_for_oss() {
    judge_oss("judge_oss_v2.py").await;
}

#[tokio::test]
async fn oss2_takes_the_emulator_for_oss_by_v1_and_v4() {
    judge_oss("judge_oss2.py").await;
}

#[tokio::test]
async fn aliyun_mns_sdk_takes_the_emulator_for_smq() {
    let smq = Smq::start(clock::system()).await;
    let place = ["--endpoint", &smq.endpoint(), "--queue", "judged"];
    judge("judge_mns.py", &[&place[..], &smq::ACCOUNT_ARGUMENTS].concat()).await;
}

#[tokio::test]
async fn tablestore_takes_the_emulator_for_tablestore_by_v2_and_v4() {
    let tablestore = Tablestore::start().await;
    let (endpoint, region) = (tablestore.endpoint(), tablestore::REGION);
    let place = ["--endpoint", &endpoint, "--instance", tablestore::INSTANCE, "--region", region];
    judge("judge_tablestore.py", &[&place[..], &smq::ACCOUNT_ARGUMENTS].concat()).await;
}
