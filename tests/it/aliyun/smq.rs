use std::time::Duration;

use ossferry_aliyun::SmqQueue;
use ossferry_aliyun::smq::BodyEncoding;
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::ports::{Delivery, Outgoing, Queue};
use ossferry_http::Credentials;
use ossferry_tests::clock::{self, SteppedClock, system_now};
use ossferry_tests::smq::{Smq, credentials};
use smq_tablestore_emulator::Fault;
use smq_tablestore_emulator::smq::{DeadLetters, QueueAttributes};

const LONG: Duration = Duration::from_mins(1);

/// A queue that hides what it hands out for as long as these tests ask for.
fn hiding() -> QueueAttributes {
    QueueAttributes { visibility_seconds: LONG.as_secs(), ..QueueAttributes::default() }
}

async fn tasks() -> (Smq, SmqQueue) {
    let smq = Smq::start(clock::system()).await;
    let queue = smq.queue("tasks", hiding(), BodyEncoding::Base64);
    (smq, queue)
}

fn messages(count: usize) -> Vec<Outgoing> {
    (0..count).map(|number| Outgoing::now(format!("{{\"number\":{number}}}"))).collect()
}

async fn receive(queue: &SmqQueue) -> Vec<Delivery> {
    queue.receive(16, LONG, Duration::ZERO).await.expect("receive")
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    let mut bodies: Vec<_> = deliveries.iter().map(|delivery| delivery.body.as_str()).collect();
    bodies.sort_unstable();
    bodies
}

const BUSY: Fault =
    Fault::Refused { status: 403, code: "QpsLimitExceeded", message: "Request is limited." };

#[tokio::test]
async fn messages_that_a_batch_left_out_are_named_and_the_others_are_queued() {
    let (smq, queue) = tasks().await;
    smq.faults().on_next("BatchSendMessage", Fault::MessagesRefused(vec![0, 2]));
    let sent = queue.send(&messages(4)).await.expect("the batch is answered");
    assert_eq!(sent.refused, [0, 2]);
    assert_eq!(smq.faults().count("BatchSendMessage"), 1, "the caller sends them again");
    assert_eq!(bodies(&receive(&queue).await), ["{\"number\":1}", "{\"number\":3}"]);
}

#[tokio::test]
async fn a_message_left_out_of_the_second_request_of_a_batch_has_its_own_index() {
    let (smq, queue) = tasks().await;
    let batch = vec![Outgoing::now("k".repeat(20_000)); 3];
    smq.faults().on_next("BatchSendMessage", Fault::MessagesRefused(Vec::new()));
    smq.faults().on_next("BatchSendMessage", Fault::MessagesRefused(vec![0]));
    let sent = queue.send(&batch).await.expect("both requests are answered");
    assert_eq!(sent.refused, [2]);
    assert_eq!(smq.emulator().messages("tasks"), 2);
}

