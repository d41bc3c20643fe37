//! What the queue's suite leaves open, as SQS does it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use ossferry_aws::SqsQueue;
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::meter::Meter;
use ossferry_core::ports::{Outgoing, Queue, Receipt};
use ossferry_core::usage;
use ossferry_ledger::ids::{PassRef, SliceId};
use ossferry_ledger::messages::Message;
use ossferry_tests::ministack::{Ministack, queues_at};
use ossferry_tests::wire::{Fault, Rule, Wire};

const WAIT: Duration = Duration::from_secs(5);

fn message(job: &str) -> Outgoing {
    let pass = PassRef { job: job.into(), pass: "p1".into() };
    Outgoing::now(Message::Slice(pass.slice(SliceId::root())).to_text())
}

async fn send(queue: &SqsQueue, batch: &[Outgoing]) {
    assert!(queue.send(batch).await.expect("send").refused.is_empty());
}

#[tokio::test]
async fn a_message_is_of_the_group_of_its_job() {
    let ministack = Ministack::shared();
    let url = ministack.fresh_queue().await;
    send(&SqsQueue::new(ministack.queues(), url.clone(), None), &[message("nightly")]).await;
    send(&SqsQueue::new(ministack.queues(), url.clone(), Some("all".to_owned())), &[message("j")])
        .await;
    let mut groups = Vec::new();
    while groups.len() < 2 {
        let call = ministack.queues().receive_message().queue_url(&url).wait_time_seconds(5);
        let name = MessageSystemAttributeName::MessageGroupId;
        let received = call.message_system_attribute_names(name.clone()).send().await.unwrap();
        for message in received.messages() {
            groups.push(message.attributes().unwrap()[&name].clone());
        }
    }
    groups.sort_unstable();
    assert_eq!(groups, ["all", "nightly"]);
}

#[tokio::test]
async fn what_sqs_cannot_carry_is_refused_whole_and_nothing_is_sent() {
    let ministack = Ministack::shared();
    let wire = Wire::before_server(ministack.address()).await;
    let url = ministack.fresh_queue().await;
    let queue = SqsQueue::new(queues_at(&wire.endpoint()), url, None);
    let batch = [message("j"), Outgoing::now("{\"key\":\"\u{FFFE}\"}".to_owned())];
    let error = queue.send(&batch).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::Unsupported, Conclusion::Refused));
    assert_eq!(wire.total(), 0);
}

#[tokio::test]
async fn more_bytes_than_one_call_takes_go_in_several() {
    let ministack = Ministack::shared();
    let attributes =
        HashMap::from([(QueueAttributeName::MaximumMessageSize, "1048576".to_owned())]);
    let url = ministack.queue_with(&attributes).await;
    let meter = Arc::<Meter>::default();
    let queue = SqsQueue::new(ministack.queues(), url, None).metered(Arc::clone(&meter));
    let batch: Vec<_> = (0..3).map(|_| Outgoing::now("k".repeat(600 << 10))).collect();
    send(&queue, &batch).await;
    let counts = meter.take();
    assert_eq!((counts["SendMessageBatch"], counts[usage::QUEUE_REQUESTS]), (3, 30));
}

#[tokio::test]
async fn a_throttled_call_is_repeated_and_one_that_lasts_is_told() {
    let ministack = Ministack::shared();
    let wire = Wire::before_server(ministack.address()).await;
    let url = ministack.fresh_queue().await;
    let queue = SqsQueue::new(queues_at(&wire.endpoint()), url, None);
    let throttled = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slower"}"#;
    wire.rule(Rule::first("SendMessageBatch", Fault::Json(throttled)).at(1, 2));
    send(&queue, &[message("j")]).await;
    assert_eq!(wire.count("SendMessageBatch"), 3);
    let crowded = r#"{"__type":"com.amazonaws.sqs#OverLimit","message":"too many in flight"}"#;
    wire.rule(Rule::first("ReceiveMessage", Fault::Json(crowded)).every(1));
    let error = queue.receive(1, WAIT, Duration::ZERO).await.unwrap_err();
    assert_eq!((error.kind, error.conclusion), (ErrorKind::Throttled, Conclusion::NotDone));
    wire.clear_rules();
    let received = queue.receive(1, WAIT, WAIT).await.unwrap();
    assert_eq!(received[0].body, message("j").body);
}

#[tokio::test]
async fn an_expired_receipt_ends_an_acknowledgement_and_refuses_an_extension() {
    let ministack = Ministack::shared();
    let wire = Wire::before_server(ministack.address()).await;
    let url = ministack.fresh_queue().await;
    let queue = SqsQueue::new(queues_at(&wire.endpoint()), url, None);
    let expired = r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"Value AQ for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."}"#;
    wire.rule(Rule::first("DeleteMessage", Fault::Json(expired)));
    wire.rule(Rule::first("ChangeMessageVisibility", Fault::Json(expired)));
    let receipt = Receipt("AQ".to_owned());
    queue.ack(&receipt).await.unwrap();
    let error = queue.extend(&receipt, WAIT).await.unwrap_err();
    assert_eq!(error.conclusion, Conclusion::Refused, "{error}");
}

#[tokio::test]
async fn a_lost_answer_to_a_send_doubles_a_message_at_worst() {
    let ministack = Ministack::shared();
    let wire = Wire::before_server(ministack.address()).await;
    let url = ministack.fresh_queue().await;
    let queue = SqsQueue::new(queues_at(&wire.endpoint()), url, None);
    wire.rule(Rule::first("SendMessageBatch", Fault::AnswerLost));
    send(&queue, &[message("j")]).await;
    assert_eq!(wire.count("SendMessageBatch"), 2);
    let received = queue.receive(10, WAIT, WAIT).await.unwrap();
    assert!(received.iter().all(|delivery| delivery.body == message("j").body));
}
