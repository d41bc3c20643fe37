//! The commands of a job whose ledger is in Tablestore and whose work is done by Function Compute.

use bytes::Bytes;
use ossferry_core::key::Key;
use ossferry_core::ports::{Outgoing, Queue as _};
use ossferry_core::report::ReportState;
use ossferry_ledger::ids::SliceId;
use ossferry_ledger::messages::Message;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fc::{FcLimits, FcStack, STACK};
use ossferry_tests::oss::{self, Oss};
use ossferry_tests::smq;
use serde_json::{Value, json};

const SMALL: usize = 25;

/// A deployed stack, and the command of whoever operates it.
struct Bench {
    oss: Oss,
    stack: FcStack,
    ossferry: Ossferry,
}

impl Bench {
    async fn new() -> Self {
        let oss = Oss::start(clock::system()).await;
        let small = (0..SMALL).map(|number| (Key::from(format!("small/{number:02}")), 100));
        for (key, size) in small.chain([(Key::from("large"), 300_000)]) {
            oss.origin().put(&key, &Bytes::from(vec![b'x'; size])).await;
        }
        let file = JobFile::from_oss(&oss)
            .limits("task_objects_max = 10\nsplit_bytes = 204800\npart_bytes = 102400");
        let stack = FcStack::deploy(&file, &FcLimits::default()).await;
        let mut ossferry = Ossferry::new(&file);
        ossferry.write_job(&stack.job_text);
        for name in ["OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"] {
            ossferry.set(name, None);
        }
        for (name, value) in stack.operator_variables() {
            ossferry.set(name, Some(&value));
        }
        Self { oss, stack, ossferry }
    }

    /// Runs a command to its end. Whatever it says, it says no secret.
    async fn run(&self, words: &[&str], status: i32) -> String {
        let line: Vec<&str> = words.iter().copied().chain(["--job", "job.toml"]).collect();
        let said = self.ossferry.run(&line).await.expect(status);
        let text = format!("{}{}", said.stdout, said.stderr);
        for secret in [oss::SECRET_KEY, smq::SECRET_KEY, smq::TOKEN, "panicked"] {
            assert!(!text.contains(secret), "{text}");
        }
        text
    }

    async fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.run(words, 0).await).expect("JSON alone")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_deployed_run_and_shown_by_the_commands_of_one_machine() {
    let bench = Bench::new().await;
    let checked = bench.run(&["check", "--log", "trace"], 0).await;
    for says in ["CREATE_COMPLETE", "no dead letters", "begins with this job file", "0 FAIL"] {
        assert!(checked.contains(says), "{says}: {checked}");
    }
    assert!(bench.run(&["deploy-job"], 0).await.contains("stands in stack ferry in cn-hangzhou"));
    let ran = bench.ossferry.run(&["run", "--json", "--job", "job.toml"]).await.expect(0);
    let report = ran.report();
    assert_eq!((report.state, report.kind.as_str()), (ReportState::Finished, "full"));
    report.check_law().unwrap();
    assert_eq!(report.copied, SMALL as u64 + 1);
    assert_eq!(bench.oss.target().objects().await, bench.oss.origin().objects().await);
    let status = bench.json(&["status", "--json"]).await;
    assert_eq!((&status["state"], &status["working"]), (&json!("finished"), &json!(false)));
    assert_eq!(bench.ossferry.rows().await.len(), SMALL + 1);
    assert!(bench.run(&["sweep"], 0).await.contains("no pass of job tests runs"));
    // Both ends are asked from here too, with the operator's key in place of the functions' role.
    assert!(bench.run(&["mirror", "status"], 0).await.contains("never on"));
    let known = format!("{} objects", SMALL + 1);
    assert!(bench.run(&["estimate"], 0).await.contains(&known));
    assert!(bench.run(&["run", "--pass", "retry"], 1).await.contains("nothing is outstanding"));
    let outputs: serde_json::Map<String, Value> = bench
        .stack
        .outputs()
        .into_iter()
        .map(|(name, value)| (name, json!({ "value": value, "sensitive": false })))
        .collect();
    std::fs::write(bench.ossferry.folder().join("out.json"), Value::from(outputs).to_string())
        .unwrap();
    let named = format!("stack = \"{STACK}\"");
    bench.ossferry.write_job(&bench.stack.job_text.replace(&named, "outputs = \"out.json\""));
    assert!(bench.run(&["report"], 0).await.contains("finished"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_return_only_where_they_are_due() {
    let bench = Bench::new().await;
    let planned = bench.run(&["plan", "--pass", "full"], 0).await;
    assert!(planned.contains("(full) has begun"), "{planned}");
    bench.run(&["status", "--watch"], 0).await;
    let status = bench.json(&["status", "--json"]).await;
    let pass = bench.stack.pass(status["pass"].as_str().unwrap());
    let done = Message::Task(pass.slice(SliceId::root()).task(0)).to_text();
    let dead = bench.stack.copier_dead_letters();
    let letters = [done, "no message".to_owned()].map(Outgoing::now);
    assert!(dead.send(&letters).await.unwrap().refused.is_empty());
    assert!(bench.run(&["check"], 0).await.contains("2 dead letters"));
    let said = bench.run(&["redrive"], 1).await;
    assert!(said.contains("copier: 0 returned, 1 deleted, 1 left"), "{said}");
    assert_eq!(bench.stack.dead_letters(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stack_lacks_is_said_with_its_remedy() {
    let bench = Bench::new().await;
    let text = bench.stack.job_text.clone();
    let named = format!("stack = \"{STACK}\"");
    bench.ossferry.write_job(&text.replace(&named, "stack = \"no-such\""));
    assert!(bench.run(&["status"], 1).await.contains("infra/aliyun/ros.yaml"));
    bench.ossferry.write_job(&text.replace(&named, "outputs = \"none.json\""));
    assert!(bench.run(&["status"], 1).await.contains("terraform output -json > none.json"));
    std::fs::write(bench.ossferry.folder().join("none.json"), "{}").unwrap();
    let said = bench.run(&["status"], 1).await;
    assert!(said.contains("TableStoreEndpoint, ") && said.contains("FcEndpoint"), "{said}");
    bench.ossferry.write_job(&text);
    let said = bench.run(&["plan", "--pass", "incremental"], 1).await;
    assert!(said.contains("refused: "), "{said}");
    let Bench { mut ossferry, stack: _stack, .. } = bench;
    ossferry.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", None);
    let said = ossferry.run(&["status", "--job", "job.toml"]).await.expect(1);
    assert!(said.stderr.contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set"), "{}", said.stderr);
}
