//! Every [`Queue`] must pass each function here.
//!
//! A queue starts empty and belongs to one case at a time. Nothing is asserted of the order of
//! messages, and one that comes again is no failure where the contract allows it.

#![expect(missing_docs, reason = "the name of a case is the sentence it proves")]

use std::collections::BTreeSet;
use std::time::Duration;

use ossferry_core::error::Conclusion;
use ossferry_core::ports::{Delivery, Outgoing, Queue, Receipt};
use tokio::time::{Instant, sleep};

use crate::fresh;

/// Queues of the clouds count in whole seconds.
const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_mins(1);

/// How long a message may take to arrive before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

#[doc(hidden)]
#[macro_export]
macro_rules! queue_cases {
    ($run:ident $given:tt) => {
        $crate::$run! { queue $given [
            a_message_is_delivered_as_it_was_sent
            bodies_come_back_byte_for_byte
            a_batch_of_the_largest_size_is_delivered
            a_receiver_gets_no_more_than_it_asked_for
            a_received_message_is_hidden
            a_message_not_acknowledged_appears_again_and_is_counted
            an_acknowledged_message_does_not_appear_again
            acknowledging_twice_is_no_error
            acknowledging_by_an_old_receipt_is_no_error
            an_extended_message_stays_hidden_and_its_receipt_works
            an_extension_may_shorten_the_wait
            extending_what_another_received_is_refused
            extending_what_was_acknowledged_is_refused
            a_delayed_message_comes_later
            receiving_waits_for_a_message_sent_meanwhile
            receiving_from_an_empty_queue_ends_in_time
            messages_sent_at_once_by_many_all_arrive
        ] }
    };
}

/// Runs every case and names the one that fails.
pub async fn every(queue: &dyn Queue) {
    queue_cases! { run_cases (queue) }
}

fn bodies(count: usize) -> Vec<String> {
    let case = fresh("message");
    (0..count).map(|number| format!("{{\"case\":\"{case}\",\"number\":{number}}}")).collect()
}

/// Sends until the queue has taken every message.
async fn send(queue: &dyn Queue, bodies: &[String], delay: Duration) {
    let mut left: Vec<_> =
        bodies.iter().map(|body| Outgoing { body: body.clone(), delay }).collect();
    let until = Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(Instant::now() < until, "the queue does not take every message");
        let batch: Vec<_> = left.drain(..left.len().min(queue.batch_max())).collect();
        let refused = queue.send(&batch).await.expect("send messages").refused;
        let distinct: BTreeSet<_> = refused.iter().copied().collect();
        assert_eq!(distinct.len(), refused.len(), "a message is named twice: {refused:?}");
        assert!(refused.iter().all(|index| *index < batch.len()), "no such message: {refused:?}");
        left.extend(distinct.into_iter().map(|index| batch[index].clone()));
    }
}

async fn send_one(queue: &dyn Queue) -> String {
    let bodies = bodies(1);
    send(queue, &bodies, Duration::ZERO).await;
    bodies.into_iter().next().expect("one was made")
}

/// Receives until every body has come, and acknowledges all others.
async fn receive_all(queue: &dyn Queue, bodies: &[String], visibility: Duration) -> Vec<Delivery> {
    let until = Instant::now() + PATIENCE;
    let mut missing: BTreeSet<_> = bodies.iter().map(String::as_str).collect();
    let mut received = Vec::new();
    while !missing.is_empty() {
        assert!(Instant::now() < until, "these did not arrive: {missing:?}");
        let wait = Duration::from_secs(1);
        for delivery in queue.receive(10, visibility, wait).await.expect("receive") {
            assert!(delivery.receive_count >= 1);
            if missing.remove(delivery.body.as_str()) {
                received.push(delivery);
            } else {
                queue.ack(&delivery.receipt).await.expect("acknowledge");
            }
        }
    }
    received
}

async fn receive_one(queue: &dyn Queue, body: &str, visibility: Duration) -> Delivery {
    let received = receive_all(queue, &[body.to_owned()], visibility).await;
    received.into_iter().next().expect("it was waited for")
}

async fn assert_hidden(queue: &dyn Queue, body: &str, during: Duration) {
    let until = Instant::now() + during;
    while let left = until.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        for delivery in queue.receive(10, SHORT, left).await.expect("receive") {
            assert_ne!(delivery.body, body, "the message was to stay hidden");
        }
    }
}

async fn ack(queue: &dyn Queue, receipt: &Receipt) {
    queue.ack(receipt).await.expect("acknowledge");
}

pub async fn a_message_is_delivered_as_it_was_sent(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, LONG).await;
    assert_eq!(delivery.receive_count, 1);
    ack(queue, &delivery.receipt).await;
}

pub async fn bodies_come_back_byte_for_byte(queue: &dyn Queue) {
    let case = fresh("escapes");
    let bodies = [
        format!(r#"{{"{case}":"\" \\ \/ \b \f \n \r \t \u0000 \u001f \u00e9 \ud83d\ude80"}}"#),
        format!("{{\"{case}\":\"\u{1F680} caf\u{e9} cafe\u{301} <b>&amp;</b> ' %41 + ; =\"}}"),
        format!("{{\n\t\"{case}\" : [ 1, 2.5e-3, true, null ]\r\n}}"),
        format!("{{\"{case}\":\"{}\"}}", "k".repeat(900)),
    ];
    send(queue, &bodies, Duration::ZERO).await;
    for delivery in receive_all(queue, &bodies, LONG).await {
        ack(queue, &delivery.receipt).await;
    }
}

pub async fn a_batch_of_the_largest_size_is_delivered(queue: &dyn Queue) {
    assert!(queue.batch_max() > 0);
    let bodies = bodies(queue.batch_max());
    send(queue, &bodies, Duration::ZERO).await;
    for delivery in receive_all(queue, &bodies, LONG).await {
        ack(queue, &delivery.receipt).await;
    }
}

pub async fn a_receiver_gets_no_more_than_it_asked_for(queue: &dyn Queue) {
    let bodies = bodies(5);
    send(queue, &bodies, Duration::ZERO).await;
    let some = queue.receive(2, SHORT, PATIENCE).await.expect("receive");
    assert!((1..=2).contains(&some.len()), "{} messages", some.len());
    for delivery in receive_all(queue, &bodies, LONG).await {
        ack(queue, &delivery.receipt).await;
    }
}

pub async fn a_received_message_is_hidden(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, LONG).await;
    assert_hidden(queue, &body, SHORT).await;
    ack(queue, &delivery.receipt).await;
}

