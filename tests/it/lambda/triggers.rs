//! What becomes of triggers and sweeps, and of a pass whose account is refused.

use ossferry_core::key::Key;
use ossferry_ledger::rows::PassState;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::lambda::{Invoked, LambdaLimits, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Rule};
use serde_json::{Value, json};

use super::passes::PASS_MAX;

async fn stack() -> (Stack, Oss) {
    let oss = Oss::start(clock::system()).await;
    let key = Key::from("a");
    oss.origin().put(&key, &bytes_of(&key, 1, 100)).await;
    let job = JobFile::from_oss(&oss).text();
    (Stack::deploy(&job, &LambdaLimits::default()).await, oss)
}

fn outcome(answer: &Value) -> (&str, &str) {
    (answer["pass"].as_str().unwrap(), answer["outcome"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_delivered_twice_is_one_pass_and_what_may_not_begin_is_told_by_name() {
    let (stack, _oss) = stack().await;
    let early = stack.trigger(json!({"pass": "incremental", "id": "early"})).await;
    assert_eq!(outcome(&early), ("early", "refused"));
    assert!(early["reason"].as_str().unwrap().contains("no full pass"), "{early}");
    let unknown = stack.planner.invoke(&json!({"job": "nobody's"})).await.answer();
    assert_eq!(unknown["outcome"], "refused");
    assert!(unknown["reason"].as_str().unwrap().contains("nobody's"), "{unknown}");
    assert_eq!(format!("{}", stack.planner.told("Refusals")), "2");
    let Invoked::Failed(error) = stack.planner.invoke(&json!({"job": "tests", "past": 1})).await
    else {
        panic!("an event of unknown shape is an error")
    };
    assert!(error["errorMessage"].as_str().unwrap().contains("past"), "{error}");

    let request = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    let event = json!({"job": stack.job.name});
    let first = stack.planner.invoke_as(request, &event).await.answer();
    let again = stack.planner.invoke_as(request, &event).await.answer();
    let id = first["pass"].as_str().unwrap();
    assert!(id.ends_with("-8476a536e9f4"), "{id}");
    assert_eq!((outcome(&first), outcome(&again)), ((id, "running"), (id, "running")));
    let other = stack.trigger(json!({"id": "other"})).await;
    assert_eq!((outcome(&other), other["running"].as_str()), (("other", "skipped"), Some(id)));
    stack.until_end(&stack.pass(id), PASS_MAX).await;
    let late = stack.planner.invoke_as(request, &event).await.answer();
    assert_eq!(outcome(&late), (id, "ended"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_sends_again_what_nobody_does_and_clears_up_after_a_cancelled_pass() {
    let (stack, _oss) = stack().await;
    let pass = stack.pass("p1");
    stack.trigger(json!({"pass": "full", "id": "p1"})).await;
    let sweep = json!({"sweep": true, "job": stack.job.name});
    let swept = stack.planner.invoke(&sweep).await.answer();
    let one = json!({"job": stack.job.name, "pass": "p1", "slices": 1, "tasks": 0});
    assert_eq!(swept, json!({"swept": [one]}));
    assert!(stack.planner.log().contains(r#""StandsStill":0.0"#), "{}", stack.planner.log());

    stack.ledger.end_pass(&pass, PassState::Cancelled, None).await.unwrap();
    let swept = stack.planner.invoke(&json!({"sweep": true})).await.answer();
    assert_eq!(swept, json!({"swept": []}));
    assert!(stack.ledger.is_cleared(&pass).await.unwrap(), "its uploads are aborted");
    let Invoked::Failed(error) =
        stack.planner.invoke(&json!({"sweep": true, "job": "nobody's"})).await
    else {
        panic!("a sweep of a job that is not there is an error")
    };
    assert!(error["errorMessage"].as_str().unwrap().contains("nobody's"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_refused_when_a_copier_starts_stops_the_pass_for_that_reason() {
    let (stack, oss) = stack().await;
    let pass = stack.pass("p1");
    // The planner has opened both ends by now; the copier finds the key revoked.
    stack.trigger(json!({"pass": "full", "id": "p1"})).await;
    let revoked = Fault::Forbidden("InvalidAccessKeyId");
    oss.wire().rule(Rule::first("GetBucketInfo", revoked).at(1, u64::MAX));
    let row = stack.until_end(&pass, PASS_MAX).await;
    assert_eq!(row.state, PassState::Stopped);
    let reason = row.reason.unwrap();
    assert!(reason.contains("target") && reason.contains("InvalidAccessKeyId"), "{reason}");
    assert_eq!(format!("{}", stack.copier.told("Refusals")), "1");
    assert!(stack.mappings.iter().all(|mapping| mapping.dead_letters().is_empty()));
}
