//! Events as Function Compute's triggers send them and as the operator's command does.

use std::time::Duration;

use ossferry_core::time::Timestamp;
use ossferry_fc::Event;
use ossferry_host::Asked;
use ossferry_ledger::messages::Message;
use ossferry_ledger::rows::PassKind;
use ossferry_tests::fixtures::root;

fn sample(name: &str) -> Event {
    let path = root().join("tests/testdata/events/fc").join(name);
    Event::read(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_stored_event_is_read() {
    let pushed = ["array", "object", "strings", "base64"];
    for form in pushed {
        let event = sample(&format!("eventbridge-{form}.json"));
        let Event::Messages(messages) = event else { panic!("{form}: {event:?}") };
        let [message] = messages.as_slice() else { panic!("{form}: {messages:?}") };
        assert_eq!(message.id, "9D3B7C2E1F0A4B5C8D6E");
        let Ok(Message::Task(task)) = Message::from_text(&message.body) else { panic!("{form}") };
        assert_eq!(task.to_string(), "0.2/7");
    }

    let Event::Asked(Asked::Trigger(trigger)) = sample("timer-pass.json") else { panic!() };
    assert_eq!((trigger.job, trigger.kind), ("photos".into(), Some(PassKind::Incremental)));
    assert_eq!(trigger.time, Timestamp::from_rfc3339("2026-11-26T03:00:00Z"));
    let Event::Asked(Asked::Trigger(trigger)) = sample("direct.json") else { panic!() };
    assert_eq!(trigger.id, Some("20261122T100000Z-4f2a91".into()));
    assert_eq!(sample("timer-sweep.json"), Event::Asked(Asked::Sweep(None)));
    assert_eq!(sample("timer-pull.json"), Event::Pull(None));
    assert_eq!(sample("direct-pull.json"), Event::Pull(Some(Duration::from_mins(10))));

    let folder = root().join("tests/testdata/events/fc");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), pushed.len() + 5, "each is read above");
}
