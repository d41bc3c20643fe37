//! The operator's command over a stack: everything that it does on one machine, and what only a stack has.
//!
//! `CloudFormation`, the queues and the keys are ministack's, the table is Amazon's own, and the functions
//! are played by the test with the product's planner and copier.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::ports::{Outgoing, Queue as _};
use ossferry_core::report::ReportState;
use ossferry_ledger::messages::Message;
use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry, said, signal};
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::operated::{OperatedStack, keys};
use ossferry_tests::oss::{self, Oss};
use ossferry_tests::played::{Function, PlayedFunctions, PlayedSts};
use ossferry_tests::stack::DeployedStack;
use serde_json::{Value, json};

/// Objects under `o/`, of 30 bytes each.
const SMALL: usize = 30;

const JOB: [&str; 2] = ["--job", "job.toml"];

struct Bench {
    stack: DeployedStack,
    oss: Oss,
    functions: PlayedFunctions,
    ossferry: Ossferry,
    text: String,
}

/// The command's line with its job.
fn line<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let (command, rest) = words.split_first().expect("a command");
    [&[*command][..], &JOB, rest].concat()
}

impl Bench {
    /// Functions that work, or that wait until the test delivers.
    async fn new(is_idle: bool) -> Self {
        let oss = Oss::start(clock::system()).await;
        for number in 0..SMALL {
            let key = Key::from(format!("o/{number:04}"));
            oss.origin().put(&key, &bytes_of(&key, 1, 30)).await;
        }
        let large = Key::from("large +%");
        oss.origin().put(&large, &bytes_of(&large, 1, 300_000)).await;
        let file = JobFile::from_oss(&oss)
            .limits("task_objects_max = 10\nsplit_bytes = 204800\npart_bytes = 102400");
        let ends = (Arc::new(oss.origin().source()) as _, Arc::new(oss.target().target()) as _);
        let source_keys = keys(oss::ACCESS_KEY, oss::SECRET_KEY);
        let operated = OperatedStack::deploy(&file, &source_keys, ends, is_idle).await;
        let OperatedStack { stack, functions, ossferry, text } = operated;
        Self { stack, oss, functions, ossferry, text }
    }

    /// Runs a command to its end. Whatever it says, it says no secret.
    async fn run(&self, words: &[&str], status: i32) -> String {
        let said = self.ossferry.run(&line(words)).await.expect(status);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(!text.contains(oss::SECRET_KEY) && !text.contains("panicked"), "{text}");
        text
    }

    /// Every message of the planner's queue is gone, as after days.
    async fn lose_messages(&self) {
        let queue = DeployedStack::queue(&self.stack.planner_queue);
        loop {
            let received = queue.receive(10, Duration::from_secs(30), Duration::ZERO).await;
            let received = received.expect("the queue answers");
            if received.is_empty() {
                return;
            }
            for delivery in received {
                queue.ack(&delivery.receipt).await.expect("the queue answers");
            }
        }
    }