pub async fn a_message_not_acknowledged_appears_again_and_is_counted(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let mut count = 0;
    for _ in 0..3 {
        let delivery = receive_one(queue, &body, SHORT).await;
        assert!(delivery.receive_count > count, "{} after {count}", delivery.receive_count);
        count = delivery.receive_count;
    }
    let delivery = receive_one(queue, &body, LONG).await;
    ack(queue, &delivery.receipt).await;
}

pub async fn an_acknowledged_message_does_not_appear_again(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, SHORT).await;
    ack(queue, &delivery.receipt).await;
    assert_hidden(queue, &body, 2 * SHORT).await;
}

pub async fn acknowledging_twice_is_no_error(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, LONG).await;
    ack(queue, &delivery.receipt).await;
    ack(queue, &delivery.receipt).await;
}

pub async fn acknowledging_by_an_old_receipt_is_no_error(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let old = receive_one(queue, &body, SHORT).await;
    let new = receive_one(queue, &body, LONG).await;
    assert_ne!(old.receipt, new.receipt, "a receipt names one delivery");
    ack(queue, &old.receipt).await;
    ack(queue, &new.receipt).await;
    ack(queue, &old.receipt).await;
}

pub async fn an_extended_message_stays_hidden_and_its_receipt_works(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, SHORT).await;
    let once = queue.extend(&delivery.receipt, SHORT).await.expect("extend");
    let twice = queue.extend(&once, LONG).await.expect("extend again");
    assert_hidden(queue, &body, 2 * SHORT).await;
    ack(queue, &twice).await;
    assert_hidden(queue, &body, SHORT).await;
}

pub async fn an_extension_may_shorten_the_wait(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, LONG).await;
    queue.extend(&delivery.receipt, SHORT).await.expect("extend");
    let again = receive_one(queue, &body, LONG).await;
    ack(queue, &again.receipt).await;
}

pub async fn extending_what_another_received_is_refused(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let old = receive_one(queue, &body, SHORT).await;
    let new = receive_one(queue, &body, LONG).await;
    let error = queue.extend(&old.receipt, LONG).await.expect_err("the delivery is another's");
    assert_eq!(error.conclusion, Conclusion::Refused, "{error}");
    let receipt = queue.extend(&new.receipt, LONG).await.expect("extend");
    ack(queue, &receipt).await;
}

pub async fn extending_what_was_acknowledged_is_refused(queue: &dyn Queue) {
    let body = send_one(queue).await;
    let delivery = receive_one(queue, &body, LONG).await;
    ack(queue, &delivery.receipt).await;
    let error = queue.extend(&delivery.receipt, LONG).await.expect_err("the message is gone");
    assert_eq!(error.conclusion, Conclusion::Refused, "{error}");
}

pub async fn a_delayed_message_comes_later(queue: &dyn Queue) {
    let bodies = bodies(1);
    let delay = 2 * SHORT;
    let sent = Instant::now();
    send(queue, &bodies, delay).await;
    let delivery = receive_one(queue, &bodies[0], LONG).await;
    // Half of it, because a cloud may count whole seconds on a clock of its own.
    assert!(sent.elapsed() >= delay / 2, "came after {:?} of {delay:?}", sent.elapsed());
    ack(queue, &delivery.receipt).await;
}

pub async fn receiving_waits_for_a_message_sent_meanwhile(queue: &dyn Queue) {
    let begun = Instant::now();
    let (received, body) = tokio::join!(queue.receive(1, LONG, PATIENCE), async {
        sleep(SHORT / 2).await;
        send_one(queue).await
    });
    let received = received.expect("receive");
    assert_eq!(received.iter().map(|delivery| &delivery.body).collect::<Vec<_>>(), [&body]);
    assert!(begun.elapsed() < PATIENCE, "it came only at the end of the wait");
    ack(queue, &received[0].receipt).await;
}

pub async fn receiving_from_an_empty_queue_ends_in_time(queue: &dyn Queue) {
    for wait in [Duration::ZERO, SHORT] {
        let begun = Instant::now();
        let received = queue.receive(10, SHORT, wait).await.expect("receive");
        assert!(received.is_empty(), "{received:?}");
        assert!(begun.elapsed() < wait + 2 * SHORT, "waited {:?} of {wait:?}", begun.elapsed());
    }
}

pub async fn messages_sent_at_once_by_many_all_arrive(queue: &dyn Queue) {
    let bodies = bodies(40);
    let senders = bodies.chunks(5).map(|bodies| send(queue, bodies, Duration::ZERO));
    let (_, received) =
        tokio::join!(futures::future::join_all(senders), receive_all(queue, &bodies, LONG),);
    for delivery in received {
        ack(queue, &delivery.receipt).await;
    }
}
