//! Work that ends its worker: a panic each time, or a death each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::ports::{Outgoing, Row, Value};
use ossferry_ledger::ids::{SliceId, TaskRef};
use ossferry_ledger::messages::Message;
use ossferry_tests::clock;
use ossferry_tests::command::JobFile;
use ossferry_tests::fixtures::bytes_of;
use ossferry_tests::lambda::{LambdaLimits, Post, Stack};
use ossferry_tests::oss::Oss;
use ossferry_tests::wire::{Fault, Hook, Rule};

use super::passes::{PASS_MAX, look};

/// Objects of a test.
const OBJECTS: usize = 30;

async fn fill(oss: &Oss) -> BTreeMap<Key, Bytes> {
    let mut objects = BTreeMap::new();
    for number in 0..OBJECTS {
        let key = Key::from(format!("object-{number:02}"));
        let bytes = bytes_of(&key, 1, 100 + number);
        oss.origin().put(&key, &bytes).await;
        objects.insert(key, bytes);
    }
    objects
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_at_which_every_copier_panics_ends_among_the_dead_letters_and_can_be_sent_back() {
    let oss = Oss::start(clock::system()).await;
    let objects = fill(&oss).await;
    let job = JobFile::from_oss(&oss).limits("task_objects_max = 10").text();
    let visibility = Duration::from_mins(5);
    let post = Post { visibility, receive_count_max: 2, ..Post::default() };
    let stack = Stack::deploy(&job, &LambdaLimits { post, ..LambdaLimits::default() }).await;
    let pass = stack.plan("p1", PASS_MAX).await;
    let damaged = pass.slice(SliceId::root()).task(2);
    // No count of ours comes to that: who claims the row cannot write the next.
    let claimed = |times| {
        move |row: &mut Row| {
            row.attributes.insert("attempts".to_owned(), Value::Integer(times));
        }
    };
    stack.edit_task(&damaged, claimed(i64::MAX)).await;

    let [_, copiers] = &stack.mappings;
    copiers.until_dead(1, PASS_MAX).await;
    let letters = copiers.dead_letters();
    assert_eq!(letters, [Message::Task(damaged.clone()).to_text()]);
    assert_eq!(format!("{}", stack.copier.told("Panics")), "2", "{}", stack.copier.log());
    assert_eq!(stack.copier.figures().killed, 0, "no process ends by it");
    let status = stack.ledger.status(&pass).await.unwrap();
    assert_eq!((status.tasks_ended, status.totals.tasks), (2, 3), "the others are copied");

    stack.edit_task(&damaged, claimed(0)).await;
    let [_, queue] = &stack.queues;
    let sent = queue.send(&[Outgoing::now(letters[0].clone())]).await.unwrap();
    assert!(sent.refused.is_empty());
    stack.until_end(&pass, PASS_MAX).await;
    let report = look(&stack.ledger, &pass, &oss, &objects).await.report;
    assert_eq!((report.copied, report.failed), (30, 0), "{report:?}");
}

/// Whenever a copier has died: what its claim kept from the next one is over, as after a minute.
async fn end_leases_of_the_dead(stack: &Stack, task: &TaskRef) {
    let ended = |row: &mut Row| {
        let Some(Value::Text(lease)) = row.attributes.get_mut("lease") else { panic!("a lease") };
        let mut read: serde_json::Value = serde_json::from_str(lease).unwrap();
        read["until"] = 0.into();
        *lease = read.to_string();
    };
    let mut seen = 0;
    loop {
        let killed = stack.copier.figures().killed;
        if killed > seen {
            seen = killed;
            stack.edit_task(task, ended).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_kills_every_copier_ends_failed_by_name_and_the_rest_is_copied() {
    let oss = Oss::start(clock::system()).await;
    let mut objects = fill(&oss).await;
    let job = JobFile::from_oss(&oss).limits("task_objects_max = 30").text();
    let visibility = Duration::from_secs(3);
    let post = Post { visibility, receive_count_max: 1_000, ..Post::default() };
    let limits = LambdaLimits { post, copiers: 1, ..LambdaLimits::default() };
    let stack = Stack::deploy(&job, &limits).await;
    let poison = Key::from("object-07");
    let copier = Arc::clone(&stack.copier);
    let kills: Hook = Arc::new(move || {
        copier.strike();
        std::future::pending().boxed()
    });
    let pass = stack.plan("p1", PASS_MAX).await;
    oss.wire().rule(Rule::first("GetObject", Fault::After(kills)).of_key(&poison).every(1));

    let task = pass.slice(SliceId::root()).task(1);
    tokio::select! {
        _ = stack.until_end(&pass, PASS_MAX) => {}
        () = end_leases_of_the_dead(&stack, &task) => {}
    }
    objects.remove(&poison);
    let inspected = look(&stack.ledger, &pass, &oss, &objects).await;
    let report = &inspected.report;
    assert_eq!((report.copied, report.failed), (29, 1), "{report:?}");
    assert_eq!(inspected.outcomes[&poison], Outcome::Failed);
    let killed = stack.copier.figures().killed;
    // Twice among others, then three times alone.
    assert_eq!(killed, 5, "copiers were killed");
    assert!(stack.mappings.iter().all(|mapping| mapping.dead_letters().is_empty()));
}