    async fn json(&self, words: &[&str]) -> Value {
        self.ossferry.run(&line(words)).await.expect(0).json()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_deployed_run_and_shown_by_the_commands_of_one_machine() {
    let bench = Bench::new(false).await;
    let checked = bench.run(&["check", "--log", "trace"], 0).await;
    for says in ["CREATE_COMPLETE", "no dead letters", "not yet: ossferry deploy-job", "0 FAIL"] {
        assert!(checked.contains(says), "{says}: {checked}");
    }
    assert!(bench.run(&["plan"], 1).await.contains("job tests is not deployed"));
    assert!(bench.run(&["status"], 1).await.contains("knows no pass"));
    assert!(bench.run(&["deploy-job"], 0).await.contains("is deployed to stack"));
    assert!(bench.run(&["deploy-job"], 0).await.contains("stands in stack"));
    assert!(bench.run(&["check"], 0).await.contains("begins with this job file"));

    let report = bench.ossferry.run(&line(&["run", "--json"])).await.expect(0).report();
    assert_eq!((report.state, report.kind.as_str()), (ReportState::Finished, "full"));
    report.check_law().unwrap();
    assert_eq!(report.copied, SMALL as u64 + 1);
    assert_eq!(bench.oss.target().objects().await, bench.oss.origin().objects().await);
    let event = &bench.functions.events()[0];
    assert_eq!(event, &json!({ "job": "tests", "id": report.pass }));

    let status = bench.json(&["status", "--json"]).await;
    assert_eq!((&status["state"], &status["working"]), (&json!("finished"), &json!(false)));
    assert_eq!(bench.ossferry.rows().await.len(), SMALL + 1);
    let tasks = bench.run(&["inspect", "tasks", "--json"], 0).await;
    assert_eq!(tasks.lines().count() as u64, report.tasks, "{tasks}");

    let since = "2026-11-22T10:00:00Z";
    let planned = bench.run(&["plan", "--pass", "incremental", "--since", since], 0).await;
    assert!(planned.contains("(incremental) has begun"), "{planned}");
    let event = bench.functions.events()[1].clone();
    assert_eq!(event["pass"], json!("incremental"));
    assert_eq!(event["since"], json!("2026-11-22T10:00:00.000Z"));
    assert!(bench.run(&["status", "--watch"], 0).await.contains("finished"));
    let refused = bench.run(&["run", "--pass", "retry"], 1).await;
    assert!(refused.contains("refused: nothing is outstanding"), "{refused}");
    assert!(bench.run(&["copy"], 1).await.contains("status --watch"));
    assert!(bench.run(&["run", "--workers", "3"], 1).await.contains("parameter of the stack"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_is_planned_and_watched_and_its_report_says_by_its_status_that_something_differs()
{
    let bench = Bench::new(false).await;
    bench.run(&["deploy-job"], 0).await;
    bench.run(&["run"], 0).await;
    assert!(bench.run(&["plan", "--pass", "audit"], 0).await.contains("(audit) has begun"));
    bench.run(&["status", "--watch"], 0).await;
    assert!(bench.run(&["report"], 0).await.contains("audit"), "nothing differs");

    let target = bench.oss.target();
    target.put(&Key::from("o/0003"), &bytes_of(&Key::from("o/0003"), 2, 31)).await;
    target.delete(&Key::from("o/0007")).await;
    target.put(&Key::from("o/extra"), &bytes_of(&Key::from("o/extra"), 1, 5)).await;
    let held = target.objects().await;
    bench.run(&["plan", "--pass", "audit"], 0).await;
    bench.run(&["status", "--watch"], 0).await;
    let report =
        bench.ossferry.run(&line(&["report", "--format", "json"])).await.expect(2).report();
    report.check_law().unwrap();
    assert_eq!((report.missing, report.different, report.extra_at_target), (1, 1, 1), "{report}");
    assert_eq!(target.objects().await, held, "an audit writes nothing");
    for (outcome, key) in [("missing", "o/0007"), ("different", "o/0003")] {
        let found = bench.run(&["inspect", "objects", "--outcome", outcome], 0).await;
        assert!(found.contains(key), "{found}");
    }
    // And what it found is mended by the next pass.
    let mended = bench.ossferry.run(&line(&["run", "--pass", "retry", "--json"])).await.expect(0);
    assert_eq!(mended.report().copied, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_pass_is_watched_swept_and_cancelled_and_keeps_its_scope() {
    let bench = Bench::new(true).await;
    bench.run(&["deploy-job"], 0).await;
    assert!(bench.run(&["sweep"], 0).await.contains("no pass of job tests runs"));
    assert!(bench.run(&["plan"], 0).await.contains("(full) has begun"));
    assert!(bench.run(&["plan"], 0).await.contains("is running already"));
    assert!(bench.run(&["plan", "--pass", "retry"], 1).await.contains("is not finished"));
    assert_eq!(bench.json(&["status", "--json"]).await["working"], json!(true));

    let faster = bench.text.replace("task_objects_max = 10", "task_objects_max = 20");
    bench.ossferry.write_job(&faster);
    let planned = bench.run(&["plan"], 0).await;
    assert!(planned.contains("the job file is not what is deployed"), "{planned}");
    let deployed = bench.run(&["deploy-job"], 0).await;
    assert!(deployed.contains("keeps the definition that it began with"), "{deployed}");
    let elsewhere = faster.replacen("[limits]", "prefix = \"elsewhere/\"\n[limits]", 1);
    bench.ossferry.write_job(&elsewhere);
    let refused = bench.run(&["deploy-job"], 1).await;
    assert!(refused.contains("source, target, prefix or filter"), "{refused}");
    bench.ossferry.write_job(&faster);

    let watching = bench.ossferry.spawn(&line(&["run", "--json"]));
    tokio::time::sleep(Duration::from_secs(2)).await;
    signal(&watching, "INT").await;
    let interrupted = said(watching).await.expect(130);
    assert!(interrupted.stderr.contains("the functions go on"), "{}", interrupted.stderr);
    assert_eq!(interrupted.report().state, ReportState::Open);

    bench.lose_messages().await;
    assert_eq!(bench.json(&["status", "--json"]).await["working"], json!(false));
    assert!(bench.run(&["status"], 0).await.contains("no message waits"));
    let swept = bench.run(&["sweep"], 0).await;
    assert!(swept.contains("1 key ranges and 0 tasks were sent again"), "{swept}");
    assert_eq!(bench.json(&["status", "--json"]).await["working"], json!(true));
    let cancelled = bench.run(&["cancel"], 0).await;
    assert!(cancelled.contains("is cancelled") && cancelled.contains("sweep"), "{cancelled}");
    assert!(bench.run(&["cancel"], 1).await.contains("no pass runs"));
    bench.ossferry.write_job(&elsewhere);
    bench.run(&["deploy-job"], 0).await;

    let failed = json!({ "errorType": "Sandbox.Timedout", "errorMessage": "timed out" });
    bench.functions.script((200, Some(("x-amz-function-error", "Unhandled")), failed));
    let said = bench.run(&["plan"], 1).await;
    assert!(said.contains("function tests-planner failed: Sandbox.Timedout: timed out"), "{said}");
    let strange = bench.text.replace(&bench.stack.name, "no-such-stack");
    bench.ossferry.write_job(&strange);
    let said = bench.run(&["status"], 1).await;
    assert!(said.contains("sam deploy --stack-name no-such-stack"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_returns_only_where_the_table_says_that_it_is_due() {
    let bench = Bench::new(true).await;
    bench.run(&["deploy-job"], 0).await;
    bench.run(&["plan"], 0).await;
    let walked = bench.functions.deliver(Function::Planner).await.expect("a slice is walked");
    let done = bench.functions.deliver(Function::Copier).await.expect("a task is moved");
    let live = DeployedStack::queue(&bench.stack.copier_queue);
    let minute = Duration::from_mins(1);
    let lost = live.receive(1, minute, minute / 10).await.unwrap().remove(0);
    live.ack(&lost.receipt).await.unwrap();
    let opened = bench.functions.deliver(Function::Planner).await.expect("an upload is opened");
    let Message::Upload(upload) = opened.clone() else { panic!("{opened:?}") };
    let due = lost.body.clone();
    let of_earlier = Message::Range { task: upload.clone(), generation: 0, range: 0 };
    let uncommitted = Message::Task(upload.slice.task(1_000));
    let dead_letters = DeployedStack::queue(&bench.stack.copier_dead_letters);
    let letters = [
        done.to_text(),
        due.clone(),
        "not a message".to_owned(),
        due.clone(),
        due.replace("\"tests\"", "\"another\""),
        of_earlier.to_text(),
        uncommitted.to_text(),
    ];
    let sent = dead_letters.send(&letters.map(Outgoing::now)).await.unwrap();
    assert!(sent.refused.is_empty());
    let of_planner = DeployedStack::queue(&bench.stack.planner_dead_letters);
    let letters = [opened.to_text(), walked.to_text()].map(Outgoing::now);
    assert!(of_planner.send(&letters).await.unwrap().refused.is_empty());
    let waiting = DeployedStack::waiting(&bench.stack.copier_queue).await;

    assert!(bench.run(&["check"], 0).await.contains("ossferry redrive"));
    let said = bench.run(&["redrive"], 1).await;
    for says in [
        "planner: 0 returned, 2 deleted, 0 left",
        "copier: 1 returned, 4 deleted, 1 left, 1 of other jobs",
        "deleted: the slice is walked",
        "deleted: the upload is open",
        "deleted: another attempt at the object has begun since",
        "deleted: the task was never committed",
        &format!("deleted: the task has ended: {}", done.to_text()),
        &format!("returned: {due}"),
        &format!("deleted: returned once already: {due}"),
        "left: not a message of ossferry",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let again = DeployedStack::waiting(&bench.stack.copier_queue).await;
    assert_eq!(again, waiting + 1, "it is delivered again");
    assert_eq!(DeployedStack::waiting(&bench.stack.copier_dead_letters).await, 2);
    let said = bench.run(&["redrive"], 1).await;
    assert!(said.contains("copier: 0 returned, 0 deleted, 1 left, 1 of other jobs"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_a_role_that_trusts_a_token_of_aws() {
    let mut bench = Bench::new(true).await;
    let sts = PlayedSts::start(oss::ACCESS_KEY, oss::SECRET_KEY, "canary-sts-token").await;
    bench.ossferry.set("ALIBABA_CLOUD_STS_ENDPOINT", Some(sts.endpoint()));
    let from = bench.text.find("credentials = { from = \"aws-secret\"").unwrap();
    let until = from + bench.text[from..].find('\n').unwrap();
    let oidc = "credentials = { from = \"alibaba-oidc\", role = \"acs:ram::1:role/r\", \
                provider = \"acs:ram::1:oidc-provider/p\", audience = \"for-tests\" }";
    bench.ossferry.write_job(&format!("{}{oidc}{}", &bench.text[..from], &bench.text[until..]));
    let said = bench.run(&["check", "--log", "trace"], 0).await;
    assert!(said.contains("ok    target") && said.contains("0 FAIL"), "{said}");
    let forms = sts.forms();
    assert_eq!(forms.len(), 1, "keys are kept");
    let token = forms[0].split("OIDCToken=").nth(1).unwrap().split('&').next().unwrap();
    assert!(token.starts_with("eyJ") && forms[0].contains("RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr"));
    assert!(!said.contains(token) && !said.contains("canary-sts-token"), "a secret is logged");
}
