//! The template, built and deployed by the real SAM CLI, at work.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::report::Report;
use ossferry_ledger::ids::{JobName, PassRef};
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::deployment::{DeployedStack, REGION, ZIP_BYTES_MAX, bootstrap};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::inspection::{Held, inspect};
use ossferry_tests::oss::{self, Oss};
use ossferry_tests::s3::S3Bucket;
use ossferry_tests::seaweedfs::{self, SeaweedFs};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// No pass of these tests takes longer.
const PASS_MAX: Duration = Duration::from_mins(2);

/// When the schedule planned to call.
const PLANNED: &str = "2026-11-26T03:00:00Z";

/// Small objects in several tasks, and one object in parts.
async fn fill(bucket: &S3Bucket) -> BTreeMap<Key, Bytes> {
    let small = (0..200).map(|number| (Key::from(format!("d{}/{number:03}", number % 7)), number));
    let all = small.chain([(Key::from("large"), 2 << 20)]);
    let objects: BTreeMap<Key, Bytes> = all
        .map(|(key, size)| {
            let bytes = bytes_of(&key, 1, size);
            (key, bytes)
        })
        .collect();
    bucket.put_all(objects.clone()).await;
    objects
}

/// The job of a stack, with its keys where AWS keeps secrets.
async fn job_text(stack: &DeployedStack, bucket: &S3Bucket, oss: &Oss) -> String {
    let limits = "task_objects_max = 40\nsplit_bytes = 1048576\npart_bytes = 262144";
    let local = JobFile::from_s3(bucket, oss).limits(limits).text();
    let mut job: toml::Table = local.parse().expect("a job file");
    let account = seaweedfs::account();
    for (end, access_key, secret_key) in [
        ("source", account.access_key.as_str(), account.secret_key.as_str()),
        ("target", oss::ACCESS_KEY, oss::SECRET_KEY),
    ] {
        let secret = json!({"access_key": access_key, "secret_key": secret_key}).to_string();
        let made = json!({"Name": format!("ossferry/{end}"), "SecretString": secret});
        let made = stack.call("secretsmanager", "create_secret", &made).await;
        let id = made["ARN"].as_str().expect("an ARN");
        job[end]["credentials"] = table([("from", "aws-secret"), ("id", id)]);
    }
    let name = stack.name.as_str();
    job["state"] = table([("kind", "aws"), ("stack", name), ("region", REGION)]);
    job.to_string()
}

fn table<const COUNT: usize>(entries: [(&str, &str); COUNT]) -> toml::Value {
    let entries = entries.map(|(name, value)| (name.to_owned(), toml::Value::from(value)));
    toml::Value::Table(entries.into_iter().collect())
}

/// What must hold of a pass that has ended, however it was worked on.
async fn look(
    stack: &DeployedStack,
    pass: &str,
    oss: &Oss,
    expected: &BTreeMap<Key, Bytes>,
) -> Report {
    let target = oss.target();
    let held = Held { objects: target.objects().await, open_uploads: target.open_uploads().await };
    let pass = PassRef { job: JobName("tests".to_owned()), pass: pass.into() };
    inspect(&stack.ledger(), &pass, &held, expected).await.report
}

