//! What crosses a queue: ids only, the table holds the rest. A message outlives a deployment: an old
//! planner's may reach a new copier, and the reverse.

use serde::{Deserialize, Serialize};

use crate::ids::{JobName, PassId, PassRef, SliceId, SliceRef, TaskRef};

/// The version of messages that this code writes.
pub const MESSAGE_VERSION: u32 = 1;

/// Work for one invocation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// For a planner: walk this slice on.
    Slice(SliceRef),
    /// For a planner: open the upload of this large object.
    Upload(TaskRef),
    /// For a copier: move this batch of objects.
    Task(TaskRef),
    /// For a copier: move this range of a large object.
    Range {
        /// The object's task.
        task: TaskRef,
        /// Which attempt at the object, from 1.
        generation: u64,
        /// Which range of it, from 0.
        range: u64,
    },
}

/// Why a message was not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// A newer planner wrote it: send it on, delayed, for a newer worker.
    #[error("message of version {0}, this worker reads version {MESSAGE_VERSION}")]
    Version(u32),
    /// It is not a message of ours.
    #[error("not a message of ossferry: {0}")]
    Unreadable(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageV1 {
    /// Always 1.
    version: u32,
    kind: Kind,
    job: JobName,
    pass: PassId,
    slice: SliceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<u64>,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Slice,
    Upload,
    Task,
    Range,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Message {
    /// Whether a planner works on it, so that it goes to the planners' queue.
    pub fn is_for_planners(&self) -> bool {
        matches!(self, Self::Slice(_) | Self::Upload(_))
    }

    /// The text to send: under 1 KB for names of ordinary length.
    pub fn to_text(&self) -> String {
        let of = |kind, slice: &SliceRef, task, generation, range| MessageV1 {
            version: MESSAGE_VERSION,
            kind,
            job: slice.pass.job.clone(),
            pass: slice.pass.pass.clone(),
            slice: slice.slice.clone(),
            task,
            generation,
            range,
        };
        let message = match self {
            Self::Slice(slice) => of(Kind::Slice, slice, None, None, None),
            Self::Upload(task) => of(Kind::Upload, &task.slice, Some(task.seq), None, None),
            Self::Task(task) => of(Kind::Task, &task.slice, Some(task.seq), None, None),
            Self::Range { task, generation, range } => {
                of(Kind::Range, &task.slice, Some(task.seq), Some(*generation), Some(*range))
            }
        };
        let text = serde_json::to_string(&message).expect("texts and numbers are JSON");
        // JSON escapes control characters by itself; these two no queue carries either that is XML.
        if text.contains(['\u{FFFE}', '\u{FFFF}']) {
            return text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff");
        }
        text
    }

    /// Reads a received text.
    pub fn from_text(text: &str) -> Result<Self, MessageError> {
        let unreadable = |cause: serde_json::Error| MessageError::Unreadable(cause.to_string());
        let Versioned { version } = serde_json::from_str(text).map_err(unreadable)?;
        if version != MESSAGE_VERSION {
            return Err(MessageError::Version(version));
        }
        let message: MessageV1 = serde_json::from_str(text).map_err(unreadable)?;
        let slice = PassRef { job: message.job, pass: message.pass }.slice(message.slice);
        let missing = |what: &str| MessageError::Unreadable(format!("{what} is missing"));
        let task = || Ok(slice.task(message.task.ok_or_else(|| missing("task"))?));
        Ok(match message.kind {
            Kind::Slice => Self::Slice(slice),
            Kind::Upload => Self::Upload(task()?),
            Kind::Task => Self::Task(task()?),
            Kind::Range => Self::Range {
                task: task()?,
                generation: message.generation.ok_or_else(|| missing("generation"))?,
                range: message.range.ok_or_else(|| missing("range"))?,
            },
        })
    }

    /// The pass it belongs to.
    pub fn pass(&self) -> &PassRef {
        match self {
            Self::Slice(slice) => &slice.pass,
            Self::Upload(task) | Self::Task(task) | Self::Range { task, .. } => task.pass(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether XML 1.0 holds a character.
    fn is_xml(character: char) -> bool {
        matches!(
            character,
            '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..
        )
    }

    proptest! {
        #[test]
        fn a_message_of_any_names_is_carried_by_xml_and_read_back(
            job in r"[\x00-\x20\u{FFFC}-\u{FFFF}a\u{10FFFF}]{0,12}",
            pass in any::<String>(),
            slice in any::<String>(),
        ) {
            let pass = PassRef { job: JobName(job), pass: PassId(pass) };
            let message = Message::Slice(pass.slice(SliceId(slice)));
            let text = message.to_text();
            prop_assert!(text.chars().all(is_xml), "{text:?}");
            prop_assert_eq!(Message::from_text(&text), Ok(message));
        }
    }

    #[test]
    fn every_message_is_read_back_and_stays_under_a_kilobyte() {
        let pass = PassRef { job: "nightly".into(), pass: "20261122T100000Z-x".into() };
        let slice = pass.slice(SliceId::root().child(1));
        let task = slice.task(7);
        for message in [
            Message::Slice(slice),
            Message::Upload(task.clone()),
            Message::Task(task.clone()),
            Message::Range { task, generation: 2, range: 14 },
        ] {
            let text = message.to_text();
            assert!(text.len() < 1_024);
            assert_eq!(Message::from_text(&text), Ok(message));
        }
    }

    #[test]
    fn a_newer_message_is_named_by_its_version() {
        assert_eq!(
            Message::from_text(r#"{"version":2,"shape":"unknown"}"#),
            Err(MessageError::Version(2))
        );
        assert!(matches!(Message::from_text("hello"), Err(MessageError::Unreadable(_))));
        let no_task = r#"{"version":1,"kind":"task","job":"j","pass":"p","slice":"0"}"#;
        assert!(matches!(Message::from_text(no_task), Err(MessageError::Unreadable(_))));
    }
}
