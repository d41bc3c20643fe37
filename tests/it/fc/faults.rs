//! Functions that are killed, messages that are repeated, what nobody can copy, and messages that are
//! handed over as `EventBridge` does.

use std::sync::Arc;
use std::time::Duration;

use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Outgoing, Queue};
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fc::{FcLimits, FcStack, Function};
use ossferry_tests::lambda::{Invoked, Kills};
use ossferry_tests::oss::Oss;
use ossferry_tests::seaweedfs::SeaweedFs;
use ossferry_tests::wire::{Fault, Rule, Wire};
use serde_json::json;
use tokio::time::sleep;

use crate::lambda::passes::{PASS_MAX, fill, look};

const JOB: &str = "task_objects_max = 50\nsplit_bytes = 4194304\npart_bytes = 1048576";

/// Between two rings of a timer; minutes there.
const TIMER: Duration = Duration::from_secs(2);

/// Rings the timers of both functions, over and over: what was killed is not started by its planner.
async fn ring_timers(stack: &FcStack) {
    let pull = json!({"pull": true});
    loop {
        sleep(TIMER).await;
        let time = "2026-11-26T03:00:00Z";
        tokio::join!(stack.planner.ring(time, &pull), stack.copier.ring(time, &pull));
    }
}

/// Sends every message again that stands for work which is not done.
async fn repeat_messages(stack: &FcStack, pass: &ossferry_ledger::ids::PassRef) {
    loop {
        sleep(TIMER).await;
        // Another's write may come between: the next round does it.
        let _ = stack.ledger.sweep(pass, 64, Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_and_repeated_messages_lose_and_double_nothing() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let limits = FcLimits {
        // What a killed process had claimed is free a minute after its deadline.
        planner_timeout: Duration::from_secs(12),
        copier_timeout: Duration::from_secs(8),
        visibility: Duration::from_secs(9),
        receive_count_max: 1_000,
        ..FcLimits::default()
    };
    let stack = FcStack::deploy(&JobFile::from_s3(&bucket, &oss).limits(JOB), &limits).await;
    stack.copier.kill(Some(Kills::new(1, 1_000, Duration::from_millis(300), 3)));
    stack.planner.kill(Some(Kills::new(2, 500, Duration::from_millis(400), 1)));
    let pass = stack.pass("p1");
    // A trigger is delivered again until it is answered, as a timer's is.
    let event = stack.trigger_event(&json!({"pass": "full", "id": "p1"}));
    let mut triggers = 1;
    while !matches!(stack.planner.invoke(&event).await, Invoked::Answered(_)) {
        triggers += 1;
        assert!(triggers < 10, "the trigger is never taken: {}", stack.planner.log());
    }
    tokio::select! {
        _ = stack.until_end(&pass, PASS_MAX) => {}
        () = ring_timers(&stack) => {}
        () = repeat_messages(&stack, &pass) => {}
    }
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.planned), (301, 301));
    assert_eq!((report.copied + report.unchanged, report.failed), (301, 0), "{report:?}");
    let (copier, planner) = (stack.copier.figures(), stack.planner.figures());
    assert!(copier.killed > 0, "{copier:?}");
    let puts = oss.wire().count("PutObject") + oss.wire().count("UploadPart");
    println!(
        "{} copiers and {} planners killed, {triggers} triggers: 305 objects and parts were put \
         {puts} times",
        copier.killed, planner.killed
    );
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
    let job = JobFile::from_s3(&bucket.at(&source.endpoint()), &oss).limits(JOB);
    // Junk fails once, comes back after its back-off, and is given up then.
    let limits = FcLimits { receive_count_max: 1, ..FcLimits::default() };
    let stack = FcStack::deploy(&job, &limits).await;
    let [_, copiers] = &stack.queues;
    let sent = copiers.send(&[Outgoing::now("no message of ours".to_owned())]).await.unwrap();
    assert!(sent.refused.is_empty());

    let pass = stack.begun(&stack.trigger(json!({"pass": "full"})).await);
    stack.until_end(&pass, PASS_MAX).await;
    objects.remove(&poison);
    let inspected = look(&stack.ledger, &pass, &oss, &objects).await;
    assert_eq!((inspected.report.copied, inspected.report.failed), (300, 1));
    assert_eq!(inspected.outcomes[&poison], Outcome::Failed);
    while stack.dead_letters() == 0 {
        stack.copier.invoke(&json!({"pull": true, "seconds": 5})).await.answer();
    }
    assert_eq!(stack.dead_letters(), 1);
}

/// Carries the messages of a queue into a function until the pass has ended: as a trigger of
/// `EventBridge`, which takes them out of the queue and repeats what fails.
async fn push(queue: &Arc<dyn Queue>, function: &Arc<Function>) {
    const ATTEMPTS: usize = 3;
    loop {
        let received = queue.receive(1, Duration::from_mins(30), Duration::from_secs(2)).await;
        for delivery in received.expect("the queue answers") {
            let data = json!({"messageId": "9D3B7C2E", "messageBody": delivery.body});
            let event = json!([json!({"specversion": "1.0", "data": data}).to_string()]);
            for _ in 0..ATTEMPTS {
                if matches!(function.invoke(&event).await, Invoked::Answered(_)) {
                    break;
                }
            }
            queue.ack(&delivery.receipt).await.expect("the queue answers");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_whose_messages_are_handed_over_ends_as_well() {
    let bucket = SeaweedFs::shared().fresh_bucket().await;
    let objects = fill(&bucket).await;
    let oss = Oss::start(clock::system()).await;
    let limits = FcLimits { is_push: true, ..FcLimits::default() };
    let stack = FcStack::deploy(&JobFile::from_s3(&bucket, &oss).limits(JOB), &limits).await;
    let pass = stack.begun(&stack.trigger(json!({"pass": "full"})).await);
    let [planners, copiers] = &stack.queues;
    tokio::select! {
        _ = stack.until_end(&pass, PASS_MAX) => {}
        () = push(planners, &stack.planner) => {}
        () = push(copiers, &stack.copier) => {}
        () = push(copiers, &stack.copier) => {}
    }
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.listed, report.copied), (301, 301));
    assert_eq!(stack.service.started("ferry-copier"), 0, "nobody is started to receive");
    let junk = json!({"messageId": "m", "messageBody": "no message of ours"});
    assert!(matches!(stack.copier.invoke(&junk).await, Invoked::Failed(_)));
}
