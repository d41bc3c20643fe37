//! What is asked of a planner beside the messages of its queue: by a schedule, by a person.

use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::{JobName, PassId};
use ossferry_ledger::rows::PassKind;
use serde::Deserialize;
use serde_json::Value;

/// Characters of a pass id that a trigger brings along: it stands in key columns.
const PASS_ID_MAX: usize = 128;

/// A pass that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TriggerEvent {
    /// Of which job.
    pub job: JobName,
    /// `None`: full if no full pass of the scope has finished, else incremental.
    pub kind: Option<PassKind>,
    /// Source dates before it are trusted.
    pub since: Option<Timestamp>,
    /// Made by whoever calls.
    pub id: Option<PassId>,
    /// When a schedule planned to call, whichever attempt this is.
    pub time: Option<Timestamp>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// A pass is asked for.
    Trigger(TriggerEvent),
    /// Work that nobody does is looked for: of this job, or of all.
    Sweep(Option<JobName>),
}

/// Why it is not understood.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// None of the shapes that are known.
    #[error(
        "an event of unknown shape, with the fields {0}: want job, or sweep = true, or messages"
    )]
    Shape(String),
    /// A known shape with a field that is missing, unknown or of another type.
    #[error("{shape} event: {error}")]
    Field {
        /// `trigger` or `sweep`.
        shape: &'static str,
        /// Which field, and what is wrong.
        error: serde_json::Error,
    },
    /// A time that is not RFC 3339.
    #[error("trigger event: {field} = \"{text}\" is no time: write 2026-11-22T10:00:00Z")]
    Time {
        /// `since` or `time`.
        field: &'static str,
        /// As it came.
        text: String,
    },
    /// An id that cannot stand in key columns.
    #[error(
        "trigger event: id = \"{0}\": want 1 to {PASS_ID_MAX} letters, digits, dots, dashes and \
         underscores"
    )]
    PassId(String),
    /// Only an incremental pass trusts dates.
    #[error("trigger event: since is for incremental passes, and a {0} pass is asked for")]
    SinceWithout(PassKind),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerShape {
    job: JobName,
    pass: Option<PassKind>,
    since: Option<String>,
    id: Option<String>,
    time: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepShape {
    job: Option<JobName>,
    #[expect(dead_code, reason = "its being there, and true, is what tells the shape")]
    sweep: bool,
}

impl Asked {
    /// Reads what is asked.
    pub fn read(event: Value) -> Result<Self, AskError> {
        let field = |shape| move |error| AskError::Field { shape, error };
        if event.get("sweep") == Some(&Value::Bool(true)) {
            let SweepShape { job, .. } = from(event).map_err(field("sweep"))?;
            return Ok(Self::Sweep(job));
        }
        if event.get("job").is_some() {
            let shape: TriggerShape = from(event).map_err(field("trigger"))?;
            return Ok(Self::Trigger(shape.read()?));
        }
        let names = event.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        Err(AskError::Shape(names.unwrap_or_default().join(", ")))
    }
}

impl TriggerShape {
    fn read(self) -> Result<TriggerEvent, AskError> {
        let Self { job, pass, since, id, time } = self;
        let since = read_time("since", since)?;
        let kind = match (pass, since) {
            (None, Some(_)) => Some(PassKind::Incremental),
            (Some(kind), Some(_)) if kind != PassKind::Incremental => {
                return Err(AskError::SinceWithout(kind));
            }
            (kind, _) => kind,
        };
        let id = id.map(|id| if is_key_text(&id) { Ok(PassId(id)) } else { Err(id) });
        let id = id.transpose().map_err(AskError::PassId)?;
        Ok(TriggerEvent { job, kind, since, id, time: read_time("time", time)? })
    }
}

fn from<T: serde::de::DeserializeOwned>(event: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(event)
}

fn read_time(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, AskError> {
    let Some(text) = text else { return Ok(None) };
    match Timestamp::from_rfc3339(&text) {
        Some(time) => Ok(Some(time)),
        None => Err(AskError::Time { field, text }),
    }
}

fn is_key_text(text: &str) -> bool {
    let is_held = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=PASS_ID_MAX).contains(&text.len()) && text.bytes().all(is_held)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trigger_is_read_with_everything_it_may_say() {
        let event = json!({
            "job": "photos", "pass": "incremental", "since": "2026-11-01T00:00:00Z",
            "id": "20261122T100000Z-x", "time": "2026-11-22T10:00:00Z",
        });
        let Asked::Trigger(trigger) = Asked::read(event).unwrap() else { panic!() };
        assert_eq!(trigger.job, "photos".into());
        assert_eq!(trigger.kind, Some(PassKind::Incremental));
        assert_eq!(trigger.since, Timestamp::from_rfc3339("2026-11-01T00:00:00Z"));
        assert_eq!(trigger.id, Some("20261122T100000Z-x".into()));
        assert_eq!(trigger.time, Timestamp::from_rfc3339("2026-11-22T10:00:00Z"));
    }

    #[test]
    fn a_time_to_trust_asks_for_an_incremental_pass() {
        let event = json!({"job": "photos", "since": "2026-11-01T00:00:00Z"});
        let Asked::Trigger(trigger) = Asked::read(event).unwrap() else { panic!() };
        assert_eq!(trigger.kind, Some(PassKind::Incremental));
    }

    #[test]
    fn a_sweep_is_of_one_job_or_of_all() {
        assert_eq!(Asked::read(json!({"sweep": true})).unwrap(), Asked::Sweep(None));
        let one = Asked::read(json!({"sweep": true, "job": "photos"})).unwrap();
        assert_eq!(one, Asked::Sweep(Some("photos".into())));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (event, named) in [
            (json!({"detail-type": "Scheduled Event", "source": "aws.events"}), "detail-type"),
            (json!("hello"), "unknown shape"),
            (json!({"sweep": false}), "unknown shape"),
            (json!({"sweep": true, "jobs": "a"}), "jobs"),
            (json!({"job": "a", "passs": "full"}), "passs"),
            (json!({"job": "a", "pass": "whole"}), "whole"),
            (json!({"job": "a", "pass": "full", "since": "2026-11-01T00:00:00Z"}), "full"),
            (json!({"job": "a", "since": "yesterday"}), "yesterday"),
            (json!({"job": "a", "time": "<aws.scheduler.scheduled-time>"}), "scheduled-time"),
            (json!({"job": "a", "id": "a/b"}), "a/b"),
            (json!({"job": "a", "id": ""}), "want 1 to"),
        ] {
            let error = Asked::read(event.clone()).unwrap_err().to_string();
            assert!(error.contains(named), "{event}: {error}");
        }
    }
}
