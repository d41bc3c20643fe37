//! Functions that are killed, messages that are repeated, a table that is tired, and what nobody can copy.

use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::Outgoing;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::dynamodb_local::DynamoDbLocal;
use ossferry_tests::lambda::{Kills, LambdaLimits, Post, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Rule, Wire};
use serde_json::json;

use super::passes::{PASS_MAX, fill, look};

const JOB: &str = "task_objects_max = 50\nsplit_bytes = 4194304\npart_bytes = 1048576";

const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_repeated_messages_and_a_tired_table_lose_and_double_nothing() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let table = Wire::before_server(DynamoDbLocal::shared().address()).await;
    for (operation, fault, every) in [
        ("PutItem", Fault::AnswerLost, 23),
        ("PutItem", Fault::Json(THROTTLED), 11),
        ("GetItem", Fault::Json(THROTTLED), 17),
        ("Query", Fault::Refused, 19),
    ] {
        table.rule(Rule::first(operation, fault).every(every));
    }
    let limits = LambdaLimits {
        // What a killed process had claimed is free a minute after its deadline.
        planner_timeout: Duration::from_secs(8),
        copier_timeout: Duration::from_secs(8),
        post: Post {
            visibility: Duration::from_secs(9),
            receive_count_max: 1_000,
            deliveries_max: 3,
        },
        table_endpoint: Some(table.endpoint()),
        ..LambdaLimits::default()
    };
    let job = JobFile::from_s3(&bucket, &oss).limits(JOB).text();
    let stack = Stack::deploy(&job, &limits).await;
    stack.copier.kill(Some(Kills::new(1, 500, Duration::from_millis(400), 3)));
    stack.planner.kill(Some(Kills::new(2, 500, Duration::from_millis(400), 1)));
    let pass = stack.pass("p1");
    stack.trigger(json!({"pass": "full", "id": "p1"})).await;
    stack.until_end(&pass, PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.planned), (301, 301));
    assert_eq!((report.copied + report.unchanged, report.failed), (301, 0), "{report:?}");
    let (copier, planner) = (stack.copier.figures(), stack.planner.figures());
    assert!(copier.killed > 0, "{copier:?}");
    let puts = oss.wire().count("PutObject") + oss.wire().count("UploadPart");
    println!(
        "{} copiers and {} planners killed: 305 objects and parts were put {puts} times",
        copier.killed, planner.killed
    );
    println!("{} requests to the table", table.total());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_nobody_may_read_ends_in_the_report_and_junk_among_the_dead_letters() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let mut objects = fill(&bucket).await;
    let source = Wire::before_server(SeaweedFs::shared().address()).await;
    let poison = Key::from("d3/object-003");
    let forbidden = Rule::first("GetObject", Fault::Forbidden("AccessDenied"));
    source.rule(forbidden.of_key(&poison).every(1));
    let oss = Oss::start(clock::system()).await;
    let job = JobFile::from_s3(&bucket.at(&source.endpoint()), &oss).limits(JOB).text();
    // Junk fails once, comes back after its back-off, and is given up then. What is only slow stays
    // hidden.
    let visibility = Duration::from_mins(5);
    let post = Post { visibility, receive_count_max: 1, ..Post::default() };
    let stack = Stack::deploy(&job, &LambdaLimits { post, ..LambdaLimits::default() }).await;
    let [_, copiers] = &stack.queues;
    let sent = copiers.send(&[Outgoing::now("no message of ours".to_owned())]).await.unwrap();
    assert!(sent.refused.is_empty());

    let (pass, _) = stack.run(json!({"pass": "full"}), PASS_MAX).await;
    objects.remove(&poison);
    let inspected = look(&stack.ledger, &pass, &oss, &objects).await;
    assert_eq!((inspected.report.copied, inspected.report.failed), (300, 1));
    assert_eq!(inspected.outcomes[&poison], Outcome::Failed);
    let [planners, copiers] = &stack.mappings;
    copiers.until_dead(1, PASS_MAX).await;
    assert_eq!(copiers.dead_letters(), ["no message of ours"]);
    assert!(planners.dead_letters().is_empty());

    source.clear_rules();
    let (pass, row) = stack.run(json!({"pass": "retry"}), PASS_MAX).await;
    assert_eq!(row.kind.as_str(), "retry");
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied), (1, 1), "{report:?}");
}
