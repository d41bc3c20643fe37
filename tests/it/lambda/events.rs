//! Events as AWS sends them and as the template's schedules and the operator's command do.

use ossferry_core::time::Timestamp;
use ossferry_host::Asked;
use ossferry_lambda::Event;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::PassKind;
use ossferry_tests::fixtures::root;

fn sample(name: &str) -> Event {
    let path = root().join("tests/testdata/events/lambda").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    Event::read(serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn every_stored_event_is_read() {
    let Event::Messages(records) = sample("sqs.json") else { panic!("messages") };
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.message_id, "059f36b4-87a3-44ab-83d2-661975830a7d");
    assert_eq!(record.receive_count(), 3);
    let Ok(Message::Task(task)) = Message::from_text(&record.body) else { panic!("a task") };
    assert_eq!(task.to_string(), "0.2/7");

    let Event::Asked(Asked::Trigger(trigger)) = sample("scheduler.json") else {
        panic!("a trigger")
    };
    assert_eq!((trigger.job, trigger.kind), ("photos".into(), Some(PassKind::Incremental)));
    assert_eq!(trigger.time, Timestamp::from_rfc3339("2026-11-26T03:00:00Z"));
    let Event::Asked(Asked::Trigger(trigger)) = sample("direct.json") else { panic!("a trigger") };
    assert_eq!(trigger.id, Some("20261122T100000Z-4f2a91".into()));
    assert_eq!(sample("scheduler-sweep.json"), Event::Asked(Asked::Sweep(None)));

    let folder = root().join("tests/testdata/events/lambda");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 4, "each is read above");
}
