//! What SQS takes in one call: so many messages, so many bytes, and no character that XML lacks.

use std::ops::Range;

use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::ports::Outgoing;
use serde::Deserialize;

/// Messages of one call.
pub(super) const BATCH_MESSAGES_MAX: usize = 10;

/// Bytes of one message, and of all messages of one call (`SendMessageBatch`, November 2026).
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Bytes of a group's name.
const GROUP_BYTES_MAX: usize = 128;

/// Parts a batch into calls. Refuses it whole, with nothing sent, where a message can never be sent.
pub(super) fn batches(batch: &[Outgoing]) -> Result<Vec<Range<usize>>, PortError> {
    let mut calls: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, Outgoing { body, .. }) in batch.iter().enumerate() {
        check(body)?;
        bytes += body.len();
        match calls.last_mut() {
            Some(call) if call.len() < BATCH_MESSAGES_MAX && bytes <= BATCH_BYTES_MAX => {
                call.end = index + 1;
            }
            _ => {
                calls.push(index..index + 1);
                bytes = body.len();
            }
        }
    }
    Ok(calls)
}

fn check(body: &str) -> Result<(), PortError> {
    let refused = |cause: String| {
        Err(PortError::new(ErrorKind::Unsupported, format!("SendMessageBatch: {cause}")))
    };
    if body.is_empty() || body.len() > BATCH_BYTES_MAX {
        return refused(format!("a message of {} bytes", body.len()));
    }
    match body.chars().find(|character| !is_carried(*character)) {
        Some(character) => refused(format!("a message holds U+{:04X}", u32::from(character))),
        None => Ok(()),
    }
}

/// Whether SQS carries a character: those of XML 1.0, and no other.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[derive(Deserialize)]
struct Named {
    job: String,
}

/// The group of a message: the job that its body names, where that is a name for a group.
pub(super) fn group_of(body: &str) -> Option<String> {
    let Named { job } = serde_json::from_str(body).ok()?;
    let is_name = (1..=GROUP_BYTES_MAX).contains(&job.len())
        && job.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: impl Into<String>) -> Outgoing {
        Outgoing::now(body.into())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_message_is_in_one_call_and_no_call_is_too_large(
            lengths in prop::collection::vec(1_usize..=BATCH_BYTES_MAX, 0..12),
        ) {
            let batch: Vec<_> = lengths.iter().map(|length| message("x".repeat(*length))).collect();
            let calls = batches(&batch).unwrap();
            prop_assert!(calls.iter().cloned().flatten().eq(0..batch.len()));
            for call in calls {
                prop_assert!(!call.is_empty() && call.len() <= BATCH_MESSAGES_MAX);
                let bytes: usize = batch[call].iter().map(|message| message.body.len()).sum();
                prop_assert!(bytes <= BATCH_BYTES_MAX);
            }
        }
    }

    #[test]
    fn small_messages_go_ten_at_a_time() {
        let batch = vec![message("{}"); 25];
        assert_eq!(batches(&batch).unwrap(), [0..10, 10..20, 20..25]);
        assert!(batches(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_xml_cannot_carry_is_refused_before_it_is_sent() {
        for (character, carried) in [
            ('\t', true),
            ('\n', true),
            ('\r', true),
            (' ', true),
            ('\u{7f}', true),
            ('\u{85}', true),
            ('\u{D7FF}', true),
            ('\u{E000}', true),
            ('\u{FFFD}', true),
            ('\u{10000}', true),
            ('\u{1FFFE}', true),
            ('\u{10FFFF}', true),
            ('\0', false),
            ('\u{1}', false),
            ('\u{b}', false),
            ('\u{1f}', false),
            ('\u{FFFE}', false),
            ('\u{FFFF}', false),
        ] {
            let found = batches(&[message("{}"), message(format!("\"{character}\""))]);
            assert_eq!(found.is_ok(), carried, "U+{:04X}", u32::from(character));
        }
        for body in [String::new(), "x".repeat(BATCH_BYTES_MAX + 1)] {
            assert_eq!(batches(&[message(body)]).unwrap_err().kind, ErrorKind::Unsupported);
        }
    }

    #[test]
    fn a_message_is_of_the_group_of_its_job() {
        for (body, group) in [
            (r#"{"version":1,"kind":"task","job":"nightly","task":7}"#, Some("nightly")),
            (r#"{"job":"a b"}"#, None),
            (r#"{"job":"é"}"#, None),
            (r#"{"job":""}"#, None),
            (r#"{"sweep":true}"#, None),
            ("hello", None),
        ] {
            assert_eq!(group_of(body).as_deref(), group, "{body}");
        }
        let long = format!(r#"{{"job":"{}"}}"#, "j".repeat(GROUP_BYTES_MAX + 1));
        assert_eq!(group_of(&long), None);
    }
}
