//! What invokes a function: a timer, `EventBridge` with messages of a queue, a person, another function.
//!
//! Shapes are those of the manual ("Function Compute: Event formats of triggers", 2026).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ossferry_host::{AskError, Asked};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A message of the function's queue that `EventBridge` took out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushedMessage {
    /// The queue's id of it; empty where the event does not say.
    pub id: String,
    /// As sent.
    pub body: String,
}

/// What a function is invoked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Receive from the queue, for at most so long where it is said.
    Pull(Option<Duration>),
    /// Messages of the function's queue.
    Messages(Vec<PushedMessage>),
    /// A pass or a sweep.
    Asked(Asked),
}

/// Why an event is not understood.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Neither a pull nor messages nor what else is asked.
    #[error(transparent)]
    Asked(#[from] AskError),
    /// No JSON.
    #[error("an event that is no JSON: {0}")]
    Json(serde_json::Error),
    /// A pull with a field that is missing, unknown or of another type.
    #[error("pull event: {0}")]
    Pull(serde_json::Error),
    /// A timer whose payload is none of ours.
    #[error("timer event of {trigger}: its payload is no JSON object: {error}")]
    TimerPayload {
        /// The trigger's name.
        trigger: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// An element that holds no message.
    #[error("event {0} of the queue trigger holds no messageBody")]
    NoBody(usize),
    /// A copier takes no triggers.
    #[error("a copier pulls or takes messages of its queue, and was triggered")]
    NotForCopiers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimerShape {
    trigger_time: String,
    #[serde(default)]
    trigger_name: String,
    payload: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PullShape {
    #[expect(dead_code, reason = "its being there, and true, is what tells the shape")]
    pull: bool,
    seconds: Option<u64>,
}

impl Event {
    /// Reads the bytes of an event.
    pub fn read(bytes: &[u8]) -> Result<Self, EventError> {
        Self::of(serde_json::from_slice(bytes).map_err(EventError::Json)?)
    }

    fn of(event: Value) -> Result<Self, EventError> {
        match event {
            Value::Array(elements) => messages(elements),
            Value::Object(fields) if is_message(&fields) => messages(vec![Value::Object(fields)]),
            Value::Object(fields) if fields.contains_key("triggerTime") => timer(fields),
            Value::Object(fields) if fields.get("pull") == Some(&Value::Bool(true)) => {
                let shape: Result<PullShape, _> = serde_json::from_value(Value::Object(fields));
                let PullShape { seconds, .. } = shape.map_err(EventError::Pull)?;
                Ok(Self::Pull(seconds.map(Duration::from_secs)))
            }
            other => Ok(Self::Asked(Asked::read(other)?)),
        }
    }
}

/// What a timer carries; a pass that it asks for is of the time that the timer was planned for.
fn timer(fields: Map<String, Value>) -> Result<Event, EventError> {
    let shape: Result<TimerShape, _> = serde_json::from_value(Value::Object(fields));
    let unreadable =
        |trigger: &str, error| EventError::TimerPayload { trigger: trigger.to_owned(), error };
    let TimerShape { trigger_time, trigger_name, payload } =
        shape.map_err(|error| unreadable("no name", error))?;
    let payload = match payload {
        Value::String(text) => serde_json::from_str(&text),
        payload => serde_json::from_value(payload),
    };
    let mut payload: Map<String, Value> =
        payload.map_err(|error| unreadable(&trigger_name, error))?;
    let is_pass = payload.contains_key("job") && !payload.contains_key("sweep");
    if is_pass && !payload.contains_key("time") {
        payload.insert("time".to_owned(), Value::String(trigger_time));
    }
    if is_message(&payload) || payload.contains_key("triggerTime") {
        // One timer carries one thing, and no other event.
        let fields = payload.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(AskError::Shape(fields).into());
    }
    Event::of(Value::Object(payload))
}

/// With `CloudEvents` as schema a message stands in `data`, with `RawData` it stands by itself.
fn is_message(fields: &Map<String, Value>) -> bool {
    fields.contains_key("messageBody")
        || fields.get("data").is_some_and(|data| data.get("messageBody").is_some())
}

fn messages(elements: Vec<Value>) -> Result<Event, EventError> {
    let read = |(index, element)| message(element).ok_or(EventError::NoBody(index));
    let messages: Result<Vec<_>, _> = elements.into_iter().enumerate().map(read).collect();
    Ok(Event::Messages(messages?))
}

/// An element may be an object, or the text of one.
fn message(element: Value) -> Option<PushedMessage> {
    let element = match element {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        element => element,
    };
    let message = element.get("data").unwrap_or(&element);
    let id = message.get("messageId").and_then(Value::as_str).unwrap_or_default();
    let body = match message.get("messageBody")? {
        Value::String(text) => plain(text),
        parsed => parsed.to_string(),
    };
    Some(PushedMessage { id: id.to_owned(), body })
}

/// A body is JSON, or its base64 where whoever sent it wrote it so.
fn plain(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return text.to_owned();
    }
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(event: &Value) -> Result<Event, EventError> {
        Event::read(event.to_string().as_bytes())
    }

    #[test]
    fn a_pull_may_say_for_how_long() {
        assert_eq!(read(&json!({"pull": true})).unwrap(), Event::Pull(None));
        let event = json!({"pull": true, "seconds": 20});
        assert_eq!(read(&event).unwrap(), Event::Pull(Some(Duration::from_secs(20))));
    }

    #[test]
    fn a_timer_carries_any_of_them_and_names_the_time_of_a_pass() {
        let timer = |payload: Value| json!({"triggerTime": "2026-11-26T03:00:00Z", "triggerName": "t", "payload": payload});
        let payload = r#"{"job":"photos","pass":"incremental"}"#;
        for payload in [json!(payload), serde_json::from_str(payload).unwrap()] {
            let event = read(&timer(payload)).unwrap();
            let Event::Asked(Asked::Trigger(trigger)) = event else { panic!("{event:?}") };
            assert_eq!(trigger.time.unwrap().to_string(), "2026-11-26T03:00:00.000Z");
        }
        assert_eq!(read(&timer(json!(r#"{"pull":true}"#))).unwrap(), Event::Pull(None));
        let sweep = Event::Asked(Asked::Sweep(Some("a".into())));
        assert_eq!(read(&timer(json!(r#"{"sweep":true,"job":"a"}"#))).unwrap(), sweep);
    }

    #[test]
    fn messages_come_as_arrays_objects_and_texts_with_bodies_as_text_or_parsed() {
        let body = r#"{"version":1}"#;
        let base64 = STANDARD.encode(body);
        for body in [json!(body), json!({"version": 1}), json!(base64)] {
            let cloud_event =
                json!({"specversion": "1.0", "data": {"messageId": "m", "messageBody": body}});
            let raw = json!({"messageId": "m", "messageBody": body});
            for event in [
                json!([cloud_event]),
                cloud_event.clone(),
                json!([cloud_event.to_string()]),
                json!([raw]),
                raw,
            ] {
                let message =
                    PushedMessage { id: "m".to_owned(), body: r#"{"version":1}"#.to_owned() };
                assert_eq!(read(&event).unwrap(), Event::Messages(vec![message]), "{event}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let timer = |payload: &str| json!({"triggerTime": "t", "triggerName": "nightly", "payload": payload});
        for (event, named) in [
            (timer("awesome-fc"), "nightly"),
            (timer(""), "nightly"),
            (timer(r#"{"messageBody":"x"}"#), "messageBody"),
            (json!({"pull": true, "minutes": 3}), "minutes"),
            (json!({"pull": false}), "unknown shape"),
            (json!([{"data": {}}]), "event 0"),
            (json!(["no JSON"]), "event 0"),
            (json!({"job": "a", "passs": "full"}), "passs"),
        ] {
            let error = read(&event).unwrap_err().to_string();
            assert!(error.contains(named), "{event}: {error}");
        }
        assert!(Event::read(b"").unwrap_err().to_string().contains("no JSON"));
    }
}