#[tokio::test]
async fn a_throttled_batch_is_sent_again_and_queued_once() {
    let (smq, queue) = tasks().await;
    for _ in 0..2 {
        smq.faults().on_next("BatchSendMessage", BUSY);
    }
    assert!(queue.send(&messages(3)).await.expect("sent").refused.is_empty());
    assert_eq!(smq.faults().count("BatchSendMessage"), 3);
    assert_eq!(smq.emulator().messages("tasks"), 3);
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_arrives_at_least_once() {
    let (smq, queue) = tasks().await;
    smq.faults().on_next("BatchSendMessage", Fault::AnswerLost);
    assert!(queue.send(&messages(1)).await.expect("sent").refused.is_empty());
    assert_eq!(smq.emulator().messages("tasks"), 2, "at least once");
    assert!(receive(&queue).await.iter().all(|delivery| delivery.body == "{\"number\":0}"));
}

#[tokio::test]
async fn what_was_handed_out_without_an_answer_comes_again_when_its_time_is_over() {
    let now = SteppedClock::at(system_now());
    let smq = Smq::start(now.clock()).await;
    smq.emulator().create_queue("tasks", hiding());
    let queue = smq.reach("tasks", BodyEncoding::Base64, &credentials(), now.clock());
    let _ = queue.send(&messages(1)).await.expect("sent");
    smq.faults().on_next("BatchReceiveMessage", Fault::AnswerLost);
    assert!(receive(&queue).await.is_empty(), "it is hidden");
    now.step(LONG);
    let again = receive(&queue).await;
    assert_eq!(again.iter().map(|delivery| delivery.receive_count).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_queue_that_hides_as_long_as_it_is_asked_for_costs_one_request() {
    let (smq, queue) = tasks().await;
    let _ = queue.send(&messages(3)).await.expect("sent");
    let received = receive(&queue).await;
    assert_eq!(received.len(), 3);
    assert_eq!(smq.faults().count("ChangeMessageVisibility"), 0);
    queue.receive(16, LONG * 2, Duration::ZERO).await.expect("nothing more");
    let _ = queue.send(&messages(2)).await.expect("sent");
    assert_eq!(queue.receive(16, LONG * 2, Duration::ZERO).await.expect("receive").len(), 2);
    assert_eq!(smq.faults().count("ChangeMessageVisibility"), 2, "one a message");
}

#[tokio::test]
async fn a_message_that_cannot_be_hidden_as_asked_is_left_to_the_next_receiver() {
    let (smq, queue) = tasks().await;
    let _ = queue.send(&messages(2)).await.expect("sent");
    smq.faults().on_next("ChangeMessageVisibility", Fault::AnswerLost);
    let received = queue.receive(16, LONG * 2, Duration::ZERO).await.expect("receive");
    assert_eq!(received.len(), 1);
    queue.ack(&received[0].receipt).await.expect("its receipt is the new one");
    assert_eq!(smq.emulator().messages("tasks"), 1);
}

#[tokio::test]
async fn a_lost_answer_to_an_extension_leaves_it_unknown_whose_the_message_is() {
    let (smq, queue) = tasks().await;
    let _ = queue.send(&messages(1)).await.expect("sent");
    let delivery = receive(&queue).await.remove(0);
    smq.faults().on_next("ChangeMessageVisibility", Fault::AnswerLost);
    let error = queue.extend(&delivery.receipt, LONG).await.expect_err("no answer");
    assert_eq!(error.conclusion, Conclusion::Unknown);
    assert_eq!(smq.faults().count("ChangeMessageVisibility"), 1, "not asked for again");
    // The old receipt is void: it acknowledges nothing, and says so to nobody.
    queue.ack(&delivery.receipt).await.expect("a stale receipt");
    assert_eq!(smq.emulator().messages("tasks"), 1);
    let error = queue.extend(&delivery.receipt, LONG).await.expect_err("a stale receipt");
    assert_eq!(
        (error.kind, error.conclusion),
        (ErrorKind::PreconditionFailed, Conclusion::Refused)
    );
}

#[tokio::test]
async fn a_throttled_extension_is_asked_for_again() {
    let (smq, queue) = tasks().await;
    let _ = queue.send(&messages(1)).await.expect("sent");
    let delivery = receive(&queue).await.remove(0);
    smq.faults().on_next("ChangeMessageVisibility", BUSY);
    let receipt = queue.extend(&delivery.receipt, LONG).await.expect("extend");
    assert_ne!(receipt, delivery.receipt, "the receipt is another from here on");
    queue.ack(&receipt).await.expect("acknowledge");
    assert_eq!(smq.emulator().messages("tasks"), 0);
}

#[tokio::test]
async fn a_lost_answer_to_an_acknowledgement_is_no_error() {
    let (smq, queue) = tasks().await;
    let _ = queue.send(&messages(1)).await.expect("sent");
    let delivery = receive(&queue).await.remove(0);
    smq.faults().on_next("DeleteMessage", Fault::AnswerLost);
    queue.ack(&delivery.receipt).await.expect("acknowledge");
    assert_eq!(smq.faults().count("DeleteMessage"), 2);
    assert_eq!(smq.emulator().messages("tasks"), 0);
}

#[tokio::test]
async fn a_message_handed_out_too_often_stands_among_the_dead_letters() {
    let now = SteppedClock::at(system_now());
    let smq = Smq::start(now.clock()).await;
    let letters = DeadLetters { queue: "dead".to_owned(), receive_count_max: 2 };
    smq.emulator().create_queue("dead", hiding());
    smq.emulator()
        .create_queue("tasks", QueueAttributes { dead_letters: Some(letters), ..hiding() });
    let reach = |name| smq.reach(name, BodyEncoding::Base64, &credentials(), now.clock());
    let (tasks, dead) = (reach("tasks"), reach("dead"));
    let _ = tasks.send(&messages(1)).await.expect("sent");
    for count in [1, 2] {
        assert_eq!(receive(&tasks).await[0].receive_count, count);
        now.step(LONG);
    }
    assert!(receive(&tasks).await.is_empty());
    assert_eq!(bodies(&receive(&dead).await), ["{\"number\":0}"]);
}

#[tokio::test]
async fn either_encoding_is_read_by_whoever_receives() {
    let smq = Smq::start(clock::system()).await;
    let base64 = smq.queue("tasks", hiding(), BodyEncoding::Base64);
    let plain = smq.queue("tasks", hiding(), BodyEncoding::Plain);
    for (sender, receiver) in [(&base64, &plain), (&plain, &base64)] {
        let _ = sender.send(&messages(1)).await.expect("sent");
        let received = receive(receiver).await;
        assert_eq!(bodies(&received), ["{\"number\":0}"]);
        receiver.ack(&received[0].receipt).await.expect("acknowledge");
    }
}

#[tokio::test]
async fn plain_bodies_come_back_byte_for_byte() {
    let smq = Smq::start(clock::system()).await;
    let queue = smq.queue("tasks", hiding(), BodyEncoding::Plain);
    ossferry_conformance::queue::bodies_come_back_byte_for_byte(&queue).await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_an_hour_is_set_right() {
    let smq = Smq::start(clock::system()).await;
    smq.emulator().create_queue("tasks", hiding());
    let late = std::sync::Arc::new(|| system_now().minus(Duration::from_hours(1)));
    let queue = smq.reach("tasks", BodyEncoding::Base64, &credentials(), late);
    assert!(queue.send(&messages(1)).await.expect("sent").refused.is_empty());
    assert_eq!(receive(&queue).await.len(), 1);
}

#[tokio::test]
async fn a_refused_account_is_final_and_its_secret_is_not_told() {
    let smq = Smq::start(clock::system()).await;
    smq.emulator().create_queue("tasks", hiding());
    let good = credentials();
    for (wrong, code) in [
        (Credentials { access_key: "OTHER".to_owned(), ..good.clone() }, "InvalidAccessKeyId"),
        (Credentials { secret_key: "other".to_owned(), ..good.clone() }, "SignatureDoesNotMatch"),
        (Credentials { token: Some("other".to_owned()), ..good.clone() }, "InvalidSecurityToken"),
    ] {
        let queue = smq.reach("tasks", BodyEncoding::Base64, &wrong, clock::system());
        let error = queue.send(&messages(1)).await.expect_err("refused");
        assert_eq!(
            (error.kind, error.is_transient()),
            (ErrorKind::AccountRefused, false),
            "{code}"
        );
        assert!(error.message.contains(code), "{error}");
        assert!(!error.to_string().contains(&wrong.secret_key), "{error}");
    }
    let absent = smq.reach("absent", BodyEncoding::Base64, &good, clock::system());
    let error = absent.receive(1, LONG, Duration::ZERO).await.expect_err("no such queue");
    assert!(error.message.contains("QueueNotExist") && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_batch_that_no_request_takes_is_refused_before_it_is_sent() {
    let (smq, queue) = tasks().await;
    for batch in [messages(17), vec![Outgoing::now("k".repeat(65_536))]] {
        let error = queue.send(&batch).await.expect_err("too large");
        assert_eq!((error.kind, error.is_transient()), (ErrorKind::Unsupported, false));
    }
    assert!(queue.send(&[]).await.expect("nothing to send").refused.is_empty());
    assert_eq!(smq.faults().count("BatchSendMessage"), 0);
}
