//! What whoever comes from ossimport finds: a job file from a `job.cfg`, and the fields of `stat`.

use ossferry_core::job::Job;
use ossferry_core::key::Key;
use ossferry_tests::command::Ossferry;
use ossferry_tests::wire::{Fault, Rule};

use super::{RUN, bench};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_cfg_becomes_a_job_file_and_its_secrets_are_said_nowhere() {
    let (_oss, ossferry) = bench(1, "").await;
    let write = |text: &str| std::fs::write(ossferry.folder().join("job.cfg"), text).unwrap();
    let cfg = "jobName=nightly\nsrcType=cos\nsrcAccessKey=id-of-the-source\n\
               srcSecretKey=s3cr3t-of-the-source\nsrcDomain=ap-guangzhou\nsrcBucket=from\n\
               appId=1250000000\ndestAccessKey=id-of-the-target\n\
               destSecretKey=s3cr3t-of-the-target\ndestDomain=oss-cn-hangzhou.aliyuncs.com\n\
               destBucket=to\nnoSuchKey=1\n";
    write(cfg);
    let said = ossferry.run(&["import-cfg", "job.cfg"]).await.expect(0);
    assert_eq!(Job::parse(&said.stdout).unwrap().name, "nightly");
    assert!(said.stderr.contains("job.cfg:12: noSuchKey: unknown"), "{}", said.stderr);
    assert!(!format!("{said:?}").contains("-of-the-"), "{said:?}");

    write(&cfg.replace("srcType=cos", "srcType=gcs"));
    let to_file = ["import-cfg", "job.cfg", "--output", "new.toml", "--json"];
    let refused = ossferry.run(&to_file).await.expect(1);
    let account: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(account["keys"][1]["became"], "refused", "{account}");
    assert!(!ossferry.folder().join("new.toml").exists());
    write(cfg);
    drop(ossferry.run(&to_file).await.expect(0));
    let again = ossferry.run(&to_file).await.expect(1);
    assert!(again.stderr.contains("new.toml is there already"), "{}", again.stderr);
}

/// A field of `stat`.
async fn stat(ossferry: &Ossferry, field: &str) -> String {
    let said = ossferry.run(&["status", "--job", "job.toml", "--as", "ossimport"]).await.expect(0);
    let begins = format!("{field}:");
    let value = said.stdout.lines().find_map(|line| line.strip_prefix(&begins));
    value.unwrap_or_else(|| panic!("no {field}: {}", said.stdout)).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_has_the_fields_that_scripts_of_ossimport_read() {
    let (oss, ossferry) = bench(30, "task_objects_max = 10").await;
    drop(ossferry.run(&["plan", "--job", "job.toml"]).await.expect(0));
    for (field, value) in [
        ("JobName", "tests"),
        ("JobState", "Abort"),
        ("PendingTasks", "3"),
        // The large object's upload is begun by the plan.
        ("RunningTasks", "1"),
        ("ScanFinished", "true"),
        ("TotalFileCount", "31"),
        ("TotalFileSize", "300900"),
    ] {
        assert_eq!(stat(&ossferry, field).await, value, "{field}, of a pass nobody works on");
    }
    let bad = Key::from("o/0007");
    let rule = Rule::first("PutObject", Fault::Forbidden("AccessDenied")).of_key(&bad);
    oss.wire().rule(rule.at(1, u64::MAX));
    drop(ossferry.run(&RUN).await.expect(2));
    for (field, value) in [
        ("JobState", "Failed"),
        ("PendingTasks", "0"),
        ("SucceedTasks", "3"),
        ("FailedTasks", "1"),
        ("FailedFileCount", "1"),
    ] {
        assert_eq!(stat(&ossferry, field).await, value, "{field}, of a pass with a failure");
    }
    oss.wire().clear_rules();
    drop(ossferry.run(&["run", "--job", "job.toml", "--pass", "retry"]).await.expect(0));
    assert_eq!(stat(&ossferry, "JobState").await, "Succeed");
}