/// The report of a pass, once it has ended.
async fn ended(ossferry: &Ossferry, kind: &str) -> Report {
    let until = Instant::now() + PASS_MAX;
    loop {
        let status = ossferry.run(&["status", "--job", "job.toml", "--json"]).await.expect(0);
        let status: Value = status.json();
        if status["kind"] == kind && status["state"] == "finished" {
            let report = ["report", "--job", "job.toml", "--format", "json"];
            return ossferry.run(&report).await.expect(0).report();
        }
        assert!(Instant::now() < until, "no {kind} pass ends: {status}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_template_deploys_moves_a_bucket_and_follows_its_changes_by_schedule() {
    let parameters = [
        ("JobName", "tests"),
        ("PassSchedule", "rate(6 hours)"),
        ("SecretArns", "arn:aws:secretsmanager:us-east-1:000000000000:secret:ossferry/source"),
        ("AlarmEmail", "operator@example.com"),
        ("PlannerConcurrency", "2"),
        ("CopierConcurrency", "3"),
    ];
    let stack = DeployedStack::deploy(&parameters).await;
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let mut ossferry = Ossferry::new(&JobFile::from_s3(&bucket, &oss));
    ossferry.write_job(&job_text(&stack, &bucket, &oss).await);
    for (name, value) in stack.variables() {
        ossferry.set(name, Some(&value));
    }

    let deployed = ossferry.run(&["deploy-job", "--job", "job.toml"]).await.expect(0);
    assert!(deployed.stderr.contains("is deployed"), "{}", deployed.stderr);
    let run = ["run", "--job", "job.toml", "--json"];
    let report = ossferry.run(&run).await.expect(0).report();
    assert_eq!((report.kind.as_str(), report.listed, report.copied), ("full", 201, 201));
    let proof = &report.proof;
    assert_eq!((proof.a + proof.b + proof.c, proof.d), (201, 0));
    let looked = look(&stack, &report.pass, &oss, &objects).await;
    assert_eq!((looked.planned, looked.copied), (201, 201));

    for (name, version, size) in [("d3/003", 2, 7), ("new", 1, 9), ("large", 2, 3 << 20)] {
        let key = Key::from(name);
        let bytes = bytes_of(&key, version, size);
        bucket.put(&key, bytes.clone()).await;
        objects.insert(key, bytes);
    }
    // Delivered twice, as every event may be.
    stack.fire("IncrementalPasses", PLANNED).await;
    stack.fire("IncrementalPasses", PLANNED).await;
    let report = ended(&ossferry, "incremental").await;
    assert!(report.pass.starts_with("20261126T030000"), "{}", report.pass);
    assert_eq!((report.listed, report.skipped, report.copied), (202, 199, 3));
    look(&stack, &report.pass, &oss, &objects).await;
    stack.fire("Sweep", PLANNED).await;
    let passes = ["inspect", "--job", "job.toml", "passes", "--json"];
    let passes = ossferry.run(&passes).await.expect(0);
    assert_eq!(passes.stdout.lines().count(), 2, "{}", passes.stdout);
    for queue in ["PlannerDeadLetterQueueUrl", "CopierDeadLetterQueueUrl"] {
        assert_eq!(stack.messages(queue).await, 0, "{queue}");
    }
    look_at_zips(&stack).await;
}

/// A zip is loaded at each cold start.
async fn look_at_zips(stack: &DeployedStack) {
    for output in ["PlannerFunctionName", "CopierFunctionName"] {
        let asked = json!({"FunctionName": stack.output(output)});
        let described = stack.call("lambda", "get_function_configuration", &asked).await;
        let zip_bytes = described["CodeSize"].as_u64().unwrap();
        println!("{output}: a zip of {zip_bytes} bytes");
        assert!(zip_bytes <= ZIP_BYTES_MAX, "{output}: {zip_bytes}");
    }
}

/// Marks what std throws and catches; it stands in no program that aborts.
const THROWN: &[u8] = b"MOZ\0RUST";

/// That of Amazon Linux 2023.
const GLIBC_MINOR_MAX: u32 = 34;

#[test]
fn the_functions_that_are_deployed_unwind_and_run_on_the_runtime_s_glibc() {
    for function in ["PlannerFunction", "CopierFunction"] {
        let program = std::fs::read(bootstrap(function)).unwrap();
        let holds = |marker: &[u8]| program.windows(marker.len()).any(|found| found == marker);
        assert!(holds(THROWN), "{function} aborts on a panic");
        for minor in (GLIBC_MINOR_MAX + 1)..60 {
            let version = format!("GLIBC_2.{minor}\0");
            assert!(!holds(version.as_bytes()), "{function} needs {version}");
        }
    }
}
