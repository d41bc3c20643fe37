//! What a function answers to messages.

use serde::Serialize;

/// The answer to messages: those that the queue is to deliver again.
///
/// The event source mapping must report partial failures, or it deletes what is named here.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// Everything else is deleted.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A message that was not dealt with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its id.
    pub item_identifier: String,
}
