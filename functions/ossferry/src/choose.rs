//! Which pass a command works on.

use ossferry_core::time::Timestamp;
use ossferry_ledger::ids::PassId;
use ossferry_ledger::rows::{PassKind, PassRow};

use crate::command_error::CommandError;

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// Go on with the pass that runs.
    GoOn(PassId),
    /// Begin one. `None`: full if none of this scope has finished, else incremental.
    Begin(Option<PassKind>),
}

/// What was asked for beside the kind of the pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bounds {
    /// `--since`, which is for an incremental pass.
    pub(crate) has_since: bool,
    /// `--reread`, which is for an audit.
    pub(crate) has_reread: bool,
}

/// Goes on with the pass that runs, unless one of another kind was asked for. `--since` asks for an
/// incremental one; `--reread` wants the audit asked for by name.
pub(crate) fn choose(
    wanted: Option<PassKind>,
    bounds: Bounds,
    running: Option<&PassRow>,
) -> Result<Choice, CommandError> {
    if bounds.has_reread && wanted != Some(PassKind::Audit) {
        return Err(CommandError::RereadWithoutAudit);
    }
    let wanted = match wanted {
        None if bounds.has_since => Some(PassKind::Incremental),
        Some(kind) if bounds.has_since && kind != PassKind::Incremental => {
            return Err(CommandError::SinceWithout(kind));
        }
        wanted => wanted,
    };
    match running {
        Some(row) if wanted.is_some_and(|wanted| wanted != row.kind) => {
            Err(CommandError::OtherPassRuns { running: row.pass.clone(), kind: row.kind })
        }
        Some(row) => Ok(Choice::GoOn(row.pass.clone())),
        None => Ok(Choice::Begin(wanted)),
    }
}

/// A new pass's id: the time in UTC with milliseconds, so that ids sort by it, and a random end.
pub(crate) fn new_pass_id(now: Timestamp, random: u32) -> PassId {
    let digits: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    PassId(format!("{digits}-{:06x}", random & 0x00ff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Bounds = Bounds { has_since: true, has_reread: false };

    fn running(kind: PassKind) -> PassRow {
        PassRow { kind, ..PassRow::open("j".into(), "p1".into()) }
    }

    #[test]
    fn the_running_pass_goes_on_unless_another_kind_is_asked_for() {
        use PassKind::{Full, Incremental, Retry};
        let full = running(Full);
        for wanted in [None, Some(Full)] {
            let choice = choose(wanted, Bounds::default(), Some(&full)).unwrap();
            assert_eq!(choice, Choice::GoOn("p1".into()));
        }
        let text = choose(Some(Retry), Bounds::default(), Some(&full)).unwrap_err().to_string();
        assert!(text.contains("p1") && text.contains("full") && text.contains("cancel"), "{text}");
        assert_eq!(choose(None, Bounds::default(), None).unwrap(), Choice::Begin(None));
        assert_eq!(
            choose(Some(Retry), Bounds::default(), None).unwrap(),
            Choice::Begin(Some(Retry))
        );
        assert_eq!(choose(None, SINCE, None).unwrap(), Choice::Begin(Some(Incremental)));
    }

    #[test]
    fn a_since_is_only_for_an_incremental_pass() {
        let text = choose(Some(PassKind::Full), SINCE, None).unwrap_err().to_string();
        assert!(text.contains("--since") && text.contains("incremental"), "{text}");
        choose(Some(PassKind::Incremental), SINCE, None).unwrap();
        choose(None, SINCE, Some(&running(PassKind::Full))).unwrap_err();
    }

    #[test]
    fn bytes_are_read_again_only_by_an_audit_that_was_asked_for() {
        let reread = Bounds { has_since: false, has_reread: true };
        let audit = Some(PassKind::Audit);
        assert_eq!(choose(audit, reread, None).unwrap(), Choice::Begin(audit));
        for wanted in [None, Some(PassKind::Full)] {
            let text = choose(wanted, reread, None).unwrap_err().to_string();
            assert!(text.contains("--reread") && text.contains("audit"), "{text}");
        }
    }

    #[test]
    fn pass_ids_sort_by_time_within_a_second() {
        let id = |millis, random| new_pass_id(Timestamp(millis), random);
        assert_eq!(id(1_795_000_000_123, 0xab).0, "20261118T110640123Z-0000ab");
        assert!(id(1_795_000_000_123, u32::MAX) < id(1_795_000_000_124, 0));
    }
}
