//! What invokes a function: messages of its queue, a schedule, a person.

use ossferry_host::{AskError, Asked};
use serde::Deserialize;
use serde_json::Value;

/// What an event source mapping calls the queues it reads.
const SQS_SOURCE: &str = "aws:sqs";

/// A message as the event source mapping hands it over.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// Named in the answer where the message was not dealt with.
    pub message_id: String,
    /// Names this delivery.
    pub receipt_handle: String,
    /// As sent.
    pub body: String,
    /// `aws:sqs`.
    event_source: String,
    attributes: SqsAttributes,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsAttributes {
    /// A decimal number.
    approximate_receive_count: String,
}

impl SqsRecord {
    /// From 1: how often the message was delivered.
    pub fn receive_count(&self) -> u32 {
        self.attributes.approximate_receive_count.parse().unwrap_or(1)
    }
}

/// What a function is invoked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Messages of the function's queue.
    Messages(Vec<SqsRecord>),
    /// A pass or a sweep.
    Asked(Asked),
}

/// Why an event is not understood.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Neither messages nor what else is asked.
    #[error(transparent)]
    Asked(#[from] AskError),
    /// Messages with a field that is missing or of another type.
    #[error("sqs event: {0}")]
    Messages(serde_json::Error),
    /// A mapping of another service.
    #[error("records of {0}: want {SQS_SOURCE}")]
    Source(String),
    /// A copier takes messages only.
    #[error("a copier takes messages of its queue only, and was triggered")]
    NotForCopiers,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessagesShape {
    records: Vec<SqsRecord>,
}

impl Event {
    /// Reads an event.
    pub fn read(event: Value) -> Result<Self, EventError> {
        if event.get("Records").is_none() {
            return Ok(Self::Asked(Asked::read(event)?));
        }
        let shape: Result<MessagesShape, _> = serde_json::from_value(event);
        let MessagesShape { records } = shape.map_err(EventError::Messages)?;
        let foreign = records.iter().find(|record| record.event_source != SQS_SOURCE);
        match foreign {
            Some(record) => Err(EventError::Source(record.event_source.clone())),
            None => Ok(Self::Messages(records)),
        }
    }

    /// Reads an event of a function that takes messages only.
    pub fn read_messages(event: Value) -> Result<Vec<SqsRecord>, EventError> {
        match Self::read(event)? {
            Self::Messages(records) => Ok(records),
            Self::Asked(_) => Err(EventError::NotForCopiers),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_that_are_no_messages_are_refused_by_name() {
        let foreign = json!({"messageId": "m", "receiptHandle": "r", "body": "b",
            "eventSource": "aws:kinesis", "attributes": {"ApproximateReceiveCount": "1"}});
        for (event, named) in [
            (json!({"Records": [{"eventSource": "aws:kinesis"}]}), "sqs event"),
            (json!({"Records": [foreign]}), "aws:kinesis"),
            (json!({"sweep": false}), "unknown shape"),
        ] {
            let error = Event::read(event.clone()).unwrap_err().to_string();
            assert!(error.contains(named), "{event}: {error}");
        }
    }
}
